"""The web application in this process: clients, requests message by message, and a held pool."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from genrelens.web.app import create_app
from genrelens.web.settings import Settings
from genrelens.worker_pool import ProgressFile, WorkerResult
from support.predictions import prediction
from support.processes import PATIENCE
from support.serving import FORM, form

PATH = "/v1/classify"


class HeldPool:
    """A pool without processes, whose jobs end when a test sets their result."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.jobs: list[Future[Any]] = []
        self.paths: list[Path] = []
        self.alone: list[bool] = []
        self.progress: list[ProgressFile | None] = []
        HeldPool.latest = self

    latest: HeldPool

    def submit(self, path: Path, name: str, *, alone: bool, **options: Any) -> Future[Any]:
        self.jobs.append(Future())
        self.paths.append(path)
        self.alone.append(alone)
        self.progress.append(options["progress"])
        return self.jobs[-1]

    def close(self) -> None:
        pass


@asynccontextmanager
async def running(
    settings: Settings, *, loopback: bool = False
) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """Start an application; yield it and a client."""
    app = create_app(settings, loopback=loopback)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield app, client


class LocalClient:
    """A client of an application in this process, for tests that are not coroutines."""

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


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


class Exchange:
    """One request to an application, sent as single ASGI messages.

    Attributes:
        messages: messages that the application has not received yet.
        sent: messages of the response.
        taken: bytes of the body that the application has received.
        task: the running application.

    """

    def __init__(self, app: Any, path: str, query: str = "", **headers: str) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.taken = 0
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "scheme": "http",
            "query_string": query.encode(),
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
    def problem(self) -> tuple[int, str]:
        """Status and detail of an error response."""
        document = json.loads(self.sent[1]["body"])
        return document["status"], document["detail"]

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    async def _receive(self) -> dict[str, Any]:
        message = await self.messages.get()
        self.taken += len(message.get("body", b""))
        return message

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


# ------------------------------------------------------------------------ uploads, results


def complete_upload(app: FastAPI, content: bytes = b"sound", query: str = "") -> Exchange:
    """Send a recording as a form."""
    exchange = Exchange(app, PATH, query, content_type=FORM)
    exchange.body(form(content), more=False)
    return exchange


def unfinished_upload(app: FastAPI, content: bytes = b"so", kind: str = "audio/wav") -> Exchange:
    """Send the beginning of a body."""
    exchange = Exchange(app, PATH, content_type=kind)
    exchange.body(content)
    return exchange


def worker_result() -> WorkerResult:
    """Return what a worker returns for a recording."""
    return WorkerResult(prediction({"a": 0.25, "b": 0.75}), None, ())


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def finish_job(outcome: Any = None) -> None:
    """Wait for the first job and set its result, by default that of a classification."""
    await until(lambda: bool(HeldPool.latest.jobs))
    if isinstance(outcome, Exception):
        HeldPool.latest.jobs[0].set_exception(outcome)
    else:
        HeldPool.latest.jobs[0].set_result(outcome or worker_result())


def in_event_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), PATIENCE))

    return run
