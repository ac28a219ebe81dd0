"""From a file to the tags in it: what it is, is told by its content."""

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
from genrelens.tags.edges import leading
from genrelens.tags.ends import end_of_atoms, end_of_objects, end_of_pages
from genrelens.tags.flac import FLACTags
from genrelens.tags.mp4 import MP4Tags
from genrelens.tags.ogg import OggTags
from genrelens.tags.wav import AIFFTags, DSFTags, WAVTags, end_of_aiff, end_of_riff

__all__ = ["Tags", "read_tags", "write_genres"]

_HEAD = 64  # bytes that tell what a file is
_NOT_ONE = "is in a format whose tags genrelens cannot write"


@dataclass(frozen=True, slots=True)
class Tags:
    """What the tags of a file say.

    Attributes:
        format: of the tags, for people: ``ID3v2.3``, ``FLAC``.
        genres: as they stand there, in order; a number that ID3 has for a genre is in words.
        artist: or nothing, as the next two.
        album: where the recording was published.
        title: of the recording.

    """

    format: str
    genres: tuple[str, ...] = ()
    artist: str = ""
    album: str = ""
    title: str = ""


def read_tags(path: str | os.PathLike[str]) -> Tags:
    """Read the tags of a file.

    Raises:
        TagError: the file cannot be read, is damaged, or is in a format without such tags.

    """
    with _open(path, "rb") as file:
        tags = _tags_in(file)
        fields = {field: tags.text(field) for field in ("artist", "album", "title")}
        return Tags(tags.name, tuple(tags.genres()), **fields)


def write_genres(
    path: str | os.PathLike[str], genres: Sequence[str], *, id3_version: int | None = None
) -> tuple[str, ...]:
    """Write genres to the tags of a file, in place, and read them again.

    A file that this fails for may be damaged: give it a copy, as ``genrelens.library`` does.

    Args:
        path: of the file.
        genres: to write, in order; none removes them.
        id3_version: 3 or 4 for ID3v2.3 and ID3v2.4; None keeps that of the file, and is 4 for
            a new tag. What cannot be expressed in it is refused.

    Returns:
        How they are read: before ID3v2.4 there is one text, in which they are joined by ``/``.

    Raises:
        TagError: it cannot be written, does not read back, or another tag was changed by it.
        ValueError: ``id3_version`` is neither 3 nor 4.

    """
    if id3_version not in (None, 3, 4):
        raise ValueError(f"id3_version={id3_version} must be 3 or 4")
    with _open(path, "r+b") as file:
        _check_words(genres)
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
    """Bring the ID3v2 tags of a file to a version and read all its tags again.

    Raises:
        ValueError: something in them cannot be expressed in it, or would be changed.

    """
    meaning = tags.meaning()
    tags.prepare(id3_version)
    file.flush()
    converted = _tags_in(file)
    converted.prepare(id3_version)
    check_others(meaning, converted.meaning())
    return converted


def _check_words(genres: Sequence[str]) -> None:
    for genre in genres:
        if not genre.strip() or not genre.isprintable():
            raise ValueError(f"{genre!r} is no name of a genre")


# ------------------------------------------------------------------------------ formats


def _tags_in(file: BinaryIO) -> TagFormat:
    """Find out what a file is and read its tags."""
    _, start = leading(file)
    file.seek(start)
    head = file.read(_HEAD)
    for pattern, reader in _FORMATS:
        if re.match(pattern, head, re.DOTALL):
            if start and not re.match(_BEHIND_ID3, head):
                raise ValueError("has an ID3v2 tag before its first byte, where none belongs")
            file.seek(0)
            return reader(file)
    if re.match(rb"(RF64|BW64|RIFX)", head) or not _is_mpeg(file):
        raise ValueError(_NOT_ONE)
    return MPEGTags(file)


def _is_mpeg(file: BinaryIO) -> bool:
    """Find out whether frames of MPEG audio come after what is at the beginning."""
    from mutagen.mp3 import HeaderNotFoundError, MPEGInfo

    file.seek(0)
    try:
        return not MPEGInfo(file).sketchy
    except HeaderNotFoundError:
        return False


def _beside(
    kind: Callable[[BinaryIO], TagFormat], find_end: Callable[[BinaryIO], int] | None = None
) -> Callable[[BinaryIO], TagFormat]:
    """Return what reads a format's own tags, and those of other kinds around it.

    Args:
        kind: of the format's own tags.
        find_end: returns where the container ends; None where it does not say.

    """

    def open_tags(file: BinaryIO) -> TagFormat:
        end = find_end(file) if find_end else None
        file.seek(0)
        return BesideTags(file, kind(file), end)

    return open_tags


# What a file begins with, as a regular expression, and what reads the tags then.
_FORMATS: list[tuple[bytes, Callable[[BinaryIO], TagFormat]]] = [
    (rb"fLaC", _beside(FLACTags)),
    (rb"OggS", _beside(OggTags, end_of_pages)),
    (rb"....ftyp", _beside(MP4Tags, end_of_atoms)),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _beside(ASFTags, end_of_objects)),
    (rb"RIFF....WAVE", _beside(WAVTags, end_of_riff)),
    (rb"FORM....AIF[FC]", _beside(AIFFTags, end_of_aiff)),
    (rb"DSD ", DSFTags),
    (rb"wvpk|MAC |MPCK|MP\+|OFR |tBaK", APETags),
    (rb"TTA1|\xff[\xe2-\xff]|\xff[\xf0\xf1\xf8\xf9]|ADIF", MPEGTags),
]

# What may stand behind an ID3v2 tag at the front.
_BEHIND_ID3 = rb"fLaC|OggS|wvpk|MAC |MPCK|MP\+|OFR |tBaK|TTA1|\xff|ADIF"


# ------------------------------------------------------------------------------- errors


@contextmanager
def _open(path: str | os.PathLike[str], mode: str) -> Iterator[BinaryIO]:
    """Open a file, and turn what goes wrong with it, in whatever way, into a ``TagError``."""
    name = os.fspath(path)
    try:
        with Path(path).open(mode) as file:
            yield file  # type: ignore[misc]
    except OSError as error:
        raise TagError(name, reason(error)) from error
    except Exception as error:  # damage leads mutagen to exceptions of every kind
        raise TagError(name, reason(error)) from error
