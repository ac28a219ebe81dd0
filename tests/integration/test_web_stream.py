"""The API with `stream=true`: the progress of a classification as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens import worker_pool
from genrelens.web import app, streaming
from genrelens.web.settings import Settings
from genrelens.worker_pool import Limits, ProgressFile, WorkerError
from support import misbehaviour, synth, tiny
from support.asgi import (
    HeldPool,
    LocalClient,
    complete_upload,
    files_in,
    in_event_loop,
    running,
    until,
)
from support.predictions import prediction
from support.serving import IN_PROGRESS, metric

PATH = "/v1/classify"
# Three windows of the network, each of another kind.
LONG = np.concatenate([tiny.sound(kind, 31) for kind in ("chords", "noise", "clicks")])
WAV = synth.write(LONG, tiny.RATE)


@pytest.fixture(scope="module")
def client(model: Path) -> Iterator[LocalClient]:
    limits = Limits(seconds=100)
    client = LocalClient(Settings(model=str(model), workers=1, max_upload=2**23, limits=limits))
    yield client
    client.close()


@pytest.fixture(autouse=True)
def every_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the worker's file all the time, so that no line is missed."""
    monkeypatch.setattr(streaming, "_POLL", 0.001)


@pytest.fixture
def held(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a server whose jobs end when the test says so."""
    monkeypatch.setattr(app, "ClassifierPool", HeldPool)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return Settings(model=str(model), workers=1)


def stream(client: LocalClient, content: bytes = WAV, **query: Any) -> Any:
    files = {"file": ("a.wav", content)}
    return client.post(PATH, files=files, params={"stream": "true", **query})


def events(response: Any) -> list[tuple[str, Any]]:
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text.endswith("\n\n")
    found = []
    for block in response.text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        value = json.loads(data.removeprefix("data: "))
        found.append((name.removeprefix("event: "), value))
    return found


def test_the_last_event_is_the_ordinary_response(client: LocalClient) -> None:
    query = {"timeline": "true", "spectrogram": "true"}
    expected = client.post(PATH, files={"file": ("a.wav", WAV)}, params=query).json()
    response = stream(client, **query)
    assert response.status_code == 200
    *partial, (name, document) = events(response)
    assert (name, document) == ("result", expected)
    assert {name for name, _ in partial} <= {"partial"}
    for _, part in partial:
        assert part["path"] == "a.wav"
        assert 0 < part["heard"] <= part["duration"]
        assert {"sections", "labels"} <= part.keys()
        assert part.keys().isdisjoint({"timeline", "spectrogram"})
    heard = [part["heard"] for _, part in partial]
    assert heard == sorted(heard)


def test_the_choice_of_genres_holds_for_all_events(client: LocalClient) -> None:
    for _, document in events(stream(client, timeline="true", genres="noise,clicks")):
        assert document["probabilities"].keys() == {"noise", "clicks"}


def test_an_error_before_the_first_event_has_its_status(client: LocalClient) -> None:
    response = stream(client, b"no music at all")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("misbehave", [misbehaviour.die, misbehaviour.raise_plainly])
def test_workers_that_fail(
    client: LocalClient, monkeypatch: pytest.MonkeyPatch, misbehave: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker_pool, "_classify_file", misbehave)
        assert stream(client).status_code == {"die": 422, "raise_plainly": 500}[misbehave.__name__]
    assert stream(client).status_code == 200


@pytest.mark.parametrize(
    ("failure", "status", "detail"),
    [
        (WorkerError("a.wav", "is longer than 100 s"), 422, "a.wav: is longer than 100 s"),
        (RuntimeError("a secret of the server"), 500, "internal error"),
    ],
)
@in_event_loop
async def test_an_error_after_the_first_event_is_an_event(
    failure: Any, status: int, detail: str, held: Settings
) -> None:
    async with running(held) as (_, client):
        request = client.post(PATH, content=WAV, params={"stream": "true"})
        response = asyncio.create_task(request)
        await until(lambda: bool(HeldPool.latest.jobs))
        [file], [job] = HeldPool.latest.progress, HeldPool.latest.jobs
        assert file is not None
        file.write(prediction({"noise": 0.7, "clicks": 0.3}))
        await asyncio.sleep(0.1)
        if isinstance(failure, Exception):
            job.set_exception(failure)
        else:
            job.set_result(failure)
        (first, document), (last, problem) = events(await response)
        assert (first, document["genre"]) == ("partial", "noise")
        assert (last, problem["status"], problem["detail"]) == ("problem", status, detail)
        assert not file.path.exists()


@pytest.mark.parametrize("n_events", [0, 1])
@in_event_loop
async def test_a_client_that_disconnects(held: Settings, tmp_path: Path, n_events: int) -> None:
    """Its job is cancelled and not repeated; slot and files are released."""
    async with running(replace(held, queue=0)) as (app, client):
        for number in (1, 2, 3):
            exchange = complete_upload(app, query="stream=true")
            await until(lambda number=number: len(HeldPool.latest.jobs) == number)
            file = HeldPool.latest.progress[-1]
            assert file is not None
            for _ in range(n_events):
                file.write(prediction({"noise": 0.7, "clicks": 0.3}))
                await until(lambda exchange=exchange: len(exchange.sent) == 2)
            exchange.disconnect()
            await exchange.task
            assert exchange.status == (200 if n_events else 400)
            await until(lambda: HeldPool.latest.jobs[-1].cancelled())
            await until(lambda: files_in(tmp_path) == [])
            file.write(prediction({"noise": 0.7, "clicks": 0.3}))  # the worker has not ended yet
            assert files_in(tmp_path) == []
            metrics = await client.get("/metrics")
            assert metric(metrics, IN_PROGRESS) == 0
        assert len(HeldPool.latest.jobs) == 3


@in_event_loop
async def test_a_worker_is_replaced_if_its_client_disconnects(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(model=str(model), workers=1, timeout=600)
    async with running(settings) as (app, client):
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr(worker_pool, "_classify_file", misbehaviour.begin)
                exchange = complete_upload(app, WAV, query="stream=true")
                await until(lambda exchange=exchange: len(exchange.sent) == 2)
            exchange.disconnect()
            await exchange.task
        assert (await client.post(PATH, content=WAV)).status_code == 200


def test_lines_are_written_ten_times_a_second_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("genrelens.worker_pool.time.monotonic", lambda: now[0])
    file = ProgressFile(tmp_path / "progress", "a.wav")
    for now[0] in (1.0, 1.05, 1.09, 1.1, 1.15, 1.21):
        file.write(prediction({"noise": 0.7, "clicks": 0.3}))
    lines = (tmp_path / "progress").read_text("utf-8").splitlines()
    assert len(lines) == 3
    assert json.loads(lines[0])["path"] == "a.wav"
