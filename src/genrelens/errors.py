"""Every error that genrelens raises on purpose.

::

    GenrelensError
    ├── AudioError          a recording cannot be read
    ├── ModelError          a model file is missing, foreign, damaged or of another version
    ├── DataError           a folder of labelled clips, a split or a download is not usable
    ├── RecipeError         a training recipe has an unknown key or an impossible value
    ├── TagError            the tags of a file cannot be read or written
    ├── LibraryError        a catalogue, a plan, a policy or a journal is not usable
    └── MissingExtraError   an optional dependency is not installed

    AudioWarning            a recording is damaged, cut off, or its header states another length
    DataWarning             a data set can be used, but a result on it needs a caveat

Each of them can be pickled and copied with all its fields, so it can come from another process.

Wrong arguments from a programmer raise ``ValueError`` or ``TypeError`` as everywhere else.
"""

from __future__ import annotations

import os
from typing import Any


class GenrelensError(Exception):
    """Base of every error that genrelens raises on purpose.

    Args:
        reason: what is wrong, in a sentence.
        path: the file or folder it is wrong with, if it is one.

    Attributes:
        reason: what is wrong, without the path.
        path: name of the file or folder; None if the error is not about one.

    """

    def __init__(self, reason: str, *, path: str | os.PathLike[str] | None = None) -> None:
        self.reason = reason
        self.path = None if path is None else os.fspath(path)
        super().__init__(reason if self.path is None else f"{self.path}: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Restore message and fields; subclasses may have any constructor."""
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[GenrelensError], args: tuple[Any, ...]) -> GenrelensError:
    """Make an error with these ``args`` without its constructor."""
    error = kind.__new__(kind)
    error.args = args
    return error


class AudioError(GenrelensError):
    """A recording cannot be read.

    Args:
        source: name of the file (or ``"<bytes>"``, ``"<stdin>"``) for the message; ``path`` is
            the same.
        reason: what is wrong, in a sentence.
        decoder_messages: decoder name -> its own words, for each decoder that was tried.

    Attributes:
        full_reason: the reason with the decoders' own words.

    """

    path: str

    def __init__(
        self, source: str, reason: str, decoder_messages: dict[str, str] | None = None
    ) -> None:
        self.decoder_messages = dict(decoder_messages or {})
        super().__init__(reason, path=source)
        details = "; ".join(f"{name}: {words}" for name, words in self.decoder_messages.items())
        self.full_reason = reason + (f" ({details})" if details else "")
        self.args = (f"{source}: {self.full_reason}",)

    @property
    def source(self) -> str:
        """Name of the recording."""
        return self.path


class ModelError(GenrelensError):
    """A model file is missing, foreign, damaged or of another format version."""


class DataError(GenrelensError):
    """A folder of labelled clips, a split file or a download is not usable."""


class RecipeError(GenrelensError):
    """A training recipe has an unknown key or an impossible value."""


class TagError(GenrelensError):
    """The tags of a file cannot be read or written.

    Args:
        path: name of the file.
        reason: what is wrong, in a few words.

    """

    path: str

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason, path=path)


class LibraryError(GenrelensError):
    """A catalogue, a plan, a policy or a journal is not usable."""


class MissingExtraError(GenrelensError):
    """An optional dependency is not installed.

    Args:
        package: what could not be imported.
        extra: the extra of genrelens that brings it.

    """

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{package} is not installed; it comes with: pip install 'genrelens[{extra}]'"
        )


class AudioWarning(UserWarning):
    """A recording is damaged or cut off, or its header states another length than it has."""


class DataWarning(UserWarning):
    """A data set can be used, but a result on it needs a caveat."""


def require(condition: bool, message: str) -> None:
    """Raise ``ValueError`` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ValueError(message)
