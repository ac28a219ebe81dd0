"""Read and write the genres in the tags of a file.

Example::

    from genrelens.tags import read_tags, write_genres

    read_tags("song.mp3").genres        # ("Rock",)
    write_genres("copy.mp3", ["Jazz"])  # ("Jazz",)

The format is detected from the content of a file, not from its name. Supported formats:

==================================  ===========================================================
MP3, AAC (ADTS), TTA                ID3v2 at the start or the end; without ID3v2, an APEv2
                                    tag that has a title, artist, album or genre
WAV, AIFF, DSF                      ID3v2 in a chunk; ``IGNR`` in the ``INFO`` list of a WAV if
                                    the list has a genre or if there is no ID3v2
FLAC, Ogg (Vorbis, Opus, FLAC,      Vorbis comments, one for each genre
Speex)
MP4 (AAC, ALAC)                     ``©gen``, one value for each genre; ``gnre`` is replaced by it.
                                    In a list of keys, the key ``genre``; texts of QuickTime and
                                    3GPP if one contains a genre
ASF (WMA)                           ``WM/Genre``, one attribute for each genre; ``WM/GenreID`` is
                                    replaced by it
WavPack, Monkey's Audio, Musepack,  APEv2, one value for each genre
OptimFROG, TAK
==================================  ===========================================================

Additional ID3v2, APEv2 and ID3v1 tags before and after the audio are read too. If they contain a
genre, a write updates it as well.

An ID3v2 tag keeps its version unless another one is requested. Its genre frame contains one value
for each genre. Versions before 2.4 allow only one value, in which the genres are joined by ``/``.

Only the genre changes. Everything else in the tags (frames, items, comments, atoms, attributes,
chunks) keeps its bytes and its order, even if it is invalid. If this is impossible, the write is
refused and the error names the part.

This is the only package that imports mutagen.
"""

from genrelens.tags.read_write import Tags, read_tags, write_genres

__all__ = ["Tags", "read_tags", "write_genres"]
