"""The atoms of an MP4 file: the tags as a tree, and the offsets that point to the audio.

Sources: ISO/IEC 14496-12, sections 4.2, 8.7, 8.8 and 8.10; QuickTime File Format Specification,
"Metadata".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO

from genrelens.counts import count_of
from genrelens.tags.raw import check_items, content_of, read_at

__all__ = [
    "Atom",
    "TopAtom",
    "check_movable",
    "is_spare",
    "parse_moov",
    "read_top_atoms",
    "shift_fragments",
    "shifted",
    "shown",
    "without_offsets",
]

# Atoms that are parsed, and the atoms within them that are parsed.
_CONTAINERS = {
    b"moov": (b"udta", b"meta"),
    b"udta": (b"meta",),
    b"meta": (b"ilst",),
    b"ilst": (),
}
_MOST_TOP_ATOMS = 250_000  # one day in fragments of one second has 172 800
_SPARE = (b"free", b"skip")


@dataclass(slots=True)
class Atom:
    """An atom of an MP4 file: it contains bytes or further atoms.

    Attributes:
        name: four bytes.
        data: content, or the bytes before the atoms within it.
        children: atoms within it; None if it is not parsed.
        tail: bytes after the atoms within it.
        kind: type of the size field: 32 or 64 bits, or 0 for "to the end of the file".

    """

    name: bytes
    data: bytes = b""
    children: list[Atom] | None = None
    tail: bytes = b""
    kind: int = 32

    def render(self) -> bytes:
        """Return the atom as bytes."""
        within = b"".join(child.render() for child in self.children or ())
        n_bytes = len(self.data) + len(within) + len(self.tail)
        return b"".join((_header(self.name, n_bytes, self.kind), self.data, within, self.tail))

    def find(self, name: bytes) -> Iterator[Atom]:
        """Yield the direct children with a name."""
        return (child for child in self.children or () if child.name == name)

    def walk(self, path: str = "") -> Iterator[tuple[str, Atom]]:
        """Yield this atom and all atoms within it, each with its readable path."""
        path = f"{path}/{shown(self.name)}".lstrip("/")
        yield path, self
        for child in self.children or ():
            yield from child.walk(path)

    def raw(self) -> bytes:
        """Return the bytes of this atom for comparison, without its children and zero padding."""
        return b"" if is_spare(self) else content_of(self.data + self.tail)


@dataclass(frozen=True, slots=True)
class TopAtom:
    """Position of an atom of the top level.

    Attributes:
        name: four bytes.
        start: offset of its header in the file.
        n_header: size of its header, in bytes.
        n_bytes: stated size of the atom, in bytes; it may exceed the file.
        kind: see :class:`Atom`.

    """

    name: bytes
    start: int
    n_header: int
    n_bytes: int
    kind: int = 32

    @property
    def end(self) -> int:
        """Offset of the next atom."""
        return self.start + self.n_bytes


def shown(name: bytes) -> str:
    """Return a readable name; an item without a name is shown by its number."""
    if name.startswith(b"\0"):
        return str(int.from_bytes(name, "big"))
    text = name.decode("latin-1")
    return text if text.isprintable() else repr(text)


def is_spare(atom: Atom) -> bool:
    """Return whether an atom is padding that contains only zeros."""
    return atom.name in _SPARE and not any(atom.data)


def _header(name: bytes, n_bytes: int, kind: int) -> bytes:
    if kind == 64:
        return struct.pack(">I4sQ", 1, name, n_bytes + 16)
    return struct.pack(">I4s", n_bytes + 8 if kind else 0, name)


def _header_at(data: bytes, at: int, end: int) -> tuple[bytes, int, int, int]:
    """Return name, start and end of the content, and kind of the atom at an offset.

    Args:
        data: bytes with the header.
        at: offset of the header in ``data``.
        end: offset of the end of the container.

    Raises:
        ValueError: the size is impossible.

    """
    n_bytes, name = struct.unpack_from(">I4s", data, at)
    n_header, kind = 8, 32
    if n_bytes == 1 and len(data) >= at + 16:
        (n_bytes,) = struct.unpack_from(">Q", data, at + 8)
        n_header, kind = 16, 64
    elif n_bytes == 0:
        n_bytes, kind = end - at, 0
    if n_bytes < n_header:
        raise ValueError(
            f"has an atom {shown(name)!r} of an impossible size ({count_of(n_bytes, 'byte')})"
        )
    return name, at + n_header, at + n_bytes, kind


def read_top_atoms(file: BinaryIO) -> list[TopAtom]:
    """Return the atoms of the top level, up to the end or to invalid data.

    Raises:
        ValueError: there are more atoms than any program writes, or one has an impossible size.

    """
    size = file.seek(0, 2)
    atoms: list[TopAtom] = []
    at = 0
    while at + 8 <= size:
        file.seek(at)
        try:
            name, start, end, kind = _header_at(file.read(16), 0, size - at)
        except ValueError:
            if any(atom.name == b"moov" for atom in atoms):
                break  # other data at the end
            raise
        atoms.append(TopAtom(name, at, start, end, kind))
        check_items(len(atoms), "MP4 atoms", _MOST_TOP_ATOMS)
        at += end
    return atoms


def parse_moov(data: bytes, kind: int) -> Atom:
    """Parse the parts of ``moov`` that can contain tags.

    Args:
        data: content of ``moov``.
        kind: type of its size field, see :class:`Atom`.

    Raises:
        ValueError: an atom has an impossible size, or there are too many atoms.

    """
    return _parse(b"moov", data, kind, "moov", count(1))


def _parse(name: bytes, data: bytes, kind: int, path: str, numbers: Iterator[int]) -> Atom:
    start = _n_before(name, data)
    children, end = [], len(data)
    at = start
    while at + 8 <= end and any(data[at : at + 8]):
        child, first, at, child_kind = _header_at(data, at, end)
        if at > end or not child_kind:
            raise ValueError(f"has an atom {path}/{shown(child)} that is longer than its container")
        check_items(next(numbers), "MP4 atoms")
        children.append(
            _parse(child, data[first:at], child_kind, f"{path}/{shown(child)}", numbers)
            if child in _CONTAINERS[name]
            else Atom(child, data[first:at], kind=child_kind)
        )
    return Atom(name, data[:start], children, data[at:], kind)


def _n_before(name: bytes, data: bytes) -> int:
    """Return the number of bytes before the children: 4 in ``meta`` except QuickTime's, else 0."""
    return 4 if name == b"meta" and data[4:8] != b"hdlr" else 0


