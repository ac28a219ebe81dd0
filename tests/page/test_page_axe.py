"""axe finds no violation in any state of the page, in either theme."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from support.browser import Visit, expect
from support.page_clips import BAD, CHANGES, CLIP, NAME, SEVERAL, UNSURE, WAV, clip, respond_with

pytestmark = pytest.mark.slow

NOT_MUSIC: dict[str, Any] = {
    "verdict": "not music",
    "answer": "not music",
    "heard": 4.0,
    "styles": [{"name": "drone", "probability": 0.9, "applies": True, "parent": None}],
}


@pytest.fixture(params=["dark", "light"])
def checked(request: Any, enter: Callable[..., Visit]) -> tuple[Visit, Callable[[str], None]]:
    """The page in a theme, and a function that checks its present state."""
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    from axe_playwright_python.sync_playwright import Axe

    visit = enter(color_scheme=request.param)

    def check(moment: str) -> None:
        found = Axe().run(visit.page)
        assert found.violations_count == 0, f"{moment}: {found.generate_report()}"
        assert len(found.response["passes"]) > 10

    return visit, check


def test_results(checked: tuple[Visit, Callable[[str], None]]) -> None:
    visit, check = checked
    visit.page.get_by_role("button", name="Rock riff").wait_for()
    check("at the start")
    visit.choose(CLIP)
    card = visit.card(NAME)
    card.locator(".verdict").wait_for()
    for folded in ("Timeline as text", "The same from a program"):
        card.get_by_text(folded).click()
    check("with a result")
    for name, state in {
        "not music": NOT_MUSIC,
        "unsure": UNSURE,
        "several genres": SEVERAL,
        "changes": CHANGES,
    }.items():
        card.get_by_role("button", name=f"Remove {NAME}").click()
        respond_with(visit, **state)
        visit.choose(CLIP)
        card.locator(".verdict").wait_for()
        check(name)


def test_several_clips(checked: tuple[Visit, Callable[[str], None]]) -> None:
    visit, check = checked
    visit.choose(clip("a.wav", WAV), clip("b.wav", WAV[:-4]), BAD)
    expect(visit.page.locator("tr[data-state=done]")).to_have_count(2)
    visit.card("a.wav").locator(".verdict").wait_for()
    check("with a table")
    visit.page.get_by_role("button", name="Compare b.wav").click()
    check("with two clips compared")
    visit.card(BAD["name"]).locator(".error").wait_for()
    check("with an error")


def test_recording(checked: tuple[Visit, Callable[[str], None]]) -> None:
    visit, check = checked
    visit.page.get_by_role("button", name="Record", exact=True).click()
    expect(visit.page.locator("#live")).to_have_text(re.compile("So far|Enough"))
    check("while recording")
    visit.page.get_by_role("button", name="Discard").click()
