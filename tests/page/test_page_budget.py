"""The budget of the page: bytes, requests and movement of its layout."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.browser import Visit
from support.page_clips import CLIP, NAME

pytestmark = pytest.mark.slow

_SHIFTS = """
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      window.shift += entry.hadRecentInput ? 0 : entry.value;
    }
  }).observe({ type: "layout-shift", buffered: true });
"""


def test_weight_and_requests(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Rock riff").wait_for()
    sizes = dict(
        visit.page.evaluate(
            """() => ["navigation", "resource"].flatMap((kind) =>
              performance.getEntriesByType(kind).map((each) => [each.name, each.transferSize]))"""
        )
    )
    assert 120_000 > sum(sizes.values()) > 40_000, sizes
    assert len(sizes) <= 40, sizes


def test_the_layout_does_not_jump(enter: Callable[..., Visit]) -> None:
    visit = enter(script=_SHIFTS)
    visit.page.get_by_role("button", name="Rock riff").wait_for()
    assert visit.page.evaluate("window.shift") < 0.1
    visit.choose(CLIP)
    visit.card(NAME).locator(".exports").wait_for()
    timeline = visit.card(NAME).locator(".timeline").bounding_box()
    assert timeline["y"] + timeline["height"] <= 720  # without scrolling at 1280 x 720
    assert visit.page.evaluate("window.scrollY") == 0
