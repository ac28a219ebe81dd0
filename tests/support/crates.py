"""A crate of Serato by hand, and a reader that shares no code with the program."""

from __future__ import annotations

import struct
from typing import Any

# By hand, after the public description: a name of four letters, a length, the content.
ONE_TRACK = bytes.fromhex(
    "7672736e 00000038"  # vrsn, 56 bytes
    "0031002e0030002f00530065007200610074006f"  # 1.0/Serato
    "0020005300630072006100740063006800"  # " Scratch"
    "4c006900760065002000430072006100740065"  # Live Crate
    "6f737274 00000019"  # osrt
    "7476636e 00000008 0073006f006e0067"  # tvcn: song
    "62726576 00000001 00"  # brev
    "6f766374 0000001a 7476636e 00000008 0073006f006e0067 74766377 00000002 0030"
    "6f766374 0000001e 7476636e 0000000c 006100720074006900730074 74766377 00000002 0030"
    "6f766374 0000001c 7476636e 0000000a 00670065006e00720065 74766377 00000002 0030"
    "6f766374 00000020 7476636e 0000000e 0063006f006d006d0065006e0074 74766377 00000002 0030"
    "6f766374 0000001e 7476636e 0000000c 006c0065006e006700740068 74766377 00000002 0030"
    "6f74726b 00000018 7074726b 00000010 006d002f00fc" + "002ed83cdfb5002e006f"  # m/ü.🎵.o
)

_NESTED = (b"osrt", b"ovct", b"otrk")


def read_crate(content: bytes) -> list[tuple[str, Any]]:
    """Return (name, value) of the fields; the value of a nested field is a list."""
    fields: list[tuple[str, Any]] = []
    while content:
        name, length = struct.unpack_from(">4sI", content)
        body = struct.unpack_from(f">{length}s", content, 8)[0]
        if name in _NESTED:
            value: Any = read_crate(body)
        else:
            value = body if name == b"brev" else str(body, "utf-16-be")
        fields.append((name.decode("ascii"), value))
        content = content[8 + length :]
    return fields


def paths_in(content: bytes) -> list[str]:
    """Return the paths of the tracks."""
    tracks = [dict(value) for name, value in read_crate(content) if name == "otrk"]
    return [track["ptrk"] for track in tracks]
