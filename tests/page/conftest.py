"""Fixtures for the tests of the page: a server, a browser, and visits without errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.browser import Visit


@pytest.fixture(scope="session")
def site(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server that accepts 1 MiB at most."""
    from support.serving import server

    with server(model, tmp_path_factory.mktemp("uploads"), "--max-upload", "1M") as running:
        yield running.url


# Not for the session: while Playwright runs, no other test of this process could use asyncio.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from support.browser import chromium

    with chromium() as started:
        yield started


@pytest.fixture
def enter(browser: Any, site: str) -> Iterator[Callable[..., Visit]]:
    """Open the page in a new window; check afterwards that no error occurred on it."""
    from support.browser import Visit

    visits: list[Visit] = []

    def opened(**options: Any) -> Visit:
        visits.append(Visit(browser, site, **options))
        return visits[-1]

    yield opened
    for visit in visits:
        errors, foreign = visit.errors, visit.foreign_requests
        visit.close()
        assert errors == []
        assert foreign == []


@pytest.fixture
def visit(enter: Callable[..., Visit]) -> Visit:
    return enter()


@pytest.fixture
def answered(visit: Visit) -> Visit:
    """The page with the result of one clip."""
    from support.page_clips import CLIP, NAME

    visit.choose(CLIP)
    visit.card(NAME).get_by_text("The predicted genre is:").wait_for()
    return visit
