"""Write M3U playlists in UTF-8.

A playlist is valid UTF-8 whatever the files are called: a name that is not UTF-8, or that holds a
line break, is written as a ``file:`` address, which players resolve.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from genrelens.library.records import Entry

__all__ = ["playlist_lines", "playlist_name"]


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
