"""Features on disk, so that a clip is decoded once, however often it is trained on."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from genrelens.audio import load_audio
from genrelens.errors import AudioError, DataError
from genrelens.features import FeatureConfig, extract_features
from genrelens.highpass import high_pass

__all__ = ["FeatureCache", "default_cache_dir", "file_digest"]

_VERSION = 2  # of what is computed for the same settings; another one makes the cache start anew
_NAME = 32  # hexadecimal digits of the digest that name an entry


def default_cache_dir() -> Path:
    """Return the folder for features in the user's cache of this platform."""
    return platformdirs.user_cache_path("genrelens") / "features"


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hexadecimal digits.

    Raises:
        AudioError: the file cannot be read.

    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AudioError(str(path), error.strerror or str(error)) from error


class FeatureCache:
    """Frames of whole clips, one ``.npy`` for each content and front end, however it is segmented.

    Args:
        directory: where the cache lives; shared by all front ends.
        config: the front end.

    """

    def __init__(self, directory: Path, config: FeatureConfig) -> None:
        self.config = config
        self._directory = directory / f"{config.digest()}-{_VERSION}"

    def load(self, path: Path, digest: str | None = None) -> NDArray[np.float32]:
        """Return the frames of a clip, (n_frames, n_bins) float32, read-only, memory-mapped.

        A clip that is shorter than a segment is padded with zeros to one, in memory.

        Args:
            path: the clip.
            digest: its :func:`file_digest`, if known.

        Raises:
            AudioError: the clip cannot be read.
            DataError: the cache cannot be written.

        """
        entry = self._directory / f"{(digest or file_digest(path))[:_NAME]}.npy"
        try:
            frames = self._open(entry)
        except (OSError, ValueError, EOFError):  # absent, or torn by a full disk
            frames = self._compute(path)
            self._write(entry, frames)
            frames = self._open(entry)
        if len(frames) >= self.config.segment_frames:
            return frames
        frames = self._compute(path, n_samples=self.config.min_samples)
        frames.flags.writeable = False
        return frames

    def _open(self, entry: Path) -> NDArray[np.float32]:
        frames: NDArray[np.float32] = np.load(entry, mmap_mode="r", allow_pickle=False)
        if frames.ndim != 2 or frames.shape[1] != self.config.n_bins or frames.dtype != np.float32:
            raise ValueError(f"{entry}: {frames.dtype} {frames.shape} is not of this front end")
        return frames

    def _compute(self, path: Path, *, n_samples: int = 0) -> NDArray[np.float32]:
        """Compute the frames of a clip, padded with zeros to at least ``n_samples``."""
        waveform = load_audio(path, sample_rate=self.config.sample_rate)
        missing = max(0, n_samples - len(waveform))
        filtered = high_pass(waveform, self.config.sample_rate)
        return extract_features(np.pad(filtered, (0, missing)), self.config)

    def _write(self, entry: Path, frames: NDArray[np.float32]) -> None:
        """Write a file at once and complete, or not at all."""
        temporary = None
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._directory, suffix=".tmp")
            with os.fdopen(handle, "wb") as file:
                np.save(file, frames, allow_pickle=False)
            Path(temporary).replace(entry)
        except OSError as error:
            raise DataError(
                "the feature cache cannot be written "
                f"({error.strerror or error}); choose another folder for it",
                path=self._directory,
            ) from error
        finally:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
