"""ID3v2 tags converted to another version: every loss is detected."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from genrelens import TagError
from genrelens.tags import around, read_tags, wav, write_genres
from genrelens.tags.id3_convert import in_version
from genrelens.tags.id3_frames import Frame, RawID3, make_frame
from support import chunk_cases, stream_cases
from support.id3_cases import raw_frame, syncsafe
from support.stream_cases import FRAME

Frames = tuple[Frame, ...]

# What may be refused when a random tag is to become one of another version.
REFUSED = re.compile(
    r"its frame .* cannot be written in ID3v2\.[34].*|its frame TCON is encrypted"
    r"|has (data after its frames|an extended header) that ID3v2\.[34] cannot store"
    r"|has an ID3v2 tag after its audio, which ID3v2\.3 does not allow",
    re.DOTALL,
)


def tag(*frames: bytes, version: int) -> bytes:
    body = b"".join(frames) + bytes(50)
    return b"ID3" + bytes([version, 0, 0]) + syncsafe(len(body)) + body


def old_tag(version: int) -> bytes:
    def frame(name: bytes, data: bytes) -> bytes:
        return raw_frame(name, data, version)

    date = [frame(b"TDRC", b"\0001999-12-31")]
    if version == 3:
        date = [frame(b"TYER", b"\0001999"), frame(b"TDAT", b"\0003112")]
    return tag(
        frame(b"TIT2", b"\0Title\0"),
        frame(b"TPE1", b"\1" + "Größe\0zwei".encode("utf-16")),
        frame(b"COMM", b"\0eng\0first"),
        frame(b"COMM", b"\0eng\0first"),
        frame(b"APIC", b"\0image/png\0\3\0picture"),
        *date,
        frame(b"CHAP", b"c\0" + bytes(16) + frame(b"TIT2", b"\0Chapter")),
        frame(b"TCON", b"\0Rock"),
        version=version,
    )


def without(name: str) -> Callable[[Frames], Frames]:
    return lambda frames: tuple(each for each in frames if each.name != name)


def with_other(name: str, old: bytes, new: bytes) -> Callable[[Frames], Frames]:
    def change(each: Frame) -> Frame:
        content = each.content().replace(old, new)
        return make_frame(name, content, each.version) if each.name == name else each

    return lambda frames: tuple(map(change, frames))


LOSSES = {
    "a text": without("TIT2"),
    "one of two": lambda frames: (*frames[:2], *frames[3:]),
    "an order": lambda frames: (frames[1], frames[0], *frames[2:]),
    "a value": with_other("TPE1", "\0zwei".encode("utf-16-le"), b""),
    "a letter": with_other("COMM", b"first", b"First"),
    "bytes": with_other("APIC", b"picture", b"pict"),
    "a day": lambda frames: tuple(
        make_frame("TDRC", b"\0001999", 4) if each.name == "TDRC" else each
        for each in without("TDAT")(frames)
    ),
    "a chapter's name": with_other("CHAP", b"Chapter", b"chapter"),
}


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("in_chunk", [False, True])
def test_losses_of_a_conversion_are_detected(
    in_chunk: bool, loss: str, version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing(old: RawID3, to: int) -> RawID3:
        new = in_version(old, to)
        return new.with_frames(LOSSES[loss](new.frames))

    old = old_tag(7 - version)
    path = tmp_path / "song"
    body = b"WAVEid3 " + len(old).to_bytes(4, "little") + old + bytes(len(old) % 2)
    whole = b"RIFF" + len(body).to_bytes(4, "little") + body if in_chunk else old + FRAME * 6
    path.write_bytes(whole)
    write_genres(path, ["Disco"], id3_version=version)
    assert read_tags(path).genres == ("Disco",)
    path.write_bytes(whole)
    for module in (around, wav):
        monkeypatch.setattr(module, "in_version", losing)
    with pytest.raises(TagError, match="would be changed"):
        write_genres(path, ["Disco"], id3_version=version)


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("kind", [stream_cases, chunk_cases])
def test_lossless_conversions_are_not_refused(
    kind: ModuleType, version: int, tmp_path: Path
) -> None:
    path, reasons = tmp_path / "song", [""] * 400
    for seed in range(400):
        path.write_bytes(kind.cases(random.Random(seed))[1])
        try:
            write_genres(path, ["Disco"], id3_version=version)
        except TagError as error:
            reasons[seed] = error.reason
    assert reasons.count("") > 50
    assert [reason for reason in reasons if reason and not REFUSED.fullmatch(reason)] == []
