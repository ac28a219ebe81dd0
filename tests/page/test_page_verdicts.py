"""Results with other verdicts than a genre, and with styles, sections and excerpts."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from support import synth, tiny
from support.browser import Visit, expect
from support.page_clips import CLIP, NAME, UNSURE, ask, clip, respond_with

pytestmark = pytest.mark.slow


@pytest.fixture
def unsure(visit: Visit) -> Visit:
    respond_with(visit, **UNSURE)
    visit.choose(CLIP)
    visit.card(NAME).locator(".verdict").wait_for()
    return visit


def test_not_sure_is_shown_with_bars(unsure: Visit, tmp_path: Path) -> None:
    card, headline = unsure.card(NAME), "Not sure: noise 45 %, chords 41 %"
    expect(card.locator(".verdict")).to_have_text(headline)
    expect(unsure.page.locator("#announcements")).to_contain_text(f"{NAME}: {headline}.")
    expect(card.locator(".bars")).to_be_visible()
    with unsure.page.expect_download() as download:
        card.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "unsure.csv")
    [row] = csv.DictReader((tmp_path / "unsure.csv").read_text("utf-8").splitlines())
    assert row["styles"] == "|".join(f"style {number}" for number in range(9))
    assert (row["verdict"], row["music"]) == ("not sure", "0.75")


@pytest.mark.parametrize("verdict", ["not music", "silence"])
def test_genres_are_hidden_if_the_clip_is_not_music(visit: Visit, verdict: str) -> None:
    respond_with(visit, **{**UNSURE, "verdict": verdict, "answer": verdict})
    visit.choose(CLIP)
    card = visit.card(NAME)
    expect(card.locator(".verdict")).to_have_text(verdict.capitalize())
    expect(card.locator(".bars")).to_be_hidden()
    expect(card.get_by_text("Styles", exact=True)).to_have_count(0)
    expect(card.locator(".spectrogram")).to_have_count(0 if verdict == "silence" else 1)
    fold = card.get_by_text("Genre probabilities (unreliable)")
    expect(fold).to_have_count(1 if verdict == "not music" else 0)
    if verdict == "not music":
        fold.press("Enter")
        expect(card.locator(".bars")).to_be_visible()


def test_the_first_eight_styles_that_apply_are_shown(unsure: Visit) -> None:
    chips = unsure.card(NAME).get_by_role("list", name="Styles").get_by_role("listitem")
    expected = ["96", "91", "86", "81", "76", "71", "66", "61"]
    expect(chips).to_have_text([f"style {n} {share} %" for n, share in enumerate(expected)])


def test_a_model_without_styles_shows_none(answered: Visit, site: str) -> None:
    assert ask(site)["styles"] == []
    expect(answered.card(NAME).get_by_text("Styles")).to_have_count(0)


def test_sections_show_what_is_music_and_what_was_classified(unsure: Visit) -> None:
    card = unsure.card(NAME)
    assert card.locator(".block .long").all_text_contents() == ["noise", "not music", "chords?"]
    assert card.locator(".block.no-music").count() == 1
    unsure_block = card.locator(".block.unsure")
    assert unsure_block.all_inner_texts() == ["chords?"]
    colour = "(block) => getComputedStyle(block).backgroundColor"
    assert unsure_block.evaluate(colour) != card.locator(".bars .key").first.evaluate(colour)
    extents = card.locator(".block").evaluate_all(
        "(all) => all.map(({ style }) => [parseFloat(style.left), parseFloat(style.width)])"
    )
    assert extents == [[0, 25], [25, 25], [62.5, 37.5]]
    slider, readout = card.get_by_role("slider"), card.locator(".player .readout")
    slider.focus()
    readouts = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowRight", "End"):
        slider.press(key)
        readouts.append(readout.inner_text())
    assert readouts[2:4] == ["not music", "not music"]
    box = slider.bounding_box()
    slider.click(position={"x": 0.56 * box["width"], "y": 10})
    expect(readout).to_have_text("not classified")
    card.get_by_text("Timeline as text").click()
    expect(card.locator(".section-list li")).to_have_text(
        [re.compile("0:02 noise$"), re.compile("0:04 not music$"), re.compile("not sure: chords$")]
    )


def test_the_spectrogram_of_excerpts_is_not_aligned_with_the_timeline(unsure: Visit) -> None:
    card = unsure.card(NAME)
    expect(card.get_by_text("7.0 s classified")).to_be_visible()
    expect(card.get_by_text("Only the classified excerpts are shown")).to_be_visible()
    line, image = card.locator(".playhead").bounding_box(), card.locator(".spectrogram")
    assert line["y"] + line["height"] <= image.bounding_box()["y"]
    assert card.locator(".axis-x").bounding_box()["y"] < image.bounding_box()["y"]
    card.get_by_role("slider").press("Home")
    image.click()
    assert card.locator("audio").evaluate("(audio) => audio.currentTime") == 0


def test_the_option_fast_is_sent_and_not_stored(visit: Visit) -> None:
    visit.page.get_by_text("Options", exact=True).click()
    fast = visit.page.get_by_role("checkbox", name="Fast", exact=True)
    expect(fast).to_have_accessible_description(re.compile("three excerpts of a long recording"))
    expect(fast).not_to_be_checked()
    fast.press("Space")
    for number, expected in enumerate(("true", "true", "false")):
        name = f"{number}.wav"
        content = synth.write(tiny.sound("noise", 2, seed=number), tiny.RATE)
        with visit.page.expect_request(f"**/v1/classify*fast={expected}*"):
            visit.choose(clip(name, content))
        expect(visit.card(name).locator(".verdict")).to_be_visible()
        if number == 1:
            visit.page.reload()
