"""The way of a request through the application, with a pool that a test holds in its hand."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Coroutine
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pebble import ProcessExpired

from genrelens.web import admission as admission_module
from genrelens.web import app as module
from genrelens.web import uploads
from genrelens.web.admission import Admission
from genrelens.web.problems import Problem
from genrelens.web.settings import Settings
from genrelens.worker_pool import WorkerError, WorkerResult
from support.predictions import prediction
from support.processes import PATIENCE
from support.serving import FORM, Exchange, HeldPool, form, metric, running, until

PATH = "/v1/classify"
UNDER_WAY = "genrelens_classifications_under_way"
ARRIVING = "genrelens_uploads_under_way"


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "ClassifierPool", HeldPool)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def settings(model: Path) -> Settings:
    return Settings(model=str(model), workers=1, queue=2, max_upload=1000, timeout=60)


def changed(settings: Settings, **changes: Any) -> Settings:
    return replace(settings, **changes)


def verdict() -> WorkerResult:
    return WorkerResult(prediction({"a": 0.25, "b": 0.75}), None, ())


def upload(app: FastAPI, content: bytes = b"sound") -> Exchange:
    exchange = Exchange(app, PATH, content_type=FORM)
    exchange.body(form(content), more=False)
    return exchange


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, PATIENCE))


# ------------------------------------------------------------------------------ the queue


def test_one_more_than_may_wait(settings: Settings, tmp_path: Path) -> None:
    """Is sent away at once; when one is done, there is a place again."""

    async def scene() -> None:
        async with running(settings) as (app, client):
            waiting = [upload(app) for _ in range(3)]  # one at work, two in the queue
            while metric(await client.get("/metrics"), UNDER_WAY) < 3:
                await asyncio.sleep(0.005)
            assert len(files(tmp_path)) == 3
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
                pool.jobs[-1].set_result(verdict())
            await asyncio.gather(*(exchange.task for exchange in waiting))
            assert [exchange.status for exchange in waiting] == [200] * 3
            assert files(tmp_path) == []
            again = upload(app)
            await until(lambda: len(pool.jobs) == 4)
            # The first may be alone or not; the last of the three is, and the one after them.
            assert pool.alone[1:] == [False, True, True]
            pool.jobs[-1].set_result(verdict())
            await again.task
            assert again.status == 200

    play(scene())
    assert list(tmp_path.iterdir()) == []


def test_the_longer_it_takes_the_later_one_should_come_back() -> None:
    admission = Admission(workers=2, queue=18)
    for _ in range(100):
        admission.took(3.0)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(admission.place())
        refused = stack.enter_context(pytest.raises(Problem))
        stack.enter_context(admission.place())
    assert refused.value.headers == {"Retry-After": "15"}  # half of the 20, by two, 3 s each


def test_the_rest_answers_while_workers_are_busy(settings: Settings) -> None:
    async def scene() -> None:
        async with running(settings) as (app, client):
            busy = upload(app)
            await until(lambda: bool(HeldPool.latest.jobs))
            for path in ("/healthz", "/v1/models", "/v1/limits", "/metrics", "/openapi.json"):
                assert (await client.get(path)).status_code == 200
            text = (await client.get("/metrics")).text
            assert "genrelens_classifications_under_way 1.0" in text
            assert not busy.task.done()
            HeldPool.latest.jobs[0].set_result(verdict())
            await busy.task

    play(scene())


# ----------------------------------------------------------------------- slow and too many


def problem(exchange: Exchange) -> tuple[int, str]:
    document = json.loads(exchange.sent[1]["body"])
    return document["status"], document["detail"]


def slow(app: FastAPI, content: bytes = b"so", kind: str = "audio/wav") -> Exchange:
    exchange = Exchange(app, PATH, content_type=kind)
    exchange.body(content)
    return exchange


def test_slow_uploads_hold_no_place(settings: Settings) -> None:
    """However many there are: whoever has sent a recording is next."""

    async def scene() -> None:
        async with running(changed(settings, queue=0)) as (app, client):
            waiting = [slow(app, form(b"s", closed=False), FORM) for _ in range(20)]
            await until(lambda: all(exchange.taken for exchange in waiting))
            metrics = await client.get("/metrics")
            assert (metric(metrics, ARRIVING), metric(metrics, UNDER_WAY)) == (20, 0)
            normal = upload(app)
            await until(lambda: bool(HeldPool.latest.jobs))
            HeldPool.latest.jobs[0].set_result(verdict())
            await normal.task
            assert normal.status == 200
            for exchange in waiting:
                exchange.disconnect()
            await asyncio.gather(*(exchange.task for exchange in waiting))
            assert metric(await client.get("/metrics"), ARRIVING) == 0

    play(scene())


@pytest.mark.parametrize("kind", ["audio/wav", FORM])
def test_a_body_that_trickles(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Single bytes do not stop the clock; 10 KiB do."""
    monkeypatch.setattr(admission_module, "_STEP_SECONDS", 0.3)

    async def scene() -> None:
        async with running(changed(settings, max_upload=10**6)) as (app, _):
            start = form(b"", closed=False) if kind == FORM else b""
            exchange = slow(app, start, kind)
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
            assert problem(exchange) == (408, "the recording arrives too slowly")
            assert (b"connection", b"close") in exchange.sent[0]["headers"]
            assert files(tmp_path) == []

    play(scene())


