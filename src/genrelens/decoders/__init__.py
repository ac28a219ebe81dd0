"""Two decoders with one face: libsndfile (soundfile) and FFmpeg (PyAV).

Each opens a file and yields blocks of mono float32 at the file's own rate: the mean of the
channels. libsndfile comes first because it reads MP3 about twice as fast; FFmpeg reads what it
cannot, and takes over where it breaks off.
"""

from genrelens.decoders.base import DecodeError, Decoder
from genrelens.decoders.ffmpeg import FFmpegDecoder
from genrelens.decoders.libsndfile import SoundFileDecoder
from genrelens.decoders.limits import end_of_id3

__all__ = ["DecodeError", "Decoder", "FFmpegDecoder", "SoundFileDecoder", "end_of_id3"]
