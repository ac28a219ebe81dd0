"""The body of a request, on its way to a temporary file of our own naming."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrelens.web.problems import Problem, problem_response

__all__ = ["BodyLimit", "Upload", "received"]

_CHUNK = 2**20
_FIELD = "file"
_LINGER = 2.0  # seconds
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Upload:
    """A recording that has arrived.

    Attributes:
        path: of the temporary file; its name has nothing of the client's.
        name: what the client calls it, without folders; for the answer alone.

    """

    path: Path
    name: str


class BodyLimit:
    """ASGI middleware: refuses a body as soon as it is too large, not once it is here.

    Whatever is answered before the body is here, the line stays open for a while, and what still
    comes is thrown away: if it were closed at once, many a client that is sending would see that
    and not the answer (RFC 9112, 9.6).

    Args:
        app: what is protected.
        limit: bytes.

    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, counting what comes in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._limit)

        async def lingering(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await send({**message, "more_body": True})
                await body.throw_away()
                message = {"type": "http.response.body"}
            await send(message)

        try:
            announced = dict(scope["headers"]).get(b"content-length", b"0")
            if not announced.isdigit() or int(announced) > self._limit:
                raise _TooLargeError
            await self._app(scope, body.receive, lingering)
        except _TooLargeError:
            limit = f"{self._limit / 2**20:.3g} MiB"
            detail = f"the recording is larger than {limit}, the limit here"
            answer = problem_response(413, detail, {"Connection": "close"})
            await answer(scope, receive, lingering)


class _Body:
    """The body of a request as it comes in."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._arrived = 0
        self._more = True

    async def receive(self) -> Message:
        message = await self._receive()
        self._more = message.get("more_body", False)
        self._arrived += len(message.get("body", b""))
        if self._arrived > self._limit:
            raise _TooLargeError
        return message

    async def throw_away(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while self._more:
                    self._more = (await self._receive()).get("more_body", False)


class _TooLargeError(Exception):
    pass


@asynccontextmanager
async def received(request: Request, folder: Path) -> AsyncIterator[Upload]:
    """Receive the recording of a request; its file is gone afterwards, whatever happens.

    Args:
        request: with a multipart form whose field ``file`` is the recording, or with the
            recording as its body.
        folder: for the file.

    Raises:
        Problem: there is no recording in the request, or it is too large.

    """
    handle, name = tempfile.mkstemp(dir=folder)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            client_name = await _receive(request, file)
        if not path.stat().st_size:
            raise Problem(400, "the recording is empty")
        yield Upload(path, client_name)
    except ClientDisconnect as error:
        raise Problem(400, "the recording broke off") from error
    finally:
        path.unlink(missing_ok=True)


async def _receive(request: Request, file: BinaryIO) -> str:
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    if kind == b"multipart/form-data":
        return await _receive_form(request, file)
    if kind == b"application/x-www-form-urlencoded":
        raise Problem(415, "send the recording as multipart/form-data, or as the body itself")
    async for chunk in request.stream():
        await run_in_threadpool(file.write, chunk)
    return "recording"


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
    """Take the folders off a client's file name, whatever its system writes between them."""
    text = (name or "").encode("utf-8", "replace").decode("utf-8")  # no lone surrogates
    return PureWindowsPath(PurePosixPath(text).name).name[:_LONGEST_NAME] or "recording"
