"""The atoms of an MP4 file that hold its tags, as a tree of raw bytes.

Source: ISO/IEC 14496-12, sections 4.2 and 8.10; QuickTime File Format Specification, "Metadata".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO

from genrelens.tags.raw import check_items, content_of

__all__ = ["Atom", "TopAtom", "header_at", "is_spare", "parse_moov", "read_top_atoms", "shown"]

# What is taken apart, and what is taken apart within it.
_CONTAINERS = {
    b"moov": (b"udta", b"meta"),
    b"udta": (b"meta",),
    b"meta": (b"ilst",),
    b"ilst": (),
}
_MOST_TOP_ATOMS = 250_000  # a day in fragments of a second has 172 800
_SPARE = (b"free", b"skip")


@dataclass(slots=True)
class Atom:
    """An atom: bytes, or more atoms.

    Attributes:
        name: of four bytes.
        data: its content, or what stands before the atoms in it.
        children: the atoms in it; None where it is not taken apart.
        tail: what follows the atoms in it.
        kind: of the size field: 32 bits, 64 bits, or 0 for "to the end of the file".

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
        """Yield the atoms of a name that stand directly in this one."""
        return (child for child in self.children or () if child.name == name)

    def walk(self, path: str = "") -> Iterator[tuple[str, Atom]]:
        """Yield this atom and all within it, each with its path for people."""
        path = f"{path}/{shown(self.name)}".lstrip("/")
        yield path, self
        for child in self.children or ():
            yield from child.walk(path)

    def raw(self) -> bytes:
        """Return what it holds beside other atoms, to be compared; zeros of padding are nothing."""
        return b"" if is_spare(self) else content_of(self.data + self.tail)


@dataclass(frozen=True, slots=True)
class TopAtom:
    """Where an atom of the outermost level stands.

    Attributes:
        name: of four bytes.
        start: of its header in the file.
        n_header: bytes of its header.
        n_bytes: of the whole; it may claim more than there is.
        kind: see :class:`Atom`.

    """

    name: bytes
    start: int
    n_header: int
    n_bytes: int
    kind: int = 32

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.start + self.n_bytes


def shown(name: bytes) -> str:
    """Return a name for people; that of an item without a name is its number."""
    if name.startswith(b"\0"):
        return str(int.from_bytes(name, "big"))
    text = name.decode("latin-1")
    return text if text.isprintable() else repr(text)


def is_spare(atom: Atom) -> bool:
    """Return whether an atom is padding that holds nothing but zeros."""
    return atom.name in _SPARE and not any(atom.data)


def _header(name: bytes, n_bytes: int, kind: int) -> bytes:
    if kind == 64:
        return struct.pack(">I4sQ", 1, name, n_bytes + 16)
    return struct.pack(">I4s", n_bytes + 8 if kind else 0, name)


def header_at(data: bytes, at: int, end: int) -> tuple[bytes, int, int, int]:
    """Return the name of the atom at a place, where its content begins and ends, and its kind.

    Args:
        data: that holds the header.
        at: where it begins.
        end: of the atoms around it.

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
        raise ValueError(f"has an atom {shown(name)!r} of an impossible size ({n_bytes} bytes)")
    return name, at + n_header, at + n_bytes, kind


def read_top_atoms(file: BinaryIO) -> list[TopAtom]:
    """Return the atoms of the outermost level, up to the end or to what is none.

    Raises:
        ValueError: there are more than any program writes, or one has an impossible size.

    """
    size = file.seek(0, 2)
    atoms: list[TopAtom] = []
    at = 0
    while at + 8 <= size:
        file.seek(at)
        try:
            name, start, end, kind = header_at(file.read(16), 0, size - at)
        except ValueError:
            if any(atom.name == b"moov" for atom in atoms):
                break  # something else stands at the end
            raise
        atoms.append(TopAtom(name, at, start, end, kind))
        check_items(len(atoms), "MP4 atoms", _MOST_TOP_ATOMS)
        at += end
    return atoms


def parse_moov(data: bytes, kind: int) -> Atom:
    """Take apart the content of ``moov``, as far as tags stand in it.

    Args:
        data: the content.
        kind: of its size field, see :class:`Atom`.

    Raises:
        ValueError: the size of an atom is impossible, or there are too many.

    """
    return _parse(b"moov", data, kind, "moov", count(1))


def _parse(name: bytes, data: bytes, kind: int, path: str, numbers: Iterator[int]) -> Atom:
    start = _n_before(name, data)
    children, end = [], len(data)
    at = start
    while at + 8 <= end and any(data[at : at + 8]):
        child, first, at, child_kind = header_at(data, at, end)
        if at > end or not child_kind:
            raise ValueError(
                f"has an atom {path}/{shown(child)} that reaches beyond the one around it"
            )
        check_items(next(numbers), "MP4 atoms")
        children.append(
            _parse(child, data[first:at], child_kind, f"{path}/{shown(child)}", numbers)
            if child in _CONTAINERS[name]
            else Atom(child, data[first:at], kind=child_kind)
        )
    return Atom(name, data[:start], children, data[at:], kind)


def _n_before(name: bytes, data: bytes) -> int:
    """Return the bytes before the atoms in one: only ``meta`` has any, and not in QuickTime."""
    return 4 if name == b"meta" and data[4:8] != b"hdlr" else 0
