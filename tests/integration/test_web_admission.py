"""Bounds of the server: the queue, slow and many uploads, the size of bodies."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from genrelens.web import admission, middleware
from genrelens.web.admission import Admission
from genrelens.web.problems import Problem
from genrelens.web.settings import Settings
from support.asgi import (
    PATH,
    Exchange,
    HeldPool,
    complete_upload,
    files_in,
    finish_job,
    in_event_loop,
    running,
    unfinished_upload,
    until,
    worker_result,
)
from support.serving import ARRIVING, FORM, IN_PROGRESS, form, metric

pytestmark = pytest.mark.usefixtures("held_pool")


# ----------------------------------------------------------------------------------- queue


@in_event_loop
async def test_a_request_beyond_the_queue_is_refused(settings: Settings, tmp_path: Path) -> None:
    """When a classification is done, a slot is free again."""
    async with running(settings) as (app, client):
        waiting = [complete_upload(app) for _ in range(3)]  # one at work, two in the queue
        while metric(await client.get("/metrics"), IN_PROGRESS) < 3:
            await asyncio.sleep(0.005)
        assert len(files_in(tmp_path)) == 3
        refused = await client.post(PATH, content=b"sound")
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        seconds = int(refused.headers["retry-after"])
        assert refused.json() == {
            "type": "about:blank",
            "title": "Too Many Requests",
            "status": 429,
            "detail": f"the server is busy; try again in {seconds} s",
        }
        assert seconds >= 1
        pool = HeldPool.latest
        for number in range(3):  # one after another: there is one worker
            await until(lambda number=number: len(pool.jobs) == number + 1)
            pool.jobs[-1].set_result(worker_result())
        await asyncio.gather(*(exchange.task for exchange in waiting))
        assert [exchange.status for exchange in waiting] == [200] * 3
        assert files_in(tmp_path) == []
        again = complete_upload(app)
        await until(lambda: len(pool.jobs) == 4)
        # The first may be alone or not; the last of the three is, and the one after them.
        assert pool.alone[1:] == [False, True, True]
        pool.jobs[-1].set_result(worker_result())
        await again.task
        assert again.status == 200
    assert list(tmp_path.iterdir()) == []


def test_retry_after_grows_with_the_duration_of_classifications() -> None:
    bounds = Admission(workers=2, queue=18)
    for _ in range(100):
        bounds.record_duration(3.0)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(bounds.slot())
        refused = stack.enter_context(pytest.raises(Problem))
        stack.enter_context(bounds.slot())
    assert refused.value.headers == {"Retry-After": "15"}  # half of the 20, two at a time, 3 s each


@in_event_loop
async def test_other_routes_answer_while_workers_are_busy(settings: Settings) -> None:
    async with running(settings) as (app, client):
        busy = complete_upload(app)
        await until(lambda: bool(HeldPool.latest.jobs))
        for path in ("/healthz", "/v1/models", "/v1/limits", "/metrics", "/openapi.json"):
            assert (await client.get(path)).status_code == 200
        text = (await client.get("/metrics")).text
        assert "genrelens_classifications_under_way 1.0" in text
        assert not busy.task.done()
        HeldPool.latest.jobs[0].set_result(worker_result())
        await busy.task


# ------------------------------------------------------------------- slow and many uploads


@in_event_loop
async def test_slow_uploads_occupy_no_slot(settings: Settings) -> None:
    async with running(replace(settings, queue=0)) as (app, client):
        waiting = [unfinished_upload(app, form(b"s", closed=False), FORM) for _ in range(20)]
        await until(lambda: all(exchange.taken for exchange in waiting))
        metrics = await client.get("/metrics")
        assert (metric(metrics, ARRIVING), metric(metrics, IN_PROGRESS)) == (20, 0)
        normal = complete_upload(app)
        await finish_job()
        await normal.task
        assert normal.status == 200
        for exchange in waiting:
            exchange.disconnect()
        await asyncio.gather(*(exchange.task for exchange in waiting))
        assert metric(await client.get("/metrics"), ARRIVING) == 0


@pytest.mark.parametrize("kind", ["audio/wav", FORM])
@in_event_loop
async def test_a_body_that_arrives_too_slowly(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Single bytes do not reset the waiting time; 10 KiB do."""
    monkeypatch.setattr(admission, "_STEP_SECONDS", 0.3)
    async with running(replace(settings, max_upload=10**6)) as (app, _):
        start = form(b"", closed=False) if kind == FORM else b""
        exchange = unfinished_upload(app, start, kind)
        for _ in range(4):
            await asyncio.sleep(0.1)
            exchange.body(bytes(10 * 2**10))
        await until(lambda: exchange.taken >= 40 * 2**10)
        assert exchange.status is None
        while exchange.status is None:
            exchange.body(b"x")
            await asyncio.sleep(0.02)
        exchange.disconnect()
        await exchange.task
        assert exchange.problem == (408, "the recording arrives too slowly")
        assert (b"connection", b"close") in exchange.sent[0]["headers"]
        assert files_in(tmp_path) == []


