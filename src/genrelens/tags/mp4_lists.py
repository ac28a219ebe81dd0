"""The three forms of tags in an MP4 file.

=========================  ============================  ==========================================
where                      who writes it                 the genre
=========================  ============================  ==========================================
``meta``, handler mdir     iTunes and nearly all others  ``©gen``; the number ``gnre`` in old files
``meta``, handler mdta     QuickTime, FFmpeg on request  the key ``genre`` or
                                                         ``com.apple.quicktime.genre``
``udta`` itself            QuickTime, 3GPP               ``©gen``, ``gnre``: one text
=========================  ============================  ==========================================

Sources: QuickTime File Format Specification, "Metadata" and "User Data Text Strings";
3GPP TS 26.244, section 8.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from genrelens.tags.mp4_atoms import Atom
from genrelens.tags.raw import check_items

__all__ = ["HANDLER", "KeyedItems", "TagList", "UserTexts", "iTunesItems", "new_items", "tag_lists"]

_ITUNES = {
    "genre": (b"\xa9gen",),
    "artist": (b"\xa9ART",),
    "album": (b"\xa9alb",),
    "title": (b"\xa9nam",),
}
_3GPP = {"genre": b"gnre", "artist": b"perf", "album": b"albm", "title": b"titl"}
_NUMBER = b"gnre"
_QUICKTIME = b"com.apple.quicktime."
_UTF8, _UTF16 = 1, 2
_UNDETERMINED = 0x55C4  # the language "und"


class TagList(ABC):
    """The tags in one part of an MP4 file."""

    is_single_text = False
    """Whether the list stores only one text for each name."""

    @abstractmethod
    def values(self, field: str) -> list[str]:
        """Return the values of ``genre``, ``artist``, ``album`` or ``title``."""

    @abstractmethod
    def is_genre(self, atom: Atom) -> bool:
        """Return whether an atom of the list is a genre."""

    @property
    @abstractmethod
    def atoms(self) -> list[Atom]:
        """All atoms of the list, including the genres."""

    @abstractmethod
    def _new(self, genres: Sequence[str]) -> Atom:
        """Return a new atom with genres."""

    def has_genre(self) -> bool:
        """Return whether there is a genre, even if it cannot be read."""
        return any(map(self.is_genre, self.atoms))

    def set_genres(self, genres: Sequence[str]) -> None:
        """Replace the genres, or add them at the end; an empty sequence removes them."""
        atoms = self.atoms
        indices = [at for at, atom in enumerate(atoms) if self.is_genre(atom)]
        first = indices[0] if indices else len(atoms)
        others = [atom for atom in atoms[first:] if not self.is_genre(atom)]
        atoms[first:] = [*([self._new(genres)] if genres else []), *others]


# --------------------------------------------------------------------- items with values


class iTunesItems(TagList):  # noqa: N801 (Apple's spelling)
    """The items of iTunes.

    Args:
        items: atom ``ilst``.

    """

    def __init__(self, items: Atom) -> None:
        self._items = items

    @property
    def atoms(self) -> list[Atom]:
        """See :class:`TagList`."""
        assert self._items.children is not None
        return self._items.children

    def is_genre(self, atom: Atom) -> bool:
        """See :meth:`TagList.is_genre`."""
        return atom.name in (*_ITUNES["genre"], _NUMBER)

    def values(self, field: str) -> list[str]:
        """See :meth:`TagList.values`. A genre number is used if there is no text."""
        found = [atom for atom in self.atoms if atom.name in _ITUNES[field]]
        values = [text for atom in found for text in _texts(atom.data)]
        if field == "genre" and not values:
            numbers = [atom for atom in self.atoms if atom.name == _NUMBER]
            return [text for atom in numbers for text in _numbered(atom.data)]
        return values

    def _new(self, genres: Sequence[str]) -> Atom:
        return _item(_ITUNES["genre"][0], genres)


class KeyedItems(TagList):
    """Items with names in a list of keys; the name of an item is the number of its key.

    Args:
        items: atom ``ilst``.
        keys: atom ``keys``.

    """

    def __init__(self, items: Atom, keys: Atom) -> None:
        self._items, self._keys = items, keys
        self._names = list(_key_names(keys.data))
        self._n_keys = int.from_bytes(keys.data[4:8], "big")

    @property
    def atoms(self) -> list[Atom]:
        """See :class:`TagList`."""
        assert self._items.children is not None
        return self._items.children

    def is_genre(self, atom: Atom) -> bool:
        """See :meth:`TagList.is_genre`."""
        return self._name(atom) == b"genre"

    def _name(self, atom: Atom) -> bytes:
        number = int.from_bytes(atom.name, "big")
        name = self._names[number - 1] if 0 < number <= len(self._names) else b""
        return name.removeprefix(_QUICKTIME).lower()

    def values(self, field: str) -> list[str]:
        """See :meth:`TagList.values`."""
        found = (atom for atom in self.atoms if self._name(atom) == field.encode())
        return [text for atom in found for text in _texts(atom.data)]

    def _new(self, genres: Sequence[str]) -> Atom:
        return _item(self._number().to_bytes(4, "big"), genres)

    def _number(self) -> int:
        """Return the number of the genre key; create the key if there is none."""
        plain = [name.removeprefix(_QUICKTIME).lower() for name in self._names]
        if b"genre" in plain:
            return plain.index(b"genre") + 1
        if self._n_keys != len(self._names):
            raise ValueError("has a list of keys (the atom keys) that is cut off")
        apple = any(name.startswith(_QUICKTIME) for name in self._names)
        name = _QUICKTIME * apple + b"genre"
        self._names.append(name)
        self._n_keys += 1
        head = self._keys.data[:4] + struct.pack(">I", len(self._names))
        entry = struct.pack(">I4s", 8 + len(name), b"mdta") + name
        self._keys.data = head + self._keys.data[8:] + entry
        return len(self._names)

    def other_keys(self) -> bytes:
        """Return the keys without the genre key, which may have been added."""
        return b"\0".join(
            name for name in self._names if name.removeprefix(_QUICKTIME).lower() != b"genre"
        )


def _key_names(data: bytes) -> Iterator[bytes]:
    """Yield the complete names in the content of ``keys``."""
    at = 8
    for n in range(int.from_bytes(data[4:8], "big")):
        n_bytes = int.from_bytes(data[at : at + 4], "big")
        if n_bytes < 8 or at + n_bytes > len(data):
            return
        check_items(n, "keys of MP4 items")
        yield data[at + 8 : at + n_bytes]
        at += n_bytes


def _item(name: bytes, texts: Sequence[str]) -> Atom:
    values = (text.encode() for text in texts)
    head = struct.Struct(">I4sII")
    data = (head.pack(16 + len(each), b"data", _UTF8, 0) + each for each in values)
    return Atom(name, b"".join(data))


def _values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and bytes of each value of an item, up to invalid data."""
    at = n = 0
    while at + 16 <= len(data):
        n_bytes, name, kind = struct.unpack_from(">I4sI", data, at)
        if name != b"data" or n_bytes < 16 or at + n_bytes > len(data):
            return
        check_items(n := n + 1, "values of an MP4 item")
        yield kind & 0xFFFFFF, data[at + 16 : at + n_bytes]
        at += n_bytes


