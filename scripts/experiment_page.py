"""Run the commands of ``docs/experiment-2018.md``; write their output and pictures into the page.

    python scripts/experiment_page.py [--check]

Each block marked ``sh`` is run from the root of the checkout, and the block ``text`` behind it is
replaced by what the command prints. ``--check`` writes nothing and fails where the page differs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "experiment-2018.md"
IMAGES = ROOT / "docs" / "images"
WIDTH = 1000  # pixels of a picture
BLOCK = re.compile(r"```sh\n(.*?)```\n(\n```text\n.*?```\n)?", re.DOTALL)


def run(command: str) -> str:
    """Run a command; a picture that it draws goes into ``docs/images``."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PATH": path}
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    for name in re.findall(r"--plot (\S+)", command):
        keep(ROOT / name)
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def keep(picture: Path) -> None:
    """Move a picture into ``docs/images``, smaller and with fewer colours."""
    with Image.open(picture) as image:
        scaled = image.convert("RGB").resize((WIDTH, round(WIDTH * image.height / image.width)))
        scaled.quantize(64).save(IMAGES / f"experiment-{picture.name}", optimize=True)
    picture.unlink()


def filled(match: re.Match[str]) -> str:
    """Return a block of commands with their output behind it."""
    return f"```sh\n{match[1]}```\n\n```text\n{run(match[1])}\n```\n"


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    before = PAGE.read_text()
    after = BLOCK.sub(filled, before)
    if "--check" in sys.argv:
        sys.exit(0 if after == before else f"{PAGE.name} is out of date: run {Path(__file__).name}")
    PAGE.write_text(after)


if __name__ == "__main__":
    main()
