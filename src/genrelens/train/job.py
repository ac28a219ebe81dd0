"""A training run: its settings, its folder, and the metadata of its model."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genrelens.counts import count_of
from genrelens.data.folders import LabelledClip, label_set
from genrelens.errors import AudioError, DataError
from genrelens.evaluation.provenance import fingerprint_of
from genrelens.features import FeatureConfig
from genrelens.files import reason, write_text_atomically
from genrelens.library.digest import audio_digest
from genrelens.metadata import ModelMetadata
from genrelens.train.dataset import TrainingClip, split_fingerprint
from genrelens.train.recipe import Recipe, with_defaults
from genrelens.train.trainer import Hardware
from genrelens.training_audio import TrainingAudio

__all__ = [
    "Run",
    "check_identity",
    "class_labels",
    "data_fingerprints",
    "open_run",
    "run_metadata",
    "training_audio",
    "window_segments",
]

_PARTS = ("train", "valid")
_WINDOW_SECONDS = 30.0  # length of GTZAN's recordings, and of the original LSTM's input


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Settings of a training run.

    Example::

        from pathlib import Path

        from genrelens.train import Hardware, Recipe, Run

        run = Run(
            recipe=Recipe.load("mel-cnn"),
            folder=Path("runs/mine"),
            hardware=Hardware(device="cpu"),
            on_stage=print,
        )

    Attributes:
        recipe: the recipe.
        folder: folder of the run, for checkpoints, curves, ``metrics.json`` and ``model.onnx``.
        model_name: name of the model; None uses the name of the recipe.
        label_map: renamings that were applied to the clips; stored in the model. See
            :func:`~genrelens.data.relabel.applied_label_map`.
        resume: whether an interrupted run in ``folder`` is continued.
        cache_dir: folder for cached features; None uses the user's cache.
        hardware: the hardware to use.
        musicnn: wheel of musicnn 0.1.0; required by the network ``musicnn``, not used by others.
        not_music: folder of recordings that are not music; only for the network ``musicnn``. Its
            subfolder ``music`` can contain music without a known genre.
        folds: number of the fold of each clip; only for the network ``musicnn``, which mixes noise
            of microphone recordings only into clips of the same fold. Empty: one fold.
        metrics: figures of an earlier run of the same recipe, stored in the model if this run has
            no validation clips.
        on_clip: called for each clip, with its error if it cannot be read.
        on_stage: called with a description when a stage of the run begins.

    """

    recipe: Recipe
    folder: Path
    model_name: str | None = None
    label_map: Mapping[str, str] = field(default_factory=dict)
    resume: bool = False
    cache_dir: Path | None = None
    hardware: Hardware = field(default_factory=Hardware)
    musicnn: Path | None = None
    not_music: Path | None = None
    folds: Mapping[Path, int] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    on_clip: Callable[[LabelledClip, AudioError | None], None] = lambda clip, error: None
    on_stage: Callable[[str], None] = lambda sentence: None


def class_labels(run: Run, clips: Sequence[LabelledClip]) -> list[str]:
    """Return the classes; check at the start that the model file can be written at the end.

    Raises:
        DataError: there are fewer than two classes, or a setting of the run does not fit them.

    """
    labels = label_set(clips)
    if len(labels) < 2:
        found = f"only one genre, {labels[0]!r}" if labels else "no clips"
        raise DataError(f"found {found}; a classifier needs at least two genres")
    unknown = sorted(set(run.label_map.values()) - set(labels))
    if unknown:
        raise DataError(f"no clip has the label {unknown[0]!r} that a genre is renamed to")
    _check_data_weights(run, clips)
    try:
        json.dumps(dict(run.metrics), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the figures of the earlier run cannot be written as JSON: {error}"
        ) from error
    return labels


def _check_data_weights(run: Run, clips: Sequence[LabelledClip]) -> None:
    weights = run.recipe.head.data_weights
    n_sources = 1 + max(clip.source for clip in clips)
    if weights and len(weights) != n_sources > 1:
        raise DataError(
            f"the recipe {run.recipe.name} has data_weights for "
            f"{count_of(len(weights), 'folder')}, and the clips are from {n_sources}: give the "
            "folders in the order of the weights, or change [head] data_weights in a copy of the "
            "recipe"
        )


