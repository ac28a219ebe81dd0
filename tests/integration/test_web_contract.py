"""Properties of all responses: headers, caching, prefixes, metrics, and the OpenAPI document."""

from __future__ import annotations

import asyncio
import os
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

from genrelens import Classifier, web
from genrelens.web.app import RevalidatedFiles
from genrelens.web.settings import Settings
from support import synth, tiny
from support.asgi import LocalClient
from support.serving import server

CLASSIFY = "/v1/classify"
WAV = synth.write(tiny.sound("clicks", 1), tiny.RATE)


@pytest.fixture(scope="module")
def client(model: Path) -> Iterator[LocalClient]:
    client = LocalClient(Settings(model=str(model), workers=1, max_upload=2**20))
    yield client
    client.close()


@pytest.fixture(scope="module")
def document(client: LocalClient) -> Any:
    return client.get("/openapi.json").json()


def test_the_face_for_python_users() -> None:
    for name in web.__all__:
        assert "Example::" in getattr(web, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = web.nothing


# -------------------------------------------------------------------------------- headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/docs", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/static/docs.js", 200),
        ("GET", "/examples/rock-riff.ogg", 200),
        ("GET", "/static/gone.js", 404),
        ("GET", "/gone", 404),
        ("GET", CLASSIFY, 405),
        ("POST", CLASSIFY, 400),
    ],
)
def test_security_headers(client: LocalClient, method: str, path: str, status: int) -> None:
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
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "microphone=(self)" in answer.headers["permissions-policy"]
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_of_the_api_loads_only_own_files(client: LocalClient) -> None:
    page = client.get("/docs").text
    assert "<script>" not in page
    assert "style=" not in page
    files = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(files) > 3
    for file in files:
        assert not file.startswith(("/", "http"))
        assert client.get(f"/{file}").status_code == 200, file


# ------------------------------------------------------------- HEAD, compression and caches

PAGES = ("/", "/docs", "/static/main.js", "/static/docs.css", "/examples/rock-riff.ogg")
DOCUMENTS = ("/healthz", "/v1/models", "/v1/limits", "/v1/examples", "/openapi.json")


