"""The recordings that a model was trained on, so that an evaluation on them can warn.

A model file contains a hash of each training recording: the first 8 bytes of the digest that
:func:`genrelens.library.audio_digest` computes from the encoded audio. The hash does not depend on
tags and file names. A re-encoded copy or an excerpt has another hash and is not recognised.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["TrainingAudio"]

_KEY = "training_audio"
_SIZE = 8  # bytes; with 2000 hashes, a false match has a probability of 1e-16
_HASH = "BLAKE2b of the encoded audio, first 8 bytes"


@dataclass(frozen=True, slots=True)
class TrainingAudio:
    """The recordings that a model was trained on, as hashes of their content.

    Attributes:
        hashes: 8 bytes for each recording.

    Example::

        audio = TrainingAudio.from_provenance(classifier.metadata.provenance)
        audio_digest("song.mp3") in audio    # False: the model was not trained on it

    """

    hashes: frozenset[bytes]

    @classmethod
    def of(cls, digests: Iterable[str]) -> Self:
        """Create a set from the digests of recordings, each of at least 16 hexadecimal digits."""
        return cls(frozenset(map(_shortened, digests)))

    def __contains__(self, digest: str) -> bool:
        return _shortened(digest) in self.hashes

    def __len__(self) -> int:
        return len(self.hashes)

    def to_provenance(self) -> dict[str, Any]:
        """Return an entry for the ``provenance`` of a model: about 11 characters per recording."""
        text = base64.b64encode(b"".join(sorted(self.hashes))).decode()
        return {_KEY: {"hash": _HASH, "recordings": len(self), "hashes": text}}

    @classmethod
    def from_provenance(cls, provenance: Mapping[str, Any]) -> Self | None:
        """Read the entry of :meth:`to_provenance`. Return None if it is missing or unreadable."""
        entry = provenance.get(_KEY)
        if not isinstance(entry, Mapping) or entry.get("hash") != _HASH:
            return None
        try:
            content = base64.b64decode(entry.get("hashes", ""), validate=True)
        except (binascii.Error, TypeError, ValueError):
            return None
        if len(content) % _SIZE:
            return None
        return cls(frozenset(content[i : i + _SIZE] for i in range(0, len(content), _SIZE)))


def _shortened(digest: str) -> bytes:
    return bytes.fromhex(digest[: 2 * _SIZE])
