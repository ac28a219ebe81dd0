"""Download a large file over HTTP, and resume an interrupted download.

The content at the address must never change, as with a pinned revision; the caller verifies the
content. Only the standard library is used, so proxies are configured in the environment
(``https_proxy``).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from genrelens.counts import count_of
from genrelens.errors import DataError

if TYPE_CHECKING:  # urllib and http are slow to import, so the first download imports them
    from http.client import HTTPResponse

__all__ = ["download_file"]

_BLOCK_BYTES = 2**18
_TIMEOUT_SECONDS = 30.0
_DELAYS = (1.0, 3.0, 8.0)  # seconds of waiting after consecutive tries without progress
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _BrokenConnectionError(Exception):
    """A connection ended early; a new try can succeed."""


class _RangeError(_BrokenConnectionError):
    """The server cannot continue at the end of ``part``; only a restart can succeed."""


def download_file(url: str, part: Path, size: int, progress: Callable[[int, int], None]) -> None:
    """Download the missing rest of ``part``; try again as long as there is progress.

    Args:
        url: an ``http`` or ``https`` address.
        part: the file. Its present content counts as the beginning of the download; if it is too
            long, the download restarts.
        size: size of the whole content in bytes.
        progress: called with the bytes so far and ``size``; an exception from it (Ctrl-C) ends
            the call and keeps ``part``.

    Raises:
        DataError: the network fails repeatedly, or the server refuses or sends other content.
        OSError: ``part`` cannot be written.

    """
    if _size(part) > size:
        part.unlink()
    failures, furthest = 0, _size(part)
    while _size(part) < size:
        try:
            _receive(url, part, size, progress)
        except _BrokenConnectionError as error:
            failures = 1 if _size(part) > furthest else failures + 1
            furthest = max(furthest, _size(part))
            if isinstance(error, _RangeError):
                part.unlink(missing_ok=True)
            if failures > len(_DELAYS):
                raise DataError(
                    f"cannot download {url}: {error}. Check the network and run the same command "
                    f"again: it resumes at {_size(part)} of {count_of(size, 'byte')}"
                ) from error
            time.sleep(_DELAYS[failures - 1])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receive(url: str, part: Path, size: int, progress: Callable[[int, int], None]) -> None:
    """Request the missing bytes once and append them to ``part``."""
    have = _size(part)
    with _connect(url, have) as response:
        done = _start(response, url, size, have)
        if done < have:  # the server ignores the header Range and sends everything
            os.truncate(part, done)
        with part.open("ab") as file:
            while done < size:
                progress(done, size)
                block = _read(response, min(_BLOCK_BYTES, size - done))
                file.write(block)
                done += len(block)
    progress(done, size)


def _connect(url: str, have: int) -> HTTPResponse:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    headers = {"User-Agent": "genrelens"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=_TIMEOUT_SECONDS)
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:
            raise _RangeError(f"the server returned {error}") from error
        if error.code in _TEMPORARY:
            raise _BrokenConnectionError(f"the server returned {error}") from error
        raise DataError(f"cannot download {url}: the server returned {error}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise _BrokenConnectionError(str(reason) or type(error).__name__) from error
    return cast("HTTPResponse", response)


def _start(response: HTTPResponse, url: str, size: int, have: int) -> int:
    """Return the offset in bytes at which the content of the response starts.

    Use the header, not the status: some servers send a part with status 200, and RFC 9110 allows a
    response with 206 to start at another offset than requested.
    """
    given = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", given)
    length = match[2] if match else response.headers.get("Content-Length", "*")
    if response.status == 206 and not match:
        raise _RangeError("the server sent a part without its range")
    if response.headers.get_content_type() == "text/html" or length not in ("*", str(size)):
        raise DataError(
            f"{url} returned other content ({response.headers.get_content_type()}, {length} B) "
            f"than the file of {count_of(size, 'byte')}. Is there a login page or a proxy?"
        )
    start = int(match[1]) if match else 0
    if start > have:
        raise _RangeError(f"the server skipped from byte {have} to {start}")
    return start


def _read(response: HTTPResponse, n_bytes: int) -> bytes:
    from http.client import HTTPException

    try:
        block = response.read(n_bytes)
    except (OSError, HTTPException) as error:
        raise _BrokenConnectionError(str(error) or type(error).__name__) from error
    if not block:
        raise _BrokenConnectionError("the connection was closed early")
    return block
