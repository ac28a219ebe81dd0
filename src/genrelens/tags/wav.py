"""The genre in the ``LIST`` chunk ``INFO`` of a WAV, which may stand beside the ID3 chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from genrelens.tags.id3 import ChunkedID3

__all__ = ["WavTags"]

_FIELDS = {"artist": "IART", "album": "IPRD", "title": "INAM"}
_GENRE = "IGNR"


class WavTags(ChunkedID3):
    """ID3v2 in a chunk of a WAV; a genre in the list of the WAV says the same afterwards."""

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        return super().genres() or self._words(_GENRE)

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        return super().text(field) or "; ".join(self._words(_FIELDS[field]))

    def others(self) -> dict[str, Any]:
        """See :meth:`TagFormat.others`."""
        info = [(item.id, item.read()) for item in self._items() if item.id != _GENRE]
        return super().others() | {"INFO": info}

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        read = super().write(genres, id3_version)
        if self._words(_GENRE):
            item = next(item for item in self._items() if item.id == _GENRE)
            if genres:
                words = "; ".join(genres).encode() + b"\0"  # it knows but one
                item.resize(len(words))
                item.write(words)
            else:
                item.delete()
        return read

    def _items(self) -> Iterator[Any]:
        """Return mutagen's chunks in the list. It has no public way to them."""
        from mutagen._riff import RiffFile

        for chunk in RiffFile(self._file).root.subchunks():
            if chunk.id == "LIST" and chunk.name == "INFO":
                yield from chunk.subchunks()

    def _words(self, name: str) -> list[str]:
        data = [item.read() for item in self._items() if item.id == name]
        words = (each.split(b"\0")[0].decode("utf-8", "replace") for each in data)
        return [word for word in words if word]
