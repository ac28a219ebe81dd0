"""``lens``: heads on a frozen ``musicnn`` for genres, styles, and whether it is music at all.

``n`` segments, ``t`` frames, ``b`` bands, ``d`` features of the frozen network, ``c``
classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from genrelens.train.augment import mixup
from genrelens.train.lens.embeddings import ClipFeatures, heard_features
from genrelens.train.lens.musicnn import EMBEDDING_SIZE, Musicnn
from genrelens.train.modules import NetworkModule
from genrelens.train.original.networks import MeanOverSegments, NetworkOutputs
from genrelens.train.settings import HeadConfig

__all__ = [
    "MUSICNN_STYLES",
    "GenreHead",
    "HeadBatches",
    "HeadModule",
    "Lens",
    "LensClip",
    "feature_statistics",
    "fit_music_head",
    "head_batches",
    "style_thresholds",
]

MUSICNN_STYLES: Mapping[str, int] = {
    "rock": 0,
    "pop": 1,
    "alternative": 2,
    "indie": 3,
    "electronic": 4,
    "dance": 6,
    "alternative rock": 8,
    "jazz": 9,
    "metal": 11,
    "chillout": 12,
    "classic rock": 14,
    "soul": 15,
    "indie rock": 16,
    "electronica": 18,
    "folk": 20,
    "punk": 24,
    "oldies": 25,
    "blues": 26,
    "hard rock": 27,
    "ambient": 28,
    "experimental": 30,
    "hip-hop": 33,
    "country": 36,
    "easy listening": 37,
    "funk": 40,
    "electro": 41,
    "heavy metal": 42,
    "progressive rock": 43,
    "rnb": 45,
    "indie pop": 46,
    "house": 48,
}
"""The genres among the 50 tags of ``MSD_musicnn`` and their places among its outputs."""

Float64 = NDArray[np.float64]


class GenreHead(nn.Module):
    """Features to genres; what they are normalised by lives in the weights.

    Args:
        mean: of the features, (d,).
        std: of the features, (d,).
        n_classes: number of genres.
        config: of the recipe.

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

    def forward(self, features: Tensor) -> Tensor:
        """(n, d) -> (n, c)."""
        x = self.input_dropout((features - self.mean) / self.std)
        return self.output(self.dropout(torch.relu(self.hidden(x))))  # type: ignore[no-any-return]


class Lens(nn.Module):
    """The frozen network and the genre head: segments to genres."""

    def __init__(self, musicnn: Musicnn, genres: GenreHead) -> None:
        super().__init__()
        self.musicnn = musicnn
        self.genres = genres

    def forward(self, segments: Tensor) -> Tensor:
        """(n, t, b) -> (n, c)."""
        return self.genres(heard_features(self.musicnn, segments))  # type: ignore[no-any-return]


class LensClip(nn.Module):
    """All that the model says of the segments of a clip.

    Args:
        lens: the network of the genres.
        music: features to the logit that it is music, (n, d) -> (n, 1), or None.

    """

    styles: Tensor

    def __init__(self, lens: Lens, music: nn.Module | None) -> None:
        super().__init__()
        self.lens = lens
        self.music = music
        self.aggregator = MeanOverSegments()
        self.register_buffer("styles", torch.tensor(list(MUSICNN_STYLES.values())))

    def forward(self, segments: Tensor) -> NetworkOutputs:
        """(n, t, b) -> outputs."""
        musicnn = self.lens.musicnn
        features = heard_features(musicnn, segments)  # (n, d)
        embeddings = features[:, -EMBEDDING_SIZE:]
        segment_logits = self.lens.genres(features)  # (n, c)
        return NetworkOutputs(
            clip_logits=self.aggregator(segment_logits.unsqueeze(0)).squeeze(0),
            segment_logits=segment_logits,
            embeddings=embeddings,
            style_logits=musicnn.tags(embeddings).index_select(1, self.styles),
            music_logits=None if self.music is None else self.music(features).squeeze(1),
        )


# ----------------------------------------------------------------------------- training


