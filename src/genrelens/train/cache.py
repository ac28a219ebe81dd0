"""A cache of the features of clips on disk, so that each clip is decoded only once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import platformdirs
from numpy.typing import NDArray

from genrelens.audio import load_audio
from genrelens.errors import AudioError, DataError
from genrelens.features import FeatureConfig, extract_features
from genrelens.files import reason, replaced, sha256
from genrelens.highpass import high_pass
from genrelens.logs import logger

__all__ = ["AudioCheck", "FeatureCache", "default_cache_dir", "file_digest", "new_entry"]

_log = logger(__name__)
_VERSION = 2  # increased when features change for the same settings; starts a new cache
_NAME = 32  # hexadecimal digits of the digest that name an entry


def default_cache_dir() -> Path:
    """Return the default folder of the cache: ``features`` in the user's cache directory."""
    return platformdirs.user_cache_path("genrelens") / "features"


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        AudioError: the file cannot be read.

    """
    try:
        return sha256(path)
    except DataError as error:
        raise AudioError(str(path), error.reason) from error


@contextmanager
def new_entry(path: Path) -> Iterator[BinaryIO]:
    """Write a file of a cache completely or not at all; create its folder if necessary.

    Yields:
        The open file.

    Raises:
        DataError: the file cannot be written.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as file:
            yield file
    except (OSError, DataError) as error:
        raise DataError(
            f"the feature cache cannot be written ({reason(error.__cause__ or error)}); "
            "choose another folder for it",
            path=path.parent,
        ) from error


class FeatureCache:
    """A cache of the frames of whole clips: one ``.npy`` file per content and front end.

    The files do not depend on the length of segments.

    Args:
        directory: folder of the cache; all front ends share it.
        config: the front end.

    """

    def __init__(self, directory: Path, config: FeatureConfig) -> None:
        self.config = config
        self._directory = directory / f"{config.digest()}-{_VERSION}"

    def load(self, path: Path, digest: str | None = None) -> NDArray[np.float32]:
        """Return the frames of a clip, (n_frames, n_bins) float32, read-only, memory-mapped.

        A clip shorter than a segment is padded with zeros to one segment, in memory.

        Args:
            path: the clip.
            digest: :func:`file_digest` of the clip; None computes it.

        Raises:
            AudioError: the clip cannot be read.
            DataError: the cache cannot be written.

        """
        entry = self._directory / f"{(digest or file_digest(path))[:_NAME]}.npy"
        try:
            frames = self._open(entry)
            _log.debug("%s: features read from the cache", path)
        except (OSError, ValueError, EOFError):  # missing, or incomplete because of a full disk
            _log.debug("%s: features are computed", path)
            frames = self._compute(path)
            with new_entry(entry) as file:
                np.save(file, frames, allow_pickle=False)
            frames = self._open(entry)
        if len(frames) >= self.config.segment_frames:
            return frames
        frames = self._compute(path, n_samples=self.config.min_samples)
        frames.flags.writeable = False
        return frames

    def _open(self, entry: Path) -> NDArray[np.float32]:
        frames: NDArray[np.float32] = np.load(entry, mmap_mode="r", allow_pickle=False)
        if frames.ndim != 2 or frames.shape[1] != self.config.n_bins or frames.dtype != np.float32:
            raise ValueError(f"{entry}: {frames.dtype} {frames.shape} do not match this front end")
        return frames

    def _compute(self, path: Path, *, n_samples: int = 0) -> NDArray[np.float32]:
        """Compute the frames of a clip, padded with zeros to at least ``n_samples``."""
        waveform = load_audio(path, sample_rate=self.config.sample_rate)
        missing = max(0, n_samples - len(waveform))
        filtered = high_pass(waveform, self.config.sample_rate)
        return extract_features(np.pad(filtered, (0, missing)), self.config)


class AudioCheck:
    """A check that clips can be read, for training that computes features of its own.

    A clip that can be read leaves an empty file, so that it is decoded only once.

    Args:
        directory: folder of the cache.
        sample_rate: rate of the audio that the training reads, in Hz.

    """

    def __init__(self, directory: Path, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._directory = directory / f"readable-{sample_rate}"

    def load(self, path: Path, digest: str) -> NDArray[np.float32]:
        """Return no frames, (0, 0) float32, if the whole clip can be decoded.

        Args:
            path: the clip.
            digest: :func:`file_digest` of the clip.

        Raises:
            AudioError: the clip cannot be read.
            DataError: the cache cannot be written.

        """
        entry = self._directory / digest[:_NAME]
        if not entry.exists():
            load_audio(path, sample_rate=self._sample_rate)
            with new_entry(entry):
                pass
        return np.empty((0, 0), np.float32)
