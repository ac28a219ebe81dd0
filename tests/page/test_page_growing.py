"""Results that grow: while a clip is classified, and while it is recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from support.browser import Visit, expect
from support.page_clips import CHANGES, CLIP, NAME, SEVERAL, ask, section

pytestmark = pytest.mark.slow

HALF = {
    "verdict": "not sure",
    "answer": "not sure: pop 40 %, rock 35 %",
    "heard": 4.0,
    "sections": [section(0, 4, "not sure", "pop")],
}


def event(name: str, document: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n"


# A request that responds with one event after another, each when the test asks for it.
_SCRIPTED = """
  XMLHttpRequest.prototype.send = function () {
    const own = { status: 200, responseText: "" };
    for (const name of ["status", "responseText"]) {
      Object.defineProperty(this, name, { get: () => own[name] });
    }
    this.getResponseHeader = () => "text/event-stream";
    window.more = (part, isLast) => {
      own.responseText += part;
      this.dispatchEvent(new ProgressEvent("progress"));
      if (isLast) {
        this.dispatchEvent(new ProgressEvent("loadend"));
      }
    };
  };
"""


def test_the_timeline_grows_and_the_answer_firms_up(enter: Callable[..., Visit], site: str) -> None:
    base = ask(site)
    visit = enter(script=_SCRIPTED)
    visit.choose(CLIP)
    visit.page.wait_for_function("() => window.more")
    part = event("partial", base | SEVERAL | HALF)
    visit.page.evaluate("(part) => window.more(part, false)", part[:50])  # an event in two pieces
    visit.page.evaluate("(part) => window.more(part, false)", part[50:])
    card = visit.card(NAME)
    expect(card.locator(".verdict")).to_have_text("So far: not sure")
    expect(card.get_by_text("listening, 0:04 of 0:08")).to_be_visible()
    shown = card.locator(".blocks")
    expect(shown).to_have_css("clip-path", "inset(0px 50% 0px 0px)")
    expect(card.locator(".front")).to_be_visible()
    expect(card.locator(".exports")).to_have_count(0)
    visit.page.evaluate("(part) => window.more(part, true)", event("result", base | CHANGES))
    expect(card.locator(".verdict")).to_have_text("Changes: rock, pop")
    expect(card.locator(".front")).to_be_hidden()
    expect(shown).to_have_css("clip-path", "none")
    expect(card.get_by_role("progressbar")).to_be_hidden()


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        (event("problem", {"status": 422, "detail": f"{NAME}: is too long"}), "This file is too"),
        ("", "The server cannot be reached, or the connection was interrupted."),
    ],
)
def test_an_error_after_the_first_events(
    enter: Callable[..., Visit], site: str, last: str, sentence: str
) -> None:
    visit = enter(script=_SCRIPTED)
    visit.choose(CLIP)
    visit.page.wait_for_function("() => window.more")
    parts = event("partial", ask(site) | SEVERAL | HALF) + last
    visit.page.evaluate("(parts) => window.more(parts, true)", parts)
    expect(visit.card(NAME).locator(".error")).to_contain_text(sentence)
    expect(visit.card(NAME).locator(".verdict")).to_have_count(0)


def test_a_recording_is_answered_while_it_is_made(visit: Visit, site: str) -> None:
    replies = iter([CHANGES, SEVERAL])
    last: dict[str, Any] = {}

    def respond(route: Any) -> None:
        last.update(ask(site) | next(replies, SEVERAL))
        route.fulfill(body=json.dumps(last), content_type="application/json")

    visit.page.route("**/v1/classify*", respond)
    visit.page.get_by_role("button", name="Record", exact=True).click()
    live = visit.page.locator("#live")
    expect(live).to_have_text("Listening")
    expect(live).to_have_text(re.compile("^So far: Changes: rock, pop$"))
    expect(live).to_have_text("Enough: it is electronic, 60 %")
    visit.page.get_by_role("button", name="Stop and classify").click()
    expect(live).to_be_hidden()
    card = visit.page.get_by_role("article", name=re.compile("^recording-"))
    expect(card.locator(".verdict strong")).to_have_text("electronic")
