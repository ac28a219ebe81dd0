"""The map in a browser: opened from the disk, used with mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens.library.map import LibraryMap, map_page
from genrelens.library.records import Entry
from genrelens.tags import Tags
from support import synth
from support.browser import Visit
from support.library_folder import stored

pytest.importorskip("sklearn")

_PLAYS = """() => new Promise((resolve, reject) => {
  const player = document.querySelector("audio");
  player.addEventListener("error", () => reject(player.error.message));
  const look = () => player.currentTime > 0.1 ? resolve() : setTimeout(look, 20);
  look();
})"""
NAMES = ("left", "middle", "right")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Visit]:
    """A map of three recordings in a row, and one that is above the middle."""
    entries = []
    for name, genre in zip((*NAMES, "50 % #up"), ("jazz", "rock", "jazz", "pop"), strict=True):
        path = tmp_path / "my music" / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(synth.write(synth.sine(440, 1.5, 22_050), 22_050))
        tags = Tags("RIFF", (), HOSTILE, "", name)
        made = stored(genre, 0.9)
        entries.append(
            Entry(
                path=path,
                size=1,
                mtime_ns=1,
                digest=name,
                tags=tags,
                prediction=made,
                failure=None,
            )
        )
    positions = np.array([[-1, 0], [0, 0], [1, 0], [0, 0.9]])
    page = map_page(LibraryMap(entries, positions, 4), tmp_path / "map.html")
    (tmp_path / "map.html").write_text(page, encoding="utf-8")
    visit = Visit(browser, (tmp_path / "map.html").as_uri())
    yield visit
    errors = visit.errors
    visit.close()
    assert errors == []


def chosen(visit: Visit) -> str:
    return str(visit.page.locator("#chosen b").inner_text())


def test_arrows_go_from_point_to_point_and_enter_plays(visit: Visit) -> None:
    page = visit.page
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    assert chosen(visit) == f"{HOSTILE} - middle"
    page.keyboard.press("ArrowRight")
    assert chosen(visit).endswith("right")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    assert chosen(visit).endswith("50 % #up")
    assert page.locator("img").count() == 0
    page.keyboard.press("Enter")
    page.evaluate(_PLAYS)
    assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(1.5, abs=0.01)
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('audio').paused")


def test_a_click_plays_and_the_mouse_shows_names(visit: Visit) -> None:
    page = visit.page
    box = page.locator("#map").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    assert page.locator("#tip b").inner_text().endswith("middle")
    assert page.locator("#tip span").inner_text().startswith("rock 90")
    page.mouse.click(*middle)
    assert chosen(visit).endswith("middle")
    page.evaluate(_PLAYS)
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    assert page.locator("#tip").is_hidden()


def test_the_legend_filters(visit: Visit) -> None:
    page = visit.page
    jazz = page.get_by_role("button", name="jazz")
    assert jazz.inner_text().split() == ["jazz", "2"]
    jazz.focus()
    page.keyboard.press("Space")
    assert jazz.get_attribute("aria-pressed") == "true"
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert not chosen(visit).endswith(("middle", "up"))
    jazz.click()
    assert jazz.get_attribute("aria-pressed") == "false"


def test_the_search_finds_names(visit: Visit) -> None:
    page = visit.page
    page.get_by_label("Search names and folders").fill("#UP")
    assert page.locator("#matches").inner_text().startswith("1 found")
    page.keyboard.press("Enter")
    assert chosen(visit).endswith("50 % #up")
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Show all").click()


def test_a_file_that_is_gone_is_reported(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "my music" / "middle.wav").unlink()
    page = visit.page
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
