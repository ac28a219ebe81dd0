"""Which recordings a model was trained on, so that nobody judges it on them by mistake.

A model file holds a hash of each recording of its training: the first 8 bytes of the digest that
:func:`genrelens.library.audio_digest` computes from the encoded audio. Tags and file names do not
matter. A re-encoded copy and an excerpt have other digests and are not recognised.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["TrainingAudio"]

_KEY = "training_audio"
_SIZE = 8  # bytes: a recording is taken for one of 2000 by chance with a probability of 1e-16
_HASH = "BLAKE2b of the encoded audio, first 8 bytes"


@dataclass(frozen=True, slots=True)
class TrainingAudio:
    """The recordings of a training, by hashes of their content.

    ``digest in audio`` says whether a recording was among them.

    Attributes:
        hashes: 8 bytes for each recording.

    """

    hashes: frozenset[bytes]

    @classmethod
    def of(cls, digests: Iterable[str]) -> Self:
        """Collect the digests of recordings, each of 16 hexadecimal digits or more."""
        return cls(frozenset(map(_shortened, digests)))

    def __contains__(self, digest: str) -> bool:
        return _shortened(digest) in self.hashes

    def __len__(self) -> int:
        return len(self.hashes)

    def to_provenance(self) -> dict[str, Any]:
        """Return an entry for the ``provenance`` of a model: about 11 characters a recording."""
        text = base64.b64encode(b"".join(sorted(self.hashes))).decode()
        return {_KEY: {"hash": _HASH, "recordings": len(self), "hashes": text}}

    @classmethod
    def from_provenance(cls, provenance: Mapping[str, Any]) -> Self | None:
        """Read the entry of :meth:`to_provenance`; None if there is none that can be read."""
        entry = provenance.get(_KEY)
        if not isinstance(entry, Mapping) or entry.get("hash") != _HASH:
            return None
        try:
            content = base64.b64decode(entry.get("hashes", ""), validate=True)
        except (binascii.Error, TypeError, ValueError):
            return None
        if len(content) % _SIZE:
            return None
        pieces = (content[i : i + _SIZE] for i in range(0, len(content), _SIZE))
        return cls(frozenset(pieces))


def _shortened(digest: str) -> bytes:
    return bytes.fromhex(digest[: 2 * _SIZE])
