"""Genres and styles that a recording may have."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Genre", "Style"]


@dataclass(frozen=True, slots=True)
class Genre:
    """A genre that a recording may have, besides others.

    Attributes:
        name: of the genre.
        probability: that the recording has it, in 0..1. The probabilities of several genres do not
            sum to 1 if the model has rules for each.
        applies: whether the recording is reported to have it.

    Example::

        [genre.name for genre in prediction.genres if genre.applies]  # ['rock', 'pop']

    """

    name: str
    probability: float
    applies: bool


@dataclass(frozen=True, slots=True)
class Style:
    """A style with its probability. A recording may have several styles, or none.

    Attributes:
        name: of the style.
        probability: that the recording has it, in 0..1.
        threshold: from this probability on, the style applies.
        parent: the genre that the style is a kind of, or None.

    Example::

        >>> Style("house", probability=0.7, threshold=0.5).applies
        True

    """

    name: str
    probability: float
    threshold: float
    parent: str | None = None

    @property
    def path(self) -> str:
        """The style below its genre: ``"electronic > house"``, or ``"house"`` without one."""
        return self.name if self.parent is None else f"{self.parent} > {self.name}"

    @property
    def applies(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold
