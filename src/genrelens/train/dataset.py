"""Clips as tensors: segments for the segment network, whole clips for validation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from genrelens.data.folders import LabelledClip
from genrelens.errors import AudioError, DataError
from genrelens.features import FeatureConfig, segment_starts, segment_weights
from genrelens.threads import map_in_threads
from genrelens.train.cache import FeatureCache, file_digest

__all__ = [
    "ClipDataset",
    "SegmentDataset",
    "TrainingClip",
    "class_weights",
    "load_clips",
    "split_fingerprint",
]


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """A clip ready to train on.

    Attributes:
        clip: the file and its label.
        target: index of the label.
        frames: features of the whole clip, (n_frames, n_bins) float32, at least one segment long.
        digest: SHA-256 of the file's content, 64 hexadecimal digits.

    """

    clip: LabelledClip
    target: int
    frames: NDArray[np.float32]
    digest: str


def load_clips(
    clips: Sequence[LabelledClip],
    labels: Sequence[str],
    cache: FeatureCache,
    *,
    on_clip: Callable[[LabelledClip, AudioError | None], None] = lambda clip, error: None,
) -> list[TrainingClip]:
    """Compute or fetch the features of clips.

    Args:
        clips: the files.
        labels: every class, in the order of the logits.
        cache: where features are kept.
        on_clip: called for each clip, in order, with the error of one that cannot be read.

    Returns:
        The readable clips, in order.

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
    """Return 16 hexadecimal digits that name clips by content, label and part.

    They tell whether a run is the one that is to be resumed. A data set is named by
    :func:`genrelens.evaluation.provenance.data_fingerprint`.
    """
    rows = sorted(f"{clip.digest[:32]} {clip.clip.label} {clip.clip.part}" for clip in clips)
    text = "\n".join(rows).encode(errors="surrogateescape")  # a folder's name may be no text
    return hashlib.sha256(text).hexdigest()[:16]


def class_weights(clips: Sequence[TrainingClip], labels: Sequence[str]) -> Tensor:
    """Weights (n_classes,) inverse to the number of clips, with mean 1 over the clips.

    Raises:
        DataError: a class has no clip.

    """
    counts = Counter(clip.target for clip in clips)
    absent = [label for index, label in enumerate(labels) if not counts[index]]
    if absent:
        raise DataError(f"there is no readable clip to train on for {', '.join(absent)}")
    return torch.tensor([len(clips) / (len(labels) * counts[i]) for i in range(len(labels))])


class SegmentDataset(Dataset[tuple[Tensor, int]]):
    """Single segments and the label of their clip.

    Args:
        clips: whole clips; all segments of one are on the same side of any split.
        config: says how long a segment is.
        crops_per_clip: random segments of each clip in an epoch; 0 takes each of its
            consecutive segments once.

    """

    def __init__(
        self, clips: Sequence[TrainingClip], config: FeatureConfig, crops_per_clip: int
    ) -> None:
        self._clips = list(clips)
        self._config = config
        self._places: list[tuple[int, int | None]] = []
        for index, clip in enumerate(self._clips):
            if crops_per_clip:
                self._places += [(index, None)] * crops_per_clip
            else:
                self._places += [(index, int(i)) for i in segment_starts(len(clip.frames), config)]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return a segment (t, b) and its class."""
        which, start = self._places[index]
        clip = self._clips[which]
        if start is None:
            choices = len(clip.frames) - self._config.segment_frames + 1
            start = int(torch.randint(choices, ()))
        frames = clip.frames[start : start + self._config.segment_frames]
        return torch.from_numpy(np.array(frames)), clip.target


class ClipDataset(Dataset[tuple[Tensor, int]]):
    """Whole clips as their consecutive segments, as a classifier hears them."""

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
        """Return the segments (n, t, b) of a clip from frame ``offset`` on, at least one."""
        frames = self._clips[index].frames
        offset = min(offset, len(frames) - self._config.segment_frames)
        windows = sliding_window_view(frames[offset:], self._config.segment_frames, axis=0)
        segments = windows[segment_starts(len(frames) - offset, self._config)].transpose(0, 2, 1)
        return torch.from_numpy(np.array(segments))  # a copy: the cache is read-only

    def weights(self, index: int) -> Tensor:
        """Return what each segment of a clip adds to those before, (n,) float32."""
        starts = segment_starts(len(self._clips[index].frames), self._config)
        return torch.from_numpy(segment_weights(starts, self._config)).float()
