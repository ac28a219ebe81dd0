"""What the headers of WAV, W64, AIFF, AU and CAF files state about their length, and what is there.

A recorder that was switched off leaves a size of 0 behind, sizes above 4 GiB wrap around, and a
file that was cut off still states its old size. Decoders believe such sizes, each in its own way.
Here the samples are found by the chunks around them, and wrong sizes are corrected in a view of the
file, so that one decoder after the other reads all of it. Of compressed samples in these files the
size is not corrected; it tells whether the file was cut off.

Sources: Microsoft's RIFF and WAVEFORMATEX, EBU Tech 3306 (RF64) and ITU-R BS.2088 (BW64), Sony's
W64, Apple's AIFF-C and CAF specifications, the AU page of the Open Group.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from genrelens.decoders.base import disagree

__all__ = ["Header", "Patched", "is_open_size", "read_header"]

_MOST_CHUNKS = 1000  # that are looked at; files made of millions of them are made to be slow
_STREAMED = (range(0x7FFF_0000, 0x8000_0000), range(0xFFFF_F000, 2**32))  # sizes written to pipes
_TAGS = (b"ID3", b"TAG", b"APET", b"LYRI")  # that may stand behind the last chunk
_PCM = {1, 3, 6, 7, 0xFFFE}  # linear, float, A-law, mu-law, and the extensible form of them
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the names of its chunks
_AIFF_PCM = {b"NONE", b"sowt", b"twos", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64"}
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # of a sample, by its encoding


@dataclass(frozen=True, slots=True)
class Header:
    """The length that a header states.

    Attributes:
        seconds: as stated, or None where the header leaves the length open.
        patches: place in the file and bytes that correct it; empty if it states enough.
        reason: why the stated length is wrong, where there are patches.

    """

    seconds: float | None
    patches: tuple[tuple[int, bytes], ...] = ()
    reason: str = ""


@dataclass(slots=True)
class _Samples:
    """Where a header locates the samples.

    Attributes:
        start: of the samples, in bytes from the beginning of the file.
        stated: number of bytes that the samples take, or None for "up to the end".
        chunk: number of bytes of the chunk that holds them, where that is another statement.
        per_second: bytes of uncompressed samples; 0 where they are compressed.
        fields: that state the length: place, format, bytes in a unit, and what is added.
        must_state: whether decoders refuse a length that is left open.
        compressed: bytes per second of compressed samples; 0 where that is not known.

    """

    start: int
    stated: int | None
    chunk: int | None
    per_second: float
    fields: list[tuple[int, str, int, int]]
    must_state: bool = False
    compressed: float = 0.0


class Patched(io.RawIOBase):
    """A view of a file in which some bytes are others."""

    def __init__(self, file: Any, patches: tuple[tuple[int, bytes], ...]) -> None:
        self._file, self._patches = file, patches

    def read(self, size: int = -1) -> bytes:
        """Read as :meth:`io.RawIOBase.read` does."""
        start = self._file.tell()
        content = bytearray(self._file.read(size))
        for place, new in self._patches:
            first, last = max(place, start), min(place + len(new), start + len(content))
            if first < last:
                content[first - start : last - start] = new[first - place : last - place]
        return bytes(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek as :meth:`io.RawIOBase.seek` does."""
        position: int = self._file.seek(offset, whence)
        return position

    def tell(self) -> int:
        """Return the position, in bytes."""
        position: int = self._file.tell()
        return position


