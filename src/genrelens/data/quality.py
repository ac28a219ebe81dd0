"""Check a collection of clips: find duplicates and files that are unfit for training."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from genrelens.audio import probe, stream_audio
from genrelens.data.fingerprint import Match, audio_fingerprint, connected, find_matches
from genrelens.data.folders import LabelledClip
from genrelens.errors import AudioError
from genrelens.threads import map_in_threads

__all__ = [
    "ClipIssue",
    "Duplicates",
    "Inspection",
    "divided_duplicates",
    "inspect_clips",
    "ungrouped_duplicates",
]

_SILENT_DB = -60.0  # dBFS of the loudest second
_LOWEST_DB = -120.0  # dBFS of digital silence
_SHORTEST = 1.5  # seconds; fingerprints are compared over 1.3 s
_FULL_SCALE = 0.999  # leaves a margin for codecs
_RUN = 3  # samples; an unclipped wave has at most two consecutive samples at full scale
_CLIPPED_SHARE = 1e-3


class ClipIssue(NamedTuple):
    """A clip with a quality issue and the measured value.

    Attributes:
        clip: the clip.
        value: level in dBFS, share of clipped samples, or length in seconds.

    Example::

        for issue in inspect_clips(clips).silent:
            print(issue.clip.path, f"{issue.value:.0f} dBFS")

    """

    clip: LabelledClip
    value: float


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Clips that share audio, directly or through other clips. A split must not divide them.

    Attributes:
        clips: at least two clips, in the given order.
        kind: ``"exact"`` if all have the same samples, in any file format; else ``"near"``.
        similarity: share of equal fingerprint bits between the least similar clip and the clip in
            the group that resembles it most: 1 for equal audio, 0.5 by chance.
        seconds: length of the audio that these two clips share, in seconds.

    Example::

        for group in inspect_clips(clips).duplicates:
            print(group.kind, *group.paths)

    """

    clips: tuple[LabelledClip, ...]
    kind: Literal["exact", "near"]
    similarity: float
    seconds: float

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths of the clips."""
        return tuple(clip.path for clip in self.clips)

    @property
    def labels(self) -> frozenset[str]:
        """Labels of the clips; more than one label is a contradiction."""
        return frozenset(clip.label for clip in self.clips)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with part and group if they are known."""
        return {
            "kind": self.kind,
            "similarity": self.similarity,
            "seconds": self.seconds,
            "clips": [
                {"path": str(clip.path), "label": clip.label}
                | {key: getattr(clip, key) for key in ("part", "group") if getattr(clip, key)}
                for clip in self.clips
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Result of :func:`inspect_clips`.

    Attributes:
        n: number of clips.
        unreadable: the error of each clip that cannot be read.
        silent: clips whose loudest second is below -60 dBFS, with the level of this second.
        clipped: clips with more than 0.1 % clipped samples, with the share of these samples. A
            sample is clipped if it and the two before it are at full scale. Channels are averaged
            first, so clipping of a single channel is not found.
        short: clips shorter than 1.5 s, with their length; they are too short to compare.
        duplicates: groups of clips that share audio. Silent clips are in no group.

    Example::

        found = inspect_clips(clips)
        print(len(found.unreadable), "of", found.n, "clips cannot be read")

    """

    n: int
    unreadable: tuple[AudioError, ...]
    silent: tuple[ClipIssue, ...]
    clipped: tuple[ClipIssue, ...]
    short: tuple[ClipIssue, ...]
    duplicates: tuple[Duplicates, ...]

    @property
    def contradictions(self) -> tuple[Duplicates, ...]:
        """Duplicates with different labels."""
        return tuple(group for group in self.duplicates if len(group.labels) > 1)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""

        def rows(issues: Iterable[ClipIssue], key: str) -> list[dict[str, Any]]:
            return [{"path": str(issue.clip.path), key: issue.value} for issue in issues]

        return {
            "n": self.n,
            "unreadable": [{"path": bad.source, "error": str(bad)} for bad in self.unreadable],
            "silent": rows(self.silent, "level_db"),
            "clipped": rows(self.clipped, "share"),
            "short": rows(self.short, "seconds"),
            "duplicates": [group.to_dict() for group in self.duplicates],
            "contradictions": [group.to_dict() for group in self.contradictions],
        }


def inspect_clips(
    clips: Sequence[LabelledClip],
    *,
    jobs: int = 1,
    on_clip: Callable[[LabelledClip, AudioError | None], None] = lambda clip, error: None,
) -> Inspection:
    """Find duplicates and unreadable, silent, clipped and short clips.

    Each clip is decoded once, in memory that does not grow with its length.

    Args:
        clips: labelled files, with or without part.
        jobs: number of files to read at once.
        on_clip: called for each clip, in order, with its error if it cannot be read.

    Example::

        found = inspect_clips(read_folder(Path("clips")), jobs=4)
        [group.paths for group in found.duplicates]

    """
    measured: list[_Measured] = []
    unreadable: list[AudioError] = []
    for clip, result in map_in_threads(_measure, clips, jobs=jobs):
        if isinstance(result, AudioError):
            unreadable.append(result)
            on_clip(clip, result)
        else:
            measured.append(result)
            on_clip(clip, None)
    return Inspection(
        n=len(clips),
        unreadable=tuple(unreadable),
        silent=tuple(ClipIssue(it.clip, it.level_db) for it in measured if it.silent),
        clipped=tuple(
            ClipIssue(it.clip, it.clipped) for it in measured if it.clipped > _CLIPPED_SHARE
        ),
        short=tuple(ClipIssue(it.clip, it.seconds) for it in measured if it.seconds < _SHORTEST),
        duplicates=tuple(_duplicates([it for it in measured if not it.silent])),
    )


def divided_duplicates(
    inspection: Inspection, clips: Iterable[LabelledClip]
) -> tuple[Duplicates, ...]:
    """Return the groups of duplicates that a split divides.

    Args:
        inspection: result of :func:`inspect_clips` for the same files.
        clips: clips with their parts; clips that are missing here or have no part are ignored.

    Returns:
        The divided groups of duplicates; their clips have their parts and groups.

    Example::

        found = inspect_clips(clips)
        divided = divided_duplicates(found, random_split(clips))

    """
    return tuple(
        group
        for group in _with_parts(inspection, clips)
        if len({it.part for it in group.clips}) > 1
    )


def ungrouped_duplicates(
    inspection: Inspection, clips: Iterable[LabelledClip]
) -> tuple[Duplicates, ...]:
    """Return the duplicates with different groups (artists); a split by group can divide them.

    Args:
        inspection: result of :func:`inspect_clips` for the same files.
        clips: clips with their parts; clips that are missing here or have no part are ignored.

    Returns:
        The groups of duplicates; their clips have their parts and groups.

    Example::

        found = inspect_clips(clips)
        suspicious = ungrouped_duplicates(found, next(iter(grouped_folds(clips, 5))))

    """
    return tuple(
        group
        for group in _with_parts(inspection, clips)
        if len({it.group for it in group.clips} - {None}) > 1
    )


def _with_parts(inspection: Inspection, clips: Iterable[LabelledClip]) -> Iterator[Duplicates]:
    known = {clip.path: clip for clip in clips if clip.part is not None}
    for group in inspection.duplicates:
        found = tuple(known[path] for path in group.paths if path in known)
        if len(found) > 1:
            yield replace(group, clips=found)


# ------------------------------------------------------------------------------ measuring


class _Measured:
    """Measurements of a clip, made while it is decoded."""

    def __init__(self, clip: LabelledClip, sample_rate: int) -> None:
        self.clip = clip
        self.sample_rate = sample_rate
        self.n_samples = 0
        self.n_clipped = 0
        self.loudest = 0.0  # mean square of the loudest second
        self.print = np.empty(0, np.uint32)
        self.digest = ""

    @property
    def seconds(self) -> float:
        return self.n_samples / self.sample_rate

    @property
    def clipped(self) -> float:
        return self.n_clipped / self.n_samples

    @property
    def level_db(self) -> float:
        return 10 * math.log10(max(self.loudest, 10 ** (_LOWEST_DB / 10)))

    @property
    def silent(self) -> bool:
        return self.level_db < _SILENT_DB

    def measure(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Measure blocks of one second and yield them."""
        content = hashlib.blake2b(str(self.sample_rate).encode(), digest_size=16)
        before = np.zeros(_RUN - 1, bool)
        for block in blocks:
            content.update((block + np.float32(0)).tobytes())  # -0.0 is 0.0
            at_full_scale = np.concatenate([before, np.abs(block) >= _FULL_SCALE])
            before = at_full_scale[1 - _RUN :]
            self.n_clipped += int(sliding_window_view(at_full_scale, _RUN).all(axis=1).sum())
            self.n_samples += len(block)
            self.loudest = max(self.loudest, float(np.square(block, dtype=np.float64).mean()))
            yield block
        self.digest = content.hexdigest()


def _measure(clip: LabelledClip) -> _Measured | AudioError:
    try:
        measured = _Measured(clip, probe(clip.path).sample_rate)
        blocks = stream_audio(clip.path, sample_rate=measured.sample_rate, block_seconds=1.0)
        measured.print = audio_fingerprint(
            measured.measure(blocks), sample_rate=measured.sample_rate
        )
    except AudioError as error:
        return error
    except Exception as error:  # one clip of ten thousand must not end the run
        return AudioError(str(clip.path), f"cannot be read ({type(error).__name__}: {error})")
    return measured


# ----------------------------------------------------------------------------- duplicates


def _duplicates(measured: Sequence[_Measured]) -> Iterator[Duplicates]:
    """Group the clips with equal samples and those with matching fingerprints."""
    same: defaultdict[str, list[int]] = defaultdict(list)
    for index, it in enumerate(measured):
        same[it.digest].append(index)
    unique = [indices[0] for indices in same.values()]
    matches = [
        match._replace(first=unique[match.first], second=unique[match.second])
        for match in find_matches([measured[index].print for index in unique])
    ]
    links = [pair for indices in same.values() for pair in pairwise(indices)]
    links += [(match.first, match.second) for match in matches]
    for members in connected(len(measured), links):
        clips = tuple(measured[index].clip for index in members)
        inside = [match for match in matches if match.first in members]
        yield _group(clips, inside, measured[members[0]].seconds)


def _group(clips: tuple[LabelledClip, ...], matches: list[Match], seconds: float) -> Duplicates:
    if not matches:
        return Duplicates(clips, "exact", 1.0, seconds)
    best: dict[int, Match] = {}
    for match in sorted(matches, key=lambda match: match.similarity):
        best[match.first] = best[match.second] = match
    least = min(best.values(), key=lambda match: match.similarity)
    return Duplicates(clips, "near", least.similarity, least.seconds)
