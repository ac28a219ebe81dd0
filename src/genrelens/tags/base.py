"""What a kind of tags can do, and the kinds that are a mapping from names to values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

__all__ = ["ASFTags", "MP4Tags", "MappedTags", "Names", "TagFormat", "VorbisComments"]


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


@dataclass(frozen=True, slots=True)
class Names:
    """Of what is read and written, in one format."""

    genre: str
    artist: str
    album: str
    title: str


class MappedTags(TagFormat):
    """Tags that map a name to a list of values: Vorbis comments, MP4 and ASF.

    Args:
        file: see :class:`TagFormat`.
        reader: mutagen's class for the file.
        name: of the format.

    """

    names: ClassVar[Names]

    def __init__(self, file: BinaryIO, reader: Callable[[BinaryIO], Any], name: str) -> None:
        self.name = name
        self._file = file
        self._tagged = reader(file)
        if self._tagged.tags is None:
            self._tagged.add_tags()
        self._tags = self._tagged.tags

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        return self._values(self.names.genre)

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        return "; ".join(self._values(getattr(self.names, field)))

    def _values(self, name: str) -> list[str]:
        return [text for text in map(str, self._tags.get(name, [])) if text]

    def others(self) -> Any:
        """See :meth:`TagFormat.others`."""
        return [(name, self._tags[name]) for name in self._tags.keys() if not self._is_genre(name)]  # noqa: SIM118 (iterating a Vorbis comment yields pairs)

    def _is_genre(self, name: str) -> bool:
        return name.lower() == self.names.genre.lower()

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        self._set(list(genres))
        self._file.seek(0)
        self._tagged.save(self._file)
        return list(genres)

    def _set(self, genres: list[str]) -> None:
        if genres:
            self._tags[self.names.genre] = genres
        elif self.names.genre in self._tags:
            del self._tags[self.names.genre]


class MP4Tags(MappedTags):
    """The tags of MP4."""

    names = Names("\xa9gen", "\xa9ART", "\xa9alb", "\xa9nam")


class ASFTags(MappedTags):
    """The tags of ASF."""

    names = Names("WM/Genre", "Author", "WM/AlbumTitle", "Title")


class VorbisComments(MappedTags):
    """The tags of FLAC and Ogg. Names keep their case and their place."""

    names = Names("GENRE", "ARTIST", "ALBUM", "TITLE")

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        if any("\ufffd" in value for _, value in self._tags):
            raise ValueError("holds text that is not UTF-8 and would be lost")
        return super().write(genres, id3_version)

    def _set(self, genres: list[str]) -> None:
        pairs = list(self._tags)
        places = [place for place, (name, _) in enumerate(pairs) if self._is_genre(name)]
        place = places[0] if places else len(pairs)
        name = pairs[place][0] if places else self.names.genre
        others = [pair for pair in pairs[place:] if not self._is_genre(pair[0])]
        self._tags[place:] = [*((name, genre) for genre in genres), *others]
