"""The colours of the genres on the page: legible and different, also with colour blindness."""

from __future__ import annotations

import re
from importlib import resources
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

SCRIPT = (resources.files("genrelens.web") / "static" / "genres.js").read_text(encoding="utf-8")
COLOURS = dict(re.findall(r'(\w+): "(#[0-9a-f]{6})"', SCRIPT))
N_PATTERNS = 7

# Linear RGB to what people without cones for medium or long waves see (Machado et al., 2009).
DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
PROTANOPIA = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
# Linear RGB to Oklab, in two steps (Ottosson, 2020).
TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def linear(colour: str) -> Float64:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def closest_pair(sight: Float64) -> float:
    """Return the smallest difference of two colours in Oklab."""
    colours = [np.clip(sight @ linear(each), 0, 1) for each in COLOURS.values()]
    labs = [np.array(TO_LAB) @ np.cbrt(np.array(TO_CONES) @ each) for each in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(labs, 2))


def test_each_of_the_sixteen_genres_has_a_colour() -> None:
    assert " ".join(COLOURS) == (
        "ambient blues classical country disco electronic folk hiphop "
        "jazz latin metal pop punk reggae rnb rock"
    )


def test_black_letters_are_legible_on_all_colours() -> None:
    for colour in COLOURS.values():
        luminance = float(linear(colour) @ [0.2126, 0.7152, 0.0722])
        assert (luminance + 0.05) / 0.05 >= 7, colour


def test_all_colours_differ() -> None:
    """0.02 is about the smallest difference that is seen side by side."""
    assert closest_pair(np.eye(3)) > 0.09
    assert closest_pair(np.array(DEUTERANOPIA)) > 0.05
    assert closest_pair(np.array(PROTANOPIA)) > 0.05


def test_genres_of_one_pattern_differ_clearly_in_colour() -> None:
    """The pattern of a genre is its number modulo the number of patterns."""
    groups = [list(COLOURS.values())[start::N_PATTERNS] for start in range(N_PATTERNS)]
    for group in groups:
        for first, second in combinations(group, 2):
            assert np.abs(linear(first) - linear(second)).max() > 0.15
