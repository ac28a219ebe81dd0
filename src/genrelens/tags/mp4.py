"""The tags of MP4; only the genre is replaced.

Padding (``free``) grows or shrinks if it is large enough. Otherwise the size of ``moov`` changes,
and the offsets that point to the audio are updated.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO

from genrelens.tags.base import TagFormat
from genrelens.tags.mp4_atoms import (
    Atom,
    TopAtom,
    check_movable,
    is_spare,
    parse_moov,
    read_top_atoms,
    shift_fragments,
    shifted,
    shown,
    without_offsets,
)
from genrelens.tags.mp4_lists import HANDLER, KeyedItems, UserTexts, new_items, tag_lists
from genrelens.tags.raw import MOST_BYTES, content_of, read_at, splice

__all__ = ["MP4Tags"]


class MP4Tags(TagFormat):
    """The tags of MP4.

    Args:
        file: open file; see :class:`TagFormat`.

    """

    name = "MP4"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._atoms = read_top_atoms(file)
        found = next((atom for atom in self._atoms if atom.name == b"moov"), None)
        if found is None:
            raise ValueError("is an MP4 file without a moov atom")
        self._moov_position = found
        content = read_at(file, found.start + found.n_header, found.n_bytes - found.n_header)
        self._moov = parse_moov(content, found.kind)
        self._lists = tag_lists(self._moov)

    def genres(self) -> list[str]:
        """See :meth:`TagFormat.genres`."""
        return self._values("genre")

    def text(self, field: str) -> str:
        """See :meth:`TagFormat.text`."""
        return "; ".join(self._values(field))

    def _values(self, field: str) -> list[str]:
        return next(filter(None, (each.values(field) for each in self._lists)), [])

    def others(self) -> list[tuple[str, bytes]]:
        """See :meth:`TagFormat.others`. Offsets of the audio and padding are ignored."""
        genres = {id(a) for tags in self._lists for a in tags.atoms if tags.is_genre(a)}
        keys = [each.other_keys() for each in self._lists if isinstance(each, KeyedItems)]
        within = [
            (f"the atom {path}", self._raw(atom))
            for path, atom in self._moov.walk()
            if id(atom) not in genres and not _is_frame(atom)
        ]
        outside = [
            (f"the atom {shown(atom.name)}", atom.n_bytes.to_bytes(8, "big"))
            for atom in self._atoms
            if atom.name not in (b"moov", b"free", b"skip")
        ]
        return [*within, *(("the list of keys", content_of(each)) for each in keys), *outside]

    def _raw(self, atom: Atom) -> bytes:
        if atom.name == b"trak":
            whole = Atom(b"moov", children=[atom]).render()
            return content_of(without_offsets(whole))
        return atom.raw()

    def write(self, genres: Sequence[str], id3_version: int | None) -> list[str]:
        """See :meth:`TagFormat.write`."""
        holders = [tags for tags in self._lists if tags.has_genre()]
        if not holders and genres:
            lists = (tags for tags in self._lists if not isinstance(tags, UserTexts))
            holders = [next(lists, None) or new_items(self._moov)]
        for tags in holders:
            tags.set_genres(genres)
        self._save()
        if genres and all(tags.is_single_text for tags in holders):
            return ["; ".join(genres)]
        return list(genres)

    # ------------------------------------------------------------------------------ saving

    def _save(self) -> None:
        old = self._moov_position
        growth = len(self._moov.render()) - old.n_bytes
        if growth and _take_from_padding(self._moov, growth):
            growth = 0
        moov = self._moov.render()
        spare = self._spare_after(growth) if growth else None
        if spare is not None:
            n_free = spare.n_bytes - growth
            free = struct.pack(">I4s", n_free, spare.name) + bytes(n_free - 8)
            splice(self._file, old.start, old.n_bytes + spare.n_bytes, moov + free)
        elif growth:
            check_movable(moov, self._atoms, old.end)
            moov = shifted(moov, old.end, growth)
            splice(self._file, old.start, old.n_bytes, moov)
            shift_fragments(self._file, self._atoms, old.end, growth)
        else:
            splice(self._file, old.start, old.n_bytes, moov)

    def _spare_after(self, growth: int) -> TopAtom | None:
        """Return the padding after ``moov`` if it is large enough."""
        at = self._atoms.index(self._moov_position) + 1
        if at == len(self._atoms):
            return None
        atom = self._atoms[at]
        n_left = atom.n_bytes - atom.n_header - growth
        if atom.name not in (b"free", b"skip") or atom.kind != 32 or not 0 <= n_left < MOST_BYTES:
            return None
        content = read_at(self._file, atom.start + atom.n_header, atom.n_bytes - atom.n_header)
        return None if any(content) else atom


def _is_frame(atom: Atom) -> bool:
    """Return whether an atom can be one that was added for a first genre, without other content."""
    is_new = atom.name == b"hdlr" and atom.data == HANDLER
    empty = atom.children is not None and not any(atom.data + atom.tail)
    return is_new or empty or atom.name == b"keys"


def _take_from_padding(around: Atom, growth: int) -> bool:
    """Shrink padding in ``moov``, ``udta`` or ``meta`` by the growth, if it is large enough."""
    for atom in around.children or ():
        if is_spare(atom) and len(atom.data) >= growth and atom.kind == 32:
            atom.data = bytes(len(atom.data) - growth)
            return True
        if atom.children is not None and atom.name != b"ilst" and _take_from_padding(atom, growth):
            return True
    return False
