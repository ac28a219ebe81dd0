"""Wrong lengths in the headers of WAV, W64, AIFF, AU and CAF files, and their correction.

A recorder that loses power leaves a size of 0, sizes above 4 GiB wrap around, and a truncated file
still states its old size. Decoders handle such sizes differently. This module locates the samples
by the chunks around them and corrects wrong sizes in a view of the file (:class:`Patched`), so that
a decoder reads the whole file. The size of compressed samples is not corrected; it only shows
whether the file is cut off.

Sources: Microsoft's RIFF and WAVEFORMATEX, EBU Tech 3306 (RF64) and ITU-R BS.2088 (BW64), Sony's
W64, Apple's AIFF-C and CAF specifications, the AU page of the Open Group.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from genrelens.decoders.base import durations_differ

__all__ = ["Header", "Patched", "is_open_size", "read_header"]

_MAX_CHUNKS = 1000  # limit for reading; files with millions of chunks are made to be slow
_STREAMED = (
    range(0x7FFF_0000, 0x8000_0000),
    range(0xFFFF_F000, 2**32),
)  # placeholder sizes that programs write to a pipe
_TAGS = (b"ID3", b"TAG", b"APET", b"LYRI")  # tags that can follow the last chunk
_PCM = {1, 3, 6, 7, 0xFFFE}  # linear, float, A-law, mu-law, extensible
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # common end of the names of chunks
_AIFF_PCM = {b"NONE", b"sowt", b"twos", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64"}
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # bytes of a sample by its encoding


class Header(NamedTuple):
    """The duration that a header states.

    Attributes:
        seconds: the stated duration, or None if the header leaves it open.
        patches: positions in the file with the bytes that correct the stated length; empty if
            the header is right.
        reason: why the stated length is wrong, if there are patches.

    """

    seconds: float | None
    patches: tuple[tuple[int, bytes], ...] = ()
    reason: str = ""


class _Samples(NamedTuple):
    """The position and size of the samples as the header states them.

    Attributes:
        start: position of the samples in the file, in bytes.
        stated: size of the samples in bytes, or None for "up to the end".
        chunk: size in bytes of the chunk that contains them, if stated separately.
        per_second: bytes per second of uncompressed samples; 0 if they are compressed.
        fields: fields that state the length: position, struct format, bytes per unit, constant
            that is added.
        must_state: whether decoders reject an open length.
        compressed: bytes per second of compressed samples; 0 if unknown.

    """

    start: int
    stated: int | None
    chunk: int | None
    per_second: float
    fields: list[tuple[int, str, int, int]]
    must_state: bool = False
    compressed: float = 0.0


class Patched(io.RawIOBase):
    """A view of a file in which some bytes are replaced."""

    def __init__(self, file: Any, patches: tuple[tuple[int, bytes], ...]) -> None:
        self._file, self._patches = file, patches

    def read(self, size: int = -1) -> bytes:
        """Read as :meth:`io.RawIOBase.read` does."""
        start = self._file.tell()
        content = bytearray(self._file.read(size))
        for position, new in self._patches:
            first, last = max(position, start), min(position + len(new), start + len(content))
            if first < last:
                content[first - start : last - start] = new[first - position : last - position]
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
    """Return the duration that the header of a WAV, RF64, W64, AIFF, AU or CAF file states.

    Args:
        file: binary and seekable; its position changes.

    Returns:
        The header; None for other files and for headers that cannot be parsed. For compressed
        samples, ``seconds`` is set only if the file is cut off, because their bit rate is too
        inexact to check the duration of a complete file.

    """
    size = file.seek(0, os.SEEK_END)
    try:
        found = _find(file, size)
    except struct.error:  # the file ends within its header
        return None
    if found is None or found.start > size:
        return None
    available = size - found.start
    chunk = found.stated if found.chunk is None else found.chunk
    if chunk is not None and chunk < available and _is_chunk(file, found.start + chunk, size):
        available = chunk
    if not found.per_second:
        is_cut = found.compressed > 0 and (found.stated or 0) > available
        return Header((found.stated or 0) / found.compressed if is_cut else None)
    patches = tuple(
        (position, _packed(form, available // unit + added))
        for position, form, unit, added in found.fields
    )
    if found.stated is None:
        return Header(
            None, patches if found.must_state else (), "the header leaves the length open"
        )
    stated, real = found.stated / found.per_second, available / found.per_second
    if found.stated >= available or not durations_differ(stated, real):
        return Header(stated)
    return Header(stated, patches, f"the header states {stated:.1f} s, {real:.1f} s were found")


def _packed(form: str, number: int) -> bytes:
    return struct.pack(form, min(number, 2 ** (8 * struct.calcsize(form)) - 1))


def is_open_size(n_bytes: int) -> bool:
    """Return whether a 32-bit size is a placeholder that programs write to a pipe."""
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


def _at(file: Any, position: int, n_bytes: int) -> bytes:
    file.seek(position)
    content: bytes = file.read(n_bytes)
    return content


def _unpack(form: str, file: Any, position: int) -> tuple[Any, ...]:
    return struct.unpack(form, _at(file, position, struct.calcsize(form)))


def _chunks(
    file: Any, size: int, start: int, form: str, align: int = 2, counted: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name, the position of the content and the size of each chunk.

    ``form`` is the struct format of name and size. The size includes ``counted`` bytes of the
    header of the chunk.
    """
    n_header = struct.calcsize(form)
    for _ in range(_MAX_CHUNKS):
        if start + n_header > size:
            return
        name, n_bytes = _unpack(form, file, start)
        yield name, start + n_header, n_bytes - counted
        start += n_header + max(0, n_bytes - counted)
        start += -start % align


