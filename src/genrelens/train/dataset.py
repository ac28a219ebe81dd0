"""Torch datasets: segments for training, whole clips for validation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from genrelens.data.folders import LabelledClip
from genrelens.errors import AudioError, DataError
from genrelens.features import FeatureConfig, segment_starts
from genrelens.threads import map_in_threads
from genrelens.train.cache import AudioCheck, FeatureCache, file_digest

__all__ = [
    "ClipDataset",
    "SegmentDataset",
    "TrainingClip",
    "class_weights",
    "draw_weights",
    "load_clips",
    "split_fingerprint",
]


Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """A clip ready to train on.

    Attributes:
        clip: path, label and part.
        target: index of the label.
        frames: features of the whole clip, (n_frames, n_bins) float32, at least as long as one
            segment; (0, 0) for a training that does not use them.
        digest: SHA-256 of the file's content, 64 hexadecimal digits.

    """

    clip: LabelledClip
    target: int
    frames: NDArray[np.float32]
    digest: str


def load_clips(
    clips: Sequence[LabelledClip],
    labels: Sequence[str],
    cache: FeatureCache | AudioCheck,
    *,
    on_clip: Callable[[LabelledClip, AudioError | None], None] = lambda clip, error: None,
) -> list[TrainingClip]:
    """Load clips with their features, from the cache where possible.

    Args:
        clips: the clips.
        labels: all classes, in the order of the logits.
        cache: the cache of features; an ``AudioCheck`` for clips without frames.
        on_clip: called for each clip, in order, with its error if it cannot be read.

    Returns:
        The clips that can be read, in order.

    Raises:
        DataError: the cache cannot be written.

    """

    def load(clip: LabelledClip) -> TrainingClip | AudioError:
        try:
            digest = file_digest(clip.path)
            frames = cache.load(clip.path, digest)
        except AudioError as error:
            return error
        return TrainingClip(clip, labels.index(clip.label), frames, digest)

    loaded: list[TrainingClip] = []
    with closing(map_in_threads(load, clips)) as results:
        for clip, result in results:
            if isinstance(result, AudioError):
                on_clip(clip, result)
            else:
                on_clip(clip, None)
                loaded.append(result)
    return loaded


def split_fingerprint(clips: Sequence[TrainingClip]) -> str:
    """Return 16 hexadecimal digits that identify clips by content, label, part and source.

    A run stores this fingerprint, so that it is resumed only with the same clips. Data sets are
    identified by :func:`genrelens.evaluation.provenance.data_fingerprint` instead.
    """
    rows = sorted(
        f"{clip.digest[:32]} {clip.clip.label} {clip.clip.part}"
        + (f" {clip.clip.source}" if clip.clip.source else "")
        for clip in clips
    )
    text = "\n".join(rows).encode(errors="surrogateescape")  # folder names may be invalid UTF-8
    return hashlib.sha256(text).hexdigest()[:16]


def class_weights(clips: Sequence[TrainingClip], labels: Sequence[str]) -> Tensor:
    """Return class weights (n_classes,), inverse to the number of clips, with mean 1 over clips.

    Raises:
        DataError: a class has no clip.

    """
    counts = Counter(clip.target for clip in clips)
    absent = [label for index, label in enumerate(labels) if not counts[index]]
    if absent:
        raise DataError(f"there is no readable clip to train on for {', '.join(absent)}")
    return torch.tensor([len(clips) / (len(labels) * counts[i]) for i in range(len(labels))])


def draw_weights(clips: Sequence[TrainingClip], data_weights: Sequence[float]) -> Float64:
    """Return the relative weight of each clip in the draw, (n_clips,), by its folder.

    Args:
        clips: the clips.
        data_weights: weight of the clips of each source, see
            :class:`~genrelens.train.recipe.HeadConfig`; empty for equal weights.

    """
    weights = np.asarray(data_weights, np.float64)
    sources = [clip.clip.source for clip in clips]
    return weights[sources] if len(weights) else np.ones(len(clips))


class SegmentDataset(Dataset[tuple[Tensor, int]]):
    """Single segments with the class of their clip.

    :meth:`loader` fetches the segments of a batch together, which is several times faster than one
    by one.

    Args:
        clips: whole clips of one part of a split; a clip never has segments in two parts.
        config: the front end, with the length of a segment.
        crops_per_clip: number of random segments per clip and epoch; 0 uses each of the
            consecutive segments once.

    """

    def __init__(
        self, clips: Sequence[TrainingClip], config: FeatureConfig, crops_per_clip: int
    ) -> None:
        self._length = config.segment_frames
        self._random = crops_per_clip > 0
        self._frames = [np.asarray(clip.frames) for clip in clips]  # slices of a memmap are slow
        self._classes = torch.tensor([clip.target for clip in clips])
        sizes = np.array([len(frames) for frames in self._frames])
        self._choices = sizes - self._length + 1  # first frames of segments of each clip
        starts = [
            np.zeros(crops_per_clip, np.int64) if self._random else segment_starts(size, config)
            for size in sizes.tolist()
        ]
        self._starts = np.concatenate(starts)  # first frame of each item
        self._clips = np.repeat(np.arange(len(starts)), [len(each) for each in starts])

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return a segment (t, b) and its class."""
        segments, classes = self.__getitems__([index])
        return segments[0], int(classes[0])

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return segments (n, t, b) and their classes (n,)."""
        clips, starts = self._clips[indices], self._starts[indices]
        if self._random:
            draws = torch.rand(len(clips), dtype=torch.float64).numpy()
            starts = (draws * self._choices[clips]).astype(np.int64)
        positions = zip(clips.tolist(), starts.tolist(), strict=True)
        segments = np.stack([self._frames[i][k : k + self._length] for i, k in positions])
        return torch.from_numpy(segments), self._classes[clips]

    def loader(self, batch_size: int) -> DataLoader[Any]:
        """Return a loader of shuffled batches; only a single batch may be incomplete."""
        drop_last = len(self) >= batch_size
        return DataLoader(
            self, batch_size, shuffle=True, drop_last=drop_last, collate_fn=_unchanged
        )


def _unchanged(batch: Any) -> Any:
    return batch  # a function of the module, because processes of DDP pickle the loader


class ClipDataset(Dataset[tuple[Tensor, int]]):
    """Whole clips as consecutive segments, cut as in the classifier."""

    def __init__(self, clips: Sequence[TrainingClip], config: FeatureConfig) -> None:
        self._clips = list(clips)
        self._config = config

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return all segments of a clip (n, t, b) and its class."""
        clip = self._clips[index]
        return self.segments(index, offset=0), clip.target

    def segments(self, index: int, *, offset: int) -> Tensor:
        """Return the segments (n, t, b) of a clip from frame ``offset`` on, n >= 1."""
        frames = self._clips[index].frames
        offset = min(offset, len(frames) - self._config.segment_frames)
        windows = sliding_window_view(frames[offset:], self._config.segment_frames, axis=0)
        segments = windows[segment_starts(len(frames) - offset, self._config)].transpose(0, 2, 1)
        return torch.from_numpy(np.array(segments))  # a copy: the cache is read-only
