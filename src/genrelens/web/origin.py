"""Requests for another host, or sent by another site's page, are refused.

A page of any site can let a visitor's browser send requests to a server on the visitor's machine:
as a cross-site form, or under a host name of the site that resolves to 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from genrelens.web.problems import problem_response

__all__ = ["OwnSite", "is_loopback"]

_SAFE = ("GET", "HEAD", "OPTIONS")
_PORTS = {"http": 80, "https": 443}


class OwnSite:
    """ASGI middleware: answer 421 to foreign host names and 403 to requests of other sites.

    Args:
        app: the application.
        loopback: the server can only be reached from its own machine. Then ``Host`` must be
            ``localhost``, a loopback address or one of ``allow_hosts``. Otherwise ``Host`` is
            checked only if there are ``allow_hosts``, and may also be any IP address.
        allow_hosts: further names of this server, as a reverse proxy passes them on.

    """

    def __init__(self, app: ASGIApp, *, loopback: bool, allow_hosts: Collection[str]) -> None:
        self._app = app
        self._loopback = loopback
        self._names = frozenset(name.lower() for name in allow_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(*refusal)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host")
        if host is not None and not self._is_own(host):
            return 421, "this server does not answer to the name in Host (see --allow-host)"
        if scope["method"] not in _SAFE and self._is_cross_site(headers):
            return 403, "the request comes from a page of another site"
        return None

    def _is_own(self, host: str) -> bool:
        if not self._loopback and not self._names:
            return True
        name, _ = _split(f"//{host}")
        if name == "localhost" or name in self._names:
            return True
        address = _address(name)
        return address is not None and (address.is_loopback or not self._loopback)

    def _is_cross_site(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:  # from a browser; scripts can set neither header
            return site not in ("same-origin", "none")
        origin = headers.get("origin")
        if origin is None:
            return False
        name, port = _split(origin)
        if not name:  # "null", for instance of a sandboxed frame
            return True
        own_name, own_port = _split(f"{urlsplit(origin).scheme}://{headers.get('host', '')}")
        return (name, port) != (own_name, own_port) and name not in self._names


def _split(url: str) -> tuple[str, int | None]:
    """Return host name and port of an origin; the name is empty if there is none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Return whether an address can only be reached from this machine."""
    address = _address(host)
    return address is not None and address.is_loopback