@pytest.mark.parametrize("path", [*PAGES, *DOCUMENTS])
def test_head_equals_get_without_the_body(client: LocalClient, path: str) -> None:
    for encoding in ("identity", "gzip"):
        headers = {"accept-encoding": encoding}
        expected = client.get(path, headers=headers)
        answer = client.request("HEAD", path, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers == expected.headers


def test_head_of_other_paths(client: LocalClient) -> None:
    assert client.request("HEAD", "/metrics").status_code == 200
    assert client.request("HEAD", "/gone").status_code == 404
    missing = client.request("HEAD", CLASSIFY)
    assert (missing.status_code, missing.headers["allow"]) == (405, "POST")


def test_text_is_compressed(client: LocalClient) -> None:
    for path in ("/", "/static/style.css", "/openapi.json"):
        plain = client.get(path, headers={"accept-encoding": "identity"})
        packed = client.get(path, headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        assert packed.content == plain.content
        assert "Accept-Encoding" in packed.headers["vary"]
        assert "Accept-Encoding" in plain.headers["vary"]


def test_audio_and_short_responses_are_not_compressed(client: LocalClient) -> None:
    for path in ("/examples/rock-riff.ogg", "/healthz"):
        answer = client.get(path, headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in answer.headers
    part = client.get("/examples/rock-riff.ogg", headers={"range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"OggS")


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("path", PAGES)
def test_cached_files_are_not_sent_again(client: LocalClient, path: str, encoding: str) -> None:
    headers = {"accept-encoding": encoding}
    first = client.get(path, headers=headers)
    assert first.headers["cache-control"] == "no-cache"
    assert "last-modified" not in first.headers
    tag = first.headers["etag"]
    assert tag.startswith("W/") == ("content-encoding" in first.headers)
    again = client.get(path, headers=headers | {"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"
    other = client.get(path, headers=headers | {"if-none-match": '"another"'})
    assert other.content == first.content


def test_responses_about_recordings_are_not_cached(client: LocalClient) -> None:
    assert client.post(CLASSIFY, content=WAV).headers["cache-control"] == "no-store"
    for path in DOCUMENTS:
        assert client.get(path).headers["cache-control"] == "no-store"


def test_changed_files_have_other_entity_tags(tmp_path: Path) -> None:
    """The tags differ even if size and time are equal, as in reproducible packages."""
    tags = []
    for content in ("let a = 1;", "let a = 2;"):
        folder = tmp_path / str(len(tags))
        folder.mkdir()
        (folder / "main.js").write_text(content)
        os.utime(folder / "main.js", (0, 0))
        scope = {"type": "http", "method": "GET", "headers": [], "path": "/main.js"}
        files = RevalidatedFiles(directory=folder)
        tags.append(asyncio.run(files.get_response("main.js", scope)).headers["etag"])
    assert tags[0] != tags[1]


# -------------------------------------------------------------------------------- prefixes


def test_a_prefix_with_and_without_it_in_the_path(model: Path) -> None:
    client = LocalClient(Settings(model=str(model), workers=1, root_path="/deep/genre"))
    try:
        for path in ("/deep/genre/healthz", "/healthz", "/deep/genre/static/main.js"):
            assert client.get(path).status_code == 200, path
        assert client.get("/deep/genre/").text == client.get("/").text
        redirect = client.get("/deep/genre")
        assert (redirect.status_code, redirect.headers["location"]) == (308, "genre/")
        assert client.get("/deep/genrex/healthz").status_code == 404
        document = client.get("/deep/genre/openapi.json").json()
        validate(document)
        assert document["servers"] == [{"url": "/deep/genre"}]
        clips = client.get("/v1/examples").json()
        assert all(clip["url"].startswith("/deep/genre/examples/") for clip in clips)
        assert client.get(clips[0]["url"]).status_code == 200
        assert client.post(f"/deep/genre{CLASSIFY}", content=WAV).status_code == 200
        assert (
            "genrelens_requests_total",
            (("method", "POST"), ("path", CLASSIFY), ("status", "200")),
        ) in samples(client)
    finally:
        client.close()


@pytest.mark.parametrize("prefix", ["genre", "/genre/", "/", "/a b", "//a", "/a?b", "http://a"])
def test_invalid_prefixes(prefix: str) -> None:
    with pytest.raises(ValueError, match="must have the form /genre"):
        Settings(root_path=prefix)


# --------------------------------------------------------------------------------- metrics


def samples(client: LocalClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_of_a_classification(client: LocalClient) -> None:
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


def test_clients_cannot_add_labels(client: LocalClient) -> None:
    """Otherwise clients could use up the memory of the server."""
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


def test_the_openapi_document_is_valid(document: Any) -> None:
    validate(document)
    assert set(document["paths"]) == {
        CLASSIFY,
        "/v1/models",
        "/v1/limits",
        "/v1/examples",
        "/healthz",
    }


def test_operation_ids_are_valid_function_names(document: Any) -> None:
    """A generated client has methods of these names."""
    operations = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert operations == ["classify", "list_models", "get_limits", "list_examples", "get_health"]


def test_all_errors_are_described_as_problems(document: Any) -> None:
    responses = document["paths"][CLASSIFY]["post"]["responses"]
    described = {"400", "403", "408", "413", "415", "421", "422", "429", "500", "503", "504"}
    assert set(responses) == {"200", *described}
    for status, response in responses.items():
        if status != "200":
            (kind,) = response["content"]
            assert kind == "application/problem+json"
    assert "HTTPValidationError" not in str(document)


def test_a_response_matches_its_description(client: LocalClient, document: Any) -> None:
    schemathesis_schema = schemathesis.openapi.from_dict(document)
    operation = schemathesis_schema[CLASSIFY]["POST"]
    answer = client.post(f"{CLASSIFY}?timeline=true&spectrogram=true", content=WAV)
    assert answer.json()["timeline"]
    assert answer.json()["spectrogram"]
    operation.validate_response(answer)


def test_responses_of_a_model_with_all_outputs(listener_model: Path) -> None:
    """They match their description and the result in Python."""
    client = LocalClient(Settings(model=str(listener_model), workers=1, max_upload=2**21))
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
    """Each response matches its description and is no 5xx. Random bytes are no recording."""

    @settings(max_examples=30 if method == "POST" else 5, phases=[Phase.generate])
    @given(case=schema[path][method].as_strategy())
    def attempt(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    attempt()