def _is_chunk(file: Any, position: int, size: int) -> bool:
    """Return whether the samples end at a position: a chunk, a tag or nothing follows.

    Fewer than eight bytes are padding and count as nothing.
    """
    for start in (position, position + position % 2, position + -position % 8):
        head = _at(file, start, 16)
        if len(head) < 8 or head.startswith(_TAGS) or head.endswith(_W64_TAIL):
            return True
        sizes = struct.unpack("<I", head[4:8]) + struct.unpack(">I", head[4:8])
        if all(32 <= byte < 127 for byte in head[:4]) and min(sizes) <= size - start - 8 + 1:
            return True
    return False


def _open_length(n_bytes: int) -> int | None:
    """Return the size that a header states, or None if it is a placeholder."""
    return None if is_open_size(n_bytes) else n_bytes


# ------------------------------------------------------------------------------- the formats


class _Form(NamedTuple):
    """The content of a ``fmt`` chunk.

    Attributes:
        pcm: bytes per second of uncompressed samples, else 0.
        compressed: bytes per second of compressed samples, else 0; also 0 if their rate varies.
        unit: bytes in a block of samples.
        sample_rate: in Hz.

    """

    pcm: int = 0
    compressed: int = 0
    unit: int = 1
    sample_rate: int = 0

    def compressed_rate(self, n_bytes: int, frames: int) -> float:
        """Return bytes per second of compressed samples, or 0.

        A variable rate is averaged: ``n_bytes`` over the duration of ``frames`` (chunk ``fact``).
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
                position, long, _ = long_size
                fields = [(position + 8, "<Q", 1, 0), (position + 16, "<Q", max(1, form.unit), 0)]
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
            position, channels, frames, unit, rate, kind = common
            chunk = max(0, n_bytes - 8)
            if unit <= 0:
                ima4 = rate * channels * 34 / 64 if kind == b"ima4" else 0  # packets of 64 frames
                return _Samples(start + 8, chunk, chunk, 0, [], compressed=ima4)
            fields = [(start - 4, ">I", 1, 8), (position + 2, ">I", unit, 0)]
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
