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


@pytest.fixture(scope="session")
def static_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a server of files; the site is in a subfolder with an odd name."""
    from genrelens.web.site import write_site
    from support.static_site import runtime

    folder = tmp_path_factory.mktemp("static")
    write_site(folder / "my genres é", runtime())
    return folder


@pytest.fixture(scope="session")
def static_server(static_site: Path) -> Iterator[str]:
    from support.static_site import address_of, file_server

    with file_server(static_site) as server:
        yield address_of(server, "my genres é")


@pytest.fixture
def local(browser: Any, static_server: str) -> Iterator[Visit]:
    """A visit of the static site; no error may occur, and no other site is asked."""
    from support.browser import Visit

    visit = Visit(browser, static_server)
    yield visit
    errors, foreign = visit.errors, visit.foreign_requests
    visit.close()
    assert errors == []
    assert foreign == []


@pytest.fixture(scope="module")
def engine_page(browser: Any, static_server: str) -> Iterator[Visit]:
    """One page of the static site for all tests of a module, so that the network loads once."""
    from support.browser import Visit

    visit = Visit(browser, static_server)
    yield visit
    errors = visit.errors
    visit.close()
    assert errors == []
