"""A classification for a request, and its progress as server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from genrelens.prediction import Prediction
from genrelens.web.problems import Problem, problem_response
from genrelens.worker_pool import ProgressFile, WorkerResult

__all__ = ["Job", "streamed", "while_connected"]

T = TypeVar("T")

_LOG = logging.getLogger("genrelens.web")
_POLL = 0.1  # seconds between two reads of a worker's progress, or two looks at a connection
_HEADERS = {"X-Accel-Buffering": "no"}  # nginx passes events on at once
_TASKS: set[asyncio.Future[Any]] = set()  # the event loop does not keep them


class Job:
    """What a request asks for.

    Args:
        genres: genres to choose from; empty: all of the model.
        fast: classify three excerpts of a long recording.
        image: include an image of the network's input.

    """

    def __init__(self, genres: Sequence[str], *, fast: bool, image: bool) -> None:
        self.fast, self.image = fast, image
        self._genres = genres
        self._lines: asyncio.Queue[str] | None = None

    def watch(self) -> asyncio.Queue[str]:
        """Return a queue that gets the predictions so far, each as JSON."""
        self._lines = asyncio.Queue()
        return self._lines

    @contextmanager
    def progress_file(self, path: Path, name: str) -> Iterator[ProgressFile | None]:
        """Yield the file of progress for a recording, beside it; None if nobody watches."""
        if self._lines is None:
            yield None
            return
        progress = ProgressFile(path.with_name(f"{path.name}.progress"), name, self._genres)
        try:
            yield progress
        finally:
            progress.path.unlink(missing_ok=True)

    async def followed(self, future: asyncio.Future[T], progress: ProgressFile | None) -> T:
        """Wait for a worker, and pass on the complete lines of its file of progress.

        Cancelling the task that waits cancels the job, which ends its worker.
        """
        if progress is None or self._lines is None:
            return await future
        position = 0
        try:
            while not (await asyncio.wait([future], timeout=_POLL))[0]:
                content = _content(progress.path, position)
                complete = content[: content.rfind(b"\n") + 1]
                position += len(complete)
                for line in complete.splitlines():
                    self._lines.put_nowait(line.decode())
        except asyncio.CancelledError:
            future.cancel()
            raise
        return future.result()

    def restricted(self, prediction: Prediction) -> Prediction:
        """Return a prediction with the chosen genres only."""
        return prediction.restricted(self._genres) if self._genres else prediction

    def document(self, result: WorkerResult, *, timeline: bool, embedding: bool) -> dict[str, Any]:
        """Return the document of the API for a result."""
        prediction = self.restricted(result.prediction)
        document = prediction.to_dict(timeline=timeline, embedding=embedding)
        if result.notes:
            document["notes"] = list(result.notes)
        if result.image is not None:
            document["spectrogram"] = result.image
        return document


def _content(path: Path, position: int) -> bytes:
    with suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(position)
        return file.read()
    return b""


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine; cancel it if the client disconnects.

    Args:
        request: a request whose body has arrived.
        work: the coroutine; it has ended when this one ends.

    Raises:
        Problem: the client disconnected.

    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            if await request.is_disconnected():
                raise Problem(400, "the client disconnected")
            await asyncio.wait([task], timeout=_POLL)
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def streamed(document: Callable[[], Awaitable[dict[str, Any]]], job: Job) -> Response:
    """Return the progress and the document of a job as server-sent events.

    An error before the first event is raised, so that the response has its status. If the client
    disconnects, the classification is cancelled, as without events.

    Args:
        document: classifies the recording and returns the document.
        job: the job.

    Raises:
        Problem: the recording cannot be classified.

    """
    lines = job.watch()
    task = asyncio.ensure_future(document())
    _TASKS.add(task)
    task.add_done_callback(_forget)
    first = await _next(lines, task)
    if first is None:
        return _last_event(await task)
    return StreamingResponse(
        _events(first, lines, task), media_type="text/event-stream", headers=_HEADERS
    )


def _forget(task: asyncio.Future[Any]) -> None:
    _TASKS.discard(task)
    if not task.cancelled():
        task.exception()  # it is reported by the response, if there is still one


def _last_event(document: dict[str, Any]) -> Response:
    content = _event("result", json.dumps(document, allow_nan=False))
    return Response(content, media_type="text/event-stream", headers=_HEADERS)


async def _next(lines: asyncio.Queue[str], task: asyncio.Future[Any]) -> str | None:
    """Return the next line; None once the task has ended and no line is left."""
    waiting = asyncio.ensure_future(lines.get())
    try:
        await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else None
    finally:
        waiting.cancel()


async def _events(
    first: str, lines: asyncio.Queue[str], task: asyncio.Future[dict[str, Any]]
) -> AsyncIterator[str]:
    try:
        line: str | None = first
        while line is not None:
            yield _event("partial", line)
            line = await _next(lines, task)
        try:
            document = await asyncio.shield(task)
            yield _event("result", json.dumps(document, allow_nan=False))
        except Problem as problem:
            yield _problem(problem.status_code, problem.detail)
        except Exception:  # the response has begun, so no middleware can report it
            _LOG.exception("a streamed classification failed")
            yield _problem(500, "internal error")
    finally:  # of this generator, if the client has gone
        if not task.done():
            task.cancel()


def _problem(status: int, detail: str) -> str:
    return _event("problem", bytes(problem_response(status, detail).body).decode())


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
