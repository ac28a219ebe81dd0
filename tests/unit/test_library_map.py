"""The map of the library: positions, sample, the content of the page."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens.errors import LibraryError
from genrelens.library import Catalog, map_library, map_page
from genrelens.library.map import COLOURS, project
from genrelens.tags import Tags
from support.library_folder import stored
from support.shelves import crowds, fill
from unit.test_page_colours import COLOURS as PAGE_COLOURS

pytest.importorskip("sklearn")


def data(page: str) -> Any:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(text)


def test_colours_are_those_of_the_server() -> None:
    assert COLOURS == PAGE_COLOURS


def test_neighbours_stay_neighbours() -> None:
    """Most of the ten nearest in the plane are of the same crowd."""
    centres = 4
    rng = np.random.default_rng(0)
    crowd = rng.integers(centres, size=120)
    vectors = rng.standard_normal((centres, 16))[crowd] + 0.3 * rng.standard_normal((120, 16))
    plane = project(vectors.astype(np.float32))
    assert plane.shape == (120, 2)
    assert np.abs(plane).max() == pytest.approx(1)
    np.testing.assert_allclose(plane, project(vectors.astype(np.float32)))
    distances = np.linalg.norm(plane[:, None] - plane, axis=2)
    near = np.argsort(distances, axis=1)[:, 1:11]
    assert (crowd[near] == crowd[:, None]).mean() > 0.9


@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_few_recordings(n: int) -> None:
    plane = project(crowds(n).astype(np.float32))
    assert plane.shape == (n, 2)
    assert np.isfinite(plane).all()
    same = project(np.ones((12, 3), dtype=np.float32))
    np.testing.assert_array_equal(same, np.zeros((12, 2)))


def test_sample_and_conditions(catalog: Catalog) -> None:
    fill(catalog, crowds(60), genres=("rock", "jazz"))
    found = map_library(catalog, most=12)
    assert (len(found.entries), found.positions.shape, found.total) == (12, (12, 2), 60)
    assert "A random sample of 12 of 60 recordings" in map_page(found, "map.html")
    jazz = map_library(catalog, genre="jazz", most=30)
    assert {int(entry.path.stem) % 2 for entry in jazz.entries} == {1}
    assert (len(jazz.entries), jazz.total) == (30, 30)
    with pytest.raises(LibraryError, match="no recording meets"):
        map_library(catalog, genre="polka")
    with pytest.raises(ValueError, match="most=0"):
        map_library(catalog, most=0)


def test_hostile_names_are_text(catalog: Catalog, tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script>&\u202e\n"
    facts: dict[str, Any] = {"size": 1, "mtime_ns": 1}
    for number, name in enumerate([f"{hostile.replace('/', '')}.mp3", os.fsdecode(b"caf\xe9.mp3")]):
        tags = Tags("FLAC", (), hostile, "", hostile) if number else None
        made = stored(embedding=crowds(2)[number], model_digest="d1")
        catalog.record(tmp_path / name, digest=name[:3], tags=tags, prediction=made, **facts)
    page = map_page(map_library(catalog), tmp_path / "map.html")
    assert page.count("<script") == 2
    assert "\u202e" not in page
    (first, second) = data(page)["points"]
    names = {first[4], second[4]}
    assert "</script><script>alert(1)</script>&\\u202e\\n" in " ".join(names)
    assert {first[7], second[7]} >= {"caf%E9.mp3"}  # relative to the page
    assert all("\\" not in point[7] for point in (first, second))


def test_verdicts_and_genres_of_other_models(catalog: Catalog) -> None:
    facts: dict[str, Any] = {"size": 1, "mtime_ns": 1, "tags": None}
    made = {
        "sure": stored("rock", 0.9),
        "unsure": stored("pop", 0.36),
        "talk": stored("pop", 0.8, music=0.1),
        "polka": stored("polka", 0.9),
    }
    for name, prediction in made.items():
        catalog.record(f"/m/{name}.mp3", digest=name, prediction=prediction, **facts)
    content = data(map_page(map_library(catalog), "/elsewhere/map.html"))
    looks = {look["name"]: look for look in content["genres"]}
    names = [look["name"] for look in content["genres"]]
    points = {point[4]: point for point in content["points"]}
    assert sorted(looks) == ["not music", "polka", "pop", "rock"]
    assert looks["rock"]["colour"] == COLOURS["rock"]
    assert looks["polka"]["shape"] == 16
    assert names[points["talk"][2]] == "not music"
    assert [points[name][3] for name in ("sure", "unsure")] == [1, 0]
    assert points["sure"][5].startswith("rock 90")
    assert points["unsure"][5].startswith("not sure: pop 36")
    assert points["sure"][7] == "file:///m/sure.mp3"
