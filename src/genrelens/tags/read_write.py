"""Detect the format of a file from its content, and read and write its tags."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from genrelens.errors import TagError
from genrelens.files import reason
from genrelens.tags.around import APETags, BesideTags, MPEGTags
from genrelens.tags.asf import ASFTags
from genrelens.tags.base import TagFormat
from genrelens.tags.block import check_genres, check_others
from genrelens.tags.edges import end_of_atoms, end_of_objects, end_of_pages, leading
from genrelens.tags.flac import FLACTags
from genrelens.tags.mp4 import MP4Tags
from genrelens.tags.ogg import OggTags
from genrelens.tags.wav import AIFFTags, DSFTags, WAVTags, end_of_aiff, end_of_riff

__all__ = ["Tags", "read_tags", "write_genres"]

_HEAD = 64  # bytes that identify the format
_TAG_BEFORE = "has an ID3v2 tag before its first byte, which its format does not allow"
_UNSUPPORTED = "is in a format whose tags genrelens cannot write"


@dataclass(frozen=True, slots=True)
class Tags:
    """The genres and names in the tags of a file.

    Example::

        read_tags("song.mp3")  # Tags(format="ID3v2.4", genres=("Rock",), artist="", ...)

    Attributes:
        format: format of the tags, for messages: ``ID3v2.3``, ``FLAC``.
        genres: genres in file order; ID3 genre numbers are replaced by their names.
        artist: name of the artist; empty if there is none.
        album: name of the album; empty if there is none.
        title: title of the recording; empty if there is none.

    """

    format: str
    genres: tuple[str, ...] = ()
    artist: str = ""
    album: str = ""
    title: str = ""


def read_tags(path: str | os.PathLike[str]) -> Tags:
    """Read the tags of a file.

    Example::

        read_tags("song.mp3").genres  # ("Rock",)

    Raises:
        TagError: the file cannot be read, is damaged, or is in an unsupported format.

    """
    with _open(path, "rb") as file:
        tags = _tags_in(file)
        fields = {field: tags.text(field) for field in ("artist", "album", "title")}
        return Tags(tags.name, tuple(tags.genres()), **fields)


def write_genres(
    path: str | os.PathLike[str], genres: Sequence[str], *, id3_version: int | None = None
) -> tuple[str, ...]:
    """Write genres to the tags of a file in place, and read them back.

    If the write fails, the file may be damaged. Therefore pass a copy, as ``genrelens.library``
    does.

    Example::

        write_genres("copy.mp3", ["Rock", "Blues"])  # ("Rock", "Blues")

    Args:
        path: path of the file.
        genres: new genres in order; an empty sequence removes them.
        id3_version: 3 or 4 for ID3v2.3 and ID3v2.4; None keeps the version of the file, and means
            4 for a new tag.

    Returns:
        The genres as they are read back. In ID3v2.3 and ID3v2.2, several genres are one text,
        joined by ``/``.

    Raises:
        TagError: the file cannot be written, its tags cannot be stored in ``id3_version``, other
            genres are read back, or another part of the tags has changed.
        ValueError: ``id3_version`` is neither 3 nor 4.

    """
    if id3_version not in (None, 3, 4):
        raise ValueError(f"id3_version={id3_version} must be 3 or 4")
    with _open(path, "r+b") as file:
        _check_names(genres)
        tags = _tags_in(file)
        if id3_version is not None:
            tags = _in_version(file, tags, id3_version)
        others = tags.others()
        expected = tags.write(genres, id3_version)
        file.flush()
        written = _tags_in(file)
        written.prepare(id3_version)
        check_genres(expected, written.genres())
        check_others(others, written.others())
        return tuple(expected)


def _in_version(file: BinaryIO, tags: TagFormat, id3_version: int) -> TagFormat:
    """Convert the ID3v2 tags of a file to a version and read all its tags again.

    Raises:
        ValueError: a part of them cannot be stored in that version, or would change.

    """
    meaning = tags.meaning()
    tags.prepare(id3_version)
    file.flush()
    converted = _tags_in(file)
    converted.prepare(id3_version)
    check_others(meaning, converted.meaning())
    return converted


def _check_names(genres: Sequence[str]) -> None:
    for genre in genres:
        if not genre.strip() or not genre.isprintable():
            raise ValueError(f"{genre!r} is not a valid genre name")


# ------------------------------------------------------------------------------ formats


def _tags_in(file: BinaryIO) -> TagFormat:
    """Detect the format of a file and read its tags."""
    _, start = leading(file)
    file.seek(start)
    head = file.read(_HEAD)
    for pattern, reader in _FORMATS:
        if re.match(pattern, head, re.DOTALL):
            if start and not re.match(_AFTER_ID3, head):
                raise ValueError(
                    "has an ID3v2 tag before its first byte, which its format does not allow"
                )
            file.seek(0)
            return reader(file)
    if re.match(rb"(RF64|BW64|RIFX)", head) or not _is_mpeg(file):
        raise ValueError(_UNSUPPORTED)
    return MPEGTags(file)


def _is_mpeg(file: BinaryIO) -> bool:
    """Return whether MPEG audio frames follow the start of the file."""
    from mutagen.mp3 import HeaderNotFoundError, MPEGInfo

    file.seek(0)
    try:
        return not MPEGInfo(file).sketchy
    except HeaderNotFoundError:
        return False


def _with_tags_around(
    kind: Callable[[BinaryIO], TagFormat], find_end: Callable[[BinaryIO], int] | None = None
) -> Callable[[BinaryIO], TagFormat]:
    """Return a function that opens a format's native tags and the tags around the container.

    Args:
        kind: class of the format's native tags.
        find_end: returns the end of the container; None if the container does not state it.

    """

    def open_tags(file: BinaryIO) -> TagFormat:
        end = find_end(file) if find_end else None
        file.seek(0)
        return BesideTags(file, kind(file), end)

    return open_tags


# Start of a file (regular expression) and reader of its tags.
_FORMATS: list[tuple[bytes, Callable[[BinaryIO], TagFormat]]] = [
    (rb"fLaC", _with_tags_around(FLACTags)),
    (rb"OggS", _with_tags_around(OggTags, end_of_pages)),
    (rb"....ftyp", _with_tags_around(MP4Tags, end_of_atoms)),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _with_tags_around(ASFTags, end_of_objects)),
    (rb"RIFF....WAVE", _with_tags_around(WAVTags, end_of_riff)),
    (rb"FORM....AIF[FC]", _with_tags_around(AIFFTags, end_of_aiff)),
    (rb"DSD ", DSFTags),
    (rb"wvpk|MAC |MPCK|MP\+|OFR |tBaK", APETags),
    (rb"TTA1|\xff[\xe2-\xff]|\xff[\xf0\xf1\xf8\xf9]|ADIF", MPEGTags),
]

# Formats that may follow an ID3v2 tag at the start.
_AFTER_ID3 = rb"fLaC|OggS|wvpk|MAC |MPCK|MP\+|OFR |tBaK|TTA1|\xff|ADIF"


# ------------------------------------------------------------------------------- errors


@contextmanager
def _open(path: str | os.PathLike[str], mode: str) -> Iterator[BinaryIO]:
    """Open a file, and convert every exception to a ``TagError``."""
    name = os.fspath(path)
    try:
        with Path(path).open(mode) as file:
            yield file  # type: ignore[misc]
    except OSError as error:
        raise TagError(name, reason(error)) from error
    except Exception as error:  # mutagen raises exceptions of all kinds for damaged files
        raise TagError(name, reason(error)) from error
