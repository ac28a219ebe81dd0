"""Figures: the image files, and their content."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from genrelens.errors import DataError, MissingExtraError
from genrelens.features import ORIGINAL_MEL, ORIGINAL_MFCC
from genrelens.plots import (
    check_image_path,
    plot_bars,
    plot_confusion,
    plot_curves,
    plot_features,
)
from genrelens.prediction import Prediction
from support import synth
from support.drawn import figures, ticks
from support.predictions import prediction

__all__ = ["figures"]  # the fixture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RATE = ORIGINAL_MEL.sample_rate


def rising(*labels: str) -> Prediction:
    """A prediction in which each genre is more probable than the one before."""
    total = len(labels) * (len(labels) + 1) / 2
    return prediction({label: rank / total for rank, label in enumerate(labels, 1)})


# -------------------------------------------------------------------------------- results


def test_bars(figures: list[Figure], tmp_path: Path) -> None:
    """As in the original: descending order, percentages of four significant digits, the verdict."""
    plot_bars(rising("jazz", "pop", "rock"), tmp_path / "bars.png")
    axes = figures[0].axes[0]
    assert axes.get_title() == "The predicted genre is: rock"
    assert ticks(axes) == ["rock", "pop", "jazz"]
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([50, 100 / 3, 50 / 3])
    assert [text.get_text() for text in axes.texts] == ["50.00 %", "33.33 %", "16.67 %"]
    assert axes.get_ylim()[1] > 100


@pytest.mark.parametrize(("genres", "width"), [(2, 720), (10, 1320)])
def test_size_of_bars(genres: int, width: int, tmp_path: Path) -> None:
    import matplotlib.image

    plot_bars(rising(*"abcdefghij"[:genres]), tmp_path / "bars.png")
    assert matplotlib.image.imread(tmp_path / "bars.png").shape[:2] == (540, width)


def test_a_dollar_in_a_label_starts_no_formula(figures: list[Figure], tmp_path: Path) -> None:
    plot_bars(rising("$a$", "$\\bad", "{R&B}"), tmp_path / "bars.png")
    assert ticks(figures[0].axes[0]) == ["{R&B}", "$\\bad", "$a$"]


def test_confusion(figures: list[Figure], tmp_path: Path) -> None:
    plot_confusion([[5, 2], [0, 0]], ["jazz", "pop"], tmp_path / "confusion.png")
    axes = figures[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "actual")
    assert ticks(axes, "x") == ticks(axes, "y") == ["jazz", "pop"]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "5", (1, 0): "2", (0, 1): "0", (1, 1): "0"}
    np.testing.assert_allclose(axes.images[0].get_array(), [[5 / 7, 2 / 7], [0, 0]])
    assert axes.get_title() == "5 of 7 clips right"


def test_curves(figures: list[Figure], tmp_path: Path) -> None:
    history = [
        {"epoch": 0, "train_loss": 2.0, "train_error": 0.9, "val_loss": 2.5, "val_error": 0.8},
        {"epoch": 1, "train_loss": 1.0, "train_error": 0.4},
    ]
    plot_curves(history, tmp_path / "curves.png")
    loss, error = figures[0].axes
    lines = [[line.get_xydata().tolist() for line in axes.lines] for axes in (loss, error)]
    assert lines == [
        [[[1, 2.0], [2, 1.0]], [[1, 2.5]]],
        [[[1, 0.9], [2, 0.4]], [[1, 0.8]]],
    ]


# ------------------------------------------------------------------------------- features


def test_features_of_a_tone(figures: list[Figure], tmp_path: Path) -> None:
    """2 s of 1000 Hz that begin 10 s into a recording."""
    import matplotlib.image

    y = synth.sine(1000, 2, RATE)
    plot_features(y, ORIGINAL_MEL, ORIGINAL_MFCC, tmp_path / "look.png", offset=10)
    waveform, spectrum, mel, cepstra = figures[0].axes[::2]
    titles = [axes.get_title() for axes in (waveform, spectrum, mel, cepstra)]
    assert titles == [
        "Waveform",
        "Spectrogram",
        "Mel spectrogram, 128 bands",
        "MFCC 1 to 19 (0, the level, is omitted)",
    ]
    assert [axes.get_ylabel() for axes in (waveform, spectrum, mel, cepstra)] == [
        "amplitude",
        "frequency in Hz",
        "frequency in Hz",
        "coefficient",
    ]
    assert cepstra.get_xlabel() == "time in s"
    assert [axes.get_xlim() for axes in (waveform, spectrum, mel, cepstra)] == [(10, 12)] * 4
    bars = [axes.get_ylabel() for axes in figures[0].axes[3::2]]
    assert bars == ["dB re loudest point", "dB re loudest point", "dB"]
    assert loudest_row(spectrum) == pytest.approx(1000, abs=RATE / ORIGINAL_MEL.n_fft)
    assert loudest_row(mel) == pytest.approx(15, abs=0.5)  # 1000 Hz are 15 mel
    assert dict(zip(ticks(mel, "y"), mel.get_yticks(), strict=True))["1000"] == 15
    assert matplotlib.image.imread(tmp_path / "look.png").shape[:2] == (12 * 30, 11 * 30)


def loudest_row(axes: Axes) -> float:
    """Position on the y axis of the loudest row of an image."""
    image = axes.images[0]
    levels = np.asarray(image.get_array()).mean(axis=1)
    _, _, low, high = image.get_extent()
    return float(low + (levels.argmax() + 0.5) / len(levels) * (high - low))


@pytest.mark.parametrize(
    "y",
    [np.full(1, 0.1), synth.music(0.1, RATE), np.zeros(RATE), 3 * synth.noise(1, RATE)],
    ids=["one sample", "0.1 s", "silence", "beyond full scale"],
)
def test_features_of_extreme_waveforms(figures: list[Figure], y: Any, tmp_path: Path) -> None:
    plot_features(y, ORIGINAL_MEL, ORIGINAL_MFCC, tmp_path / "look.png")
    waveform, spectrum = figures[0].axes[:3:2]
    low, high = waveform.get_ylim()
    assert low < y.min() <= y.max() < high
    levels = np.asarray(spectrum.images[0].get_array())
    assert levels.max() == pytest.approx(0 if y.any() else -80)  # silence is dark


def test_long_recordings_are_averaged(figures: list[Figure], tmp_path: Path) -> None:
    y = synth.noise(70, RATE)
    plot_features(y, ORIGINAL_MEL, ORIGINAL_MFCC, tmp_path / "look.png")
    images = [axes.images[0] for axes in figures[0].axes[2::2]]
    assert all(1200 < image.get_array().shape[1] <= 2500 for image in images)
    ends = [image.get_extent()[1] for image in images]
    assert ends == pytest.approx([70] * 3, abs=0.1)


# ----------------------------------------------------------------------------------- paths

DRAWN: list[Callable[[Path], None]] = [
    check_image_path,
    lambda path: plot_bars(rising("a", "b"), path),
    lambda path: plot_confusion([[1]], ["a"], path),
    lambda path: plot_curves([], path),
    lambda path: plot_features(np.zeros(100), ORIGINAL_MEL, ORIGINAL_MFCC, path),
]


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bars.bmpx", r"bars\.bmpx: the extension of an image must be one of .*png, .*svg"),
        ("bars", "the extension of an image"),
        ("gone/bars.png", "its folder is missing"),
        ("folder.png", "is a folder"),
    ],
)
def test_paths_that_are_refused(
    draw: Callable[[Path], None], name: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DataError, match=words):
        draw(tmp_path / name)


def test_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    def savefig(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", savefig)
    with pytest.raises(DataError, match=r"bars\.png: the image cannot be written .*No space"):
        plot_bars(rising("a", "b"), tmp_path / "bars.png")


def test_folder_that_is_not_writable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(DataError, match="is not writable"):
        check_image_path(tmp_path / "bars.png")


def test_the_check_leaves_no_file(tmp_path: Path) -> None:
    check_image_path(tmp_path / "bars.PNG")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("draw", DRAWN)
def test_without_matplotlib(
    draw: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'genrelens\[plot\]'"):
        draw(tmp_path / "bars.png")
