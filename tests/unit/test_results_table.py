"""Many results as a table."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from genrelens import AudioError, MissingExtraError, to_columns, to_pandas
from genrelens.prediction import Style
from support.predictions import prediction

ROCK = prediction(
    {"jazz": 0.2, "rock": 0.8},
    source="a.mp3",
    styles=(Style("punk", 0.9, 0.5), Style("folk", 0.1, 0.5)),
    music=0.9,
    music_threshold=0.5,
)
POP = prediction(
    {"pop": 0.6, "rock": 0.4}, source="b.mp3", name="other", sure_threshold=0.7, snr=-5.0
)
BROKEN = AudioError("c.mp3", "is empty")
COLUMNS = {
    "path": ["a.mp3", "b.mp3", "c.mp3"],
    "genre": ["rock", "pop", None],
    "probability": [0.8, 0.6, None],
    "verdict": ["genre", "not sure", None],
    "styles": ["punk", "", None],
    "music": [0.9, None, None],
    "duration": [1.0, 1.0, None],
    "model": ["tiny", "other", None],
    "genres": ["rock", "", None],
    "changes": ["", "", None],
    "snr": [None, -5.0, None],
    "error": [None, None, "is empty"],
    "p_rock": [0.8, 0.4, None],
    "p_jazz": [0.2, None, None],
    "p_pop": [None, 0.6, None],
}


def test_columns() -> None:
    columns = to_columns([ROCK, POP, BROKEN])
    assert columns == COLUMNS
    assert list(columns) == list(COLUMNS)


def test_columns_of_no_results() -> None:
    assert set(map(len, to_columns([]).values())) == {0}


def test_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for pandas returns its argument."""
    pandas = ModuleType("pandas")
    pandas.DataFrame = lambda columns: columns  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    assert to_pandas(iter([ROCK, POP, BROKEN])) == COLUMNS


def test_real_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    table = to_pandas([ROCK, POP, BROKEN])
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == list(COLUMNS)
    assert table["p_rock"].mean() == pytest.approx(0.6)


def test_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'genrelens\[pandas\]'"):
        to_pandas([ROCK])
