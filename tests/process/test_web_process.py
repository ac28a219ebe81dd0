"""``genrelens serve`` as a process: sockets, signals, and what is left behind."""

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
    response,
    server,
)

WAV = synth.write(tiny.sound("clicks", 2), tiny.RATE)
MEBIBYTE = 2**20
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that leave it as it was."""
    place = tmp_path_factory.mktemp("server")
    with server(model, place, "--max-upload", "1M", "--timeout", "20") as instance:
        yield instance
        assert instance.files() == []


def classify(to: Server, content: bytes = WAV, name: str = "a.wav") -> httpx.Response:
    files = {"file": (name, content)}
    return httpx.post(f"{to.url}/v1/classify", files=files, timeout=PATIENCE)


def flac_of_silence(minutes: int) -> bytes:
    return synth.write(np.zeros(60 * minutes * tiny.RATE, np.int16), tiny.RATE, "FLAC")


def test_it_says_where_it_listens(shared: Server) -> None:
    assert shared.greeting == f"Listening on {shared.url} (Ctrl-C ends)\n"
    assert classify(shared).json()["genre"] == "clicks"
    assert shared.files() == []


# ------------------------------------------------------------------------------- uploads


def test_an_announced_upload_that_is_too_large(shared: Server) -> None:
    """The answer is there before the body, and a naive client that sends first reads it too."""
    with shared.connect() as connection:
        connection.sendall(head(2 * MEBIBYTE))
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    with shared.connect() as connection:
        connection.sendall(head(2 * MEBIBYTE) + bytes(2 * MEBIBYTE))
        assert b'"status":413' in response(connection)


def test_a_client_that_closes_reads_why_it_was_sent_away(model: Path, tmp_path: Path) -> None:
    """It sends everything before it reads; a line closed at once would lose it the answer."""
    with server(model, tmp_path / "tmp", "--queue", "0") as instance:
        thread = threading.Thread(target=classify, args=(instance, flac_of_silence(120)))
        thread.start()
        wait_until(lambda: instance.metric(IN_PROGRESS) == 1)
        with instance.connect() as connection:
            connection.sendall(head(4 * MEBIBYTE, "audio/wav", "Connection: close"))
            connection.sendall(bytes(4 * MEBIBYTE))
            received = response(connection)
        thread.join(PATIENCE)
        assert received.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: " in received.lower()


def test_slow_clients_keep_nobody_out(model: Path, tmp_path: Path) -> None:
    """More of them than there are places; each sends a byte now and then."""
    with server(model, tmp_path / "tmp") as instance, ExitStack() as stack:
        assert classify(instance).status_code == 200  # once its worker has started
        slow = [stack.enter_context(instance.connect()) for _ in range(40)]
        for connection in slow:
            connection.sendall(head(1000) + b"R")
        wait_until(lambda: instance.metric(ARRIVING) == 40)
        for _ in range(3):
            assert classify(instance).status_code == 200
            for connection in slow:
                with suppress(OSError):  # this machine may be slow, too, and the clock run out
                    connection.sendall(b"x")


def test_more_connections_than_open_files_allow(model: Path, tmp_path: Path) -> None:
    """Silent ones are closed for new ones, so the server can be reached all the time."""
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
    ("request_", "words"),
    [
        (head(5, "audio/wav", "Transfer-Encoding: chunked") + b"0\r\n\r\n", b"is ambiguous"),
        (head(None).replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n", b"is ambiguous"),
        (head(5, "audio/wav", "Content-Length: 6") + b"abcdef", b""),
        (head(None, "audio/wav", "Transfer-Encoding: gzip"), b""),
    ],
)
def test_a_request_whose_end_is_ambiguous(shared: Server, request_: bytes, words: bytes) -> None:
    """Is refused, and what follows it on the connection is not another request."""
    with shared.connect() as connection:
        connection.sendall(request_ + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = response(connection)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1") == 1
    assert words in received


def test_another_name_of_the_server(shared: Server) -> None:
    """It listens on a loopback address, so a name that is not of this machine is an attack."""
    for host in ("localhost", f"127.0.0.1:{shared.port}", "[::1]"):
        assert httpx.get(f"{shared.url}/healthz", headers={"host": host}).status_code == 200
    refused = httpx.get(f"{shared.url}/healthz", headers={"host": "rebound.example"})
    assert refused.status_code == 421
    assert "server" not in refused.headers


def test_the_log_of_requests(model: Path, tmp_path: Path) -> None:
    """Has no query, and nothing of the recording or its name."""
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
def test_an_upload_in_chunks_that_grows_too_large(shared: Server, kind: str) -> None:
    """Is refused while it comes, whatever its client would still send."""
    start = form(b"", closed=False) if kind == FORM else b""
    with shared.connect() as connection:
        connection.sendall(head(None, kind) + (chunk(start) if start else b""))
        piece = chunk(bytes(MEBIBYTE // 16))
        connection.settimeout(0)
        sent, received = 0, b""
        while not received and sent < 4 * MEBIBYTE:
            connection.settimeout(PATIENCE)
            connection.sendall(piece)
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
def test_a_client_that_hangs_up(shared: Server, kind: str) -> None:
    with shared.connect() as connection:
        connection.sendall(head(100_000, kind) + form(b"RIFF", closed=False))
        wait_until(lambda: shared.metric(ARRIVING) == 1)
        wait_until(shared.files)
    wait_until(lambda: shared.metric(ARRIVING) == 0)
    assert shared.files() == []


def test_a_form_that_is_cut_off(shared: Server) -> None:
    body = form(WAV, closed=False)[:-100]
    with shared.connect() as connection:
        connection.sendall(head(len(body), FORM, "Connection: close") + body)
        assert response(connection).startswith(b"HTTP/1.1 400 ")


def test_what_is_no_http(shared: Server) -> None:
    with shared.connect() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        received = response(connection)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"Traceback" not in received
    assert b"server:" not in received.lower()


def test_the_server_does_not_say_what_it_is(shared: Server) -> None:
    assert "server" not in httpx.get(f"{shared.url}/healthz", timeout=PATIENCE).headers


# ------------------------------------------------------------------------------- crashes


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("kills", [1, 2])
def test_a_worker_that_is_killed_at_work(
    model: Path, tmp_path: Path, number: int, kills: int
) -> None:
    """Another one does its work; if that is killed as well, the client may come back later."""
    long = flac_of_silence(120)
    with server(model, tmp_path / "tmp") as instance:
        assert classify(instance).status_code == 200
        answers: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: answers.append(classify(instance, long)))
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
            assert answers[0].json()["duration"] == 7200
        else:
            assert answers[0].status_code == 503
            assert answers[0].headers["retry-after"] == "1"
            assert answers[0].json()["detail"] == "the worker processes ended"
        assert classify(instance).status_code == 200
        assert instance.files() == []


def busy_with_audio(pid: int) -> bool:
    """Whether a worker reads a recording."""
    try:
        return any(
            "/genrelens-" in str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()
        )
    except OSError:  # a file was closed in between
        return False


def test_hours_that_take_longer_than_allowed(model: Path, tmp_path: Path) -> None:
    long = flac_of_silence(180)
    with server(model, tmp_path / "tmp", "--timeout", "1") as instance:
        wait_until(lambda: classify(instance).status_code == 200)  # once its worker has started
        response = classify(instance, long)
        assert response.status_code == 504
        assert instance.files() == []
        wait_until(lambda: classify(instance).status_code == 200)


# ------------------------------------------------------------------------------- the end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_requests_are_finished(model: Path, tmp_path: Path, number: int) -> None:
    """A slow upload among them; a new one finds nobody."""
    code = 0 if number == signal.SIGTERM else 130
    with server(model, tmp_path / "tmp") as instance, instance.connect() as connection:
        connection.sendall(head(len(WAV)) + WAV[:1000])
        wait_until(lambda: instance.metric(ARRIVING) == 1)
        os.kill(instance.process.pid, number)
        wait_until(lambda: refused(instance))
        connection.sendall(WAV[1000:])
        received = response(connection)
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
    """It reaches the whole group, as at a terminal; nobody prints a traceback."""
    with server(model, tmp_path / "tmp") as instance:
        assert instance.stop(signal.SIGINT, group=True) == (130, "")
        assert list(instance.temporary.glob("genrelens-*")) == []


def test_an_address_in_use(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = spawn("serve", "--port", str(port), "--model", model)
    words = "cannot listen there (Address already in use)"
    assert (result.code, result.err) == (2, f"error: 127.0.0.1:{port}: {words}\n")


def test_a_model_that_does_not_exist(tmp_path: Path) -> None:
    result = spawn("serve", "--port", "0", "--model", tmp_path / "gone.onnx")
    assert result.code == 3
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
