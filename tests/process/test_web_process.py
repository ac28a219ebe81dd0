"""``genrelens serve`` as a process: sockets, signals, and files that must not remain."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest

from support import synth, tiny
from support.commands import spawn
from support.processes import PATIENCE, wait_until
from support.serving import (
    ARRIVING,
    FORM,
    IN_PROGRESS,
    Server,
    chunk,
    form,
    head,
    read_response,
    server,
)

WAV = synth.write(tiny.sound("clicks", 2), tiny.RATE)
MEBIBYTE = 2**20
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the tests that do not change it."""
    folder = tmp_path_factory.mktemp("server")
    with server(model, folder, "--max-upload", "1M", "--timeout", "20") as instance:
        yield instance
        assert instance.files() == []


def classify(to: Server, content: bytes = WAV, name: str = "a.wav") -> httpx.Response:
    files = {"file": (name, content)}
    return httpx.post(f"{to.url}/v1/classify", files=files, timeout=PATIENCE)


def flac_of_silence(minutes: int) -> bytes:
    return synth.write(np.zeros(60 * minutes * tiny.RATE, np.int16), tiny.RATE, "FLAC")


def test_the_address_is_printed(shared: Server) -> None:
    assert shared.greeting == f"Listening on {shared.url} (Ctrl-C to stop)\n"
    assert classify(shared).json()["genre"] == "clicks"
    assert shared.files() == []


# ------------------------------------------------------------------------------- uploads


def test_an_upload_with_a_length_beyond_the_limit(shared: Server) -> None:
    """The response comes before the body; a client that sends everything first reads it too."""
    with shared.connect() as connection:
        connection.sendall(head(2 * MEBIBYTE))
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    with shared.connect() as connection:
        connection.sendall(head(2 * MEBIBYTE) + bytes(2 * MEBIBYTE))
        assert b'"status":413' in read_response(connection)


def test_a_refused_client_can_read_the_reason(model: Path, tmp_path: Path) -> None:
    """The client sends everything before it reads."""
    with server(model, tmp_path / "tmp", "--queue", "0") as instance:
        thread = threading.Thread(target=classify, args=(instance, flac_of_silence(60)))
        thread.start()
        wait_until(lambda: instance.metric(IN_PROGRESS) == 1)
        with instance.connect() as connection:
            connection.sendall(head(4 * MEBIBYTE, "audio/wav", "Connection: close"))
            connection.sendall(bytes(4 * MEBIBYTE))
            received = read_response(connection)
        thread.join(PATIENCE)
        assert received.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: " in received.lower()


def test_slow_clients_do_not_block_others(model: Path, tmp_path: Path) -> None:
    """There are more slow clients than slots; each sends single bytes."""
    with server(model, tmp_path / "tmp") as instance, ExitStack() as stack:
        assert classify(instance).status_code == 200  # after its worker has started
        slow = [stack.enter_context(instance.connect()) for _ in range(40)]
        for connection in slow:
            connection.sendall(head(1000) + b"R")
        wait_until(lambda: instance.metric(ARRIVING) == 40)
        for _ in range(3):
            assert classify(instance).status_code == 200
            for connection in slow:
                with suppress(OSError):  # on a slow machine it may have timed out
                    connection.sendall(b"x")


