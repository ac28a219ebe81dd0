"""Deltas: the old content of a file from the new one."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrelens import LibraryError
from genrelens.library.tagging.delta import apply_delta, file_hash, hash_of, make_delta


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    return folder / "old", folder / "new"


def checked_delta(pair: tuple[Path, Path], old: bytes, new: bytes) -> bytes:
    """Make a delta and check it."""
    for path, content in zip(pair, (old, new), strict=True):
        path.write_bytes(content)
    delta = make_delta(*pair)
    assert b"".join(apply_delta(delta, pair[1])) == old
    assert hash_of(apply_delta(delta, pair[1])) == file_hash(pair[0])
    return delta


@given(
    st.binary(max_size=40) | st.integers(0, 9000).map(bytes),
    st.lists(
        st.tuples(st.integers(0, 9000), st.integers(0, 900), st.binary(max_size=80)), max_size=4
    ),
)
def test_any_edit_can_be_reversed(
    pair: tuple[Path, Path], noise: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    old = random.Random(len(noise)).randbytes(3000) + noise
    new = bytearray(old)
    for offset, n, content in edits:
        new[offset : offset + n] = content
    checked_delta(pair, old, bytes(new))
    checked_delta(pair, bytes(new), old)


def test_files_without_common_bytes(pair: tuple[Path, Path]) -> None:
    for old, new in ((b"", b""), (b"", b"abc"), (b"abc", b""), (b"x" * 5000, b"y" * 5000)):
        checked_delta(pair, old, new)


def test_renumbered_pages_need_few_bytes(pair: tuple[Path, Path]) -> None:
    """As in an Ogg file: eight bytes of each 4 kB differ, and all are at other offsets."""
    audio = random.Random(0).randbytes(2**20)
    old, new = bytearray(audio), bytearray(audio)
    for offset in range(0, 2**20, 4096):
        new[offset + 18 : offset + 26] = bytes(b ^ 0xFF for b in old[offset + 18 : offset + 26])
    delta = checked_delta(pair, b"tags" + old, b"longer tags" * 40 + new)
    assert len(delta) < 256 * 24  # for each page: the eight bytes and an offset


def test_a_delta_with_large_parts(pair: tuple[Path, Path]) -> None:
    old = random.Random(1).randbytes(300_000) + bytes(3_000_000)
    checked_delta(pair, old, b"")
    checked_delta(pair, old, old[:1000] + b"x" + old[1000:])


COPY = struct.Struct("<QQQ")


@pytest.mark.parametrize(
    "content",
    [
        b"",  # is replaced by bytes that are not compressed
        zlib.compress(b"x" * 999)[:-5],
        zlib.compress(bytes(23)),
        zlib.compress(COPY.pack(0, 0, 5) + b"four"),
        zlib.compress(COPY.pack(0, 11, 0)),  # the file has 10 bytes
        zlib.compress(COPY.pack(2**63, 0, 0)),
        zlib.compress(COPY.pack(0, 2**63, 0)),  # would take 4 million years
        zlib.compress(COPY.pack(0, 0, 2**63)),
    ],
)
def test_a_damaged_delta_is_an_error(pair: tuple[Path, Path], content: bytes) -> None:
    pair[1].write_bytes(b"ten bytes.")
    with pytest.raises(LibraryError, match=r"damaged .*; restore the journal from a backup"):
        list(apply_delta(content or b"nonsense", pair[1]))
