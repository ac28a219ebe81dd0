"""Progress: lines in a log, within one recording, and notes about what a command waits for."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from genrelens import Classifier
from genrelens.cli import console
from genrelens.cli.console import Bar, clock, progress, shell_word
from support import synth
from support.commands import run, spawn


class Clock:
    """Stands in for the clock of the progress lines."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock_of_lines(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(console, "time", made)
    return made


def test_a_short_run_writes_no_line(
    clock_of_lines: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Scanning", 100) as bar:
        for _ in range(100):
            clock_of_lines.now += 0.59
            bar()
    assert capsys.readouterr().err == ""


def test_a_long_run_writes_a_line_for_each_twentieth(
    clock_of_lines: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Scanning", 1000) as bar:
        bar(100)  # what is unchanged takes no time
        for n in range(900):
            clock_of_lines.now += 4
            bar(note=f"{101 + n}/1000 files")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 17
    assert lines[0] == "Scanning: 16 %, 158/1000 files, about 56 min left"
    assert lines[-1] == "Scanning: 96 %, 958/1000 files, about 3 min left"


def test_a_slow_run_writes_a_line_every_ten_minutes(
    clock_of_lines: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Scanning", 1000) as bar:
        for _ in range(30):
            clock_of_lines.now += 240
            bar()
    lines = capsys.readouterr().err.splitlines()
    assert 8 <= len(lines) <= 12
    assert all(re.fullmatch(r"Scanning: \d %, about \d\d h \d+ min left", line) for line in lines)


def test_no_lines_without_progress(
    clock_of_lines: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("Scanning", 2, shown=False) as bar:
        clock_of_lines.now += 1e4
        bar()
    assert capsys.readouterr().err == ""


def test_times_and_words_of_the_shell() -> None:
    assert [clock(seconds) for seconds in (5, 65.9, 3725)] == ["0:05", "1:05", "1:02:05"]
    assert shell_word("/a b/c'd") == "'/a b/c'\"'\"'d'"
    assert shell_word(os.fsdecode(b"caf\xe9\n'\\")) == r"$'caf\xe9\x0a\'\\'"


def test_odd_words_are_read_by_the_shell(tmp_path: Path) -> None:
    for name in (os.fsdecode(b"caf\xe9"), "a\nb", "\u202eabc", "-'\\\t", "\x01f"):
        line = f"LC_ALL=C.UTF-8 printf %s {shell_word(name)}"
        printed = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout
        assert printed == os.fsencode(name)


# --------------------------------------------------------------- within a recording


class Steps(Bar):
    """A bar that stores how far it is."""

    def __init__(self) -> None:
        super().__init__()
        self.done = [0.0]
        self.notes: list[str] = []

    def __call__(self, n: float = 1, note: str | None = None) -> None:
        self.done.append(self.done[-1] + n)
        self.notes += [] if note is None else [note]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    from genrelens.cli import classify as module

    made = Steps()

    @contextmanager
    def shown(*_: Any, shown: bool = True) -> Any:
        assert shown
        yield made

    monkeypatch.setattr(module, "progress", shown)
    return made


def test_progress_within_a_long_recording(
    capsys: pytest.CaptureFixture[str], model: Path, steps: Steps, tmp_path: Path
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(synth.write(synth.sine(440, 310, 4000), 4000))
    assert run(capsys, "classify", path, "-m", model, "--top", "1").code == 0
    assert len(steps.done) > 5
    assert steps.done == sorted(steps.done)
    assert steps.done[-1] == pytest.approx(1)
    assert all(re.fullmatch(r"\d:\d\d of 5:10", note) for note in steps.notes)


def test_progress_of_several_recordings_counts_each_once(
    capsys: pytest.CaptureFixture[str], model: Path, steps: Steps, tmp_path: Path
) -> None:
    for name, seconds in (("a", 95), ("b", 1), ("c", 40)):
        sound = synth.write(synth.sine(440, seconds, 4000), 4000)
        (tmp_path / f"{name}.wav").write_bytes(sound)
    (tmp_path / "d.wav").write_bytes(b"no music")
    arguments = [tmp_path / f"{name}.wav" for name in "abcde"]
    assert run(capsys, "classify", *arguments, "-m", model, "-j", "2", "--json").code == 1
    assert steps.done[-1] == pytest.approx(5)
    assert len(steps.done) > 6  # with steps within a recording
    assert steps.notes == []


def test_classify_many_reports_each_source(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(synth.write(synth.sine(440, 65, 4000), 4000))
    found: list[tuple[Any, float, float]] = []
    classifier = Classifier.load(model)
    [(_, result)] = classifier.classify_many(
        [path],
        on_progress=lambda source, so_far: found.append((source, so_far.heard, so_far.duration)),
    )
    assert {source for source, _, _ in found} == {path}
    assert [heard for _, heard, _ in found] == sorted(heard for _, heard, _ in found)
    assert found[-1][1:] == (result.heard, result.duration)  # type: ignore[union-attr]
    assert len(found) > 2


# ------------------------------------------------------------------------------ notes


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_named_pipe_is_noted(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    sound = synth.write(synth.sine(440, 2, 4000), 4000)
    writer = threading.Thread(target=pipe.write_bytes, args=(sound,))
    writer.start()
    result = run(capsys, "classify", pipe, "-m", model, "--top", "1")
    writer.join()
    assert (result.code, result.err) == (
        0,
        f"note: {pipe}: is a pipe; waiting for a program that writes to it\n",
    )


def test_tables_in_a_pipe_have_no_padding() -> None:
    for arguments in (["models"], ["models", "lens"]):
        result = spawn(*arguments)
        assert result.code == 0
        assert [line for line in result.out.splitlines() if line != line.rstrip()] == []
