"""What surrounds a training run: its settings, its folder, and what its model says of it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genrelens.data.folders import LabelledClip, find_audio, label_set
from genrelens.errors import AudioError, DataError
from genrelens.evaluation.provenance import fingerprint_of
from genrelens.files import write_text_atomically
from genrelens.library.digest import audio_digest
from genrelens.metadata import ModelMetadata
from genrelens.train.cache import default_cache_dir
from genrelens.train.dataset import TrainingClip, split_fingerprint
from genrelens.train.lens.fit import LensInputs
from genrelens.train.lens.musicnn_weights import read_musicnn
from genrelens.train.measure import window_segments
from genrelens.train.recipe import Recipe
from genrelens.train.trainer import Hardware
from genrelens.training_audio import TrainingAudio

__all__ = [
    "Run",
    "class_labels",
    "data_fingerprints",
    "lens_inputs",
    "open_run",
    "run_metadata",
    "training_audio",
]

_PARTS = ("train", "valid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Where and how a recipe is trained.

    Attributes:
        recipe: the recipe.
        folder: of the run: checkpoints, curves, ``metrics.json`` and ``model.onnx``.
        model_name: of the model file; None takes the recipe's name.
        label_map: renamings that were applied to the clips; stored in the model.
        resume: go on with a run that was cut off in ``folder``.
        cache_dir: of the features; None takes the user's cache.
        hardware: what the run may use.
        musicnn: the wheel of musicnn 0.1.0, for the network ``musicnn``.
        not_music: folder of recordings that are not music, for the network ``musicnn``; its
            subfolder ``music`` may hold music of no known genre.
        metrics: figures of an earlier run of the same recipe to store in the model, for a run
            without validation clips.
        on_clip: called for each clip that was read, with its error if it could not be.
        on_stage: called with a sentence as each part of the run begins.

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
    metrics: Mapping[str, Any] = field(default_factory=dict)
    on_clip: Callable[[LabelledClip, AudioError | None], None] = lambda clip, error: None
    on_stage: Callable[[str], None] = lambda sentence: None


def class_labels(run: Run, clips: Sequence[LabelledClip]) -> list[str]:
    """Return the classes; refuse now what would not fit into the model file in the end.

    Raises:
        DataError: there are too few classes, or a setting of the run does not go with them.

    """
    labels = label_set(clips)
    if len(labels) < 2:
        found = f"only one genre, {labels[0]!r}" if labels else "no clips"
        raise DataError(f"found {found}; a classifier needs at least two genres")
    unknown = sorted(set(run.label_map.values()) - set(labels))
    if unknown:
        raise DataError(f"a genre was to be renamed {unknown[0]!r}, but no clip has that label")
    try:
        json.dumps(dict(run.metrics), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"the figures of the earlier run do not fit into JSON: {error}") from error
    return labels


def open_run(run: Run, clips: Sequence[TrainingClip], labels: Sequence[str]) -> None:
    """Start a new run in the folder, or check that the one in it is the same.

    Raises:
        DataError: the folder holds a run that is not to be resumed, or another one.

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
        raise DataError("holds a run already; resume it or choose another folder", path=run.folder)
    try:
        found = dict(json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise DataError(f"is damaged ({error}); choose another folder", path=path) from error
    changed = [name for name, value in identity.items() if found.get(name) != value]
    if changed:
        raise DataError(f"holds a run with another {' and '.join(changed)}", path=run.folder)


def training_audio(clips: Sequence[TrainingClip], others: Sequence[Path] = ()) -> TrainingAudio:
    """Hash the recordings that a model learns from.

    Args:
        clips: of the run; those of part ``train`` count.
        others: further recordings, such as those that are not music.

    Raises:
        AudioError: a recording can no longer be read.

    """
    paths = [clip.clip.path for clip in clips if clip.clip.part == "train"]
    return TrainingAudio.of(audio_digest(path) for path in [*paths, *others])


def data_fingerprints(contents: Sequence[tuple[str, LabelledClip]]) -> dict[str, Any]:
    """Return ``fingerprint`` of all clips and ``fingerprints`` of each part.

    They are those of :func:`~genrelens.evaluation.provenance.data_fingerprint`: a report on the
    same clips, or on one part of them, holds the same.

    Args:
        contents: the SHA-256 of each file and its clip.

    """
    parts = {part: [each for each in contents if each[1].part == part] for part in _PARTS}
    return {
        "fingerprint": fingerprint_of(contents),
        "fingerprints": {part: fingerprint_of(of) for part, of in parts.items() if of},
    }


def lens_inputs(run: Run) -> LensInputs:
    """Read and list what a run of the network ``musicnn`` takes besides its clips.

    Raises:
        DataError: the wheel was not given or is not what it should be, or the folder of what is
            not music cannot be listed or holds no recording.

    """
    if run.musicnn is None:
        raise DataError("the network musicnn starts from the weights of musicnn: give its wheel")
    beside = [] if run.not_music is None else find_audio(run.not_music)
    more_music = [path for path in beside if Path(run.not_music or "", "music") in path.parents]
    not_music = [path for path in beside if path not in more_music]
    if run.not_music is not None and not not_music:
        raise DataError("holds no recording", path=run.not_music)
    return LensInputs(
        recipe=run.recipe,
        weights=read_musicnn(run.musicnn, "MSD_musicnn"),
        not_music=not_music,
        more_music=more_music,
        folder=run.folder,
        cache_dir=run.cache_dir or default_cache_dir(),
        hardware=run.hardware,
        on_stage=run.on_stage,
    )


def run_metadata(
    run: Run,
    clips: Sequence[TrainingClip],
    labels: Sequence[str],
    metrics: dict[str, Any],
    audio: TrainingAudio,
    started: float,
) -> ModelMetadata:
    """Describe the model of a run.

    Args:
        run: that made it.
        clips: it was trained and measured on.
        labels: its classes.
        metrics: what was measured.
        audio: the recordings that it learnt from, see :func:`training_audio`.
        started: when the run did, by ``time.monotonic``.

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
        metrics=metrics,
    )