def open_run(run: Run, clips: Sequence[TrainingClip], labels: Sequence[str]) -> None:
    """Start a new run in the folder, or check that the run in it is the same.

    Raises:
        DataError: the folder contains another run, or a run and ``run.resume`` is not set.

    """
    identity = {
        "recipe": run.recipe.to_dict(),
        "labels": list(labels),
        "data": split_fingerprint(clips),
    }
    path = run.folder / "run.json"
    if not path.exists():
        run.folder.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, json.dumps(identity, indent=1) + "\n")
        return
    if not run.resume:
        raise DataError(
            "already contains a run; resume it (--resume) or choose another folder", path=run.folder
        )
    check_identity(path, identity, "run")


def check_identity(path: Path, identity: Mapping[str, Any], kind: str) -> None:
    """Check that a file contains the identity of a run or of a part of it.

    The recipe's description may differ. The file of an older version lacks the settings that were
    introduced after it; they count as defaults.

    Args:
        path: the file, in the folder of the run.
        identity: the expected content.
        kind: name of the kind of run, for the message.

    Raises:
        DataError: the file is damaged or contains another identity.

    """
    try:
        found = _comparable(json.loads(path.read_text()))
    except (AttributeError, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"is damaged ({reason(error)}); choose another folder", path=path
        ) from error
    expected = _comparable(identity)
    changed = [name for name, value in expected.items() if found.get(name) != value]
    if changed:
        raise DataError(
            f"contains a {kind} with another {' and '.join(changed)}; choose another folder",
            path=path.parent,
        )


def _comparable(identity: Mapping[str, Any]) -> dict[str, Any]:
    recipe = with_defaults(identity.get("recipe", {}))
    recipe.pop("description", None)
    comparable: dict[str, Any] = json.loads(json.dumps({**identity, "recipe": recipe}))
    return comparable  # as JSON, because tuples become lists


# ------------------------------------------------------------ the metadata of the model


def window_segments(features: FeatureConfig) -> int:
    """Return the number of segments in a window of a model, about 30 s."""
    return max(1, int(_WINDOW_SECONDS / features.segment_hop_seconds))


def training_audio(clips: Sequence[TrainingClip], others: Sequence[Path] = ()) -> TrainingAudio:
    """Return the digests of the recordings that a model is trained on.

    Args:
        clips: clips of the run; only those in part ``train`` are included.
        others: further recordings, such as those that are not music.

    Raises:
        AudioError: a recording can no longer be read.

    """
    paths = [clip.clip.path for clip in clips if clip.clip.part == "train"]
    return TrainingAudio.of(audio_digest(path) for path in [*paths, *others])


def data_fingerprints(contents: Sequence[tuple[str, LabelledClip]]) -> dict[str, Any]:
    """Return ``fingerprint`` of all clips and ``fingerprints`` of each part.

    These are values of :func:`~genrelens.evaluation.provenance.data_fingerprint`. A report on the
    same clips, or on one part of them, contains the same fingerprint.

    Args:
        contents: the SHA-256 of each file and its clip.

    """
    parts = {part: [each for each in contents if each[1].part == part] for part in _PARTS}
    return {
        "fingerprint": fingerprint_of(contents),
        "fingerprints": {part: fingerprint_of(of) for part, of in parts.items() if of},
    }


def run_metadata(
    run: Run,
    clips: Sequence[TrainingClip],
    labels: Sequence[str],
    audio: TrainingAudio,
    started: float,
) -> ModelMetadata:
    """Return the metadata of the model of a run, without figures.

    Args:
        run: the run.
        clips: clips that the model is trained and evaluated on.
        labels: the classes.
        audio: digests of the training recordings, see :func:`training_audio`.
        started: start of the run, from ``time.monotonic()``.

    """
    features = run.recipe.features
    counts = Counter((str(clip.clip.part), clip.clip.label) for clip in clips)
    provenance = {
        "recipe": run.recipe.to_dict(),
        "data": {
            **data_fingerprints([(clip.digest, clip.clip) for clip in clips]),
            "clips": {part: {label: counts[part, label] for label in labels} for part in _PARTS},
        },
        **audio.to_provenance(),
        "versions": {name: version(name) for name in ("genrelens", "torch", "pytorch-lightning")},
        "date": time.strftime("%Y-%m-%d"),
        "wall_seconds": round(time.monotonic() - started),
    }
    return ModelMetadata(
        name=run.model_name or run.recipe.name,
        description=run.recipe.description,
        labels=tuple(labels),
        label_map=dict(run.label_map),
        features=features,
        window_segments=window_segments(features),
        provenance=provenance,
    )
