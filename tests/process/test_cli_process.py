"""The command as a process: exit codes, streams, pipes, terminals and Ctrl-C."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from genrelens.cli.console import print_json
from support import synth, tiny
from support.commands import as_seen, at_terminal, command, spawn
from support.processes import PATIENCE, start
from support.sparse import empty_wav

CLICKS = "music/b/clicks.wav"


def shell(script: str, model: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which $GENRELENS is the command and $MODEL the model."""
    environment = {
        **os.environ,
        "GENRELENS": " ".join(command()),
        "MODEL": str(model),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment, timeout=PATIENCE
    )


def test_results_and_errors_go_to_different_streams(music: Path, model: Path) -> None:
    result = spawn("classify", "-m", model, CLICKS, "text.mp3", "--json", "-j", "2")
    assert result.code == 1
    assert [document["path"] for document in json.loads(result.out)] == [CLICKS, "text.mp3"]
    assert result.err.count("\n") == len(re.findall("^error: ", result.err, re.M)) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["classify", CLICKS], 0),
        (["classify", "gone.wav"], 1),
        (["evaluate", "gone"], 2),
        (["classify", CLICKS, "--model", "gone"], 3),
    ],
)
def test_exit_codes(music: Path, model: Path, arguments: list[str], code: int) -> None:
    chosen = [] if "--model" in arguments else ["--model", str(model)]
    result = spawn(*arguments, *chosen)
    assert result.code == code
    assert "Traceback" not in result.err


def test_a_recording_from_a_pipe(music: Path, model: Path) -> None:
    done = shell(f"cat {CLICKS} | $GENRELENS classify -m $MODEL - --json", model)
    (document,) = json.loads(done.stdout)
    assert (document["path"], document["genre"]) == ("<stdin>", "clicks")


@pytest.mark.parametrize("option", ["", "--csv", "--json"])
def test_reader_closes_the_pipe(music: Path, model: Path, option: str) -> None:
    """As ``head`` does. The command ends with exit code 141 and without a traceback."""
    script = f"$GENRELENS classify -m $MODEL {CLICKS} {CLICKS} {option} | (exec <&-; sleep 0.1)"
    done = shell(f"{script}; exit ${{PIPESTATUS[0]}}", model)
    assert (done.returncode, done.stderr) == (141, "")


def test_full_disk(music: Path, model: Path) -> None:
    done = shell(f"$GENRELENS classify -m $MODEL {CLICKS} --csv > /dev/full", model)
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


@pytest.mark.parametrize("option", ["", "--csv"])
def test_closed_streams(music: Path, model: Path, option: str) -> None:
    done = shell(f"$GENRELENS classify -m $MODEL {CLICKS} {option} >&- 2>&-", model)
    assert done.returncode == 0


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_names_that_the_output_cannot_encode(music: Path, model: Path, encoding: str) -> None:
    """Undecodable bytes and text that is not ASCII raise no exception."""
    for name in ("caf\udce9.wav", "日本.wav"):
        (music / "empty" / name).write_bytes(synth.write(tiny.sound("noise", 1), tiny.RATE))
    env = {"LC_ALL": "C", "PYTHONIOENCODING": encoding}
    result = spawn("classify", "-m", model, "music/empty", "--csv", env=env)
    assert (result.code, result.err) == (0, "")
    paths = [row["path"] for row in csv.DictReader(result.out.splitlines())]
    japanese = "日本" if encoding == "utf-8" else r"\u65e5\u672c"
    assert paths == [r"music/empty/caf\udce9.wav", f"music/empty/{japanese}.wav"]
    assert spawn("classify", "-m", model, "music/empty", env=env).code == 0


def test_c_libraries_print_nothing(music: Path, model: Path) -> None:
    """libmpg123 writes to standard error itself, not through Python."""
    content = bytearray(synth.write(synth.noise(6, 22_050), 22_050, "MP3"))
    middle = len(content) // 2
    content[middle : middle + 3000] = os.urandom(3000)
    Path("torn.mp3").write_bytes(content)
    result = spawn("classify", "-m", model, "torn.mp3")
    assert result.code == 0
    assert [line.partition(":")[0] for line in result.err.splitlines()] in ([], ["warning"])


