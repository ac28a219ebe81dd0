"""Accessibility of the page: keyboard, phone, zoom, forced colours, print, no scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.browser import Visit, expect
from support.page_clips import BAD, CLIP, NAME, WAV, ask, clip

pytestmark = pytest.mark.slow


def test_all_controls_can_be_reached_by_keyboard(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Rock riff").wait_for()
    button = page.get_by_role("button", name="Classify", exact=True)
    button.focus()
    page.wait_for_function("() => document.hasFocus()")
    with page.expect_file_chooser() as chooser:
        button.press("Enter")
    chooser.value.set_files([CLIP])
    expect(page.get_by_role("heading", name=NAME)).to_be_focused()
    visit.card(NAME).locator(".verdict").wait_for()
    reached = []
    for _ in range(10):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(element => element.getAttribute('aria-label') ?? element.innerText)"
                "(document.activeElement)"
            )
        )
    assert reached == [
        f"Remove {NAME}",
        "Exact percentages",
        f"Play {NAME}",
        "Position in the clip",
        reached[4],
        "JSON",
        "CSV",
        "PNG",
        "Print",
        "The same from a program",
    ]
    assert reached[4].startswith("Timeline as text")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


# 640 is 1280 pixels at a zoom of 200 %, 320 at 400 %.
@pytest.mark.parametrize("width", [320, 390, 640])
def test_a_narrow_window_does_not_scroll_sideways(enter: Callable[..., Visit], width: int) -> None:
    visit = enter(viewport={"width": width, "height": 740}, has_touch=True, is_mobile=True)
    visit.page.get_by_role("button", name="Rock riff").wait_for()
    name = "averylongfilenamewithoutanyspaces" * 4 + ".wav"
    for step in (lambda: None, lambda: visit.choose(clip(name, WAV), BAD)):
        step()
        if visit.page.get_by_role("article").count():
            visit.card(name).locator(".verdict").wait_for()
            visit.card(BAD["name"]).locator(".error").wait_for()
        extent = visit.page.evaluate("document.documentElement.scrollWidth")
        assert extent <= width


def test_reduced_motion_stops_animations(enter: Callable[..., Visit]) -> None:
    for motion, expected in [("reduce", "none"), ("no-preference", "grow")]:
        visit = enter(reduced_motion=motion)
        visit.choose(CLIP)
        bar = visit.card(NAME).locator(".bars .bar").first
        bar.wait_for()
        assert bar.evaluate("(bar) => getComputedStyle(bar).animationName") == expected


def test_forced_colours_keep_bars_and_controls(enter: Callable[..., Visit]) -> None:
    visit = enter(forced_colors="active")
    visit.choose(CLIP)
    card = visit.card(NAME)
    card.locator(".verdict").wait_for()
    colour = "(element) => getComputedStyle(element).backgroundColor"
    card.locator(".fold").click()
    bars = {bar.evaluate(colour) for bar in card.locator(".bars .bar").all()}
    assert len(bars) == 3
    assert card.locator(".block").first.evaluate(colour) in bars
    border = "(button) => getComputedStyle(button).borderTopWidth"
    button = visit.page.get_by_role("button", name="Record", exact=True)
    assert button.evaluate(border) == "1px"


def test_a_printed_result_needs_no_background_graphics(answered: Visit) -> None:
    answered.page.emulate_media(media="print")
    card = answered.card(NAME)
    bar = card.locator(".bars .bar").first
    height, border = bar.evaluate(
        "(bar) => [getComputedStyle(bar).height, getComputedStyle(bar).borderTopWidth]"
    )
    assert float(border.removesuffix("px")) > 10
    assert height == border  # all of the bar is border
    ink = card.locator(".verdict").evaluate("(text) => getComputedStyle(text).color")
    assert ink == "rgb(0, 0, 0)"
    for hidden in ("#upload", ".exports", ".player"):
        expect(answered.page.locator(hidden).first).to_be_hidden()
    assert answered.page.pdf().startswith(b"%PDF")


def test_the_form_works_without_javascript(browser: Any, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    expect(page.locator("button:visible")).to_have_text(["Classify"])
    # The browser does not show <noscript> when Playwright switches scripts off.
    assert "curl --form file=@song.mp3" in page.locator("noscript").inner_html()
    page.get_by_label("Enter a music clip").set_input_files([CLIP])
    page.get_by_role("button", name="Classify", exact=True).click()
    page.wait_for_url("**/v1/classify*")
    assert json.loads(page.locator("body").inner_text())["genre"] == ask(site)["genre"]
    context.close()
