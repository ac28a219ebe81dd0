"""A model in numpy: it classifies chords, clicks and noise, and soft recordings are not music."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens import Classifier
from genrelens.features import extract_segments
from genrelens.metadata import ModelMetadata, StyleTag
from genrelens.model_file import Outputs
from support import tiny

Float32 = NDArray[np.float32]


class NumpyModel:
    """Stands in for a :class:`~genrelens.model_file.ModelFile`.

    The logits of a segment fall with the distance to the mean segment of each genre. Its loudness,
    the mean of its features, is 1 to 8 for the waveforms of ``tiny``; from 0.9 on it is music. The
    loudness is also the signal-to-noise ratio. The answer for a window is the mean over its
    segments.
    """

    set_head = None
    threads = 1

    def __init__(self, metadata: ModelMetadata) -> None:
        self.metadata = metadata
        self.run_segments = metadata.window_segments
        sounds = [tiny.sound(genre, 4, seed=9) for genre in tiny.GENRES]
        self._centroids = np.stack([extract_segments(y, tiny.MEL).mean(axis=0) for y in sounds])

    def run(self, segments: Float32) -> Outputs:
        logits = self._logits(segments)
        loudness = segments.mean(axis=(1, 2))
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        mean = np.log((powers / powers.sum(axis=1, keepdims=True)).mean(axis=0))
        styles = np.stack([loudness - 5, 2 - loudness], axis=1)
        return Outputs(
            mean.astype(np.float32),
            logits.astype(np.float32),
            style_logits=styles.astype(np.float32),
            music_logits=(8 * (loudness - 0.9)).astype(np.float32),
            snr=loudness.astype(np.float32),
        )

    def _logits(self, segments: Float32) -> Float32:
        return -((segments[:, None] - self._centroids) ** 2).mean(axis=(2, 3))


def numpy_classifier(**metadata: Any) -> Classifier:
    """Return a classifier with a numpy model; fields of the metadata can be changed."""
    values = {
        "styles": (StyleTag("loud", 0.5), StyleTag("soft", 0.25)),
        "music_threshold": 0.5,
        "sure_threshold": 0.8,
        **metadata,
    }
    model = NumpyModel(tiny.metadata(**values))
    return Classifier(model)  # type: ignore[arg-type]


def joined(*parts: tuple[str, float] | tuple[str, float, float]) -> Float32:
    """Join waveforms of ``tiny``: genre, seconds and, if not 1, a gain."""
    waves = [
        (gain[0] if gain else 1.0) * tiny.sound(genre, seconds) for genre, seconds, *gain in parts
    ]
    return np.concatenate(waves).astype(np.float32)
