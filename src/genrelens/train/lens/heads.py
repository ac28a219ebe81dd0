"""The model ``lens``: heads on the frozen ``musicnn`` for genres, styles, and music or not.

Shapes: ``n`` segments, ``t`` frames, ``b`` bands, ``d`` features of the frozen network, ``c``
classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from genrelens.train.augment import mixup
from genrelens.train.lens.embeddings import ClipFeatures, frozen_features
from genrelens.train.lens.musicnn import EMBEDDING_SIZE, Musicnn
from genrelens.train.original.networks import MeanOverSegments, NetworkOutputs
from genrelens.train.recipe import HeadConfig
from genrelens.train.trainer import NetworkModule

__all__ = [
    "MUSICNN_STYLES",
    "GenreHead",
    "HeadBatches",
    "HeadModule",
    "Lens",
    "fit_music_head",
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
"""The genres among the 50 tags of ``MSD_musicnn``, with their indices in its output."""

Float64 = NDArray[np.float64]


class GenreHead(nn.Module):
    """A head from features to genres; its weights include the normalisation of the features.

    Args:
        mean: mean of each feature, (d,).
        std: standard deviation of each feature, (d,).
        n_classes: number of genres.
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

    def forward(self, features: Tensor) -> Tensor:
        """Return genre logits: (n, d) -> (n, c)."""
        x = self.input_dropout((features - self.mean) / self.std)
        return self.output(self.dropout(torch.relu(self.hidden(x))))  # type: ignore[no-any-return]


class Lens(nn.Module):
    """The frozen network with all heads; it computes the outputs of the model for a clip.

    Args:
        musicnn: the frozen network.
        genres: head from features to genre logits, (n, d) -> (n, c).
        music: head from features to the logit of music, (n, d) -> (n, 1), or None.

    """

    styles: Tensor

    def __init__(self, musicnn: Musicnn, genres: GenreHead, music: nn.Module | None) -> None:
        super().__init__()
        self.musicnn = musicnn
        self.genres = genres
        self.music = music
        self.aggregator = MeanOverSegments()
        self.register_buffer("styles", torch.tensor(list(MUSICNN_STYLES.values())))

    def forward(self, segments: Tensor) -> NetworkOutputs:
        """Compute all outputs for the segments (n, t, b) of a clip."""
        features = frozen_features(self.musicnn, segments)  # (n, d)
        embeddings = features[:, -EMBEDDING_SIZE:]
        segment_logits = self.genres(features)  # (n, c)
        return NetworkOutputs(
            clip_logits=self.aggregator(segment_logits.unsqueeze(0)).squeeze(0),
            segment_logits=segment_logits,
            embeddings=embeddings,
            style_logits=self.musicnn.tags(embeddings).index_select(1, self.styles),
            music_logits=None if self.music is None else self.music(features).squeeze(1),
        )


# ----------------------------------------------------------------------------- training


class HeadBatches:
    """Batches of segments drawn at random; iterate over it once per epoch.

    The probability of a class is proportional to its number of clips to the power of 0.3: large
    classes are drawn more often, but not in proportion to their size. The clips of a class, and the
    segments of a clip, are equally probable.

    Args:
        clips: features of the clips.
        targets: class of each clip.
        batch_size: segments per batch.
        clip_weights: relative weight of each clip in the draw, (n_clips,); None for equal weights.

    Attributes:
        features: (n, d) float16.
        classes: (n,) int64.
        weights: weight of each segment in the draw, (n,).

    """

    def __init__(
        self,
        clips: Sequence[ClipFeatures],
        targets: Sequence[int],
        batch_size: int,
        clip_weights: Float64 | None = None,
    ) -> None:
        sizes = np.array([len(clip.features) for clip in clips])
        classes = np.repeat(np.asarray(targets), sizes)
        weights = 1 / np.repeat(sizes, sizes) / np.bincount(targets)[classes] ** 0.7
        if clip_weights is not None:
            weights *= np.repeat(clip_weights, sizes)
        self.features = torch.from_numpy(np.concatenate([clip.features for clip in clips]))
        self.classes = torch.from_numpy(classes)
        self.weights = torch.from_numpy(weights)
        self._batch_size = batch_size

    def __len__(self) -> int:
        return max(1, len(self.classes) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(len(self)):
            drawn = torch.multinomial(self.weights, self._batch_size, replacement=True)
            yield self.features[drawn].float(), self.classes[drawn]

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each feature, (d,) float32 each."""
        std, mean = torch.std_mean(self.features.float(), dim=0)
        return mean, std + 1e-3


class HeadModule(NetworkModule):
    """Train a genre head.

    Args:
        network: the head.
        config: settings of the recipe.
        n_classes: number of genres.
        n_steps: number of steps of the whole training.

    """

    def __init__(
        self, network: GenreHead, config: HeadConfig, *, n_classes: int, n_steps: int
    ) -> None:
        super().__init__(network, None)
        self.config = config
        self.n_classes = n_classes
        self.n_steps = n_steps

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the loss of a batch of features (n, d) with classes (n,)."""
        features, classes = batch
        targets = one_hot(classes, self.n_classes).to(features.dtype)
        if self.config.mixup:
            features, targets = mixup(features, targets, self.config.mixup)
        logits = self.network(features)
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


def fit_music_head(music: Sequence[ClipFeatures], other: Sequence[ClipFeatures]) -> nn.Linear:
    """Fit a logistic regression that separates music from other sounds, both of equal weight.

    Args:
        music: recordings of music.
        other: recordings of anything else.

    Returns:
        A layer from features (n, d) to the logit of music (n, 1).

    """
    from sklearn.linear_model import LogisticRegression

    features = np.concatenate([clip.features for clip in (*music, *other)]).astype(np.float32)
    sizes = [len(clip.features) for clip in (*music, *other)]
    is_music = np.repeat([True] * len(music) + [False] * len(other), sizes)
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
    for name, index in MUSICNN_STYLES.items():
        ranked = tags[:, index].double().sort(descending=True).values
        expected = min(max(1, round(float(ranked.sum()))), len(ranked) - 1)
        threshold = float(ranked[expected - 1 : expected + 1].mean())
        thresholds[name] = round(min(max(threshold, 0.001), 0.999), 4)
    return thresholds
