"""What a kind of tags can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

__all__ = ["TagFormat"]


class TagFormat(ABC):
    """The tags of an open file.

    Damage leads mutagen to exceptions of all kinds: in the constructor, and in every method.

    Args:
        file: is read from its beginning; ``write`` needs it to be writable.

    Attributes:
        name: of the format, for people.

    """

    name: str

    @abstractmethod
    def genres(self) -> list[str]:
        """Return the genres, in order."""

    @abstractmethod
    def text(self, field: str) -> str:
        """Return ``artist``, ``album`` or ``title``, or nothing."""

    @abstractmethod
    def others(self) -> Any:
        """Return all that is no genre: in the order of the file, a name for people, and bytes."""

    def meaning(self) -> Any:
        """Return ``others`` in words that do not change with the version of ID3v2."""
        return self.others()

    def prepare(self, id3_version: int | None) -> None:  # noqa: B027 (most formats need none)
        """Bring ID3v2 tags to a version: 3, 4, or None for the one that is there.

        Raises:
            ValueError: something in them cannot be expressed in it.

        """

    @abstractmethod
    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """Write genres (none removes them) to the file; return how they will be read.

        Args:
            genres: to write.
            id3_version: 3 or 4 for ID3v2.3 and ID3v2.4; None for the one that is there.

        """
