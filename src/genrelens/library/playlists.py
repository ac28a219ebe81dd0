"""M3U playlists: reading those of any encoding, writing UTF-8.

A playlist that is written is valid UTF-8 whatever the files are called: a name that is no UTF-8,
or that holds a line break, stands in it as a ``file:`` address, which players resolve.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

from genrelens.errors import LibraryError
from genrelens.files import reason
from genrelens.library.records import Entry

__all__ = ["PLAYLIST_SUFFIXES", "playlist_lines", "playlist_name", "read_playlist"]

PLAYLIST_SUFFIXES = frozenset((".m3u", ".m3u8"))

# Which one a playlist is in does not stand in it. It is the one in which the files exist.
_ENCODINGS = ("utf-8", "cp1252", "latin-1", "cp1251", "cp932", "gb18030", "cp949", "big5", "cp437")
_ADDRESS = re.compile(rb"[a-zA-Z][a-zA-Z0-9+.-]+://")


def read_playlist(path: str | os.PathLike[str]) -> list[str]:
    """Return the files that a playlist names, in order; addresses on the network are left out.

    Relative names are relative to the playlist. A line is tried as it is, in several encodings,
    with backslashes as slashes, and with accents composed and decomposed; the first that is there
    counts. If none is, the line stands for itself.

    Raises:
        LibraryError: the playlist cannot be read.

    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise LibraryError(reason(error), path=path) from error
    folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
    return [
        _resolved(line, folder)
        for line in _lines(content)
        if not _ADDRESS.match(line) or line.lower().startswith(b"file:")
    ]


def _lines(content: bytes) -> Iterator[bytes]:
    """Split into lines without comments; UTF-16 becomes UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", errors="replace").encode("utf-8", "surrogatepass")
    for line in re.split(rb"[\r\n]+", content.removeprefix(codecs.BOM_UTF8)):
        if line.strip() and not line.startswith(b"#"):
            yield line


def _resolved(line: bytes, folder: str) -> str:
    paths = [os.path.join(folder, name) for name in _readings(line)]  # noqa: PTH118
    return next(filter(os.path.lexists, paths), paths[0])


def _readings(line: bytes) -> Iterator[str]:
    """Yield what a line may mean, the likeliest first."""
    if line.lower().startswith(b"file:"):
        yield os.fsdecode(unquote_to_bytes(urlsplit(line).path))
        return
    yield os.fsdecode(line)
    for encoding in _ENCODINGS:
        try:
            text = line.decode(encoding).strip()
        except UnicodeDecodeError:
            continue
        for name in (text, text.replace("\\", "/")):
            yield from (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))


def playlist_lines(
    entries: Iterable[Entry], *, relative_to: str | os.PathLike[str] | None = None
) -> Iterator[str]:
    """Write a playlist (extended M3U), line by line.

    Args:
        entries: the files, in order.
        relative_to: folder that the playlist will lie in; None writes absolute paths.

    """
    yield "#EXTM3U"
    for entry in entries:
        if entry.prediction is not None:
            yield f"#EXTINF:{round(entry.prediction.duration)},{_title(entry)}"
        yield _location(entry.path, relative_to)


def _title(entry: Entry) -> str:
    tags = entry.tags
    words = [tags.artist, tags.title] if tags is not None and tags.title else [entry.path.stem]
    title = " - ".join(filter(None, words))
    return " ".join(title.encode("utf-8", errors="replace").decode().split())


def _location(path: Path, relative_to: str | os.PathLike[str] | None) -> str:
    content = os.fsencode(path)
    try:
        name = content.decode("utf-8")
    except UnicodeDecodeError:
        return _address(content)
    if len(name.splitlines()) != 1 or name != name.strip():
        return _address(content)
    if relative_to is None:
        return name
    relative = os.path.relpath(name, relative_to)
    return f"./{relative}" if relative.startswith("#") else relative


def _address(content: bytes) -> str:
    return f"file://{quote(content)}"


def playlist_name(genre: str) -> str:
    """Return the name of a genre's playlist, one that every file system takes."""
    return (re.sub(r'[<>:"/\\|?*\x00-\x1f]', "-", genre).strip(". ") or "-") + ".m3u8"
