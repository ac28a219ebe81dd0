"""Figures, drawn with matplotlib (the extra ``plot``). Nothing here shows a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from genrelens.errors import MissingExtraError
from genrelens.features import FeatureConfig, mel_spectrogram, mfcc, power_to_db, spectrogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_curves"]


def plot_curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw loss and error of each epoch, training and validation.

    Args:
        history: one mapping for each epoch: ``epoch``, ``train_loss``, ``train_error`` and, where
            there was validation, ``val_loss`` and ``val_error``.
        path: of the picture; its ending says the format.
    """
    figure = _figure(9, 3.6)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "error"), strict=True):
        for part, words, style in (("train", "training", "-"), ("val", "validation", "--")):
            points = [(h["epoch"] + 1, h[f"{part}_{name}"]) for h in history
                      if f"{part}_{name}" in h]  # fmt: skip
            if points:
                axes.plot(*zip(*points, strict=True), style, label=words)
        axes.set(xlabel="epoch", ylabel=name, title=f"{name.capitalize()} per epoch")
        axes.set_ylim(bottom=0)
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error
    return Figure(figsize=(width, height), layout="constrained")
