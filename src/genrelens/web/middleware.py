"""ASGI middleware between the connection and the application.

=========================  ===============================================================
:class:`RequestLog`        logs a line for each request
:class:`SecurityHeaders`   adds the headers that restrict what a browser may load and run
:class:`Addressing`        handles a path prefix and ``HEAD``
:class:`InternalErrors`    answers unexpected errors with 500
:class:`BodyLimit`         refuses bodies that are too large or ambiguous
:class:`OwnSite`           refuses foreign host names and requests of other sites
:class:`Compression`       compresses responses
=========================  ===============================================================
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrelens.web.problems import problem_response

__all__ = [
    "Addressing",
    "BodyLimit",
    "Compression",
    "InternalErrors",
    "OwnSite",
    "RequestLog",
    "SecurityHeaders",
    "is_loopback",
]

_LOG = logging.getLogger("genrelens.web")
_ACCESS_LOG = logging.getLogger("genrelens.web.access")
_LINGER = 2.0  # seconds
_MAX_LOGGED_PATH = 200  # characters
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_PORTS = {"http": 80, "https": 443}
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With "no-referrer", browsers would send a form of the page with "Origin: null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # overridden by static files
}


class SecurityHeaders:
    """Add headers that let a browser load and run only files of this server."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class RequestLog:
    """Log one line for each request: client, method, path, status, time and bytes.

    The line contains neither the query nor any information about the recording.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, received, sent = time.perf_counter(), "-", 0, 0

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_and_count(message: Message) -> None:
            nonlocal status, sent
            status = str(message.get("status", status))
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive_and_count, send_and_count)
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
    return raw.partition(b"?")[0].decode("latin-1")[:_MAX_LOGGED_PATH]


class InternalErrors:
    """Log unexpected errors, and answer with 500 without their details.

    Starlette's own handler is outside of all middleware, so its responses would not be counted and
    would lack the security headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        started = False

        async def send_and_note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note_start)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            _LOG.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
            response = problem_response(500, "internal error; see the log of the server")
            await response(scope, receive, send)


class Addressing:
    """Serve the application under a path prefix, and answer ``HEAD`` wherever ``GET`` is allowed.

    Args:
        app: the application.
        root_path: prefix of all addresses, such as ``/genre``, or empty. A reverse proxy may remove
            the prefix from the paths or keep it.

    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._root and scope["path"] == self._root:
            await _redirect_to_page(self._root, send)
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


async def _redirect_to_page(root: str, send: Send) -> None:
    """Redirect from the prefix to the page at ``prefix/``, because its links are relative."""
    location = f"{root.rpartition('/')[2]}/".encode()
    headers = [(b"location", location), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 308, "headers": headers})
    await send({"type": "http.response.body"})


def _allowing_head(send: Send) -> Send:
    async def send_amended(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 405:
            headers = MutableHeaders(scope=message)
            if headers.get("allow") == "GET":
                headers["allow"] = "GET, HEAD"
        await send(message)

    return send_amended


def _without_body(send: Send) -> Send:
    async def send_empty(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_empty


class Compression:
    """Compress responses of more than 1 KiB that are not audio, and make their entity tags weak.

    The bytes of a compressed response differ from those of the file, so its tag must be weak.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = GZipMiddleware(app, minimum_size=2**10, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def send_with_weak_tag(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "content-encoding" in headers and "etag" in headers:
                    headers["etag"] = f"W/{headers['etag']}"
            await send(message)

        await self._app(scope, receive, send_with_weak_tag)


# ---------------------------------------------------------------------- size of the body


class BodyLimit:
    """Refuse a body as soon as it is too large, or if its length is ambiguous.

    If the response is sent before the end of the body, the connection stays open for at most 2 s,
    and the rest of the body is discarded. If it were closed at once, many clients that are still
    sending would report a broken connection instead of the response (RFC 9112, 9.6).

    Args:
        app: the application.
        limit: largest body, in bytes.

    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and count the bytes of its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _LimitedBody(receive, self._limit)

        async def send_and_linger(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await send({**message, "more_body": True})
                await body.discard()
                message = {"type": "http.response.body"}
            await send(message)

        headers = Headers(scope=scope)
        if _is_ambiguous(scope, headers):
            detail = "the length of the body is ambiguous"
            await _refuse(400, detail, scope, receive, send_and_linger)
            return
        try:
            announced = headers.get("content-length", "0")
            if not announced.isdigit() or int(announced) > self._limit:
                raise _TooLargeError
            await self._app(scope, body.receive, send_and_linger)
        except _TooLargeError:
            detail = f"the recording is larger than the limit of {self._limit / 2**20:.3g} MiB"
            await _refuse(413, detail, scope, receive, send_and_linger)


async def _refuse(status: int, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
    response = problem_response(status, detail, {"Connection": "close"})
    await response(scope, receive, send)


def _is_ambiguous(scope: Scope, headers: Headers) -> bool:
    """Return whether a proxy could see the end of the body elsewhere (RFC 9112, 6.1 and 11.2)."""
    if "transfer-encoding" not in headers:
        return False
    return "content-length" in headers or scope.get("http_version") == "1.0"


class _LimitedBody:
    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._n_bytes = 0
        self._more = True

    async def receive(self) -> Message:
        message = await self._receive()
        self._more = message.get("more_body", False)
        self._n_bytes += len(message.get("body", b""))
        if self._n_bytes > self._limit:
            raise _TooLargeError
        return message

    async def discard(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while self._more:
                    self._more = (await self._receive()).get("more_body", False)


class _TooLargeError(Exception):
    pass


# ---------------------------------------------------------------- host names and origins


class OwnSite:
    """Answer foreign host names with 421, and requests from pages of other sites with 403.

    Any web page can make a visitor's browser send requests to a server on the visitor's machine:
    with a cross-site form, or with a host name that resolves to 127.0.0.1 (DNS rebinding).

    Args:
        app: the application.
        loopback: whether the server can only be reached from its own machine. If so, ``Host``
            must be ``localhost``, a loopback address or one of ``allow_hosts``. If not, ``Host``
            is checked only if ``allow_hosts`` is not empty, and may also be any IP address.
        allow_hosts: further host names of this server, as reverse proxies send them.

    """

    def __init__(self, app: ASGIApp, *, loopback: bool, allow_hosts: Collection[str]) -> None:
        self._app = app
        self._loopback = loopback
        self._names = frozenset(name.lower() for name in allow_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or refuse it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(*refusal)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host")
        if host is not None and not self._is_own(host):
            return 421, "the name in Host is not a name of this server (see --allow-host)"
        if scope["method"] not in _SAFE_METHODS and self._is_cross_site(headers):
            return 403, "the request comes from a page of another site"
        return None

    def _is_own(self, host: str) -> bool:
        if not self._loopback and not self._names:
            return True
        name, _ = _split(f"//{host}")
        if name == "localhost" or name in self._names:
            return True
        address = _address(name)
        return address is not None and (address.is_loopback or not self._loopback)

    def _is_cross_site(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:  # from a browser; scripts cannot set this header or Origin
            return site not in ("same-origin", "none")
        origin = headers.get("origin")
        if origin is None:
            return False
        name, port = _split(origin)
        if not name:  # "null", for instance from a sandboxed frame
            return True
        own_name, own_port = _split(f"{urlsplit(origin).scheme}://{headers.get('host', '')}")
        return (name, port) != (own_name, own_port) and name not in self._names


def _split(url: str) -> tuple[str, int | None]:
    """Return host name and port of an origin; the name is empty if there is none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Return whether an address can only be reached from this machine."""
    address = _address(host)
    return address is not None and address.is_loopback
