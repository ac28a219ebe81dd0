"""URIs in playlists and as inputs: of files on this computer, of streams, of tracks elsewhere."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

from genrelens.audio import AUDIO_SUFFIXES
from genrelens.files import reason

__all__ = [
    "file_uri_path",
    "is_windows_path",
    "not_here",
    "uri_scheme",
    "why_missing",
    "without_scheme",
]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):(//)?", re.IGNORECASE)  # one letter is a drive
_WINDOWS = re.compile(r"[a-z]:[/\\]|\\\\", re.IGNORECASE)


def uri_scheme(name: str) -> str:
    """Return the scheme of a URI in lower case; empty if the text is the name of a file.

    Without ``//`` the text is a name if it ends as audio files do, for instance ``AC:DC.mp3``.

    Example::

        >>> uri_scheme("spotify:track:1"), uri_scheme("FILE:/song.mp3"), uri_scheme("AC:DC.mp3")
        ('spotify', 'file', '')

    """
    found = _SCHEME.match(name)
    if found is None:
        return ""
    scheme = found[1].lower()
    is_name = not found[2] and Path(name).suffix.lower() in AUDIO_SUFFIXES
    return "" if is_name and scheme != "file" else scheme


def file_uri_path(uri: str) -> str:
    """Return the path that a ``file:`` URI names. The name of a computer in it is ignored.

    Example::

        >>> file_uri_path("file:///my%20song.mp3"), file_uri_path("file:///C:/song.mp3")
        ('/my song.mp3', 'C:/song.mp3')

    """
    name = uri[len("file:") :]
    if name.startswith("//") and not _WINDOWS.match(name[2:]):
        name = "/" + name[2:].partition("/")[2]
    name = os.fsdecode(unquote_to_bytes(os.fsencode(name)))
    drive = name.lstrip("/")
    return drive if _WINDOWS.match(drive) else name


def is_windows_path(name: str) -> bool:
    """Return whether a path begins with a drive such as ``C:``, or with two backslashes."""
    return _WINDOWS.match(name) is not None


def not_here(name: str) -> str:
    """Return why a name that is no file cannot be one on this computer; empty if it can be one."""
    if os.name == "posix" and is_windows_path(name):
        return "is a Windows path, and this computer does not run Windows"
    scheme = uri_scheme(name)
    return f"is a URI ({scheme}:), not a file on this computer" if scheme else ""


def why_missing(name: str, error: Exception) -> str:
    """Return why a file cannot be read: that it cannot be here, or the reason of the error."""
    return (isinstance(error, FileNotFoundError) and not_here(name)) or reason(error)


def without_scheme(name: str) -> str:
    """Return the path that a ``file:`` URI names, unless a file has this name; others unchanged."""
    is_file_uri = uri_scheme(name) == "file" and not os.path.lexists(name)
    return file_uri_path(name) if is_file_uri else name
