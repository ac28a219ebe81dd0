"""Figures as image files, drawn with matplotlib (the extra ``plot``)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from genrelens.counts import count_of
from genrelens.errors import DataError, MissingExtraError
from genrelens.features import (
    DB_FLOOR,
    FeatureConfig,
    hz_to_mel,
    mel_spectrogram,
    mfcc,
    power_to_db,
    spectrogram,
)
from genrelens.percentages import percent_significant
from genrelens.prediction import Prediction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "check_image_path",
    "image_file",
    "plot_bars",
    "plot_confusion",
    "plot_curves",
    "plot_features",
]

Float32 = NDArray[np.float32]

_COLUMNS = 2500  # about two per pixel
_RANGE_DB = 80.0  # shown below the loudest point; the network has no such limit
_MEL_TICKS = (0, 250, 500, 1000, 2000, 4000, 8000, 16_000)  # Hz


def check_image_path(path: Path) -> None:
    """Check that an image file can be written to ``path``; nothing is written.

    Raises:
        DataError: the file extension is unknown, or the folder is missing or not writable.
        MissingExtraError: matplotlib is not installed.

    """
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot") from error
    extensions = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix[1:].lower() not in extensions:
        raise DataError(
            f"the extension of an image must be one of {', '.join(extensions)}", path=path
        )
    if path.is_dir() or not path.parent.is_dir():
        reason = "is a folder" if path.is_dir() else "its folder is missing"
        raise DataError(reason, path=path)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise DataError("is not writable", path=path)


@contextmanager
def image_file(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of a size in inches, and write it to ``path`` at the end."""
    check_image_path(path)
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Labels are folder names: a $ in them does not start a formula.
    with rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        try:
            figure.savefig(path, dpi=120)
        except (OSError, ValueError) as error:
            raise DataError(f"the image cannot be written ({error})", path=path) from error


# -------------------------------------------------------------------------------- results


def plot_bars(prediction: Prediction, path: Path) -> None:
    """Draw the probabilities of all genres in descending order, with a percentage above each bar.

    Args:
        prediction: of one recording.
        path: of the image; the extension selects the format.

    Raises:
        DataError: the image cannot be written.
        MissingExtraError: matplotlib is not installed.

    Example::

        plot_bars(Classifier.load().classify("song.mp3"), Path("bars.png"))

    """
    labels, probabilities = zip(*prediction.top(), strict=True)
    with image_file(path, max(6.0, 1.1 * len(labels)), 4.5) as figure:
        axes = figure.subplots()
        colours = ["#d08a1d"] + ["#3a78b0"] * (len(labels) - 1)
        bars = axes.bar(range(len(labels)), [100 * p for p in probabilities], color=colours)
        axes.bar_label(bars, [percent_significant(p) for p in probabilities], fontsize=8, padding=2)
        axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
        axes.set(ylabel="probability in %", ylim=(0, 108), yticks=range(0, 101, 20))
        axes.set_title(prediction.headline)
        axes.spines[["top", "right"]].set_visible(False)


