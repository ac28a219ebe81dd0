"""The duration that the header of an MP3 file states, compared with the frames of the file.

Sources: ISO 11172-3 for the frames, the Xing and LAME tag as LAME writes it, Fraunhofer's VBRI tag.
"""

from __future__ import annotations

import os
import re
import struct
from typing import Any, NamedTuple

from genrelens.decoders.limits import end_of_id3

__all__ = ["Mp3Header", "read_mp3_header"]

_N_SAMPLED = 24  # positions at which frames are read
_PROBE = 4096  # bytes read at each position: more than two frames

_KBIT = {  # bit rates in kbit/s by (whether the version is MPEG-1, layer)
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version
_SYNC = re.compile(rb"\xff[\xe0-\xff][\x10-\xef]", re.DOTALL)


class Mp3Header(NamedTuple):
    """The duration of an MP3 file.

    Attributes:
        stated: duration in seconds that the header states, or None.
        estimated: duration in seconds estimated from a sample of the frames: exact at a constant
            bit rate, within about 10 % otherwise.
        constant: whether the sampled frames have the same bit rate.
        whole: whether the header states the number of bytes, and the file has as many, within
            1 % plus 4 KiB.

    """

    stated: float | None
    estimated: float
    constant: bool
    whole: bool

    @property
    def seconds(self) -> float | None:
        """Duration in seconds, or None if it is unknown.

        It is unknown if the header states an impossible duration, or if it states none and the bit
        rate varies.
        """
        if self.stated is not None:
            return self.stated if 0.75 < self.stated / self.estimated < 1.33 else None
        return self.estimated if self.constant else None


class _Frame(NamedTuple):
    """The header of a frame: kind (constant in a file), samples, sample rate and bytes."""

    kind: tuple[int, int, int]
    samples: int
    rate: int
    n_bytes: int

    @classmethod
    def at(cls, data: bytes, start: int) -> _Frame | None:
        """Return the header at ``start``, or None if there is none or its layer is I."""
        if start + 4 > len(data):
            return None
        version, layer = data[start + 1] >> 3 & 3, 4 - (data[start + 1] >> 1 & 3)
        kbit_index, hz_index = data[start + 2] >> 4, data[start + 2] >> 2 & 3
        if version == 1 or layer not in (2, 3) or hz_index == 3 or not 0 < kbit_index < 15:
            return None
        rate = _HZ[version][hz_index]
        samples = 1152 if version == 3 or layer == 2 else 576
        kbit = _KBIT[version == 3, layer][kbit_index - 1]
        n_bytes = samples * 125 * kbit // rate + (data[start + 2] >> 1 & 1)
        return cls((version, layer, hz_index), samples, rate, n_bytes)


def read_mp3_header(file: Any) -> Mp3Header | None:
    """Return the stated and the estimated duration of an MP3 file.

    Args:
        file: binary and seekable; its position changes.

    Returns:
        None if no MPEG audio frames of layer II or III follow the ID3v2 tags.

    """
    size = file.seek(0, os.SEEK_END)
    start = end_of_id3(file)
    file.seek(start)
    head = file.read(_PROBE)
    at, first = _first_frame(head)
    if first is None:
        return None
    rates = [
        each
        for each in (
            _seconds_per_byte(file, position, first)
            for position in range(start, size, max(1, (size - start) // _N_SAMPLED))
        )
        if each
    ]
    if not rates:
        return None
    seconds = (size - start) * sum(rates) / len(rates)
    stated, n_bytes = _stated(head[at : at + 200], first)
    whole = n_bytes is not None and abs(n_bytes - (size - start)) <= 4096 + 0.01 * size
    return Mp3Header(stated, seconds, max(rates) < 1.02 * min(rates), whole)


def _first_frame(
    data: bytes, kind: tuple[int, int, int] | None = None
) -> tuple[int, _Frame | None]:
    """Return the position and header of the first frame that another frame of its kind follows.

    Return (0, None) if there is none.
    """
    for match in _SYNC.finditer(data):
        frame = _Frame.at(data, match.start())
        if frame is None or kind not in (None, frame.kind):
            continue
        following = _Frame.at(data, match.start() + frame.n_bytes)
        if following is not None and following.kind == frame.kind:
            return match.start(), frame
    return 0, None


def _seconds_per_byte(file: Any, position: int, like: _Frame) -> float:
    """Return seconds per byte of a frame after ``position``, 0 if there is none."""
    file.seek(position)
    _, frame = _first_frame(file.read(_PROBE), like.kind)
    return 0.0 if frame is None else frame.samples / frame.rate / frame.n_bytes


def _stated(head: bytes, frame: _Frame) -> tuple[float | None, int | None]:
    """Return the seconds and the bytes that a Xing, Info or VBRI tag states."""
    n_frames = n_bytes = None
    if found := re.search(rb"(?:Xing|Info)(.{12})", head, re.DOTALL):
        flags, *numbers = struct.unpack(">III", found[1])
        n_frames = numbers.pop(0) if flags & 1 else None
        n_bytes = numbers.pop(0) if flags & 2 else None
    elif found := re.search(rb"VBRI.{6}(.{8})", head, re.DOTALL):
        n_bytes, n_frames = struct.unpack(">II", found[1])
    return None if n_frames is None else n_frames * frame.samples / frame.rate, n_bytes
