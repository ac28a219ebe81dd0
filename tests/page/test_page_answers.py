"""The page in a real browser with a real server: clips, results and downloads."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens.percentages import percent_significant
from support import synth, tiny
from support.browser import Visit, expect
from support.page_clips import BAD, CLIP, NAME, WAV, ask, clip

pytestmark = pytest.mark.slow


def exact_bars(card: Any) -> list[tuple[str, str]]:
    """Return genres and percentages after a click on "Exact percentages" or "3 more"."""
    card.locator(".fold").click()
    expect(card.locator(".fold")).to_have_attribute("aria-expanded", "true")
    rows = card.get_by_role("list", name="Genres").get_by_role("listitem")
    return list(
        zip(
            rows.locator(".label").all_text_contents(),
            rows.locator(".percent").all_text_contents(),
            strict=True,
        )
    )


# --------------------------------------------------------------------- clips and results


def test_start_of_the_page(visit: Visit) -> None:
    page = visit.page
    expect(page).to_have_title("Classifying Music By Genre Using Neural Networks")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Classifying Music By Genre Using Neural Networks"
    )
    expect(page.get_by_text("Enter a music clip to classify it:")).to_be_visible()
    expect(page.get_by_text("The genres are chords, clicks and noise.")).to_be_visible()
    expect(page.get_by_text("Up to 1 MiB each.")).to_be_visible()
    expect(page.get_by_role("link", name="API")).to_have_attribute("href", "docs")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"


def test_a_chosen_file_shows_the_result_of_the_api(answered: Visit, site: str) -> None:
    card, expected = answered.card(NAME), ask(site)
    expect(card.locator(".verdict")).to_have_text(f"The predicted genre is: {expected['genre']}")
    shown = [(label, percent_significant(p)) for label, p in expected["probabilities"].items()]
    assert exact_bars(card) == shown
    widths = card.locator(".bars .bar").evaluate_all("(all) => all.map((bar) => bar.style.width)")
    percentages = [100 * p for p in expected["probabilities"].values()]
    np.testing.assert_allclose([float(w.rstrip("%")) for w in widths], percentages, rtol=1e-4)
    announced = answered.page.locator("#announcements")
    sentence = f"The predicted genre is: {expected['genre']}, {shown[0][1]}."
    expect(announced).to_contain_text(sentence)


def test_dropped_files_are_classified(visit: Visit) -> None:
    clicks = clip("clicks.wav", synth.write(tiny.sound("clicks", 2), tiny.RATE))
    visit.drop(CLIP, clicks)
    expect(visit.card("clicks.wav").locator(".verdict strong")).to_have_text("clicks")
    expect(visit.card(NAME).locator(".bars")).to_be_visible()
    expect(visit.page.get_by_text("Drop the clips to classify them")).to_be_hidden()


def test_a_bad_file_does_not_stop_the_others(visit: Visit, tmp_path: Path) -> None:
    noise = clip("noise.flac", synth.write(tiny.sound("noise", 2), tiny.RATE, "FLAC"))
    visit.choose(CLIP, BAD, noise)
    expect(visit.card("noise.flac").locator(".verdict strong")).to_have_text("noise")
    expect(visit.card(BAD["name"]).locator(".error")).to_contain_text("is not audio")
    expect(visit.page.locator("article h3")).to_have_text([NAME, BAD["name"], "noise.flac"])
    expect(visit.card(BAD["name"]).get_by_role("button", name="again")).to_have_count(0)

    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="All as CSV").click()
    download.value.save_as(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [NAME, BAD["name"], "noise.flac"]
    assert rows[2]["genre"] == "noise"
    assert "is not audio" in rows[1]["error"]
    assert rows[1]["noise"] == ""

    visit.page.get_by_role("button", name="Remove all").click()
    expect(visit.page.get_by_role("article")).to_have_count(0)


def test_an_example_is_fetched_and_classified(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Disco groove").click()
    expect(visit.card("disco-groove.ogg").locator(".verdict")).to_be_visible()


@pytest.mark.parametrize("click", ["button", "target"])
def test_button_and_target_open_the_dialog_for_files(visit: Visit, click: str) -> None:
    place = {
        "button": visit.page.get_by_role("button", name="Classify", exact=True),
        "target": visit.page.locator("#lens"),
    }[click]
    with visit.page.expect_file_chooser() as chooser:
        place.click()
    assert chooser.value.is_multiple()
    chooser.value.set_files([CLIP])
    expect(visit.card(NAME).locator(".verdict")).to_be_visible()


def test_a_short_clip_has_a_warning(visit: Visit) -> None:
    visit.choose(clip("short.wav", synth.write(tiny.sound("noise", 0.1), tiny.RATE)))
    expect(visit.card("short.wav").get_by_text("shorter than one segment")).to_be_visible()


def test_file_names_are_inserted_as_text(visit: Visit) -> None:
    name = "<img src=x onerror=alert(1)>.wav"
    visit.choose(clip(name, WAV), clip(name.replace("wav", "mp3"), BAD["buffer"]))
    expect(visit.page.locator("article h3").first).to_have_text(name)
    expect(visit.page.locator("tbody .answer").last).to_contain_text("This file is not audio")
    expect(visit.page.locator("#announcements")).to_contain_text(
        "<img src=x onerror=alert(1)>.mp3:"
    )
    expect(visit.page.locator(".verdict")).to_be_visible()
    visit.page.get_by_text("The same from a program").click()
    expect(visit.page.locator("code").last).to_contain_text(f'classify("{name}")')
    expect(visit.page.locator("img:not(.brand img)")).to_have_count(0)


def test_percentages_equal_those_of_the_command_line(visit: Visit) -> None:
    rng = np.random.default_rng(0)
    values = [0.8512, 0.99996, 0.999949, 1.0, 0.1, 0.0999995, 1e-11, 9.9e-12, 0.0]
    values += (10 ** rng.uniform(-12, 0, 300)).tolist()
    written = visit.page.evaluate(
        """async (values) => {
          const { percentSignificant } = await import("/static/text.js");
          return values.map(percentSignificant);
        }""",
        values,
    )
    assert written == [percent_significant(value) for value in values]


# ----------------------------------------------------------------------------- downloads


@pytest.fixture
def downloads(answered: Visit, tmp_path: Path) -> Callable[[str], bytes]:
    def get(kind: str) -> bytes:
        button = answered.card(NAME).get_by_role("button", name=kind, exact=True)
        with answered.page.expect_download() as download:
            button.click()
        assert download.value.suggested_filename == f"halves.genres.{kind.lower()}"
        download.value.save_as(tmp_path / kind)
        return (tmp_path / kind).read_bytes()

    return get


def test_results_can_be_downloaded(downloads: Callable[[str], bytes], site: str) -> None:
    expected = ask(site)
    del expected["spectrogram"]
    assert json.loads(downloads("JSON")) == expected
    rows = list(csv.DictReader(downloads("CSV").decode().splitlines()))
    more = ["verdict", "styles", "music", "duration", "model", "genres", "changes", "snr"]
    assert list(rows[0]) == ["path", "genre", *expected["labels"], *more, "error"]
    assert rows[0]["genre"] == expected["genre"]
    probabilities = {label: float(rows[0][label]) for label in expected["labels"]}
    assert probabilities == expected["probabilities"]
    png = downloads("PNG")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert (width, height) == (1200, 630)
