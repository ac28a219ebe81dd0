"""Protocols: ways to split clips so that figures apply to unseen music.

``published_splits/gtzan-filtered.csv`` is the fault-filtered split of GTZAN (443 train, 197 valid
and 290 test clips) from C. Kereliuk, B. L. Sturm and J. Larsen, "Deep Learning and Music
Adversaries", IEEE Trans. Multimedia 17 (2015). torchaudio contains the same lists.
"""

from __future__ import annotations

import csv
import io
import random
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any, cast

import numpy as np

from genrelens.counts import count_of, plural
from genrelens.data.folders import LabelledClip, Part, label_set, original_clip
from genrelens.data.splits import Split
from genrelens.errors import DataError, MissingExtraError

__all__ = [
    "PROTOCOLS",
    "filtered_split",
    "grouped_folds",
    "grouped_split",
    "random_draws",
    "random_folds",
    "random_split",
    "split_clips",
]

PROTOCOLS = ("random", "grouped", "filtered")

_SEGMENT_NAME = re.compile(r"(.+[._-]\d+)[._-]\d+")  # blues.00000.3, of blues.00000


def random_folds(clips: Sequence[LabelledClip], n_folds: int, *, seed: int = 0) -> Split:
    """Split whole clips at random into folds in which the genres have the same shares.

    Each fold is the test part of one round.

    Args:
        clips: the clips.
        n_folds: number of folds, at least 2.
        seed: seed of the draw.

    Raises:
        DataError: a genre has fewer clips than there are folds, or the files are segments.
        MissingExtraError: scikit-learn is not installed.

    Example::

        split = random_folds(read_folder(Path("clips")), 5)

    """
    _check_request(clips, n_folds, "clips", Counter(clip.label for clip in clips))
    _reject_segments(clips)
    splitter = _sklearn("StratifiedKFold")(n_folds, shuffle=True, random_state=seed)
    labels = [clip.label for clip in clips]
    tests = [test for _, test in splitter.split(labels, labels)]
    return _split("random", clips, tests, seed)


def grouped_folds(
    clips: Sequence[LabelledClip], n_folds: int, *, seed: int = 0, rare_genres: bool = False
) -> Split:
    """Split clips into folds so that all clips of a group (an artist) are in one fold.

    The shares of the genres in the folds are as equal as the groups allow. If there are enough
    groups, so are the shares of the source folders. Each fold is the test part of one round.

    Args:
        clips: the clips, each with a group.
        n_folds: number of folds, at least 2.
        seed: seed of the draw.
        rare_genres: whether a genre can have fewer groups than there are folds, at least 2.
            Some folds have no clip of such a genre.

    Raises:
        DataError: a clip has no group, a genre has fewer groups than there are folds, or a fold
            would have no clip, or all clips, of another genre.
        MissingExtraError: scikit-learn is not installed.

    Example::

        clips = read_groups(Path("artists.csv"), read_folder(Path("clips")))
        split = grouped_folds(clips, 5)

    """
    loose = [clip.path.name for clip in clips if clip.group is None]
    if loose:
        raise DataError(
            f"{len(loose)} of {count_of(len(clips), 'clip')} {plural(len(loose), 'has', 'have')} "
            f"no group, for instance {loose[0]}; name the groups in a CSV file with the columns "
            "clip and group"
        )
    counts = Counter(label for label, _ in {(clip.label, clip.group) for clip in clips})
    common = {label for label, n in counts.items() if n >= n_folds or not rare_genres}
    checked = Counter({label: n for label, n in counts.items() if label in common or n < 2})
    _check_request(clips, n_folds, "groups", checked)
    splitter = _sklearn("StratifiedGroupKFold")(n_folds, shuffle=True, random_state=seed)
    labels, groups = [clip.label for clip in clips], [clip.group for clip in clips]
    for strata in ([f"{clip.source}/{clip.label}" for clip in clips], labels):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a folder may have few clips of a genre
            tests = [test for _, test in splitter.split(strata, strata, groups)]
        if (problem := _problem(labels, tests, common)) is None:
            break
    else:
        raise DataError(f"{problem}: try another seed or fewer folds")
    split = _split("grouped", clips, tests, seed)
    split.check_rounds()
    return split