def plot_confusion(confusion: ArrayLike, labels: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix with its counts, shaded by the share in the row.

    Args:
        confusion: counts, (n_classes, n_classes); rows true, columns predicted.
        labels: of the classes.
        path: of the image; the extension selects the format.

    Raises:
        DataError: the image cannot be written.
        MissingExtraError: matplotlib is not installed.

    """
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ticks = range(len(labels))
    with image_file(path, 1.7 + 0.46 * len(labels), 1.4 + 0.46 * len(labels)) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
        axes.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, labels)
        axes.set(xlabel="predicted", ylabel="actual")
        axes.set_title(f"{counts.trace()} of {count_of(counts.sum(), 'clip')} right")


def plot_curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw training and validation loss and error over the epochs.

    Args:
        history: one mapping per epoch: ``epoch``, ``train_loss`` in nats, ``train_error`` (share of
            wrong answers) and, with validation, ``val_loss`` and ``val_error``.
        path: of the image; the extension selects the format.

    Raises:
        DataError: the image cannot be written.
        MissingExtraError: matplotlib is not installed.

    """
    with image_file(path, 9, 3.6) as figure:
        for axes, name in zip(figure.subplots(1, 2), ("loss", "error"), strict=True):
            for part, words, style in (("train", "training", "-"), ("val", "validation", "--")):
                points = [
                    (h["epoch"] + 1, h[f"{part}_{name}"]) for h in history if f"{part}_{name}" in h
                ]
                if points:
                    axes.plot(*zip(*points, strict=True), style, label=words)
            axes.set(xlabel="epoch", ylabel=name, title=f"{name.capitalize()} per epoch")
            axes.set_ylim(bottom=0)
            axes.legend()
            axes.grid(alpha=0.3)


# ------------------------------------------------------------------------------- features


def plot_features(
    y: ArrayLike, mel: FeatureConfig, cepstra: FeatureConfig, path: Path, *, offset: float = 0.0
) -> None:
    """Draw waveform, spectrogram, mel spectrogram and MFCCs of a recording in four panels.

    Args:
        y: waveform, (n_samples,), at ``mel.sample_rate``.
        mel: settings of the spectrogram and the mel spectrogram.
        cepstra: settings of the MFCCs; ``y`` is resampled to their rate.
        path: of the image; the extension selects the format.
        offset: time of the first sample in seconds, for the axis.

    Raises:
        DataError: the image cannot be written.
        MissingExtraError: matplotlib is not installed.
        ValueError: ``y`` is not one-dimensional, is empty or is not finite.

    """
    waveform = np.asarray(y, dtype=np.float32)
    power = spectrogram(waveform, n_fft=mel.n_fft, hop_length=mel.hop_length)
    resampled = soxr.resample(waveform, mel.sample_rate, cepstra.sample_rate)
    if not len(resampled):  # at a lower rate, one or two samples can become none
        resampled = waveform
    with image_file(path, 11, 12) as figure:
        # A second column for the colour bars, so that all panels have the same time axis.
        panels = figure.subplots(4, 2, width_ratios=(1, 0.015), sharex="col")
        _draw_waveform(panels[0], waveform, mel.sample_rate, offset)
        _draw_levels(panels[1], _Frames(power, mel, offset), (0, mel.sample_rate / 2))
        panels[1, 0].set(ylabel="frequency in Hz", title="Spectrogram")
        _draw_mel(panels[2], _Frames(mel_spectrogram(waveform, mel), mel, offset), mel)
        _draw_cepstra(panels[3], _Frames(mfcc(resampled, cepstra), cepstra, offset))
        panels[3, 0].set(
            xlabel="time in s", xlim=(offset, offset + len(waveform) / mel.sample_rate)
        )


class _Frames:
    """Frames to draw, averaged in runs so that they fit into an image."""

    def __init__(self, frames: Float32, config: FeatureConfig, offset: float) -> None:
        run = 1 + len(frames) // _COLUMNS
        whole = frames[: len(frames) // run * run]
        self.values = whole.reshape(-1, run, frames.shape[1]).mean(axis=1)  # (n_columns, n_bins)
        hop = config.hop_length / config.sample_rate
        self.times = offset - hop / 2, offset + (len(whole) - 0.5) * hop


def _draw_waveform(panel: Any, waveform: Float32, rate: int, offset: float) -> None:
    """Draw the minimum and maximum of runs of samples; this is fast for any length."""
    axes, beside = panel
    beside.set_axis_off()
    run = 1 + len(waveform) // _COLUMNS
    whole = waveform[: len(waveform) // run * run].reshape(-1, run)
    times = offset + np.arange(len(whole)) * run / rate
    axes.fill_between(times, whole.min(axis=1), whole.max(axis=1), linewidth=0.6, edgecolor="C0")
    limit = 1.05 * max(1.0, float(np.abs(waveform).max()))
    axes.set(ylabel="amplitude", title="Waveform", ylim=(-limit, limit))


def _draw_levels(panel: Any, power: _Frames, rows: tuple[float, float]) -> None:
    """Draw power in dB below its loudest point, from ``rows[0]`` to ``rows[1]`` of the y axis."""
    levels = power_to_db(power.values)
    loudest = float(levels.max())
    if loudest <= DB_FLOOR:  # silence is dark
        loudest += _RANGE_DB
    image = panel[0].imshow(
        (levels - loudest).T,
        extent=(*power.times, *rows),
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-_RANGE_DB,
        vmax=0,
    )
    panel[0].figure.colorbar(image, cax=panel[1], label="dB re loudest point")


def _draw_mel(panel: Any, power: _Frames, config: FeatureConfig) -> None:
    """Draw mel bands at equal distances; label the axis with frequencies in Hz."""
    low, high = hz_to_mel(np.array([config.f_min, config.f_max]))
    _draw_levels(panel, power, (low, high))
    hertz = [tick for tick in _MEL_TICKS if config.f_min <= tick <= config.f_max]
    panel[0].set_yticks(hz_to_mel(np.array(hertz, dtype=np.float64)), map(str, hertz))
    panel[0].set(ylabel="frequency in Hz", title=f"Mel spectrogram, {config.n_mels} bands")


def _draw_cepstra(panel: Any, cepstra: _Frames) -> None:
    """Draw all MFCCs except the first one (the level), which is far larger than the others."""
    n_mfcc = cepstra.values.shape[1]
    first = min(1, n_mfcc - 1)
    shown = cepstra.values[:, first:]
    extent = max(1.0, float(np.abs(shown).max()))
    image = panel[0].imshow(
        shown.T,
        extent=(*cepstra.times, first - 0.5, n_mfcc - 0.5),
        origin="lower",
        aspect="auto",
        cmap="PuOr",
        vmin=-extent,
        vmax=extent,
    )
    panel[0].figure.colorbar(image, cax=panel[1], label="dB")
    omitted = " (0, the level, is omitted)" if first else ""
    panel[0].set(ylabel="coefficient", title=f"MFCC {first} to {n_mfcc - 1}{omitted}")
    panel[0].set_yticks(range(first, n_mfcc, 1 + n_mfcc // 12))
