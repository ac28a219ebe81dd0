"""Train ``lens``: compute the features of all clips once, then fit the heads to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from torch import Tensor, nn

from genrelens.audio import load_audio
from genrelens.data.folders import find_audio
from genrelens.errors import AudioError, DataError
from genrelens.metadata import StyleTag
from genrelens.train.cache import default_cache_dir
from genrelens.train.dataset import TrainingClip, draw_weights
from genrelens.train.job import Run
from genrelens.train.lens.embeddings import ClipFeatures, Embedder
from genrelens.train.lens.heads import (
    GenreHead,
    HeadBatches,
    HeadModule,
    Lens,
    fit_music_head,
    style_thresholds,
)
from genrelens.train.lens.musicnn import Musicnn
from genrelens.train.lens.musicnn_weights import read_musicnn
from genrelens.train.trainer import fit_module

__all__ = ["LensTraining"]

_MUSIC_THRESHOLD = 0.5  # both classes have the same weight in the fit

Float64 = NDArray[np.float64]


class LensTraining:
    """The training of the heads on the frozen network ``musicnn``.

    Args:
        run: settings of the run; its wheel of musicnn is read, and its folder ``not_music`` is
            listed.

    Attributes:
        recordings: recordings used in addition to the clips: other sounds, and further music.

    Raises:
        DataError: the wheel is missing or has unexpected content, or the folder of recordings that
            are not music cannot be listed or contains none.

    """

    def __init__(self, run: Run) -> None:
        if run.musicnn is None:
            raise DataError("the network musicnn needs its pre-trained weights: --musicnn FILE")
        self._run = run
        self._weights = read_musicnn(run.musicnn, "MSD_musicnn")
        self._not_music: list[Path] = []
        self._more_music: list[Path] = []
        if run.not_music is not None:
            for path in find_audio(run.not_music):
                is_music = run.not_music / "music" in path.parents
                (self._more_music if is_music else self._not_music).append(path)
            if not self._not_music:
                raise DataError("contains no recordings", path=run.not_music)
        self.recordings = [*self._not_music, *self._more_music]

    def fit(
        self, train: Sequence[TrainingClip], valid: Sequence[TrainingClip], weights: Tensor
    ) -> tuple[Lens, dict[str, Any]]:
        """Train the heads.

        Args:
            train: clips to train on.
            valid: not used.
            weights: weights of the classes, (n_classes,); only their number is used.

        Returns:
            The network, and its ``styles`` and ``music_threshold`` for the metadata.

        Raises:
            DataError: a recording cannot be read, or the cache cannot be written.

        """
        features, head = self._run.recipe.features, self._run.recipe.head
        pl.seed_everything(self._run.recipe.training.seed, verbose=False)
        musicnn = Musicnn(self._weights, scale=features.log_scale).eval().requires_grad_(False)
        embedder = Embedder(
            musicnn,
            features,
            copies=head.renditions,
            seconds=head.rendition_seconds,
            backgrounds=_waveforms(self._not_music, features.sample_rate),
            directory=self._run.cache_dir or default_cache_dir(),
        )
        self._run.on_stage("Computing the features of the clips with the frozen network")
        embedded = embedder.embed([clip.clip.path for clip in train])
        kept = [clip for clip in train if clip.clip.path in embedded]
        clips = [embedded[clip.clip.path] for clip in kept]
        genres = self._fit_genres(kept, clips, len(weights))
        music = self._fit_music(embedder, clips) if self._not_music else None
        thresholds = style_thresholds(musicnn, clips)
        return Lens(musicnn, genres, music).eval(), {
            "styles": tuple(StyleTag(*style) for style in thresholds.items()),
            "music_threshold": None if music is None else _MUSIC_THRESHOLD,
        }

    def _fit_genres(
        self, clips: Sequence[TrainingClip], features: Sequence[ClipFeatures], n_classes: int
    ) -> GenreHead:
        self._run.on_stage(f"Training the head of {self._run.recipe.name}")
        config = self._run.recipe.head
        batches = HeadBatches(
            features,
            [clip.target for clip in clips],
            config.batch_size,
            draw_weights(clips, config.data_weights),
        )
        head = GenreHead(*batches.statistics(), n_classes=n_classes, config=config)
        n_steps = config.epochs * len(batches)
        fit_module(
            HeadModule(head, config, n_classes=n_classes, n_steps=n_steps),
            batches,
            None,
            folder=self._run.folder / "head",
            hardware=self._run.hardware,
            epochs=config.epochs,
        )
        return head

    def _fit_music(self, embedder: Embedder, clips: Sequence[ClipFeatures]) -> nn.Linear:
        self._run.on_stage("Fitting the head that separates music from other sounds")
        more, other = (
            list(embedder.embed(paths).values()) for paths in (self._more_music, self._not_music)
        )
        return fit_music_head([*clips, *more], other)


def _waveforms(paths: Sequence[Path], sample_rate: int) -> list[Float64]:
    """Decode recordings; raise ``DataError`` if one fails, because the cache depends on all."""
    try:
        return [load_audio(path, sample_rate=sample_rate).astype(np.float64) for path in paths]
    except AudioError as error:
        raise DataError(
            f"a recording that is not music cannot be read ({error.reason})", path=error.path
        ) from error
