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
from genrelens.errors import AudioError
from genrelens.features import FeatureConfig, extract_features

__all__ = ["FeatureCache", "default_cache_dir", "file_digest"]


def default_cache_dir() -> Path:
    """Return the folder for features in the user's cache of this platform."""
    return platformdirs.user_cache_path("genrelens") / "features"


def file_digest(path: Path) -> str:
    """Return 32 hexadecimal digits of the SHA-256 of a file's content.

    Raises:
        AudioError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise AudioError(str(path), error.strerror or str(error)) from error


class FeatureCache:
    """Frames of whole clips, one ``.npy`` for each content and front end.

    Args:
        directory: where the cache lives; shared by all front ends.
        config: the front end.
    """

    def __init__(self, directory: Path, config: FeatureConfig) -> None:
        self.config = config
        self._directory = directory / config.digest()

    def load(self, path: Path, digest: str | None = None) -> NDArray[np.float32]:
        """Return the frames of a clip, (n_frames, n_bins) float32, memory-mapped read-only.

        Args:
            path: the clip.
            digest: its :func:`file_digest`, if known.

        Raises:
            AudioError: the clip cannot be read.
        """
        entry = self._directory / f"{digest or file_digest(path)}.npy"
        try:
            return self._open(entry)
        except (FileNotFoundError, ValueError, EOFError):  # absent, or torn by a full disk
            self._write(entry, self._compute(path))
        return self._open(entry)

    def _open(self, entry: Path) -> NDArray[np.float32]:
        frames: NDArray[np.float32] = np.load(entry, mmap_mode="r", allow_pickle=False)
        if frames.ndim != 2 or frames.shape[1] != self.config.n_bins:
            raise ValueError(f"{entry}: shape {frames.shape} is not of this front end")
        return frames

    def _compute(self, path: Path) -> NDArray[np.float32]:
        waveform = load_audio(path, sample_rate=self.config.sample_rate)
        missing = self.config.min_samples - len(waveform)
        if missing > 0:
            waveform = np.pad(waveform, (0, missing))
        return extract_features(waveform, self.config)

    def _write(self, entry: Path, frames: NDArray[np.float32]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._directory, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, frames, allow_pickle=False)
            Path(temporary).replace(entry)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
