"""Bounds of connections: slow heads, slow readers, too many connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from genrelens.web import server
from support.asgi import in_event_loop, until

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Respond with the size of the body, or with as many bytes as the query requests."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    content = bytes(int(scope["query_string"] or 0)) or b"%d bytes" % size
    headers = [(b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@asynccontextmanager
async def listening(
    limit: int | None = None, keep_alive: int = 5
) -> AsyncIterator[tuple[int, ServerState]]:
    """Run a server; yield its port and its state."""
    config = uvicorn.Config(
        app,
        http=server.BoundedProtocol,
        lifespan="off",
        timeout_keep_alive=keep_alive,
        log_level="warning",
        limit_concurrency=limit,
    )
    config.load()
    state = ServerState()
    listener = await asyncio.get_running_loop().create_server(
        lambda: server.BoundedProtocol(config, state, {}), "127.0.0.1", 0
    )
    async with listener:
        yield listener.sockets[0].getsockname()[1], state


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionResetError:  # it was closed while bytes were unread
        return True


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await closed(reader)


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send single bytes, which do not keep the connection open."""
    writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nX: ")
    ended = asyncio.create_task(closed(reader))
    while not ended.done():
        writer.write(b"x")
        await asyncio.sleep(0.02)
    assert ended.result()


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send two requests whose bodies are slow, which is allowed."""
    for _ in range(2):
        writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n")
        for _ in range(5):
            await asyncio.sleep(0.08)
            writer.write(b"x")
        assert b"200 OK" in await reader.readuntil(b"5 bytes")
    assert await closed(reader)


@pytest.mark.parametrize("client", [silence, trickle, slow_body])
@in_event_loop
async def test_a_connection_without_a_complete_head_is_closed(
    monkeypatch: pytest.MonkeyPatch, client: Callable[..., Awaitable[None]]
) -> None:
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.2)
    async with (
        listening(keep_alive=1) as (port, _),
        connected(port) as streams,
    ):
        await client(*streams)


# ------------------------------------------------------------------------------- readers

LARGE = 2**25  # bytes: more than the buffers of the system take


def get(query: int | str = "") -> bytes:
    return f"GET /?{query} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


@in_event_loop
async def test_a_client_that_does_not_read_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_READ_SECONDS", 0.2)
    async with (
        listening() as (port, state),
        connected(port) as streams,
    ):
        streams[1].write(get(LARGE))
        await until(lambda: len(state.connections) == 1)
        await until(lambda: not state.connections)


@in_event_loop
async def test_a_client_that_reads_slowly_gets_the_whole_response(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same holds for the next response on the connection."""
    monkeypatch.setattr(server, "_READ_SECONDS", 2.0)
    async with listening() as (port, _), connected(port) as streams:
        reader, writer = streams
        for _ in range(2):
            writer.write(get(LARGE))
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(8):
                assert await reader.readexactly(LARGE // 8) == bytes(LARGE // 8)
                await asyncio.sleep(0.3)


# -------------------------------------------------------------------- the limit of connections


@in_event_loop
async def test_the_connection_that_was_idle_longest_is_closed() -> None:
    """A connection without a request is closed before one that waits for a response."""
    async with (
        listening(3) as (port, state),
        AsyncExitStack() as stack,
    ):

        async def another() -> Streams:
            return await stack.enter_async_context(connected(port))

        busy, silent, answered = await another(), await another(), await another()
        await until(lambda: len(state.connections) == 3)
        busy[1].write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n")
        await until(lambda: any(each.cycle for each in state.connections))
        answered[1].write(get())
        assert b"200 OK" in await answered[0].readuntil(b"0 bytes")
        newest = await another()
        assert await closed(silent[0])
        newest[1].write(get())
        assert b"200 OK" in await newest[0].readuntil(b"0 bytes")
        await another()
        assert await closed(answered[0])
        busy[1].write(b"hello")
        assert b"200 OK" in await busy[0].readuntil(b"5 bytes")


@in_event_loop
async def test_a_new_connection_is_refused_if_none_is_idle() -> None:
    """The response has ``Retry-After``."""
    async with (
        listening(1) as (port, state),
        connected(port) as busy,
    ):
        busy[1].write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhell")
        await until(lambda: any(each.cycle for each in state.connections))
        async with connected(port) as refused:
            received = await refused[0].read()
        assert received.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in received
        busy[1].write(b"o")
        assert b"200 OK" in await busy[0].readuntil(b"5 bytes")
