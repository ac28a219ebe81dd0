"""What can be done with a result: share, copy and repeat it; and the choice of a theme."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from support.browser import Visit, expect
from support.page_clips import CLIP, NAME, WAV, clip

pytestmark = pytest.mark.slow

_SHARE = """
  window.shared = [];
  navigator.canShare = ({ files }) => !window.withoutFiles || !files;
  navigator.share = async ({ title, files = [] }) => {
    if (window.refusal) {
      throw new DOMException("no", window.refusal);
    }
    window.shared.push([title, ...files.map(({ name, type }) => `${name} ${type}`)]);
  };
"""


@pytest.fixture
def shareable(enter: Callable[..., Visit]) -> Visit:
    visit = enter(script=_SHARE)
    visit.choose(CLIP)
    visit.card(NAME).get_by_role("button", name="Share").wait_for()
    return visit


def test_a_picture_is_shared_if_the_browser_can(shareable: Visit) -> None:
    page, share = shareable.page, shareable.card(NAME).get_by_role("button", name="Share")
    share.click()
    page.wait_for_function("() => window.shared.length === 1")
    page.evaluate("window.withoutFiles = true")
    share.click()
    page.wait_for_function("() => window.shared.length === 2")
    (title, picture), second = page.evaluate("window.shared")
    assert title.startswith(f"{NAME}: ")
    assert picture == "halves.genres.png image/png"
    assert second == [title]


@pytest.mark.parametrize(("refusal", "words"), [("AbortError", 0), ("NotAllowedError", 1)])
def test_a_refused_share_is_no_error(shareable: Visit, refusal: str, words: int) -> None:
    shareable.page.evaluate("(name) => { window.refusal = name; }", refusal)
    shareable.card(NAME).get_by_role("button", name="Share").click()
    announced = shareable.page.locator("#announcements", has_text="Sharing is not possible here.")
    expect(announced).to_have_count(words)


def test_the_commands_repeat_the_request(visit: Visit) -> None:
    name = 'it\'s "quoted" $(id).wav'
    visit.page.get_by_text("Options", exact=True).click()
    visit.page.get_by_role("checkbox", name="Fast", exact=True).check()
    visit.choose(clip(name, WAV))
    card = visit.card(name)
    card.get_by_text("The same from a program").click()
    curl, python = card.locator("code").all_inner_texts()
    command, option, form, address = shlex.split(curl)
    assert (command, option) == ("curl", "--form")
    assert form == 'file=@"it\'s \\"quoted\\" $(id).wav"'
    assert parse_qs(urlsplit(address).query) == {"timeline": ["true"], "fast": ["true"]}
    assert address.startswith(visit.address)
    calls: list[object] = []
    code = python.replace("from genrelens import Classifier\n", "")

    class Classifier:
        @classmethod
        def load(cls, *args: object, **options: object) -> Classifier:
            calls.append((args, options))
            return cls()

        def classify(self, *args: object, **options: object) -> Classifier:
            calls.append((args, options))
            return self

        answer = property(lambda self: "rock")

        def top(self, n: int) -> int:
            return n

    exec(compile(code, "snippet", "exec"), {"Classifier": Classifier, "print": lambda *_: None})
    assert calls == [(("tiny",), {}), ((name,), {"fast": True})]


def test_the_theme_follows_the_system_until_it_is_chosen(enter: Callable[..., Visit]) -> None:
    visit = enter(color_scheme="light")
    page = visit.page
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(250, 248, 244)", "rgb(0, 0, 0)"
    assert page.evaluate(background) == light
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == dark
    button = page.locator("#theme")
    expect(button).to_have_text("Light theme")
    button.click()
    for _ in range(2):
        assert page.evaluate(background) == light
        expect(button).to_have_text("Dark theme")
        page.reload()  # the choice is stored
    button.click()
    assert page.evaluate(background) == dark
