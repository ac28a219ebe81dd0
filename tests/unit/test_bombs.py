"""Files made to be slow are read in linear time, or refused, scaled down and counted."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from genrelens.audio import probe
from genrelens.decoders import DecodeError, FFmpegDecoder, SoundFileDecoder, limits
from genrelens.errors import AudioError
from genrelens.library import audio_digest
from genrelens.library import digest as content
from support import bombs, tagged
from support.bombs import streams

pytestmark = pytest.mark.slow  # megabytes of hostile tags

SMALL = 20_000  # bytes


class Counted(io.FileIO):
    """A file that counts reads and bytes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.n_reads = self.n_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(-1 if size is None else size)
        self.n_reads += 1
        self.n_bytes += len(found)
        return found


def cost(path: Path) -> tuple[int, int]:
    """How often and how much ``audio_digest`` reads of a file."""
    with Counted(path) as file:
        content._digest(file)
        return file.n_reads, file.n_bytes


@pytest.mark.parametrize("name", bombs.BOMBS)
def test_reading_is_linear(name: str, tmp_path: Path) -> None:
    """A file of twice the length takes at most twice as many reads and bytes, plus a constant."""
    sizes = (SMALL, 2 * SMALL, 4 * SMALL)
    paths = [bombs.write_bomb(name, tmp_path / f"{n}", n) for n in sizes]
    (reads, n_bytes), _, (more_reads, more_bytes) = map(cost, paths)
    assert more_reads <= 4 * reads + 1000
    assert more_bytes <= 4 * n_bytes + 2**20
    for path in paths:
        assert len(audio_digest(path)) == 40
        try:
            assert probe(path).sample_rate > 0
        except AudioError as error:
            assert str(error).startswith(f"{path}: is not audio")  # noqa: PT017


# ------------------------------------------------------------------------------ many tags


@pytest.mark.parametrize("name", ["id3 empty tags.mp3", "id3 tags of 20 bytes.mp3"])
def test_many_leading_tags_are_refused(name: str, tmp_path: Path) -> None:
    path = bombs.write_bomb(name, tmp_path / "x.mp3", 200_000)
    with Counted(path) as file, pytest.raises(DecodeError, match="more than 1000 ID3 tags"):
        limits.end_of_id3(file)
    assert file.n_reads == 1000
    for decoder in (FFmpegDecoder, SoundFileDecoder):
        with Counted(path) as file, pytest.raises(DecodeError, match="more than 1000 ID3 tags"):
            decoder(file)


@pytest.mark.parametrize(
    "name", ["id3v1 chain.mp3", "lyrics3 chain.mp3", "ape chain.mp3", "all tags in turn.mp3"]
)
def test_not_all_of_many_trailing_tags_are_counted(name: str, tmp_path: Path) -> None:
    path = bombs.write_bomb(name, tmp_path / "x.mp3", 400_000)
    with Counted(path) as file:
        content._audio_range(file)
    assert file.n_reads < 1100
    assert len(audio_digest(path)) == 40


def test_some_tags_are_accepted(tmp_path: Path) -> None:
    """The tags of ordinary files do not change the digest."""
    plain, tagged_often = tmp_path / "a.mp3", tmp_path / "b.mp3"
    recording = tagged.recording("mp3-bare")
    plain.write_bytes(recording)
    tags = b"LYRICSBEGIN000011LYRICS200" + b"TAG" + bytes(125)
    tagged_often.write_bytes(streams.id3(bytes(500)) * 20 + recording + tags * 20)
    assert audio_digest(plain) == audio_digest(tagged_often)


# ------------------------------------------------------------------------------ many frames