def _texts(data: bytes) -> list[str]:
    codecs = {_UTF8: "utf-8", 0: "utf-8", _UTF16: "utf-16-be"}
    values = ((codecs.get(kind), value) for kind, value in _values(data))
    texts = (value.decode(codec, "replace") for codec, value in values if codec)
    return [text for text in texts if text]


def _numbered(data: bytes) -> list[str]:
    """Return the genres of the numbers in an item; each number is the ID3v1 number plus one."""
    from mutagen.id3 import TCON

    numbers = (int.from_bytes(value, "big") for _, value in _values(data) if len(value) == 2)
    return [TCON.GENRES[number - 1] for number in numbers if 0 < number <= len(TCON.GENRES)]


# ------------------------------------------------------------------------ texts of udta


class UserTexts(TagList):
    """Texts directly in ``udta``.

    Args:
        udta: atom ``udta``.

    """

    is_single_text = True

    def __init__(self, udta: Atom) -> None:
        self._udta = udta

    @property
    def atoms(self) -> list[Atom]:
        """See :class:`TagList`."""
        assert self._udta.children is not None
        return self._udta.children

    def is_genre(self, atom: Atom) -> bool:
        """See :meth:`TagList.is_genre`."""
        return atom.name in (*_ITUNES["genre"], _3GPP["genre"])

    def values(self, field: str) -> list[str]:
        """See :meth:`TagList.values`."""
        quicktime = [atom for atom in self.atoms if atom.name in _ITUNES[field]]
        texts = [_quicktime_text(atom.data) for atom in quicktime]
        texts += [_3gpp_text(atom.data) for atom in self.atoms if atom.name == _3GPP[field]]
        return list(dict.fromkeys(filter(None, texts)))

    def set_genres(self, genres: Sequence[str]) -> None:
        """See :meth:`TagList.set_genres`. Both forms keep their positions."""
        atoms, seen = [], set()
        for atom in self.atoms:
            if not self.is_genre(atom):
                atoms.append(atom)
            elif genres and atom.name not in seen:
                atoms.append(_user_text(atom, "; ".join(genres)))
                seen.add(atom.name)
        self.atoms[:] = atoms

    def _new(self, genres: Sequence[str]) -> Atom:
        return _user_text(Atom(_ITUNES["genre"][0]), "; ".join(genres))


