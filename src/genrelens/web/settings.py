"""What a server is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field

from genrelens.isolation import Limits

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a server.

    Attributes:
        model: as for :meth:`genrelens.Classifier.load`.
        workers: processes that classify.
        queue: requests that may wait for a worker, uploads under way among them; one more is
            answered with 429.
        max_upload: bytes of a request's body.
        timeout: seconds that a request may take from its first byte to its answer.
        limits: what a recording may be and cost.

    Raises:
        ValueError: a number is below 1, or not above 0.

    """

    model: str | None = None
    workers: int = 2
    queue: int = 32
    max_upload: int = 100 * 2**20
    timeout: float = 60.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("workers", "max_upload"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.queue < 0 or not self.timeout > 0:
            raise ValueError(f"queue={self.queue} and timeout={self.timeout} must be positive")
