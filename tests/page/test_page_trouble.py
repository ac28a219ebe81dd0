"""Errors between the page and its server."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from support.browser import Visit, expect
from support.page_clips import CLIP, NAME, WAV, clip

pytestmark = pytest.mark.slow


def test_a_file_that_is_too_large_is_not_uploaded(visit: Visit) -> None:
    visit.page.get_by_text("Up to 1 MiB each.").wait_for()
    visit.choose(clip("large.wav", bytes(3 * 2**19)))
    expect(visit.card("large.wav").locator(".error")).to_have_text(
        "The recording has 1.5 MiB; this server accepts 1 MiB at most."
    )
    assert not any("classify" in url for url in visit.requests)


def test_the_page_retries_while_the_server_is_busy(visit: Visit) -> None:
    tries: list[str] = []

    def respond(route: Any) -> None:
        tries.append(route.request.method)
        if len(tries) == 1:
            route.fulfill(status=429, headers={"Retry-After": "2"}, body="{}")
        else:
            route.continue_()

    visit.page.route("**/v1/classify*", respond)
    visit.choose(CLIP)
    card = visit.card(NAME)
    expect(card.get_by_text("The server is busy. Retrying in 2 s")).to_be_visible()
    expect(card.locator(".verdict")).to_be_visible()
    assert tries == ["POST", "POST"]


def test_a_failed_upload_can_be_tried_again(visit: Visit) -> None:
    visit.page.route("**/v1/classify*", lambda route: route.abort(), times=1)
    visit.choose(CLIP)
    card = visit.card(NAME)
    expect(card.locator(".error")).to_contain_text("The server cannot be reached")
    card.get_by_role("button", name=f"Try {NAME} again").click()
    expect(card.locator(".verdict")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (502, "<h1>Bad gateway</h1>", "The server answered with an error (502 Bad Gateway)."),
        (413, "", "The recording is larger than this server accepts."),
        (504, "", "The server did not finish in time."),
        (422, json.dumps({"detail": f"{NAME}: is too long"}), "This file is too long."),
    ],
)
def test_errors_are_shown_as_sentences(visit: Visit, status: int, body: str, sentence: str) -> None:
    visit.page.route("**/v1/classify*", lambda route: route.fulfill(status=status, body=body))
    visit.choose(CLIP)
    expect(visit.card(NAME).locator(".error")).to_have_text(sentence)
    expect(visit.page.locator("#announcements")).to_contain_text(sentence)


def test_a_page_of_another_site_cannot_send_recordings(browser: Any, site: str) -> None:
    form = f"""<form method="post" action="{site}/v1/classify" enctype="multipart/form-data">
      <textarea name="file">x</textarea><button>Send</button></form>"""
    page = browser.new_page()
    page.route(
        "http://other.example/", lambda route: route.fulfill(body=form, content_type="text/html")
    )
    page.goto("http://other.example/")
    page.get_by_role("button").click()
    page.wait_for_url("**/v1/classify")
    expect(page.locator("body")).to_contain_text("the request comes from a page of another site")
    page.close()


def test_a_cancelled_clip_is_removed_and_the_focus_moves_on(visit: Visit) -> None:
    held: list[Any] = []
    visit.page.route("**/v1/classify*", lambda route: held.append(route))
    visit.choose(CLIP, clip("second.wav", WAV))
    expect(visit.card(NAME).get_by_text("Uploading")).to_be_visible()
    visit.page.get_by_role("button", name=f"Cancel {NAME}").click()
    expect(visit.card(NAME)).to_have_count(0)
    expect(visit.page.get_by_role("heading", name="second.wav")).to_be_focused()
    visit.page.get_by_role("button", name="Cancel second.wav").click()
    expect(visit.page.get_by_role("button", name="Classify", exact=True)).to_be_focused()
    expect(visit.page.get_by_role("heading", name="Results")).to_be_hidden()
    visit.page.unroute("**/v1/classify*")
    visit.choose(CLIP)  # the queue has room again
    expect(visit.card(NAME).locator(".verdict")).to_be_visible()


def test_the_progress_of_an_upload_is_shown(visit: Visit) -> None:
    cdp = visit.context.new_cdp_session(visit.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 40_000}
    cdp.send("Network.emulateNetworkConditions", slow)
    visit.choose(CLIP)  # 128 kB
    expect(visit.card(NAME).get_by_text(re.compile("^Uploading, [1-9]"))).to_be_visible()
    value = visit.card(NAME).get_by_role("progressbar").evaluate("(bar) => bar.value")
    assert 0 < value <= 1
    expect(visit.card(NAME).locator(".verdict")).to_be_visible()
