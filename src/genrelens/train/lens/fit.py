"""Train ``lens``: compute the features of all clips once, then fit the heads to them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrelens.audio import load_audio
from genrelens.data.folders import find_audio, label_set
from genrelens.errors import AudioError, DataError
from genrelens.metadata import StyleTag
from genrelens.train.cache import default_cache_dir
from genrelens.train.dataset import TrainingClip, draw_weights
from genrelens.train.job import Run, window_segments
from genrelens.train.lens.embeddings import ClipFeatures, Embedder, NoisePool, one_thread
from genrelens.train.lens.heads import (
    MUSICNN_STYLES,
    HeadModule,
    JointHead,
    Lens,
    SetNetwork,
    averaged,
    style_thresholds,
)
from genrelens.train.lens.linear import fit_discriminant, fit_music_head, fit_snr_head
from genrelens.train.lens.musicnn import Musicnn
from genrelens.train.lens.musicnn_weights import read_musicnn
from genrelens.train.lens.sets import (
    JointClasses,
    SetBatches,
    Sets,
    clip_weights,
    draw_sets,
    is_microphone,
    joint_classes,
)
from genrelens.train.trainer import fit_module

__all__ = ["LensTraining"]

_MUSIC_THRESHOLD = 0.4  # both classes have the same weight in the fit
_STYLE_THRESHOLD = 0.25  # for styles of the set head, until `genrelens calibrate` fits it
_MUSIC_RUNS = (*[1] * 4, *[3] * 10)  # segments of each set from a recording without a genre
_MUSIC_COPIES = ("plain",)  # copies of clips that are examples of music: those without noise
_OTHER_COPIES = ("plain", "room", "microphone")  # copies of recordings without a genre
_MICROPHONE_WEIGHT = 6.0  # weight of a set from a microphone recording of music; else 1
_LOUDNESS = 0.1  # RMS of a microphone recording in a pool of noise

Float64 = NDArray[np.float64]


class LensTraining:
    """The training of the set head on the frozen network ``musicnn``.

    Args:
        run: settings of the run; its wheel of musicnn is read, and its folder ``not_music`` is
            listed.

    Attributes:
        recordings: recordings used in addition to the clips: other sounds, and further music.
        uses_frames: whether the training uses the frames of the clips; always false, because the
            frozen network computes features of their audio.

    Raises:
        DataError: the wheel is missing or has unexpected content, or the folder of recordings that
            are not music cannot be listed or contains none.

    """

    uses_frames = False

    def __init__(self, run: Run) -> None:
        if run.musicnn is None:
            raise DataError("the network musicnn needs its pre-trained weights: --musicnn FILE")
        self._run = run
        self._weights = read_musicnn(run.musicnn, "MSD_musicnn")
        self._not_music: dict[str, list[Path]] = defaultdict(list)  # by kind: speech and so on
        self._more_music: list[Path] = []
        if run.not_music is not None:
            for path in find_audio(run.not_music):
                kind = path.relative_to(run.not_music).parts[0]
                (self._more_music if kind == "music" else self._not_music[kind]).append(path)
            if not self._not_music:
                raise DataError("contains no recordings", path=run.not_music)
        noises = [path for paths in self._not_music.values() for path in paths]
        self._noises = sorted(noises)
        self.recordings = [*self._noises, *self._more_music]

    def fit(
        self, train: Sequence[TrainingClip], valid: Sequence[TrainingClip], weights: Tensor
    ) -> tuple[Lens, SetNetwork, dict[str, Any]]:
        """Train the heads.

        Args:
            train: clips to train on.
            valid: not used.
            weights: not used.

        Returns:
            The network, the set head, and ``styles`` and ``music_threshold`` for the metadata.

        Raises:
            DataError: a recording cannot be read, or the cache cannot be written.

        """
        features = self._run.recipe.features
        labels = label_set(clip.clip for clip in train)
        pl.seed_everything(self._run.recipe.training.seed, verbose=False)
        musicnn = Musicnn(self._weights, scale=features.log_scale).eval().requires_grad_(False)
        embedder = self._embedder(musicnn)
        self._run.on_stage("Computing the features of the clips with the frozen network")
        embedded = embedder.embed([clip.clip.path for clip in train], self._pools(train))
        kept = [clip for clip in train if clip.clip.path in embedded]
        clips = [embedded[clip.clip.path] for clip in kept]
        sets = self._sets(clips, self._run.recipe.head.run_lengths)
        joint = joint_classes([clip.clip for clip in kept], labels)
        head = self._fit_joint(sets, kept, joint)
        styles = _folder_styles(joint, self._run.recipe.head.styles)
        network = SetNetwork(
            head,
            membership=joint.membership(len(labels)),
            styles=_columns(joint, list(styles.values())),
            penalties=joint.penalties(self._run.recipe.head.data_penalties),
            music=self._fit_music(embedder, kept, clips, head) if self._not_music else None,
            snr=self._fit_snr(sets, kept, head),
        )
        tags = [name for name in MUSICNN_STYLES if name not in styles]
        of_tags = _tag_styles(tags, style_thresholds(musicnn, clips), labels)
        further = {
            "styles": (*of_tags, *_class_styles(joint, styles, labels)),
            "music_threshold": None if network.music is None else _MUSIC_THRESHOLD,
        }
        return Lens(musicnn, tags).eval(), network.eval(), further

    def _embedder(self, musicnn: Musicnn) -> Embedder:
        features, head = self._run.recipe.features, self._run.recipe.head
        return Embedder(
            musicnn,
            features,
            copies=head.copies,
            seconds=head.copy_seconds,
            backgrounds=_waveforms(self._noises, features.sample_rate),
            directory=self._run.cache_dir or default_cache_dir(),
        )

    def _pools(self, train: Sequence[TrainingClip]) -> dict[Path, NoisePool]:
        """Return the microphone recordings for the noise of each clip: those of its own fold.

        Thus no clip has the noise of a recording that another round of a cross-validation tests,
        and the features are the same in all rounds.
        """
        folds = self._run.folds
        microphones: dict[int, list[TrainingClip]] = defaultdict(list)
        for clip in train:
            if is_microphone(clip.clip):
                microphones[folds.get(clip.clip.path, 0)].append(clip)
        pools = {}
        for fold, clips in microphones.items():
            waveforms = _waveforms(
                [c.clip.path for c in clips], self._run.recipe.features.sample_rate
            )
            recordings = [y * (_LOUDNESS / (np.sqrt(np.mean(y**2)) + 1e-9)) for y in waveforms]
            digests = "".join(sorted(clip.digest for clip in clips))
            pools[fold] = NoisePool(hashlib.sha256(digests.encode()).hexdigest()[:8], recordings)
        others = [clip.clip.path for clip in train if not is_microphone(clip.clip)]
        found = {path: pools.get(folds.get(path, 0)) for path in others}
        return {path: pool for path, pool in found.items() if pool is not None}

    def _sets(self, clips: Sequence[ClipFeatures], lengths: Sequence[int]) -> Sets:
        rng = np.random.default_rng(self._run.recipe.training.seed)
        return draw_sets(clips, lengths, rng, most=window_segments(self._run.recipe.features))

    def _fit_joint(
        self, sets: Sets, clips: Sequence[TrainingClip], joint: JointClasses
    ) -> JointHead:
        """Train a head for each seed, and average them to one."""
        run, config = self._run, self._run.recipe.head
        weights = clip_weights([clip.clip for clip in clips], config.class_power)
        weights = weights * draw_weights(clips, config.data_weights)
        batches = SetBatches(sets, joint.targets, weights, config)
        mean, std = batches.statistics()
        heads = []
        for number in range(1, config.networks + 1):
            run.on_stage(f"Training the head of {run.recipe.name} ({number} of {config.networks})")
            pl.seed_everything(run.recipe.training.seed + number, verbose=False)
            head = JointHead(mean, std, n_classes=len(joint.names), config=config)
            n_steps = config.epochs * len(batches)
            with one_thread():  # the head is too small for more
                fit_module(
                    HeadModule(head, config, n_classes=len(joint.names), n_steps=n_steps),
                    batches,
                    None,
                    folder=run.folder / f"head-{number}",
                    hardware=run.hardware,
                    epochs=config.epochs,
                )
            heads.append(head.cpu())
        head = averaged(heads, config)
        if config.discriminant:
            x = (batches.rows.float() - mean) / std
            linear = fit_discriminant(x, batches.classes, batches.weights, len(joint.names))
            head.blend(linear, config.discriminant)
        return head

    def _fit_music(
        self,
        embedder: Embedder,
        clips: Sequence[TrainingClip],
        features: Sequence[ClipFeatures],
        head: JointHead,
    ) -> nn.Linear:
        self._run.on_stage("Fitting the head that separates music from other sounds")
        microphone = np.array([is_microphone(clip.clip) for clip in clips])
        own = self._of_kinds(self._sets(features, (1, 3, 3)), _MUSIC_COPIES)
        weights = np.where(microphone[own.clips], _MICROPHONE_WEIGHT, 1.0)
        music = [(own, weights)]
        if self._more_music:
            more = list(embedder.embed(self._more_music).values())
            further = self._of_kinds(self._sets(more, _MUSIC_RUNS), _OTHER_COPIES)
            music.append((further, np.ones(len(further.rows))))
        other = [
            self._of_kinds(
                self._sets(list(embedder.embed(paths).values()), _MUSIC_RUNS), _OTHER_COPIES
            )
            for paths in self._not_music.values()
        ]
        return fit_music_head(music, other, head.mean, head.std)

    def _of_kinds(self, sets: Sets, kinds: Sequence[str]) -> Sets:
        """Return the sets of the recordings themselves and of copies of some kinds."""
        used = [True, *(kind in kinds for kind in self._run.recipe.head.copies)]
        return sets.select(np.array(used)[sets.copies])

    def _fit_snr(
        self, sets: Sets, clips: Sequence[TrainingClip], head: JointHead
    ) -> nn.Linear | None:
        """Fit the estimate of noise; None if no copy has noise of a known level."""
        if np.isinf(sets.snr).all():
            return None
        self._run.on_stage("Fitting the estimate of the signal-to-noise ratio")
        known = np.array([not is_microphone(clip.clip) for clip in clips])
        return fit_snr_head(sets, known, head.mean, head.std)


def _folder_styles(joint: JointClasses, styles: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    """Return the joint class of each style of the recipe that the data has."""
    found = {}
    for style, folder in styles.items():
        matching = [name for name in joint.names if name[1] == folder]
        if matching:
            found[style] = matching[0]
    return found


def _columns(joint: JointClasses, names: Sequence[tuple[int, str]]) -> Tensor:
    """Return the columns (k, n) that select joint classes."""
    indices = [joint.names.index(name) for name in names]
    return torch.eye(len(joint.names))[:, indices]


def _class_styles(
    joint: JointClasses, styles: Mapping[str, tuple[int, str]], labels: Sequence[str]
) -> list[StyleTag]:
    genre_of = dict(zip(joint.names, joint.genres.tolist(), strict=True))
    parents = {style: labels[genre_of[name]] for style, name in styles.items()}
    return [StyleTag(style, _STYLE_THRESHOLD, parent) for style, parent in parents.items()]


def _tag_styles(
    tags: Sequence[str], thresholds: Mapping[str, float], labels: Sequence[str]
) -> list[StyleTag]:
    parents = {name: MUSICNN_STYLES[name].parent for name in tags}
    return [
        StyleTag(name, thresholds[name], parent if parent in labels else None)
        for name, parent in parents.items()
    ]


def _waveforms(paths: Sequence[Path], sample_rate: int) -> list[Float64]:
    """Decode recordings; raise ``DataError`` if one fails, because the cache depends on all."""
    try:
        return [load_audio(path, sample_rate=sample_rate).astype(np.float64) for path in paths]
    except AudioError as error:
        raise DataError(
            f"a recording for the background noise cannot be read ({error.reason})", path=error.path
        ) from error