def test_too_many_uploads(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has waited longest for its next bytes gives way."""
    monkeypatch.setattr(admission_module, "_YIELD_SECONDS", 0.0)

    async def scene() -> None:
        async with running(changed(settings, uploads=2)) as (app, client):
            first = slow(app)
            await until(lambda: first.taken > 0)
            second = slow(app)
            await until(lambda: second.taken > 0)
            third = upload(app)
            await until(lambda: bool(HeldPool.latest.jobs))
            first.disconnect()
            await first.task
            assert problem(first)[0] == 408
            assert second.status is None
            HeldPool.latest.jobs[0].set_result(verdict())
            await third.task
            assert third.status == 200
            second.disconnect()
            await second.task
            assert metric(await client.get("/metrics"), ARRIVING) == 0

    play(scene())


def test_too_many_uploads_that_are_not_slow(settings: Settings) -> None:
    async def scene() -> None:
        async with running(changed(settings, uploads=1)) as (app, client):
            first = slow(app)
            await until(lambda: first.taken > 0)
            refused = await client.post(PATH, content=b"sound")
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == "1"
            first.body(b"und", more=False)
            await until(lambda: bool(HeldPool.latest.jobs))
            HeldPool.latest.jobs[0].set_result(verdict())
            await first.task
            assert first.status == 200

    play(scene())


def test_too_many_bytes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty times the largest recording is on the disk at most; what stalls gives way."""
    monkeypatch.setattr(admission_module, "_YIELD_SECONDS", 0.0)

    async def scene() -> None:
        async with running(settings) as (app, _):
            stalled = []
            for _ in range(20):
                stalled.append(slow(app, bytes(1000)))
                await until(lambda: stalled[-1].taken == 1000)
            assert [exchange.status for exchange in stalled] == [None] * 20
            normal = upload(app)
            await until(lambda: bool(HeldPool.latest.jobs))
            stalled[0].disconnect()
            await stalled[0].task
            assert problem(stalled[0])[0] == 408
            assert [exchange.status for exchange in stalled[1:]] == [None] * 19
            HeldPool.latest.jobs[0].set_result(verdict())
            await normal.task
            for exchange in stalled:
                exchange.disconnect()
            await asyncio.gather(*(exchange.task for exchange in stalled))
            assert files(tmp_path) == []

    play(scene())


@pytest.mark.parametrize("kind", ["audio/wav", FORM])
def test_a_full_disk(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(uploads, "run_in_threadpool", full)

    async def scene() -> None:
        async with running(settings) as (_, client):
            content = form(b"sound") if kind == FORM else b"sound"
            answer = await client.post(PATH, content=content, headers={"content-type": kind})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
            assert answer.json()["detail"] == "the server's disk is full"
            assert files(tmp_path) == []

    play(scene())


# ------------------------------------------------------------------- workers that are killed


def killed(code: int) -> ProcessExpired:
    return ProcessExpired("Abnormal termination", code=code, pid=1)


async def ended_twice(app: FastAPI, first: Exception, second: Exception | None) -> Exchange:
    """One upload whose first worker ends, and whose second one ends or answers."""
    exchange = upload(app)
    pool = HeldPool.latest
    await until(lambda: len(pool.jobs) == 1)
    pool.jobs[0].set_exception(first)
    await until(lambda: len(pool.jobs) == 2)
    if second is None:
        pool.jobs[1].set_result(verdict())
    else:
        pool.jobs[1].set_exception(second)
    await exchange.task
    assert pool.paths[0] == pool.paths[1]
    return exchange


@pytest.mark.parametrize("first", [killed(-9), killed(-11), BrokenProcessPool()])
def test_a_worker_that_ends_once(settings: Settings, first: Exception) -> None:
    """Whatever the reason: another worker gets the recording, and the client notices nothing."""

    async def scene() -> None:
        async with running(settings) as (app, _):
            assert (await ended_twice(app, first, None)).status == 200

    play(scene())


LOST = (503, "the server lost its workers")
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
def test_workers_that_end_twice(
    settings: Settings, first: Exception, second: Exception, expected: tuple[int, str]
) -> None:
    """It is the client's fault only if the last one crashed by itself."""

    async def scene() -> None:
        async with running(settings) as (app, _):
            exchange = await ended_twice(app, first, second)
            assert problem(exchange) == expected
            has_retry = b"retry-after" in dict(exchange.sent[0]["headers"])
            assert has_retry == (expected == LOST)

    play(scene())


# ----------------------------------------------------------------------------- what fails


def test_too_slow_at_work(settings: Settings, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(changed(settings, timeout=0.2)) as (_, client):
            response = await client.post(PATH, content=b"sound")
            assert response.status_code == 504
            assert response.json()["detail"] == "the recording was not done within 0.2 s"
            assert HeldPool.latest.jobs[0].cancelled()
            assert files(tmp_path) == []

    play(scene())


def test_too_slow_in_the_queue(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gives up there has cost no worker anything."""

    async def scene() -> None:
        admission = Admission(workers=1, queue=2)
        monkeypatch.setattr(module, "Admission", lambda *_: admission)
        async with running(changed(settings, timeout=0.2)) as (_, client), admission.turn:
            assert (await client.post(PATH, content=b"sound")).status_code == 504
            assert HeldPool.latest.jobs == []
            assert files(tmp_path) == []

    play(scene())


def test_too_slow_an_upload(settings: Settings, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(changed(settings, timeout=0.2)) as (app, _):
            exchange = Exchange(app, PATH)
            exchange.body(b"so")
            await exchange.task
            assert exchange.status == 504
            assert files(tmp_path) == []

    play(scene())


@pytest.mark.parametrize("kind", ["audio/wav", FORM])
def test_a_client_that_goes_away_in_the_upload(
    settings: Settings, tmp_path: Path, kind: str
) -> None:
    async def scene() -> None:
        async with running(changed(settings, uploads=1)) as (app, _):
            for _ in range(3):  # each time the only place is free again
                exchange = Exchange(app, PATH, content_type=kind)
                exchange.body(form(b"sou", closed=False))
                exchange.disconnect()
                await exchange.task
                assert exchange.status == 400
                assert files(tmp_path) == []
            assert HeldPool.latest.jobs == []

    play(scene())


def test_a_client_that_goes_away_in_the_queue(settings: Settings, tmp_path: Path) -> None:
    """No worker works for nobody."""

    async def scene() -> None:
        async with running(settings) as (app, _):
            first = upload(app)
            await until(lambda: bool(HeldPool.latest.jobs))
            second = upload(app)
            second.disconnect()
            await until(lambda: len(files(tmp_path)) == 2)
            HeldPool.latest.jobs[0].set_result(verdict())
            await asyncio.gather(first.task, second.task)
            assert (first.status, len(HeldPool.latest.jobs)) == (200, 1)
            assert files(tmp_path) == []

    play(scene())


def test_a_recording_that_is_refused(settings: Settings, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(settings) as (app, client):
            exchange = upload(app)
            await until(lambda: bool(HeldPool.latest.jobs))
            HeldPool.latest.jobs[0].set_result(WorkerError("clip.wav", "is noise"))
            await exchange.task
            assert exchange.status == 422
            assert json.loads(exchange.sent[1]["body"])["detail"] == "clip.wav: is noise"
            assert files(tmp_path) == []
            assert 'status="422"' in (await client.get("/metrics")).text

    play(scene())


def test_a_fault_of_ours(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log gets everything, the client nothing; the answer has the headers and is counted."""

    async def scene() -> None:
        async with running(settings) as (app, client):
            exchange = upload(app)
            await until(lambda: bool(HeldPool.latest.jobs))
            HeldPool.latest.jobs[0].set_exception(RuntimeError("a secret of the server"))
            await exchange.task
            assert exchange.status == 500
            body = json.loads(exchange.sent[1]["body"])
            assert body["detail"] == "genrelens failed; its log says more"
            headers = dict(exchange.sent[0]["headers"])
            assert headers[b"content-type"] == b"application/problem+json"
            assert b"content-security-policy" in headers
            assert files(tmp_path) == []
            assert 'status="500"' in (await client.get("/metrics")).text

    play(scene())
    assert "a secret of the server" in caplog.text


# -------------------------------------------------------------------------------- the size


def test_a_body_of_unknown_length_is_refused_while_it_comes(
    settings: Settings, tmp_path: Path
) -> None:
    """After the limit and one piece; what comes later is not kept."""

    async def scene() -> None:
        async with running(settings) as (app, _):
            exchange = Exchange(app, PATH)
            for _ in range(10):
                exchange.body(bytes(100))
            await until(lambda: exchange.taken == 1000)
            assert exchange.status is None
            exchange.body(bytes(100))
            await until(lambda: len(exchange.sent) == 2)
            assert exchange.status == 413
            assert json.loads(exchange.sent[1]["body"])["status"] == 413
            assert files(tmp_path) == []
            exchange.body(bytes(100))  # the line stays open for a while, so that it can read
            await until(lambda: exchange.taken == 1200)
            assert len(exchange.sent) == 2
            exchange.disconnect()
            await exchange.task
            assert HeldPool.latest.jobs == []

    play(scene())


def test_a_body_that_announces_too_much(settings: Settings) -> None:
    """Is refused before the first byte, and does not keep the line for long."""

    async def scene() -> None:
        async with running(settings) as (app, _):
            exchange = Exchange(app, PATH, content_length="1001")
            await until(lambda: len(exchange.sent) == 2)
            assert (exchange.status, exchange.taken) == (413, 0)
            assert (b"connection", b"close") in exchange.sent[0]["headers"]
            await exchange.task
            assert exchange.sent[2] == {"type": "http.response.body"}

    play(scene())


def test_whoever_is_sent_away_may_finish_sending(settings: Settings) -> None:
    """The last word comes once the body is here, or has had its time."""

    async def scene() -> None:
        async with running(changed(settings, queue=0)) as (app, _):
            busy = upload(app)
            await until(lambda: bool(HeldPool.latest.jobs))
            exchange = Exchange(app, PATH)
            exchange.body(bytes(100))
            await until(lambda: len(exchange.sent) == 2)
            assert (exchange.status, exchange.sent[1]["more_body"]) == (429, True)
            exchange.body(bytes(100), more=False)
            await exchange.task
            assert (len(exchange.sent), exchange.taken) == (3, 200)
            HeldPool.latest.jobs[0].set_result(verdict())
            await busy.task

    play(scene())


def test_a_body_of_exactly_the_limit(settings: Settings) -> None:
    async def scene() -> None:
        async with running(settings) as (app, _):
            exchange = Exchange(app, PATH, content_length="1000")
            exchange.body(bytes(1000), more=False)
            await until(lambda: bool(HeldPool.latest.jobs))
            assert HeldPool.latest.paths[0].stat().st_size == 1000
            HeldPool.latest.jobs[0].set_result(verdict())
            await exchange.task
            assert exchange.status == 200

    play(scene())
