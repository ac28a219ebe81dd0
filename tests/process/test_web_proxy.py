"""The server behind nginx, under a path prefix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support import synth, tiny
from support.nginx import STYLES, proxied
from support.serving import Server, server

WAV = synth.write(tiny.sound("clicks", 2), tiny.RATE)
ORIGIN = {"origin": "https://music.example"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def upstream(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("--root-path", "/genre/", "--allow-host", "music.example")
    with server(model, tmp_path_factory.mktemp("server"), *options) as instance:
        assert instance.greeting == f"Listening on {instance.url}/genre (Ctrl-C to stop)\n"
        yield instance


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("headers", ["", "proxy_set_header Host music.example;"])
def test_all_routes_work_under_the_prefix(
    upstream: Server, tmp_path: Path, style: str, headers: str
) -> None:
    with proxied(upstream.port, "/genre", STYLES[style], tmp_path, headers) as url:
        for path in ("/", "/docs", "/healthz", "/v1/models", "/static/main.js", "/openapi.json"):
            assert httpx.get(url + path).status_code == 200, path
            assert httpx.head(url + path).status_code == 200, path
        assert httpx.get(url).headers["location"].endswith("/genre/")
        (example, *_) = httpx.get(f"{url}/v1/examples").json()
        assert httpx.get(httpx.URL(url).join(example["url"])).content.startswith(b"OggS")
        (base,) = httpx.get(f"{url}/openapi.json").json()["servers"]
        address = httpx.URL(url).join(f"{base['url']}/v1/classify")
        response = httpx.post(address, files={"file": ("a.wav", WAV)}, headers=ORIGIN, timeout=600)
        assert response.json()["genre"] == "clicks"
        other = {"origin": "https://other.example"}
        assert httpx.post(address, content=WAV, headers=other).status_code == 403


def test_a_host_name_that_is_not_allowed(upstream: Server, tmp_path: Path) -> None:
    line = "proxy_set_header Host other.example;"
    with proxied(upstream.port, "/genre", "/", tmp_path, line) as url:
        refused = httpx.get(f"{url}/healthz")
    assert refused.status_code == 421
    assert "--allow-host" in refused.json()["detail"]
