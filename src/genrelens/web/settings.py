"""The settings of a server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from genrelens.worker_pool import Limits

__all__ = ["LogLevel", "Settings"]

LogLevel = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a server.

    Attributes:
        model: as for :meth:`genrelens.Classifier.load`.
        workers: processes that classify.
        queue: recordings that may wait for a worker once they have arrived; a request beyond that
            is answered with 429.
        uploads: recordings that may be arriving at once; the slowest one gives way to a new one.
        max_upload: bytes of a request's body. Twenty times as many may be on the disk.
        timeout: seconds that a request may take from its first byte to its answer.
        root_path: prefix of all addresses behind a reverse proxy, as ``/genre``; empty for none.
        allow_hosts: names of the server in ``Host`` besides those of this machine.
        log_level: of the messages on standard error; ``info`` adds a line for each request.
        limits: of a recording and of the resources it may use.

    Raises:
        ValueError: a number is below 1, or not above 0; or the prefix is not one.

    """

    model: str | None = None
    workers: int = 2
    queue: int = 32
    uploads: int = 1000
    max_upload: int = 100 * 2**20
    timeout: float = 60.0
    root_path: str = ""
    allow_hosts: tuple[str, ...] = ()
    log_level: LogLevel = "warning"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("workers", "uploads", "max_upload"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.queue < 0 or not self.timeout > 0:
            raise ValueError(f"queue={self.queue} and timeout={self.timeout} must be positive")
        if not re.fullmatch(r"(/[\w.~-]+)*", self.root_path, re.ASCII):
            raise ValueError(f"root_path={self.root_path} must read like /genre")
