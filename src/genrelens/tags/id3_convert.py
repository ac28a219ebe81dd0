"""ID3v2 tags brought to another version, frame by frame, so that nothing is lost.

A frame that both versions know goes over as it is; where 2.3 does not know the encoding of its
texts, they are encoded anew. What cannot be said in the other version is refused.

Sources: "ID3 tag version 2.3.0", section 4; "2.4.0 - Changes" and "2.4.0 - Native Frames"; "ID3v2
Chapter Frame Addendum 1.0" (id3.org).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from genrelens.tags.id3_frames import Frame, RawID3, frames_in, make_frame, new_tag
from genrelens.tags.id3_text import decode, encode, separator, text_content, values_of

__all__ = [
    "DATE",
    "NESTED",
    "cut",
    "from_version_2",
    "in_version",
    "shape_of",
    "start_of_nested",
]

_UTF16BE, _UTF16 = 2, 1
# What stands behind the byte of the encoding: a text (s) or Latin-1 (l), each with its end, some
# bytes (digits), texts to the end (*), or bytes to the end.
_SHAPES = {
    "TXXX": "s*",
    "COMM": "3s*",
    "USLT": "3s*",
    "WXXX": "s",
    "APIC": "l1s",
    "GEOB": "lss",
    "IPLS": "*",
    "TIPL": "*",
    "TMCL": "*",
    "USER": "3*",
    "OWNE": "l8*",
}
_ENCODED = frozenset((*_SHAPES, "SYLT", "COMR"))
NESTED = ("CHAP", "CTOC")
DATE = re.compile(r"(\d{4})(?:-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::00)?)?)?")


@dataclass(frozen=True, slots=True)
class _Content:
    """A frame on its way: its name, its content without packing, its status flags (of 2.4)."""

    name: str
    data: bytes
    flags: int = 0


def in_version(tag: RawID3, version: int) -> RawID3:
    """Return a tag in version 3 or 4.

    A checksum is not kept. A footer is in version 4, which alone knows it.

    Raises:
        ValueError: something in it cannot be expressed in that version; the message names it.

    """
    if tag.rest:
        raise ValueError(f"has bytes behind its frames that ID3v2.{version} cannot hold")
    if tag.extended_flags:
        raise ValueError(f"has an extended header that ID3v2.{version} cannot hold")
    footer = tag.has_footer and version == 4
    frames = _converted(tag.frames, version)
    return new_tag(version, frames, is_experimental=tag.is_experimental, footer=footer)


def _converted(frames: Iterable[Frame], version: int) -> Iterator[Frame]:
    contents = [_unpacked(frame, version) for frame in frames]
    redated = _with_one_date(contents) if version == 4 else _with_old_dates(contents)
    for content in redated:
        flags = content.flags if version == 4 else content.flags << 1 & 0xE000
        data = content.data if version == 4 else _in_old_encoding(content)
        yield make_frame(content.name, data, version, flags=flags)


def _refusal(name: str, version: int, why: str = "") -> ValueError:
    return ValueError(f"its frame {name} cannot be written in ID3v2.{version}{why}")


def _unpacked(frame: Frame, version: int) -> _Content:
    if frame.is_packed:
        raise _refusal(frame.name, version, ": it is compressed, encrypted or part of a group")
    data = frame.content()
    if frame.version == 2:
        later = from_version_2(frame.name, data)
        if later is None:
            raise _refusal(frame.name, version)
        return _Content(*later)
    if frame.name in NESTED:
        data = _nested(frame, data, version)
    return _Content(frame.name, data, frame.flags >> (frame.version == 3) & 0x7000)


def from_version_2(name: str, data: bytes) -> tuple[str, bytes] | None:
    """Return the later name and content of a frame of version 2.2, None where it has none."""
    from mutagen.id3 import Frames_2_2

    base = getattr(Frames_2_2.get(name), "__base__", None)
    if base is None or name in ("CRM", "LNK"):
        return None
    if name == "PIC":  # three letters instead of a type
        mime = b"image/" + data[1:4].lower().replace(b"jpg", b"jpeg")
        data = data[:1] + (data[1:4] if data[1:4] == b"-->" else mime) + b"\0" + data[4:]
    return base.__name__, data


def start_of_nested(name: str, data: bytes) -> int:
    """Return where the frames within a chapter or a table of contents begin."""
    start = data.find(b"\0") + 1
    if name == "CHAP":
        return start + 16
    n_children = int.from_bytes(data[start + 1 : start + 2], "big")
    start += 2
    for _ in range(n_children):
        start = data.find(b"\0", start) + 1 or len(data)
    return start


def _nested(frame: Frame, data: bytes, version: int) -> bytes:
    """Convert the frames within a chapter or a table of contents."""
    start = start_of_nested(frame.name, data)
    frames, rest = frames_in(data[start:], frame.version)
    if rest.strip(b"\0") or any(each.name in NESTED for each in frames):
        raise _refusal(frame.name, version, ": it is damaged")
    return data[:start] + b"".join(each.raw for each in _converted(frames, version))


# -------------------------------------------------------------------------------- dates


def _single(contents: list[_Content], name: str) -> str:
    """Return the text of the only frame of a name that has only one, or nothing."""
    found = [values_of(each.data) for each in contents if each.name == name]
    return found[0][0] if len(found) == 1 and len(found[0]) == 1 else ""


def _with_one_date(contents: list[_Content]) -> list[_Content]:
    """Make one date of year, day and time, where they are one; the rest goes over as it is."""
    names = {each.name for each in contents}
    year, day, time = (_single(contents, name) for name in ("TYER", "TDAT", "TIME"))
    parts = [r"\d{4}", r"(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])", r"([01]\d|2[0-3])[0-5]\d"]
    whole = [bool(re.fullmatch(p, text)) for p, text in zip(parts, (year, day, time), strict=True)]
    date = year
    if whole[1]:
        date += f"-{day[2:]}-{day[:2]}" + (f"T{time[:2]}:{time[2:]}" if whole[2] else "")
    gone = {"TDAT"} & names | {"TIME"} & names
    fits = whole[0] and "TDRC" not in names and (not gone or whole[1])
    if fits and ("TIME" not in names or whole[2]):
        contents = _renamed(contents, "TYER", "TDRC", date)
        contents = [each for each in contents if each.name not in gone]
    if "TDOR" not in names and re.fullmatch(r"\d{4}", _single(contents, "TORY")):
        contents = _renamed(contents, "TORY", "TDOR", _single(contents, "TORY"))
    return _renamed(contents, "IPLS", "TIPL") if "TIPL" not in names else contents


def _with_old_dates(contents: list[_Content]) -> list[_Content]:
    """Make year, day and time of a date."""
    names = {each.name for each in contents}
    old: list[_Content] = []
    for each in contents:
        if each.name == "TDRC":
            old += _year_day_time(each, contents)
        elif each.name == "TDOR":
            if not re.fullmatch(r"\d{4}", _single(contents, "TDOR")) or "TORY" in names:
                raise _refusal("TDOR", 3, ": it is no single year")
            old.append(_Content("TORY", each.data, each.flags))
        else:
            old.append(each)
    return _renamed(old, "TIPL", "IPLS") if "IPLS" not in names else old


def _year_day_time(date: _Content, contents: list[_Content]) -> Iterator[_Content]:
    names = {each.name for each in contents}
    found = DATE.fullmatch(_single(contents, "TDRC"))
    if not found or names & {"TYER", "TDAT", "TIME"}:
        raise _refusal("TDRC", 3, ": it is no single year, day or minute")
    year, month, day, hour, minute = found.groups()
    texts = [("TYER", year), ("TDAT", day and day + month), ("TIME", hour and hour + minute)]
    for name, text in texts:
        if text:
            yield _Content(name, text_content([text], 3), date.flags)


def _renamed(
    contents: list[_Content], old: str, new: str, text: str | None = None
) -> list[_Content]:
    """Give frames another name, and another text."""
    return [
        _Content(new, each.data if text is None else text_content([text], 4), each.flags)
        if each.name == old
        else each
        for each in contents
    ]


# ---------------------------------------------------------------------------- encodings


def shape_of(name: str) -> str:
    """Return what stands behind the byte of the encoding; nothing where there is no such byte."""
    return _SHAPES.get(name, "*" if name.startswith("T") else "")


def _in_old_encoding(content: _Content) -> bytes:
    """Encode the texts of a frame in UTF-16 where they are in an encoding that 2.3 lacks."""
    name, data = content.name, content.data
    shape = shape_of(name)
    has_encoding = shape or name in _ENCODED
    if not has_encoding or not data or data[0] not in (_UTF16BE, 3):
        return data
    try:
        if not shape:
            raise ValueError(name)
        return b"\x01" + b"".join(_pieces(data[1:], data[0], shape))
    except ValueError as error:
        raise _refusal(name, 3, ": its text is damaged") from error


def _pieces(data: bytes, encoding: int, shape: str) -> Iterator[bytes]:
    for part in shape:
        if part.isdigit():
            yield data[: int(part)]
            data = data[int(part) :]
        elif part == "*":
            text = decode(data, encoding, "strict")
            values = text.rstrip("\0")  # what ends the last one is no value
            yield separator(_UTF16).join(encode(value, _UTF16) for value in values.split("\0"))
            yield separator(_UTF16) * (len(text) - len(values))
            return
        else:
            text, data = cut(data, 0 if part == "l" else encoding)
            yield encode(text, 0 if part == "l" else _UTF16)
            yield separator(0 if part == "l" else _UTF16)
    yield data


def cut(data: bytes, encoding: int) -> tuple[str, bytes]:
    """Return a text and what stands behind its end."""
    end = separator(encoding)
    place = data.find(end)
    while place % len(end) and place >= 0:
        place = data.find(end, place + 1)
    if place < 0:
        raise ValueError("a text has no end")
    return decode(data[:place], encoding, "strict"), data[place + len(end) :]
