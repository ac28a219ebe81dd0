"""Receive the body of a request and write it to a temporary file."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect

from genrelens.web.admission import RequestBodies
from genrelens.web.problems import Problem

__all__ = ["received_file"]

_CHUNK = 2**20  # bytes read from a form at once
_MIN_WRITE = 2**16  # bytes collected for one write, because each write costs a thread switch
_FIELD = "file"
_MAX_NAME = 255  # characters
_DEFAULT_NAME = "recording"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@asynccontextmanager
async def received_file(
    request: Request, folder: Path, bodies: RequestBodies
) -> AsyncIterator[tuple[Path, str]]:
    """Receive the recording of a request, and delete its file when the context ends.

    Args:
        request: the request; its body is a multipart form with the recording in the field ``file``,
            or the recording itself.
        folder: folder for the temporary file.
        bodies: counts the body while its file exists.

    Yields:
        The path of the temporary file, which does not depend on the client, and the client's name
        of the recording, without folders.

    Raises:
        Problem: the request has no recording, it arrives too slowly, too many are arriving, or
            the disk is full.

    """
    with bodies.admit(request.receive) as body:
        handle, temporary = tempfile.mkstemp(dir=folder)
        path = Path(temporary)
        try:
            with os.fdopen(handle, "wb") as file:
                name = await _receive(Request(request.scope, body.receive), file)
            if not path.stat().st_size:
                raise Problem(400, "the recording is empty")
            yield path, name
        except ClientDisconnect as error:
            raise Problem(400, "the upload was interrupted") from error
        finally:
            path.unlink(missing_ok=True)


async def _receive(request: Request, file: BinaryIO) -> str:
    """Write the recording to a file and return its name."""
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"application/x-www-form-urlencoded":
        raise Problem(415, "send the recording as multipart/form-data or as the body itself")
    try:
        if kind == b"multipart/form-data":
            return await _receive_form(request, file)
        await _receive_plain(request, file)
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        raise Problem(503, "the server's disk is full", {"Retry-After": "10"}) from error
    return _DEFAULT_NAME


async def _receive_plain(request: Request, file: BinaryIO) -> None:
    pending = bytearray()
    async for chunk in request.stream():
        pending += chunk
        if len(pending) >= _MIN_WRITE or not chunk:
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
    """Return a client's file name without its folders, separated by ``/`` or by a backslash."""
    text = (name or "").encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
    return PureWindowsPath(PurePosixPath(text).name).name[:_MAX_NAME] or _DEFAULT_NAME
