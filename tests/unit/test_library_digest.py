"""The digest of the audio: it depends on the encoded audio and not on tags or container."""

from __future__ import annotations

import base64
import io
import os
import struct
from pathlib import Path
from typing import Any

import mutagen
import mutagen.apev2
import mutagen.asf
import mutagen.flac
import mutagen.id3
import mutagen.mp4
import numpy as np
import pytest

from genrelens.errors import AudioError
from genrelens.library.digest import audio_digest
from support import synth, tagged

SIZES = (0, 70_001, 1_000_000, 11)  # of a picture: the tags grow, move the audio, and shrink


def made(folder: Path, content: bytes, name: str = "song") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def tag(path: Path, n_bytes: int) -> None:
    """Replace the tags of a file by two genres and a picture of some size."""
    file: Any = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    picture = os.urandom(n_bytes)
    match file.tags:
        case mutagen.id3.ID3():
            genres = mutagen.id3.TCON(encoding=3, text=["Rock", "Jazz"])
            cover = mutagen.id3.APIC(encoding=3, mime="image/png", type=3, data=picture)
            file.tags.setall("TCON", [genres])
            file.tags.setall("APIC", [cover])
        case mutagen.mp4.MP4Tags():
            file.tags["\xa9gen"], file.tags["covr"] = ["Rock", "Jazz"], [bytes(picture)]
        case mutagen.asf.ASFTags():
            file.tags["WM/Genre"] = ["Rock", "Jazz"]
            file.tags["WM/Picture"] = [mutagen.asf.ASFByteArrayAttribute(picture)]
        case mutagen.apev2.APEv2():
            cover = mutagen.apev2.APEValue(b"a.png\0" + picture, mutagen.apev2.BINARY)
            file.tags["Genre"], file.tags["Cover Art (Front)"] = ["Rock", "Jazz"], cover
        case _:
            file.tags["genre"] = ["Rock", "Jazz"]
            file.tags["metadata_block_picture"] = [base64.b64encode(picture).decode()]
    file.save()


@pytest.mark.parametrize("kind", [kind for kind in tagged.FORMATS if kind != "aac"])
def test_the_digest_does_not_depend_on_tags(kind: str, tmp_path: Path) -> None:
    path = made(tmp_path, tagged.recording(kind), f"song.{kind}")  # mutagen needs it for TTA
    digest, sizes = audio_digest(path), {path.stat().st_size}
    assert len(bytes.fromhex(digest)) == 20
    for n_bytes in SIZES:
        tag(path, n_bytes)
        sizes.add(path.stat().st_size)
        assert audio_digest(path) == digest
    mutagen.File(path).delete()
    assert audio_digest(path) == digest
    assert len(sizes) > 2  # so the tags were written


@pytest.mark.parametrize("kind", tagged.FORMATS)
def test_the_digest_depends_on_every_byte_of_the_audio(kind: str, tmp_path: Path) -> None:
    content = bytearray(tagged.recording(kind))
    digest = audio_digest(made(tmp_path, content))
    content[len(content) * 3 // 5] ^= 1
    assert audio_digest(made(tmp_path, content)) != digest


@pytest.mark.parametrize("cut", [0, 100])
def test_tags_before_and_after_an_mp3(tmp_path: Path, cut: int) -> None:
    """Also if the last frame is cut off: the bytes of a tag must not complete it."""
    audio = tagged.recording("mp3-bare")
    audio = audio[: len(audio) - cut]
    digest = audio_digest(made(tmp_path, audio))
    ape, id3v1 = tagged.ape(Genre="Jazz", Artist="x" * 300), tagged.id3v1("A title", 8)
    words = b"LYRICSBEGININD0000200LYR00005hello"
    lyrics = words + b"%06d" % len(words) + b"LYRICS200"
    for before in (b"", synth.id3v2(synth.png()), 2 * synth.id3v2(b"")):
        for after in (b"", id3v1, ape, ape + id3v1, lyrics + id3v1, ape + lyrics + id3v1):
            assert audio_digest(made(tmp_path, before + audio + after)) == digest


def test_an_ape_tag_of_any_length(tmp_path: Path) -> None:
    """With one of these lengths, the TAG in APETAGEX is where an ID3v1 tag would begin."""
    audio = tagged.recording("mp3-bare")
    digest = audio_digest(made(tmp_path, audio))
    for n in range(30, 60):
        assert audio_digest(made(tmp_path, audio + tagged.ape(Genre="x" * n))) == digest


def test_id3_around_a_flac(tmp_path: Path) -> None:
    flac = tagged.recording("flac")
    tags = synth.id3v2(synth.png()), tagged.id3v1("A title", 8)
    with_tags = audio_digest(made(tmp_path, tags[0] + flac + tags[1]))
    assert with_tags == audio_digest(made(tmp_path, flac))


def test_the_container_does_not_matter(tmp_path: Path) -> None:
    y = synth.music(1, 44_100)
    flac, matroska = (synth.encode(y, 44_100, "flac", kind) for kind in ("flac", "matroska"))
    assert flac != matroska
    assert audio_digest(made(tmp_path, flac)) == audio_digest(made(tmp_path, matroska))


def test_the_rate_and_the_channels_matter(tmp_path: Path) -> None:
    """The same bytes at another sample rate are other audio."""
    y = np.arange(-2000, 2000, dtype=np.int16)
    recordings = [(y, 8000), (y, 16_000), (y.reshape(-1, 2), 8000)]
    digests = {audio_digest(made(tmp_path, synth.write(*audio))) for audio in recordings}
    assert len(digests) == 3


def test_a_chunk_behind_the_samples_of_a_wav(tmp_path: Path) -> None:
    wav = synth.write(synth.music(1, 8000), 8000)
    longer = bytearray(wav + b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + bytes(18))
    struct.pack_into("<I", longer, 4, len(longer) - 8)
    assert audio_digest(made(tmp_path, longer)) == audio_digest(made(tmp_path, wav))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["mp3", "flac", "vorbis", "m4a", "wav"])
