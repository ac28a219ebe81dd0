"""The errors and warnings of genrelens.

All errors derive from :class:`GenrelensError`::

    GenrelensError
    ├── AudioError          a recording cannot be read
    ├── ModelError          a model file is missing, damaged, of another version or not a model
    ├── DataError           clips, a split, predictions or an output file are not usable
    ├── RecipeError         a training recipe has an unknown key or an invalid value
    ├── TagError            the tags of a file cannot be read or written
    ├── LibraryError        a catalogue, plan, policy or journal is not usable
    └── MissingExtraError   an optional dependency is not installed

    AudioWarning            a recording is damaged, cut off, or its header states another length
    DataWarning             a data set is usable, but results on it need a caveat

An error keeps its fields when it is pickled or copied, so it can be sent between processes. Invalid
arguments raise ``ValueError`` or ``TypeError``.

Example::

    from genrelens import Classifier, GenrelensError

    try:
        print(Classifier.load().classify("song.mp3").genre)
    except GenrelensError as error:
        print(error.path, error.reason)
"""

from __future__ import annotations

import os
from typing import Any


class GenrelensError(Exception):
    """Base class of all errors of genrelens.

    Args:
        reason: what is wrong, without the path.
        path: the file or folder that the error concerns, if any.

    Attributes:
        reason: what is wrong, without the path.
        path: name of the file or folder, or None.

    Example::

        >>> print(GenrelensError("is empty", path="song.mp3"))
        song.mp3: is empty

    """

    def __init__(self, reason: str, *, path: str | os.PathLike[str] | None = None) -> None:
        self.reason = reason
        self.path = None if path is None else os.fspath(path)
        super().__init__(reason if self.path is None else f"{self.path}: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle message and fields without calling the constructor of a subclass."""
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[GenrelensError], args: tuple[Any, ...]) -> GenrelensError:
    """Return an error with these ``args`` without calling its constructor."""
    error = kind.__new__(kind)
    error.args = args
    return error


class AudioError(GenrelensError):
    """A recording cannot be read.

    Args:
        source: name of the recording: its path, ``"<bytes>"`` or ``"<stream>"``.
        reason: what is wrong, without the name.
        decoder_messages: message of each decoder that was tried, by its name.

    Attributes:
        path: the name of the recording.
        reason: what is wrong, without the name.
        full_reason: the reason with the messages of the decoders.
        decoder_messages: message of each decoder that was tried, by its name.

    Example::

        >>> error = AudioError("song.mp3", "is damaged", {"FFmpeg": "Invalid data"})
        >>> print(error)
        song.mp3: is damaged (FFmpeg: Invalid data)

    """

    path: str

    def __init__(
        self, source: str, reason: str, decoder_messages: dict[str, str] | None = None
    ) -> None:
        self.decoder_messages = dict(decoder_messages or {})
        super().__init__(reason, path=source)
        details = "; ".join(f"{name}: {message}" for name, message in self.decoder_messages.items())
        self.full_reason = reason + (f" ({details})" if details else "")
        self.args = (f"{source}: {self.full_reason}",)

    @property
    def source(self) -> str:
        """Name of the recording, the same as ``path``."""
        return self.path


class ModelError(GenrelensError):
    """A model file is missing, damaged, of another format version, or is not a model file."""


class DataError(GenrelensError):
    """Clips, a split, predictions or an output file are not usable."""


class RecipeError(GenrelensError):
    """A training recipe has an unknown key or an invalid value."""


class TagError(GenrelensError):
    """The tags of a file cannot be read or written.

    Args:
        path: name of the file.
        reason: what is wrong, without the path.

    """

    path: str

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason, path=path)


class LibraryError(GenrelensError):
    """A catalogue, plan, policy or journal is not usable."""


class MissingExtraError(GenrelensError):
    """An optional dependency is not installed.

    Args:
        package: name of the missing package.
        extra: the extra of genrelens that installs it.

    Example::

        >>> print(MissingExtraError("matplotlib", "plot"))
        matplotlib is not installed; it comes with: pip install 'genrelens[plot]'

    """

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{package} is not installed; it comes with: pip install 'genrelens[{extra}]'"
        )


class AudioWarning(UserWarning):
    """A recording is damaged or cut off, or its header states a wrong length."""


class DataWarning(UserWarning):
    """A data set is usable, but results on it need a caveat."""


def require(condition: bool, message: str) -> None:
    """Raise ``ValueError`` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ValueError(message)