def test_more_connections_than_open_files_allow(model: Path, tmp_path: Path) -> None:
    """Idle connections are closed for new ones, so the server stays reachable."""
    with server(model, tmp_path / "tmp", files=250) as instance, ExitStack() as stack:
        for number in range(200):  # (250 - 100) / 3 are allowed
            stack.enter_context(instance.connect())
            if number % 20 == 0:
                assert httpx.get(f"{instance.url}/healthz").status_code == 200
        assert classify(instance).status_code == 200
        descriptors = len(list(Path(f"/proc/{instance.process.pid}/fd").iterdir()))
        assert descriptors < 150
        assert instance.stop() == (0, "")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (head(5, "audio/wav", "Transfer-Encoding: chunked") + b"0\r\n\r\n", b"is ambiguous"),
        (head(None).replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n", b"is ambiguous"),
        (head(5, "audio/wav", "Content-Length: 6") + b"abcdef", b""),
        (head(None, "audio/wav", "Transfer-Encoding: gzip"), b""),
    ],
)
def test_a_request_whose_end_is_ambiguous(shared: Server, request_: bytes, reason: bytes) -> None:
    """It is refused, and following bytes are not read as another request."""
    with shared.connect() as connection:
        connection.sendall(request_ + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = read_response(connection)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1") == 1
    assert reason in received


def test_foreign_host_names_are_refused(shared: Server) -> None:
    """The server listens on a loopback address, so another name means DNS rebinding."""
    for host in ("localhost", f"127.0.0.1:{shared.port}", "[::1]"):
        assert httpx.get(f"{shared.url}/healthz", headers={"host": host}).status_code == 200
    refused = httpx.get(f"{shared.url}/healthz", headers={"host": "rebound.example"})
    assert refused.status_code == 421
    assert "server" not in refused.headers


def test_the_log_of_requests(model: Path, tmp_path: Path) -> None:
    """It contains neither queries nor names of recordings."""
    with server(model, tmp_path / "tmp", "--log-level", "info") as instance:
        assert classify(instance, name="secret.wav").status_code == 200
        assert httpx.head(f"{instance.url}/a%0Ab?secret=1").status_code == 404
        with instance.connect() as connection:
            connection.sendall(head(1000) + b"RIFF")
            wait_until(lambda: instance.metric(ARRIVING) == 1)
        wait_until(lambda: instance.metric(ARRIVING) == 0)
        code, log = instance.stop()
    lines = [line for line in log.splitlines() if "/metrics" not in line]
    assert code == 0
    assert len(lines) == 3
    assert re.search(
        r" INFO 127\.0\.0\.1 POST /v1/classify 200 \d+ ms \d{5} bytes in \d{3} bytes out$", lines[0]
    )
    assert re.search(r" HEAD /a%0Ab 404 \d+ ms 0 bytes in 0 bytes out$", lines[1])
    assert re.search(r" POST /v1/classify 400 \d+ ms 4 bytes in \d+ bytes out$", lines[2])
    assert "secret" not in log


@pytest.mark.parametrize("kind", ["audio/wav", FORM])
def test_a_chunked_upload_beyond_the_limit(shared: Server, kind: str) -> None:
    """It is refused before its end."""
    start = form(b"", closed=False) if kind == FORM else b""
    with shared.connect() as connection:
        connection.sendall(head(None, kind) + (chunk(start) if start else b""))
        part = chunk(bytes(MEBIBYTE // 16))
        connection.settimeout(0)
        sent, received = 0, b""
        while not received and sent < 4 * MEBIBYTE:
            connection.settimeout(PATIENCE)
            connection.sendall(part)
            sent += MEBIBYTE // 16
            connection.settimeout(5 if sent > MEBIBYTE else 0.001)
            try:
                received = connection.recv(100)
            except TimeoutError:
                continue
    assert received.startswith(b"HTTP/1.1 413 ")
    assert sent > MEBIBYTE - len(start)
    wait_until(lambda: shared.files() == [])


@pytest.mark.parametrize("kind", ["audio/wav", FORM])
def test_a_client_that_disconnects(shared: Server, kind: str) -> None:
    with shared.connect() as connection:
        connection.sendall(head(100_000, kind) + form(b"RIFF", closed=False))
        wait_until(lambda: shared.metric(ARRIVING) == 1)
        wait_until(shared.files)
    wait_until(lambda: shared.metric(ARRIVING) == 0)
    assert shared.files() == []


def test_a_truncated_form(shared: Server) -> None:
    body = form(WAV, closed=False)[:-100]
    with shared.connect() as connection:
        connection.sendall(head(len(body), FORM, "Connection: close") + body)
        assert read_response(connection).startswith(b"HTTP/1.1 400 ")


def test_bytes_that_are_not_http(shared: Server) -> None:
    with shared.connect() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        received = read_response(connection)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"Traceback" not in received
    assert b"server:" not in received.lower()


def test_the_server_header_is_absent(shared: Server) -> None:
    assert "server" not in httpx.get(f"{shared.url}/healthz", timeout=PATIENCE).headers


# ------------------------------------------------------------------------------- crashes


@pytest.mark.parametrize(
    ("number", "kills"), [(signal.SIGKILL, 1), (signal.SIGKILL, 2), (signal.SIGTERM, 2)]
)
def test_a_busy_worker_that_is_killed(model: Path, tmp_path: Path, number: int, kills: int) -> None:
    """A second worker classifies; if it is killed too, the client may try again later."""
    long = flac_of_silence(60)
    with server(model, tmp_path / "tmp") as instance:
        assert classify(instance).status_code == 200
        responses: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: responses.append(classify(instance, long)))
        thread.start()
        wait_until(lambda: instance.metric(IN_PROGRESS) == 1)
        killed: set[int] = set()
        for _ in range(kills):
            wait_until(lambda: {*instance.children()} - killed)
            (worker,) = {*instance.children()} - killed
            wait_until(lambda worker=worker: busy_with_audio(worker))
            os.kill(worker, number)
            killed.add(worker)
        thread.join(PATIENCE)
        if kills == 1:
            assert responses[0].json()["duration"] == 3600
        else:
            assert responses[0].status_code == 503
            assert responses[0].headers["retry-after"] == "1"
            assert responses[0].json()["detail"] == "the worker processes ended"
        assert classify(instance).status_code == 200
        assert instance.files() == []


def busy_with_audio(pid: int) -> bool:
    """Return whether a worker is reading a recording."""
    try:
        return any(
            "/genrelens-" in str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()
        )
    except OSError:  # a file was closed meanwhile
        return False


def test_timeout_of_a_long_recording(model: Path, tmp_path: Path) -> None:
    long = flac_of_silence(180)
    with server(model, tmp_path / "tmp", "--timeout", "1") as instance:
        wait_until(lambda: classify(instance).status_code == 200)  # after its worker has started
        response = classify(instance, long)
        assert response.status_code == 504
        assert instance.files() == []
        wait_until(lambda: classify(instance).status_code == 200)


# ------------------------------------------------------------------------------- shutdown and start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_requests_are_finished(model: Path, tmp_path: Path, number: int) -> None:
    """They include slow uploads; new connections are refused."""
    code = 0 if number == signal.SIGTERM else 130
    with server(model, tmp_path / "tmp") as instance, instance.connect() as connection:
        connection.sendall(head(len(WAV)) + WAV[:1000])
        wait_until(lambda: instance.metric(ARRIVING) == 1)
        os.kill(instance.process.pid, number)
        wait_until(lambda: refused(instance))
        connection.sendall(WAV[1000:])
        received = read_response(connection)
        assert instance.stop(0) == (code, "")
        assert received.startswith(b"HTTP/1.1 200 ")
        assert b'"genre":"clicks"' in received
        assert list(instance.temporary.glob("genrelens-*")) == []


def refused(instance: Server) -> bool:
    try:
        instance.connect().close()
    except ConnectionError:
        return True
    return False


def test_ctrl_c_while_the_workers_start(model: Path, tmp_path: Path) -> None:
    """As at a terminal, all processes get the signal; none prints a traceback."""
    with server(model, tmp_path / "tmp") as instance:
        assert instance.stop(signal.SIGINT, group=True) == (130, "")
        assert list(instance.temporary.glob("genrelens-*")) == []


def test_an_address_in_use(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = spawn("serve", "--port", str(port), "--model", model)
    message = f"error: cannot listen on 127.0.0.1:{port} (Address already in use)\n"
    assert (result.code, result.err) == (2, message)


def test_a_model_that_does_not_exist(tmp_path: Path) -> None:
    result = spawn("serve", "--port", "0", "--model", tmp_path / "gone.onnx")
    assert result.code == 3
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
