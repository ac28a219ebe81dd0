"""A browser for the tests of the page, and visits that record errors."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

try:
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    expect = sync_playwright = None

__all__ = ["Visit", "chromium", "expect"]

_PATIENCE = 120_000  # milliseconds, after which something hangs for certain
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",  # a microphone that beeps every second
)
_WATCH_POLICY = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
"""


@contextmanager
def chromium() -> Iterator[Any]:
    """Start Chromium; skip the test if there is none."""
    if sync_playwright is None:
        pytest.skip("needs playwright")
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as started:
        installed = next(filter(None, map(shutil.which, _NAMES)), None)
        path = installed or started.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("needs Chromium")
        browser = started.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


class Visit:
    """A page of the site in its own window, with the errors that occur on it.

    Attributes:
        page: Playwright's page.
        requests: addresses that the page requested.

    """

    def __init__(self, browser: Any, address: str, *, script: str = "", **options: Any) -> None:
        options = {"reduced_motion": "reduce", "color_scheme": "dark", **options}
        self.address = address
        self.requests: list[str] = []
        self._messages: list[str] = []
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(_PATIENCE)
        self.page.add_init_script(_WATCH_POLICY + script)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self._messages.append(str(error)))
        self.page.on("console", self._record_message)
        self.page.goto(address)

    def _record_message(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._messages.append(message.text)

    @property
    def errors(self) -> list[str]:
        """Errors and warnings of its console, its scripts and its security policy.

        A message that the browser logs for each error response is left out.
        """
        kept = [text for text in self._messages if not text.startswith("Failed to load resource")]
        return kept + list(self.page.evaluate("window.violations ?? []"))

    @property
    def foreign_requests(self) -> list[str]:
        """Addresses of requests to other sites."""
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme not in ("blob", "data") and not url.startswith(self.address)
        ]

    def choose(self, *files: Any) -> None:
        """Choose files; they are classified at once."""
        self.page.get_by_label("Enter a music clip to classify it:").set_input_files(list(files))

    def drop(self, *files: dict[str, Any]) -> None:
        """Drop files on the page."""
        transfer = self.page.evaluate_handle(
            """(files) => {
              const transfer = new DataTransfer();
              for (const { name, content } of files) {
                const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                transfer.items.add(new File([bytes], name));
              }
              return transfer;
            }""",
            [{"name": f["name"], "content": b64encode(f["buffer"]).decode()} for f in files],
        )
        for event in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event("body", event, {"dataTransfer": transfer})

    def card(self, name: str) -> Any:
        """The card of one clip, which is selected in the table if another one is shown."""
        card = self.page.get_by_role("article", name=name)
        row = self.page.locator("tbody").get_by_role("button", name=name, exact=True).first
        if not card.count() and row.count():
            row.click()
        return card

    def close(self) -> None:
        self.context.close()
