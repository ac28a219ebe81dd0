"""Queries of the catalogue: conditions on genres, styles, verdicts, folders and models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from genrelens.findings import Genre
from genrelens.library import Catalog
from genrelens.library.records import Failure
from genrelens.prediction import Style
from support.catalogs import paths, put
from support.library_folder import medley, several, stored


@pytest.fixture
def library(catalog: Catalog) -> Catalog:
    house, techno = Style("house", 0.7, 0.5), Style("techno", 0.4, 0.3)
    predictions = {
        "/m/jazz": stored("jazz", 0.9, styles=(house,)),
        "/m/pop/1": stored("pop", 0.55, styles=(techno, Style("house", 0.4, 0.5))),
        "/m/pop/2": stored("pop", 0.6, styles=()),
        "/m/pop2/unsure": stored("pop", 0.36),
        "/m2/speech": stored("pop", 0.8, music=0.1),
        "/m2/nothing": stored("pop", 0.7, level=-90.0),
    }
    for number, (path, prediction) in enumerate(predictions.items()):
        put(catalog, path, f"digest {number}", prediction=prediction)
    put(catalog, "/m2/broken", None, failure=Failure("crashed"))
    return catalog


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"genre": "jazz"}, ["/m/jazz"]),
        ({"genre": "JAZZ"}, ["/m/jazz"]),
        ({"genre": "ja%"}, []),
        ({"genre": "pop"}, ["/m/pop/1", "/m/pop/2"]),
        ({"genre": "pop", "minimum": 0.6}, ["/m/pop/2"]),
        ({"genre": "pop", "verdict": "not sure"}, ["/m/pop2/unsure"]),
        ({"minimum": 0.85}, ["/m/jazz"]),
        ({"style": "house"}, ["/m/jazz", "/m/pop2/unsure", "/m2/nothing", "/m2/speech"]),
        ({"style": "House", "genre": "jazz"}, ["/m/jazz"]),
        ({"style": "house", "minimum": 0.3, "genre": "pop"}, ["/m/pop/1"]),
        ({"style": "house", "minimum": 0.71}, []),
        ({"style": "techno"}, ["/m/pop/1"]),
        ({"verdict": "not music"}, ["/m2/speech"]),
        ({"verdict": "silence"}, ["/m2/nothing"]),
        ({"under": "/m/pop"}, ["/m/pop/1", "/m/pop/2"]),
        ({"under": "/m/pop/"}, ["/m/pop/1", "/m/pop/2"]),
        ({"under": "/m/jazz"}, ["/m/jazz"]),
        ({"under": "/m/../m2", "genre": "pop"}, []),
        ({"under": "/gone"}, []),
        ({"errors": True}, ["/m2/broken"]),
        ({"errors": True, "model": "small"}, ["/m2/broken"]),
        ({"model": "small", "under": "/m2"}, ["/m2/nothing", "/m2/speech"]),
    ],
    ids=str,
)
def test_conditions(library: Catalog, conditions: dict[str, Any], expected: list[str]) -> None:
    assert paths(library, **conditions) == expected


@pytest.fixture
def mixed(catalog: Catalog) -> Catalog:
    predictions = {
        "/both": several("pop", 0.6, pop=0.8, electronic=0.7, rock=0.1),
        "/mix": replace(
            medley("classical", "metal"), genres=(Genre("metal", probability=0.35, applies=True),)
        ),
        "/one": stored("electronic", 0.9),
        "/unsure": replace(several("pop", 0.3, electronic=0.6), verdict="not sure"),
    }
    for path, prediction in predictions.items():
        put(catalog, path, path, prediction=prediction)
    return catalog


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"genre": "pop"}, ["/both"]),
        ({"genre": "Electronic"}, ["/both", "/one"]),
        ({"genre": "electronic", "minimum": 0.75}, ["/one"]),
        ({"genre": "pop", "minimum": 0.75}, ["/both"]),  # by its own probability
        ({"genre": "rock"}, []),  # does not apply
        ({"genre": "electronic", "verdict": "not sure"}, ["/unsure"]),
        ({"genre": "metal"}, []),  # the whole is not metal
        ({"genre": "Metal", "verdict": "changes"}, ["/mix"]),
        ({"genre": "metal", "verdict": "changes", "minimum": 0.3}, ["/mix"]),
        ({"genre": "metal", "verdict": "changes", "minimum": 0.4}, []),
        ({"verdict": "changes"}, ["/mix"]),
        ({"genre": "electronic", "style": "house", "minimum": 0.7}, ["/one"]),
    ],
    ids=str,
)
def test_conditions_on_several_genres(
    mixed: Catalog, conditions: dict[str, Any], expected: list[str]
) -> None:
    assert paths(mixed, **conditions) == expected


def test_all_files_by_path(library: Catalog) -> None:
    expected = [
        "/m/jazz",
        "/m/pop/1",
        "/m/pop/2",
        "/m/pop2/unsure",
        "/m2/broken",
        "/m2/nothing",
        "/m2/speech",
    ]
    assert [str(each.path) for each in library.query()] == expected
    assert [str(each.path) for each in library.query(under="/m2")] == expected[4:]
    assert paths(library, under="/") == expected


def test_writing_while_reading(library: Catalog) -> None:
    for each in library.query():
        put(library, f"{each.path}/again", each.digest)
    assert len(paths(library)) == 14
