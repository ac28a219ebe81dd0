"""Audio from any source, at any rate, as mono float32 at the requested rate.

:func:`load_audio` returns a whole recording, :func:`stream_audio` yields it in blocks; the samples
are the same. A source is a path, the bytes of a file, or a binary file object. A source that is not
a file on disk is first copied to a temporary file. libsndfile decodes most formats, FFmpeg all
others. The mono mix is the mean of the channels, except where they would cancel each other
(:mod:`genrelens.decoders.mono`). soxr converts the rate. :func:`as_mono` and :func:`resampled` do
the same for arrays.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from genrelens.decoders import AUDIO_SUFFIXES, MAX_SECONDS, FileReader, open_decoder
from genrelens.decoders.base import MAX_CHANNELS, MAX_RATE, MIN_RATE
from genrelens.decoders.mono import mixed
from genrelens.errors import AudioError, AudioWarning, require
from genrelens.files import reason
from genrelens.levels import first_invalid

__all__ = [
    "AUDIO_SUFFIXES",
    "AudioInfo",
    "AudioSource",
    "as_mono",
    "load_audio",
    "probe",
    "resampled",
    "source_name",
    "stream_audio",
]

AudioSource = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes of a file, or a binary file object."""

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What the header of a recording states; see :func:`probe`.

    Attributes:
        sample_rate: in Hz.
        channels: number of channels.
        seconds: duration in seconds, or None if the header does not state it.
        decoder: name of the decoder that reads the file, ``"libsndfile"`` or ``"FFmpeg"``.

    """

    sample_rate: int
    channels: int
    seconds: float | None
    decoder: str


def load_audio(
    source: AudioSource, *, sample_rate: int, offset: float = 0.0, duration: float | None = None
) -> Float32:
    """Decode a recording to mono float32.

    Args:
        source: path, bytes of a file, or binary file object (read whole, from its beginning if
            it can seek; it stays open).
        sample_rate: rate of the result in Hz; the file may have any rate.
        offset: where to start, in seconds; reached by seeking where the format allows it.
        duration: how much to decode, in seconds; None decodes to the end.

    Returns:
        (n_samples,) float32 with at least one sample, full scale 1.0.

    Raises:
        AudioError: the recording cannot be read, holds no samples, or holds a sample that is not
            finite or more than 120 dB over full scale.
        TypeError: ``source`` has another type, or is a file in text mode.
        ValueError: ``sample_rate``, ``offset`` or ``duration`` is out of range.

    Warns:
        AudioWarning: the file is damaged or cut off, or the length in its header differs from the
            decoded length; the result is all that could be decoded.

    Example::

        >>> y = load_audio("song.mp3", sample_rate=16_000, offset=60, duration=30)
        >>> y.shape, y.dtype
        ((480000,), dtype('float32'))

    """
    stream = stream_audio(source, sample_rate=sample_rate, offset=offset, duration=duration)
    return np.concatenate(list(stream))


def stream_audio(
    source: AudioSource,
    *,
    sample_rate: int,
    offset: float = 0.0,
    duration: float | None = None,
    block_seconds: float = 10.0,
) -> Iterator[Float32]:
    """Decode a recording to mono float32 block by block; memory does not grow with its length.

    The errors and warnings are those of :func:`load_audio`. The file is opened when the first block
    is requested. Errors and warnings can follow after some blocks.

    Args:
        source: path, bytes of a file, or binary file object.
        sample_rate: rate of the result in Hz.
        offset: where to start, in seconds.
        duration: how much to decode, in seconds; None decodes to the end.
        block_seconds: approximate length of a block; blocks are shorter where the file's rate and
            number of channels would take too much memory.

    Yields:
        (n,) float32 with n >= 1.

    Example::

        >>> blocks = stream_audio("mix.flac", sample_rate=16_000, block_seconds=1.0)
        >>> loudest = max(abs(block).max() for block in blocks)

    """
    require(sample_rate >= 1, f"sample_rate={sample_rate} must be at least 1 Hz")
    require(
        0 <= offset <= MAX_SECONDS,
        f"offset={offset} must be a time in 0..{MAX_SECONDS:g} seconds",
    )
    require(duration is None or duration > 0, f"duration={duration} must be positive or None")
    require(block_seconds > 0, f"block_seconds={block_seconds} must be positive")
    length = min(duration or MAX_SECONDS, MAX_SECONDS)
    return _stream(source, sample_rate, offset, length, block_seconds)


def _stream(
    source: AudioSource, sample_rate: int, offset: float, length: float, block_seconds: float
) -> Iterator[Float32]:
    with ExitStack() as stack:
        reader = FileReader(_open_file(source, stack), source_name(source), sample_rate)
        yield from reader.blocks(offset, length, block_seconds)
        reader.check()
        text = reader.warning()
    if text:
        warnings.warn(AudioWarning(text), stacklevel=2)


def probe(source: AudioSource) -> AudioInfo:
    """Read the header of a recording without decoding it.

    Args:
        source: as for :func:`load_audio`.

    Raises:
        AudioError: no decoder can open the recording.
        TypeError: ``source`` is not a path, bytes or a binary file.

    Example::

        >>> probe("song.mp3")
        AudioInfo(sample_rate=44100, channels=2, seconds=213.4, decoder='libsndfile')

    """
    with ExitStack() as stack:
        decoder = open_decoder(_open_file(source, stack), source_name(source))
        with closing(decoder) as it:
            seconds = it.seconds if (it.seconds or 0.0) <= MAX_SECONDS else None
            return AudioInfo(it.sample_rate, it.channels, seconds, it.name)


# ------------------------------------------------------------------------------ the source


def source_name(source: AudioSource) -> str:
    """Return the name of a source for messages.

    Returns:
        The path, the ``name`` of a file object, ``"<bytes>"`` or ``"<stream>"``.

    """
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stream>"


def _open_file(source: AudioSource, stack: ExitStack) -> io.FileIO:
    """Open a path; copy anything else to a temporary file, because decoders seek."""
    name = source_name(source)
    try:
        if isinstance(source, str | os.PathLike):
            file = _open_path(Path(source), stack)
        elif isinstance(source, bytes | bytearray | memoryview):
            file = _copied(io.BytesIO(source), stack)
        elif hasattr(source, "read"):
            if hasattr(source, "seekable") and source.seekable():
                source.seek(0)
            file = _copied(source, stack)
        else:
            raise TypeError(f"expected a path, bytes or a binary file, not {type(source).__name__}")
        size = file.seek(0, os.SEEK_END)
    except (OSError, EOFError) as error:
        raise AudioError(name, reason(error)) from error
    if size == 0:
        raise AudioError(name, "is empty")
    return file


def _open_path(path: Path, stack: ExitStack) -> io.FileIO:
    if path.is_dir():
        raise AudioError(str(path), "is a folder, not a recording")
    try:
        file = stack.enter_context(path.open("rb", buffering=0))
    except ValueError as error:  # a NUL byte, or text that no file name can hold
        raise AudioError(str(path), f"is not a valid file name ({error})") from error
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise AudioError(str(path), "is a device, not a recording")
    return file if stat.S_ISREG(mode) else _copied(file, stack)


def _copied(pipe: BinaryIO, stack: ExitStack) -> io.FileIO:
    copy: Any = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    while chunk := pipe.read(2**20):
        try:
            copy.write(chunk)
        except TypeError as error:
            hint = f"{source_name(pipe)} does not return bytes; open it in binary mode"
            raise TypeError(hint) from error
    copy.flush()
    file: io.FileIO = copy.raw
    return file


# ---------------------------------------------------------------------------------- arrays


def as_mono(y: ArrayLike, sample_rate: float) -> Float32:
    """Convert an array of samples to mono at full scale 1.0, as :func:`load_audio` does for files.

    Args:
        y: (n_samples,) or (n_samples, n_channels), floats of full scale 1.0 or integers of 8 to
            32 bits; zero is in the middle of the range of unsigned integers, as in
            WAV files.
        sample_rate: in Hz.

    Returns:
        (n_samples,) float32.

    Raises:
        AudioError: there are no samples, or a sample is not finite or more than 120 dB over full
            scale.
        TypeError: this type of number has no agreed full scale.
        ValueError: ``y`` or ``sample_rate`` has an invalid shape or range.

    """
    _require_rate(sample_rate)
    samples = np.asarray(y)
    require(
        samples.ndim in (1, 2), f"a waveform has one or two dimensions, not shape {samples.shape}"
    )
    if samples.size == 0:
        raise AudioError("<waveform>", "contains no audio samples")
    require(
        samples.ndim == 1 or samples.shape[1] <= MAX_CHANNELS,
        f"shape {samples.shape} means {samples.shape[-1]} channels; a waveform is "
        "(n_samples, n_channels): did you mean y.T?",
    )
    with np.errstate(over="ignore", invalid="ignore"):  # the result is checked below
        mono = _as_float(samples)
        if mono.ndim == 2:
            mono = np.concatenate(list(mixed([mono.T], round(sample_rate), len(mono))))
    index = first_invalid(mono)
    if index is not None:
        raise AudioError("<waveform>", f"contains the sample {mono[index]:g}; full scale is 1")
    return mono


def _require_rate(sample_rate: float) -> None:
    require(
        MIN_RATE <= sample_rate <= MAX_RATE,
        f"sample_rate={sample_rate} must be in {MIN_RATE}..{MAX_RATE} Hz",
    )


def _as_float(samples: NDArray[np.generic]) -> Float32:
    kind, bits = samples.dtype.kind, 8 * samples.dtype.itemsize
    if kind == "f":
        return samples.astype(np.float32)
    if kind not in "iu" or bits > 32:
        raise TypeError(
            f"samples of type {samples.dtype} have no known full scale; use floats of full scale "
            "1.0 or integers of 8, 16 or 32 bits"
        )
    full_scale = np.float32(2 ** (bits - 1))
    waveform = samples.astype(np.float32) / full_scale
    return waveform - np.float32(1) if kind == "u" else waveform


def resampled(mono: Float32, rate_in: float, rate_out: int) -> Float32:
    """Convert the sample rate of a waveform.

    Args:
        mono: (n_samples,) float32.
        rate_in: its rate, in Hz.
        rate_out: rate of the result, in Hz.

    Returns:
        (m,) float32 with at least one sample.

    Raises:
        AudioError: the waveform is so short that no sample is left.
        ValueError: ``rate_in`` is out of range.

    """
    _require_rate(rate_in)
    if rate_in == rate_out:
        return mono
    converted = np.asarray(soxr.resample(mono, rate_in, rate_out), dtype=np.float32)
    if converted.size == 0:
        raise AudioError("<waveform>", "contains no audio samples")
    return converted
