"""The metrics of a server, in Prometheus' text format."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrelens.prediction import Prediction
from genrelens.web.admission import Admission, RequestBodies

__all__ = ["Metrics", "RequestMetrics"]

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds


class Metrics:
    """The counters and gauges of one application."""

    def __init__(self, admission: Admission, bodies: RequestBodies) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "genrelens_requests",
            "Answered requests.",
            ("path", "method", "status"),
            registry=self._registry,
        )
        self.seconds = Histogram(
            "genrelens_request_seconds",
            "Time from a request to the end of its response.",
            ("path",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.audio_seconds = Counter(
            "genrelens_audio_seconds",
            "Seconds of audio that were classified.",
            registry=self._registry,
        )
        self.genres = Counter(
            "genrelens_genres",
            "Recordings by predicted genre, or by verdict if no genre was predicted.",
            ("genre",),
            registry=self._registry,
        )
        self._gauge(
            "genrelens_uploads_under_way",
            "Recordings that are arriving.",
            lambda: len(bodies),
        )
        self._gauge(
            "genrelens_classifications_under_way",
            "Recordings that wait for a worker or are being classified.",
            lambda: admission.in_progress,
        )

    def _gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        Gauge(name, text, registry=self._registry).set_function(value)

    def count(self, prediction: Prediction) -> None:
        """Count a recording that was classified."""
        self.audio_seconds.inc(prediction.heard)
        verdict = prediction.verdict
        self.genres.labels(prediction.genre if verdict == "genre" else verdict).inc()

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self._registry)


class RequestMetrics:
    """ASGI middleware: count and time requests by route.

    Clients choose paths and methods. Only existing ones become labels, so that clients cannot
    add labels without end.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note_status)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", None) or "other"
            method = scope["method"]
            if method not in (getattr(route, "methods", None) or ()):
                method = "other"
            self._metrics.requests.labels(path, method, status).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - started)
