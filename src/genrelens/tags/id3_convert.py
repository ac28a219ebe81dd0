"""Conversion of ID3v2 tags to another version, and comparison of tags of different versions.

A frame that exists in both versions is copied. If version 2.3 lacks the encoding of a text, the
text is encoded as UTF-16. A frame that cannot be stored in the other version is an error.

Sources: "ID3 tag version 2.3.0", section 4; "2.4.0 - Changes" and "2.4.0 - Native Frames"; "ID3v2
Chapter Frame Addendum 1.0" (id3.org).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from genrelens.tags.id3_frames import Frame, RawID3, frames_in, make_frame, new_tag
from genrelens.tags.id3_text import decode, encode, separator, text_content, values_of
from genrelens.tags.raw import content_of

__all__ = ["in_version", "meaning_of"]

_UTF16BE, _UTF16 = 2, 1
# Layout of the content after the encoding byte: "s" is a text and "l" a Latin-1 text, each with a
# terminator; a digit is a number of bytes; "*" is texts up to the end. Other bytes may follow.
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
_NESTED = ("CHAP", "CTOC")
_DATE = re.compile(r"(\d{4})(?:-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::00)?)?)?")


@dataclass(frozen=True, slots=True)
class _Content:
    """A frame during conversion: name, unpacked content, status flags as in version 2.4."""

    name: str
    data: bytes
    flags: int = 0


def in_version(tag: RawID3, version: int) -> RawID3:
    """Return a tag converted to version 3 or 4.

    The checksum is dropped. A footer is kept in version 4 and dropped in version 3, which has none.

    Raises:
        ValueError: a part cannot be stored in that version; the message names it.

    """
    if tag.rest:
        raise ValueError(f"has data after its frames that ID3v2.{version} cannot store")
    if tag.extended_flags:
        raise ValueError(f"has an extended header that ID3v2.{version} cannot store")
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
        later = _from_version_2(frame.name, data)
        if later is None:
            raise _refusal(frame.name, version)
        return _Content(*later)
    if frame.name in _NESTED:
        data = _nested(frame, data, version)
    return _Content(frame.name, data, frame.flags >> (frame.version == 3) & 0x7000)


def _from_version_2(name: str, data: bytes) -> tuple[str, bytes] | None:
    """Return name and content of a 2.2 frame in later versions; None if there is no equivalent."""
    from mutagen.id3 import Frames_2_2

    base = getattr(Frames_2_2.get(name), "__base__", None)
    if base is None or name in ("CRM", "LNK"):
        return None
    if name == "PIC":  # three letters instead of a media type
        mime = b"image/" + data[1:4].lower().replace(b"jpg", b"jpeg")
        data = data[:1] + (data[1:4] if data[1:4] == b"-->" else mime) + b"\0" + data[4:]
    return base.__name__, data


def _start_of_nested(name: str, data: bytes) -> int:
    """Return the offset of the frames within a chapter or a table of contents."""
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
    start = _start_of_nested(frame.name, data)
    frames, rest = frames_in(data[start:], frame.version)
    if rest.strip(b"\0") or any(each.name in _NESTED for each in frames):
        raise _refusal(frame.name, version, ": it is damaged")
    return data[:start] + b"".join(each.raw for each in _converted(frames, version))


# -------------------------------------------------------------------------------- dates


def _single(contents: list[_Content], name: str) -> str:
    """Return the text of a frame if it occurs once with one value; otherwise an empty text."""
    found = [values_of(each.data) for each in contents if each.name == name]
    return found[0][0] if len(found) == 1 and len(found[0]) == 1 else ""


def _with_one_date(contents: list[_Content]) -> list[_Content]:
    """Combine year, day and time into one date if they are valid; keep other frames."""
    names = {each.name for each in contents}
    year, day, time = (_single(contents, name) for name in ("TYER", "TDAT", "TIME"))
    parts = [r"\d{4}", r"(0[1-9]|[12]\d|3[01])(0[1-9]|1[0-2])", r"([01]\d|2[0-3])[0-5]\d"]
    whole = [bool(re.fullmatch(p, text)) for p, text in zip(parts, (year, day, time), strict=True)]
    date = year
    if whole[1]:
        date += f"-{day[2:]}-{day[:2]}" + (f"T{time[:2]}:{time[2:]}" if whole[2] else "")
    replaced = {"TDAT"} & names | {"TIME"} & names
    fits = whole[0] and "TDRC" not in names and (not replaced or whole[1])
    if fits and ("TIME" not in names or whole[2]):
        contents = _renamed(contents, "TYER", "TDRC", date)
        contents = [each for each in contents if each.name not in replaced]
    if "TDOR" not in names and re.fullmatch(r"\d{4}", _single(contents, "TORY")):
        contents = _renamed(contents, "TORY", "TDOR", _single(contents, "TORY"))
    return _renamed(contents, "IPLS", "TIPL") if "TIPL" not in names else contents


def _with_old_dates(contents: list[_Content]) -> list[_Content]:
    """Split a date into year, day and time."""
    names = {each.name for each in contents}
    old: list[_Content] = []
    for each in contents:
        if each.name == "TDRC":
            old += _year_day_time(each, contents)
        elif each.name == "TDOR":
            if not re.fullmatch(r"\d{4}", _single(contents, "TDOR")) or "TORY" in names:
                raise _refusal("TDOR", 3, ": it is not a single year")
            old.append(_Content("TORY", each.data, each.flags))
        else:
            old.append(each)
    return _renamed(old, "TIPL", "IPLS") if "IPLS" not in names else old


def _year_day_time(date: _Content, contents: list[_Content]) -> Iterator[_Content]:
    names = {each.name for each in contents}
    found = _DATE.fullmatch(_single(contents, "TDRC"))
    if not found or names & {"TYER", "TDAT", "TIME"}:
        raise _refusal("TDRC", 3, ": it is not a single year, day or minute")
    year, month, day, hour, minute = found.groups()
    texts = [("TYER", year), ("TDAT", day and day + month), ("TIME", hour and hour + minute)]
    for name, text in texts:
        if text:
            yield _Content(name, text_content([text], 3), date.flags)


def _renamed(
    contents: list[_Content], old: str, new: str, text: str | None = None
) -> list[_Content]:
    """Return frames with another name and, if given, another text."""
    return [
        _Content(new, each.data if text is None else text_content([text], 4), each.flags)
        if each.name == old
        else each
        for each in contents
    ]


# ---------------------------------------------------------------------------- encodings


def _shape_of(name: str) -> str:
    """Return the layout after the encoding byte; empty if the frame has no such byte."""
    return _SHAPES.get(name, "*" if name.startswith("T") else "")


def _in_old_encoding(content: _Content) -> bytes:
    """Encode the texts of a frame in UTF-16 if version 2.3 lacks their encoding."""
    name, data = content.name, content.data
    shape = _shape_of(name)
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
            values = text.rstrip("\0")  # terminators at the end are not values
            yield separator(_UTF16).join(encode(value, _UTF16) for value in values.split("\0"))
            yield separator(_UTF16) * (len(text) - len(values))
            return
        else:
            text, data = _cut(data, 0 if part == "l" else encoding)
            yield encode(text, 0 if part == "l" else _UTF16)
            yield separator(0 if part == "l" else _UTF16)
    yield data


def _cut(data: bytes, encoding: int) -> tuple[str, bytes]:
    """Return a text and the data after its end."""
    end = separator(encoding)
    at = data.find(end)
    while at % len(end) and at >= 0:
        at = data.find(end, at + 1)
    if at < 0:
        raise ValueError("a text has no end")
    return decode(data[:at], encoding, "strict"), data[at + len(end) :]


# ------------------------------------------------------------------------------ comparison


_LATER = {"TORY": "TDOR", "IPLS": "TIPL"}
_DATES = ("TYER", "TDAT", "TIME", "TDRC")
_ENCODINGS = 4

Item = tuple[str, bytes]


def meaning_of(tag: RawID3) -> list[Item]:
    """Return everything except the genres, in a form that does not depend on the version.

    Returns:
        Pairs of readable name and bytes. Texts are decoded and have no terminators; other data stay
        as they are. Frames keep their order; the parts of a date come last.

    """
    frames = _meanings(frame for frame in tag.frames if not frame.is_genre)
    around = bytes([tag.is_experimental]) + repr(tag.extended_flags).encode()
    rest = ("the data after the frames of its ID3v2 tag", content_of(tag.rest))
    return [("the header of its ID3v2 tag", around), *frames, rest]


def _meanings(frames: Iterable[Frame], *, is_nested: bool = False) -> list[Item]:
    found: list[Item] = []
    dates: list[Item] = []
    for frame in frames:
        name, data = _later(frame)
        if name in _DATES and not frame.is_packed:
            dates += _parts_of_date(name, data)
            continue
        if frame.is_packed or (is_nested and name in _NESTED):
            meaning = content_of(frame.plain)
        elif name in _NESTED:
            meaning = _meaning_of_nested(frame, data)
        else:
            meaning = _content_meaning(name, data)
        found.append((_label(name), _status(frame) + meaning))
    return found + sorted(dates)


def _label(name: str) -> str:
    return f"its frame {name if name.isalnum() and name.isascii() else repr(name)}"


def _later(frame: Frame) -> tuple[str, bytes]:
    """Return the name of a frame in version 2.4 and its unpacked content."""
    if frame.is_packed:
        return frame.name, b""
    name, data = frame.name, frame.content()
    if frame.version == 2:
        name, data = _from_version_2(name, data) or (name, data)
    return _LATER.get(name, name), data


def _status(frame: Frame) -> bytes:
    return bytes([(frame.flags >> (frame.version == 3) & 0x7000) >> 12])


def _meaning_of_nested(frame: Frame, data: bytes) -> bytes:
    start = _start_of_nested(frame.name, data)
    frames, rest = frames_in(data[start:], frame.version)
    within = _meanings(frames, is_nested=True)
    return content_of(repr((data[:start], within, rest.rstrip(b"\0"))).encode())


def _content_meaning(name: str, data: bytes) -> bytes:
    """Return the content of a frame with decoded texts; unchanged if they cannot be decoded."""
    shape = _shape_of(name)
    if not shape or not data or data[0] >= _ENCODINGS:
        return content_of(data)
    try:
        return content_of(repr(list(_decoded_parts(data[1:], data[0], shape))).encode())
    except ValueError:
        return content_of(data)


def _decoded_parts(data: bytes, encoding: int, shape: str) -> Iterator[str | bytes]:
    for part in shape:
        if part.isdigit():
            yield data[: int(part)]
            data = data[int(part) :]
        elif part == "*":
            yield decode(data, encoding, "strict").rstrip("\0")
            return
        else:
            text, data = _cut(data, 0 if part == "l" else encoding)
            yield text
    yield content_of(data)


def _parts_of_date(name: str, data: bytes) -> Iterator[Item]:
    """Yield year, day and time of a date from the content of a date frame."""
    try:
        text = decode(data[1:], data[0], "strict").rstrip("\0")
    except (ValueError, IndexError):
        yield _label(name), content_of(data)
        return
    found = _DATE.fullmatch(text) if name == "TDRC" else None
    parts = {name: text}
    if found:
        year, month, day, hour, minute = found.groups()
        parts = {"TYER": year, "TDAT": day and day + month, "TIME": hour and hour + minute}
    for key, value in parts.items():
        if value is not None:
            yield _label(key), value.encode("utf-8", "surrogatepass")
