"""From FFmpeg's audio frames to arrays, never beyond the memory that a frame owns.

PyAV counts the planes of a frame up to the first null pointer. A frame holds eight pointers; where
all are in use (7.1, 16 channels), PyAV reads on behind them, and ``AudioFrame.to_ndarray`` ends the
process. Such frames are interleaved by FFmpeg's resampler first, which goes by their channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.decoders.base import DecodeError, check_claims

__all__ = ["FrameArrays"]

_POINTERS = 8  # AV_NUM_DATA_POINTERS of libavutil/frame.h


class FrameArrays:
    """Converts the frames of one stream.

    Args:
        channels: number of channels that the stream's header states.

    """

    def __init__(self, channels: int) -> None:
        self._most_channels = max(_POINTERS, channels)
        self._packer: tuple[tuple[Any, ...], Any] = ((), None)  # for which kind of frame, and it

    def check(self, frame: Any) -> None:
        """Compare what a frame claims with what is possible.

        Raises:
            DecodeError: damage made a frame that no recording has.

        """
        channels = frame.layout.nb_channels
        check_claims(frame.sample_rate, channels)
        if channels > self._most_channels:
            raise DecodeError(f"a frame claims {channels} channels")
        if frame.format.is_planar and channels < _POINTERS and len(frame.planes) != channels:
            raise DecodeError(f"a frame claims {channels} channels, and has {len(frame.planes)}")

    def array(self, frame: Any) -> NDArray[Any]:
        """Return the samples of a frame as they are stored.

        Returns:
            (channels, n) for a planar frame, (1, n * channels) for an interleaved one.

        Raises:
            ValueError: the frame has a type of sample that NumPy lacks, or less memory than its
                samples need.

        """
        channels = frame.layout.nb_channels
        if not frame.format.is_planar or channels < _POINTERS:
            samples: NDArray[Any] = frame.to_ndarray()
            return samples
        packed = [each.to_ndarray() for each in self._packed(frame)]
        return np.concatenate(packed, axis=1).reshape(-1, channels).T

    def _packed(self, frame: Any) -> list[Any]:
        """Interleave a planar frame."""
        import av

        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if kind != self._packer[0]:
            packer = av.AudioResampler(frame.format.packed, frame.layout, frame.sample_rate)
            self._packer = kind, packer
        frame.pts = None  # the resampler refuses times that jump back
        return list(self._packer[1].resample(frame))
