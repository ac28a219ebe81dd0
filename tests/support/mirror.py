"""A local web server that serves one file, with faults on demand, and records its requests."""

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

Answer = Callable[["_Handler", bytes], None]


class _Handler(BaseHTTPRequestHandler):
    mirror: "Mirror"

    def do_GET(self) -> None:
        mirror = self.mirror
        mirror.ranges.append(self.headers.get("Range"))
        answer = mirror.answers.pop(0) if mirror.answers else mirror.otherwise
        with contextlib.suppress(ConnectionError):  # the client went away
            answer(self, mirror.content)

    def asked(self) -> int:
        """The first byte that the client requests."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))
        assert match, self.headers["Range"]
        return int(match[1])

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def body(self, data: bytes) -> None:
        # Recorded first, because a test can check as soon as it has received the data.
        self.mirror.sent.append(len(data))
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class Mirror:
    """A server that uses one of ``answers`` for each request, then ``otherwise``."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.answers: list[Answer] = []
        self.otherwise: Answer = with_range
        self.ranges: list[str | None] = []  # the Range header of each request
        self.sent: list[int] = []  # bytes of each body
        handler = type("Handler", (_Handler,), {"mirror": self})
        self._server = HTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/genres.tar.gz"

    @contextlib.contextmanager
    def running(self) -> Iterator["Mirror"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


# ------------------------------------------------------------------------------- answers


def with_range(handler: _Handler, content: bytes) -> None:
    start = handler.asked()
    if start >= len(content):
        handler.head(416, 0, Content_Range=f"bytes */{len(content)}")
    elif "Range" in handler.headers:
        part_from(start)(handler, content)
    else:
        without_range(handler, content)


def without_range(handler: _Handler, content: bytes) -> None:
    handler.head(200, len(content), Content_Type="application/gzip")
    handler.body(content)


def part_from(start: int, status: int = 206, total: str = "") -> Answer:
    """Serve the content from ``start``, whatever was requested."""

    def answer(handler: _Handler, content: bytes) -> None:
        given = f"bytes {start}-{len(content) - 1}/{total or len(content)}"
        handler.head(status, len(content) - start, Content_Range=given)
        handler.body(content[start:])

    return answer


def unnamed_part(handler: _Handler, content: bytes) -> None:
    """Send a 206 without the range."""
    handler.head(206, len(content) - handler.asked())
    handler.body(content[handler.asked() :])


def breaking_off(after: int, *, heed_range: bool = True, reset: bool = False) -> Answer:
    """Announce everything, send ``after`` bytes, and close or reset the connection."""

    def answer(handler: _Handler, content: bytes) -> None:
        start = handler.asked() if heed_range else 0
        rest = content[start:]
        given = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        handler.head(206 if start else 200, len(rest), **(given if start else {}))
        handler.body(rest[:after])
        if reset:
            handler.wfile.flush()
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()

    return answer


def falling_silent(after: int, until: threading.Event) -> Answer:
    """Send ``after`` bytes, then nothing, and at the end zeros."""

    def answer(handler: _Handler, content: bytes) -> None:
        handler.head(200, len(content))
        handler.body(content[:after])
        handler.wfile.flush()
        if not until.wait(10):
            handler.wfile.write(bytes(len(content) - after))

    return answer


def status(code: int) -> Answer:
    return lambda handler, _: handler.head(code, 0)


def page(handler: _Handler, _: bytes) -> None:
    """Send a login page: 200, text/html, without length."""
    handler.head(200, None, Content_Type="text/html; charset=utf-8")
    handler.body(b"<html>Please log in</html>" * 100)


def overlong(handler: _Handler, content: bytes) -> None:
    """Send the content and more, without length."""
    handler.head(200, None)
    handler.body(content + b"and more")


def other(content: bytes) -> Answer:
    return lambda handler, _: without_range(handler, content)


def moved(handler: _Handler, _: bytes) -> None:
    handler.head(302, 0, Location="/cdn/genres.tar.gz")
