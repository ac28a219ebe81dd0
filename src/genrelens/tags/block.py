"""One tag among those that may stand around the sound: ID3v2, APEv2, ID3v1, Lyrics3."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Self

from genrelens.tags.raw import first_difference

__all__ = ["TagBlock", "check_genres", "check_others", "merged", "updated"]

_LONGEST = 80  # characters of genres in a message


class TagBlock(ABC):
    """A tag as bytes. It does not change: what is written is another block.

    Attributes:
        name: of the kind and its version, for people.

    """

    name: str

    @classmethod
    @abstractmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Take a tag apart.

        Raises:
            ValueError: it is damaged so that its parts cannot be found, or has too many.

        """

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Return the tag as it stands in a file."""

    @property
    @abstractmethod
    def has_genre(self) -> bool:
        """Whether it has a place for genres, even an empty one or one that cannot be read."""

    @abstractmethod
    def genres(self) -> list[str]:
        """Return the genres, in order."""

    @abstractmethod
    def text(self, field: str) -> str:
        """Return ``artist``, ``album`` or ``title``, or nothing."""

    @abstractmethod
    def others(self) -> list[tuple[str, bytes]]:
        """Return all that is no genre, in order: a name for people, and the bytes."""

    def meaning(self) -> list[tuple[str, bytes]]:
        """Return ``others`` in words that do not change with the version of the tag."""
        return self.others()

    @abstractmethod
    def with_genres(self, genres: Sequence[str]) -> Self:
        """Return the same tag with other genres; none removes them.

        Raises:
            ValueError: it cannot hold them.

        """

    @abstractmethod
    def as_read(self, genres: Sequence[str]) -> list[str]:
        """Return how genres will be read once they were written to this tag."""


def updated(block: TagBlock, genres: Sequence[str]) -> TagBlock:
    """Return a tag with other genres, taken apart anew and compared with the old one.

    Raises:
        ValueError: the genres would be read as others, or something else would be changed.

    """
    new = block.from_bytes(block.with_genres(genres).to_bytes())
    check_genres(block.as_read(genres), new.genres())
    check_others(block.others(), new.others())
    return new


def merged(lists: Iterable[Sequence[str]]) -> list[str]:
    """Return the genres of several frames or items; what an earlier one has is not repeated."""
    found: list[str] = []
    for genres in lists:
        known = set(found)
        found += [genre for genre in genres if genre not in known]
    return found


def check_genres(expected: Sequence[str], read: Sequence[str]) -> None:
    """Make sure that genres are read as they were written."""
    if list(expected) != list(read):
        texts = [" and ".join(map(repr, genres)) or "none" for genres in (expected, read)]
        shown = [text if len(text) <= _LONGEST else text[:_LONGEST] + "..." for text in texts]
        raise ValueError(f"the genre {shown[0]} would be read as {shown[1]}")


def check_others(before: Sequence[tuple[str, bytes]], after: Sequence[tuple[str, bytes]]) -> None:
    """Make sure that nothing but the genre is changed."""
    name = first_difference(before, after)
    if name:
        raise ValueError(f"{name} would be changed")
