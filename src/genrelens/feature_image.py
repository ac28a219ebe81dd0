"""A picture of the features that a network hears, small enough to send to a browser."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrelens.features import FeatureConfig
from genrelens.mel import mel_edges

__all__ = ["FeatureImage"]

_MAX_COLUMNS = 1200  # about what a screen shows
_COLUMNS_OF_A_SEGMENT = 8


class FeatureImage:
    """Collects features as they pass; a recording of three hours costs some 50 MB meanwhile.

    Args:
        config: the front end.

    """

    def __init__(self, config: FeatureConfig) -> None:
        self._config = config
        self._columns: list[NDArray[np.float32]] = []

    def add(self, segments: NDArray[np.float32]) -> None:
        """Take in segments (k, t, b)."""
        fresh = segments[:, : self._config.segment_hop]  # what the next segment does not repeat
        pieces = np.array_split(fresh, _COLUMNS_OF_A_SEGMENT, axis=1)
        means = np.stack([piece.mean(axis=1) for piece in pieces], axis=1)  # (k, 8, b)
        self._columns.append(means)

    def to_dict(self, weights: NDArray[np.float64] | None = None) -> dict[str, Any]:
        """Return the picture as plain values that JSON can hold.

        Args:
            weights: what each segment adds to those before, as a share of a hop, (n_segments,);
                None: 1. Only the end of a segment that adds less is drawn.

        Returns:
            ``kind`` ("mel" or "mfcc"), ``columns`` (1200 at most), ``bands``,
            ``seconds_per_column``, ``hz`` (centre of each band, None for cepstra), ``minimum`` and
            ``maximum`` (what the bytes 0 and 255 stand for, in the network's own unit) and
            ``data``: base64 of the bytes, column by column, the lowest band first.

        """
        columns = self._fresh_columns(weights)
        run = -(-len(columns) // _MAX_COLUMNS)
        starts = np.arange(0, len(columns), run)
        pooled = np.add.reduceat(columns, starts) / np.diff([*starts, len(columns)])[:, None]
        low, high = float(pooled.min()), float(pooled.max())
        scaled = np.round(255 * (pooled - low) / max(high - low, 1e-9)).astype(np.uint8)
        seconds = self._config.segment_hop_seconds / _COLUMNS_OF_A_SEGMENT * run
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
        """Join the columns of all segments, without those that repeat: (n, b)."""
        columns = np.concatenate(self._columns)  # (k, 8, b)
        shares = np.ones(len(columns)) if weights is None else weights
        n_stale = _COLUMNS_OF_A_SEGMENT - np.round(_COLUMNS_OF_A_SEGMENT * shares)
        return columns[np.arange(_COLUMNS_OF_A_SEGMENT) >= n_stale[:, None]]

    def _hz(self) -> list[float] | None:
        config = self._config
        if config.kind != "mel":
            return None
        edges = mel_edges(config.n_mels, config.f_min, config.f_max)
        return [round(float(hz), 1) for hz in edges[1:-1]]
