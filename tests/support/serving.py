"""Requests as tests need them: well-formed, broken and slow; in this process or to a server."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from genrelens.web.app import create_app
from genrelens.web.settings import Settings
from support.commands import command
from support.processes import PATIENCE, end

BOUNDARY = "a-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(
    content: bytes, name: str | bytes = b"clip.wav", field: str = "file", *, closed: bool = True
) -> bytes:
    """A form with one file, as bytes: a client library would mend the names."""
    raw = name.encode() if isinstance(name, str) else name
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n' % (
        BOUNDARY.encode(),
        field.encode(),
        raw,
    )
    return head + content + (f"\r\n--{BOUNDARY}--\r\n".encode() if closed else b"")


# ------------------------------------------------------------------------- in this process


class HeldPool:
    """Stands in for the pool of processes: its jobs end when a test says so."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.jobs: list[Future[Any]] = []
        self.paths: list[Path] = []
        self.alone: list[bool] = []
        HeldPool.latest = self

    latest: HeldPool

    def submit(
        self, path: Path, name: str, *, fast: bool, picture: bool, alone: bool
    ) -> Future[Any]:
        self.jobs.append(Future())
        self.paths.append(path)
        self.alone.append(alone)
        return self.jobs[-1]

    def close(self) -> None:
        pass


@asynccontextmanager
async def running(
    settings: Settings, *, loopback: bool = False
) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """An application within its lifespan, and a client of it."""
    app = create_app(settings, loopback=loopback)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield app, client


class Local:
    """The same for tests that are not coroutines."""

    def __init__(self, settings: Settings, *, loopback: bool = False) -> None:
        self._runner = asyncio.Runner()
        self._context = running(settings, loopback=loopback)
        _, self._client = self._runner.run(self._context.__aenter__())

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def close(self) -> None:
        self._runner.run(self._context.__aexit__(None, None, None))
        self._runner.close()


def metric(answer: httpx.Response, name: str) -> float:
    """The value of a counter without labels."""
    found = re.search(rf"^{name} (\S+)$", answer.text, re.MULTILINE)
    assert found
    return float(found[1])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


class Exchange:
    """One request spoken to an application in the words of ASGI, message by message."""

    def __init__(self, app: Any, path: str, **headers: str) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.taken = 0
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "scheme": "http",
            "query_string": b"",
            "server": ("test", 80),
            "client": ("test", 1),
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    def body(self, content: bytes, *, more: bool = True) -> None:
        message = {"type": "http.request", "body": content, "more_body": more}
        self.messages.put_nowait(message)

    def disconnect(self) -> None:
        self.messages.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    async def _receive(self) -> dict[str, Any]:
        message = await self.messages.get()
        self.taken += len(message.get("body", b""))
        return message

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


# ------------------------------------------------------------------------- a real server


class Server:
    """``genrelens serve`` in a process group of its own, with a folder for temporary files."""

    def __init__(
        self, model: Path, temporary: Path, *options: str | Path, files: int | None = None
    ) -> None:
        self.temporary = temporary
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}
        limit = ("sh", "-c", f'ulimit -n {files}; exec "$@"', "sh") if files else ()
        self.process = subprocess.Popen(
            [
                *limit,
                *command("serve", "--port", "0", "--model", model, "--workers", "1", *options),
            ],
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            text=True,
        )
        assert self.process.stderr is not None
        self.greeting = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.greeting)
        if not found:
            more = self.process.stderr.read()
            self.close()
            raise AssertionError(self.greeting + more)
        self.port = int(found[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def files(self) -> list[str]:
        """What lies in the temporary folder, uploads under way among it."""
        return sorted(path.name for path in self.temporary.glob("genrelens-*/*"))

    def metric(self, name: str) -> float:
        return metric(httpx.get(f"{self.url}/metrics", timeout=PATIENCE), name)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        pids = [int(pid) for task in tasks for pid in task.read_text().split()]
        return [pid for pid in pids if "spawn_main" in _command_line(pid)]

    def stop(self, number: int = signal.SIGTERM, *, group: bool = False) -> tuple[int, str]:
        """Send a signal; return the exit code and what it wrote since it was ready."""
        send = os.killpg if group else os.kill
        send(self.process.pid, number)
        assert self.process.stderr is not None
        written = self.process.stderr.read()
        return self.process.wait(PATIENCE), written

    def close(self) -> None:
        end(self.process)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except OSError:
        return ""


@contextmanager
def server(
    model: Path, temporary: Path, *options: str | Path, files: int | None = None
) -> Iterator[Server]:
    """A server; ``files`` bounds how many it may have open."""
    temporary.mkdir(parents=True, exist_ok=True)
    instance = Server(model, temporary, *options, files=files)
    try:
        yield instance
    finally:
        instance.close()


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def head(length: int | None, kind: str = "audio/wav", *more: str) -> bytes:
    """The head of an upload; without a length it comes in chunks."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = ["POST /v1/classify HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", size, *more]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def answer(connection: socket.socket) -> bytes:
    """Read until the other end closes."""
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received


assert sys.platform != "win32"
