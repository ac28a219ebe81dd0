"""What Lightning needs to know: losses, optimisers and logged figures of the two stages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from torch.utils.data import DataLoader, Sampler

from genrelens.train.augment import MelAugment, mixup
from genrelens.train.original.networks import MeanOverSegments
from genrelens.train.settings import SegmentLstmConfig, TrainingConfig

__all__ = ["LstmModule", "NetworkModule", "SegmentModule", "equal_length_loader"]

_FINAL_SHARE = 0.01  # of the learning rate, at the end of a cosine schedule
_SEGMENTS_AT_ONCE = 128  # bounds the memory that a long clip takes in validation


class NetworkModule(pl.LightningModule):
    """What both stages share: a network, the weights of the classes, logging, the optimiser."""

    network: nn.Module
    class_weights: Tensor | None

    def __init__(self, network: nn.Module, weights: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("class_weights", weights)

    def log_part(self, part: str, loss: Tensor, wrong: Tensor, n: int) -> None:
        """Log loss and error of a part (``train`` or ``val``), averaged over the epoch."""
        for name, value in (("loss", loss), ("error", wrong.float().mean())):
            self.log(
                f"{part}_{name}",
                value,
                on_step=False,
                on_epoch=True,
                batch_size=n,
                prog_bar=True,
                sync_dist=True,
            )

    def adamw(self, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
        """AdamW over all weights."""
        return torch.optim.AdamW(self.parameters(), lr=learning_rate, weight_decay=weight_decay)


class SegmentModule(NetworkModule):
    """Trains a segment network; validates on clips by the mean over their segments.

    Args:
        network: (n, t, b) -> (n, c).
        training: the recipe's settings.
        weights: of the classes, (c,), or None.
        augment: changes to the training segments, or None.

    """

    def __init__(
        self,
        network: nn.Module,
        training: TrainingConfig,
        weights: Tensor | None,
        *,
        n_classes: int,
        augment: MelAugment | None,
        mixup_alpha: float,
    ) -> None:
        super().__init__(network, weights)
        self.n_classes = n_classes
        self.training_config = training
        self.augment = augment
        self.mixup_alpha = mixup_alpha
        self.aggregator = MeanOverSegments()

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Loss of a batch of segments (n, t, b) with classes (n,)."""
        segments, classes = batch
        if self.augment is not None:
            segments = self.augment(segments)
        targets = one_hot(classes, self.n_classes).to(segments.dtype)
        if self.mixup_alpha:
            segments, targets = mixup(segments, targets, self.mixup_alpha)
        logits = self.network(segments)
        loss = cross_entropy(
            logits,
            targets,
            weight=self.class_weights,
            label_smoothing=self.training_config.label_smoothing,
        )
        self.log_part("train", loss, logits.argmax(1) != classes, len(classes))
        return loss

    def validation_step(self, batch: tuple[Tensor, int], _: int) -> None:
        """Log loss and error of one clip (n, t, b)."""
        segments, target = batch
        pieces = [self.network(piece) for piece in torch.split(segments, _SEGMENTS_AT_ONCE)]
        clip_logits = self.aggregator(torch.cat(pieces).unsqueeze(0))  # (1, c)
        classes = torch.tensor([target], device=clip_logits.device)
        loss = cross_entropy(clip_logits, classes)
        self.log_part("val", loss, clip_logits.argmax(1) != classes, 1)

    def configure_optimizers(self) -> Any:
        """AdamW, with a cosine schedule after one epoch of warm-up if the recipe asks for it."""
        training = self.training_config
        optimizer = self.adamw(training.learning_rate, training.weight_decay)
        if training.schedule == "constant":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        warm_up = max(1, steps // training.epochs)

        def share(step: int) -> float:
            if step < warm_up:
                return (step + 1) / (warm_up + 1)
            progress = min(1.0, (step - warm_up) / max(1, steps - warm_up))
            return _FINAL_SHARE + (1 - _FINAL_SHARE) * (1 + math.cos(math.pi * progress)) / 2

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


class LstmModule(NetworkModule):
    """Trains ``segment-lstm`` on sequences of logits (k, n, c) of equal length."""

    def __init__(
        self, network: nn.Module, config: SegmentLstmConfig, weights: Tensor | None
    ) -> None:
        super().__init__(network, weights)
        self.config = config

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Loss of a batch of clips, cut to a random run of segments if the recipe asks for it."""
        sequences, classes = batch
        n = sequences.shape[1]
        if 0 < self.config.shortest < n:
            length = int(torch.randint(self.config.shortest, n + 1, ()))
            start = int(torch.randint(n - length + 1, ()))
            sequences = sequences[:, start : start + length]
        logits = self.network(sequences)
        loss = cross_entropy(logits, classes, weight=self.class_weights)
        self.log_part("train", loss, logits.argmax(1) != classes, len(classes))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Log loss and error of whole clips."""
        sequences, classes = batch
        logits = self.network(sequences)
        loss = cross_entropy(logits, classes)
        self.log_part("val", loss, logits.argmax(1) != classes, len(classes))

    def configure_optimizers(self) -> Any:
        """AdamW at a constant rate."""
        return self.adamw(self.config.learning_rate, self.config.weight_decay)


class _EqualLengthBatches(Sampler[list[int]]):
    """Batches of sequences that all have the same length; in random order if asked."""

    def __init__(self, lengths: Sequence[int], batch_size: int, *, shuffle: bool) -> None:
        self._members: dict[int, list[int]] = {}
        for index, length in enumerate(lengths):
            self._members.setdefault(length, []).append(index)
        self._batch_size = batch_size
        self._shuffle = shuffle

    def __iter__(self) -> Iterator[list[int]]:
        batches: list[list[int]] = []
        for members in self._members.values():
            if self._shuffle:
                members = [members[i] for i in torch.randperm(len(members)).tolist()]
            starts = range(0, len(members), self._batch_size)
            batches += [members[start : start + self._batch_size] for start in starts]
        if self._shuffle:
            batches = [batches[i] for i in torch.randperm(len(batches)).tolist()]
        yield from batches

    def __len__(self) -> int:
        return sum(math.ceil(len(members) / self._batch_size) for members in self._members.values())


def equal_length_loader(
    sequences: Sequence[tuple[Tensor, int]], batch_size: int, *, shuffle: bool
) -> DataLoader[Any]:
    """Batch sequences (n, c) of logits with their class, none of them padded or cut."""
    sampler = _EqualLengthBatches(
        [len(logits) for logits, _ in sequences], batch_size, shuffle=shuffle
    )
    return DataLoader(list(sequences), batch_sampler=sampler)  # type: ignore[arg-type]
