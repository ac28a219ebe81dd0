"""Features of clips and their augmented copies from a frozen network, cached on disk.

The features of a clip depend only on its content. Therefore they are computed once for all heads,
and the rounds of a cross-validation share them without a leak.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
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
from genrelens.train.acoustic_augment import Augmented, augment_waveform
from genrelens.train.cache import file_digest, new_entry
from genrelens.train.lens.musicnn import Musicnn

__all__ = ["ClipFeatures", "Embedder", "NoisePool", "frozen_features", "one_thread"]

_VERSION = 3  # increased when augmentation or front end change; starts a new cache
_SEGMENTS_AT_ONCE = 16
_NAME = 32  # hexadecimal digits of a file's digest that name an entry of the cache

Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class ClipFeatures(NamedTuple):
    """The features of the segments of a clip and of its augmented copies."""

    features: Float16  # (n, d)
    copies: NDArray[np.int64]  # (n,): number of the copy of each segment; 0 is the clip itself
    snr: Float32  # (n,): signal-to-noise ratio of each segment's copy in dB; infinity without noise


class NoisePool(NamedTuple):
    """Microphone recordings whose noise is mixed into the copies of some clips."""

    name: str  # differs for pools with different recordings
    recordings: Sequence[Float64]  # (k,) each, at the sample rate of the front end


_NO_POOL = NoisePool("", ())


def frozen_features(network: Musicnn, segments: Tensor) -> Tensor:
    """Return pooled features and embeddings side by side: (n, t, b) -> (n, d)."""
    return torch.cat(network(segments), dim=1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Restrict torch to one thread within the context."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Embedder:
    """Compute the features of files, or read them from the cache.

    Args:
        network: the frozen network, in eval mode.
        features: its front end.
        copies: kind of each augmented copy of a clip, see
            :data:`~genrelens.train.acoustic_augment.COPIES`.
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
        copies: Sequence[str],
        seconds: float,
        backgrounds: Sequence[Float64],
        directory: Path,
    ) -> None:
        self._network = network
        self._features = features
        self._copies = copies
        self._seconds = seconds
        self._backgrounds = backgrounds
        self._directory = directory / f"features-{self._digest()}"

    def embed(
        self,
        paths: Sequence[Path],
        pools: Mapping[Path, NoisePool] | None = None,
        on_path: Callable[[Path, AudioError | None], None] = lambda path, error: None,
    ) -> dict[Path, ClipFeatures]:
        """Return the features of files; a file that cannot be read is left out.

        Args:
            paths: the files.
            pools: the microphone recordings whose noise is mixed into the copies of a file; a file
                without an entry has no such noise.
            on_path: called for each file, in order, with its error if it cannot be read.

        Raises:
            DataError: the cache cannot be written.

        """
        found = {}
        pool_of = pools or {}

        def load(path: Path) -> ClipFeatures | AudioError:
            return self._load(path, pool_of.get(path, _NO_POOL))

        # Several files in parallel are faster than one with all threads.
        with one_thread(), closing(map_in_threads(load, paths)) as results:
            for path, result in results:
                if isinstance(result, AudioError):
                    on_path(path, result)
                else:
                    on_path(path, None)
                    found[path] = result
        return found

    def _load(self, path: Path, pool: NoisePool) -> ClipFeatures | AudioError:
        try:
            digest = file_digest(path)[:_NAME]
            entry = self._directory / f"{'-'.join(filter(None, [digest, pool.name]))}.npz"
            return self._cached(entry) or self._compute(path, digest, pool, entry)
        except AudioError as error:
            return error

    def _cached(self, path: Path) -> ClipFeatures | None:
        try:
            # opened here, because numpy does not close a damaged file
            with (
                path.open("rb") as file,
                np.load(file, allow_pickle=False) as entry,
            ):
                return ClipFeatures(entry["features"], entry["copies"], entry["snr"])
        except (OSError, ValueError, EOFError, KeyError, BadZipFile):  # missing, or incomplete
            return None

    def _compute(self, path: Path, digest: str, pool: NoisePool, entry: Path) -> ClipFeatures:
        y = load_audio(path, sample_rate=self._features.sample_rate)
        parts, ratios = [self._segments(y)], [np.inf]
        for number, kind in enumerate(self._copies):
            rng = np.random.default_rng([_VERSION, number, int(digest[:16], 16)])
            copy, snr = self._augmented(y, rng, kind, pool)
            parts.append(self._segments(copy.astype(np.float32)))
            ratios.append(snr)
        sizes = [len(part) for part in parts]
        computed = ClipFeatures(
            self._features_of(torch.from_numpy(np.concatenate(parts))),
            np.repeat(np.arange(len(parts)), sizes),
            np.repeat(np.array(ratios, np.float32), sizes),
        )
        with new_entry(entry) as file:
            np.savez(file, **computed._asdict())
        return computed

    def _segments(self, y: Float32) -> Float32:
        """Cut a waveform into segments without an overlapping last one: no frame counts twice."""
        segments = extract_segments(y, self._features)
        n_frames = 1 + len(y) // self._features.hop_length
        n_more = max(0, n_frames - self._features.segment_frames) // self._features.segment_hop
        return segments[: 1 + n_more]

    def _augmented(
        self, y: Float32, rng: np.random.Generator, kind: str, pool: NoisePool
    ) -> Augmented:
        rate = self._features.sample_rate
        n = round(self._seconds * rate)
        start = int(rng.integers(max(1, len(y) - n + 1)))
        excerpt = y[start : start + n].astype(np.float64)
        return augment_waveform(
            excerpt, rate, rng, self._backgrounds, kind=kind, microphone=pool.recordings
        )

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
        settings = (_VERSION, self._features.to_dict(), list(self._copies), self._seconds)
        content.update(repr(settings).encode())
        return content.hexdigest()[:16]