def test_a_truncated_file_has_another_digest(kind: str, share: float, tmp_path: Path) -> None:
    content = tagged.recording(kind)
    part = made(tmp_path, content[: round(share * len(content))])
    digest = audio_digest(part)
    assert digest == audio_digest(part)
    assert digest != audio_digest(made(tmp_path, content, "whole"))


def test_a_file_without_audio_is_hashed_whole(tmp_path: Path) -> None:
    one, same, other, empty = b"text" * 999, b"text" * 999, b"Text" + b"text" * 998, b""
    digests = [audio_digest(made(tmp_path, each)) for each in (one, same, other, empty)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


@pytest.mark.parametrize(
    "claim", [b"ID3\4\0\0\x7f\x7f\x7f\x7f", b"ID3\4\0\0\0\0\0\0", b"ID3\4\0\xff\x80\x80\x80\x80"]
)
def test_a_tag_that_claims_more_than_there_is(claim: bytes, tmp_path: Path) -> None:
    audio_digest(made(tmp_path, claim))
    trailer = struct.pack("<8sIIII8x", b"APETAGEX", 2000, 2**32 - 1, 1, 2**31)
    digest = audio_digest(made(tmp_path, claim + b"text" + trailer))
    assert digest != audio_digest(made(tmp_path, claim + b"TEXT" + trailer))


# --------------------------------------------------------------------------- errors


def assert_refused(path: Path, reason: str) -> None:
    with pytest.raises(AudioError, match=reason) as caught:
        audio_digest(path)
    assert caught.value.source == str(path)


def test_paths_that_are_not_files(tmp_path: Path) -> None:
    assert_refused(tmp_path, "is not a file")
    assert_refused(tmp_path / "gone.mp3", "No such file")
    assert_refused(Path("nul\0byte.wav"), "null byte")
    os.mkfifo(tmp_path / "pipe.mp3")
    assert_refused(tmp_path / "pipe.mp3", "is not a file")


def test_files_are_closed(tmp_path: Path) -> None:
    path = made(tmp_path, tagged.recording("mp3"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        audio_digest(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_part_of_a_file_reads_like_a_file(tmp_path: Path) -> None:
    """FFmpeg reads a file through it."""
    from genrelens.library.digest import _FilePart

    with made(tmp_path, b"0123456789").open("rb", buffering=0) as file:
        part = _FilePart(file, 2, 8)
        assert (part.seek(0), part.read(), part.read()) == (0, b"234567", b"")
        assert (part.seek(-2, io.SEEK_END), part.read(1), part.tell()) == (4, b"6", 5)
        assert (part.seek(-1, io.SEEK_CUR), part.read(9)) == (4, b"67")
        assert (part.seek(20), part.read()) == (20, b"")
        with pytest.raises(OSError, match="before the beginning"):
            part.seek(-1)
