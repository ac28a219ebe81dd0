"""A real server for tests, and the bytes of requests to it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from support.commands import command
from support.processes import PATIENCE, end

BOUNDARY = "a-boundary"
ARRIVING = "genrelens_uploads_under_way"
IN_PROGRESS = "genrelens_classifications_under_way"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(
    content: bytes, name: str | bytes = b"clip.wav", field: str = "file", *, closed: bool = True
) -> bytes:
    """Return a form with one file as bytes; a client library would correct the names."""
    raw = name.encode() if isinstance(name, str) else name
    head = b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n' % (
        BOUNDARY.encode(),
        field.encode(),
        raw,
    )
    return head + content + (f"\r\n--{BOUNDARY}--\r\n".encode() if closed else b"")


def metric(answer: httpx.Response, name: str) -> float:
    """Return the value of a metric without labels."""
    found = re.search(rf"^{name} (\S+)$", answer.text, re.MULTILINE)
    assert found
    return float(found[1])


class Server:
    """``genrelens serve`` in its own process group, with a folder for temporary files."""

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
        """Return the names in the temporary folder, including uploads in progress."""
        return sorted(path.name for path in self.temporary.glob("genrelens-*/*"))

    def metric(self, name: str) -> float:
        return metric(httpx.get(f"{self.url}/metrics", timeout=PATIENCE), name)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        pids = [int(pid) for task in tasks for pid in task.read_text().split()]
        return [pid for pid in pids if "spawn_main" in _command_line(pid)]

    def stop(self, number: int = signal.SIGTERM, *, group: bool = False) -> tuple[int, str]:
        """Send a signal; return the exit code and the text written since the server was ready."""
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
    """Run a server, which may have ``files`` files open."""
    temporary.mkdir(parents=True, exist_ok=True)
    instance = Server(model, temporary, *options, files=files)
    try:
        yield instance
    finally:
        instance.close()


def head(length: int | None, kind: str = "audio/wav", *more: str) -> bytes:
    """Return the head of an upload; without a length the body is chunked."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = ["POST /v1/classify HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", size, *more]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def read_response(connection: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


assert sys.platform != "win32"
