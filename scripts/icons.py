"""Render the icons of the static site from the favicon, with Chromium.

Run ``python scripts/icons.py`` after a change of ``favicon.svg``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

STATIC = Path(__file__).resolve().parent.parent / "src" / "genrelens" / "web" / "static"
SIZES = (192, 512)


def main() -> None:
    svg = (STATIC / "favicon.svg").read_text()
    with sync_playwright() as started:
        path = shutil.which("chromium") or started.chromium.executable_path
        browser = started.chromium.launch(executable_path=path)
        for size in SIZES:
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(
                f"<style>body{{margin:0}}svg{{display:block;width:100vw}}</style>{svg}"
            )
            page.screenshot(path=STATIC / f"icon-{size}.png", omit_background=True)
        browser.close()


if __name__ == "__main__":
    main()
