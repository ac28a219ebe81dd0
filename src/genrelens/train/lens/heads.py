"""The model ``lens``: heads on the frozen ``musicnn`` for genres, styles, noise, and music or not.

Shapes: ``n`` segments, ``t`` frames, ``b`` bands, ``d`` features of the frozen network, ``m`` sets,
``k`` joint classes, ``c`` genres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from genrelens.train.augment import mixup
from genrelens.train.lens.embeddings import ClipFeatures, frozen_features
from genrelens.train.lens.musicnn import EMBEDDING_SIZE, Musicnn
from genrelens.train.original.networks import NetworkOutputs
from genrelens.train.recipe import HeadConfig
from genrelens.train.trainer import NetworkModule

__all__ = [
    "MUSICNN_STYLES",
    "HeadModule",
    "JointHead",
    "Lens",
    "SetNetwork",
    "averaged",
    "style_thresholds",
]


_TINY = 1e-9


class _Tag(NamedTuple):
    """A tag of musicnn that is a style: its position in the output, and the genre that it is of."""

    position: int
    parent: str | None = None


MUSICNN_STYLES: Mapping[str, _Tag] = {
    "rock": _Tag(0),
    "pop": _Tag(1),
    "alternative": _Tag(2),
    "indie": _Tag(3),
    "electronic": _Tag(4),
    "dance": _Tag(6, "electronic"),
    "alternative rock": _Tag(8, "rock"),
    "jazz": _Tag(9),
    "metal": _Tag(11),
    "chillout": _Tag(12),
    "classic rock": _Tag(14, "rock"),
    "soul": _Tag(15, "rnb"),
    "indie rock": _Tag(16, "rock"),
    "electronica": _Tag(18, "electronic"),
    "folk": _Tag(20),
    "punk": _Tag(24),
    "oldies": _Tag(25),
    "blues": _Tag(26),
    "hard rock": _Tag(27, "rock"),
    "ambient": _Tag(28),
    "experimental": _Tag(30),
    "hip-hop": _Tag(33),
    "country": _Tag(36),
    "easy listening": _Tag(37),
    "electro": _Tag(41, "electronic"),
    "heavy metal": _Tag(42, "metal"),
    "progressive rock": _Tag(43, "rock"),
    "rnb": _Tag(45),
    "house": _Tag(48, "electronic"),
}
"""The tags of ``MSD_musicnn`` that are reported as styles.

Of its 50 tags these are the genres, without "funk" and "indie pop": on 794 recordings of 2000 to
2025 these two did not separate their own genre from others.
"""


class JointHead(nn.Module):
    """The trained part of the set head: normalised sets to the logits of the joint classes.

    Args:
        mean: mean of each input, (2 d + 1,).
        std: standard deviation of each input, (2 d + 1,).
        n_classes: number of joint classes.
        config: settings of the recipe.

    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, *, n_classes: int, config: HeadConfig) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.hidden = nn.Linear(len(mean), config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.hidden, n_classes)
        self.linear: nn.Linear | None = None

    def forward(self, sets: Tensor) -> Tensor:
        """Return the logits of the joint classes: (m, 2 d + 1) -> (m, k)."""
        return self.of_normalised((sets - self.mean) / self.std)

    def of_normalised(self, x: Tensor) -> Tensor:
        """Return the same logits from normalised sets."""
        hidden = torch.relu(self.hidden(self.input_dropout(x)))
        logits: Tensor = self.output(self.dropout(hidden))
        return logits if self.linear is None else logits + self.linear(x)

    def blend(self, linear: nn.Linear, share: float) -> None:
        """Add a linear layer with a share of the logits, 0 to 1; call it after the training."""
        with torch.no_grad():
            for layer, factor in ((self.output, 1 - share), (linear, share)):
                layer.weight.mul_(factor)
                layer.bias.mul_(factor)
        self.linear = linear


def averaged(heads: Sequence[JointHead], config: HeadConfig) -> JointHead:
    """Return one head whose logits are the mean over heads with the same normalisation."""
    first = heads[0]
    wide = replace(config, hidden=config.hidden * len(heads))
    head = JointHead(first.mean, first.std, n_classes=first.output.out_features, config=wide)
    with torch.no_grad():
        head.hidden.weight.copy_(torch.cat([each.hidden.weight for each in heads]))
        head.hidden.bias.copy_(torch.cat([each.hidden.bias for each in heads]))
        head.output.weight.copy_(torch.cat([each.output.weight for each in heads], 1) / len(heads))
        head.output.bias.copy_(torch.stack([each.output.bias for each in heads]).mean(0))
    return head.eval()


