"""Genres in one file's tags. The only package that imports mutagen.

The format is told by the content of a file, not by its ending. What is read and written:

==================================  ===========================================================
MP3, AAC (ADTS), TTA                ID3v2 at the front; APEv2 where only that is there. An ID3v1
                                    tag and an APEv2 genre beside it say the same afterwards.
WAV, AIFF, DSF                      ID3v2 in a chunk; ``IGNR`` of a WAV's list where it is there
FLAC, Ogg (Vorbis, Opus, FLAC,      Vorbis comments, one for each genre
Speex)
MP4 (AAC, ALAC)                     ``©gen``, one value for each genre; ``gnre`` is replaced by it.
                                    Where the tags stand in a list of keys, its key ``genre``;
                                    texts of QuickTime and 3GPP where one names a genre
ASF (WMA)                           ``WM/Genre``, one attribute for each genre; ``WM/GenreID`` is
                                    replaced by it
WavPack, Monkey's Audio, Musepack,  APEv2, one value for each genre
OptimFROG, TAK
==================================  ===========================================================

An ID3v2 tag keeps its version unless another is asked for (2.2 cannot be written and becomes 2.3).
Its ``TCON`` frame holds one value for each genre; in version 2.3, which knows no several values,
they are joined by ``/``. All else in the tags stays. Vorbis comments, MP4 atoms and ASF attributes
other than the genre stay as they are, byte for byte, whether or not they can be read.
"""

from genrelens.tags.read_write import Tags, read_tags, write_genres

__all__ = ["Tags", "read_tags", "write_genres"]