def read_header(file: Any) -> Header | None:
    """Read what the header of a WAV, RF64, W64, AIFF, AU or CAF file states about its length.

    Args:
        file: binary, can seek; its position changes.

    Returns:
        None for every other file, and where the header cannot be understood. Of compressed
        samples a length is stated only where the file ends before they do: the rate of their
        bytes is too rough to doubt a whole file.

    """
    size = file.seek(0, os.SEEK_END)
    try:
        found = _find(file, size)
    except struct.error:  # the file ends within its header
        return None
    if found is None or found.start > size:
        return None
    there = size - found.start
    chunk = found.stated if found.chunk is None else found.chunk
    if chunk is not None and chunk < there and _is_chunk(file, found.start + chunk, size):
        there = chunk
    if not found.per_second:
        is_cut = found.compressed > 0 and (found.stated or 0) > there
        return Header((found.stated or 0) / found.compressed if is_cut else None)
    patches = tuple(
        (place, struct.pack(form, min(there // unit + more, 2 ** (8 * struct.calcsize(form)) - 1)))
        for place, form, unit, more in found.fields
    )
    if found.stated is None:
        return Header(
            None, patches if found.must_state else (), "the header leaves the length open"
        )
    stated, real = found.stated / found.per_second, there / found.per_second
    if found.stated >= there or not disagree(stated, real):
        return Header(stated)
    return Header(stated, patches, f"the header states {stated:.1f} s, {real:.1f} s are there")


def is_open_size(n_bytes: int) -> bool:
    """Return whether a size of 32 bits is what a program writes to a pipe, and states nothing."""
    return any(n_bytes in sizes for sizes in _STREAMED)


def _find(file: Any, size: int) -> _Samples | None:
    head = _at(file, 0, 40)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _wav(file, size)
    if head[:4] == b"riff" and head[24:28] == b"wave":
        return _w64(file, size)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _aiff(file, size)
    if head[:4] in (b".snd", b"dns."):
        return _au(head)
    if head[:4] == b"caff":
        return _caf(file, size)
    return None


def _at(file: Any, place: int, n_bytes: int) -> bytes:
    file.seek(place)
    content: bytes = file.read(n_bytes)
    return content


def _unpack(form: str, file: Any, place: int) -> tuple[Any, ...]:
    return struct.unpack(form, _at(file, place, struct.calcsize(form)))


def _chunks(
    file: Any, size: int, start: int, form: str, align: int = 2, counted: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, place of the content and size of chunks, as ``form`` reads name and size.

    A size covers ``counted`` bytes of the chunk's own header.
    """
    n_header = struct.calcsize(form)
    for _ in range(_MOST_CHUNKS):
        if start + n_header > size:
            return
        name, n_bytes = _unpack(form, file, start)
        yield name, start + n_header, n_bytes - counted
        start += n_header + max(0, n_bytes - counted)
        start += -start % align


def _is_chunk(file: Any, place: int, size: int) -> bool:
    """Return whether a chunk or a tag, or nothing, stands at a place: then the samples end there.

    What takes no more than the padding before it is nothing.
    """
    for start in (place, place + place % 2, place + -place % 8):
        head = _at(file, start, 16)
        if len(head) < 8 or head.startswith(_TAGS) or head.endswith(_W64_TAIL):
            return True
        sizes = struct.unpack("<I", head[4:8]) + struct.unpack(">I", head[4:8])
        if all(32 <= byte < 127 for byte in head[:4]) and min(sizes) <= size - start - 8 + 1:
            return True
    return False


def _open_length(n_bytes: int) -> int | None:
    """Return the size that a header states, None where it leaves it open."""
    return None if is_open_size(n_bytes) else n_bytes


# ------------------------------------------------------------------------------- the formats


@dataclass(frozen=True, slots=True)
class _Form:
    """What a ``fmt`` chunk says.

    Attributes:
        pcm: bytes per second of uncompressed samples, else 0.
        compressed: the same of compressed samples; 0 also where their rate varies.
        unit: bytes in a block.
        sample_rate: in Hz.

    """

    pcm: int = 0
    compressed: int = 0
    unit: int = 1
    sample_rate: int = 0

    def compressed_rate(self, n_bytes: int, frames: int) -> float:
        """Return bytes per second of compressed samples, or 0.

        Where the rate varies, it is the mean of ``n_bytes`` that hold ``frames`` (chunk ``fact``).
        """
        if self.pcm or self.compressed or not frames:
            return self.compressed
        return n_bytes * self.sample_rate / frames


def _form(file: Any, start: int) -> _Form:
    tag, _, rate, per_second, unit = _unpack("<HHIIH", file, start)
    if tag in _PCM:
        return _Form(per_second, 0, unit, rate)
    return _Form(0, per_second, unit, rate)


def _wav(file: Any, size: int) -> _Samples | None:
    form, long_size, frames = _Form(), None, 0
    for name, start, n_bytes in _chunks(file, size, 12, "<4sI"):
        if name == b"ds64":
            long_size = start, *_unpack("<QQ", file, start + 8)
        elif name == b"fmt ":
            form = _form(file, start)
        elif name == b"fact":
            (frames,) = _unpack("<I", file, start)
        elif name == b"data":
            fields = [(start - 4, "<I", 1, 0)]
            stated, must_state = _open_length(n_bytes), False
            if long_size is not None and n_bytes == 2**32 - 1:
                place, long, _ = long_size
                fields = [(place + 8, "<Q", 1, 0), (place + 16, "<Q", max(1, form.unit), 0)]
                stated, must_state = _open_length(long) if long < 2**62 else None, True
            compressed = form.compressed_rate(stated or 0, frames)
            return _Samples(start, stated, None, form.pcm, fields, must_state, compressed)
    return None


def _w64(file: Any, size: int) -> _Samples | None:
    form = _Form()
    for name, start, n_bytes in _chunks(file, size, 40, "<16sQ", align=8, counted=24):
        if name[:4] == b"fmt ":
            form = _form(file, start)
        elif name[:4] == b"data":
            stated = None if n_bytes >= 2**62 else max(0, n_bytes)
            fields = [(start - 8, "<Q", 1, 24)]
            return _Samples(start, stated, None, form.pcm, fields, compressed=form.compressed)
    return None


def _aiff(file: Any, size: int) -> _Samples | None:
    common = None
    for name, start, n_bytes in _chunks(file, size, 12, ">4sI"):
        if name == b"COMM":
            channels, frames, bits, exponent, mantissa = _unpack(">hIhHQ", file, start)
            kind = _at(file, start + 18, 4) if n_bytes >= 22 else b"NONE"
            rate = mantissa * 2.0 ** (exponent - 16383 - 63) if exponent < 16420 else 0
            unit = channels * -(-bits // 8) if kind in _AIFF_PCM else 0
            common = start, channels, frames, unit, rate, kind
        elif name == b"SSND" and common is not None:
            place, channels, frames, unit, rate, kind = common
            chunk = max(0, n_bytes - 8)
            if unit <= 0:
                ima4 = rate * channels * 34 / 64 if kind == b"ima4" else 0  # packets of 64 frames
                return _Samples(start + 8, chunk, chunk, 0, [], compressed=ima4)
            fields = [(start - 4, ">I", 1, 8), (place + 2, ">I", unit, 0)]
            return _Samples(start + 8, frames * unit, chunk, rate * unit, fields)
    return None


def _au(head: bytes) -> _Samples | None:
    order = ">" if head.startswith(b".snd") else "<"
    start, n_bytes, encoding, rate, channels = struct.unpack(order + "5I", head[4:24])
    per_second = rate * channels * _AU_BYTES.get(encoding, 0)
    return _Samples(start, _open_length(n_bytes), None, per_second, [(8, order + "I", 1, 0)])


def _caf(file: Any, size: int) -> _Samples | None:
    per_second = 0.0
    for name, start, n_bytes in _chunks(file, size, 8, ">4sq", align=1):
        if name == b"desc":
            rate, _, _, n_packet, n_frames = _unpack(">d4sIII", file, start)
            per_second = rate * n_packet / n_frames if n_frames else 0.0
        elif name == b"data":
            stated = None if n_bytes < 0 else max(0, n_bytes - 4)
            return _Samples(start + 4, stated, None, per_second, [(start - 8, ">q", 1, 4)])
    return None