def random_draws(
    clips: Sequence[LabelledClip], n_draws: int, *, test_fraction: float = 0.1, seed: int = 0
) -> Split:
    """Draw the test clips of each round at random, the protocol of the original system.

    Args:
        clips: the clips.
        n_draws: number of rounds.
        test_fraction: share of the test clips, between 0 and 1.
        seed: seed of the draws.

    Raises:
        DataError: a genre has fewer than two clips, the test part is too small to hold a clip of
            each genre, or the files are segments.
        MissingExtraError: scikit-learn is not installed.

    Example::

        split = random_draws(read_folder(Path("clips")), 10, test_fraction=0.1)

    """
    if n_draws < 1 or not 0 < test_fraction < 1:
        raise DataError(
            f"{n_draws} draws of {test_fraction} of the clips: draws must be at least 1, and the "
            "share between 0 and 1"
        )
    _check_request(clips, 2, "clips", Counter(clip.label for clip in clips))
    _reject_segments(clips)
    splitter = _sklearn("StratifiedShuffleSplit")(
        n_draws, test_size=test_fraction, random_state=seed
    )
    labels = [clip.label for clip in clips]
    try:
        tests = [test for _, test in splitter.split(labels, labels)]
    except ValueError as error:
        raise DataError(
            f"{test_fraction:.0%} of {count_of(len(clips), 'clip')}: {error}"
        ) from error
    return _split("random", clips, tests, seed)


def filtered_split(clips: Sequence[LabelledClip]) -> Split:
    """Split GTZAN as Kereliuk, Sturm & Larsen (2015) did; faulty clips are in no part.

    Args:
        clips: the clips; they are identified by their file names without extension
            (``blues.00000``).

    Raises:
        DataError: no clip is a clip of GTZAN.

    Example::

        split = filtered_split(read_folder(Path("gtzan/genres")))

    """
    folder = resources.files("genrelens.data") / "published_splits"
    text = (folder / "gtzan-filtered.csv").read_text(encoding="utf-8")
    parts = {row["clip"]: row["split"] for row in csv.DictReader(io.StringIO(text))}
    known = tuple(clip for clip in clips if clip.path.stem in parts)
    if not known:
        raise DataError(
            f"the filtered split is for GTZAN; none of {count_of(len(clips), 'clip')} has a name "
            f"like blues.00000 ({clips[0].path.name if clips else 'there are none'})"
        )
    chosen = tuple(cast(Part, parts[clip.path.stem]) for clip in known)
    return Split(protocol="filtered", clips=known, rounds=(chosen,))


def split_clips(
    clips: Sequence[LabelledClip],
    protocol: str,
    *,
    folds: int = 5,
    draws: int | None = None,
    test_fraction: float = 0.1,
    seed: int = 0,
    rare_genres: bool = False,
) -> Split:
    """Split clips with the protocol of this name.

    Args:
        clips: the clips.
        protocol: ``"random"`` (:func:`random_folds`, or :func:`random_draws` with ``draws``),
            ``"grouped"`` (:func:`grouped_folds`) or ``"filtered"`` (:func:`filtered_split`).
        folds: number of folds.
        draws: number of random draws instead of folds.
        test_fraction: share of the test clips of a draw.
        seed: seed of the draw.
        rare_genres: see :func:`grouped_folds`.

    Raises:
        DataError: the clips cannot be split with this protocol.
        MissingExtraError: scikit-learn is not installed.
        ValueError: there is no such protocol.

    Example::

        split = split_clips(read_folder(Path("clips")), "random", folds=3)

    """
    if protocol == "filtered":
        return filtered_split(clips)
    if protocol == "grouped":
        return grouped_folds(clips, folds, seed=seed, rare_genres=rare_genres)
    if protocol != "random":
        raise ValueError(f"protocol={protocol!r} must be one of {', '.join(PROTOCOLS)}")
    if draws is None:
        return random_folds(clips, folds, seed=seed)
    return random_draws(clips, draws, test_fraction=test_fraction, seed=seed)


def random_split(
    clips: Sequence[LabelledClip], *, valid_fraction: float = 0.15, seed: int = 0
) -> list[LabelledClip]:
    """Assign clips to ``train`` and ``valid`` at random, with the same share of each genre.

    Args:
        clips: the clips.
        valid_fraction: share of the ``valid`` clips, between 0 and 1.
        seed: seed of the draw.

    Raises:
        DataError: a genre has fewer than two clips, so that a part would lack it.
        ValueError: ``valid_fraction`` is not between 0 and 1.

    Example::

        clips = random_split(read_folder(Path("clips")), seed=1)

    """
    if not 0 < valid_fraction < 1:
        raise ValueError(f"valid_fraction={valid_fraction} must be between 0 and 1")
    counts = Counter(clip.label for clip in clips)
    _reject_recordings(clips)
    for label, count in counts.items():
        if count < 2:
            raise DataError(f"genre {label!r} has only {count} clip; a split needs at least 2")
    shuffled = random.Random(seed).sample(range(len(clips)), len(clips))
    valid: set[int] = set()
    taken: Counter[str] = Counter()
    for index in shuffled:
        label = clips[index].label
        wanted = max(1, round(valid_fraction * counts[label]))
        if taken[label] < min(wanted, counts[label] - 1):
            taken[label] += 1
            valid.add(index)
    return [
        replace(clip, part="valid" if index in valid else "train")
        for index, clip in enumerate(clips)
    ]


