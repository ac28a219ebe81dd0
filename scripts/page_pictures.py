"""Draw the pictures of the page: docs/images/page-*.png and the social card.

    python scripts/page_pictures.py

It needs Chromium, Playwright and FFmpeg's decoders (the extra ``dev``). The recording of several
genres is made from the bundled clips.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
SOCIAL_CARD = ROOT / "src" / "genrelens" / "web" / "static" / "social-card.png"
WIDTHS = {390: 844, 768: 1024, 1280: 720, 1920: 1080}
MIX = ("ambient-cave", "jazz-quartet", "disco-groove", "metal-war-of-freedom", "trance")
SEVERAL = ("Blues shuffle", "Between genres", "Jazz quartet", "Rock riff", "Trance")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with served() as address, sync_playwright() as started:
        path = shutil.which("chromium") or started.chromium.executable_path
        browser = started.chromium.launch(executable_path=path, args=["--disable-gpu"])
        for width, height in WIDTHS.items():
            draw_at(browser, address, width, height)
        draw_others(browser, address)
        browser.close()
    for picture in (*IMAGES.glob("page-*.png"), SOCIAL_CARD):
        Image.open(picture).convert("RGB").quantize(256).save(picture, optimize=True)


@contextmanager
def served() -> Iterator[str]:
    """Start a server on a free port; yield its address."""
    command = [sys.executable, "-m", "genrelens", "serve", "--port", "0"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        line = server.stderr.readline() or server.stdout.readline()
        match = re.search(r"http://\S+", line)
        if match is None:
            raise SystemExit(f"the server does not start: {line}")
        yield match[0]
        server.terminate()


@contextmanager
def visit(browser: Any, address: str, width: int, height: int, **options: Any) -> Iterator[Any]:
    """Open the page, with all motion at its end."""
    options = {"color_scheme": "dark", "reduced_motion": "reduce", **options}
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name="Trance").wait_for()
    page.wait_for_timeout(500)  # fonts
    yield page
    context.close()


def draw_at(browser: Any, address: str, width: int, height: int) -> None:
    """Draw the start and a result at one size."""
    with visit(browser, address, width, height) as page:
        page.screenshot(path=IMAGES / f"page-start-{width}.png")
        page.get_by_role("button", name="Trance").click()
        page.locator(".exports").wait_for()
        page.mouse.move(0, 0)
        page.screenshot(path=IMAGES / f"page-result-{width}.png")


def draw_others(browser: Any, address: str) -> None:
    """Draw a mix, the table, two clips beside each other, the light theme and the social card."""
    with tempfile.TemporaryDirectory() as folder, visit(browser, address, 1280, 720) as page:
        page.locator("#file").set_input_files([mix(Path(folder))])
        page.locator(".exports").wait_for()
        page.screenshot(path=IMAGES / "page-changes.png")
    with visit(browser, address, 1280, 720) as page:
        for number, name in enumerate(SEVERAL, 1):
            page.get_by_role("button", name=name).click()
            page.wait_for_function(
                "(n) => document.querySelectorAll('tr[data-state=done]').length === n", arg=number
            )
        page.screenshot(path=IMAGES / "page-several.png")
        page.get_by_role("button", name="Compare jazz-quartet.ogg").click()
        page.screenshot(path=IMAGES / "page-compared.png", full_page=True)
    with visit(browser, address, 1280, 720, color_scheme="light") as page:
        page.get_by_role("button", name="Reggae one drop").click()
        page.locator(".exports").wait_for()
        page.screenshot(path=IMAGES / "page-light.png")
    with visit(browser, address, 1200, 630) as page:
        page.screenshot(path=SOCIAL_CARD)
    with visit(browser, address, 1280, 720) as page:
        page.goto(f"{address}/docs")
        page.locator("#classify").wait_for()
        page.screenshot(path=IMAGES / "page-api.png")


def mix(folder: Path) -> Path:
    """Write bundled clips of several genres, one after another, to one file."""
    clips = [soundfile.read(ROOT / "examples" / f"{name}.ogg", always_2d=True) for name in MIX]
    path = folder / "mix.flac"
    soundfile.write(path, np.concatenate([y[:, :1] for y, _ in clips]), clips[0][1])
    return path


if __name__ == "__main__":
    main()
