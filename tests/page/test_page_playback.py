"""The player, the timeline, the spectrogram and the microphone."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from support import synth, tiny
from support.browser import Visit, expect
from support.page_clips import HALVES, NAME, ask, clip

pytestmark = pytest.mark.slow


def position(card: Any) -> float:
    return float(card.locator("audio").evaluate("(audio) => audio.currentTime"))


# ------------------------------------------------------------- player, timeline, spectrogram


def test_playback_moves_the_playhead(answered: Visit) -> None:
    card = answered.card(NAME)
    playhead = card.locator(".playhead")
    assert playhead.evaluate("(line) => line.style.left") == "0%"
    card.get_by_role("button", name=f"Play {NAME}").click()
    answered.page.wait_for_function(
        "() => parseFloat(document.querySelector('.playhead').style.left) > 4"
    )
    card.get_by_role("button", name=f"Pause {NAME}").click()
    expect(card.get_by_role("button", name=f"Play {NAME}")).to_be_visible()
    share = float(playhead.evaluate("(line) => line.style.left").rstrip("%")) / 100
    assert share == pytest.approx(position(card) / 8, abs=0.02)


def test_a_click_on_the_timeline_seeks(answered: Visit) -> None:
    card = answered.card(NAME)
    slider = card.get_by_role("slider", name="Position in the clip")
    box = slider.bounding_box()
    slider.click(position={"x": 0.75 * box["width"], "y": 10})
    assert position(card) == pytest.approx(6, abs=0.05)
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^[56] seconds: noise, "))
    expect(card.locator(".player .readout")).to_contain_text("noise")
    card.locator(".spectrogram").click(position={"x": 0.25 * box["width"], "y": 10})
    assert position(card) == pytest.approx(2, abs=0.05)
    expect(card.locator(".player .readout")).to_contain_text("chords")


def test_arrow_keys_seek(answered: Visit) -> None:
    card, keyboard = answered.card(NAME), answered.page.keyboard
    slider = card.get_by_role("slider")
    slider.focus()
    for keys, expected in [
        (["ArrowRight"] * 3, 3),
        (["ArrowLeft"], 2),
        (["PageUp"], 8),
        (["Home"], 0),
        (["End"], 8),
    ]:
        for key in keys:
            keyboard.press(key)
        assert position(card) == pytest.approx(expected, abs=0.05)
    expect(slider).to_have_attribute("aria-valuenow", "8.00")
    card.get_by_text("Timeline as text").click()
    card.locator(".section-list button").nth(1).press("Enter")
    assert position(card) == pytest.approx(4, abs=0.32)  # a segment


def test_the_timeline_shows_the_sections_of_the_api(answered: Visit, site: str) -> None:
    genres = [section["genre"] for section in ask(site)["sections"]]
    assert {"chords", "noise"} <= set(genres)
    card = answered.card(NAME)
    assert card.locator(".block .long").all_text_contents() == genres
    titles = card.locator(".block").evaluate_all("(all) => all.map((block) => block.title)")
    assert titles[0].startswith(f"{genres[0]}, 0:00 ")
    looks = card.locator(".block").evaluate_all(
        """(all) => all.map((block) => {
          const { backgroundColor, backgroundImage } = getComputedStyle(block);
          return [block.textContent, backgroundColor, backgroundImage].join();
        })"""
    )
    assert len(set(looks)) == len(set(genres))  # one look for each genre,
    patterns = {look.split(",", 1)[0]: look.split(")", 1)[1] for look in looks}
    assert len(set(patterns.values())) == len(patterns)  # which differs not only in colour


def test_the_spectrogram_shows_the_values_of_the_api(answered: Visit, site: str) -> None:
    image = ask(site)["spectrogram"]
    canvas = answered.card(NAME).get_by_role("img", name="Mel spectrogram of halves.wav")
    expect(canvas).to_have_attribute("aria-label", re.compile(r"16 bands from .* over 0:0[78]"))
    pixels = canvas.evaluate(
        """(canvas) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          return { width, height, data: [...data] };
        }"""
    )
    assert (pixels["width"], pixels["height"]) == (image["columns"], image["bands"])
    rgba = np.reshape(pixels["data"], (image["bands"], image["columns"], 4))
    brightness = rgba[..., :3] @ [0.2126, 0.7152, 0.0722]
    encoded = np.frombuffer(b64decode(image["data"]), np.uint8)
    expected = encoded.reshape(image["columns"], image["bands"]).T[::-1]  # the lowest band below
    order = np.argsort(expected.ravel(), kind="stable")
    assert (np.diff(brightness.ravel()[order]) > -2).all()  # louder is brighter
    assert answered.card(NAME).locator(".axis-y").all_inner_texts()[0].split("\n")[0] == "2 kHz"
    assert answered.card(NAME).locator(".axis-x span").all_inner_texts()[-1] == "0:08"


def test_a_clip_that_the_browser_cannot_play_has_a_timeline(visit: Visit) -> None:
    visit.choose(clip("halves.aiff", synth.write(HALVES, tiny.RATE, "AIFF")))
    card = visit.card("halves.aiff")
    expect(card.get_by_text("Your browser cannot play this format.")).to_be_visible()
    expect(card.get_by_role("button", name="Play")).to_have_count(0)
    card.get_by_role("slider").press("End")
    expect(card.get_by_role("slider")).to_have_attribute("aria-valuenow", "8.00")
    assert card.locator(".playhead").evaluate("(line) => line.style.left") == "100%"


# ---------------------------------------------------------------------------- microphone


def test_recording_from_the_microphone(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_role("timer")).to_have_text("0:01")
    # The level is not checked, because a busy machine may miss the beeps.
    expect(page.get_by_role("meter")).to_be_visible()
    page.get_by_role("button", name="Stop and classify").click()
    card = page.get_by_role("article", name=re.compile(r"^recording-\d{4}-.*\.(webm|m4a|ogg)$"))
    expect(card.locator(".verdict")).to_be_visible()
    card.get_by_role("button", name="Play recording").click()
    expect(card.get_by_role("button", name="Pause recording")).to_be_visible()
    expect(card.locator(".player .clock")).to_have_text(re.compile("^0:01 / 0:0[1-9]$"))
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_visible()


def test_a_recording_can_be_discarded(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Record", exact=True).click()
    visit.page.get_by_role("button", name="Discard").click()
    expect(visit.page.get_by_role("button", name="Record", exact=True)).to_be_focused()
    expect(visit.page.get_by_role("article")).to_have_count(0)


def refusal(name: str) -> str:
    return (
        "navigator.mediaDevices.getUserMedia = () =>"
        f" Promise.reject(new DOMException('no', '{name}'));"
    )


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (refusal("NotAllowedError"), "The browser did not allow the microphone."),
        (refusal("NotFoundError"), "There is no microphone."),
        (refusal("NotReadableError"), "Is another program using it?"),
        ("Object.defineProperty(window, 'isSecureContext', { value: false });", "https://"),
        ("delete window.MediaRecorder;", "This browser cannot record."),
    ],
)
def test_an_unavailable_microphone_is_explained(
    enter: Callable[..., Visit], script: str, sentence: str
) -> None:
    visit = enter(script=script)
    visit.page.get_by_role("button", name="Record", exact=True).click()
    expect(visit.page.get_by_role("alert")).to_contain_text(sentence)
    expect(visit.page.get_by_role("button", name="Record", exact=True)).to_be_enabled()