def _quicktime_text(data: bytes) -> str:
    """Return the first text, which follows two bytes of its length and two of its language."""
    length, language = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    codec = "mac-roman" if language < 0x400 else "utf-8"
    return data[4 : 4 + length].decode(codec, "replace").rstrip("\0")


def _3gpp_text(data: bytes) -> str:
    """Return a text, which follows four bytes of flags and two of its language."""
    raw = data[6:]
    if raw.startswith(b"\xfe\xff"):
        return raw[2:].decode("utf-16-be", "replace").split("\0")[0]
    return raw.split(b"\0")[0].decode("utf-8", "replace")


def _user_text(old: Atom, text: str) -> Atom:
    """Return a copy of an atom with another text in the same language."""
    encoded = text.encode()
    if old.name == _3GPP["genre"]:
        head = old.data[:6].ljust(6, b"\0")
        return Atom(old.name, head + encoded + b"\0", kind=old.kind)
    language = int.from_bytes(old.data[2:4], "big")
    if not text.isascii() and language < 0x400:
        language = _UNDETERMINED
    if len(encoded) > 0xFFFF:
        raise ValueError("its genres would be too long for moov/udta/©gen")
    return Atom(old.name, struct.pack(">HH", len(encoded), language) + encoded, kind=old.kind)


# ------------------------------------------------------------------------- all lists


def tag_lists(moov: Atom) -> list[TagList]:
    """Return all lists of tags; those that most programs read come first."""
    users = list(moov.find(b"udta"))
    metas = [meta for around in (*users, moov) for meta in around.find(b"meta")]
    found = [each for meta in metas for each in _items_of(meta)]
    found.sort(key=lambda each: isinstance(each, KeyedItems))
    return [*found, *map(UserTexts, users)]


def _items_of(meta: Atom) -> Iterator[TagList]:
    handlers = [atom.data[8:12] for atom in meta.find(b"hdlr")]
    keys = next(meta.find(b"keys"), None)
    for items in meta.find(b"ilst"):
        if b"mdta" not in handlers:
            yield iTunesItems(items)
        elif keys is not None:
            yield KeyedItems(items, keys)


def new_items(moov: Atom) -> iTunesItems:
    """Add an empty iTunes list to ``moov``."""
    items = Atom(b"ilst", children=[])
    handler = Atom(b"hdlr", HANDLER)
    meta = Atom(b"meta", bytes(4), [handler, items])
    udta = next(moov.find(b"udta"), None)
    assert moov.children is not None
    if udta is None:
        udta = Atom(b"udta", children=[])
        moov.children.append(udta)
    assert udta.children is not None
    udta.children.insert(0, meta)
    return iTunesItems(items)


HANDLER = bytes(8) + b"mdirappl" + bytes(9)
"""Content of the atom ``hdlr`` that belongs to an iTunes list."""
