"""Replaced files: written completely or not at all, with the right permissions."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from genrelens.data.folders import LabelledClip
from genrelens.data.splits import Split
from genrelens.errors import DataError
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.files import reason, replaced, replaced_path, sha256, write_text_atomically
from genrelens.library import Catalog, Plan, Policy, Query, export_playlists, write_plan
from support.library_folder import stored

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    former = os.umask(mask)
    try:
        yield
    finally:
        os.umask(former)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ----------------------------------------------------------------------------- permissions


def _table(path: Path) -> None:
    table = PredictionTable(
        labels=("a", "b"), clips=("x",), true=np.array([0]), probabilities=np.array([[0.5, 0.5]])
    )
    table.save(path)


def _split(path: Path) -> None:
    clips = (LabelledClip(Path("a.wav"), "x"), LabelledClip(Path("b.wav"), "x"))
    Split(protocol="file", clips=clips, rounds=(("train", "test"),)).save(path)


def _playlist(path: Path) -> None:
    with Catalog.open(path.with_name("catalog")) as catalog:
        catalog.record("/x", size=1, mtime_ns=1, digest="a", tags=None, prediction=stored())
        [written] = export_playlists(catalog, Query(), path.parent / "lists")
    written.replace(path)


def _exported(path: Path) -> None:
    from support.commands import command

    with Catalog.open(path.with_name("catalog")):
        pass
    arguments = command("list", "--db", path.with_name("catalog"), "--out", path, "-f", "csv")
    subprocess.run(arguments, check=True, timeout=240)


WRITERS: dict[str, Callable[[Path], None]] = {
    "text": lambda path: write_text_atomically(path, "text"),
    "plan": lambda path: write_plan(Plan(changes=(), policy=Policy()), path),
    "predictions": _table,
    "split": _split,
    "playlist": _playlist,
    "genrelens list": _exported,
}


@posix
@pytest.mark.parametrize("mask", [0o077, 0o022, 0o027])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_new_file_has_the_permissions_that_the_umask_allows(
    tmp_path: Path, writer: str, mask: int
) -> None:
    with umask(mask):
        WRITERS[writer](tmp_path / "new")
    assert mode(tmp_path / "new") == 0o666 & ~mask


@posix
@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o664])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, permissions: int) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(permissions)
    with umask(0o022), replaced(path) as file:
        file.write(b"new")
        [temporary] = set(tmp_path.iterdir()) - {path}
        assert mode(temporary) == permissions
    assert (mode(path), path.read_text()) == (permissions, "new")


# ------------------------------------------------------------------------------- replacing


def test_the_old_content_stays_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with replaced(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("no"), OSError(errno.ENOSPC, "No space left")])
def test_an_error_changes_nothing(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    expected = DataError if isinstance(error, OSError) else type(error)

    def fail() -> None:
        with replaced(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(expected):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def recorded_replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    write_text_atomically(tmp_path / "x", "text")
    assert done == (["file", "rename", "folder"] if os.name == "posix" else ["file", "rename"])


def test_a_name_of_maximum_length(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".csv")
    write_text_atomically(path, "text")
    assert path.read_text() == "text"


@posix
def test_the_target_of_a_symbolic_link_is_replaced(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "folder" / "target"
    target.parent.mkdir()
    link.symlink_to(target)
    for text in ("new", "newer"):
        write_text_atomically(link, text)
        assert link.is_symlink()
        assert target.read_text() == text


@posix
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from pathlib import Path\n"
            "from genrelens.files import write_text_atomically\n"
            "write_text_atomically(Path('/dev/stdout'), 'text')",
        ],
        capture_output=True,
        check=True,
        timeout=240,
    )
    assert done.stdout == b"text"


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "x"):
        with pytest.raises(DataError, match="cannot be written") as caught, replaced_path(path):
            pass
        assert str(caught.value).startswith(f"{path}: ")
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------- digests and reasons


def test_sha256(tmp_path: Path) -> None:
    """The test vector of FIPS 180-2."""
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    with pytest.raises(DataError, match="y: No such file") as caught:
        sha256(tmp_path / "y")
    assert caught.value.path == str(tmp_path / "y")


def test_the_reason_of_an_error() -> None:
    assert reason(OSError(errno.ENOENT, "No such file", "/x")) == "No such file"
    assert reason(OSError("only words")) == "only words"
    assert reason(ValueError("wrong")) == "wrong"
    assert reason(MemoryError()) == "MemoryError"