def mp3(tmp_path: Path, tag: bytes) -> Path:
    path = tmp_path / "x.mp3"
    path.write_bytes(tag + tagged.recording("mp3-bare"))
    return path


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(("n_frames", "is_bomb"), [(9_999, False), (10_001, True)])
def test_too_many_frames_do_not_reach_mpg123(
    tmp_path: Path, version: int, n_frames: int, is_bomb: bool
) -> None:
    """The time of mpg123 grows with the square of their number."""
    tag = streams.id3(b"".join(map(streams.txxx, range(n_frames))), version)
    path = mp3(tmp_path, tag * 3 if not is_bomb and n_frames < 3333 else tag)
    with path.open("rb", buffering=0) as file:
        if is_bomb:
            with pytest.raises(DecodeError, match="more than 10000 frames"):
                limits.check_id3_frames(file)
        else:
            limits.check_id3_frames(file)
    assert probe(path).decoder in ("FFmpeg", "libsndfile")


@pytest.mark.parametrize(
    "tags",
    [
        streams.id3(b"".join(map(streams.txxx, range(3_400)))) * 3,  # they are added
        streams.id3(bytes(200_000), 3, 0x80),  # escaped: taken for the worst
    ],
    ids=["several tags", "an escaped tag"],
)
def test_too_many_frames_in_other_forms_are_refused(tmp_path: Path, tags: bytes) -> None:
    with (
        mp3(tmp_path, tags).open("rb", buffering=0) as file,
        pytest.raises(DecodeError, match="more than 10000 frames"),
    ):
        limits.check_id3_frames(file)


def test_a_large_picture_is_accepted(tmp_path: Path) -> None:
    tag = streams.id3(streams.frame(b"APIC", b"\0image/png\0\3\0" + bytes(3_000_000)) + bytes(2000))
    path = mp3(tmp_path, tag)
    with Counted(path) as file:
        limits.check_id3_frames(file)
    assert file.n_reads < 10
    assert probe(path).sample_rate == tagged.RATE


# ------------------------------------------------------------------------- the bound on time


class Clock:
    """A second passes each time it is read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("flac comments.flac", "more than 10000 comments"),
        ("ogg comments.ogg", "more than 10000 comments"),
        ("opus comments.opus", "more than 10000 comments"),
        ("mkv tags.mka", "more than 10000 tags"),
        ("flac empty blocks.flac", "more than 10000 metadata blocks"),
    ],
)
def test_too_many_comments_do_not_reach_ffmpeg(name: str, reason: str, tmp_path: Path) -> None:
    path = bombs.write_bomb(name, tmp_path / "x", 400_000)
    with Counted(path) as file, pytest.raises(DecodeError, match=reason):
        FFmpegDecoder(file)
    assert file.n_reads < 10_050
    assert len(audio_digest(path)) == 40  # of the whole file


@pytest.mark.parametrize("name", ["flac comments.flac", "opus comments.opus"])
def test_some_comments_are_accepted(name: str, tmp_path: Path) -> None:
    path = bombs.write_bomb(name, tmp_path / "x", 50_000)
    with Counted(path) as file:
        FFmpegDecoder(file).close()


@pytest.mark.parametrize("name", ["riff distinct entries.wav", "caf strings.caf", "mp4 items.m4a"])
def test_a_header_that_takes_too_long_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bombs.write_bomb(name, tmp_path / "x", 3_000_000)
    monkeypatch.setattr(limits, "_SECONDS", 3.0)
    monkeypatch.setattr(limits.GuardedFile.__init__, "__defaults__", (0, Clock()))
    with Counted(path) as file, pytest.raises(DecodeError, match="more than 3 s to read"):
        FFmpegDecoder(file)
    assert file.n_reads < 20
    assert len(audio_digest(path)) == 40  # of the whole file


def test_there_is_no_time_limit_after_the_file_is_open(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / "x").write_bytes(bytes(1000))
    with (tmp_path / "x").open("rb", buffering=0) as file:
        guarded = limits.GuardedFile(file, 10, clock)
        assert (len(guarded.read(5)), guarded.tell(), guarded.seek(0, 2)) == (5, 5, 990)
        guarded.opened()
        clock.seconds = 1e9
        assert (guarded.seek(0), len(guarded.read(5)), guarded.seek(-1)) == (0, 5, -1)


def test_all_kinds_of_bombs_are_registered() -> None:
    assert len(bombs.BOMBS) >= 54
