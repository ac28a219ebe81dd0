"""Features of clips and their augmented copies from a frozen network, cached on disk.

The features of a clip depend only on its content. Therefore they are computed once for all heads,
and the rounds of a cross-validation share them without a leak.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrelens.audio import load_audio
from genrelens.errors import AudioError
from genrelens.features import FeatureConfig, extract_segments
from genrelens.threads import map_in_threads
from genrelens.train.acoustic_augment import augment_waveform
from genrelens.train.cache import file_digest, new_entry
from genrelens.train.lens.musicnn import Musicnn

__all__ = ["ClipFeatures", "Embedder", "frozen_features"]

_VERSION = 2  # increased when augmentation or front end change; starts a new cache
_SEGMENTS_AT_ONCE = 16
_NAME = 32  # hexadecimal digits of a file's digest that name an entry of the cache

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class ClipFeatures(NamedTuple):
    """The features of the segments of a clip and of its augmented copies."""

    features: Float16  # (n, d)
    copies: NDArray[np.int64]  # (n,): number of the copy of each segment; 0 is the clip itself


def frozen_features(network: Musicnn, segments: Tensor) -> Tensor:
    """Return pooled features and embeddings side by side: (n, t, b) -> (n, d)."""
    return torch.cat(network(segments), dim=1)


class Embedder:
    """Compute the features of files, or read them from the cache.

    Args:
        network: the frozen network, in eval mode.
        features: its front end.
        copies: number of augmented copies of each clip.
        seconds: length of a copy in seconds, cut from a random position of the clip.
        backgrounds: recordings for the background of the copies, each (n,) at the sample rate of
            the front end.
        directory: folder of the cache.

    """

    def __init__(
        self,
        network: Musicnn,
        features: FeatureConfig,
        *,
        copies: int,
        seconds: float,
        backgrounds: Sequence[Float64],
        directory: Path,
    ) -> None:
        self._network = network
        self._features = features
        self._copies = copies
        self._seconds = seconds
        self._backgrounds = backgrounds
        digest = self._digest()
        self._directory = directory / f"embeddings-{digest}"
        with suppress(OSError):  # its name in earlier versions
            (directory / f"heard-{digest}").rename(self._directory)

    def embed(
        self,
        paths: Sequence[Path],
        on_path: Callable[[Path, AudioError | None], None] = lambda path, error: None,
    ) -> dict[Path, ClipFeatures]:
        """Return the features of files; a file that cannot be read is left out.

        Args:
            paths: the files.
            on_path: called for each file, in order, with its error if it cannot be read.

        Raises:
            DataError: the cache cannot be written.

        """
        found = {}
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # several files in parallel are faster than one with all threads
        try:
            with closing(map_in_threads(self._load, paths)) as results:
                for path, result in results:
                    if isinstance(result, AudioError):
                        on_path(path, result)
                    else:
                        on_path(path, None)
                        found[path] = result
        finally:
            torch.set_num_threads(threads)
        return found

    def _load(self, path: Path) -> ClipFeatures | AudioError:
        try:
            digest = file_digest(path)[:_NAME]
            return self._cached(digest) or self._compute(path, digest)
        except AudioError as error:
            return error

    def _cached(self, digest: str) -> ClipFeatures | None:
        try:
            # opened here, because numpy does not close a damaged file
            with (
                (self._directory / f"{digest}.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as entry,
            ):
                return ClipFeatures(entry["features"], entry["renditions"])
        except (OSError, ValueError, EOFError, KeyError, BadZipFile):  # missing, or incomplete
            return None

    def _compute(self, path: Path, digest: str) -> ClipFeatures:
        y = load_audio(path, sample_rate=self._features.sample_rate)
        parts = [self._segments(y)]
        for number in range(self._copies):
            rng = np.random.default_rng([_VERSION, number, int(digest[:16], 16)])
            parts.append(self._segments(self._augmented(y, rng)))
        copies = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        features = self._features_of(torch.from_numpy(np.concatenate(parts)))
        with new_entry(self._directory / f"{digest}.npz") as file:
            np.savez(file, features=features, renditions=copies)
        return ClipFeatures(features, copies)

    def _segments(self, y: Float32) -> Float32:
        """Cut a waveform into segments without an overlapping last one: no frame counts twice."""
        segments = extract_segments(y, self._features)
        n_frames = 1 + len(y) // self._features.hop_length
        n_more = max(0, n_frames - self._features.segment_frames) // self._features.segment_hop
        return segments[: 1 + n_more]

    def _augmented(self, y: Float32, rng: np.random.Generator) -> Float32:
        rate = self._features.sample_rate
        n = round(self._seconds * rate)
        start = int(rng.integers(max(1, len(y) - n + 1)))
        excerpt = y[start : start + n].astype(np.float64)
        return augment_waveform(excerpt, rate, rng, self._backgrounds).astype(np.float32)

    @torch.inference_mode()
    def _features_of(self, segments: Tensor) -> Float16:
        batches = torch.split(segments, _SEGMENTS_AT_ONCE)
        features = [frozen_features(self._network, batch).half() for batch in batches]
        return np.asarray(torch.cat(features).numpy())

    def _digest(self) -> str:
        """Return 16 hexadecimal digits that identify everything that the features depend on."""
        content = hashlib.sha256()
        for tensor in self._network.state_dict().values():
            content.update(tensor.numpy().tobytes())
        for recording in self._backgrounds:
            content.update(recording.astype(np.float32).tobytes())
        settings = (_VERSION, self._features.to_dict(), self._copies, self._seconds)
        content.update(repr(settings).encode())
        return content.hexdigest()[:16]