class SetNetwork(nn.Module):
    """The set head: from sets to genres, styles, music and noise.

    Args:
        head: network from sets to logits of the joint classes; ``penalties`` are subtracted.
        membership: whether a class belongs to a genre, (k, c).
        styles: whether a class has a style, (k, n_styles).
        penalties: penalty of each class, (k,).
        music: network from normalised sets to the logit of music, or None.
        snr: network from normalised sets to the signal-to-noise ratio in dB, or None.

    """

    membership: Tensor
    styles: Tensor

    def __init__(
        self,
        head: JointHead,
        *,
        membership: Tensor,
        styles: Tensor,
        penalties: Tensor,
        music: nn.Linear | None = None,
        snr: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        self.head = head
        self.music = music
        self.snr = snr
        self.register_buffer("membership", membership)
        self.register_buffer("styles", styles)
        with torch.no_grad():
            self.head.output.bias.sub_(penalties)

    def forward(self, sets: Tensor) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """(m, 2 d + 1) -> values of :class:`genrelens.set_head.SetOutputs`."""
        x = (sets - self.head.mean) / self.head.std
        shares = torch.softmax(self.head.of_normalised(x), dim=1)  # (m, k)
        of_styles = shares @ self.styles
        odds = (of_styles + _TINY) / (1 - of_styles + _TINY)
        return (
            torch.log(shares @ self.membership + _TINY),
            torch.log(odds),
            None if self.music is None else self.music(x).squeeze(1),
            None if self.snr is None else self.snr(x).squeeze(1),
        )


class Lens(nn.Module):
    """The frozen network: the segments of a clip to features, embeddings and tags.

    Args:
        musicnn: the frozen network.
        tags: names of the tags that are styles, keys of :data:`MUSICNN_STYLES`.

    """

    tags: Tensor

    def __init__(self, musicnn: Musicnn, tags: Sequence[str]) -> None:
        super().__init__()
        self.musicnn = musicnn
        self.register_buffer("tags", torch.tensor([MUSICNN_STYLES[name].position for name in tags]))

    def forward(self, segments: Tensor) -> NetworkOutputs:
        """Compute all outputs for the segments (n, t, b) of a clip."""
        features = frozen_features(self.musicnn, segments)  # (n, d)
        embeddings = features[:, -EMBEDDING_SIZE:]
        return NetworkOutputs(
            clip_logits=None,
            segment_logits=None,
            embeddings=embeddings,
            style_logits=self.musicnn.tags(embeddings).index_select(1, self.tags),
            features=features,
        )


# ----------------------------------------------------------------------------- training


class HeadModule(NetworkModule):
    """Train a head on joint classes.

    Args:
        network: the head.
        config: settings of the recipe.
        n_classes: number of joint classes.
        n_steps: number of steps of the whole training.

    """

    def __init__(
        self, network: JointHead, config: HeadConfig, *, n_classes: int, n_steps: int
    ) -> None:
        super().__init__(network, None)
        self.config = config
        self.n_classes = n_classes
        self.n_steps = n_steps

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss of a batch of sets (m, 2 d + 1) with classes (m,)."""
        sets, classes = batch
        targets = one_hot(classes, self.n_classes).to(sets.dtype)
        if self.config.mixup:
            sets, targets = mixup(sets, targets, self.config.mixup)
        logits = self.network(sets)
        loss = cross_entropy(logits, targets, label_smoothing=self.config.label_smoothing)
        self.log_part("train", loss, logits.argmax(1) != classes, len(classes))
        return loss

    def configure_optimizers(self) -> Any:
        """Return AdamW with the one-cycle schedule of the learning rate (Smith & Topin, 2019)."""
        optimizer = self.adamw(self.config.learning_rate, self.config.weight_decay)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.config.learning_rate, total_steps=self.n_steps + 1
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


@torch.inference_mode()
def style_thresholds(musicnn: Musicnn, clips: Sequence[ClipFeatures]) -> dict[str, float]:
    """Return for each style the threshold that assigns it to the expected number of clips.

    The network was trained on the tags of listeners, so the sum of its probabilities over clips is
    the number of clips that listeners are expected to tag. With the threshold, the style is
    assigned to this number of clips, the most probable ones.

    Args:
        musicnn: the frozen network.
        clips: features of clips; augmented copies do not count.

    """
    embeddings = [
        torch.from_numpy(clip.features[clip.copies == 0, -EMBEDDING_SIZE:]).float()
        for clip in clips
    ]
    tags = torch.stack([musicnn.tags(each).sigmoid().mean(dim=0) for each in embeddings])
    thresholds = {}
    for name, tag in MUSICNN_STYLES.items():
        ranked = tags[:, tag.position].double().sort(descending=True).values
        expected = min(max(1, round(float(ranked.sum()))), len(ranked) - 1)
        threshold = float(ranked[expected - 1 : expected + 1].mean())
        thresholds[name] = round(min(max(threshold, 0.001), 0.999), 4)
    return thresholds
