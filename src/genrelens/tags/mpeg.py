"""The tags of MP3, raw AAC and TTA: ID3v2 at the front, APEv2 and ID3v1 at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from genrelens.tags import ape, id3
from genrelens.tags.base import TagFormat

__all__ = ["FrontID3"]

_TOO_OLD = 2  # version 2.2 can be read but not written


class FrontID3(TagFormat):
    """ID3v2 at the front, or where there is none, APEv2 at the end.

    A genre in the other one, and the number of one in ID3v1, is set too, as players differ in
    which tag they believe.

    Args:
        file: see :class:`TagFormat`.

    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = ape.trailer(file)
        self._ape = ape.read_ape(file)
        self._id3 = self._read_id3(translate=False)
        self._version = self._id3.version[1] if self._id3 is not None else None
        if self._version == _TOO_OLD:
            self._id3 = self._read_id3(v2_version=_TOO_OLD + 1)
        self._id3v1 = self._read_id3v1(4)
        self.name = self._named()

    def _read_id3(self, **options: Any) -> Any:
        from mutagen.id3 import ID3, ID3NoHeaderError

        self._file.seek(0)
        try:
            return ID3(self._file, load_v1=False, **options)
        except ID3NoHeaderError:
            return None

    def _read_id3v1(self, version: int) -> Any:
        """Return what ID3v1 says in the form of ID3v2, or None."""
        from mutagen.id3 import ID3, ParseID3v1

        frames = ParseID3v1(self._end[-128:], version) if self._end else None
        if frames is None:
            return None
        tags = ID3()
        for frame in frames.values():
            tags.add(frame)
        return tags

    def _named(self) -> str:
        if self._version is not None:
            return f"ID3v2.{self._version}"
        if ape.has_words(self._ape):
            return "APEv2"
        return "ID3v1" if self._id3v1 is not None else "no tags"

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        return id3.id3_genres(self._id3) or ape.ape_genres(self._ape) or id3.id3_genres(self._id3v1)

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        return (
            id3.id3_text(self._id3, field)
            or ape.ape_text(self._ape, field)
            or id3.id3_text(self._id3v1, field)
        )

    def others(self) -> dict[str, Any]:
        """See :meth:`TagFormat.others`."""
        tags = self._id3
        if tags is None and not ape.has_words(self._ape):
            tags = self._id3v1  # which ``write`` copies into a new tag
        return {
            "ID3": id3.id3_others(tags),
            "APE": ape.ape_others(self._ape),
            "end": self._end[:-1],
        }

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        in_ape = self._id3 is None and ape.has_words(self._ape)
        read = list(genres) if in_ape else self._write_id3(genres, id3_version)
        if in_ape or ape.ape_genres(self._ape):
            ape.set_ape_genres(self._ape, genres)
            ape.save_ape(self._ape, self._file)
        ape.set_id3v1_genre(self._file, self._end, genres)
        return read

    def _write_id3(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """Write to the tag that is there, or to a new one that holds what ID3v1 says."""
        from mutagen.id3 import ID3

        here = 4 if self._version is None else self._version
        version = id3.version_to_write(here, id3_version)
        tags = self._id3
        if tags is None:
            tags = self._read_id3v1(version) or ID3()
        elif version != here:
            tags = self._read_id3(v2_version=version)
        return id3.write_id3(tags, self._file, genres, version)
