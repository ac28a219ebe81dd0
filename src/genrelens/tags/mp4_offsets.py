"""Where the sound of an MP4 file is said to be, to be changed when it moves.

Sources: ISO/IEC 14496-12, sections 8.7.5 (``stco``, ``co64``), 8.8.7 (``tfhd``), 8.8.10 (``tfra``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from genrelens.tags.mp4_atoms import TopAtom, header_at, shown
from genrelens.tags.raw import check_items, read_at

__all__ = ["check_movable", "shift_fragments", "shifted", "without_offsets"]

_TO_TABLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_TABLES = {b"stco": 4, b"co64": 8}  # bytes of an offset
_TOO_FAR = "would have an offset that its MP4 has no room for"


def _atoms_at(
    data: bytes, at: int, end: int, path: Sequence[bytes] = ()
) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, the begin and the end of the content of the atoms at the end of a path."""
    n = 0
    while at + 8 <= end and any(data[at : at + 8]):
        name, start, at, _ = header_at(data, at, end)
        if at > end:
            raise ValueError(f"has an atom {shown(name)!r} that reaches too far")
        check_items(n := n + 1, "MP4 atoms")
        if not path:
            yield name, start, at
        elif name == path[0]:
            yield from _atoms_at(data, start, at, path[1:])


def _tables(moov: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield where the offsets of a table begin, their number and their size in bytes."""
    for name, start, end in _atoms_at(moov, 0, len(moov), _TO_TABLES):
        if name in _TABLES and end >= start + 8:
            (n,) = struct.unpack_from(">I", moov, start + 4)
            if n * _TABLES[name] > end - start - 8:
                raise ValueError("has a table of offsets that is cut off")
            yield start + 8, n, _TABLES[name]


def without_offsets(moov: bytes) -> bytes:
    """Return ``moov`` with zeros in the place of the offsets of the sound."""
    changed = bytearray(moov)
    for start, n, size in _tables(moov):
        changed[start : start + n * size] = bytes(n * size)
    return bytes(changed)


def shifted(moov: bytes, place: int, shift: int) -> bytes:
    """Return ``moov`` with other offsets, where they point behind a place of the file.

    Raises:
        ValueError: one would be too large for the table.

    """
    changed = bytearray(moov)
    for start, n, size in _tables(moov):
        layout = f">{n}{'IQ'[size == 8]}"
        offsets = struct.unpack_from(layout, moov, start)
        moved = [offset + shift * (offset >= place) for offset in offsets]
        if moved and max(moved) >= 256**size:
            raise ValueError(_TOO_FAR)
        struct.pack_into(layout, changed, start, *moved)
    return bytes(changed)


def check_movable(moov: bytes, atoms: Sequence[TopAtom], place: int) -> None:
    """Make sure that all that says where the sound is can be changed.

    Args:
        moov: the atom, header and all.
        atoms: of the outermost level.
        place: in the file, behind which everything is to move.

    Raises:
        ValueError: there is something else; the message names it.

    """
    paths = (_TO_TABLES, _TO_TABLES[:1], (b"moov", b"meta"))
    within = {name for path in paths for name, _, _ in _atoms_at(moov, 0, len(moov), path)}
    outside = {atom.name for atom in atoms if atom.name == b"meta"}
    outside |= {atom.name for atom in atoms if atom.name == b"sidx" and atom.start < place}
    found = within & {b"saio", b"cmov", b"iloc"} | outside
    if found and any(atom.start >= place for atom in atoms):
        raise ValueError(
            f"its sound would move, and its atom {min(found).decode()!r} says where it is"
        )


def shift_fragments(file: BinaryIO, atoms: Sequence[TopAtom], place: int, shift: int) -> None:
    """Change the offsets in fragments and in their index, which have been moved already.

    Args:
        file: that holds them.
        atoms: of the outermost level, with their former places.
        place: where what moved began.
        shift: by how many bytes it moved.

    Raises:
        ValueError: an offset would be too large.

    """
    for atom in atoms:
        if atom.name in (b"moof", b"mfra"):
            start = atom.start + shift * (atom.start >= place)
            whole = read_at(file, start, atom.n_bytes)
            data = bytearray(whole)
            for at, size in [*_fragment_offsets(whole), *_index_offsets(whole)]:
                offset = int.from_bytes(data[at : at + size], "big")
                if offset >= place:
                    if offset + shift >= 256**size:
                        raise ValueError(_TOO_FAR)
                    data[at : at + size] = (offset + shift).to_bytes(size, "big")
            file.seek(start)
            file.write(data)


def _fragment_offsets(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the place and the size of the offsets in a ``moof``."""
    for name, start, end in _atoms_at(data, 0, len(data), (b"moof", b"traf")):
        if name == b"tfhd" and end >= start + 16 and data[start + 3] & 1:
            yield start + 8, 8


def _index_offsets(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the place and the size of the offsets of ``moof`` in an ``mfra``."""
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