# -------------------------------------------------------------------- offsets of the audio


_TO_TABLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_TABLES = {b"stco": 4, b"co64": 8}  # bytes of an offset
_TOO_FAR = "would need an offset that is too large for its MP4"


def _atoms_at(
    data: bytes, at: int, end: int, path: Sequence[bytes] = ()
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of the content of each atom at the end of a path."""
    n = 0
    while at + 8 <= end and any(data[at : at + 8]):
        name, start, at, _ = _header_at(data, at, end)
        if at > end:
            raise ValueError(f"has an atom {shown(name)!r} that is longer than its container")
        check_items(n := n + 1, "MP4 atoms")
        if not path:
            yield name, start, at
        elif name == path[0]:
            yield from _atoms_at(data, start, at, path[1:])


def _tables(moov: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the position of the offsets of each table, their number, and their size in bytes."""
    for name, start, end in _atoms_at(moov, 0, len(moov), _TO_TABLES):
        if name in _TABLES and end >= start + 8:
            (n,) = struct.unpack_from(">I", moov, start + 4)
            if n * _TABLES[name] > end - start - 8:
                raise ValueError("has a table of offsets that is cut off")
            yield start + 8, n, _TABLES[name]


def without_offsets(moov: bytes) -> bytes:
    """Return ``moov`` with zeros instead of the offsets of the audio."""
    changed = bytearray(moov)
    for start, n, size in _tables(moov):
        changed[start : start + n * size] = bytes(n * size)
    return bytes(changed)


def shifted(moov: bytes, boundary: int, shift: int) -> bytes:
    """Return ``moov`` with a shift added to offsets that point to ``boundary`` or after it.

    Raises:
        ValueError: an offset would be too large for its table.

    """
    changed = bytearray(moov)
    for start, n, size in _tables(moov):
        layout = f">{n}{'IQ'[size == 8]}"
        offsets = struct.unpack_from(layout, moov, start)
        moved = [offset + shift * (offset >= boundary) for offset in offsets]
        if moved and max(moved) >= 256**size:
            raise ValueError(_TOO_FAR)
        struct.pack_into(layout, changed, start, *moved)
    return bytes(changed)


def check_movable(moov: bytes, atoms: Sequence[TopAtom], boundary: int) -> None:
    """Check that all offsets of the audio can be updated.

    Args:
        moov: atom ``moov`` with its header.
        atoms: atoms of the top level.
        boundary: offset in the file; all bytes after it will move.

    Raises:
        ValueError: another atom contains offsets; the message names it.

    """
    paths = (_TO_TABLES, _TO_TABLES[:1], (b"moov", b"meta"))
    within = {name for path in paths for name, _, _ in _atoms_at(moov, 0, len(moov), path)}
    outside = {atom.name for atom in atoms if atom.name == b"meta"}
    outside |= {atom.name for atom in atoms if atom.name == b"sidx" and atom.start < boundary}
    found = within & {b"saio", b"cmov", b"iloc"} | outside
    if found and any(atom.start >= boundary for atom in atoms):
        raise ValueError(f"its audio would move, but its atom {min(found).decode()!r} points to it")


def shift_fragments(file: BinaryIO, atoms: Sequence[TopAtom], boundary: int, shift: int) -> None:
    """Update the offsets in fragments and in their index, which have moved already.

    Args:
        file: open file.
        atoms: atoms of the top level with their former positions.
        boundary: former offset of the first byte that moved.
        shift: number of bytes by which it moved.

    Raises:
        ValueError: an offset would be too large.

    """
    for atom in atoms:
        if atom.name in (b"moof", b"mfra"):
            start = atom.start + shift * (atom.start >= boundary)
            whole = read_at(file, start, atom.n_bytes)
            data = bytearray(whole)
            for at, size in [*_fragment_offsets(whole), *_index_offsets(whole)]:
                offset = int.from_bytes(data[at : at + size], "big")
                if offset >= boundary:
                    if offset + shift >= 256**size:
                        raise ValueError(_TOO_FAR)
                    data[at : at + size] = (offset + shift).to_bytes(size, "big")
            file.seek(start)
            file.write(data)


def _fragment_offsets(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield position and size of each offset in a ``moof``."""
    for name, start, end in _atoms_at(data, 0, len(data), (b"moof", b"traf")):
        if name == b"tfhd" and end >= start + 16 and data[start + 3] & 1:
            yield start + 8, 8


def _index_offsets(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield position and size of each offset of a ``moof`` in an ``mfra``."""
    for name, start, end in _atoms_at(data, 0, len(data), (b"mfra",)):
        if name != b"tfra" or end < start + 16:
            continue
        lengths, n = struct.unpack_from(">II", data, start + 8)
        size = 8 if data[start] else 4
        n_numbers = 3 + sum(lengths >> bits & 3 for bits in (0, 2, 4))
        step = 2 * size + n_numbers
        if n * step > end - start - 16:
            raise ValueError("has an index of fragments that is cut off")
        for at in range(start + 16, start + 16 + n * step, step):
            yield at + size, size
