"""Run every command and the Python code of the README."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from support.processes import PATIENCE, start

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()

# Run by .ci/run (the first three lines), or not at all in a test: a download of 1.2 GB.
ELSEWHERE = ("make demo", "make test", "pip install", "pipx install", "uvx ")
DOWNLOADS = ("genrelens data gtzan",)
MAY_REFUSE = "genrelens calibrate"  # the model may be calibrated already, as far as six clips show


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.S | re.M)


def commands() -> list[str]:
    lines = [line.split(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line]


def runnable(command: str) -> bool:
    return not command.startswith(ELSEWHERE + DOWNLOADS) and "~/gtzan" not in command


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with the examples, music, and a data set of two genres."""
    home = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", home / "examples")
    shutil.copytree(ROOT / "examples", home / "Music")
    rate, seconds = 22_050, 2.5
    time = np.arange(int(rate * seconds)) / rate
    rng = np.random.default_rng(0)
    for genre in ("drone", "noise"):
        folder = home / "my-genres" / genre
        folder.mkdir(parents=True)
        for number in range(3):
            tone = np.sin(2 * np.pi * (110 + 20 * number) * time)
            sf.write(
                folder / f"{number}.wav",
                0.3 * (tone if genre == "drone" else rng.standard_normal(len(time))),
                rate,
            )
    return home


def test_every_command_is_run_here_or_in_ci() -> None:
    assert len(commands()) > 15
    known = (*ELSEWHERE, *DOWNLOADS, "genrelens ", "cat ", "curl ")
    assert [c for c in commands() if not c.startswith(known)] == []
    ci = (ROOT / ".ci" / "run").read_text()
    words = ("--silent demo", "--silent test", "pip install", 'pipx" install', 'uvx" --quiet')
    assert [word for word in words if word not in ci] == []


@pytest.mark.timeout(10 * PATIENCE)
def test_commands_run(workplace: Path) -> None:
    """In the order of the README, because some commands use the files of others."""
    environment = {
        **os.environ,
        "HOME": str(workplace),
        "OMP_NUM_THREADS": "2",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    address = ""
    for command in filter(runnable, commands()):
        if command == "genrelens serve":
            address = _serve(environment, workplace)
            continue
        command = command.replace("127.0.0.1:8000", address)
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command}"],
            cwd=workplace,
            env=environment,
            capture_output=True,
            text=True,
        )
        allowed = (0, 1) if command.startswith(MAY_REFUSE) else (0,)
        assert done.returncode in allowed, f"{command}\n{done.stdout}\n{done.stderr}"
    for made in (
        "bars.png",
        "look.png",
        "runs/mel-cnn-lstm/model.onnx",
        "report/index.html",
        "folds.csv",
        "playlists/jazz.m3u8",
        "genrelens.xml",
        "audit.html",
        "plan.jsonl",
    ):
        assert (workplace / made).stat().st_size > 50


def _serve(environment: dict[str, str], workplace: Path) -> str:
    """Start the server, wait until it listens, and return its host and port."""
    server = start(
        ["genrelens", "serve", "--port", "0"],
        cwd=workplace,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stderr is not None
    greeting = server.stderr.readline()
    assert greeting.startswith("Listening on http://127.0.0.1:"), greeting
    return greeting.split("//")[1].split()[0].rstrip("/")


def test_demonstration_shows_the_real_output(workplace: Path) -> None:
    (shown,) = re.findall(r"^```\n\$ (.*?)\n(.*?)^```$", README, flags=re.S | re.M)
    command = [sys.executable, "-m", *shlex.split(shown[0])]
    done = subprocess.run(command, cwd=workplace, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == shown[1].splitlines()[1]
    assert "The predicted genre is: electronic" in shown[1]


def test_python_runs(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
