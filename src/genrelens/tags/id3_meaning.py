"""What an ID3v2 tag says besides its genres, in the same words for every version of it.

So a tag can be compared with what a conversion made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from genrelens.tags.id3_convert import (
    DATE,
    NESTED,
    cut,
    from_version_2,
    shape_of,
    start_of_nested,
)
from genrelens.tags.id3_frames import Frame, RawID3, frames_in
from genrelens.tags.id3_text import decode
from genrelens.tags.raw import content_of

__all__ = ["meaning_of"]

_LATER = {"TORY": "TDOR", "IPLS": "TIPL"}
_DATES = ("TYER", "TDAT", "TIME", "TDRC")
_ENCODINGS = 4

Item = tuple[str, bytes]


def meaning_of(tag: RawID3) -> list[Item]:
    """Return what a tag says: a name for people, and bytes that all versions share.

    Texts are in UTF-8 and without what ends them; all else is compared byte for byte. Frames are
    in order, but for the parts of the date, which are the last ones.
    """
    frames = _meanings(frame for frame in tag.frames if not frame.is_genre)
    around = bytes([tag.is_experimental]) + repr(tag.extended_flags).encode()
    rest = ("what stands behind the frames of its ID3v2 tag", content_of(tag.rest))
    return [("the header of its ID3v2 tag", around), *frames, rest]


def _meanings(frames: Iterable[Frame], *, is_nested: bool = False) -> list[Item]:
    found: list[Item] = []
    dates: list[Item] = []
    for frame in frames:
        name, data = _later(frame)
        if name in _DATES and not frame.is_packed:
            dates += _parts_of_date(name, data)
            continue
        if frame.is_packed or (is_nested and name in NESTED):
            meaning = content_of(frame.plain)
        elif name in NESTED:
            meaning = _nested(frame, data)
        else:
            meaning = _words(name, data)
        found.append((_label(name), _status(frame) + meaning))
    return found + sorted(dates)


def _label(name: str) -> str:
    return f"its frame {name if name.isalnum() and name.isascii() else repr(name)}"


def _later(frame: Frame) -> tuple[str, bytes]:
    """Return the name that version 2.4 has for a frame, and its content without packing."""
    if frame.is_packed:
        return frame.name, b""
    name, data = frame.name, frame.content()
    if frame.version == 2:
        name, data = from_version_2(name, data) or (name, data)
    return _LATER.get(name, name), data


def _status(frame: Frame) -> bytes:
    return bytes([(frame.flags >> (frame.version == 3) & 0x7000) >> 12])


def _nested(frame: Frame, data: bytes) -> bytes:
    start = start_of_nested(frame.name, data)
    frames, rest = frames_in(data[start:], frame.version)
    within = _meanings(frames, is_nested=True)
    return content_of(repr((data[:start], within, rest.rstrip(b"\0"))).encode())


def _words(name: str, data: bytes) -> bytes:
    """Return the content of a frame with its texts decoded, as it stands if that fails."""
    shape = shape_of(name)
    if not shape or not data or data[0] >= _ENCODINGS:
        return content_of(data)
    try:
        return content_of(repr(list(_pieces(data[1:], data[0], shape))).encode())
    except ValueError:
        return content_of(data)


def _pieces(data: bytes, encoding: int, shape: str) -> Iterator[str | bytes]:
    for part in shape:
        if part.isdigit():
            yield data[: int(part)]
            data = data[int(part) :]
        elif part == "*":
            yield decode(data, encoding, "strict").rstrip("\0")
            return
        else:
            text, data = cut(data, 0 if part == "l" else encoding)
            yield text
    yield content_of(data)


def _parts_of_date(name: str, data: bytes) -> Iterator[Item]:
    """Yield the year, the day and the minute of a date in whichever frames it stands."""
    try:
        text = decode(data[1:], data[0], "strict").rstrip("\0")
    except (ValueError, IndexError):
        yield _label(name), content_of(data)
        return
    found = DATE.fullmatch(text) if name == "TDRC" else None
    parts = {name: text}
    if found:
        year, month, day, hour, minute = found.groups()
        parts = {"TYER": year, "TDAT": day and day + month, "TIME": hour and hour + minute}
    for key, value in parts.items():
        if value is not None:
            yield _label(key), value.encode("utf-8", "surrogatepass")