def test_nothing_is_written_to_the_working_directory(music: Path, model: Path) -> None:
    before = sorted(Path().rglob("*"))
    spawn("classify", "-m", model, "music", "--json")
    assert sorted(Path().rglob("*")) == before


# ------------------------------------------------------------------------------- start-up


IMPORTED = """
import atexit, pathlib, sys
atexit.register(lambda: pathlib.Path("imported").write_text(" ".join(sys.modules)))
from genrelens.__main__ import main
main()
"""


def imported(*arguments: str | Path) -> set[str]:
    """The packages that a command has imported at its end."""
    program = [sys.executable, "-c", IMPORTED, *map(str, arguments)]
    subprocess.run(program, capture_output=True, timeout=PATIENCE)
    return {name.partition(".")[0] for name in Path("imported").read_text().split()}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["-h"], []])
def test_version_and_overview_import_no_library(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal shows them at once: they need 20 ms, and 600 ms with the libraries."""
    monkeypatch.chdir(tmp_path)
    found = imported(*arguments)
    assert "genrelens" in found
    assert found & {"typer", "rich", "numpy", "pydantic", "logging", "asyncio"} == set()


def test_classify_imports_what_it_needs(music: Path, model: Path) -> None:
    found = imported("classify", "-m", model, CLICKS)
    assert {"numpy", "onnxruntime", "soundfile"} <= found
    unused = {"pydantic", "pebble", "multiprocessing", "sqlite3", "mutagen", "jinja2", "av"}
    assert found & unused == set()


def test_overview_at_a_terminal() -> None:
    """It has colours, and is as wide as the terminal."""
    screen = at_terminal(command("--help"), width=60).read()
    assert "\x1b[1;36mclassify \x1b[0m" in screen
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in screen.splitlines()]
    assert {len(line) for line in lines if line[:1] in ("╭", "│", "╰")} == {60}


def test_quiet_at_a_terminal_shows_no_progress(music: Path, model: Path) -> None:
    written = at_terminal(command("classify", "-q", "-m", model, "music", "text.mp3")).read()
    assert "Classifying" not in written
    assert "error: text.mp3: " in written


def test_log_messages_beside_progress(music: Path, model: Path) -> None:
    lines = as_seen(at_terminal(command("classify", "-vv", "-m", model, "music")).read())
    assert not any("Classifying" in line for line in lines)
    assert sum("s decoded, the last by libsndfile" in line for line in lines) == 3


LOGS_OF_ANOTHER_THREAD = """
import threading
from genrelens.cli.console import out, print_log, progress

def write_logs():
    while not finished.wait(0.0005):
        print_log("a message")

finished = threading.Event()
thread = threading.Thread(target=write_logs)
with progress("Classifying", 100) as bar:
    thread.start()
    for number in range(100):
        bar(1)
        with bar.hidden():
            out.print(f"result {number}")
    finished.set()
    thread.join()
"""


def test_log_messages_of_another_thread_beside_progress() -> None:
    """A message that is written while the bar comes or goes leaves no part of it behind."""
    lines = as_seen(at_terminal([sys.executable, "-c", LOGS_OF_ANOTHER_THREAD]).read())
    assert [line for line in lines if "result" in line] == [f"result {n}" for n in range(100)]
    assert "a message" in lines
    assert not any("Classifying" in line for line in lines)


# ------------------------------------------------------------------------------- terminal


def test_colours_and_blocks_at_a_terminal(music: Path, model: Path) -> None:
    screen = at_terminal(command("classify", "-m", model, CLICKS)).read()
    assert "The predicted genre is: \x1b[1;32mclicks\x1b[0m" in screen
    assert "\x1b[32m  ████████" in screen


def test_no_color(music: Path, model: Path) -> None:
    screen = at_terminal(command("classify", "-m", model, CLICKS), NO_COLOR="1").read()
    assert "████████" in screen
    assert not re.search(r"\x1b\[[\d;]*3\dm", screen)


@pytest.mark.parametrize("width", [25, 40])
def test_narrow_terminals(music: Path, model: Path, width: int) -> None:
    screen = at_terminal(command("classify", "-m", model, CLICKS), width=width).read()
    bars = as_seen(screen)[2:-1]
    assert [bar.split()[0] for bar in bars][:1] == ["clicks"]
    assert len(bars) == 3
    assert all(len(bar) <= width for bar in bars)


def test_progress_beside_results_at_a_terminal(music: Path, model: Path) -> None:
    """The bar is hidden before each result and leaves no trace."""
    written = at_terminal(command("classify", "-m", model, "music", "text.mp3")).read()
    assert "Classifying" in written
    lines = as_seen(written)
    assert not any("Classifying" in line for line in lines)
    verdicts = [line for line in lines if line.startswith("The predicted genre is: ")]
    assert [verdict.split()[-1] for verdict in verdicts] == ["noise", "clicks", "chords"]
    assert lines[-2] == "error: 1 of 4 recordings could not be classified"


@pytest.mark.parametrize("option", ["", "--csv", "--json"])
def test_results_in_a_file_while_progress_is_at_a_terminal(
    music: Path, model: Path, option: str
) -> None:
    arguments = command("classify", "-m", model, "music", *option.split())
    with Path("results").open("wb") as results:
        screen = at_terminal(arguments, stdout=results.fileno()).read()
    assert "Classifying" in screen
    assert "noise.wav" not in screen
    content = Path("results").read_text()
    assert all(f"{genre}.wav" in content for genre in tiny.GENRES)
    assert "\x1b" not in content


# --------------------------------------------------------------------------------- Ctrl-C


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c(music: Path, model: Path, jobs: str) -> None:
    """The command stops within a recording: each lasts two days and takes minutes to classify."""
    for name in ("a", "b", "c"):
        empty_wav(music / "empty" / f"{name}.wav", 48 * 3600)
    running = at_terminal(command("classify", "-m", model, "music/empty", "--json", "-j", jobs))
    before = running.read(until=b"Classifying")
    assert running.ctrl_c() < 10
    assert running.process.returncode == 130
    after = running.read()
    assert "Traceback" not in before + after
    assert "[" not in re.sub(r"\x1b\[", "", after)  # no half of a JSON document
    assert "\x1b[?25h" in after  # the cursor is back


@pytest.mark.parametrize(
    "module", ["rich", "typer", "genrelens.errors", "numpy", "onnxruntime.capi"]
)
def test_ctrl_c_while_modules_are_imported(module: str) -> None:
    """The signal is sent when Python reports the import of a module on standard error."""
    program, *arguments = command("classify", "x")
    running = start(
        [program, "-X", "importtime", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if line.rpartition("|")[2].strip() == module:
            break
    else:
        pytest.fail(f"{module} is not imported")
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    assert running.wait(PATIENCE) == 130
    assert "Traceback" not in rest


FAILS_AT_THE_END = """
import signal
import genrelens.cli
from genrelens.__main__ import main

def run():
    try:
        if {interrupted}:
            signal.raise_signal(signal.SIGINT)
    finally:
        raise RuntimeError("release unlocked lock")

genrelens.cli.main = run
main()
"""


@pytest.mark.parametrize("interrupted", [True, False])
def test_an_error_after_ctrl_c_is_no_error(interrupted: bool) -> None:
    program = FAILS_AT_THE_END.format(interrupted=interrupted)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == (130 if interrupted else 1)
    assert ("release unlocked lock" in done.stderr) == (not interrupted)


def test_ctrl_c_while_waiting_for_a_pipe(music: Path, model: Path) -> None:
    os.mkfifo("pipe")
    running = at_terminal(command("classify", "-m", model, "pipe", CLICKS, "-j", "2"))
    running.read(until=b"Classifying")
    running.ctrl_c()  # it would wait forever
    assert running.process.returncode == 130
    running.read()


# ----------------------------------------------------------------------------------- JSON


def test_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        print_json([float("nan")])


def test_json_lists_of_numbers_are_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"rows": [[1, 2.5, None], [-1e-9, True, 3]], "text": ["[\n 1\n]", "a"], "empty": []}
    print_json(value)
    text = capsys.readouterr().out
    assert json.loads(text) == value
    assert "  [ 1, 2.5, null ],\n" in text


def test_no_telemetry_files(tmp_path: Path) -> None:
    """onnxruntime would write its telemetry to the folder for temporary files."""
    clip = Path(__file__).parents[2] / "examples" / "disco-groove.ogg"
    for folder in ("cwd", "tmp", "home"):
        (tmp_path / folder).mkdir()
    places = {"TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "home")}
    result = spawn("classify", clip, cwd=tmp_path / "cwd", env=places)
    assert result.code == 0, result.err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
