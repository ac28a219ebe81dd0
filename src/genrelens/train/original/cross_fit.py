"""Divide training clips into parts, so that each part gets logits from a network of the others."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from genrelens.data.folders import LabelledClip, original_clip
from genrelens.errors import DataError

__all__ = ["cross_fit_parts"]


def cross_fit_parts(clips: Sequence[LabelledClip], n_parts: int, *, seed: int) -> list[int]:
    """Return the number of the part of each clip, from 0.

    All clips of a group are in one part, and so are a clip without a group and its microphone
    recordings. The parts have similar shares of the genres, as far as the groups allow; a part can
    lack a genre. No part is empty.

    Args:
        clips: the clips.
        n_parts: largest number of parts, at least 2; there are fewer if there are fewer groups.
        seed: seed of the draw.

    Raises:
        DataError: all clips are of one group.

    """
    units: dict[str, list[int]] = defaultdict(list)
    for index, clip in enumerate(clips):
        units[_unit(clip)].append(index)
    n_parts = min(n_parts, len(units))
    if n_parts < 2:
        raise DataError("all training clips are of one group; cross_fit needs two groups")
    shuffled = random.Random(seed).sample(list(units.values()), len(units))
    genres = [Counter[str]() for _ in range(n_parts)]
    part_of = [0] * len(clips)
    for unit in sorted(shuffled, key=len, reverse=True):  # small groups even out large ones
        counts = Counter(clips[index].label for index in unit)
        part = min(range(n_parts), key=lambda part: _fullness(genres[part], counts))
        genres[part] += counts
        for index in unit:
            part_of[index] = part
    return part_of


def _unit(clip: LabelledClip) -> str:
    if clip.group is not None:
        return f"group {clip.group}"
    return f"clip {clip.label}/{original_clip(clip.path.stem) or clip.path.stem}"


def _fullness(part: Counter[str], unit: Counter[str]) -> tuple[int, int]:
    """Return how many clips of a unit's genres a part contains, then how many clips."""
    return sum(n * part[genre] for genre, n in unit.items()), part.total()
