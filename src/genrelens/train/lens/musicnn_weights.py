"""The weights of ``musicnn`` 0.1.0, read from its wheel without TensorFlow.

The wheel (Pons & Serra, "musicnn: pre-trained convolutional neural networks for music audio
tagging", 2019; ISC licence) contains its networks as TensorFlow checkpoints of the second format:
an index, which is a sorted table as in LevelDB with a protocol buffer for each tensor, and a file
with the tensors one after the other. This module supports only the parts of both formats that these
checkpoints use.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import DataError
from genrelens.files import sha256

__all__ = ["MUSICNN_WHEEL", "MUSICNN_WHEEL_SHA256", "read_musicnn"]

MUSICNN_WHEEL = "musicnn-0.1.0-py3-none-any.whl"
MUSICNN_WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"

_FOOTER_BYTES = 48
_TRAILER_BYTES = 4  # size of the number of restart points at the end of a block
_UNCOMPRESSED = 0
_VARINT, _BYTES, _FIXED32 = 0, 2, 5  # wire types of protocol buffers
_SHAPE, _OFFSET, _SIZE = 2, 4, 5  # fields of TensorFlow's BundleEntryProto
_DIMENSION, _LENGTH = 2, 1  # fields of TensorShapeProto and of its dimensions

Float32 = NDArray[np.float32]
Fields = dict[int, list[int | bytes]]


def read_musicnn(wheel: Path, network: str) -> dict[str, Float32]:
    """Return the weights of a network in the wheel.

    Args:
        wheel: the file ``MUSICNN_WHEEL`` from the Python package index.
        network: name of a network in the wheel, for instance ``"MSD_musicnn"``.

    Returns:
        The weights by their names in TensorFlow, float32, without the state of the optimiser.

    Raises:
        DataError: the file is missing or its content is not as published.

    """
    if sha256(wheel) != MUSICNN_WHEEL_SHA256:
        raise DataError(f"is not {MUSICNN_WHEEL} as published (its SHA-256 differs)", path=wheel)
    with zipfile.ZipFile(wheel) as archive:
        index = archive.read(f"musicnn/{network}/.index")
        data = archive.read(f"musicnn/{network}/.data-00000-of-00001")
    tensors = {}
    for key, entry in _entries(index):
        name = key.decode()
        if name and "Adam" not in name and not name.endswith("_power"):
            tensors[name] = _tensor(_fields(entry), data)
    return tensors


def _tensor(entry: Fields, data: bytes) -> Float32:
    offset, size = (_number(entry, field) for field in (_OFFSET, _SIZE))
    dimensions = _fields(_content(entry, _SHAPE)).get(_DIMENSION, [])
    shape = [_number(_fields(each), _LENGTH) for each in dimensions if isinstance(each, bytes)]
    values = np.frombuffer(data, np.float32, size // 4, offset)
    assert values.size == math.prod(shape)
    return values.reshape(shape)


# ---------------------------------------------------------------------- the sorted table


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a table, in order."""
    footer = table[-_FOOTER_BYTES:]
    _, position = _block_handle(footer, 0)  # skip the meta index, which is empty
    index, _ = _block_handle(footer, position)
    for _, handle in _block(table, *index):
        block, _ = _block_handle(handle, 0)
        yield from _block(table, *block)


def _block_handle(content: bytes, position: int) -> tuple[tuple[int, int], int]:
    """Return offset and size of a block, and the position after them."""
    offset, position = _varint(content, position)
    size, position = _varint(content, position)
    return (offset, size), position


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block; a key is stored as its difference from the last."""
    assert table[offset + size] == _UNCOMPRESSED
    content = table[offset : offset + size]
    restarts = int.from_bytes(content[-_TRAILER_BYTES:], "little")
    end = size - _TRAILER_BYTES * (restarts + 1)
    position, key = 0, b""
    while position < end:
        shared, position = _varint(content, position)
        fresh, position = _varint(content, position)
        length, position = _varint(content, position)
        key = key[:shared] + content[position : position + fresh]
        position += fresh
        yield key, content[position : position + length]
        position += length


# --------------------------------------------------------------------- protocol buffers


def _fields(message: bytes) -> Fields:
    """Return the fields of a message by number."""
    found: Fields = {}
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        value: int | bytes
        if tag & 7 == _VARINT:
            value, position = _varint(message, position)
        elif tag & 7 == _BYTES:
            length, position = _varint(message, position)
            value = message[position : position + length]
            position += length
        else:
            assert tag & 7 == _FIXED32
            value = message[position : position + 4]
            position += 4
        found.setdefault(tag >> 3, []).append(value)
    return found


def _number(fields: Fields, number: int) -> int:
    value = fields.get(number, [0])[0]  # zeros are not stored
    assert isinstance(value, int)
    return value


def _content(fields: Fields, number: int) -> bytes:
    value = fields.get(number, [b""])[0]
    assert isinstance(value, bytes)
    return value


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """Return a number stored as seven bits per byte, lowest first, and the position after it."""
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
