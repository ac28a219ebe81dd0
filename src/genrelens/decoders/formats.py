"""The supported formats and the suffixes of their files.

FFmpeg opens no other formats. A search in a folder finds files with these suffixes. A file given by
its path may have any suffix. Formats without a suffix of their own are not supported:
``.raw`` needs a sample rate, ``.mat`` contains any data, SD2 needs a second file, OptimFROG
(``.ofr``) has no free decoder.
"""

from __future__ import annotations

__all__ = ["AUDIO_SUFFIXES", "FFMPEG_SUFFIXES", "LIBSNDFILE_SUFFIXES"]

FFMPEG_SUFFIXES = {
    "aac": ".aac",
    "ac3": ".ac3",
    "aiff": ".aif .aifc .aiff",
    "amr": ".amr .awb",
    "ape": ".ape",
    "asf": ".asf .wma .wmv",
    "au": ".au .snd",
    "avi": ".avi .divx",
    "caf": ".caf",
    "dsf": ".dsf",
    "dts": ".dts",
    "dtshd": ".dtshd",
    "eac3": ".ec3 .eac3",
    "flac": ".fla .flac",
    "flv": ".flv",
    "iff": ".dff",
    "matroska": ".mk3d .mka .mkv",
    "mlp": ".mlp",
    "mov": ".f4a .f4b .f4v .m4a .m4b .m4r .m4v .mov .mp4 .qt",
    "mp4": "",
    "m4a": "",
    "3gp": ".3gp .3gpp",
    "3g2": ".3g2",
    "mj2": ".mj2",
    "mp3": ".m1a .m2a .mp1 .mp2 .mp3 .mpa .mpga",
    "mpc": ".mp+ .mpc .mpp",
    "mpc8": "",
    "mpeg": ".mpe .mpeg .mpg .vob",
    "mpegts": ".m2t .m2ts .mts .ts",
    "ogg": ".oga .ogg .ogv .ogx .opus .spx",
    "rm": ".ra .rm .rmvb",
    "tak": ".tak",
    "truehd": ".thd",
    "tta": ".tta",
    "voc": ".voc",
    "w64": ".w64",
    "wav": ".bw64 .bwf .rf64 .wav .wave",
    "webm": ".weba .webm",
    "wv": ".wv",
    "xwma": ".xwma",
}
"""Suffixes by FFmpeg's name of the format.

FFmpeg also supports playlists, which refer to other files and addresses, terminal captures, image
sequences and devices. None of these is opened.
"""

LIBSNDFILE_SUFFIXES = {
    "AVR": ".avr",
    "HTK": ".htk",
    "IRCAM": ".ircam .sf",
    "MPC2K": ".snd",
    "NIST": ".nist .sph",
    "PAF": ".fap .paf",
    "PVF": ".pvf",
    "SDS": ".sds",
    "SVX": ".8svx .iff .svx",
    "WVE": ".wve",
    "XI": ".xi",
}
"""Suffixes by libsndfile's name of the format, for formats that only libsndfile decodes."""

AUDIO_SUFFIXES = frozenset(
    " ".join((*FFMPEG_SUFFIXES.values(), *LIBSNDFILE_SUFFIXES.values())).split()
)
"""Suffixes of audio files and of videos with sound, all lower case with a leading dot."""
