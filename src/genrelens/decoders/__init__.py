"""Two decoders with one face: libsndfile (soundfile) and FFmpeg (PyAV).

Each opens a file and yields blocks of mono float32 at the file's own rate; ``mono`` mixes the
channels. libsndfile comes first because it reads MP3 about twice as fast; FFmpeg reads what it
cannot, and takes over where it breaks off.
"""

from genrelens.decoders.base import DecodeError, Decoder, disagree
from genrelens.decoders.complete import cut_off, lacks_index
from genrelens.decoders.ffmpeg import FFmpegDecoder
from genrelens.decoders.formats import AUDIO_SUFFIXES
from genrelens.decoders.libsndfile import SoundFileDecoder

__all__ = [
    "AUDIO_SUFFIXES",
    "DecodeError",
    "Decoder",
    "FFmpegDecoder",
    "SoundFileDecoder",
    "cut_off",
    "disagree",
    "lacks_index",
]
