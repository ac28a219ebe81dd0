"""The page of an audit in a browser: opened from the disk, it plays the files and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from genrelens.library.audit import Audit, TagMismatch, audit_page
from support import synth

_WATCH = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(event.violatedDirective));
"""


@pytest.mark.parametrize("folder", ["beside", "elsewhere"])
def test_the_players_play(browser: Any, tmp_path: Path, folder: str) -> None:
    place = tmp_path / "beside"
    music = tmp_path / folder / "my music"
    place.mkdir()
    music.mkdir(parents=True)
    path = music / "50 % <b>.wav"
    path.write_bytes(synth.write(synth.sine(440, 1.5, 22_050), 22_050))
    mismatch = TagMismatch(
        path=path,
        genres=("<i>Rock",),
        predicted="jazz",
        probability=0.9,
        tagged=0.1,
        probabilities={"jazz": 0.9},
        styles={},
    )
    found = Audit((mismatch,), {"disagrees": 1}, {}, (), ())
    (place / "audit.html").write_text(audit_page(found, place / "audit.html"), encoding="utf-8")
    page = browser.new_page()
    page.add_init_script(_WATCH)
    page.goto((place / "audit.html").as_uri())
    seconds = page.evaluate(
        """() => new Promise((resolve, reject) => {
          const player = document.querySelector("audio");
          player.addEventListener("loadedmetadata", () => resolve(player.duration));
          player.addEventListener("error", () => reject(player.error.message));
          player.load();
          player.preload = "auto";
        })"""
    )
    assert seconds == pytest.approx(1.5, abs=0.01)
    assert page.evaluate("window.violations") == []
    assert page.locator("td b").first.inner_text() == "<i>Rock"
    assert page.locator("i").count() == 0
    page.close()
