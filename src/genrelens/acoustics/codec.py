"""Apply codecs and tempo changes to waveforms with FFmpeg."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import load_audio
from genrelens.errors import AudioError

__all__ = ["change_tempo", "encode", "through_codec"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_ENDING = 0.25  # seconds of silence added at the end
_SLOWEST, _FASTEST = 0.5, 2.0  # outside this range the filter drops samples


def through_codec(
    y: Float64, sample_rate: int, *, codec: str, container: str, bit_rate: int
) -> Float64:
    """Encode a waveform and decode it again: :func:`encode`, then :func:`~.audio.load_audio`.

    Returns:
        (n_samples,) float64, as long as ``y``. The delay of the codec is removed if the container
        states it.

    """
    file = encode(y, sample_rate, codec=codec, container=container, bit_rate=bit_rate)
    decoded = load_audio(file, sample_rate=sample_rate)[: len(y)].astype(np.float64)
    return np.pad(decoded, (0, len(y) - len(decoded)))


def encode(y: Float64, sample_rate: int, *, codec: str, container: str, bit_rate: int) -> bytes:
    """Encode a mono waveform with FFmpeg.

    Args:
        y: (n_samples,) float64, full scale 1.0; integer codecs clip samples beyond full scale.
        sample_rate: sample rate of ``y`` in Hz; the codec must support it.
        codec: FFmpeg's name of an encoder, for instance ``"libmp3lame"``.
        container: FFmpeg's name of a container for it, for instance ``"mp3"``.
        bit_rate: bit rate in bit/s.

    Raises:
        AudioError: this FFmpeg has no such encoder.

    """
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        try:
            stream: Any = output.add_stream(codec, rate=sample_rate, layout="mono")
        except ValueError as error:
            raise AudioError("<waveform>", f"this FFmpeg has no encoder {codec}") from error
        stream.bit_rate = bit_rate
        stream.open()
        cutter = av.AudioResampler(
            stream.format, "mono", sample_rate, frame_size=stream.frame_size or None
        )
        for frame in [*_resampled(cutter, _frame(y, sample_rate)), None]:
            output.mux(stream.encode(frame))
    return file.getvalue()


def _resampled(cutter: Any, frame: Any) -> Iterator[Any]:
    yield from cutter.resample(frame)
    yield from cutter.resample(None)


def _frame(y: Float64, sample_rate: int) -> Any:
    import av

    samples = np.ascontiguousarray(y, np.float32).reshape(1, -1)
    frame: Any = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = sample_rate, Fraction(1, sample_rate), 0
    return frame


def change_tempo(y: Float64, sample_rate: int, factor: float) -> Float64:
    """Change the tempo without the pitch, with FFmpeg's ``atempo`` (WSOLA).

    WSOLA (Verhelst & Roelands, ICASSP 1993) overlaps short frames where their waveforms are
    similar.

    Args:
        y: (n_samples,) float64.
        sample_rate: sample rate of ``y`` and of the result, in Hz.
        factor: speed, 0.5..2; above 1 is faster.

    Returns:
        (round(n_samples / factor),) float64, at least one sample.

    Raises:
        ValueError: ``factor`` is out of range.

    """
    if not _SLOWEST <= factor <= _FASTEST:
        raise ValueError(f"factor={factor} must be in {_SLOWEST}..{_FASTEST}")
    n_samples = max(1, round(len(y) / factor))
    ending = round(_ENDING * sample_rate)  # the filter drops some samples at the end
    # The frames of the filter are about 1/24 s long at the stated rate. This is too short for the
    # bass: 55 Hz is detuned by 45 cents. Frames twice as long (a doubled rate) reduce this to 4.
    stretched = _filter(np.pad(y, (0, ending)), 2 * sample_rate, "atempo", f"{factor:.9f}")
    return np.pad(stretched[:n_samples], (0, max(0, n_samples - len(stretched))))


def _filter(y: Float64, sample_rate: int, name: str, settings: str) -> Float64:
    import av
    from av.filter import Graph

    graph: Any = Graph()
    source = graph.add_abuffer(
        sample_rate=sample_rate, format="flt", layout="mono", time_base=Fraction(1, sample_rate)
    )
    graph.link_nodes(source, graph.add(name, settings), graph.add("abuffersink")).configure()
    graph.push(_frame(y, sample_rate))
    graph.push(None)
    blocks: list[Float32] = []
    with suppress(av.EOFError, av.BlockingIOError):  # raised at the end
        while True:
            blocks.append(graph.pull().to_ndarray().ravel())
    return np.concatenate(blocks, dtype=np.float64)
