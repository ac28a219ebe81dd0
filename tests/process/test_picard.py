"""The plugin of Picard: its use of the command, and the whole in a real Picard without a screen."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mutagen.oggvorbis import OggVorbis

from support.processes import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "plugins" / "picard" / "genrelens"
DRIVER = ROOT / "tests" / "support" / "picard_driver.py"
COMMAND = shlex.join([sys.executable, "-m", "genrelens"])
PICARD_PYTHON = os.environ.get("PICARD_PYTHON", "")

pytestmark = pytest.mark.slow


@pytest.fixture
def predicted_genres() -> Callable[..., dict[str, list[str]]]:
    spec = importlib.util.spec_from_file_location("picard_command", PLUGIN / "command.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., dict[str, list[str]]] = module.predicted_genres
    return function


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A recording with a genre, one that is not sure, and a damaged one."""
    monkeypatch.setenv("GENRELENS_DB", str(tmp_path / "catalog.sqlite"))
    paths = [str(tmp_path / name) for name in ("[1999] -trance*.ogg", "between.ogg", "bad.ogg")]
    shutil.copy(ROOT / "examples" / "trance.ogg", paths[0])
    shutil.copy(ROOT / "examples" / "between-genres.ogg", paths[1])
    Path(paths[2]).write_bytes(b"OggS, no longer")
    return paths


def test_the_genres_that_the_command_predicts(predicted_genres: Any, music: list[str]) -> None:
    before = [Path(path).read_bytes() for path in music]
    found = predicted_genres(music, command=COMMAND, max_genres=2, fast=True)
    assert found == {music[0]: ["Electronic", "Dance"]}
    assert [Path(path).read_bytes() for path in music] == before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/no/such/genrelens", "/no/such/genrelens cannot be run: No such file"),
        (shlex.join([sys.executable, "-c", "raise SystemExit(3)"]), "failed: no message"),
        (f"{COMMAND} --unknown", "failed: .*"),
    ],
)
def test_a_command_that_fails(
    predicted_genres: Any, music: list[str], command: str, message: str
) -> None:
    with pytest.raises(RuntimeError, match=message):
        predicted_genres(music, command=command)
    assert predicted_genres([], command=command) == {}


@pytest.mark.skipif(
    not PICARD_PYTHON, reason="PICARD_PYTHON is not set: the Python of an environment with Picard 3"
)
@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("command", [COMMAND, "/no/such/genrelens"])
def test_in_picard(tmp_path: Path, music: list[str], command: str) -> None:
    """Files are loaded, the action is run, and the changed files are saved."""
    home, files = tmp_path / "home", music[:2]
    shutil.copytree(PLUGIN, home / "plugins" / "genrelens")
    (home / "picard.ini").write_text("[setting]\nbrowser_integration=false\n")
    options = {"command": command, "max_genres": 2}
    settings = {"files": files, "options": options, "result": str(home / "result.json")}
    (home / "settings.json").write_text(json.dumps(settings))
    folders = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")
    done = subprocess.run(
        [PICARD_PYTHON, str(DRIVER), str(home / "settings.json")],
        env={
            **os.environ,
            **dict.fromkeys(folders, str(home)),
            "PICARD_PLUGIN_DIR": str(home / "plugins"),
            "QT_QPA_PLATFORM": "offscreen",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads((home / "result.json").read_text())
    assert outcome["errors"] == []  # of the manifest
    if command == COMMAND:
        assert outcome["messages"][1] == "genrelens: 1 of 2 files got genres"
        assert outcome["shown"] == {files[0]: ["Electronic", "Dance"], files[1]: []}
        assert OggVorbis(files[0])["genre"] == ["Electronic", "Dance"]
    else:
        assert "/no/such/genrelens cannot be run: No such file" in outcome["messages"][1]
        assert (outcome["saved"], outcome["shown"]) == (0, {path: [] for path in files})
