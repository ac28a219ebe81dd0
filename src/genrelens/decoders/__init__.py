"""Decoding with libsndfile (soundfile) and FFmpeg (PyAV) behind one interface.

A :class:`Decoder` opens a file and yields blocks of mono float32 at the file's own rate;
:mod:`~genrelens.decoders.mono` mixes the channels. libsndfile is tried first because it decodes MP3
about twice as fast. FFmpeg decodes the formats that libsndfile does not support, and continues
where libsndfile stops (:class:`FileReader`).
"""

from genrelens.decoders.base import DecodeError, Decoder
from genrelens.decoders.ffmpeg import FFmpegDecoder
from genrelens.decoders.formats import AUDIO_SUFFIXES
from genrelens.decoders.libsndfile import SoundFileDecoder
from genrelens.decoders.reading import MAX_SECONDS, FileReader, open_decoder

__all__ = [
    "AUDIO_SUFFIXES",
    "MAX_SECONDS",
    "DecodeError",
    "Decoder",
    "FFmpegDecoder",
    "FileReader",
    "SoundFileDecoder",
    "open_decoder",
]
