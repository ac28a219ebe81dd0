"""The plugin of beets as users start it: the command ``beet``, with worker processes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("beets")

from mediafile import MediaFile

from support import synth
from support.processes import PATIENCE, group_lives, start, wait_until

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "how-to" / "beets.md").read_text()
BEET = [sys.executable, "-m", "beets"]

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with music to import, and the plugin on the path as an installation has it."""
    (tmp_path / "config.yaml").write_text(
        "{plugins: genrelens, directory: ~/music, library: ~/beets.db, "
        "import: {autotag: no}, genrelens: {jobs: 1}}"
    )
    paths = [str(ROOT / "plugins" / "beets"), str(ROOT / "src")]
    for name in ("HOME", "BEETSDIR", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.delenv("GENRELENS_DB", raising=False)
    for title in ("trance", "jazz-quartet", "static"):
        path = tmp_path / "Downloads" / "new" / title / "track.ogg"
        path.parent.mkdir(parents=True)
        if title == "static":
            path.write_bytes(synth.write(synth.noise(6, 16_000), 16_000, "OGG", "VORBIS"))
        else:
            shutil.copy(ROOT / "examples" / f"{title}.ogg", path)
        file = MediaFile(path)
        file.update({"title": title, "artist": "somebody", "album": title, "year": 1995})
        file.save()
    return tmp_path


def beet(*args: str) -> str:
    done = subprocess.run([*BEET, *args], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def guide_commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", GUIDE, flags=re.S | re.M)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("beet ")]


@pytest.mark.timeout(3 * PATIENCE)
def test_the_commands_of_the_guide(home: Path) -> None:
    commands = guide_commands()
    assert len(commands) >= 8
    outputs = {}
    for command in commands:
        words = [word.replace("~", str(home), 1) for word in shlex.split(command)]
        outputs[command] = beet(*words[1:])
    assert "trance: Electronic (genre, 0.9" in outputs[commands[1]]
    (found,) = (text for line, text in outputs.items() if line.endswith("genrelens_genres:jazz"))
    assert found == "somebody - jazz-quartet - jazz-quartet\n"
    beet("write")
    files = [MediaFile(path) for path in (home / "music").rglob("*.*")]
    assert {file.title: file.genres for file in files} == {
        "trance": ["Electronic"],
        "jazz-quartet": ["Jazz"],
        "static": ["Spoken"],  # set by the last command
    }
    assert (home / "genrelens" / "catalog.sqlite").exists()


def test_help(home: Path) -> None:
    assert "[-p] [-f] QUERY" in beet("genrelens", "-h")
    assert "predict genres from the audio" in beet("help")


def test_ctrl_c_ends_the_workers(home: Path) -> None:
    """A run that was stopped leaves no process, and the next run completes it."""
    settings = (home / "config.yaml").read_text()
    (home / "config.yaml").write_text(settings.replace("jobs: 1", "jobs: 1, auto: no"))
    beet("import", "-q", str(home / "Downloads"))
    run = start([*BEET, "genrelens"], stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert run.stderr is not None
    assert "-> " in run.stderr.readline()
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=PATIENCE)
    wait_until(lambda: not group_lives(run.pid))
    beet("genrelens")
    verdicts = beet("ls", "-f", "$title: $genrelens_verdict").splitlines()
    assert sorted(verdicts) == ["jazz-quartet: genre", "static: not music", "trance: genre"]
