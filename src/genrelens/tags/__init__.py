"""Genres in one file's tags. The only package that imports mutagen.

The format is found in the content of a file, not in its name. What is read and written:

==================================  ===========================================================
MP3, AAC (ADTS), TTA                ID3v2 at the front or the end; APEv2 where only that names
                                    the recording
WAV, AIFF, DSF                      ID3v2 in a chunk; ``IGNR`` of a WAV's ``INFO`` list where that
                                    has one, or where there is no ID3v2
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

ID3v2, APEv2 and ID3v1 tags that stand around the sound besides these are read, too, and a genre in
one of them is the same as in the others after a write.

An ID3v2 tag keeps its version unless another is asked for. Its genre frame holds one value for each
genre; before version 2.4, which knows no several values, they are joined by ``/``.

Only the genre changes. All else in the tags (frames, items, comments, atoms, attributes, chunks)
keeps its bytes and its place, whether it is valid or not; where that is impossible the write is
refused with a reason that names it.
"""

from genrelens.tags.read_write import Tags, read_tags, write_genres

__all__ = ["Tags", "read_tags", "write_genres"]
