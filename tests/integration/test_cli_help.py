"""``--help``: groups, examples, placeholders, and shell completion."""

from __future__ import annotations

import inspect
import io
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from genrelens.cli import app
from genrelens.cli.command import Command
from genrelens.cli.commands import COMMANDS as LISTED
from genrelens.cli.commands import OPTIONS
from genrelens.cli.overview import overview
from support.commands import parse, run, spawn

PLACEHOLDERS = {
    *("DEVICE", "FILE", "FOLDER", "GENRE", "HOST", "MODEL", "N", "N,N", "NAME", "OLD=NEW", "P"),
    *("A,B,...", "PATH", "PATTERN", "RECIPE", "SECONDS", "I/N", "[ADDRESS]", "SIZE", "STYLE"),
}


def all_commands(command: Any, name: str = "") -> Iterator[tuple[str, Command]]:
    """Yield each command that does something, with its name."""
    for child, below in getattr(command, "commands", {}).items():
        yield from all_commands(below, f"{name} {child}".strip())
    if isinstance(command, Command):
        yield name, command


COMMANDS = dict(all_commands(typer.main.get_command(app)))


def test_groups(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "--help").out
    headings = re.findall(r"─ (\w[\w ]*\w) ─", text)
    assert headings == ["Options", "Listen", "Library", "Train and judge", "Serve", "Set up"]
    assert "--install-completion" in text
    assert "stats" in COMMANDS


def test_the_list_of_commands_agrees_with_their_docstrings() -> None:
    """The overview is printed without importing the commands."""
    root: Any = typer.main.get_command(app)
    shown = {name: line for listed in LISTED.values() for name, (_, line) in listed.items()}
    for name, line in shown.items():
        first = root.commands[name].help.partition("\n\n")[0]
        assert " ".join(first.split()) == line


def test_the_list_of_options_agrees_with_the_parser() -> None:
    root: Any = typer.main.get_command(app)
    context = root.context_class(root, **root.context_settings)
    params = {max(param.opts, key=len): param for param in root.get_params(context)}
    assert {*params} == {*OPTIONS}
    for name, (short, text) in OPTIONS.items():
        assert {*params[name].opts} - {name} == ({short} if short else set())
        assert params[name].help == text


@pytest.mark.parametrize("width", [20, 60, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_overview_fits(monkeypatch: pytest.MonkeyPatch, width: int, encoding: str) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    text = overview()
    text.encode(encoding)
    panels = [line for line in text.splitlines() if line[:1] in "╭│╰+|"]
    assert {len(line) for line in panels if line} <= {max(width, 50)}
    for listed in LISTED.values():
        for name, (_, line) in listed.items():
            words = " ".join(re.sub("[│|]", " ", text).split())
            assert f"{name} {line.split()[0]}" in words


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_colours_of_the_overview(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[1;36mclassify" in overview()) == coloured


@pytest.mark.parametrize("name", COMMANDS)
def test_paragraphs_are_folded_at_the_width_of_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "900")
    shown = [line.strip() for line in run(capsys, *name.split(), "--help").out.splitlines()]
    description, _, _ = inspect.cleandoc(COMMANDS[name].callback.__doc__).partition("\n\nExamples:")
    for paragraph in description.split("\n\n"):
        assert " ".join(paragraph.split()) in shown
    assert description.count("\n\n") == 0 or "" in shown


@pytest.mark.parametrize("name", ["scan", "undo", "catalog import", "list", "tag"])
def test_commands_that_write_a_catalogue_name_no_data_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    text = run(capsys, *name.split(), "--help").out
    (line,) = re.findall(r"--db +FILE.*", text)
    assert "File of the catalogue" in line
    assert ("of a data set" in line) == (name in ("list", "tag"))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    text = run(capsys, *name.split(), "--help").out
    assert "[[" not in text
    assert not re.search(r"<(bool|str|int|float|path|list.*)>", text)
    for line, sentence in COMMANDS[name].examples:
        assert f" {line}  " in text
        assert f" {sentence}  " in text


@pytest.mark.parametrize("name", COMMANDS)
def test_parameters_have_a_placeholder_and_a_sentence(name: str) -> None:
    for param in COMMANDS[name].params:
        assert param.help.endswith("."), param.name  # type: ignore[attr-defined]
        is_choice = getattr(param, "type_descriptor", None) and param.type_descriptor.is_choice
        if not (getattr(param, "is_flag", False) or is_choice):
            assert param.metavar in PLACEHOLDERS, param.name  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_valid(name: str) -> None:
    examples = COMMANDS[name].examples
    assert 2 <= len(examples) <= 4
    for line, sentence in examples:
        words = shlex.split(line.split(" > ")[0].split(" | ")[-1])
        assert words[: 1 + len(name.split())] == ["genrelens", *name.split()]
        parse(words[1:])
        assert re.fullmatch(r"[A-Z].*\.", sentence)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("classify x --top abc", "'--top' / '-n': must be a whole number"),
        ("classify x --top 0", "'--top' / '-n': must be at least 1"),
        ("list --min 2", "'--min': must be at most 1"),
        ("list --min x", "'--min': must be a number"),
        ("list --verdict x", "'--verdict': 'x' is not one of 'genre', 'changes', "),
    ],
)
def test_errors_of_values(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    message: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    result = run(capsys, *arguments.split())
    assert result.code == 2
    assert f"Invalid value for {message}" in result.err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("genrelens cla", ["classify"]),
        ("genrelens classify --tim", ["--timeline"]),
        ("genrelens classify --model mel", ["mel-cnn-lstm"]),
        ("genrelens list --format js", ["json", "jsonl"]),
        ("genrelens data s", ["split"]),
    ],
)
def test_completion_in_bash(words: str, found: list[str]) -> None:
    """The shell passes the words so far, and the index of the word to complete."""
    result = spawn(
        env={
            "_GENRELENS_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
    )
    assert (result.out.split(), result.err, result.code) == (found, "", 0)


def test_completion_script() -> None:
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # else that of the parent
    result = spawn("--show-completion", "bash", env=named)
    assert "complete -o default -F _genrelens_completion genrelens" in result.out
