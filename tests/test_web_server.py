"""Connections on which nothing useful happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from genrelens.web import server
from processes import PATIENCE

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the size of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    headers = [(b"content-length", b"7")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"%d bytes" % size})


@asynccontextmanager
async def connection() -> AsyncIterator[Streams]:
    config = uvicorn.Config(app, http=server._Protocol, lifespan="off", log_level="warning")
    config.load()
    state = ServerState()
    listener = await asyncio.get_running_loop().create_server(
        lambda: server._Protocol(config, state, {}), "127.0.0.1", 0
    )
    async with listener:
        port = listener.sockets[0].getsockname()[1]
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
    except ConnectionResetError:  # it was, on bytes that nobody read
        return True


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await closed(reader)


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then keeps no connection alive."""
    writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nX: ")
    ended = asyncio.create_task(closed(reader))
    while not ended.done():
        writer.write(b"x")
        await asyncio.sleep(0.02)
    assert ended.result()


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The body has the time of the request; and after it, the next head has its own."""
    for _ in range(2):
        writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n")
        for _ in range(5):
            await asyncio.sleep(0.08)
            writer.write(b"x")
        assert b"200 OK" in await reader.readuntil(b"5 bytes")
    assert await closed(reader)


@pytest.mark.parametrize("client", [silence, trickle, slow_body])
def test_the_head_of_a_request_has_its_time(
    monkeypatch: pytest.MonkeyPatch, client: Callable[..., Awaitable[None]]
) -> None:
    monkeypatch.setattr(server, "_HEAD_SECONDS", 0.2)

    async def scene() -> None:
        async with asyncio.timeout(PATIENCE), connection() as streams:
            await client(*streams)

    asyncio.run(scene())
