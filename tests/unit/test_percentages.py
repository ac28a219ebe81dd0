"""Percentages as text."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from genrelens.percentages import percent, percent_range, percent_significant

NAN = float("nan")


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(0.314, 0, "31 %"), (0, 0, "0 %"), (1, 1, "100.0 %"), (0.8214, 1, "82.1 %"), (NAN, 1, "-")],
)
def test_percent(share: float, digits: int, text: str) -> None:
    assert percent(share, digits) == text


def test_percent_of_a_difference_has_a_sign() -> None:
    assert [percent(x, 1, signed=True) for x in (0.012, -0.034)] == ["+1.2 %", "-3.4 %"]


def test_percent_range() -> None:
    assert percent_range(0.7561, 0.8812) == "75.6 to 88.1 %"
    assert percent_range(0.7561, 0.8812, 0) == "76 to 88 %"
    assert percent_range(NAN, 0.9) == "-"


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0, "0.000 %"),
        (1e-300, "0.000 %"),
        (1.23456e-9, "0.0000001235 %"),
        (0.000999995, "0.1000 %"),
        (0.01, "1.000 %"),
        (0.0999996, "10.00 %"),
        (0.5, "50.00 %"),
        (0.85123, "85.12 %"),
        (0.99994, "99.99 %"),
        (0.99999, "100.0 %"),
        (1, "100.0 %"),
    ],
)
def test_four_significant_digits(probability: float, text: str) -> None:
    assert percent_significant(probability) == text


@given(st.floats(1e-10, 1))
@example(0.0999995)
def test_four_significant_digits_of_any_probability(probability: float) -> None:
    text = percent_significant(probability)
    digits = text.removesuffix(" %")
    assert re.fullmatch(r"\d+\.\d+", digits)
    assert len(digits.replace(".", "").lstrip("0")) == 4
    assert float(Decimal(digits) / 100) == pytest.approx(probability, rel=5.01e-4)