@in_event_loop
async def test_too_many_uploads(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The upload that has waited longest for its next bytes is dropped."""
    monkeypatch.setattr(admission, "_EVICTION_SECONDS", 0.0)
    async with running(replace(settings, uploads=2)) as (app, client):
        first = unfinished_upload(app)
        await until(lambda: first.taken > 0)
        second = unfinished_upload(app)
        await until(lambda: second.taken > 0)
        third = complete_upload(app)
        await until(lambda: bool(HeldPool.latest.jobs))
        first.disconnect()
        await first.task
        assert first.problem[0] == 408
        assert second.status is None
        HeldPool.latest.jobs[0].set_result(worker_result())
        await third.task
        assert third.status == 200
        second.disconnect()
        await second.task
        assert metric(await client.get("/metrics"), ARRIVING) == 0


@in_event_loop
async def test_too_many_uploads_that_are_not_slow(settings: Settings) -> None:
    async with running(replace(settings, uploads=1)) as (app, client):
        first = unfinished_upload(app)
        await until(lambda: first.taken > 0)
        refused = await client.post(PATH, content=b"sound")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        first.body(b"und", more=False)
        await finish_job()
        await first.task
        assert first.status == 200


@in_event_loop
async def test_too_many_bytes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most twenty times the largest upload is stored; a stalled upload is dropped."""
    monkeypatch.setattr(admission, "_EVICTION_SECONDS", 0.0)
    async with running(settings) as (app, _):
        stalled = []
        for _ in range(20):
            stalled.append(unfinished_upload(app, bytes(1000)))
            await until(lambda: stalled[-1].taken == 1000)
        assert [exchange.status for exchange in stalled] == [None] * 20
        normal = complete_upload(app)
        await until(lambda: bool(HeldPool.latest.jobs))
        stalled[0].disconnect()
        await stalled[0].task
        assert stalled[0].problem[0] == 408
        assert [exchange.status for exchange in stalled[1:]] == [None] * 19
        HeldPool.latest.jobs[0].set_result(worker_result())
        await normal.task
        for exchange in stalled:
            exchange.disconnect()
        await asyncio.gather(*(exchange.task for exchange in stalled))
        assert files_in(tmp_path) == []


# ------------------------------------------------------------------------ size of the body


@in_event_loop
async def test_a_body_of_unknown_length_is_refused_at_the_limit(
    settings: Settings, tmp_path: Path
) -> None:
    """Later parts are discarded."""
    async with running(settings) as (app, _):
        exchange = Exchange(app, PATH)
        for _ in range(10):
            exchange.body(bytes(100))
        await until(lambda: exchange.taken == 1000)
        assert exchange.status is None
        exchange.body(bytes(100))
        await until(lambda: len(exchange.sent) == 2)
        assert exchange.status == 413
        assert exchange.problem[0] == 413
        assert files_in(tmp_path) == []
        exchange.body(bytes(100))  # the connection stays open for a while
        await until(lambda: exchange.taken == 1200)
        assert len(exchange.sent) == 2
        exchange.disconnect()
        await exchange.task
        assert HeldPool.latest.jobs == []


@in_event_loop
async def test_a_body_with_a_length_beyond_the_limit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before its first byte, and the connection is closed soon."""
    monkeypatch.setattr(middleware, "_LINGER", 0.1)
    async with running(settings) as (app, _):
        exchange = Exchange(app, PATH, content_length="1001")
        await until(lambda: len(exchange.sent) == 2)
        assert (exchange.status, exchange.taken) == (413, 0)
        assert (b"connection", b"close") in exchange.sent[0]["headers"]
        await exchange.task
        assert exchange.sent[2] == {"type": "http.response.body"}


@in_event_loop
async def test_a_refused_client_may_finish_its_body(settings: Settings) -> None:
    """The response ends once the body has arrived."""
    async with running(replace(settings, queue=0)) as (app, _):
        busy = complete_upload(app)
        await until(lambda: bool(HeldPool.latest.jobs))
        exchange = Exchange(app, PATH)
        exchange.body(bytes(100))
        await until(lambda: len(exchange.sent) == 2)
        assert (exchange.status, exchange.sent[1]["more_body"]) == (429, True)
        exchange.body(bytes(100), more=False)
        await exchange.task
        assert (len(exchange.sent), exchange.taken) == (3, 200)
        HeldPool.latest.jobs[0].set_result(worker_result())
        await busy.task


@in_event_loop
async def test_a_body_of_exactly_the_limit(settings: Settings) -> None:
    async with running(settings) as (app, _):
        exchange = Exchange(app, PATH, content_length="1000")
        exchange.body(bytes(1000), more=False)
        await until(lambda: bool(HeldPool.latest.jobs))
        assert HeldPool.latest.paths[0].stat().st_size == 1000
        HeldPool.latest.jobs[0].set_result(worker_result())
        await exchange.task
        assert exchange.status == 200
