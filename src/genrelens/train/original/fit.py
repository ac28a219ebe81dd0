"""Train the networks of 2018: a network on segments, then an LSTM over its logits.

The LSTM learns from the logits of the training clips. Those of a network that was trained on the
same clips are far surer than those of new clips. With ``cross_fit``, the logits of each clip come
from a network that was trained without it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from torch.utils.data import DataLoader, Sampler

from genrelens.files import write_text_atomically
from genrelens.train.augment import MelAugment, mixup
from genrelens.train.dataset import ClipDataset, SegmentDataset, TrainingClip
from genrelens.train.job import Run, check_identity, window_segments
from genrelens.train.original.cross_fit import cross_fit_parts
from genrelens.train.original.networks import (
    ClipNetwork,
    MeanOverSegments,
    MelCNN,
    MfccLSTM,
    SegmentLSTM,
)
from genrelens.train.recipe import Recipe, SegmentLstmConfig, TrainingConfig
from genrelens.train.trainer import Hardware, NetworkModule, fit_module

__all__ = [
    "LstmModule",
    "OriginalTraining",
    "SegmentModule",
    "build_segment_network",
    "equal_length_loader",
]

_SHARPENING = 1.5  # of the mean in the targets of the LSTM: the plain mean is too cautious
_SEGMENTS_AT_ONCE = 128  # bounds the memory for a long clip in validation


def build_segment_network(recipe: Recipe, n_classes: int) -> MelCNN | MfccLSTM:
    """Return the untrained segment network of a recipe: (n, t, b) -> (n, c)."""
    features = recipe.features
    if recipe.network == "mfcc-lstm":
        return MfccLSTM(n_classes=n_classes, n_bins=features.n_bins, input_norm=recipe.input_norm)
    return MelCNN(
        n_classes=n_classes,
        segment_frames=features.segment_frames,
        n_bins=features.n_bins,
        input_norm=recipe.input_norm,
    )


class OriginalTraining:
    """The training of ``mfcc-lstm``, ``mel-cnn`` and ``mel-cnn-lstm``.

    Args:
        run: settings of the run.

    Attributes:
        recordings: recordings used in addition to the clips; always empty.
        uses_frames: whether the training uses the frames of the clips; always true.

    Raises:
        RecipeError: this processor cannot train the network in the recipe's precision.

    """

    recordings: Sequence[Path] = ()
    uses_frames = True

    def __init__(self, run: Run) -> None:
        self._run = run
        self._recipe = run.recipe
        features = run.recipe.features
        segments = torch.zeros(2, features.segment_frames, features.n_bins)
        network = build_segment_network(run.recipe, 2)
        run.hardware.check_precision(network, segments, run.recipe.training.precision)

    def fit(
        self, train: Sequence[TrainingClip], valid: Sequence[TrainingClip], weights: Tensor
    ) -> tuple[ClipNetwork, None, dict[str, Any]]:
        """Train the network in one stage, or in two for ``mel-cnn-lstm``.

        Args:
            train: clips to train on.
            valid: clips to select the best epoch with; may be empty.
            weights: weights of the classes, (n_classes,), used if the recipe sets
                ``class_weights``.

        Returns:
            The trained network, None: it has no set head, and an empty dictionary: no metadata.

        Raises:
            DataError: the recipe cross-fits, and all training clips are of one group, or the
                resumed run has other groups.

        """
        parts = self._parts(train)
        self._run.on_stage(f"Training the segment network of {self._recipe.name}")
        network = self._fit_segments(train, valid, weights, folder="segments")
        aggregator: nn.Module = MeanOverSegments()
        if self._recipe.network == "mel-cnn-lstm":
            aggregator = self._fit_clips(train, valid, weights, network, parts)
        return ClipNetwork(network, aggregator), None, {}

    def _parts(self, clips: Sequence[TrainingClip]) -> list[int]:
        """Return the part of each clip for cross-fitting; an empty list without cross-fitting."""
        n_parts = self._recipe.segment_lstm.cross_fit
        if self._recipe.network != "mel-cnn-lstm" or not n_parts:
            return []
        seed = self._recipe.training.seed
        parts = cross_fit_parts([clip.clip for clip in clips], n_parts, seed=seed)
        self._check_parts(clips, parts)
        return parts

    def _check_parts(self, clips: Sequence[TrainingClip], parts: Sequence[int]) -> None:
        """Check that a resumed run has the same parts: the groups are not in its fingerprint."""
        rows = sorted(f"{clip.digest} {part}" for clip, part in zip(clips, parts, strict=True))
        identity = {"groups": hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]}
        path = self._run.folder / "cross-fit.json"
        if path.exists():
            check_identity(path, identity, "run")
        else:
            write_text_atomically(path, json.dumps(identity) + "\n")

    def _fit_segments(
        self,
        train: Sequence[TrainingClip],
        valid: Sequence[TrainingClip],
        weights: Tensor,
        *,
        folder: str,
    ) -> MelCNN | MfccLSTM:
        recipe, training = self._recipe, self._recipe.training
        pl.seed_everything(training.seed, verbose=False)
        network = build_segment_network(recipe, len(weights))
        if isinstance(network, MelCNN):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on CPUs
        dataset = SegmentDataset(train, recipe.features, training.crops_per_clip)
        clips = ClipDataset(valid, recipe.features)
        fit_module(
            SegmentModule(
                network,
                training,
                weights if training.class_weights else None,
                n_classes=len(weights),
                augment=_augment(recipe),
                mixup_alpha=recipe.augment.mixup,
            ),
            dataset.loader(training.batch_size),
            DataLoader(clips, batch_size=None) if valid else None,
            folder=self._run.folder / folder,
            hardware=self._run.hardware,
            epochs=training.epochs,
            patience=training.patience,
            precision=training.precision,
            ema_decay=training.ema_decay,
        )
        return network

    def _fit_clips(
        self,
        train: Sequence[TrainingClip],
        valid: Sequence[TrainingClip],
        weights: Tensor,
        network: nn.Module,
        parts: Sequence[int],
    ) -> SegmentLSTM:
        config = self._recipe.segment_lstm
        cross_fitted = self._cross_fitted_logits(train, valid, weights, parts) if parts else []
        self._run.on_stage("Training the LSTM over the segments' logits")
        # Set the seed again, so that a resumed run trains the same network.
        pl.seed_everything(self._recipe.training.seed, verbose=False)
        train_logits = cross_fitted or self._logits(train, network, passes=config.passes)
        valid_logits = self._logits(valid, network, passes=1)
        lstm = SegmentLSTM(n_classes=len(weights))
        fit_module(
            LstmModule(lstm, config, weights if self._recipe.training.class_weights else None),
            equal_length_loader(train_logits, config.batch_size, shuffle=True),
            equal_length_loader(valid_logits, config.batch_size, shuffle=False) if valid else None,
            folder=self._run.folder / "clips",
            hardware=Hardware(device="cpu", progress=self._run.hardware.progress),  # it is small
            epochs=config.epochs,
            patience=config.patience,
            ema_decay=config.ema_decay,
        )
        return lstm

    def _cross_fitted_logits(
        self,
        train: Sequence[TrainingClip],
        valid: Sequence[TrainingClip],
        weights: Tensor,
        parts: Sequence[int],
    ) -> list[tuple[Tensor, int]]:
        """Return the logits of each training clip from a network of the other parts' clips."""
        sequences: list[tuple[Tensor, int]] = []
        n_parts = max(parts) + 1
        for part in range(n_parts):
            self._run.on_stage(f"Training the network for part {part + 1} of {n_parts}")
            inside = [clip for clip, number in zip(train, parts, strict=True) if number == part]
            others = [clip for clip, number in zip(train, parts, strict=True) if number != part]
            network = self._fit_segments(others, valid, weights, folder=f"cross-fit-{part + 1}")
            # Set the seed again, so that a resumed run draws the same augmentation.
            pl.seed_everything(self._recipe.training.seed, verbose=False)
            sequences += self._logits(inside, network, passes=self._recipe.segment_lstm.passes)
        return sequences

    def _logits(
        self, clips: Sequence[TrainingClip], network: nn.Module, *, passes: int
    ) -> list[tuple[Tensor, int]]:
        network.to(self._run.hardware.torch_device)
        return _logits(self._recipe, clips, network, passes=passes)


