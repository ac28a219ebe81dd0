"""Many results as a table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from genrelens import AudioError, MissingExtraError, to_columns, to_pandas, to_polars
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
NUMBERS = {"probability", "music", "duration", "snr", "p_rock", "p_jazz", "p_pop"}


def test_columns() -> None:
    columns = to_columns([ROCK, POP, BROKEN])
    assert columns == COLUMNS
    assert list(columns) == list(COLUMNS)
    assert to_columns([("a.mp3", ROCK), ("b.mp3", POP), ("c.mp3", BROKEN)]) == columns


def test_columns_of_no_results() -> None:
    assert set(map(len, to_columns([]).values())) == {0}


def test_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    table = to_pandas(iter([ROCK, POP, BROKEN]))
    assert isinstance(table, pandas.DataFrame)
    values = {name: [None if pandas.isna(x) else x for x in table[name]] for name in table}
    assert values == COLUMNS
    assert {name for name in table if table[name].dtype == "float64"} == NUMBERS


def test_polars() -> None:
    polars = pytest.importorskip("polars")
    table = to_polars(iter([ROCK, POP, BROKEN]))
    assert table.to_dict(as_series=False) == COLUMNS
    assert {name for name in table.columns if table[name].dtype == polars.Float64} == NUMBERS
    assert table["error"].dtype == polars.String


def test_types_do_not_depend_on_the_rows() -> None:
    pytest.importorskip("polars")
    pytest.importorskip("pandas")
    expected = to_polars([ROCK, POP, BROKEN]).schema
    for results in ([], [BROKEN], [ROCK]):
        schema = to_polars(results).schema
        assert schema == {name: expected[name] for name in schema}
        assert list(to_pandas(results)) == list(schema)
        assert str(to_pandas(results)["snr"].dtype) == "float64"


@pytest.mark.parametrize(("package", "function"), [("pandas", to_pandas), ("polars", to_polars)])
def test_without_the_package(
    package: str, function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'genrelens\[{package}\]'"):
        function([ROCK])
