"""What a file is, before anybody hears it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from genrelens.errors import AudioError, TagError
from genrelens.library.digest import audio_digest
from genrelens.library.records import Failure
from genrelens.tags import Tags, read_tags

__all__ = ["Identity", "identify"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is.

    Attributes:
        digest: of its sound (:func:`genrelens.library.digest.audio_digest`).
        tags: that it has, or None where the format has none or they cannot be read.

    """

    digest: str
    tags: Tags | None


def identify(path: str | os.PathLike[str]) -> Identity | Failure:
    """Look into a file; a scan does so in a process of its own, as it may crash the decoder."""
    try:
        digest = audio_digest(path)
    except AudioError as error:
        return Failure(error.reason)
    try:
        return Identity(digest, read_tags(path))
    except TagError:  # a format that has none, or damage that the sound may do without
        return Identity(digest, None)
