"""The page behind a reverse proxy, under a path prefix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.browser import Visit, expect
from support.nginx import STYLES, proxied
from support.page_clips import CLIP, NAME
from support.serving import server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=STYLES)
def address(
    request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("proxy")
    with (
        server(model, folder / "uploads", "--root-path", "/deep/genre") as running,
        proxied(running.port, "/deep/genre", STYLES[request.param], folder / "nginx") as url,
    ):
        yield f"{url}/"


def test_the_page_works(browser: Any, address: str) -> None:
    visit = Visit(browser, address)
    visit.choose(CLIP)
    expect(visit.card(NAME).locator(".verdict")).to_be_visible()
    visit.page.get_by_role("button", name="Rock riff").click()
    expect(visit.card("rock-riff.ogg").locator(".verdict")).to_be_visible()
    expect(visit.page.locator("#genres")).to_contain_text("clicks")
    errors, foreign = visit.errors, visit.foreign_requests
    visit.close()
    assert (errors, foreign) == ([], [])


def test_the_page_of_the_api_works(browser: Any, address: str) -> None:
    visit = Visit(browser, address)
    visit.page.get_by_role("link", name="API").click()
    visit.page.get_by_role("button", name="Send get_limits").click()
    expect(visit.page.locator("#get_limits")).to_contain_text('"max_upload": 104857600')
    foreign = visit.foreign_requests
    visit.close()
    assert foreign == []


def test_the_form_works_without_scripts(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    page.goto(address)
    page.get_by_label("Enter a music clip").set_input_files([CLIP])
    page.get_by_role("button", name="Classify", exact=True).click()
    page.wait_for_url("**/deep/genre/v1/classify*")
    assert sent[-1].all_headers()["origin"] == address.removesuffix("/deep/genre/")
    assert json.loads(page.locator("body").inner_text())["path"] == NAME
    context.close()
