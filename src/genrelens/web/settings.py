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

    Example::

        >>> Settings(workers=4, max_upload=20 * 2**20).queue
        32

    Attributes:
        model: name or path of the model, as for :meth:`genrelens.Classifier.load`.
        workers: number of worker processes, at least 1.
        queue: number of received recordings that may wait for a worker. Further requests are
            answered with 429.
        uploads: number of recordings that may be arriving at once. When it is reached, a new upload
            replaces the slowest one.
        max_upload: largest body of a request, in bytes. At most twenty times this size is stored at
            once.
        timeout: seconds that a request may take from its first byte to its response.
        root_path: prefix of all addresses behind a reverse proxy, such as ``/genre``; empty for no
            prefix.
        allow_hosts: host names that are accepted in ``Host`` in addition to those of this machine.
        log_level: lowest level of the messages on standard error; ``info`` logs a line for each
            request.
        limits: limits on each recording and on the worker that classifies it.

    Raises:
        ValueError: a number is out of range, or ``root_path`` is not a valid prefix.

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
        if self.queue < 0:
            raise ValueError(f"queue={self.queue} must not be negative")
        if not self.timeout > 0:
            raise ValueError(f"timeout={self.timeout} must be greater than 0")
        if not re.fullmatch(r"(/[\w.~-]+)*", self.root_path, re.ASCII):
            raise ValueError(f"root_path={self.root_path} must have the form /genre")
