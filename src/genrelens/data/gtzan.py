"""Download, verify, unpack and check GTZAN, the usual data set of the field with 1000 clips.

GTZAN has no licence, so genrelens contains none of its audio: :func:`fetch_gtzan` downloads the
archive from a public mirror, pinned by revision, size and SHA-256. If a call is interrupted
(Ctrl-C, a lost connection, a full disk, a killed process), the same call resumes it.
::

    DIR/genres-b28cc067.tar.gz.part   the archive during the download; deleted after unpacking
    DIR/.genrelens-unpacking/         the clips during unpacking, renamed to DIR/genres at the end
    DIR/genres/<genre>/<clip>.wav     the clips, with a list of their names and sizes

Only one call at a time may use a folder.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from genrelens.audio import load_audio, probe
from genrelens.counts import count_of, plural
from genrelens.data.download import download_file
from genrelens.errors import AudioError, DataError
from genrelens.files import reason

__all__ = ["GTZAN", "GTZAN_ORIGINAL", "Archive", "GtzanReport", "Progress", "Step", "fetch_gtzan"]

Step = Literal["download", "verify", "unpack", "check"]
Progress = Callable[[Step, int, int], None]
"""Function that is called with a step, the amount done and the total.

The amounts are clips in the step "check", and bytes in the others.
"""


@dataclass(frozen=True, slots=True)
class Archive:
    """A ``.tar.gz`` that contains ``genres/<genre>/<clip>``, with size and digest.

    Attributes:
        url: its address, or its former address.
        size: size in bytes; 0 if it is not known, so that it cannot be downloaded.
        digest: digest by ``algorithm`` in lower-case hexadecimal.
        algorithm: ``"sha256"`` or ``"md5"``.
        unpacked_size: approximate size of its clips in bytes, for the check of the free space.

    Example::

        archive = Archive("https://example.org/genres.tar.gz", size=1_226_192_050, digest="b28c...")

    """

    url: str
    size: int
    digest: str
    algorithm: Literal["sha256", "md5"] = "sha256"
    unpacked_size: int = 0

    @property
    def part_name(self) -> str:
        """Name of the unfinished file, which differs between versions."""
        return f"genres-{self.digest[:8]}.tar.gz.part"


GTZAN = Archive(
    url="https://huggingface.co/datasets/marsyas/gtzan/resolve/"
    "d2146561ecc7df707d9e6b8318885fe6a39668a2/data/genres.tar.gz",
    size=1_226_192_050,
    digest="b28cc067ff6199bd826f5d1a6931458586d64acae7f44b2e882b7a97af057531",
    unpacked_size=1_330_000_000,  # 1000 clips of 30 s at 22050 Hz, 16 bit
)
"""The clips as WAV, from the Hugging Face data set ``marsyas/gtzan``."""

GTZAN_ORIGINAL = Archive(
    url="http://opihi.cs.uvic.ca/sound/genres.tar.gz",
    size=0,
    digest="5b3d6dddb579ab49814ab86dba69e7c7",
    algorithm="md5",
    unpacked_size=GTZAN.unpacked_size,
)
"""The clips as AU, as published by their author. The server no longer exists, but copies do."""


class GtzanReport(NamedTuple):
    """Result of :func:`fetch_gtzan`.

    Attributes:
        folder: ``DIR/genres`` with one folder for each genre.
        clips: the clips that can be read, sorted.
        unreadable: clip -> reason why it cannot be read. These files stay in the folder.
        already_there: whether nothing was downloaded or unpacked.

    Example::

        report = fetch_gtzan(Path("gtzan"))
        print(len(report.clips), "clips,", len(report.unreadable), "unreadable")

    """

    folder: Path
    clips: tuple[Path, ...]
    unreadable: dict[Path, str]
    already_there: bool


_LIST_NAME = ".genrelens.json"  # in DIR/genres: {"<genre>/<clip>": bytes}
_CLIP = re.compile(r"(?:\./)?genres/(\w[\w-]*/\w[\w.-]*\.(?:wav|au))", re.ASCII)
_BLOCK_BYTES = 2**18
_AGAIN = "run the same command again to resume"


def fetch_gtzan(
    directory: Path,
    *,
    archive: Archive = GTZAN,
    archive_path: Path | None = None,
    progress: Progress | None = None,
) -> GtzanReport:
    """Get the GTZAN clips into ``directory/genres`` and check them.

    If the clips exist already, they are only checked.

    Args:
        directory: the folder, created if it does not exist. It needs about 2.6 GB.
        archive: the archive to download.
        archive_path: an archive on disk, used instead of a download and kept. It may also be
            ``GTZAN_ORIGINAL``.
        progress: called repeatedly, see ``Progress``; an exception from it (Ctrl-C) ends the call.

    Returns:
        The readable and the unreadable clips. An unreadable clip is not an error.

    Raises:
        DataError: network, disk space or permission is missing, the archive is not the expected
            one, or ``directory/genres`` is not the complete result of an earlier call.
        ValueError: an archive of unknown size cannot be downloaded.

    Example::

        report = fetch_gtzan(Path("gtzan"))
        len(report.clips)  # 999

    """
    report = progress or _no_progress
    genres = directory / "genres"
    try:
        names = _installed(genres)
        already_there = names is not None
        if names is None:
            names = _install(genres, archive, archive_path, report)
        (directory / archive.part_name).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{reason(error)}. Free some space, allow writing or choose another folder; then "
            f"{_AGAIN}",
            path=error.filename or directory,
        ) from error
    return _checked(genres, names, already_there, report)


def _no_progress(step: Step, done: int, total: int) -> None:
    pass


# ---------------------------------------------------------------------------------- the folder


def _installed(genres: Path) -> list[str] | None:
    """Return the clips that an earlier call unpacked, or None if there was no such call."""
    if not genres.exists() or (genres.is_dir() and not any(genres.iterdir())):
        return None
    try:
        sizes = json.loads((genres / _LIST_NAME).read_text(encoding="utf-8"))
        wrong = [name for name, size in sizes.items() if _size(genres / name) != size]
    except (FileNotFoundError, NotADirectoryError, ValueError, AttributeError) as error:
        raise DataError(
            "exists and was not made by this command, which overwrites nothing: move it or choose "
            "another folder",
            path=genres,
        ) from error
    if wrong:
        raise DataError(
            f"{len(wrong)} of {count_of(len(sizes), 'clip')} "
            f"{plural(len(wrong), 'is missing or has changed', 'are missing or have changed')}, "
            f"the first is {wrong[0]}. Delete that folder and run the same command again",
            path=genres,
        )
    return list(sizes)


def _install(
    genres: Path, archive: Archive, archive_path: Path | None, progress: Progress
) -> list[str]:
    """Get the archive, verify it, unpack it beside ``genres``, then rename the new folder."""
    fresh = genres.with_name(".genrelens-unpacking")
    if fresh.exists():  # left by a killed call
        shutil.rmtree(fresh)
    genres.parent.mkdir(parents=True, exist_ok=True)
    source = _obtain(genres.parent, archive, archive_path, progress)
    try:
        sizes = _unpack(source, fresh, progress)
        (fresh / _LIST_NAME).write_text(json.dumps(sizes, indent=0), encoding="utf-8")
        if genres.exists():
            genres.rmdir()  # it is empty; Windows cannot rename to an existing folder
        fresh.rename(genres)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return list(sizes)


def _obtain(
    directory: Path, archive: Archive, archive_path: Path | None, progress: Progress
) -> Path:
    """Return a verified archive file: the given one, or a downloaded one."""
    if archive_path is not None:
        if not archive_path.is_file():
            raise DataError(
                "is not a file: --archive needs the path of genres.tar.gz", path=archive_path
            )
        _require_space(directory, archive.unpacked_size)
        if wrong := _difference(archive_path, (archive, GTZAN_ORIGINAL), progress):
            raise DataError(f"is not the archive of GTZAN: {wrong}", path=archive_path)
        return archive_path
    if archive.size < 1:
        raise ValueError(f"{archive.url} has no known size: give archive_path")
    part = directory / archive.part_name
    _require_space(directory, archive.size - _size(part) + archive.unpacked_size)
    download_file(archive.url, part, archive.size, partial(progress, "download"))
    if wrong := _difference(part, (archive,), progress):
        part.unlink()
        raise DataError(
            f"the download is not the archive: {wrong}. It was deleted: run the same command "
            "again to download it again",
            path=archive.url,
        )
    return part


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _require_space(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise DataError(
            f"has {free / 1e9:.1f} GB left and the data set needs {needed / 1e9:.1f} GB more: "
            f"free some space or choose another folder, then {_AGAIN}",
            path=directory,
        )


def _difference(path: Path, candidates: tuple[Archive, ...], progress: Progress) -> str:
    """Return how a file differs from some archives; empty if it is one of them."""
    sums = {a.algorithm: hashlib.new(a.algorithm, usedforsecurity=False) for a in candidates}
    total, done = _size(path), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            for digest in sums.values():
                digest.update(block)
            done += len(block)
            progress("verify", done, total)
    found = {name: digest.hexdigest() for name, digest in sums.items()}
    if any(found[a.algorithm] == a.digest for a in candidates):
        return ""
    expected = " or ".join(f"{a.algorithm} {a.digest}" for a in candidates)
    actual = ", ".join(f"{name} {digest}" for name, digest in found.items())
    return f"expected {expected}; found {actual} ({count_of(total, 'byte')})"


def _unpack(source: Path, folder: Path, progress: Progress) -> dict[str, int]:
    """Unpack the clips of an archive into a new folder and return name -> size in bytes.

    Only regular files with names like ``genres/x/y.wav`` in plain letters are unpacked: no links,
    no ``..``, no macOS ``._y.wav``. Owners and modes are ignored.
    """
    import tarfile

    sizes: dict[str, int] = {}
    total = _size(source)
    with source.open("rb") as raw, tarfile.open(fileobj=raw, mode="r:gz") as tar:
        for member in tar:
            progress("unpack", raw.tell(), total)
            match = _CLIP.fullmatch(member.name)
            content = tar.extractfile(member) if match and member.isreg() else None
            if match is None or content is None:
                continue
            target = folder / match[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
            sizes[match[1]] = member.size
    progress("unpack", total, total)
    if not sizes:
        raise DataError("contains no clips named genres/<genre>/<clip>.wav (or .au)", path=source)
    return sizes


def _checked(
    genres: Path, names: list[str], already_there: bool, progress: Progress
) -> GtzanReport:
    """Decode each clip to its end, because even a file of the right size can be unreadable."""
    clips: list[Path] = []
    unreadable: dict[Path, str] = {}
    for done, name in enumerate(sorted(names), 1):
        clip = genres / name
        try:
            load_audio(clip, sample_rate=probe(clip).sample_rate)
        except AudioError as error:
            unreadable[clip] = str(error)
        else:
            clips.append(clip)
        progress("check", done, len(names))
    return GtzanReport(genres, tuple(clips), unreadable, already_there)
