"""Accessibility of the page: keyboard, screen reader, phone, no scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.browser import Visit, expect
from support.page_clips import BAD, CLIP, NAME, SEVERAL, UNSURE, WAV, ask, clip, respond_with

pytestmark = pytest.mark.slow


def test_axe_finds_nothing(enter: Callable[..., Visit]) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    from axe_playwright_python.sync_playwright import Axe

    def check(visit: Visit, moment: str) -> None:
        found = Axe().run(visit.page)
        assert found.violations_count == 0, f"{moment}: {found.generate_report()}"
        assert len(found.response["passes"]) > 10

    visit = enter()
    visit.page.get_by_role("button", name="Rock riff").wait_for()
    check(visit, "at the start")
    visit.choose(CLIP)
    visit.card(NAME).locator(".verdict").wait_for()
    visit.card(NAME).get_by_text("Timeline as text").click()
    check(visit, "with a result")
    visit.choose(BAD)
    visit.card(BAD["name"]).locator(".error").wait_for()
    check(visit, "with an error")
    visit.page.get_by_role("button", name=f"Remove {NAME}").click()
    respond_with(
        visit,
        verdict="not music",
        answer="not music",
        heard=4.0,
        styles=[{"name": "drone", "probability": 0.9, "applies": True}],
    )
    visit.choose(CLIP)
    visit.card(NAME).get_by_text("Genre probabilities").click()
    check(visit, "with a clip that is not music")
    visit.page.get_by_role("button", name=f"Remove {NAME}").click()
    respond_with(visit, **UNSURE)
    visit.choose(CLIP)
    visit.card(NAME).get_by_text("Styles", exact=True).wait_for()
    check(visit, "with styles and sections of all kinds")
    respond_with(visit, **SEVERAL)
    visit.choose(CLIP)
    visit.card(NAME).first.get_by_text("Genres", exact=True).wait_for()
    check(visit, "with several genres")


def test_all_controls_can_be_reached_by_keyboard(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Rock riff").wait_for()
    page.get_by_label("Enter a music clip").set_input_files([CLIP])
    page.get_by_label("Enter a music clip").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=NAME)).to_be_focused()
    visit.card(NAME).locator(".verdict").wait_for()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(element => element.getAttribute('aria-label') ?? element.innerText)"
                "(document.activeElement)"
            )
        )
    assert reached == [
        f"Remove {NAME}",
        f"Play {NAME}",
        "Position in the clip",
        reached[3],
        "JSON",
        "CSV",
        "PNG",
        "the API",
    ]
    assert reached[3].startswith("Timeline as text")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("width", [320, 390])  # 320 is 1280 pixels at a zoom of 400 %
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