def _augment(recipe: Recipe) -> MelAugment | None:
    return MelAugment(recipe.augment, recipe.features) if recipe.augment.changes_segments else None


@torch.no_grad()
def _logits(
    recipe: Recipe, clips: Sequence[TrainingClip], network: nn.Module, *, passes: int
) -> list[tuple[Tensor, int]]:
    """Return the logits (n, c) of the frozen network and the class, for each pass and window.

    The first pass uses each clip unchanged; the others start at a random frame and augment it. A
    long clip yields several sequences, each as long as a window of the model.
    """
    augment = _augment(recipe)
    dataset = ClipDataset(clips, recipe.features)
    device = next(network.parameters()).device
    sequences: list[tuple[Tensor, int]] = []
    for number in range(passes):
        for index, clip in enumerate(clips):
            offset = int(torch.randint(recipe.features.segment_frames, ())) if number else 0
            segments = dataset.segments(index, offset=offset).to(device)
            if number and augment is not None:
                segments = augment(segments, one_clip=True)
            windows = torch.split(segments, window_segments(recipe.features))
            sequences += [(network(window).cpu(), clip.target) for window in windows]
    return sequences


# ---------------------------------------------------------------------- the first stage


class SegmentModule(NetworkModule):
    """Trains a segment network; validates on clips with the mean over their segments.

    Args:
        network: (n, t, b) -> (n, c).
        training: settings of the recipe.
        weights: weights of the classes, (c,), or None.
        n_classes: number of classes.
        augment: changes to the training segments, or None.
        mixup_alpha: ``alpha`` of mixup; 0 switches it off.

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
        """Return the loss of a batch of segments (n, t, b) with classes (n,)."""
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
        parts = [self.network(part) for part in torch.split(segments, _SEGMENTS_AT_ONCE)]
        clip_logits = self.aggregator(torch.cat(parts).unsqueeze(0))  # (1, c)
        classes = torch.tensor([target], device=clip_logits.device)
        loss = cross_entropy(clip_logits, classes)
        self.log_part("val", loss, clip_logits.argmax(1) != classes, 1)

    def configure_optimizers(self) -> Any:
        """Return AdamW, with the recipe's schedule."""
        return self.scheduled_adamw(self.training_config)


