"""The interface of the tags of a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

__all__ = ["TagFormat"]


class TagFormat(ABC):
    """The tags of an open file.

    A damaged file can cause any exception in the constructor and in every method.

    Args:
        file: open file, read from its beginning; ``write`` needs it to be writable.

    Attributes:
        name: name of the format, for messages.

    """

    name: str

    @abstractmethod
    def genres(self) -> list[str]:
        """Return the genres, in order."""

    @abstractmethod
    def text(self, field: str) -> str:
        """Return the text of ``artist``, ``album`` or ``title``; empty if there is none."""

    @abstractmethod
    def others(self) -> Any:
        """Return everything except the genres as (readable name, bytes), in file order."""

    def meaning(self) -> Any:
        """Return ``others`` in a form that does not depend on the version of ID3v2."""
        return self.others()

    def prepare(self, id3_version: int | None) -> None:  # noqa: B027 (most formats need none)
        """Convert ID3v2 tags to version 3 or 4; None keeps their version.

        Raises:
            ValueError: a part of them cannot be stored in that version.

        """

    @abstractmethod
    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """Write genres to the file and return them as a later read will return them.

        Args:
            genres: new genres; an empty sequence removes them.
            id3_version: 3 or 4 for ID3v2.3 and ID3v2.4; None keeps the version.

        """
