"""Sets of segments for training the set head: whole clips, runs of segments, augmented copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrelens.data.folders import LabelledClip, original_clip
from genrelens.set_head import describe
from genrelens.train.lens.embeddings import ClipFeatures
from genrelens.train.recipe import HeadConfig

__all__ = [
    "JointClasses",
    "SetBatches",
    "Sets",
    "clip_weights",
    "draw_sets",
    "is_microphone",
    "joint_classes",
]

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]
Rng = np.random.Generator


def is_microphone(clip: LabelledClip) -> bool:
    """Return whether the name of a clip is that of a microphone recording of another clip."""
    return original_clip(clip.path.stem) is not None


# ------------------------------------------------------------------------ joint classes


@dataclass(frozen=True, eq=False)
class JointClasses:
    """The classes that the set head is trained on: pairs of a folder of data and a genre in it.

    The probability of a genre is the sum over its classes. A genre is therefore not forced into
    one class if two collections use its name for different music.

    Attributes:
        names: index of the folder of data and name of the genre before relabelling.
        genres: index of the genre of each class, (k,).
        targets: class of each clip, (n_clips,).

    """

    names: tuple[tuple[int, str], ...]
    genres: Ints
    targets: Ints

    def membership(self, n_genres: int) -> Tensor:
        """Return 1 where a class belongs to a genre, else 0, (k, n_genres)."""
        return torch.eye(n_genres)[torch.from_numpy(self.genres)]

    def penalties(self, of_sources: Sequence[float]) -> Tensor:
        """Return the penalty of each class, (k,)."""
        values = [
            of_sources[source] if source < len(of_sources) else 0.0 for source, _ in self.names
        ]
        return torch.tensor(values, dtype=torch.float32)


def joint_classes(clips: Sequence[LabelledClip], labels: Sequence[str]) -> JointClasses:
    """Build the joint classes of clips.

    A microphone recording has the first class of its genre.

    Args:
        clips: the training clips.
        labels: all genres.

    """
    names = dict.fromkeys((c.source, c.folder) for c in clips if not is_microphone(c))
    genre_of = {(clip.source, clip.folder): clip.label for clip in clips}
    ordered = sorted(names)
    first: dict[str, tuple[int, str]] = {}
    for name in ordered:
        first.setdefault(genre_of[name], name)
    for clip in clips:
        if is_microphone(clip) and clip.label not in first:
            first[clip.label] = (clip.source, clip.folder)
            ordered.append(first[clip.label])
    keys = [first[c.label] if is_microphone(c) else (c.source, c.folder) for c in clips]
    return JointClasses(
        names=tuple(ordered),
        genres=np.array([labels.index(genre_of[name]) for name in ordered]),
        targets=np.array([ordered.index(key) for key in keys]),
    )


# --------------------------------------------------------------------------------- sets


class Sets(NamedTuple):
    """Sets of segments, described by the statistics of their features."""

    rows: Float16  # (m, 2 d + 1), see genrelens.set_head.describe
    clips: Ints  # (m,): index of the clip
    copies: Ints  # (m,): number of the copy; 0 is the clip itself
    snr: Float32  # (m,): signal-to-noise ratio in dB; infinity without noise
    whole: NDArray[np.bool_]  # (m,): the whole clip or copy, in windows

    def select(self, kept: NDArray[np.bool_]) -> Sets:
        """Return the sets for which ``kept``, (m,), is true."""
        return Sets(
            self.rows[kept], self.clips[kept], self.copies[kept], self.snr[kept], self.whole[kept]
        )


def draw_sets(
    clips: Sequence[ClipFeatures], lengths: Sequence[int], rng: Rng, *, most: int
) -> Sets:
    """Draw sets from clips and their copies.

    Each clip and each copy is one set, or several if it has more than ``most`` segments. A clip
    adds a random run of each length that is shorter than the clip, and a copy adds one random
    segment.

    Args:
        clips: features of the clips.
        lengths: number of segments of each run.
        rng: source of the random numbers.
        most: largest number of segments in a set.

    """
    found = []
    for index, clip in enumerate(clips):
        for copy in np.unique(clip.copies):
            of_copy = np.flatnonzero(clip.copies == copy)
            features = clip.features[of_copy].astype(np.float32)
            n = len(features)
            runs = [(part, True) for part in np.array_split(np.arange(n), -(-n // most))]
            for length in lengths if copy == 0 else (1,):
                if length < n:
                    start = int(rng.integers(n - length + 1))
                    runs.append((np.arange(start, start + length), False))
            for run, whole in runs:
                row = describe(features[run], np.ones(len(run))).astype(np.float16)
                found.append((row, index, int(copy), clip.snr[of_copy[0]], whole))
    rows, of_clips, copies, snr, whole_ = zip(*found, strict=True)
    return Sets(
        np.array(rows), np.array(of_clips), np.array(copies), np.array(snr), np.array(whole_)
    )


def clip_weights(clips: Sequence[LabelledClip], power: float) -> Float64:
    """Return the weight of each clip in the draw, by the number of clips of its genre, (n_clips,).

    Microphone recordings are not included in that number.

    Args:
        clips: the clips.
        power: the probability of a genre is proportional to its number of clips to this power.

    """
    sizes = Counter(clip.label for clip in clips if not is_microphone(clip))
    return np.array([max(1, sizes[clip.label]) ** (power - 1) for clip in clips])


class SetBatches:
    """Batches of sets drawn at random; iterate over it once per epoch.

    The weight of a clip is spread over its sets: ``clean_share`` evenly over those of the clip
    itself, the rest evenly over those of its copies.

    Args:
        sets: the sets.
        targets: class of each clip, (n_clips,).
        weights: weight of each clip in the draw, (n_clips,).
        config: settings of the recipe.

    Attributes:
        rows: (m, 2 d + 1) float16.
        classes: (m,) int64.
        weights: weight of each set in the draw, (m,).

    """

    def __init__(self, sets: Sets, targets: Ints, weights: Float64, config: HeadConfig) -> None:
        self.rows = torch.from_numpy(sets.rows)
        self.classes = torch.from_numpy(targets[sets.clips])
        clean = sets.copies == 0
        shares = np.zeros(len(clean))
        for part, share in ((clean, config.clean_share), (~clean, 1 - config.clean_share)):
            sizes = np.bincount(sets.clips[part], minlength=len(targets))
            shares[part] = share / sizes[sets.clips[part]]
        self.weights = torch.from_numpy(shares * weights[sets.clips])
        self._batch_size = config.batch_size

    def __len__(self) -> int:
        return max(1, len(self.classes) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(len(self)):
            drawn = torch.multinomial(self.weights, self._batch_size, replacement=True)
            yield self.rows[drawn].float(), self.classes[drawn]

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each input, (2 d + 1,) float32 each."""
        n = min(12_000, len(self.classes))
        drawn = torch.multinomial(self.weights, n, replacement=True)
        std, mean = torch.std_mean(self.rows[drawn].float(), dim=0)
        return mean, std + 1e-3
