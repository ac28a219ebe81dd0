"""ASGI middleware: addresses, sizes of bodies, headers, compression, the log of requests."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrelens.web.problems import problem_response

__all__ = ["Addressing", "BodyLimit", "Compression", "RequestLog", "SecurityHeaders"]

_ACCESS_LOG = logging.getLogger("genrelens.web.access")
_LINGER = 2.0  # seconds
_LONGEST_PATH = 200  # characters in the log
_CONTENT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With "no-referrer" a form of the page would be sent with "Origin: null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # static files have their own
}


class SecurityHeaders:
    """Add the headers that let a browser trust only this page's own files to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, adding)


class RequestLog:
    """Log one line for each request: client, method, path, status, time and bytes.

    The line contains no query, and nothing of the recording or its name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, received, sent = time.perf_counter(), "-", 0, 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def watched(message: Message) -> None:
            nonlocal status, sent
            status = str(message.get("status", status))
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counting, watched)
        finally:
            milliseconds = 1000 * (time.perf_counter() - started)
            _ACCESS_LOG.info(
                "%s %s %s %s %.0f ms %d bytes in %d bytes out",
                *(_client(scope), scope["method"], _path(scope), status),
                *(milliseconds, received, sent),
            )


def _client(scope: Scope) -> str:
    return str(scope["client"][0]) if scope.get("client") else "-"


def _path(scope: Scope) -> str:
    """Return the path as it was sent: percent-encoded, so without control characters."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("ascii", "backslashreplace")
    return raw.partition(b"?")[0].decode("latin-1")[:_LONGEST_PATH]


class Addressing:
    """Serve the application under a path prefix, and answer ``HEAD`` wherever ``GET`` is.

    Args:
        app: the application.
        root_path: prefix of all addresses, as ``/genre``, or empty. A reverse proxy may remove it
            from the paths or pass it on.

    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._root and scope["path"] == self._root:
            await _add_slash(self._root, send)
        else:
            inner = {**scope, **self._address(scope)}
            if scope["method"] != "HEAD":
                await self._app(inner, receive, _allowing_head(send))
            else:
                inner["method"] = "GET"
                await self._app(inner, receive, _without_body(_allowing_head(send)))

    def _address(self, scope: Scope) -> Mapping[str, str]:
        path: str = scope["path"]
        if not self._root or path.startswith(f"{self._root}/"):
            return {"root_path": self._root}
        return {"root_path": self._root, "path": self._root + path}


async def _add_slash(root: str, send: Send) -> None:
    """Redirect from the prefix to the page, whose own addresses are relative to its folder."""
    place = f"{root.rpartition('/')[2]}/".encode()
    headers = [(b"location", place), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": headers})
    await send({"type": "http.response.body"})


def _allowing_head(send: Send) -> Send:
    async def amended(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 405:
            headers = MutableHeaders(scope=message)
            if headers.get("allow") == "GET":
                headers["allow"] = "GET, HEAD"
        await send(message)

    return amended


def _without_body(send: Send) -> Send:
    async def emptied(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return emptied


class Compression:
    """Compress answers of more than 1 KiB that are not audio, and weaken their tags.

    A compressed answer has other bytes than the file, so its tag must not be a strong one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = GZipMiddleware(app, minimum_size=2**10, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def weakened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "content-encoding" in headers and "etag" in headers:
                    headers["etag"] = f"W/{headers['etag']}"
            await send(message)

        await self._app(scope, receive, weakened)


class BodyLimit:
    """Refuse a body as soon as it is too large, not after it has arrived; or if its end is unclear.

    After an answer that came before the end of the body, the connection stays open for a while and
    the rest is discarded. If it were closed at once, many clients that are still sending would see
    a broken connection instead of the answer (RFC 9112, 9.6).

    Args:
        app: the application.
        limit: bytes.

    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and count what arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._limit)

        async def lingering(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await send({**message, "more_body": True})
                await body.discard()
                message = {"type": "http.response.body"}
            await send(message)

        headers = Headers(scope=scope)
        if _is_ambiguous(scope, headers):
            await _refuse(400, "the length of the body is ambiguous", scope, receive, lingering)
            return
        try:
            announced = headers.get("content-length", "0")
            if not announced.isdigit() or int(announced) > self._limit:
                raise _TooLargeError
            await self._app(scope, body.receive, lingering)
        except _TooLargeError:
            detail = f"the recording is larger than {self._limit / 2**20:.3g} MiB, the limit here"
            await _refuse(413, detail, scope, receive, lingering)


async def _refuse(status: int, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem_response(status, detail, {"Connection": "close"})
    await answer(scope, receive, send)


def _is_ambiguous(scope: Scope, headers: Headers) -> bool:
    """Return whether a proxy might see another end of the body (RFC 9112, 6.1 and 11.2)."""
    if "transfer-encoding" not in headers:
        return False
    return "content-length" in headers or scope.get("http_version") == "1.0"


class _Body:
    """The body of a request as it arrives."""

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

    async def discard(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while self._more:
                    self._more = (await self._receive()).get("more_body", False)


class _TooLargeError(Exception):
    pass
