"""Train a model: labelled clips and a recipe in, a model file out."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from genrelens.data.folders import LabelledClip
from genrelens.errors import DataError
from genrelens.files import reason, write_text_atomically
from genrelens.metadata import ModelMetadata
from genrelens.train.cache import AudioCheck, FeatureCache, default_cache_dir
from genrelens.train.dataset import class_weights, load_clips
from genrelens.train.export import export_model, replace_metadata
from genrelens.train.held_out import evaluate_model
from genrelens.train.job import Run, class_labels, open_run, run_metadata, training_audio
from genrelens.train.lens.fit import LensTraining
from genrelens.train.original.fit import OriginalTraining

__all__ = ["train"]


def train(run: Run, clips: Sequence[LabelledClip]) -> Path:
    """Train a model, export it, and evaluate the exported file on the validation clips.

    Example::

        from pathlib import Path

        from genrelens.data.folders import read_folder
        from genrelens.data.protocols import random_split
        from genrelens.train import Recipe, Run, train

        clips = random_split(read_folder(Path("my-genres")), seed=1)
        model = train(Run(recipe=Recipe.load("mel-cnn"), folder=Path("runs/mine")), clips)

    Args:
        run: settings of the run.
        clips: clips with their parts; clips in part ``test`` are not opened.

    Returns:
        The path of the model file, ``run.folder / "model.onnx"``.

    Raises:
        DataError: there are fewer than two genres, a genre has no training clip, or
            ``run.folder`` contains another run or cannot be written.
        RecipeError: this machine lacks the hardware, or cannot train the network in the recipe's
            precision.
        KeyboardInterrupt: the user interrupted the run; it can be resumed.

    """
    try:
        return _train(run, clips)
    except OSError as error:
        raise DataError(f"the run cannot be written ({reason(error)})", path=run.folder) from error


def _train(run: Run, clips: Sequence[LabelledClip]) -> Path:
    started = time.monotonic()
    run.hardware.check()
    labels = class_labels(run, clips)
    training = (LensTraining if run.recipe.network == "musicnn" else OriginalTraining)(run)
    run.on_stage("Reading the clips")
    directory, features = run.cache_dir or default_cache_dir(), run.recipe.features
    cache: FeatureCache | AudioCheck = FeatureCache(directory, features)
    if not training.uses_frames:
        cache = AudioCheck(directory, features.sample_rate)
    wanted = [clip for clip in clips if clip.part in ("train", "valid")]
    loaded = load_clips(wanted, labels, cache, on_clip=run.on_clip)
    train_clips, valid_clips = (
        [clip for clip in loaded if clip.clip.part == part] for part in ("train", "valid")
    )
    weights = class_weights(train_clips, labels)
    open_run(run, loaded, labels)
    audio = training_audio(loaded, training.recordings)
    network, set_head, further = training.fit(train_clips, valid_clips, weights)
    metadata = replace(run_metadata(run, loaded, labels, audio, started), **further)
    return _write_model(run, network, set_head, metadata, [clip.clip for clip in valid_clips])


def _write_model(
    run: Run,
    network: nn.Module,
    set_head: nn.Module | None,
    metadata: ModelMetadata,
    valid: Sequence[LabelledClip],
) -> Path:
    """Export a network, evaluate the file, and add figures and temperature to its metadata."""
    run.on_stage("Exporting and evaluating")
    path = run.folder / "model.onnx"
    draft = run.folder / "not-evaluated.onnx"  # only a complete run has a model.onnx
    export_model(network, metadata, draft, set_head)
    metrics, temperature = dict(run.metrics), 1.0
    if valid:
        metrics["valid"], temperature = evaluate_model(draft, valid, run.recipe.network)
    write_text_atomically(run.folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    of_sets = {} if set_head is None else {metadata.window_segments: temperature}
    metadata = replace(metadata, metrics=metrics, temperature=temperature, temperatures=of_sets)
    replace_metadata(draft, metadata, path)
    draft.unlink()
    return path
