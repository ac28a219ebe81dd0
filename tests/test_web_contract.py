"""What holds for every answer: the headers, the counters, and the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemathesis
from hypothesis import Phase, given, settings
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families
from schemathesis.specs.openapi.checks import positive_data_acceptance

import synth
import tiny
from genrelens import Classifier
from genrelens.web.settings import Settings
from serving import Local, server

CLASSIFY = "/v1/classify"
WAV = synth.write(tiny.sound("clicks", 1), tiny.RATE)


@pytest.fixture(scope="module")
def client(model: Path) -> Iterator[Local]:
    client = Local(Settings(model=str(model), workers=1, max_upload=2**20))
    yield client
    client.close()


@pytest.fixture(scope="module")
def document(client: Local) -> Any:
    return client.get("/openapi.json").json()


# -------------------------------------------------------------------------------- headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/static/docs.js", 200),
        ("GET", "/swagger/swagger-ui-bundle.js", 200),
        ("GET", "/examples/rock-riff.ogg", 200),
        ("GET", "/static/gone.js", 404),
        ("GET", "/gone", 404),
        ("GET", CLASSIFY, 405),
        ("POST", CLASSIFY, 400),
    ],
)
def test_every_answer_trusts_nobody(client: Local, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"unsafe|https?:|\*", " ".join(policy.values()))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "microphone=(self)" in answer.headers["permissions-policy"]
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_of_the_api_needs_no_internet(client: Local) -> None:
    page = client.get("/docs").text
    assert "<script>" not in page
    assert "style=" not in page
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(files) > 3
    for file in files:
        assert file.startswith("/")
        assert client.get(file).status_code == 200, file


# --------------------------------------------------------------------------------- metrics


def samples(client: Local) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_what_is_counted(client: Local) -> None:
    def value(name: str, **labels: str) -> float:
        return samples(client).get((name, tuple(sorted(labels.items()))), 0)

    def counted() -> tuple[float, float, float, float]:
        request = {"path": CLASSIFY, "method": "POST", "status": "200"}
        return (
            value("genrelens_requests_total", **request),
            value("genrelens_request_seconds_count", path=CLASSIFY),
            value("genrelens_audio_seconds_total"),
            value("genrelens_genres_total", genre="clicks"),
        )

    before = counted()
    assert client.post(CLASSIFY, content=WAV).status_code == 200
    assert counted() == tuple(count + 1 for count in before)
    assert value("genrelens_classifications_under_way") == 0


def test_clients_cannot_invent_labels(client: Local) -> None:
    """What they can choose freely must not grow the server's memory."""
    for _ in range(2):
        seen = set(samples(client))
        for number in range(5):
            client.get(f"/nowhere/{number}")
            client.get(f"/static/{number}.js")
            client.request(f"METHOD{number}", "/healthz")
            client.request(f"METHOD{number}", f"/nowhere/{number}")
            client.get(f"/v1/models?x={number}")
            client.post(f"{CLASSIFY}?x={number}", content=b"x")
    assert set(samples(client)) == seen
    assert not any("nowhere" in str(key) or "METHOD" in str(key) for key in seen)


# --------------------------------------------------------------------------------- OpenAPI


def test_the_document_is_valid(document: Any) -> None:
    validate(document)
    assert set(document["paths"]) == {
        CLASSIFY, "/v1/models", "/v1/limits", "/v1/examples", "/healthz"
    }  # fmt: skip


def test_all_errors_are_problems(document: Any) -> None:
    responses = document["paths"][CLASSIFY]["post"]["responses"]
    assert set(responses) == {"200", "400", "413", "415", "422", "429", "500", "503", "504"}
    for status, response in responses.items():
        if status != "200":
            (kind,) = response["content"]
            assert kind == "application/problem+json"
    assert "HTTPValidationError" not in str(document)


def test_what_is_answered_is_what_is_described(client: Local, document: Any) -> None:
    schemathesis_schema = schemathesis.openapi.from_dict(document)
    operation = schemathesis_schema[CLASSIFY]["POST"]
    answer = client.post(f"{CLASSIFY}?timeline=true&spectrogram=true", content=WAV)
    assert answer.json()["timeline"]
    assert answer.json()["spectrogram"]
    operation.validate_response(answer)


def test_what_a_model_that_says_much_answers(listener_model: Path) -> None:
    """In haste too; described, and the same as in Python."""
    client = Local(Settings(model=str(listener_model), workers=1, max_upload=2**21))
    try:
        operations = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        query = "timeline=true&embedding=true&fast=true"
        long = synth.write(tiny.sound("noise", 100), tiny.RATE)
        answer = client.post(f"{CLASSIFY}?{query}", content=long)
        operations[CLASSIFY]["POST"].validate_response(answer)
        expected = Classifier.load(listener_model, threads=1).classify(long, fast=True)
        assert expected.heard == 90
        document = {**expected.to_dict(timeline=True, embedding=True), "path": "recording"}
        assert answer.json() == document
        silence = client.post(CLASSIFY, content=synth.write(np.zeros(tiny.RATE), tiny.RATE))
        assert silence.json()["verdict"] == "silence"
        counted = samples(client)
        assert counted["genrelens_genres_total", (("genre", "silence"),)] == 1
        assert counted["genrelens_audio_seconds_total", ()] == 91
        (model,) = client.get("/v1/models").json()
        assert (model["styles"], model["music_threshold"]) == (["loud", "soft"], 0.5)
    finally:
        client.close()


@pytest.fixture(scope="module")
def schema(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with server(model, tmp_path_factory.mktemp("server")) as instance:
        yield schemathesis.openapi.from_url(f"{instance.url}/openapi.json")


OPERATIONS = [(CLASSIFY, "POST"), ("/v1/models", "GET"), ("/healthz", "GET")]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_request_breaks_the_server(schema: Any, path: str, method: str) -> None:
    """Whatever is sent: an answer as described, never a 5xx. Random bytes are no recording."""

    @settings(max_examples=30 if method == "POST" else 5, phases=[Phase.generate])
    @given(case=schema[path][method].as_strategy())
    def attempt(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    attempt()
