"""The decoder for WAV, AU, FLAC, AIFF, Ogg (Vorbis, Opus), MP3 and more: libsndfile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO

from genrelens.decoders.base import (
    DecodeError,
    Decoder,
    Float32,
    check_claims,
    durations_differ,
    message_of,
    nameless,
)
from genrelens.decoders.complete import is_chained
from genrelens.decoders.flac import read_flac_header
from genrelens.decoders.headers import Header, read_header
from genrelens.decoders.limits import check_id3_frames
from genrelens.decoders.mono import mixed
from genrelens.decoders.mp3 import read_mp3_header

__all__ = ["SoundFileDecoder"]

_MAX_FRAMES = 2**48  # libsndfile reports an unknown length as a larger number


class SoundFileDecoder(Decoder):
    """Decodes WAV, AU, FLAC, AIFF, Ogg (Vorbis, Opus), MP3 and more with libsndfile."""

    name = "libsndfile"

    def __init__(self, file: FileIO) -> None:
        import soundfile

        self._error = soundfile.SoundFileError
        self._raw = file
        check_id3_frames(file)
        header = self._header(file)
        file.seek(0)
        # A descriptor, because Ctrl-C in a callback from C into Python would look like the end of
        # the file. On Windows, a descriptor is valid in one C library only.
        source = file.fileno() if os.name == "posix" else nameless(file)
        try:
            self._file = soundfile.SoundFile(source, closefd=False)
        except self._error as error:
            raise DecodeError(message_of(error)) from error
        self.sample_rate = self._file.samplerate
        self.channels = self._file.channels
        try:
            check_claims(self.sample_rate, self.channels)
            if self._file.frames > _MAX_FRAMES:
                raise DecodeError("the header does not state the length")
            if self._file.subtype.startswith("MPEG") and self._file.format != "MP3":
                raise DecodeError("MP3 in a container; libsndfile estimates its length")
            self.seconds = self._file.frames / self.sample_rate
            self.stated = header.seconds if header is not None else self._stated()
        except DecodeError:
            self.close()
            raise
        # libsndfile rejects Opus pages with early time stamps, which FFmpeg sometimes writes.
        self.is_strict = self._file.subtype == "OPUS"

    @staticmethod
    def _header(file: FileIO) -> Header | None:
        """Return the header; raise ``DecodeError`` for a file that needs FFmpeg."""
        header = read_header(file)
        if header is not None and header.patches:
            raise DecodeError(header.reason)
        file.seek(0)
        head = file.read(32)
        if is_chained(file):
            raise DecodeError("a chain of Ogg streams; libsndfile decodes only the first")
        if head.startswith(b"caff") and head.endswith(b"alac"):
            raise DecodeError("ALAC in CAF; libsndfile writes to standard output")
        return header

    def _stated(self) -> float | None:
        """Return the duration in seconds that the header of an MP3 or FLAC file states.

        Raises:
            DecodeError: the duration is wrong; libsndfile stops decoding at that time.

        """
        position = self._raw.tell()
        try:
            if self._file.format == "MP3":
                mp3 = read_mp3_header(self._raw)
                if mp3 is None or mp3.stated is None or mp3.seconds is None or not mp3.whole:
                    raise DecodeError("an MP3 whose header states no length or a wrong one")
                return mp3.stated
            if self._file.format == "FLAC" and (flac := read_flac_header(self._raw)):
                if flac.is_too_short:
                    raise DecodeError(
                        f"the header states {flac.stated:.1f} s, {flac.last:.1f} s were found"
                    )
                self.seconds = flac.seconds
                return flac.stated
            return None
        finally:
            self._raw.seek(position)

    def blocks(self, offset: float, block_seconds: float) -> Iterator[Float32]:
        """See :meth:`Decoder.blocks`."""
        size = self._block_size(block_seconds)
        least = 1 if self.channels == 1 else self._block_size(1.0)  # the mix needs whole seconds
        return mixed(self._channels(offset, max(size, least)), self.sample_rate, size)

    def _channels(self, offset: float, size: int) -> Iterator[Float32]:
        """Decode from ``offset`` seconds on; yield blocks (channels, n)."""
        start = round(offset * self.sample_rate)
        try:
            self._skip(min(start, self._file.frames))
            while len(block := self._file.read(size, dtype="float32", always_2d=True)):
                yield block.T
            self.has_more = self._has_unread_bytes()
        except self._error as error:
            self.failure = message_of(error)
        except ValueError:  # soundfile allocates memory for a negative number of samples
            self.failure = "a position beyond the end"

    def _skip(self, n_frames: int) -> None:
        """Seek to a frame after reading the first one.

        libsndfile crashes when it seeks in a Vorbis stream with a damaged setup header; a read
        detects the damage first. After a read, it seeks correctly only from the beginning. It
        cannot seek in GSM 6.10.
        """
        if n_frames == 0 or len(self._file.read(1, dtype="float32")) == 0:
            return
        if self._file.seekable():
            self._file.seek(0)
            self._file.seek(n_frames)
            return
        left = n_frames - 1
        while left and (n_read := len(self._file.read(min(left, 2**16), dtype="float32"))):
            left -= n_read

    def _has_unread_bytes(self) -> bool:
        """Return whether a large part of a compressed file was not read."""
        if self._file.format not in ("MP3", "FLAC", "OGG") or self.seconds is None:
            return False
        position = self._raw.tell()
        size = os.fstat(self._raw.fileno()).st_size
        return position > 0 and durations_differ(self.seconds, self.seconds * size / position)

    def close(self) -> None:
        """See :meth:`Decoder.close`."""
        self._file.close()
