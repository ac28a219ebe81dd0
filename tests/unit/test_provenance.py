"""Provenance of figures."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy
import pytest

from genrelens import __version__
from genrelens.data.folders import LabelledClip
from genrelens.evaluation.provenance import data_fingerprint, environment, git_commit


def test_fingerprint_is_of_content_and_label(tmp_path: Path) -> None:
    def clip(name: str, content: bytes, label: str) -> LabelledClip:
        (tmp_path / name).write_bytes(content)
        return LabelledClip(tmp_path / name, label)

    one, two = clip("1", b"one", "jazz"), clip("2", b"two", "pop")
    known = data_fingerprint([one, two])
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("one", "two")}
    rows = sorted([f"{digests['one']} jazz", f"{digests['two']} pop"])
    assert known == hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]
    assert data_fingerprint([two, clip("other name", b"one", "jazz")]) == known
    others = [
        [one],
        [one, two, two],
        [one, LabelledClip(two.path, "rock")],
        [one, clip("3", b"2", "pop")],
    ]
    found = [data_fingerprint(clips) for clips in others]
    assert len({known, *found}) == 5


def test_environment() -> None:
    found = environment()
    assert found["genrelens"] == __version__
    assert found["versions"]["numpy"] == numpy.__version__


# ------------------------------------------------------------------------------------- git


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one package, and another one that is only installed in it."""
    for name in ("package", "installed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text("x = 1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "package")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_commit_of_a_checkout(checkout: Path) -> None:
    module = checkout / "package" / "module.py"
    head = git(checkout, "rev-parse", "HEAD")
    assert git_commit(module) == head
    (checkout / "package" / "new.py").touch()
    assert git_commit(module) == head
    module.write_text("x = 2\n")
    assert git_commit(module) == f"{head} with changes"


def test_an_installed_package_has_no_commit(checkout: Path, tmp_path: Path) -> None:
    assert git_commit(checkout / "installed" / "module.py") is None


def test_no_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_commit(checkout / "package" / "module.py") is None