# --------------------------------------------------------------------- the second stage


class LstmModule(NetworkModule):
    """Trains ``segment-lstm`` on batches of equally long sequences of logits, (k, n, c).

    Args:
        network: (k, n, c) -> (k, c).
        config: settings of the recipe.
        weights: weights of the classes, (c,), or None.

    """

    def __init__(
        self, network: nn.Module, config: SegmentLstmConfig, weights: Tensor | None
    ) -> None:
        super().__init__(network, weights)
        self.config = config

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss of a batch of clips, cut to random consecutive segments if configured."""
        sequences, classes = batch
        n, targets = sequences.shape[1], self._targets(sequences, classes)
        if 0 < self.config.shortest < n:
            length = int(torch.randint(self.config.shortest, n + 1, ()))
            start = int(torch.randint(n - length + 1, ()))
            sequences = sequences[:, start : start + length]
        logits = self.network(sequences)
        loss = cross_entropy(
            logits,
            targets,
            weight=self.class_weights,
            label_smoothing=self.config.label_smoothing,
        )
        self.log_part("train", loss, logits.argmax(1) != classes, len(classes))
        return loss

    def _targets(self, sequences: Tensor, classes: Tensor) -> Tensor:
        """Return the classes (k,), or probabilities (k, c) if the mean is a part of the target."""
        if not self.config.mean_target:
            return classes
        mean = (_SHARPENING * MeanOverSegments()(sequences)).softmax(dim=1)  # (k, c)
        return torch.lerp(one_hot(classes, mean.shape[1]).to(mean), mean, self.config.mean_target)

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Log loss and error of whole clips."""
        sequences, classes = batch
        logits = self.network(sequences)
        loss = cross_entropy(logits, classes)
        self.log_part("val", loss, logits.argmax(1) != classes, len(classes))

    def configure_optimizers(self) -> Any:
        """Return AdamW, with the recipe's schedule."""
        return self.scheduled_adamw(self.config)


class _EqualLengthBatches(Sampler[list[int]]):
    """Batches of indices of sequences of equal length, shuffled if requested."""

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
    """Return a loader of batches of logit sequences (n, c) of equal length, with classes."""
    sampler = _EqualLengthBatches(
        [len(logits) for logits, _ in sequences], batch_size, shuffle=shuffle
    )
    return DataLoader(list(sequences), batch_sampler=sampler)  # type: ignore[arg-type]
