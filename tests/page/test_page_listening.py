"""The player, the timeline, the picture and the microphone."""

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


# ------------------------------------------------------------- player, timeline, picture


def test_playing_moves_the_playhead(answered: Visit) -> None:
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


def test_click_on_the_timeline_seeks(answered: Visit) -> None:
    card = answered.card(NAME)
    slider = card.get_by_role("slider", name="Position in the clip")
    box = slider.bounding_box()
    slider.click(position={"x": 0.75 * box["width"], "y": 10})
    assert position(card) == pytest.approx(6, abs=0.05)
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^[56] seconds: noise, "))
    expect(card.locator(".player .readout")).to_contain_text("noise")
    card.locator(".picture").click(position={"x": 0.25 * box["width"], "y": 10})
    assert position(card) == pytest.approx(2, abs=0.05)
    expect(card.locator(".player .readout")).to_contain_text("chords")


def test_keyboard_seeks(answered: Visit) -> None:
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
    card.get_by_text("The timeline in words").click()
    card.locator(".runs button").nth(1).press("Enter")
    assert position(card) == pytest.approx(4, abs=0.32)  # a segment


def test_timeline_names_the_genres_of_the_api(answered: Visit, site: str) -> None:
    said = ask(site)
    runs = [section["genre"] for section in said["sections"]]
    assert {"chords", "noise"} <= set(runs)
    card = answered.card(NAME)
    assert card.locator(".block .long").all_text_contents() == runs
    titles = card.locator(".block").evaluate_all("(all) => all.map((block) => block.title)")
    assert titles[0].startswith(f"{runs[0]}, 0:00 ")
    looks = card.locator(".block").evaluate_all(
        """(all) => all.map((block) => {
          const { backgroundColor, backgroundImage } = getComputedStyle(block);
          return [block.textContent, backgroundColor, backgroundImage].join();
        })"""
    )
    assert len(set(looks)) == len(set(runs))  # one look for each genre,
    patterns = {look.split(",", 1)[0]: look.split(")", 1)[1] for look in looks}
    assert len(set(patterns.values())) == len(patterns)  # and not by its colour alone


def test_spectrogram_is_drawn_as_the_network_saw_it(answered: Visit, site: str) -> None:
    picture = ask(site)["spectrogram"]
    canvas = answered.card(NAME).get_by_role("img", name="Mel spectrogram of halves.wav")
    expect(canvas).to_have_attribute("aria-label", re.compile(r"16 bands from .* over 0:0[78]"))
    pixels = canvas.evaluate(
        """(canvas) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          return { width, height, data: [...data] };
        }"""
    )
    assert (pixels["width"], pixels["height"]) == (picture["columns"], picture["bands"])
    rgba = np.reshape(pixels["data"], (picture["bands"], picture["columns"], 4))
    brightness = rgba[..., :3] @ [0.2126, 0.7152, 0.0722]
    encoded = np.frombuffer(b64decode(picture["data"]), np.uint8)
    seen = encoded.reshape(picture["columns"], picture["bands"]).T[::-1]  # the lowest band below
    order = np.argsort(seen.ravel(), kind="stable")
    assert (np.diff(brightness.ravel()[order]) > -2).all()  # the louder, the brighter
    assert answered.card(NAME).locator(".axis-y").all_inner_texts()[0].split("\n")[0] == "2 kHz"
    assert answered.card(NAME).locator(".axis-x span").all_inner_texts()[-1] == "0:08"


def test_what_the_browser_cannot_play_still_has_a_timeline(visit: Visit) -> None:
    visit.choose(clip("halves.aiff", synth.write(HALVES, tiny.RATE, "AIFF")))
    card = visit.card("halves.aiff")
    expect(card.get_by_text("Your browser cannot play this kind of file.")).to_be_visible()
    expect(card.get_by_role("button", name="Play")).to_have_count(0)
    card.get_by_role("slider").press("End")
    expect(card.get_by_role("slider")).to_have_attribute("aria-valuenow", "8.00")
    assert card.locator(".playhead").evaluate("(line) => line.style.left") == "100%"


# ---------------------------------------------------------------------------- microphone


def test_recording_from_the_microphone(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_role("timer")).to_have_text("0:01")
    expect(page.get_by_role("meter")).to_be_visible()  # a busy machine may miss the beeps
    page.get_by_role("button", name="Stop and classify").click()
    card = page.get_by_role("article", name=re.compile(r"^recording-\d{4}-.*\.(webm|m4a|ogg)$"))
    expect(card.locator(".verdict")).to_be_visible()
    card.get_by_role("button", name="Play recording").click()
    expect(card.get_by_role("button", name="Pause recording")).to_be_visible()
    expect(card.locator(".player .clock")).to_have_text(re.compile("^0:01 / 0:0[1-9]$"))
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_visible()


def test_recording_can_be_discarded(visit: Visit) -> None:
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
    ("script", "words"),
    [
        (refusal("NotAllowedError"), "The browser did not allow the microphone."),
        (refusal("NotFoundError"), "There is no microphone."),
        (refusal("NotReadableError"), "Does another program use it?"),
        ("Object.defineProperty(window, 'isSecureContext', { value: false });", "https://"),
        ("delete window.MediaRecorder;", "This browser cannot record."),
    ],
)
def test_microphone_that_cannot_be_used(
    enter: Callable[..., Visit], script: str, words: str
) -> None:
    visit = enter(script=script)
    visit.page.get_by_role("button", name="Record", exact=True).click()
    expect(visit.page.get_by_role("alert")).to_contain_text(words)
    expect(visit.page.get_by_role("button", name="Record", exact=True)).to_be_enabled()
