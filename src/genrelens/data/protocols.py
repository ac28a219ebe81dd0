"""Protocols: how clips are split, so that a figure means something.

``published_splits/gtzan-filtered.csv`` is the fault-filtered split of GTZAN: C. Kereliuk, B. L.
Sturm and J. Larsen, "Deep Learning and Music Adversaries", IEEE Trans. Multimedia 17 (2015), from
the lists that torchaudio carries too (443 train, 197 valid and 290 test clips).
"""

from __future__ import annotations

import csv
import io
import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any, cast

import numpy as np

from genrelens.data.folders import LabelledClip, Part, label_set
from genrelens.data.splits import Split
from genrelens.errors import DataError, MissingExtraError

__all__ = ["filtered_split", "grouped_folds", "random_draws", "random_folds", "random_split"]

_SEGMENT_NAME = re.compile(r"(.+[._-]\d+)[._-]\d+")  # blues.00000.3: of the clip blues.00000


def random_folds(clips: Sequence[LabelledClip], n_folds: int, *, seed: int = 0) -> Split:
    """Split whole clips at random into folds, the genres alike in each; each fold is test once.

    Raises:
        DataError: a genre has fewer clips than there are folds, or the files are segments.
        MissingExtraError: scikit-learn is not installed.

    """
    _check_request(clips, n_folds, "clips", Counter(clip.label for clip in clips))
    _refuse_segments(clips)
    splitter = _sklearn("StratifiedKFold")(n_folds, shuffle=True, random_state=seed)
    labels = [clip.label for clip in clips]
    tests = [test for _, test in splitter.split(labels, labels)]
    return _split("random", clips, tests, seed)


def grouped_folds(clips: Sequence[LabelledClip], n_folds: int, *, seed: int = 0) -> Split:
    """Split into folds with all clips of a group (an artist) in one, the genres as alike as can be.

    Raises:
        DataError: a clip has no group, a genre has fewer groups than there are folds, or a fold
            would have no clip of some genre.
        MissingExtraError: scikit-learn is not installed.

    """
    loose = [clip.path.name for clip in clips if clip.group is None]
    if loose:
        raise DataError(
            f"{len(loose)} of {len(clips)} clips have no group, for instance {loose[0]}; name "
            "the groups in a CSV file with the columns clip and group"
        )
    counts = Counter(label for label, _ in {(clip.label, clip.group) for clip in clips})
    _check_request(clips, n_folds, "groups", counts)
    splitter = _sklearn("StratifiedGroupKFold")(n_folds, shuffle=True, random_state=seed)
    labels, groups = [clip.label for clip in clips], [clip.group for clip in clips]
    tests = [test for _, test in splitter.split(labels, labels, groups)]
    for number, test in enumerate(tests, start=1):
        absent = sorted(set(labels) - {labels[index] for index in test})
        if absent:
            raise DataError(
                f"fold {number} would have no clip of {', '.join(absent)}: try another seed or "
                "fewer folds"
            )
    split = _split("grouped", clips, tests, seed)
    split.check_rounds("the folds")
    return split


def random_draws(
    clips: Sequence[LabelledClip], n_draws: int, *, test_fraction: float = 0.1, seed: int = 0
) -> Split:
    """Draw the test clips at random, again for each round; the original system's protocol.

    Raises:
        DataError: a genre has fewer than two clips, the test part is too small to hold a clip of
            each genre, or the files are segments.
        MissingExtraError: scikit-learn is not installed.

    """
    if n_draws < 1 or not 0 < test_fraction < 1:
        raise DataError(
            f"{n_draws} draws of {test_fraction} of the clips: at least one draw, of a share "
            "between 0 and 1"
        )
    _check_request(clips, 2, "clips", Counter(clip.label for clip in clips))
    _refuse_segments(clips)
    splitter = _sklearn("StratifiedShuffleSplit")(
        n_draws, test_size=test_fraction, random_state=seed
    )
    labels = [clip.label for clip in clips]
    try:
        tests = [test for _, test in splitter.split(labels, labels)]
    except ValueError as error:
        raise DataError(f"{test_fraction:.0%} of {len(clips)} clips: {error}") from error
    return _split("random", clips, tests, seed)


def filtered_split(clips: Sequence[LabelledClip]) -> Split:
    """Split GTZAN as Kereliuk, Sturm & Larsen (2015) did; faulty clips are left out.

    Clips are known by their names (``blues.00000``), whatever ends them.

    Raises:
        DataError: no clip is one of GTZAN's.

    """
    folder = resources.files("genrelens.data") / "published_splits"
    text = (folder / "gtzan-filtered.csv").read_text(encoding="utf-8")
    parts = {row["clip"]: row["split"] for row in csv.DictReader(io.StringIO(text))}
    known = tuple(clip for clip in clips if clip.path.stem in parts)
    if not known:
        raise DataError(
            f"the filtered split is of GTZAN; none of {len(clips)} clips has a name like "
            f"blues.00000 ({clips[0].path.name if clips else 'there are none'})"
        )
    chosen = tuple(cast(Part, parts[clip.path.stem]) for clip in known)
    return Split(protocol="filtered", clips=known, rounds=(chosen,))


def random_split(
    clips: Sequence[LabelledClip], *, valid_fraction: float = 0.15, seed: int = 0
) -> list[LabelledClip]:
    """Put whole clips at random into ``train`` and ``valid``, the same share of each genre.

    Raises:
        DataError: a genre has fewer than two clips, so that one side would lack it.
        ValueError: ``valid_fraction`` is not between 0 and 1.

    """
    if not 0 < valid_fraction < 1:
        raise ValueError(f"valid_fraction={valid_fraction} must lie between 0 and 1")
    counts = Counter(clip.label for clip in clips)
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


def _check_request(
    clips: Sequence[LabelledClip], n_folds: int, what: str, counts: Counter[str]
) -> None:
    if n_folds < 2:
        raise DataError(f"{n_folds} folds: at least 2 are needed, one to train on")
    if len(label_set(clips)) < 2:
        raise DataError(f"{len(clips)} clips of {len(label_set(clips))} genres: 2 are needed")
    label, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest < n_folds:
        raise DataError(
            f"{n_folds} folds cannot be made: genre {label!r} has only {fewest} {what}, and each "
            f"fold needs one; ask for at most {fewest} folds"
            + (" or leave the genre out" if fewest < 2 else "")
        )


def _refuse_segments(clips: Sequence[LabelledClip]) -> None:
    """Refuse files that are the segments of longer clips: at random they would be on two sides."""
    matches = [_SEGMENT_NAME.fullmatch(clip.path.stem) for clip in clips]
    if not all(matches):
        return
    counts = Counter(match[1] for match in matches if match)
    if np.median(list(counts.values())) > 1:
        name, n = counts.most_common(1)[0]
        raise DataError(
            f"the files look like segments of longer clips ({n} of {name}); segments of one clip "
            "would be in train and test. Give the clip of each as its group and split by group"
        )
