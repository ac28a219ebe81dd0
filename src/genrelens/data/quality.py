"""What is wrong with a collection of clips: duplicates, and files that no one should learn from."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from genrelens.audio import probe, stream_audio
from genrelens.data.fingerprint import Match, connected, find_matches, fingerprint
from genrelens.data.folders import LabelledClip
from genrelens.errors import AudioError
from genrelens.threads import map_in_threads

__all__ = [
    "ClipIssue",
    "Duplicates",
    "Inspection",
    "inspect",
    "torn_duplicates",
    "ungrouped_duplicates",
]

_SILENT_DB = -60.0  # of the loudest second
_LOWEST_DB = -120.0  # stands for digital silence
_SHORTEST = 1.5  # seconds; a fingerprint is compared over 1.3 s
_RAIL = 0.999  # full scale, give or take what a codec adds
_RUN = 3  # a wave that is not clipped touches full scale with a sample or two
_CLIPPED_SHARE = 1e-3


@dataclass(frozen=True, slots=True)
class ClipIssue:
    """A clip that something is wrong with.

    Attributes:
        clip: which.
        value: how much: the level in dBFS, the share of clipped samples, or the seconds.

    """

    clip: LabelledClip
    value: float


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Clips that share sound, directly or through others; a split must keep them together.

    Attributes:
        clips: at least two, in the order they were given.
        kind: ``"exact"`` where all hold the same samples, in whatever file format, else ``"near"``.
        similarity: of the clip that is least like any other here, the share of the fingerprint's
            bits that agree with the most similar one: 1 for the same, 0.5 by chance.
        seconds: how much these two share.

    """

    clips: tuple[LabelledClip, ...]
    kind: Literal["exact", "near"]
    similarity: float
    seconds: float

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return tuple(clip.path for clip in self.clips)

    @property
    def labels(self) -> frozenset[str]:
        """What they are labelled; more than one label is a contradiction."""
        return frozenset(clip.label for clip in self.clips)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; part and group only where they are known."""
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
    """What :func:`inspect` found.

    Attributes:
        n: number of clips that were looked at.
        unreadable: the error of each clip that cannot be read.
        silent: clips whose loudest second is below -60 dBFS, with that level.
        clipped: clips of whose samples more than 0.1 % end a run of three or more at full scale,
            with that share. Channels are averaged first: what only one channel clips is not seen.
        short: clips below 1.5 s, with their length; too short to be compared.
        duplicates: groups of clips that share sound; silent ones are in none.

    """

    n: int
    unreadable: tuple[AudioError, ...]
    silent: tuple[ClipIssue, ...]
    clipped: tuple[ClipIssue, ...]
    short: tuple[ClipIssue, ...]
    duplicates: tuple[Duplicates, ...]

    @property
    def contradictions(self) -> tuple[Duplicates, ...]:
        """Duplicates that carry different labels."""
        return tuple(group for group in self.duplicates if len(group.labels) > 1)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""

        def rows(findings: Iterable[ClipIssue], key: str) -> list[dict[str, Any]]:
            return [{"path": str(found.clip.path), key: found.value} for found in findings]

        return {
            "n": self.n,
            "unreadable": [{"path": bad.source, "error": str(bad)} for bad in self.unreadable],
            "silent": rows(self.silent, "level_db"),
            "clipped": rows(self.clipped, "share"),
            "short": rows(self.short, "seconds"),
            "duplicates": [group.to_dict() for group in self.duplicates],
            "contradictions": [group.to_dict() for group in self.contradictions],
        }


def inspect(
    clips: Sequence[LabelledClip],
    *,
    jobs: int = 1,
    on_clip: Callable[[LabelledClip, AudioError | None], None] = lambda clip, error: None,
) -> Inspection:
    """Look for duplicates and for clips that cannot be used.

    Each clip is decoded once, in memory that does not grow with its length.

    Args:
        clips: labelled files; they need no part of a split yet.
        jobs: how many files at once.
        on_clip: called for each clip, in order, with the error of one that cannot be read.

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


def torn_duplicates(
    inspection: Inspection, clips: Iterable[LabelledClip]
) -> tuple[Duplicates, ...]:
    """Find the duplicates that lie in more than one part of a split.

    Args:
        inspection: of the same files, before or after they were split.
        clips: the files with their parts; a clip that is absent here or has no part is ignored.

    Returns:
        The torn groups, their clips with part and group.

    """
    return tuple(
        group for group in _placed(inspection, clips) if len({it.part for it in group.clips}) > 1
    )


def ungrouped_duplicates(
    inspection: Inspection, clips: Iterable[LabelledClip]
) -> tuple[Duplicates, ...]:
    """Find the duplicates that a split by group may tear, for their groups (artists) differ.

    Arguments and result are those of :func:`torn_duplicates`.
    """
    return tuple(
        group
        for group in _placed(inspection, clips)
        if len({it.group for it in group.clips} - {None}) > 1
    )


def _placed(inspection: Inspection, clips: Iterable[LabelledClip]) -> Iterator[Duplicates]:
    places = {clip.path: clip for clip in clips if clip.part is not None}
    for group in inspection.duplicates:
        found = tuple(places[path] for path in group.paths if path in places)
        if len(found) > 1:
            yield replace(group, clips=found)


# ------------------------------------------------------------------------------ measuring


@dataclass(slots=True)
class _Measured:
    """What is gathered of a clip while it streams by."""

    clip: LabelledClip
    sample_rate: int
    n_samples: int = 0
    n_clipped: int = 0
    loudest: float = 0.0  # mean square of the loudest second
    print: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    digest: str = ""

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

    def listen(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """Pass blocks of a second on, and measure them."""
        content = hashlib.blake2b(str(self.sample_rate).encode(), digest_size=16)
        before = np.zeros(_RUN - 1, bool)
        for block in blocks:
            content.update((block + np.float32(0)).tobytes())  # -0.0 is 0.0
            at_rail = np.concatenate([before, np.abs(block) >= _RAIL])
            before = at_rail[1 - _RUN :]
            self.n_clipped += int(sliding_window_view(at_rail, _RUN).all(axis=1).sum())
            self.n_samples += len(block)
            self.loudest = max(self.loudest, float(np.square(block, dtype=np.float64).mean()))
            yield block
        self.digest = content.hexdigest()


def _measure(clip: LabelledClip) -> _Measured | AudioError:
    try:
        measured = _Measured(clip, probe(clip.path).sample_rate)
        blocks = stream_audio(clip.path, sample_rate=measured.sample_rate, block_seconds=1.0)
        measured.print = fingerprint(measured.listen(blocks), sample_rate=measured.sample_rate)
    except AudioError as error:
        return error
    except Exception as error:  # one clip of ten thousand must not end the run
        return AudioError(str(clip.path), f"cannot be read ({type(error).__name__}: {error})")
    return measured


# ----------------------------------------------------------------------------- duplicates


def _duplicates(measured: Sequence[_Measured]) -> Iterator[Duplicates]:
    """Join clips of the same content and clips whose fingerprints match to groups."""
    same: defaultdict[str, list[int]] = defaultdict(list)
    for index, it in enumerate(measured):
        same[it.digest].append(index)
    unique = [indices[0] for indices in same.values()]
    matches = [
        replace(match, first=unique[match.first], second=unique[match.second])
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
