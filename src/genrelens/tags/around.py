"""Tags before and after the audio. A write stores the same genres in all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from genrelens.tags.ape import APEBlock
from genrelens.tags.base import TagFormat
from genrelens.tags.block import TagBlock, updated
from genrelens.tags.chunks import digest
from genrelens.tags.edges import Kind, Span, leading, trailing
from genrelens.tags.id3 import ID3Block
from genrelens.tags.id3_convert import in_version
from genrelens.tags.id3v1 import ID3v1Block
from genrelens.tags.raw import content_of, read_at, splice

__all__ = ["APETags", "BesideTags", "MPEGTags"]

_BLOCKS: dict[Kind, type[TagBlock]] = {
    Kind.ID3V2: ID3Block,
    Kind.APE: APEBlock,
    Kind.ID3V1: ID3v1Block,
}


@dataclass(frozen=True, slots=True)
class _Part:
    """A tag and its position in the file; a new tag has an empty span."""

    span: Span
    block: TagBlock

    @property
    def is_new(self) -> bool:
        return self.span.start == self.span.end


class _Surroundings:
    """All tags before and after the audio.

    Args:
        file: open file to read and write.
        end: end of the container of the audio; None if it has no container.

    """

    def __init__(self, file: BinaryIO, end: int | None = None) -> None:
        self._file = file
        before, self.start = leading(file)
        after = trailing(file, self.start if end is None else end)
        self.end = after[0].start if after else file.seek(0, 2)
        self.spans = [*before, *after]
        self.parts = [
            _Part(span, _BLOCKS[span.kind].from_bytes(self._bytes(span)))
            for span in self.spans
            if span.kind in _BLOCKS
        ]

    def _bytes(self, span: Span) -> bytes:
        return read_at(self._file, span.start, span.end - span.start)

    def of_kind(self, *kinds: Kind) -> list[_Part]:
        """Return the tags of these kinds, sorted by kind, in reading order."""
        first_to_last = [part for part in self.parts if part.span.kind != Kind.APE]
        last_to_first = [part for part in self.parts[::-1] if part.span.kind == Kind.APE]
        found = [*first_to_last, *last_to_first]
        return [part for kind in kinds for part in found if part.span.kind == kind]

    def others(
        self, new: Sequence[TagBlock] = (), *, meaning: bool = False
    ) -> list[tuple[str, bytes]]:
        """Return everything except the genres in these tags, without tags that equal a new one.

        Args:
            new: newly created tags.
            meaning: whether to use a form that does not depend on the ID3v2 version.

        """
        blank = [block.meaning() if meaning else block.others() for block in new]
        blocks = [part.block for part in self.parts]
        found = [block.meaning() if meaning else block.others() for block in blocks]
        known = [item for others in found if others not in blank for item in others]
        lyrics = [span for span in self.spans if span.kind == Kind.LYRICS3]
        return known + [("its Lyrics3 tag", content_of(self._bytes(span))) for span in lyrics]

    def write(self, genres: Sequence[str], main: _Part | None = None) -> None:
        """Write genres to the main tag and to all tags that have some; ID3v1 gets a number."""
        chosen = {part.span: part for part in self.parts if part.block.has_genre}
        if main and (genres or not main.is_new):
            chosen[main.span] = main
        replaced = [(part.span, updated(part.block, genres)) for part in chosen.values()]
        self.replace(replaced)

    def replace(self, blocks: Iterable[tuple[Span, TagBlock]]) -> None:
        """Replace tags from the last to the first, because each replacement moves later bytes."""
        for span, block in sorted(blocks, key=lambda each: (each[0].start, each[0].end))[::-1]:
            splice(self._file, span.start, span.end - span.start, block.to_bytes())


# ------------------------------------------------------------------ audio without container


class _StreamTags(TagFormat):
    """The tags around audio that has no container for tags.

    The main tag always gets the genres. Other tags get them if they have genres already, because
    players differ in which tag they read.

    Args:
        file: open file; see :class:`TagFormat`.

    """

    order: tuple[Kind, ...]

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._new_version = 4
        self._read()

    def _read(self) -> None:
        self._around = _Surroundings(self._file)
        self._main = self._find_main() or self._new_main()
        self.name = self._main.block.name if not self._main.is_new else self._name_without_main()

    @abstractmethod
    def _find_main(self) -> _Part | None:
        """Return the tag that gets the genres; None if there is none."""

    @abstractmethod
    def _new_main(self) -> _Part:
        """Return a new main tag."""

    @abstractmethod
    def _new_blocks(self) -> list[TagBlock]:
        """Return all forms that a new tag can have before genres are written to it."""

    @abstractmethod
    def _name_without_main(self) -> str:
        """Return the name of the format if there is no main tag."""

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        found = (part.block.genres() for part in self._around.of_kind(*self.order))
        return next(filter(None, found), [])

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        found = (part.block.text(field) for part in self._around.of_kind(*self.order))
        return next(filter(None, found), "")

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.others`."""
        return self._around.others(self._new_blocks())

    def meaning(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.meaning`."""
        return self._around.others(self._new_blocks(), meaning=True)

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        self._around.write(genres, self._main)
        return self._main.block.as_read(genres)


class MPEGTags(_StreamTags):
    """ID3v2 at the start or the end; without ID3v2, APEv2 with more than loudness values."""

    order = (Kind.ID3V2, Kind.APE, Kind.ID3V1)

    def _find_main(self) -> _Part | None:
        ape = (part for part in self._around.of_kind(Kind.APE) if _names_recording(part.block))
        return next(iter([*self._around.of_kind(Kind.ID3V2), *ape]), None)

    def _new_main(self) -> _Part:
        return _Part(Span(Kind.ID3V2, 0, 0), self._new_block(self._new_version))

    def _new_block(self, version: int) -> ID3Block:
        """Return a new ID3v2 tag with the fields of the ID3v1 tag."""
        old = [part.block for part in self._around.of_kind(Kind.ID3V1)]
        frames = old[0].frames(version) if old and isinstance(old[0], ID3v1Block) else []
        return ID3Block.new(version, frames)

    def _new_blocks(self) -> list[TagBlock]:
        return [self._new_block(version) for version in (3, 4)]

    def _name_without_main(self) -> str:
        return "ID3v1" if self._around.of_kind(Kind.ID3V1) else "no tags"

    def prepare(self, id3_version: int | None) -> None:
        """See :meth:`TagFormat.prepare`."""
        if id3_version is None:
            return
        self._new_version = id3_version
        found = [(part.span, part.block) for part in self._around.of_kind(Kind.ID3V2)]
        self._around.replace(
            (span, self._converted(span, block, id3_version))
            for span, block in found
            if isinstance(block, ID3Block) and block.version != id3_version
        )
        self._read()

    def _converted(self, span: Span, block: ID3Block, version: int) -> ID3Block:
        if span.start >= self._around.start and version == 3:
            raise ValueError("has an ID3v2 tag after its audio, which ID3v2.3 does not allow")
        return ID3Block(in_version(block.raw, version))


class APETags(_StreamTags):
    """APEv2 at the end, before ID3v1, in formats whose native tag is APEv2."""

    order = (Kind.APE, Kind.ID3V2, Kind.ID3V1)

    def _find_main(self) -> _Part | None:
        return next(iter(self._around.of_kind(Kind.APE)), None)

    def _new_main(self) -> _Part:
        end = self._around.end
        return _Part(Span(Kind.APE, end, end), APEBlock.new())

    def _new_blocks(self) -> list[TagBlock]:
        return [APEBlock.new()]

    def _name_without_main(self) -> str:
        return "APEv2"


def _names_recording(block: TagBlock) -> bool:
    return isinstance(block, APEBlock) and block.names_recording


# --------------------------------------------------------------------- audio in a container


class BesideTags(TagFormat):
    """A format's native tags, and tags of other kinds that some programs add around the container.

    Args:
        file: open file; see :class:`TagFormat`.
        own: the format's native tags.
        end: end of the container; None if the container does not state it.

    """

    _ORDER = (Kind.ID3V2, Kind.APE, Kind.ID3V1)

    def __init__(self, file: BinaryIO, own: TagFormat, end: int | None = None) -> None:
        self.name = own.name
        self._own, self._file, self._end = own, file, end
        self._around = _Surroundings(file, end)

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        found = (part.block.genres() for part in self._around.of_kind(*self._ORDER))
        return self._own.genres() or next(filter(None, found), [])

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        found = (part.block.text(field) for part in self._around.of_kind(*self._ORDER))
        return self._own.text(field) or next(filter(None, found), "")

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.others`."""
        return [*self._own.others(), *self._around.others(), self._after_end()]

    def meaning(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.meaning`."""
        return [*self._own.meaning(), *self._around.others(meaning=True), self._after_end()]

    def _after_end(self) -> tuple[str, bytes]:
        start = self._around.end if self._end is None else self._end
        return "the data after its end", digest(self._file, start, self._around.end)

    def prepare(self, id3_version: int | None) -> None:
        """See :meth:`TagFormat.prepare`."""
        self._own.prepare(id3_version)

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        size = self._file.seek(0, 2)
        expected = self._own.write(genres, id3_version)
        end = None if self._end is None else self._end + self._file.seek(0, 2) - size
        _Surroundings(self._file, end).write(genres)
        return expected
