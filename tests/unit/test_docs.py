"""The documentation is right: its commands, its links, and the modules that it names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import pytest

from support.commands import parse

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^ *```(?:sh|console)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Return the command lines of genrelens in a page, without prompts, comments and pipes."""
    text = page.read_text().replace("\\\n", " ")
    blocks = BLOCK.findall(text)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    found = [part.strip() for line in lines for part in re.split(r" [|>] ", line.split(" #")[0])]
    return [part for part in found if part.startswith("genrelens ") and "..." not in part]


def test_pages_have_commands() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 60


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_valid(page: Path) -> None:
    for line in commands(page):
        try:
            parse(shlex.split(line)[1:])
        except Exception as error:
            pytest.fail(f"{line}: {error!r}")


def test_an_unknown_option_is_noticed() -> None:
    with pytest.raises(Exception, match="--no-such-option"):
        parse(["classify", "--no-such-option", "song.mp3"])


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_the_tree_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    tree = text.split("## The tree")[1].split("```text\n")[1].split("```")[0]
    named = {part.split()[0]: modules_in(part) for part in tree.split("\n\n")}
    package = ROOT / "src" / "genrelens"
    folders = [path.parent for path in package.glob("*/__init__.py")]
    found = {f"{folder.name}/": names(folder.rglob("*.py")) for folder in folders}
    assert named == {"classifier.py": names(package.glob("*.py")), **found}


def modules_in(text: str) -> list[str]:
    return names(map(Path, re.findall(r"\w+\.py\b", text)))


def names(paths: Iterable[Path]) -> list[str]:
    return sorted({path.stem for path in paths} - {"__init__", "__main__"})


LONGEST = 135


def prose(page: Path) -> list[str]:
    """Return the lines of a page without code, tables and lines that are one long link."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("|")]
    return [line for line in lines if len(line.split()) > 2]


def test_lines_of_prose_are_wrapped() -> None:
    long = [(page.name, line) for page in PAGES for line in prose(page) if len(line) > LONGEST]
    assert long == []
