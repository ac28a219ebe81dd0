"""One large file over HTTP, resumable: what has arrived stays, and the next call asks for the rest.

The address must name content that never changes, as a pinned revision does; whoever calls
verifies what arrived. Standard library only: proxies come from the environment (``https_proxy``).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from genrelens.errors import DataError

__all__ = ["download"]

_BLOCK_BYTES = 2**18
_TIMEOUT_SECONDS = 30.0
_DELAYS = (1.0, 3.0, 8.0)  # seconds before each new try that follows a fruitless one
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _BrokenConnectionError(Exception):
    """A connection ended early; another try may help. The text says why."""


class _RangeError(_BrokenConnectionError):
    """The server cannot go on where the part ends; only a try from the start may help."""


def download(url: str, part: Path, size: int, progress: Callable[[int, int], None]) -> None:
    """Bring ``part`` to its full size; try again as long as every few tries bring something.

    Args:
        url: an ``http`` or ``https`` address.
        part: the file to fill. What it holds already is taken for the beginning of the content;
            where it is too long it starts anew.
        size: of the whole content, in bytes.
        progress: called with the bytes that are here and ``size``; an exception from it (Ctrl-C)
            ends the call, and ``part`` stays.

    Raises:
        DataError: the network fails for good, or the server refuses or offers something else.
        OSError: ``part`` cannot be written.

    """
    if _size(part) > size:
        part.unlink()
    fruitless, furthest = 0, _size(part)
    while _size(part) < size:
        try:
            _receive(url, part, size, progress)
        except _BrokenConnectionError as error:
            fruitless = 1 if _size(part) > furthest else fruitless + 1
            furthest = max(furthest, _size(part))
            if isinstance(error, _RangeError):
                part.unlink(missing_ok=True)
            if fruitless > len(_DELAYS):
                raise DataError(
                    f"cannot download {url}: {error}. Check the network and run the same command "
                    f"again: it goes on where it stopped, {_size(part)} of {size} bytes are here"
                ) from error
            time.sleep(_DELAYS[fruitless - 1])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receive(url: str, part: Path, size: int, progress: Callable[[int, int], None]) -> None:
    """Ask once for what is missing, and append what comes."""
    have = _size(part)
    with _connect(url, have) as response:
        done = _start(response, url, size, have)
        if done < have:  # the server ignores Range: from the start then
            os.truncate(part, done)
        with part.open("ab") as file:
            while done < size:
                progress(done, size)
                block = _read(response, min(_BLOCK_BYTES, size - done))
                file.write(block)
                done += len(block)
    progress(done, size)


def _connect(url: str, have: int) -> HTTPResponse:
    headers = {"User-Agent": "genrelens"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=_TIMEOUT_SECONDS)
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:
            raise _RangeError(f"the server says {error}") from error
        if error.code in _TEMPORARY:
            raise _BrokenConnectionError(f"the server says {error}") from error
        raise DataError(f"cannot download {url}: the server says {error}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise _BrokenConnectionError(str(reason) or type(error).__name__) from error
    return cast(HTTPResponse, response)


def _start(response: HTTPResponse, url: str, size: int, have: int) -> int:
    """Say at which byte of the content the answer starts.

    The header decides, not the status: servers exist that answer a part with 200, and RFC 9110
    lets a 206 start elsewhere than asked.
    """
    given = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", given)
    length = match[2] if match else response.headers.get("Content-Length", "*")
    if response.status == 206 and not match:
        raise _RangeError("the server sends a part and does not say which")
    if response.headers.get_content_type() == "text/html" or length not in ("*", str(size)):
        raise DataError(
            f"{url} gives something else ({response.headers.get_content_type()}, {length} bytes) "
            f"than the file of {size} bytes. Is a login page or a proxy in between?"
        )
    start = int(match[1]) if match else 0
    if start > have:
        raise _RangeError(f"the server skips from byte {have} to {start}")
    return start


def _read(response: HTTPResponse, n_bytes: int) -> bytes:
    try:
        block = response.read(n_bytes)
    except (OSError, HTTPException) as error:
        raise _BrokenConnectionError(str(error) or type(error).__name__) from error
    if not block:
        raise _BrokenConnectionError("the connection broke off")
    return block
