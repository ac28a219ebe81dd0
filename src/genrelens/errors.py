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

Wrong arguments from a programmer raise ``ValueError`` or ``TypeError`` as everywhere else.
"""

from __future__ import annotations


class GenrelensError(Exception):
    """Base of every error that genrelens raises on purpose."""


class AudioError(GenrelensError):
    """A recording cannot be read.

    Args:
        source: name of the file (or ``"<bytes>"``, ``"<stdin>"``) for the message.
        reason: what is wrong, in a sentence.
        decoder_messages: decoder name -> its own words, for each decoder that was tried.

    """

    def __init__(
        self, source: str, reason: str, decoder_messages: dict[str, str] | None = None
    ) -> None:
        self.source = source
        self.reason = reason
        self.decoder_messages = dict(decoder_messages or {})
        details = "; ".join(f"{name}: {words}" for name, words in self.decoder_messages.items())
        super().__init__(f"{source}: {reason}" + (f" ({details})" if details else ""))


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

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")

    def __reduce__(self) -> tuple[type[TagError], tuple[str, str]]:
        return type(self), (self.path, self.reason)


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
