"""Sections as a label track for Audacity."""

from __future__ import annotations

import csv
import io

from genrelens import Section, audacity_labels

SECTIONS = (
    Section(0.0, 61.44, "genre", "jazz", 0.834),
    Section(61.44, 90.0, "not sure", "rock", 0.3),
    Section(90.0, 3723.5, "not music", "rock", 0.1),
    Section(3723.5, 3730.0, "silence", "jazz", 0.0),
    Section(3730.0, 3740.0, "genre", "R&B\t/ Soul\n", 0.9),
)


def test_labels() -> None:
    rows = list(csv.reader(io.StringIO(audacity_labels(SECTIONS)), delimiter="\t"))
    assert rows == [
        ["0.000000", "61.440000", "jazz 83 %"],
        ["61.440000", "90.000000", "not sure"],
        ["90.000000", "3723.500000", "not music"],
        ["3723.500000", "3730.000000", "silence"],
        ["3730.000000", "3740.000000", "R&B / Soul 90 %"],
    ]


def test_no_sections() -> None:
    assert audacity_labels(()) == ""
