"""What a frozen network hears in clips and in renditions of them, kept on disk.

A clip is heard once, however many heads are trained on it: what it gives depends on nothing but
its own content, so the rounds of a cross-validation share it and nothing leaks between them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrelens.audio import load_audio
from genrelens.errors import AudioError
from genrelens.features import FeatureConfig, extract_segments
from genrelens.threads import map_in_threads
from genrelens.train.acoustic_augment import rendition
from genrelens.train.cache import file_digest, new_entry
from genrelens.train.lens.musicnn import Musicnn

__all__ = ["ClipFeatures", "Embedder", "heard_features"]

_VERSION = 2  # of the renditions and the front end; another one makes the cache start anew
_SEGMENTS_AT_ONCE = 16
_NAME = 32  # hexadecimal digits of a file's digest that name an entry of the cache

Float16 = NDArray[np.float16]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """A clip as the network heard it.

    Attributes:
        features: of its segments and those of its renditions, (n, d) float16.
        renditions: which rendition each segment is of, (n,) int64; 0 is the clip as it is.

    """

    features: Float16
    renditions: NDArray[np.int64]


def heard_features(network: Musicnn, segments: Tensor) -> Tensor:
    """Pooled features and embeddings side by side: (n, t, b) -> (n, d)."""
    return torch.cat(network(segments), dim=1)


class Embedder:
    """Hears clips.

    Args:
        network: frozen, in eval mode.
        features: its front end.
        renditions: how many are made of each clip.
        seconds: of each rendition; it starts anywhere in the clip.
        recordings: what may be heard in the background of renditions, each (n,) at the rate of the
            front end.
        directory: of the cache.

    """

    def __init__(
        self,
        network: Musicnn,
        features: FeatureConfig,
        *,
        renditions: int,
        seconds: float,
        recordings: Sequence[Float64],
        directory: Path,
    ) -> None:
        self._network = network
        self._features = features
        self._renditions = renditions
        self._seconds = seconds
        self._recordings = recordings
        self._directory = directory / f"heard-{self._digest()}"

    def hear(
        self,
        paths: Sequence[Path],
        on_path: Callable[[Path, AudioError | None], None] = lambda path, error: None,
    ) -> dict[Path, ClipFeatures]:
        """Hear files, or remember what was heard of them; those that cannot be read are left out.

        Args:
            paths: of the files.
            on_path: called for each, in order, with the error of one that cannot be read.

        Raises:
            DataError: the cache cannot be written.

        """
        heard = {}
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # several files at once take less time than one after the other
        try:
            with closing(map_in_threads(self._try, paths)) as results:
                for path, result in results:
                    if isinstance(result, AudioError):
                        on_path(path, result)
                    else:
                        on_path(path, None)
                        heard[path] = result
        finally:
            torch.set_num_threads(threads)
        return heard

    def _try(self, path: Path) -> ClipFeatures | AudioError:
        try:
            digest = file_digest(path)[:_NAME]
            return self._remembered(digest) or self._new(path, digest)
        except AudioError as error:
            return error

    def _remembered(self, digest: str) -> ClipFeatures | None:
        try:
            # numpy would leave a torn file open
            with (
                (self._directory / f"{digest}.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as entry,
            ):
                return ClipFeatures(entry["features"], entry["renditions"])
        except (OSError, ValueError, EOFError, KeyError, BadZipFile):  # absent, or torn
            return None

    def _new(self, path: Path, digest: str) -> ClipFeatures:
        y = load_audio(path, sample_rate=self._features.sample_rate)
        pieces = [self._segments(y)]
        for number in range(self._renditions):
            rng = np.random.default_rng([_VERSION, number, int(digest[:16], 16)])
            pieces.append(self._segments(self._rendition(y, rng)))
        numbers = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
        result = ClipFeatures(self._features_of(torch.from_numpy(np.concatenate(pieces))), numbers)
        self._write(digest, result)
        return result

    def _segments(self, y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut into segments, without a last one that overlaps: no sound is to be learnt twice."""
        segments = extract_segments(y, self._features)
        n_frames = 1 + len(y) // self._features.hop_length
        n_more = max(0, n_frames - self._features.segment_frames) // self._features.segment_hop
        return segments[: 1 + n_more]

    def _rendition(self, y: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        rate = self._features.sample_rate
        n = round(self._seconds * rate)
        start = int(rng.integers(max(1, len(y) - n + 1)))
        piece = y[start : start + n].astype(np.float64)
        return rendition(piece, rate, rng, self._recordings).astype(np.float32)

    @torch.inference_mode()
    def _features_of(self, segments: Tensor) -> Float16:
        batches = torch.split(segments, _SEGMENTS_AT_ONCE)
        heard = [heard_features(self._network, batch).half() for batch in batches]
        return np.asarray(torch.cat(heard).numpy())

    def _write(self, digest: str, heard: ClipFeatures) -> None:
        with new_entry(self._directory / f"{digest}.npz") as file:
            np.savez(file, features=heard.features, renditions=heard.renditions)

    def _digest(self) -> str:
        """Return 16 hexadecimal digits that name all that a result depends on."""
        content = hashlib.sha256()
        for tensor in self._network.state_dict().values():
            content.update(tensor.numpy().tobytes())
        for recording in self._recordings:
            content.update(recording.astype(np.float32).tobytes())
        settings = (_VERSION, self._features.to_dict(), self._renditions, self._seconds)
        content.update(repr(settings).encode())
        return content.hexdigest()[:16]
