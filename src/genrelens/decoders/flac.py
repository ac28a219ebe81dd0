"""The duration that the header of a FLAC file states, compared with its last frame.

Source: RFC 9639.
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

from genrelens.decoders.base import durations_differ
from genrelens.decoders.limits import end_of_id3

__all__ = ["FlacHeader", "read_flac_header"]

_TAIL = 2**17  # bytes at the end that are searched for the last frame
_SYNC = re.compile(rb"\xff[\xf8\xf9]")


class FlacHeader(NamedTuple):
    """The duration of a FLAC file.

    Attributes:
        stated: duration in seconds that the header states, or None.
        last: time in seconds at which the last frame ends, or None if none is found.

    """

    stated: float | None
    last: float | None

    @property
    def seconds(self) -> float | None:
        """Duration in seconds, or None if the header states none or a wrong one."""
        if self.stated is None or (
            self.last is not None and durations_differ(self.stated, self.last)
        ):
            return None
        return self.stated

    @property
    def is_too_short(self) -> bool:
        """Whether frames follow after the duration that the header states."""
        return self.seconds is None and (self.last or 0.0) > (self.stated or 0.0)


def read_flac_header(file: Any) -> FlacHeader | None:
    """Return the duration in STREAMINFO and the end time of the last frame.

    Args:
        file: binary and seekable; its position changes.

    Returns:
        None if no header of native FLAC follows the ID3v2 tags.

    """
    size = file.seek(0, os.SEEK_END)
    file.seek(end_of_id3(file))
    head = file.read(42)
    if len(head) < 42 or not head.startswith(b"fLaC"):
        return None
    fixed_block = int.from_bytes(head[10:12], "big")
    packed = int.from_bytes(head[18:26], "big")
    rate, n_samples = packed >> 44, packed & (2**36 - 1)
    if not rate:
        return None
    file.seek(max(42, size - _TAIL))
    last = _last_sample(file.read(), fixed_block)
    return FlacHeader(
        n_samples / rate if n_samples else None, None if last is None else last / rate
    )


def _last_sample(tail: bytes, fixed_block: int) -> int | None:
    """Return the number of samples up to the end of the last frame that starts in ``tail``."""
    for match in reversed(list(_SYNC.finditer(tail))):
        end = _end_of_frame(tail[match.start() : match.start() + 16], fixed_block)
        if end is not None:
            return end
    return None


def _end_of_frame(head: bytes, fixed_block: int) -> int | None:
    """Return the number of the sample after a frame, or None if ``head`` is not a frame header."""
    if len(head) < 16 or head[3] & 1 or head[2] >> 4 == 0 or head[2] & 15 == 15:
        return None
    ones = 8 - (head[4] ^ 0xFF).bit_length()  # bytes of the frame number, which is coded like UTF-8
    if ones in (1, 8):
        return None
    at = 4 + max(1, ones)
    number = head[4] & 0x7F >> ones
    for byte in head[5:at]:
        number = number << 6 | byte & 0x3F
    block, at = _block_size(head, at)
    at += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)  # the sample rate
    if _crc8(head[:at]) != head[at]:
        return None
    return number + block if head[1] & 1 else number * fixed_block + block


def _block_size(head: bytes, at: int) -> tuple[int, int]:
    """Return the number of samples in a frame and the position after the field."""
    code = head[2] >> 4
    if code in (6, 7):
        return int.from_bytes(head[at : at + code - 5], "big") + 1, at + code - 5
    return (192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8), at


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 7 if crc & 128 else crc << 1) & 0xFF
    return crc
