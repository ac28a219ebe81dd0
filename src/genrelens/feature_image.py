"""An image of the network's input, small enough to send to a browser."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.features import FeatureConfig
from genrelens.mel import mel_edges

__all__ = ["FeatureImage"]

_MAX_COLUMNS = 1200  # about the width of a screen in pixels
_COLUMNS_PER_SEGMENT = 8


class FeatureImage:
    """Collects the input of the network batch by batch and renders it as an image.

    A recording of three hours needs about 50 MB of memory until :meth:`to_dict`.

    Args:
        config: the front end.

    Example::

        image = FeatureImage(classifier.metadata.features)
        prediction = classifier.classify("song.mp3", on_segments=image.add)
        image.to_dict(prediction.segment_weights)

    """

    def __init__(self, config: FeatureConfig) -> None:
        self._config = config
        self._columns: list[NDArray[np.float32]] = []

    def add(self, segments: NDArray[np.float32]) -> None:
        """Add consecutive segments, (k, segment_frames, n_bins)."""
        fresh = segments[:, : self._config.segment_hop]  # without the overlap with the next segment
        parts = np.array_split(fresh, _COLUMNS_PER_SEGMENT, axis=1)
        means = np.stack([part.mean(axis=1) for part in parts], axis=1)  # (k, 8, b)
        self._columns.append(means)

    def to_dict(self, weights: NDArray[np.float64] | None = None) -> dict[str, Any]:
        """Return the image as plain values for JSON.

        Args:
            weights: share of each segment, at its end, that earlier segments do not cover,
                (n_segments,) in 0..1; None: all 1. The image shows only this share.

        Returns:
            ``kind`` ("mel" or "mfcc"), ``columns`` (at most 1200), ``bands``,
            ``seconds_per_column``, ``hz`` (centre of each band; None for MFCCs), ``minimum`` and
            ``maximum`` (values of the bytes 0 and 255, in the unit of the features) and ``data``:
            base64 of the bytes, column by column, the lowest band first.

        """
        columns = self._fresh_columns(weights)
        run = -(-len(columns) // _MAX_COLUMNS)
        starts = np.arange(0, len(columns), run)
        pooled = np.add.reduceat(columns, starts) / np.diff([*starts, len(columns)])[:, None]
        low, high = float(pooled.min()), float(pooled.max())
        scaled = np.round(255 * (pooled - low) / max(high - low, 1e-9)).astype(np.uint8)
        seconds = self._config.segment_hop_seconds / _COLUMNS_PER_SEGMENT * run
        return {
            "kind": self._config.kind,
            "columns": len(scaled),
            "bands": scaled.shape[1],
            "seconds_per_column": seconds,
            "hz": self._hz(),
            "minimum": low,
            "maximum": high,
            "data": b64encode(scaled.tobytes()).decode("ascii"),
        }

    def _fresh_columns(self, weights: NDArray[np.float64] | None) -> NDArray[np.float32]:
        """Concatenate the columns of all segments without their overlaps: (n, b)."""
        columns = np.concatenate(self._columns)  # (k, 8, b)
        shares = np.ones(len(columns)) if weights is None else weights
        n_stale = _COLUMNS_PER_SEGMENT - np.round(_COLUMNS_PER_SEGMENT * shares)
        return columns[np.arange(_COLUMNS_PER_SEGMENT) >= n_stale[:, None]]

    def _hz(self) -> list[float] | None:
        config = self._config
        if config.kind != "mel":
            return None
        edges = mel_edges(config.n_mels, config.f_min, config.f_max)
        return [round(float(hz), 1) for hz in edges[1:-1]]