def grouped_split(
    clips: Sequence[LabelledClip], *, valid_fraction: float = 0.15, seed: int = 0
) -> list[LabelledClip]:
    """Return the clips with the parts ``train`` and ``valid``; a group is in one part.

    Args:
        clips: the clips, each with a group.
        valid_fraction: share of the ``valid`` clips, at most one half. A genre with few groups may
            have none.
        seed: seed of the draw.

    Raises:
        DataError: see :func:`grouped_folds`; genres with few groups are allowed.
        MissingExtraError: scikit-learn is not installed.

    Example::

        clips = read_groups(Path("artists.csv"), read_folder(Path("clips")))
        clips = grouped_split(clips, seed=1)

    """
    groups = Counter(label for label, _ in {(clip.label, clip.group) for clip in clips})
    n_folds = max(2, min(round(1 / valid_fraction), max(groups.values(), default=0)))
    first = next(iter(grouped_folds(clips, n_folds, seed=seed, rare_genres=True)))
    return [replace(clip, part="valid" if clip.part == "test" else "train") for clip in first]


def _split(
    protocol: str, clips: Sequence[LabelledClip], tests: Sequence[Iterable[int]], seed: int
) -> Split:
    rounds = []
    for test in tests:
        parts: list[Part | None] = ["train"] * len(clips)
        for index in test:
            parts[index] = "test"
        rounds.append(tuple(parts))
    bare = tuple(replace(clip, part=None) for clip in clips)
    return Split(protocol=protocol, clips=bare, rounds=tuple(rounds), seed=seed)


def _sklearn(name: str) -> Any:
    try:
        from sklearn import model_selection
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "evaluate") from error
    return getattr(model_selection, name)


# --------------------------------------------------------------------------------- checks


def _problem(labels: Sequence[str], tests: Sequence[Iterable[int]], common: set[str]) -> str | None:
    """Return what is wrong with the folds, or None: a genre without test or training clips."""
    whole = Counter(labels)
    for number, test in enumerate(tests, start=1):
        inside = Counter(labels[index] for index in test)
        if absent := sorted(common - set(inside)):
            return f"fold {number} would have no clip of {', '.join(absent)}"
        if complete := sorted(label for label in inside if inside[label] == whole[label]):
            return f"fold {number} would have all clips of {', '.join(complete)}"
    return None


def _check_request(
    clips: Sequence[LabelledClip], n_folds: int, what: str, counts: Counter[str]
) -> None:
    if n_folds < 2:
        raise DataError(f"{count_of(n_folds, 'fold')}: at least 2 are needed, one to train on")
    if len(label_set(clips)) < 2:
        raise DataError(
            f"{count_of(len(clips), 'clip')} of {count_of(len(label_set(clips)), 'genre')}: "
            f"2 genres are needed"
        )
    label, fewest = min(counts.items(), key=lambda item: item[1], default=("", n_folds))
    if fewest < n_folds:
        number = count_of(fewest, what.removesuffix("s"))
        advice = f"use at most {fewest} folds" if fewest > 1 else "leave the genre out"
        raise DataError(
            f"{n_folds} folds cannot be made: genre {label!r} has only {number}, and each fold "
            f"needs one; {advice}"
        )


def _reject_segments(clips: Sequence[LabelledClip]) -> None:
    """Reject segments of longer clips, because a random split would divide such a clip."""
    _reject_recordings(clips)
    matches = [_SEGMENT_NAME.fullmatch(clip.path.stem) for clip in clips]
    if not all(matches):
        return
    counts = Counter(match[1] for match in matches if match)
    if np.median(list(counts.values())) > 1:
        name, n = counts.most_common(1)[0]
        raise DataError(
            f"the files look like segments of longer clips ({n} of {name}); segments of one clip "
            "would be in train and in test. Use the clip of each segment as its group and split by "
            "group"
        )


def _reject_recordings(clips: Sequence[LabelledClip]) -> None:
    """Reject microphone recordings, because a random split would divide them from their clips."""
    recorded = [clip.path.stem for clip in clips if original_clip(clip.path.stem)]
    if recorded:
        raise DataError(
            f"{count_of(len(recorded), 'file is a', 'files are')} microphone "
            f"{plural(len(recorded), 'recording of a clip', 'recordings of clips')}, for instance "
            f"{recorded[0]}; they belong to the part of their clip. Split by group, with a CSV "
            "file of the groups"
        )
