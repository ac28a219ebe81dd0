"""Errors of a classification request: lost workers, timeouts, clients that disconnect."""

from __future__ import annotations

import errno
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pebble import ProcessExpired

from genrelens.web import app as app_module
from genrelens.web import uploads
from genrelens.web.admission import Admission
from genrelens.web.settings import Settings
from genrelens.worker_pool import WorkerError
from support.asgi import (
    PATH,
    Exchange,
    HeldPool,
    complete_upload,
    files_in,
    in_event_loop,
    running,
    until,
    worker_result,
)
from support.serving import FORM, form

pytestmark = pytest.mark.usefixtures("held_pool")


# ------------------------------------------------------------------------ workers that end


def killed(code: int) -> ProcessExpired:
    return ProcessExpired("Abnormal termination", code=code, pid=1)


async def lose_workers(app: FastAPI, first: Exception, second: Exception | None) -> Exchange:
    """Send an upload whose first worker ends, and whose second one ends or succeeds."""
    exchange = complete_upload(app)
    pool = HeldPool.latest
    await until(lambda: len(pool.jobs) == 1)
    pool.jobs[0].set_exception(first)
    await until(lambda: len(pool.jobs) == 2)
    if second is None:
        pool.jobs[1].set_result(worker_result())
    else:
        pool.jobs[1].set_exception(second)
    await exchange.task
    assert pool.paths[0] == pool.paths[1]
    return exchange


@pytest.mark.parametrize("first", [killed(-9), killed(-11), BrokenProcessPool()])
@in_event_loop
async def test_a_second_worker_classifies_if_the_first_one_ends(
    settings: Settings, first: Exception
) -> None:
    async with running(settings) as (app, _):
        assert (await lose_workers(app, first, None)).status == 200


LOST = (503, "the worker processes ended")
CRASHED = (422, "clip.wav: crashed its decoder")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (killed(-9), killed(-9), LOST),
        (killed(-11), killed(15), LOST),
        (killed(-11), BrokenProcessPool(), LOST),
        (killed(-11), killed(-11), CRASHED),
        (BrokenProcessPool(), killed(1), CRASHED),
    ],
)
@in_event_loop
async def test_two_workers_that_end(
    settings: Settings, first: Exception, second: Exception, expected: tuple[int, str]
) -> None:
    """The recording is reported as the cause only if the second worker crashed by itself."""
    async with running(settings) as (app, _):
        exchange = await lose_workers(app, first, second)
        assert exchange.problem == expected
        has_retry = b"retry-after" in dict(exchange.sent[0]["headers"])
        assert has_retry == (expected == LOST)


# ----------------------------------------------------------------- errors and cancellation


@in_event_loop
async def test_timeout_of_a_classification(settings: Settings, tmp_path: Path) -> None:
    async with running(replace(settings, timeout=0.2)) as (_, client):
        response = await client.post(PATH, content=b"sound")
        assert response.status_code == 504
        assert response.json()["detail"] == "the recording was not classified within 0.2 s"
        assert HeldPool.latest.jobs[0].cancelled()
        assert files_in(tmp_path) == []


@in_event_loop
async def test_timeout_in_the_queue(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No job is submitted for it."""
    bounds = Admission(workers=1, queue=2)
    monkeypatch.setattr(app_module, "Admission", lambda *_: bounds)
    async with running(replace(settings, timeout=0.2)) as (_, client), bounds.free_worker:
        assert (await client.post(PATH, content=b"sound")).status_code == 504
        assert HeldPool.latest.jobs == []
        assert files_in(tmp_path) == []


@in_event_loop
async def test_timeout_of_an_upload(settings: Settings, tmp_path: Path) -> None:
    async with running(replace(settings, timeout=0.2)) as (app, _):
        exchange = Exchange(app, PATH)
        exchange.body(b"so")
        await until(lambda: exchange.status is not None)
        exchange.disconnect()
        await exchange.task
        assert exchange.status == 504
        assert files_in(tmp_path) == []


@pytest.mark.parametrize("kind", ["audio/wav", FORM])
@in_event_loop
async def test_a_client_that_disconnects_during_the_upload(
    settings: Settings, tmp_path: Path, kind: str
) -> None:
    async with running(replace(settings, uploads=1)) as (app, _):
        for _ in range(3):  # each time the only upload is released
            exchange = Exchange(app, PATH, content_type=kind)
            exchange.body(form(b"sou", closed=False))
            exchange.disconnect()
            await exchange.task
            assert exchange.status == 400
            assert files_in(tmp_path) == []
        assert HeldPool.latest.jobs == []


@in_event_loop
async def test_a_client_that_disconnects_in_the_queue(settings: Settings, tmp_path: Path) -> None:
    """No job is submitted for it."""
    async with running(settings) as (app, _):
        first = complete_upload(app)
        await until(lambda: bool(HeldPool.latest.jobs))
        second = complete_upload(app)
        await until(lambda: len(files_in(tmp_path)) == 2)
        second.disconnect()
        await second.task
        assert len(files_in(tmp_path)) == 1
        HeldPool.latest.jobs[0].set_result(worker_result())
        await first.task
        assert (first.status, len(HeldPool.latest.jobs)) == (200, 1)
        assert files_in(tmp_path) == []


@in_event_loop
async def test_a_client_that_disconnects_during_the_classification(
    settings: Settings, tmp_path: Path
) -> None:
    """Its job is cancelled and not repeated; the only slot is free for the next one."""
    async with running(replace(settings, queue=0)) as (app, _):
        for number in (1, 2, 3):
            exchange = complete_upload(app)
            await until(lambda number=number: len(HeldPool.latest.jobs) == number)
            exchange.disconnect()
            await exchange.task
            assert exchange.problem == (400, "the client disconnected")
            assert files_in(tmp_path) == []
        assert [job.cancelled() for job in HeldPool.latest.jobs] == [True] * 3


@in_event_loop
async def test_an_error_of_a_worker(settings: Settings, tmp_path: Path) -> None:
    async with running(settings) as (app, client):
        exchange = complete_upload(app)
        await until(lambda: bool(HeldPool.latest.jobs))
        HeldPool.latest.jobs[0].set_result(WorkerError("clip.wav", "is noise"))
        await exchange.task
        assert exchange.status == 422
        assert exchange.problem[1] == "clip.wav: is noise"
        assert files_in(tmp_path) == []
        assert 'status="422"' in (await client.get("/metrics")).text


@in_event_loop
async def test_an_internal_error(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the log has the details; the response has the security headers and is counted."""
    async with running(settings) as (app, client):
        exchange = complete_upload(app)
        await until(lambda: bool(HeldPool.latest.jobs))
        HeldPool.latest.jobs[0].set_exception(RuntimeError("a secret of the server"))
        await exchange.task
        assert exchange.status == 500
        assert exchange.problem[1] == "internal error; see the log of the server"
        headers = dict(exchange.sent[0]["headers"])
        assert headers[b"content-type"] == b"application/problem+json"
        assert b"content-security-policy" in headers
        assert files_in(tmp_path) == []
        assert 'status="500"' in (await client.get("/metrics")).text
    assert "a secret of the server" in caplog.text


@pytest.mark.parametrize("kind", ["audio/wav", FORM])
@in_event_loop
async def test_a_full_disk(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads, "run_in_threadpool", full)
    async with running(settings) as (_, client):
        content = form(b"sound") if kind == FORM else b"sound"
        answer = await client.post(PATH, content=content, headers={"content-type": kind})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert answer.json()["detail"] == "the server's disk is full"
        assert files_in(tmp_path) == []