@dataclass(frozen=True, slots=True)
class HeadBatches:
    """Segments drawn at random, each clip as likely as its class allows: an iterable of batches.

    Attributes:
        features: (n, d) float16.
        classes: (n,) int64.
        weights: of each segment in the draw, (n,).
        batch_size: segments in a batch.

    """

    features: Tensor
    classes: Tensor
    weights: Tensor
    batch_size: int

    def __len__(self) -> int:
        return max(1, len(self.classes) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(len(self)):
            drawn = torch.multinomial(self.weights, self.batch_size, replacement=True)
            yield self.features[drawn].float(), self.classes[drawn]


def head_batches(
    heard: Sequence[ClipFeatures], targets: Sequence[int], batch_size: int
) -> HeadBatches:
    """Join clips: each segment weighs one over the segments of its clip, evened out over classes.

    A class of few clips is drawn less often than one of many, but not in proportion: by the power
    0.3 of its number of clips.
    """
    sizes = np.array([len(clip.features) for clip in heard])
    classes = np.repeat(np.asarray(targets), sizes)
    n_clips = np.bincount(targets)
    weights = 1 / np.repeat(sizes, sizes) / n_clips[classes] ** 0.7
    features = np.concatenate([clip.features for clip in heard])
    return HeadBatches(
        torch.from_numpy(features), torch.from_numpy(classes), torch.from_numpy(weights), batch_size
    )


def feature_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of features (n, d) float16, (d,) float32 each."""
    std, mean = torch.std_mean(features.float(), dim=0)
    return mean, std + 1e-3


class HeadModule(NetworkModule):
    """Trains a genre head.

    Args:
        network: the head.
        config: the recipe's settings.
        n_steps: of the whole training.

    """

    def __init__(
        self, network: GenreHead, config: HeadConfig, *, n_classes: int, n_steps: int
    ) -> None:
        super().__init__(network, None)
        self.config = config
        self.n_classes = n_classes
        self.n_steps = n_steps

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Loss of a batch of features (n, d) with classes (n,)."""
        features, classes = batch
        targets = one_hot(classes, self.n_classes).to(features.dtype)
        if self.config.mixup:
            features, targets = mixup(features, targets, self.config.mixup)
        logits = self.network(features)
        loss = cross_entropy(logits, targets, label_smoothing=self.config.label_smoothing)
        self.log_part("train", loss, logits.argmax(1) != classes, len(classes))
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW with one cycle of the rate (Smith & Topin, 2019)."""
        optimizer = self.adamw(self.config.learning_rate, self.config.weight_decay)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.config.learning_rate, total_steps=self.n_steps + 1
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def fit_music_head(music: Sequence[ClipFeatures], other: Sequence[ClipFeatures]) -> nn.Linear:
    """Fit a logistic regression that tells music from what is not, both sides of equal weight."""
    from sklearn.linear_model import LogisticRegression

    features = np.concatenate([clip.features for clip in (*music, *other)]).astype(np.float32)
    is_music = np.repeat(
        [True] * len(music) + [False] * len(other), [len(c.features) for c in (*music, *other)]
    )
    mean, std = features.mean(axis=0), features.std(axis=0) + 1e-3
    fitted = LogisticRegression(C=1e-3, class_weight="balanced", max_iter=300)
    fitted.fit((features - mean) / std, is_music)
    weight = fitted.coef_[0] / std
    layer = nn.Linear(len(weight), 1)
    layer.weight.data = torch.tensor(weight[None], dtype=torch.float32)
    bias = float(fitted.intercept_[0] - weight @ mean)
    layer.bias.data = torch.tensor([bias], dtype=torch.float32)
    return layer


@torch.inference_mode()
def style_thresholds(musicnn: Musicnn, heard: Sequence[ClipFeatures]) -> dict[str, float]:
    """Choose for each style the threshold that gives it to as many clips as should have it.

    The network's probabilities were trained on the tags of listeners, so their sum over clips is
    the number of clips that listeners would have tagged; as many of the likeliest get the style.

    Args:
        musicnn: the network.
        heard: clips; only what was heard of them as they are counts.

    """
    clips = [
        torch.from_numpy(clip.features[clip.renditions == 0, -EMBEDDING_SIZE:]).float()
        for clip in heard
    ]
    tags = torch.stack([musicnn.tags(clip).sigmoid().mean(dim=0) for clip in clips])
    thresholds = {}
    for name, index in MUSICNN_STYLES.items():
        ranked = tags[:, index].double().sort(descending=True).values
        expected = min(max(1, round(float(ranked.sum()))), len(ranked) - 1)
        threshold = float(ranked[expected - 1 : expected + 1].mean())
        thresholds[name] = round(min(max(threshold, 0.001), 0.999), 4)
    return thresholds
