"""libsndfile: WAV, AU, FLAC, AIFF, OGG (Vorbis, Opus), MP3 and more."""

from __future__ import annotations

import functools
import os
import re
import struct
from collections.abc import Iterator
from io import FileIO

from genrelens.decoders.base import DecodeError, Decoder, Float32, in_words, mean_of, nameless
from genrelens.decoders.limits import check_id3_frames

__all__ = ["SoundFileDecoder"]

_MAX_FRAMES = 2**48  # libsndfile says "unknown" with a larger number


class SoundFileDecoder(Decoder):
    """WAV, AU, FLAC, AIFF, OGG (Vorbis, Opus), MP3 and more, through libsndfile."""

    name = "libsndfile"

    def __init__(self, file: FileIO) -> None:
        import soundfile

        self._error = soundfile.SoundFileError
        check_id3_frames(file)
        file.seek(0)
        # Through a descriptor, since calls from C into Python would swallow Ctrl-C and take it
        # for the end of the file. On Windows, a descriptor belongs to one C library.
        source = file.fileno() if os.name == "posix" else nameless(file)
        try:
            self._file = soundfile.SoundFile(source, closefd=False)
        except self._error as error:
            raise DecodeError(in_words(error)) from error
        self.sample_rate = self._file.samplerate
        self.channels = self._file.channels
        try:
            self._check_claims()
            self._check_length(file)
        except DecodeError:
            self.close()
            raise
        self.seconds = self._file.frames / self.sample_rate

    def _check_length(self, file: FileIO) -> None:
        """Refuse an unknown length: libsndfile guesses it and reads no further than the guess."""
        if self._file.frames > _MAX_FRAMES:
            raise DecodeError("the header does not tell the length")
        if self._file.format == "MP3" and not _mp3_tells_length(file):
            raise DecodeError("an MP3 that tells no length, or not this file's")

    def blocks(self, offset: float, block_seconds: float) -> Iterator[Float32]:
        """See :meth:`Decoder.blocks`."""
        start = round(offset * self.sample_rate)
        size = self._block_size(block_seconds)
        try:
            self._file.seek(min(start, self._file.frames))
            while len(block := self._file.read(size, dtype="float32", always_2d=True)):
                yield mean_of(block.T)
        except self._error as error:
            self.failure = in_words(error)

    def close(self) -> None:
        """See :meth:`Decoder.close`."""
        self._file.close()


def _mp3_tells_length(file: FileIO) -> bool:
    """Tell whether the first frame counts the frames and the bytes, and the bytes are right.

    Source: the Xing VBR header, which LAME writes (as ``Info``) into files of constant rate too.
    """
    position = file.tell()
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    tag = file.read(10)
    if tag.startswith(b"ID3") and len(tag) == 10:
        n_bytes -= file.seek(10 + functools.reduce(lambda n, byte: n << 7 | byte & 127, tag[6:], 0))
    else:
        file.seek(0)
    frame = file.read(2048)
    file.seek(position)
    found = re.search(rb"(?:Xing|Info)(.{12})", frame, re.DOTALL)
    if not found:
        return False
    flags, _, claimed = struct.unpack(">III", found[1])
    return bool(flags & 3 == 3 and abs(claimed - n_bytes) <= 4096 + 0.01 * n_bytes)
