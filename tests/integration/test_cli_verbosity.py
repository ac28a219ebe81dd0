"""``--verbose`` and ``--quiet``, and the log messages of the library."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from genrelens import Classifier
from genrelens.model_file import model_digest
from support import synth, tiny
from support.commands import run
from support.sparse import empty_wav

CLICKS = "music/b/clicks.wav"
LINE = re.compile(r" *[\d.]+ s  (\w[\w.]*): (.*)")


def cut_off() -> str:
    """Write a recording that is cut off, which is decoded with a warning."""
    content = synth.write(tiny.sound("noise", 4), tiny.RATE)
    Path("cut.wav").write_bytes(content[: len(content) // 2])
    return "cut.wav"


@pytest.mark.parametrize(
    "arguments",
    [["-v", "classify", CLICKS], ["classify", CLICKS, "--verbose"], ["classify", "-v", CLICKS]],
)
def test_verbose(
    capsys: pytest.CaptureFixture[str], music: Path, model: Path, arguments: list[str]
) -> None:
    result = run(capsys, *arguments, "--model", model)
    (line,) = result.err.splitlines()
    match = LINE.fullmatch(line)
    assert match
    assert match[1] == "model_file"
    assert f"loaded model {model}, SHA-256 {model_digest(model)[:16]}, in 0." in match[2]
    assert result.out == run(capsys, "classify", CLICKS, "--model", model).out


def test_more_verbose(capsys: pytest.CaptureFixture[str], music: Path, model: Path) -> None:
    Path("a\nb\x1b[31m.wav").write_bytes(Path(CLICKS).read_bytes())
    for option in (["-vv"], ["-v", "-v"], ["--verbose", "--verbose"]):
        result = run(capsys, "classify", "a\nb\x1b[31m.wav", "--model", model, *option)
        events = [match[1] for match in map(LINE.fullmatch, result.err.splitlines()) if match]
        assert events == ["model_file", "decoders.reading"]
        assert r"a\x0ab\x1b[31m.wav: " in result.err
        assert "the last by libsndfile" in result.err


def test_quiet(capsys: pytest.CaptureFixture[str], music: Path, model: Path) -> None:
    """Warnings and notes are not shown; results, errors and the exit code are."""
    (music / "notes.txt").write_text("skipped")
    arguments = ["classify", "--model", model, cut_off(), "music", "gone.wav"]
    loud, quiet = run(capsys, *arguments), run(capsys, *arguments, "-q")
    assert quiet.out == loud.out
    assert quiet.code == loud.code == 1
    kinds = {line.split(":")[0] for line in loud.err.splitlines()}
    assert {"warning", "error", "skipped files without an audio extension"} <= kinds
    errors = [line for line in loud.err.splitlines() if line.startswith("error: ")]
    assert quiet.err.splitlines() == errors
    assert run(capsys, "--quiet", *arguments).err == quiet.err


def test_one_command_does_not_affect_the_next(
    capsys: pytest.CaptureFixture[str], music: Path, model: Path
) -> None:
    plain = run(capsys, "classify", cut_off(), "--model", model)
    run(capsys, "classify", CLICKS, "--model", model, "-q")
    run(capsys, "classify", CLICKS, "--model", model, "-vv")
    assert run(capsys, "classify", "cut.wav", "--model", model).err == plain.err
    assert plain.err.startswith("warning: ")
    kinds = [type(handler) for handler in logging.getLogger("genrelens").handlers]
    assert logging.NullHandler in kinds
    assert "Handler" not in [kind.__name__ for kind in kinds]


def test_the_library_logs(music: Path, model: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "genrelens")
    Classifier.load(model).classify(CLICKS)
    names = [record.name for record in caplog.records]
    assert names == ["genrelens.model_file", "genrelens.decoders.reading"]


def test_the_library_prints_nothing(
    music: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Classifier.load(model).classify(CLICKS)
    assert capsys.readouterr() == ("", "")


def test_scan_and_tag(
    capsys: pytest.CaptureFixture[str],
    music: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("GENRELENS_DB", str(tmp_path / "c.sqlite"))
    monkeypatch.setenv("GENRELENS_JOURNAL", str(tmp_path / "j.sqlite"))
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "a.wav").write_bytes(Path(CLICKS).read_bytes())
    empty_wav(folder / "silence.wav", 2)
    scanned = run(capsys, "scan", folder, "-m", model, "-j1", "-vv")
    assert "worker_pool: starting 1 worker process" in scanned.err
    assert f"library.scan: {folder}/a.wav: analysed" in scanned.err
    assert f"model_file: loaded model {model}, SHA-256" in scanned.err  # in a worker
    assert f"decoders.reading: {folder}/a.wav: " in scanned.err
    assert "worker_pool: the worker processes ended" in scanned.err
    again = run(capsys, "scan", folder, "-m", model, "-j1", "-vv")
    assert f"library.scan: {folder}/a.wav: unchanged" in again.err
    written = run(capsys, "tag", folder, "--min-confidence", "0", "--apply", "--yes", "-v")
    assert f"library.tagging.apply: {folder}/a.wav: (none) -> clicks" in written.err
