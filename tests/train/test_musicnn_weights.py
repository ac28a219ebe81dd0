"""The reader of TensorFlow's checkpoints, on files that a small writer makes."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genrelens.errors import DataError

NETWORK = "MSD_musicnn"

TENSORS: dict[str, NDArray[np.float32]] = {
    "dense/bias": np.arange(3, dtype=np.float32),
    "dense/kernel": np.linspace(-1, 1, 600, dtype=np.float32).reshape(200, 3),
    "dense/kernel/Adam": np.full((200, 3), 7, np.float32),
    "dense/kernel/Adam_1": np.full((200, 3), 8, np.float32),
    "dense_1/bias": np.array([0.25], np.float32),
    "norm/gamma": np.array([[[1], [-2]]], np.float32),
    "scale": np.array(1.5, np.float32),
}
KEPT = ("dense/bias", "dense/kernel", "dense_1/bias", "norm/gamma", "scale")

# --------------------------------------------------------------------------- the writer


def varint(number: int) -> bytes:
    low = bytearray()
    while number > 0x7F:
        low.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*low, number])


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer: a number, or a message or string."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(shape: Sequence[int], offset: int, size: int) -> bytes:
    """A BundleEntryProto: zeros are not stored, the checksum has four bytes."""
    dimensions = b"".join(field(2, field(1, length)) for length in shape)
    place = field(4, offset) if offset else b""
    checksum = varint(6 << 3 | 5) + b"\xff\x80\x00\x07"
    return field(1, 1) + field(2, dimensions) + place + field(5, size) + checksum


def block(entries: Mapping[bytes, bytes], restart_every: int) -> bytes:
    """A block of a table: keys share prefixes, except after a restart."""
    content, restarts, before = b"", [], b""
    for number, (key, value) in enumerate(entries.items()):
        shared = next(
            (n for n in range(len(before)) if key[: n + 1] != before[: n + 1]), len(before)
        )
        if number % restart_every == 0:
            restarts.append(len(content))
            shared = 0
        content += varint(shared) + varint(len(key) - shared) + varint(len(value))
        content += key[shared:] + value
        before = key
    return content + b"".join(n.to_bytes(4, "little") for n in (*restarts, len(restarts)))


def table(entries: Mapping[bytes, bytes], per_block: int, restart_every: int) -> bytes:
    """A table: its blocks, their index, and a footer with the offset of the index."""
    content = b""

    def append(part: bytes) -> bytes:
        nonlocal content
        handle = varint(len(content)) + varint(len(part))
        content += part + b"\x00" + b"sums"  # not compressed; the checksum
        return handle

    index, ordered = {}, sorted(entries.items())
    for start in range(0, len(ordered), per_block):
        run = ordered[start : start + per_block]
        index[run[-1][0]] = append(block(dict(run), restart_every))
    handles = append(block({}, 1)) + append(block(index, 1))
    return content + handles.ljust(40, b"\x00") + bytes.fromhex("57fb808b247547db")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a wheel with ``TENSORS`` and accept its SHA-256."""
    from genrelens.train.lens import musicnn_weights as checkpoint
    from genrelens.train.lens.musicnn_weights import MUSICNN_WHEEL

    def write(per_block: int = 100, restart_every: int = 16) -> Path:
        entries, data = {b"": field(1, 1)}, b""  # the header has no name
        for name, values in TENSORS.items():
            entries[name.encode()] = entry(values.shape, len(data), values.nbytes)
            data += values.tobytes()
        wheel = tmp_path / MUSICNN_WHEEL
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"musicnn/{NETWORK}/.index", table(entries, per_block, restart_every))
            archive.writestr(f"musicnn/{NETWORK}/.data-00000-of-00001", data)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        monkeypatch.setattr(checkpoint, "MUSICNN_WHEEL_SHA256", digest)
        return wheel

    return write


# ---------------------------------------------------------------------------- the reader


@pytest.mark.parametrize("per_block", [1, 3, 100], ids=lambda n: f"{n} per block")
@pytest.mark.parametrize("restart_every", [1, 2, 16], ids=lambda n: f"restart after {n}")
def test_weights_are_read_without_the_state_of_the_optimiser(
    per_block: int, restart_every: int, write: Callable[..., Path]
) -> None:
    from genrelens.train.lens.musicnn_weights import read_musicnn

    found = read_musicnn(write(per_block, restart_every), NETWORK)
    assert tuple(found) == KEPT
    for name, values in found.items():
        assert values.dtype == np.float32
        assert values.shape == TENSORS[name].shape
        np.testing.assert_array_equal(values, TENSORS[name])


def test_the_written_tables_share_prefixes() -> None:
    """Otherwise the tests above would not cover shared prefixes."""
    one = block({b"dense/bias": b"", b"dense/kernel": b""}, 16)
    assert one.count(b"dense/") == 1
    assert b"kernel" in one


def test_another_wheel_is_refused(write: Callable[..., Path]) -> None:
    from genrelens.train.lens.musicnn_weights import MUSICNN_WHEEL, read_musicnn

    wheel = write()
    with wheel.open("ab") as file:
        file.write(b"\x00")
    with pytest.raises(DataError, match=rf"{MUSICNN_WHEEL}: is not .* \(its SHA-256 differs\)"):
        read_musicnn(wheel, NETWORK)


def test_missing_wheel_is_named(tmp_path: Path) -> None:
    from genrelens.train.lens.musicnn_weights import read_musicnn

    with pytest.raises(DataError, match=r"absent\.whl: No such file"):
        read_musicnn(tmp_path / "absent.whl", NETWORK)
