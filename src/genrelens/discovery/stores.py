"""Objects in stores such as S3 and Google Cloud Storage, through pyarrow.

Credentials come from the environment, as for the store's own tools (``AWS_ACCESS_KEY_ID``,
``AWS_PROFILE``, the role of the machine, ``GOOGLE_APPLICATION_CREDENTIALS``). Another endpoint
comes from ``AWS_ENDPOINT_URL``, or from the URI of the group:
``s3://bucket/music?endpoint_override=host:9000&scheme=http``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genrelens.discovery.locations import SCHEMES
from genrelens.errors import LibraryError, MissingExtraError
from genrelens.files import reason

__all__ = ["Store", "copy_object", "store_options", "use_store_options"]

_PARTS = re.compile(rf"(({'|'.join(SCHEMES)})://[^/?]+)(/.*?)?(\?\w+=[^/]*)?", re.DOTALL)

# Root of a store, such as s3://bucket -> the options of the URI by which it was opened. The URIs
# of its objects have no options, so that they are the same at every endpoint.
_options: dict[str, str] = {}


def store_options() -> dict[str, str]:
    """Return the options of the stores that were opened so far, for another process."""
    return dict(_options)


def use_store_options(options: Mapping[str, str]) -> None:
    """Open stores with the options that another process returned."""
    _options.update(options)


class Store:
    """The objects below a URI, or one object.

    Args:
        uri: the URI, with or without options (``?endpoint_override=...``).

    Attributes:
        uri: the URI without options.

    Raises:
        LibraryError: the URI or its options are not valid.
        MissingExtraError: pyarrow is not installed.

    Example::

        for uri, size, mtime_ns in Store("s3://bucket/music").objects():
            print(uri, size)

    """

    def __init__(self, uri: str) -> None:
        matched = _PARTS.fullmatch(uri)
        if matched is None:
            raise LibraryError("is not the URI of an object", path=uri)
        self._root, key = matched[1], (matched[3] or "").rstrip("/")
        self.uri = self._root + key
        if matched[4]:
            _options[self._root] = matched[4]
        with _errors_explained(self.uri):
            address = self._root + _options.get(self._root, "")
            self._files, self._prefix = _opened(address)
        self._path = self._prefix + key

    def objects(self) -> Iterator[tuple[str, int, int]]:
        """Yield the URI, the size in bytes and the time of modification in ns of each object.

        If the URI names one object, it is the only one. The groups of the first level are listed
        one after another, so memory does not grow with their number.

        Raises:
            LibraryError: the objects cannot be listed, or there is none.

        """
        from pyarrow import fs

        with _errors_explained(self.uri):
            [own] = self._files.get_file_info([self._path])
            if own.type == fs.FileType.NotFound:
                raise LibraryError("there is no such object", path=self.uri)
            yield from self._listed([own], recursive=False)

    def _listed(self, infos: Any, *, recursive: bool) -> Iterator[tuple[str, int, int]]:
        from pyarrow import fs

        for info in sorted(infos, key=lambda info: info.path):
            if info.type == fs.FileType.File:
                yield self._uri(info.path), info.size, info.mtime_ns
            elif not recursive:
                below = fs.FileSelector(info.path, recursive=info.path != self._path)
                yield from self._listed(
                    self._files.get_file_info(below), recursive=info.path != self._path
                )

    def object(self) -> tuple[str, int, int]:
        """Return the one object that the URI names, as :meth:`objects` does.

        Raises:
            LibraryError: there is no such object.

        """
        from pyarrow import fs

        with _errors_explained(self.uri):
            [info] = self._files.get_file_info([self._path])
        if info.type != fs.FileType.File:
            raise LibraryError("there is no such object", path=self.uri)
        return self.uri, info.size, info.mtime_ns

    def _uri(self, path: str) -> str:
        return self._root + path.removeprefix(self._prefix)

    def read(self, name: str = "") -> Iterator[bytes]:
        """Yield the content of the object, or of one below it, in pieces.

        Raises:
            LibraryError: the object cannot be read.

        """
        with (
            _errors_explained(self.uri),
            self._files.open_input_stream(self._below(name)) as stream,
        ):
            while content := stream.read(_PIECE):
                yield content

    def open(self, name: str) -> Any:
        """Open an object below the URI as a file that can be sought."""
        with _errors_explained(self.uri):
            return self._files.open_input_file(self._below(name))

    def write(self, name: str, content: bytes) -> None:
        """Write an object below the URI; it appears when it is complete.

        Raises:
            LibraryError: the object cannot be written.

        """
        with _errors_explained(self.uri):
            stream = self._files.open_output_stream(self._below(name))
            stream.write(content)
            stream.close()  # not if the write failed: that would complete the object

    def delete(self, name: str) -> None:
        """Delete an object below the URI."""
        with _errors_explained(self.uri):
            self._files.delete_file(self._below(name))

    def names(self) -> list[str]:
        """Return the names of the objects directly below the URI; none if there is no such group.

        Raises:
            LibraryError: they cannot be listed.

        """
        return list(self.details())

    def details(
        self, wanted: Callable[[str], bool] = lambda name: True
    ) -> dict[str, tuple[int, int]]:
        """Return size and time of modification in ns of the objects directly below the URI.

        Args:
            wanted: whether to return the object with a name.

        Returns:
            Name -> size and time, sorted by name.

        Raises:
            LibraryError: the objects cannot be listed.

        """
        from pyarrow import fs

        with _errors_explained(self.uri):
            below = fs.FileSelector(self._path, allow_not_found=True)
            infos = self._files.get_file_info(below)
        files = [each for each in infos if each.type == fs.FileType.File and wanted(each.base_name)]
        return {each.base_name: (each.size, each.mtime_ns) for each in sorted(files, key=_name)}

    def _below(self, name: str) -> str:
        return f"{self._path}/{name}" if name else self._path


def _name(info: Any) -> str:
    return str(info.base_name)


@functools.cache
def _opened(address: str) -> tuple[Any, str]:
    """Return the file system of a store and the prefix of its paths."""
    try:
        from pyarrow import fs
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet") from error
    files, prefix = fs.FileSystem.from_uri(address)
    return files, prefix


def copy_object(uri: str, path: Path, size: int) -> None:
    """Write the content of an object to a file.

    Args:
        uri: the object.
        path: the file to write.
        size: size of the object when it was found, in bytes.

    Raises:
        LibraryError: the object cannot be read or has another size, or the file cannot be written.

    """
    n_bytes = 0
    try:
        with path.open("wb") as file:
            for piece in Store(uri).read():
                n_bytes += file.write(piece)
                if n_bytes > size:
                    break
    except OSError as error:
        raise LibraryError(f"cannot be copied to a file ({reason(error)})", path=uri) from error
    if n_bytes != size:
        raise LibraryError("changed during the scan", path=uri)


_PIECE = 2**20  # bytes


@contextmanager
def _errors_explained(uri: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, NotImplementedError) as error:  # pyarrow's errors derive from them
        raise LibraryError(" ".join(reason(error).split()), path=uri) from error
