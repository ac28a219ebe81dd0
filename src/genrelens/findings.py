"""Genres and styles that can apply to a recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Genre", "Style", "styles_to_show"]


@dataclass(frozen=True, slots=True)
class Genre:
    """A genre with the probability that it applies. Several genres can apply to a recording.

    Attributes:
        name: name of the genre.
        probability: probability that the genre applies to the recording, in 0..1. If the model has
            a rule for each genre, these probabilities do not sum to 1.
        applies: whether the genre applies, see :attr:`genrelens.Prediction.genres`.

    Example::

        [genre.name for genre in prediction.genres if genre.applies]  # ['rock', 'pop']

    """

    name: str
    probability: float
    applies: bool


@dataclass(frozen=True, slots=True)
class Style:
    """A style with its probability. Several styles or none can apply to a recording.

    Attributes:
        name: name of the style.
        probability: probability that the recording has the style, in 0..1.
        threshold: the style applies from this probability on.
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
        """Name of the genre and the style: ``"electronic > house"``; ``"house"`` without parent."""
        return self.name if self.parent is None else f"{self.parent} > {self.name}"

    @property
    def applies(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold

    def to_dict(self) -> dict[str, str | float | bool | None]:
        """Return name, probability, whether the style applies, and parent."""
        names = ("name", "probability", "applies", "parent")
        return {name: getattr(self, name) for name in names}

    def repeats(self, genres: Iterable[str]) -> bool:
        """Return whether one of some genres has the name of the style, in any spelling.

        Beside a sure genre such a style would be a second, different probability of a genre. It is
        a tag of listeners, while the genre is the result of the training.

        Args:
            genres: names of genres.

        Example::

            >>> Style("hip-hop", 0.4, 0.3).repeats(["hiphop", "jazz"])
            True

        """
        return _letters(self.name) in map(_letters, genres)


def styles_to_show(styles: Iterable[Style], verdict: str, genres: Iterable[str]) -> list[Style]:
    """Return the styles that apply, without those that repeat a genre beside a sure genre.

    Args:
        styles: the styles of a recording.
        verdict: its verdict.
        genres: the genres of the model.

    """
    named = tuple(genres) if verdict == "genre" else ()
    return [style for style in styles if style.applies and not style.repeats(named)]


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
