"""Download of GTZAN, with a small archive from a local server."""

import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from genrelens.data import download, gtzan
from genrelens.data.gtzan import Archive, GtzanReport, Progress, Step, fetch_gtzan
from genrelens.errors import DataError
from support import mirror as answers
from support import synth
from support.mirror import Mirror


def clip(frequency: float, form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, synth.sine(frequency, 0.2, 22_050), 22_050, format=form)
    return file.getvalue()


GOOD = {
    "blues/blues.00001.wav": clip(330),
    "blues/blues.00000.wav": clip(220),
    "hiphop/hiphop.00000.wav": clip(440),
}
BAD = {
    "jazz/jazz.00053.wav": b"",
    "jazz/jazz.00054.wav": bytes(range(256)) * 40,
    "jazz/jazz.00055.wav": clip(550)[:44],  # a header and no sound
}
CLIPS = BAD | GOOD  # not in the order of their names


def packed(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def archive_of(clips: dict[str, bytes], outside: Path) -> bytes:
    """Pack the clips with members that must not be unpacked; links lead to ``outside``."""
    odd = [
        (member("genres", tarfile.DIRTYPE), b""),
        (member("genres/blues/._blues.00000.wav"), b"Mac OS X"),
        (member("._genres"), b"Mac OS X"),
        (member("genres/README.txt"), b"text"),
        (member("genres/blues/notes.mf"), b"text"),
        (member("../up.wav"), b"bad"),
        (member("genres/../up.wav"), b"bad"),
        (member("genres/blues/../../../up.wav"), b"bad"),
        (member(f"{outside}/absolute.wav"), b"bad"),
        (member("genres/blues/link.wav", tarfile.SYMTYPE, f"{outside}/secret"), b""),
        (member("genres/blues/hard.wav", tarfile.LNKTYPE, "genres/blues/blues.00000.wav"), b""),
        (member("genres/blues/pipe.wav", tarfile.FIFOTYPE), b""),
        (member("genres/rock", tarfile.SYMTYPE, str(outside)), b""),
        (member("genres/blues/blues.00000.wav", tarfile.SYMTYPE, f"{outside}/victim"), b""),
    ]
    plain = [(member(f"genres/{name}"), content) for name, content in clips.items()]
    return packed(odd + plain)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture
def mirror(outside: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(download, "_BLOCK_BYTES", 4096)
    monkeypatch.setattr(download, "_DELAYS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Mirror(archive_of(CLIPS, outside)).running() as running:
        yield running


@pytest.fixture
def archive(mirror: Mirror) -> Archive:
    return archive_at(mirror.url, mirror.content)


def archive_at(url: str, content: bytes) -> Archive:
    return Archive(url, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "gtzan"


def tree(folder: Path) -> set[str]:
    """Return all files below a folder, also hidden ones."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def stop_at(step: Step, done_at_least: int) -> Progress:
    """Press Ctrl-C in a step."""

    def progress(now: Step, done: int, _: int) -> None:
        if now == step and done >= done_at_least:
            raise KeyboardInterrupt

    return progress


# ------------------------------------------------------------------------------- the good way


def test_the_clips_and_nothing_else_reach_the_disk(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    report = fetch_gtzan(folder, archive=archive)
    assert report.folder == folder / "genres"
    assert tree(folder) == {"genres/.genrelens.json"} | {f"genres/{name}" for name in CLIPS}
    for name, content in CLIPS.items():
        assert (report.folder / name).read_bytes() == content
        assert not (report.folder / name).is_symlink()
    assert tree(tmp_path / "outside") == {"secret"}
    assert {path.name for path in tmp_path.rglob("up.wav")} == set()
    assert {path.name for path in tmp_path.iterdir()} == {"outside", "data"}


def test_the_report_separates_readable_and_unreadable(archive: Archive, folder: Path) -> None:
    report = fetch_gtzan(folder, archive=archive)
    assert report.clips == tuple(report.folder / name for name in sorted(GOOD))
    assert list(report.unreadable) == [report.folder / name for name in sorted(BAD)]
    for path, reason in report.unreadable.items():
        assert str(path) in reason
    assert not report.already_there


def test_the_progress_ends_each_step_at_its_total(archive: Archive, folder: Path) -> None:
    told: dict[Step, list[tuple[int, int]]] = {}
    fetch_gtzan(
        folder,
        archive=archive,
        progress=lambda step, done, total: told.setdefault(step, []).append((done, total)),
    )
    assert list(told) == ["download", "verify", "unpack", "check"]
    for step in ("download", "verify", "unpack"):
        assert told[step][-1] == (archive.size, archive.size)
    assert told["check"] == [(n + 1, len(CLIPS)) for n in range(len(CLIPS))]
    for calls in told.values():
        assert [done for done, _ in calls] == sorted(done for done, _ in calls)
        assert all(0 <= done <= total for done, total in calls)


def test_a_second_call_downloads_nothing_and_reports_the_same(
    archive: Archive, mirror: Mirror, folder: Path
) -> None:
    first = fetch_gtzan(folder, archive=archive)
    before = {name: (folder / name).stat().st_mtime_ns for name in tree(folder)}
    second = fetch_gtzan(folder, archive=archive)
    assert len(mirror.ranges) == 1
    assert second == GtzanReport(first.folder, first.clips, first.unreadable, already_there=True)
    assert {name: (folder / name).stat().st_mtime_ns for name in tree(folder)} == before


def test_an_empty_genres_folder_is_replaced(archive: Archive, folder: Path) -> None:
    (folder / "genres").mkdir(parents=True)
    assert len(fetch_gtzan(folder, archive=archive).clips) == len(GOOD)


# ---------------------------------------------------------------------------- what breaks off


def test_the_download_resumes_after_ctrl_c(archive: Archive, mirror: Mirror, folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch_gtzan(folder, archive=archive, progress=stop_at("download", 8192))
    assert tree(folder) == {archive.part_name}
    fetch_gtzan(folder, archive=archive)
    assert mirror.ranges == [None, "bytes=8192-"]
    assert mirror.sent[1] == archive.size - 8192


@pytest.mark.parametrize("step", ["verify", "unpack"])
def test_ctrl_c_after_the_download_leaves_only_the_archive(
    archive: Archive, mirror: Mirror, folder: Path, step: Step
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch_gtzan(folder, archive=archive, progress=stop_at(step, 8192))
    assert tree(folder) == {archive.part_name}
    assert [path.name for path in folder.iterdir()] == [archive.part_name]
    assert len(fetch_gtzan(folder, archive=archive).clips) == len(GOOD)
    assert len(mirror.ranges) == 1


KILLED = """
import os, sys
from pathlib import Path
from genrelens.data.gtzan import Archive, fetch_gtzan

def progress(step, done, total):
    if step == "unpack" and (folder / ".genrelens-unpacking/blues/blues.00000.wav").exists():
        os._exit(9)  # no finally, no flush: as a kill

folder, source, size, digest = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
fetch_gtzan(folder, archive=Archive("", size, digest), archive_path=source, progress=progress)
"""


def test_a_kill_during_unpacking_leaves_no_genres(
    archive: Archive, mirror: Mirror, folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "genres.tar.gz"
    source.write_bytes(mirror.content)
    call = [str(folder), str(source), str(archive.size), archive.digest]
    assert subprocess.run([sys.executable, "-c", KILLED, *call], check=False).returncode == 9
    assert (folder / ".genrelens-unpacking/blues/blues.00000.wav").exists()
    assert not (folder / ".genrelens-unpacking/hiphop").exists()
    assert not (folder / "genres").exists()
    (folder / ".genrelens-unpacking/blues/stale.wav").write_bytes(b"of another version")
    fetch_gtzan(folder, archive=archive)
    assert tree(folder) == {"genres/.genrelens.json"} | {f"genres/{name}" for name in CLIPS}


def test_the_archive_left_by_a_kill_after_the_rename_is_deleted(
    archive: Archive, mirror: Mirror, folder: Path
) -> None:
    fetch_gtzan(folder, archive=archive)
    (folder / archive.part_name).write_bytes(mirror.content)
    assert fetch_gtzan(folder, archive=archive).already_there
    assert not (folder / archive.part_name).exists()


# ---------------------------------------------------------------------- unexpected content


def test_wrong_bytes_are_deleted_and_both_digests_reported(
    archive: Archive, mirror: Mirror, folder: Path
) -> None:
    wrong = bytes(archive.size)
    mirror.answers = [answers.other(wrong)]
    with pytest.raises(DataError, match="same command again") as caught:
        fetch_gtzan(folder, archive=archive)
    assert archive.digest in str(caught.value)
    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    assert tree(folder) == set()
    assert len(fetch_gtzan(folder, archive=archive).clips) == len(GOOD)


def test_an_unfinished_other_version_is_not_continued(
    archive: Archive, mirror: Mirror, folder: Path
) -> None:
    older = archive_at(mirror.url, mirror.content + b"older")
    folder.mkdir(parents=True)
    (folder / older.part_name).write_bytes(bytes(100))
    fetch_gtzan(folder, archive=archive)
    assert mirror.ranges == [None]


@pytest.mark.parametrize("change", ["missing", "cut"])
def test_missing_clips_are_reported_and_not_downloaded(
    archive: Archive, mirror: Mirror, folder: Path, change: str
) -> None:
    path = fetch_gtzan(folder, archive=archive).clips[1]
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"1 of 6 clips .*{path.name}\. Delete that folder"):
        fetch_gtzan(folder, archive=archive)
    assert len(mirror.ranges) == 1
    assert (folder / "genres/blues/blues.00000.wav").exists()


@pytest.mark.parametrize("listing", [None, "not JSON", "[1]"])
def test_a_foreign_genres_folder_is_left_alone(
    archive: Archive, mirror: Mirror, folder: Path, listing: str | None
) -> None:
    (folder / "genres/polka").mkdir(parents=True)
    (folder / "genres/polka/mine.wav").write_bytes(b"precious")
    if listing is not None:
        (folder / "genres/.genrelens.json").write_text(listing)
    before = tree(folder)
    with pytest.raises(DataError, match="overwrites nothing: move it"):
        fetch_gtzan(folder, archive=archive)
    assert tree(folder) == before
    assert mirror.ranges == []


def test_an_archive_without_clips_is_an_error(mirror: Mirror, folder: Path) -> None:
    mirror.content = packed([(member("genres/README.txt"), b"text")])
    with pytest.raises(DataError, match="contains no clips"):
        fetch_gtzan(folder, archive=archive_at(mirror.url, mirror.content))
    assert not (folder / "genres").exists()


# --------------------------------------------------------------------------- a local archive


def test_a_local_archive_needs_no_network_and_stays(
    archive: Archive, mirror: Mirror, folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "genres.tar.gz"
    source.write_bytes(mirror.content)
    report = fetch_gtzan(folder, archive=archive, archive_path=source)
    assert len(report.clips) == len(GOOD)
    assert mirror.ranges == []
    assert source.read_bytes() == mirror.content
    assert not list(folder.glob("*.part"))


def test_the_original_archive_is_accepted_by_its_md5(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = packed([(member("genres/disco/disco.00000.au"), clip(220, "AU"))])
    original = Archive("", 0, hashlib.md5(content).hexdigest(), "md5")
    monkeypatch.setattr(gtzan, "GTZAN_ORIGINAL", original)
    source = tmp_path / "original.tar.gz"
    source.write_bytes(content)
    report = fetch_gtzan(folder, archive_path=source)
    assert report.clips == (folder / "genres/disco/disco.00000.au",)
    assert report.unreadable == {}


def test_a_wrong_local_archive_is_reported_and_kept(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "holiday.tar.gz"
    source.write_bytes(b"photos")
    with pytest.raises(DataError, match="not the archive of GTZAN") as caught:
        fetch_gtzan(folder, archive=archive, archive_path=source)
    sums = {hashlib.sha256(b"photos").hexdigest(), hashlib.md5(b"photos").hexdigest()}
    for digest in sums | {archive.digest, "5b3d6dddb579ab49814ab86dba69e7c7"}:
        assert digest in str(caught.value)
    assert source.read_bytes() == b"photos"
    assert not (folder / "genres").exists()


@pytest.mark.parametrize("name", ["missing.tar.gz", "outside"])
def test_a_local_archive_must_be_a_file(
    archive: Archive, folder: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match=f"{name}: is not a file"):
        fetch_gtzan(folder, archive=archive, archive_path=tmp_path / name)


def test_an_archive_of_unknown_size_cannot_be_downloaded(folder: Path) -> None:
    with pytest.raises(ValueError, match="give archive_path"):
        fetch_gtzan(folder, archive=gtzan.GTZAN_ORIGINAL)


# ------------------------------------------------------------------- disk, permission, network


def test_too_little_space_is_reported_before_the_download(
    archive: Archive, mirror: Mirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(folder.parents[1])._replace(free=archive.size - 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match="free some space or choose another folder"):
        fetch_gtzan(folder, archive=archive)
    assert mirror.ranges == []
    (folder / archive.part_name).write_bytes(mirror.content[:100])  # so much less is needed
    assert len(fetch_gtzan(folder, archive=archive).clips) == len(GOOD)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_disk_that_fills_up_during_the_download_is_reported(
    archive: Archive, folder: Path
) -> None:
    folder.mkdir(parents=True)
    (folder / archive.part_name).symlink_to("/dev/full")
    with pytest.raises(
        DataError, match=r"No space left on device\. Free some space.* same command"
    ):
        fetch_gtzan(folder, archive=archive)


def test_a_disk_that_fills_up_during_unpacking_leaves_no_partial_folder(
    archive: Archive, mirror: Mirror, folder: Path, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    source = tmp_path / "genres.tar.gz"
    source.write_bytes(mirror.content)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DataError, match=r"File too large\. Free some space"):
            fetch_gtzan(folder, archive=archive, archive_path=source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_created_is_reported(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="choose another folder"):
        fetch_gtzan(tmp_path / "file", archive=archive)


def test_a_missing_permission_is_reported(
    archive: Archive, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)  # the tests may run as root, whom nothing stops
    with pytest.raises(DataError, match=f"{folder}: Permission denied.*allow writing"):
        fetch_gtzan(folder, archive=archive)


def test_a_missing_network_is_reported_and_leaves_no_clips(
    archive: Archive, mirror: Mirror, folder: Path
) -> None:
    mirror.otherwise = answers.status(503)
    with pytest.raises(DataError, match="Check the network and run the same command again"):
        fetch_gtzan(folder, archive=archive)
    assert tree(folder) == set()
