"""The interface of one tag (ID3v2, APEv2, ID3v1 or RIFF INFO), and checks after a change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Self

from genrelens.tags.raw import first_difference

__all__ = ["TagBlock", "check_genres", "check_others", "merged", "updated"]

_LONGEST = 80  # characters of the genres in a message


class TagBlock(ABC):
    """One tag. A block is immutable; changes return a new block.

    Attributes:
        name: kind of the tag and its version, for messages.

    """

    name: str

    @classmethod
    @abstractmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a tag.

        Raises:
            ValueError: the tag is so damaged that its parts cannot be found, or has too many parts.

        """

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Return the bytes of the tag in a file."""

    @property
    @abstractmethod
    def has_genre(self) -> bool:
        """Whether there is a field for genres, even if it is empty or cannot be read."""

    @abstractmethod
    def genres(self) -> list[str]:
        """Return the genres, in order."""

    @abstractmethod
    def text(self, field: str) -> str:
        """Return the text of ``artist``, ``album`` or ``title``; empty if there is none."""

    @abstractmethod
    def others(self) -> list[tuple[str, bytes]]:
        """Return everything except the genres as (readable name, bytes), in order."""

    def meaning(self) -> list[tuple[str, bytes]]:
        """Return ``others`` in a form that does not depend on the version of the tag."""
        return self.others()

    @abstractmethod
    def with_genres(self, genres: Sequence[str]) -> Self:
        """Return the same tag with other genres; an empty sequence removes them.

        Raises:
            ValueError: the tag cannot store them.

        """

    @abstractmethod
    def as_read(self, genres: Sequence[str]) -> list[str]:
        """Return the genres as a read returns them after they are written to this tag."""


def updated(block: TagBlock, genres: Sequence[str]) -> TagBlock:
    """Return a tag with other genres, and check it by parsing it again.

    Raises:
        ValueError: other genres would be read, or another part would change.

    """
    new = block.from_bytes(block.with_genres(genres).to_bytes())
    check_genres(block.as_read(genres), new.genres())
    check_others(block.others(), new.others())
    return new


def merged(lists: Iterable[Sequence[str]]) -> list[str]:
    """Return the genres of several frames or items, without duplicates."""
    found: list[str] = []
    for genres in lists:
        known = set(found)
        found += [genre for genre in genres if genre not in known]
    return found


def check_genres(expected: Sequence[str], read: Sequence[str]) -> None:
    """Check that genres are read as they were written.

    Raises:
        ValueError: the genres differ.

    """
    if list(expected) != list(read):
        texts = [" and ".join(map(repr, genres)) or "none" for genres in (expected, read)]
        shown = [text if len(text) <= _LONGEST else text[:_LONGEST] + "..." for text in texts]
        raise ValueError(f"the genre {shown[0]} would be read as {shown[1]}")


def check_others(before: Sequence[tuple[str, bytes]], after: Sequence[tuple[str, bytes]]) -> None:
    """Check that only the genre has changed.

    Raises:
        ValueError: another part has changed; the message names it.

    """
    name = first_difference(before, after)
    if name:
        raise ValueError(f"{name} would be changed")
