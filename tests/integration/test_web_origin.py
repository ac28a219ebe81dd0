"""Requests for other host names and requests from other sites are refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genrelens.web import app as module
from genrelens.web.middleware import is_loopback
from genrelens.web.settings import Settings
from support.asgi import HeldPool, LocalClient

# An empty body is refused with 400, so an admitted POST needs no worker.
ADMITTED, FOREIGN_SITE, FOREIGN_HOST = 400, 403, 421


@pytest.fixture(scope="module")
def clients(model: Path) -> Iterator[dict[str, LocalClient]]:
    """Servers by the address that they listen on and the names that they accept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ClassifierPool", HeldPool)
        plain = Settings(model=str(model), workers=1)
        named = Settings(model=str(model), workers=1, allow_hosts=("Music.Example",))
        made = {
            "loopback": LocalClient(plain, loopback=True),
            "loopback, named": LocalClient(named, loopback=True),
            "open": LocalClient(plain),
            "open, named": LocalClient(named),
        }
        yield made
        for client in made.values():
            client.close()


def post(client: LocalClient, **headers: str) -> Any:
    return client.post(
        "/v1/classify",
        content=b"",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


OWN = ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:8000", "127.9.8.7", "[::1]:8000"]
FOREIGN = ["rebound.example", "localhost.example", "127.0.0.1.example:8000", "", "a b", "[::1"]


@pytest.mark.parametrize("bound", ["loopback", "loopback, named"])
def test_host_names_on_a_loopback_address(clients: dict[str, LocalClient], bound: str) -> None:
    client = clients[bound]
    for host in OWN:
        assert client.get("/healthz", headers={"host": host}).status_code == 200, host
    for host in [*FOREIGN, "192.0.2.1", "[2001:db8::1]:8000", "0.0.0.0"]:
        refused = client.get("/healthz", headers={"host": host})
        assert refused.status_code == FOREIGN_HOST, host
        assert refused.headers["content-type"] == "application/problem+json"
        assert "--allow-host" in refused.json()["detail"]
    expected = 200 if "named" in bound else FOREIGN_HOST
    for host in ("music.example", "MUSIC.example:443"):
        assert client.get("/healthz", headers={"host": host}).status_code == expected
    assert post(client, host="rebound.example").status_code == FOREIGN_HOST


def test_host_names_on_other_addresses(clients: dict[str, LocalClient]) -> None:
    """Names are checked only if some are given; IP addresses are always accepted."""
    addresses = ["192.0.2.1", "[2001:db8::1]:8000"]
    for host in [*OWN, *FOREIGN, *addresses]:
        assert clients["open"].get("/healthz", headers={"host": host}).status_code == 200
    named = clients["open, named"]
    for host in [*OWN, *addresses, "music.example"]:
        assert named.get("/healthz", headers={"host": host}).status_code == 200, host
    for host in FOREIGN:
        assert named.get("/healthz", headers={"host": host}).status_code == FOREIGN_HOST, host


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, ADMITTED),  # curl
        ({"sec_fetch_site": "same-origin"}, ADMITTED),
        ({"sec_fetch_site": "none"}, ADMITTED),
        ({"sec_fetch_site": "cross-site"}, FOREIGN_SITE),
        ({"sec_fetch_site": "same-site"}, FOREIGN_SITE),
        ({"sec_fetch_site": "cross-site", "origin": "http://localhost:8000"}, FOREIGN_SITE),
        ({"sec_fetch_site": "same-origin", "origin": "http://localhost:8000"}, ADMITTED),
        ({"origin": "http://localhost:8000"}, ADMITTED),
        ({"origin": "http://localhost:3000"}, FOREIGN_SITE),
        ({"origin": "http://localhost"}, FOREIGN_SITE),
        ({"origin": "http://127.0.0.1:8000"}, FOREIGN_SITE),
        ({"origin": "http://evil.example"}, FOREIGN_SITE),
        ({"origin": "null"}, FOREIGN_SITE),
        ({"origin": "http://localhost:port"}, FOREIGN_SITE),
    ],
)
@pytest.mark.parametrize("bound", ["loopback", "open", "open, named"])
def test_requests_from_other_sites(
    clients: dict[str, LocalClient], bound: str, headers: dict[str, str], status: int
) -> None:
    response = post(clients[bound], host="localhost:8000", **headers)
    assert response.status_code == status
    if status == FOREIGN_SITE:
        assert response.json()["detail"] == "the request comes from a page of another site"
    reading = {name.replace("_", "-"): value for name, value in headers.items()}
    assert clients[bound].get("/healthz", headers=reading | {"host": "localhost"}).is_success


def test_origins_behind_a_proxy(clients: dict[str, LocalClient]) -> None:
    """The proxy passes on the name or replaces it by the address of the server."""
    named = clients["loopback, named"]
    origin = "https://music.example"
    assert post(named, host="music.example", origin=origin).status_code == ADMITTED
    assert post(named, host="music.example:443", origin=origin).status_code == ADMITTED
    assert post(named, host="127.0.0.1:8000", origin=origin).status_code == ADMITTED
    assert post(named, host="music.example", origin="https://a.example").status_code == FOREIGN_SITE
    assert post(clients["loopback"], host="127.0.0.1", origin=origin).status_code == FOREIGN_SITE


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected
