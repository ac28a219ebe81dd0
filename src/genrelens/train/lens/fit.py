"""The training of ``lens``: hear all clips once with the frozen network, then fit its heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from torch import nn

from genrelens.audio import load_audio
from genrelens.errors import AudioError, DataError
from genrelens.train.dataset import TrainingClip
from genrelens.train.lens.embeddings import ClipFeatures, Embedder
from genrelens.train.lens.heads import (
    GenreHead,
    HeadModule,
    Lens,
    LensClip,
    feature_statistics,
    fit_music_head,
    head_batches,
    style_thresholds,
)
from genrelens.train.lens.musicnn import Musicnn
from genrelens.train.recipe import Recipe
from genrelens.train.trainer import Hardware, Stage

__all__ = ["FittedLens", "LensInputs", "fit_lens"]

_MUSIC_THRESHOLD = 0.5  # both sides weigh the same in the fit

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LensInputs:
    """What the training takes besides the clips.

    Attributes:
        recipe: of the network ``musicnn``.
        weights: of the frozen network, as
            :func:`~genrelens.train.lens.musicnn_weights.read_musicnn` returns them.
        not_music: recordings that are not music; they are backgrounds, and what the model learns
            not to take for music. None at all make a model that takes all for music.
        more_music: recordings of music of no known genre, so that music unlike the clips is not
            refused.
        folder: of the run.
        cache_dir: of what the frozen network heard.
        hardware: what the training may use.
        on_stage: called with a sentence as each part begins.

    """

    recipe: Recipe
    weights: Mapping[str, Float32]
    not_music: Sequence[Path]
    more_music: Sequence[Path]
    folder: Path
    cache_dir: Path
    hardware: Hardware
    on_stage: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FittedLens:
    """What the training gives.

    Attributes:
        network: segments to genres.
        clip_network: segments to all outputs.
        styles: names of the styles and their thresholds, in the order of the outputs.
        music_threshold: None where there is no such output.

    """

    network: Lens
    clip_network: LensClip
    styles: dict[str, float]
    music_threshold: float | None


def fit_lens(inputs: LensInputs, clips: Sequence[TrainingClip], n_classes: int) -> FittedLens:
    """Train the heads on the clips of one side of a split.

    Raises:
        DataError: a recording cannot be read, or nothing can be cached.

    """
    recipe = inputs.recipe
    pl.seed_everything(recipe.training.seed, verbose=False)
    features = recipe.features
    musicnn = Musicnn(inputs.weights, scale=features.log_scale).eval()
    musicnn.requires_grad_(False)
    embedder = Embedder(
        musicnn,
        features,
        renditions=recipe.head.renditions,
        seconds=recipe.head.rendition_seconds,
        recordings=_recordings(inputs.not_music, features.sample_rate),
        directory=inputs.cache_dir,
    )
    inputs.on_stage("Hearing the clips and their renditions with the frozen network")
    heard = embedder.hear([clip.clip.path for clip in clips])
    kept = [clip for clip in clips if clip.clip.path in heard]
    ours = [heard[clip.clip.path] for clip in kept]
    lens = Lens(musicnn, _fit_genres(inputs, ours, [clip.target for clip in kept], n_classes))
    music: nn.Module | None = None
    if inputs.not_music:
        inputs.on_stage("Fitting what is music")
        more, other = (
            list(embedder.hear(paths).values()) for paths in (inputs.more_music, inputs.not_music)
        )
        music = fit_music_head([*ours, *more], other)
    return FittedLens(
        lens,
        LensClip(lens, music).eval(),
        style_thresholds(musicnn, ours),
        None if music is None else _MUSIC_THRESHOLD,
    )


def _fit_genres(
    inputs: LensInputs, heard: Sequence[ClipFeatures], targets: Sequence[int], n_classes: int
) -> GenreHead:
    inputs.on_stage(f"Training the head of {inputs.recipe.name}")
    config = inputs.recipe.head
    batches = head_batches(heard, targets, config.batch_size)
    mean, std = feature_statistics(batches.features)
    head = GenreHead(mean, std, n_classes=n_classes, config=config)
    steps = config.epochs * len(batches)
    module = HeadModule(head, config, n_classes=n_classes, n_steps=steps)
    stage = Stage(folder=inputs.folder / "head", epochs=config.epochs, hardware=inputs.hardware)
    stage.fit(module, batches, None)
    return head


def _recordings(paths: Sequence[Path], sample_rate: int) -> list[Float64]:
    """Read recordings; one that cannot be read is an error here, for the rest depends on them."""
    try:
        return [load_audio(path, sample_rate=sample_rate).astype(np.float64) for path in paths]
    except AudioError as error:
        raise DataError(f"not-music recordings: {error}") from error
