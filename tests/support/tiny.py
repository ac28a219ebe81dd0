"""Tiny clips, front ends, recipes and networks for tests of training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from genrelens.data.folders import LabelledClip
from genrelens.features import FeatureConfig
from genrelens.model_file import ModelMetadata

if TYPE_CHECKING:
    from torch import Tensor

    from genrelens.train.dataset import TrainingClip
    from genrelens.train.original.networks import ClipNetwork

RATE = 8000
GENRES = ("chords", "clicks", "noise")
MEL = FeatureConfig(
    kind="mel",
    sample_rate=RATE,
    n_fft=256,
    hop_length=128,
    n_mels=16,
    f_min=0,
    f_max=4000,
    segment_frames=20,
    segment_hop=20,
)
MFCC = FeatureConfig(
    kind="mfcc",
    sample_rate=RATE,
    n_fft=256,
    hop_length=128,
    n_mels=16,
    n_mfcc=8,
    f_min=0,
    f_max=4000,
    segment_frames=20,
    segment_hop=20,
)
LENS = FeatureConfig(
    kind="mel",
    sample_rate=RATE,
    n_fft=1024,
    hop_length=256,
    n_mels=96,
    f_min=0,
    f_max=4000,
    segment_frames=20,
    segment_hop=20,
)

# ------------------------------------------------------------------------------- clips


def sound(genre: str, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Return a waveform of a genre; the genres differ clearly."""
    rng = np.random.default_rng([seed, GENRES.index(genre)])
    time = np.arange(round(seconds * RATE)) / RATE
    if genre == "noise":
        y = 0.2 * rng.standard_normal(len(time))
    elif genre == "clicks":
        y = np.zeros(len(time))
        y[:: rng.integers(600, 900)] = 0.9
    else:
        y = sum(0.2 * np.sin(2 * np.pi * rng.uniform(300, 500) * k * time) for k in (1, 1.25, 1.5))
    return np.asarray(y, np.float32)


def write_clips(folder: Path, *, per_genre: int = 4) -> Path:
    """Write ``folder/genre/genre.N.wav`` of 2 to 3.5 s; return the folder."""
    for genre in GENRES:
        (folder / genre).mkdir(parents=True)
        for number in range(per_genre):
            y = sound(genre, 2 + 0.5 * (number % 4), seed=number)
            soundfile.write(folder / genre / f"{genre}.{number}.wav", y, RATE)
    return folder


def training_clip(
    frames: NDArray[np.float32],
    *,
    target: int = 0,
    label: str = "a",
    part: Any = "train",
    name: str = "clip",
    digest: str = "",
) -> TrainingClip:
    from genrelens.train.dataset import TrainingClip

    clip = LabelledClip(Path(name), label, part)
    return TrainingClip(clip, target, frames, digest or name)


# ----------------------------------------------------------------------------- recipes


def recipe_text(
    network: str = "mel-cnn", *, epochs: int = 2, input_norm: bool = True, **training: Any
) -> str:
    """Return a recipe for tiny clips as TOML."""
    features = {"mfcc-lstm": MFCC, "musicnn": LENS}.get(network, MEL)
    settings = {"epochs": epochs, "batch_size": 8, "crops_per_clip": 4, **training}
    return "\n".join(
        [
            f'network = "{network}"',
            f"input_norm = {str(input_norm).lower()}",
            *["[features]", *_lines(features.to_dict())],
            *["[training]", *_lines(settings)],
            *["[segment_lstm]", "epochs = 2"],
        ]
    )


def _lines(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in table.items()]


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


# ---------------------------------------------------------------------------- networks


def network(name: str, *, n_classes: int = 3, input_norm: bool = True) -> ClipNetwork:
    """Return a random network of one of three kinds, in eval mode, with nontrivial norms."""
    import torch
    from torch import nn

    from genrelens.train.original.networks import (
        ClipNetwork,
        MeanOverSegments,
        MelCNN,
        MfccLSTM,
        SegmentLSTM,
    )

    torch.manual_seed(0)
    segments: nn.Module
    if name == "mfcc-lstm":
        segments = MfccLSTM(n_classes=n_classes, n_bins=MFCC.n_bins, input_norm=input_norm)
    else:
        segments = MelCNN(
            n_classes=n_classes,
            segment_frames=MEL.segment_frames,
            n_bins=MEL.n_bins,
            input_norm=input_norm,
        )
    aggregator = SegmentLSTM(n_classes=n_classes) if name == "mel-cnn-lstm" else MeanOverSegments()
    result = ClipNetwork(segments, aggregator)
    for module in result.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return result.eval()


def metadata(features: FeatureConfig = MEL, **changes: Any) -> ModelMetadata:
    values = {"name": "tiny", "labels": GENRES, "features": features, "window_segments": 5}
    return ModelMetadata(**{**values, **changes})


def random_segments(n: int, features: FeatureConfig = MEL, *, seed: int = 0) -> Tensor:
    """Return random segments (n, t, b) in the range of a front end."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    shape = (n, features.segment_frames, features.n_bins)
    return 10 * torch.rand(shape, generator=generator)
