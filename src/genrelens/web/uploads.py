"""The body of a request, received into a temporary file whose name the server chooses."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect

from genrelens.web.admission import Arrivals
from genrelens.web.problems import Problem

__all__ = ["Upload", "received"]

_CHUNK = 2**20
_PIECE = 2**16  # bytes that are written at once at least: a slow body must not cost much time
_FIELD = "file"
_LONGEST_NAME = 255
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Upload:
    """A recording that has arrived.

    Attributes:
        path: of the temporary file; its name contains nothing from the client.
        name: the client's name of the file, without folders; only for the answer.

    """

    path: Path
    name: str


@asynccontextmanager
async def received(request: Request, folder: Path, arrivals: Arrivals) -> AsyncIterator[Upload]:
    """Receive the recording of a request; its file is deleted afterwards in any case.

    Args:
        request: with a multipart form whose field ``file`` is the recording, or with the
            recording as its body.
        folder: for the file.
        arrivals: where the body is counted as long as its file exists.

    Raises:
        Problem: there is no recording in the request, it arrives too slowly, there are too many,
            or the disk is full.

    """
    with arrivals.body(request.receive) as arrival:
        handle, name = tempfile.mkstemp(dir=folder)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                client_name = await _receive(Request(request.scope, arrival.receive), file)
            if not path.stat().st_size:
                raise Problem(400, "the recording is empty")
            yield Upload(path, client_name)
        except ClientDisconnect as error:
            raise Problem(400, "the recording broke off") from error
        finally:
            path.unlink(missing_ok=True)


async def _receive(request: Request, file: BinaryIO) -> str:
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"application/x-www-form-urlencoded":
        raise Problem(415, "send the recording as multipart/form-data, or as the body itself")
    try:
        if kind == b"multipart/form-data":
            return await _receive_form(request, file)
        await _receive_plain(request, file)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise Problem(503, "the server's disk is full", {"Retry-After": "10"}) from error
    return "recording"


async def _receive_plain(request: Request, file: BinaryIO) -> None:
    pending = bytearray()
    async for chunk in request.stream():
        pending += chunk
        if len(pending) >= _PIECE or not chunk:
            await run_in_threadpool(file.write, bytes(pending))
            pending.clear()


async def _receive_form(request: Request, file: BinaryIO) -> str:
    try:
        async with request.form(max_files=1, max_fields=10) as form:
            upload = form.get(_FIELD)
            if not isinstance(upload, UploadFile):
                raise Problem(400, f"the form has no file in its field {_FIELD!r}")
            while chunk := await upload.read(_CHUNK):
                await run_in_threadpool(file.write, chunk)
            return _base_name(upload.filename)
    except (MultiPartException, FormParserError, KeyError, ValueError) as error:
        raise Problem(400, f"the form cannot be read: {error}") from error


def _base_name(name: str | None) -> str:
    """Remove the folders from a client's file name, whichever separator its system uses."""
    text = (name or "").encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
    return PureWindowsPath(PurePosixPath(text).name).name[:_LONGEST_NAME] or "recording"
