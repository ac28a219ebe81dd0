"""Paths on a disk, and URIs of objects in a store such as ``s3://bucket/music/song.mp3``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

__all__ = ["SCHEMES", "ObjectPath", "as_path", "is_uri"]

StrPath = str | os.PathLike[str]

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs")
"""Schemes of URIs that name objects, as :mod:`pyarrow.fs` has them."""

_URI = re.compile(f"({'|'.join(SCHEMES)})://[^/]")


def is_uri(path: StrPath) -> bool:
    """Return whether a path is the URI of an object, or of a group of objects.

    Example::

        >>> is_uri("s3://bucket/music"), is_uri("/music")
        (True, False)

    """
    return _URI.match(os.fspath(path)) is not None


class ObjectPath(type(Path())):  # type: ignore[misc]  # the class for this platform
    """The URI of an object with the interface of a path: its text is the URI, unchanged.

    Its name, suffix and parents are those of the key. It cannot be opened as a file.

    Args:
        uri: the URI.

    Example::

        >>> path = ObjectPath("s3://bucket/a//song.mp3")
        >>> str(path), path.name
        ('s3://bucket/a//song.mp3', 'song.mp3')

    """

    def __new__(cls, uri: StrPath) -> ObjectPath:  # noqa: D102 (see the class)
        path: ObjectPath = super().__new__(cls, uri)
        path.__dict__["uri"] = os.fspath(uri)
        return path

    def __str__(self) -> str:
        return str(self.__dict__.get("uri") or super().__str__())

    def __fspath__(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return ObjectPath, (str(self),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def as_uri(self) -> str:
        """Return the URI."""
        return str(self)

    def with_segments(self, *parts: StrPath) -> Path:
        """Return a path that is derived from this one, such as a parent."""
        return Path(*parts)


def as_path(path: StrPath) -> Path:
    """Return a path, or the URI of an object with the interface of a path."""
    return ObjectPath(path) if is_uri(path) else Path(path)
