"""The page where its scripts cannot run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genrelens.web import site as site_module
from support.browser import expect

FOLDER = Path(site_module.__file__).parent / "static"
FROM_FOLDER = (
    "Browsers do not run this page from a folder. Run “python -m http.server” in it and open "
    "http://localhost:8000."
)
NOT_STARTED = (
    "This page could not start: this browser is too old, or the server sends its scripts with a "
    "wrong type."
)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.clock.install()
    yield page
    context.close()


def send_scripts_as_text(page: Any) -> None:
    """Send the modules of the page with a type for which browsers do not run them."""
    text = (FOLDER / "main.js").read_text("utf-8")
    page.route("**/main.js", lambda route: route.fulfill(body=text, content_type="text/plain"))


def test_opened_from_a_folder(page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "read_runtime", lambda _: {})
    folder = site_module.write_site(tmp_path / "site", Path("-")).folder
    page.goto((folder / "index.html").as_uri())
    expect(page.get_by_text(FROM_FOLDER)).to_be_visible()
    expect(page.get_by_text("Nothing leaves this computer")).to_be_visible()
    expect(page.get_by_role("button", name="Classify", exact=True)).to_be_disabled()


def test_scripts_of_a_wrong_type(page: Any, site: str) -> None:
    """The form works as it does without scripts."""
    send_scripts_as_text(page)
    page.goto(site)
    page.clock.run_for(5100)
    expect(page.get_by_text(NOT_STARTED)).to_be_visible()
    assert "scripted-page" not in page.evaluate("document.documentElement.className")
    expect(page.get_by_role("button", name="Classify", exact=True)).to_be_enabled()


def test_a_page_that_works_has_no_such_sentence(page: Any, site: str) -> None:
    page.goto(site)
    page.get_by_role("button", name="Trance", exact=True).wait_for()
    page.clock.run_for(60_000)
    expect(page.get_by_text(NOT_STARTED)).to_be_hidden()
