"""A training run: labelled clips and a recipe in, a model file out."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from genrelens.artifact import ModelMetadata
from genrelens.datasets import LabelledClip, label_set
from genrelens.errors import AudioError, DataError
from genrelens.metrics import accuracy, confusion_matrix, macro_recall, wilson_interval
from genrelens.train.augment import AugmentConfig, MelAugment
from genrelens.train.cache import FeatureCache, default_cache_dir
from genrelens.train.data import (
    ClipDataset,
    SegmentDataset,
    TrainingClip,
    class_weights,
    fingerprint,
    load_clips,
)
from genrelens.train.export import export_model
from genrelens.train.modules import LstmModule, SegmentModule, equal_length_loader
from genrelens.train.networks import ClipNetwork, MeanOverSegments, MelCNN, MfccLSTM, SegmentLSTM
from genrelens.train.recipe import Recipe
from genrelens.train.stage import Hardware, Stage

__all__ = ["Run", "build_segment_network", "train"]

_WINDOW_SECONDS = 30.0  # what the recordings of GTZAN last, and the original's LSTM heard


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
    hardware: Hardware = Hardware()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    on_clip: Callable[[LabelledClip, AudioError | None], None] = lambda clip, error: None
    on_stage: Callable[[str], None] = lambda sentence: None


def train(run: Run, clips: Sequence[LabelledClip]) -> Path:
    """Train, measure and export.

    Args:
        run: what to train and where.
        clips: with their part; clips of ``test`` are left alone.

    Returns:
        The path of the model file, ``run.folder / "model.onnx"``.

    Raises:
        DataError: there are fewer than two genres, one has no training clip, or ``run.folder``
            holds another run.
        KeyboardInterrupt: the run was stopped; it can be resumed.
    """
    started = time.monotonic()
    pl.seed_everything(run.recipe.training.seed, verbose=False)
    labels = label_set(clips)
    if len(labels) < 2:
        raise DataError(f"found only one genre, {labels[0]!r}; a classifier needs at least two")
    run.on_stage("Reading the clips")
    cache = FeatureCache(run.cache_dir or default_cache_dir(), run.recipe.features)
    wanted = [clip for clip in clips if clip.part in ("train", "valid")]
    loaded = load_clips(wanted, labels, cache, on_clip=run.on_clip)
    sides = {
        part: [clip for clip in loaded if clip.clip.part == part] for part in ("train", "valid")
    }
    _open_run(run, loaded, labels)
    weights = class_weights(sides["train"], len(labels))

    network = _fit_segments(run, sides, labels, weights)
    aggregator: nn.Module = MeanOverSegments()
    if run.recipe.network == "mel-cnn-lstm":
        aggregator = _fit_clips(run, sides, network, labels, weights)
    run.on_stage("Measuring and exporting")
    clip_network = ClipNetwork(network, aggregator).eval()
    metrics = dict(run.metrics)
    if sides["valid"]:
        metrics["valid"] = _measure(clip_network, sides["valid"], run.recipe, labels)
    (run.folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    path = run.folder / "model.onnx"
    export_model(clip_network, _metadata(run, loaded, labels, metrics, started), path)
    return path


def build_segment_network(recipe: Recipe, n_classes: int) -> MelCNN | MfccLSTM:
    """Build the untrained segment network of a recipe: (n, t, b) -> (n, c)."""
    features = recipe.features
    if recipe.network == "mfcc-lstm":
        return MfccLSTM(
            n_classes=n_classes, n_bins=features.n_bins, input_norm=recipe.input_norm
        )
    return MelCNN(
        n_classes=n_classes, segment_frames=features.segment_frames, n_bins=features.n_bins,
        input_norm=recipe.input_norm,
    )  # fmt: skip


def _open_run(run: Run, clips: Sequence[TrainingClip], labels: Sequence[str]) -> None:
    """Start a new run in the folder, or check that the one in it is the same."""
    identity = {
        "recipe": run.recipe.to_dict(), "labels": list(labels), "data": fingerprint(clips)
    }  # fmt: skip
    path = run.folder / "run.json"
    text = json.dumps(identity, indent=1) + "\n"
    if path.exists():
        if not run.resume:
            raise DataError(f"{run.folder}: holds a run already; resume it or choose another folder")
        if path.read_text() != text:
            raise DataError(f"{run.folder}: holds a run of another recipe or other data")
        return
    run.folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# ------------------------------------------------------------------------------- stages


def _fit_segments(
    run: Run, sides: Mapping[str, list[TrainingClip]], labels: Sequence[str], weights: Tensor
) -> MelCNN | MfccLSTM:
    recipe, training = run.recipe, run.recipe.training
    run.on_stage(f"Training the segment network of {recipe.name}")
    network = build_segment_network(recipe, len(labels))
    if isinstance(network, MelCNN):
        network.to(memory_format=torch.channels_last)  # a fifth faster on a CPU
    dataset = SegmentDataset(sides["train"], recipe.features, training.crops_per_clip)
    loader = DataLoader(dataset, batch_size=training.batch_size, shuffle=True, drop_last=True)
    if not len(loader):
        loader = DataLoader(dataset, batch_size=len(dataset), shuffle=True)
    module = SegmentModule(
        network, training, weights if training.class_weights else None, _augment(recipe),
        recipe.augment.mixup,
    )  # fmt: skip
    stage = Stage(
        folder=run.folder / "segments", epochs=training.epochs, patience=training.patience,
        precision=training.precision, ema_decay=training.ema_decay, hardware=run.hardware,
    )  # fmt: skip
    stage.fit(module, loader, _clip_loader(sides["valid"], recipe))
    return network


def _fit_clips(
    run: Run,
    sides: Mapping[str, list[TrainingClip]],
    network: nn.Module,
    labels: Sequence[str],
    weights: Tensor,
) -> SegmentLSTM:
    config = run.recipe.segment_lstm
    run.on_stage("Training the LSTM over the segments' logits")
    train = _logits(run.recipe, sides["train"], network, passes=config.passes)
    valid = _logits(run.recipe, sides["valid"], network, passes=1)
    lstm = SegmentLSTM(n_classes=len(labels))
    stage = Stage(
        folder=run.folder / "clips", epochs=config.epochs, patience=config.patience,
        hardware=Hardware(device="cpu", progress=run.hardware.progress),  # it is tiny
    )  # fmt: skip
    stage.fit(
        LstmModule(lstm, config, weights if run.recipe.training.class_weights else None),
        equal_length_loader(train, config.batch_size, shuffle=True),
        equal_length_loader(valid, config.batch_size, shuffle=False) if valid else None,
    )
    return lstm


def _augment(recipe: Recipe) -> MelAugment | None:
    unchanged = recipe.augment == AugmentConfig(mixup=recipe.augment.mixup)
    return None if unchanged else MelAugment(recipe.augment, recipe.features)


def _clip_loader(clips: Sequence[TrainingClip], recipe: Recipe) -> DataLoader[Any] | None:
    if not clips:
        return None
    return DataLoader(ClipDataset(clips, recipe.features), batch_size=None)


@torch.inference_mode()
def _logits(
    recipe: Recipe, clips: Sequence[TrainingClip], network: nn.Module, *, passes: int
) -> list[tuple[Tensor, int]]:
    """Run clips through the frozen network: (n, c) logits and the class, for each pass.

    The first pass hears each clip as it is; the others start at a random frame and augment it.
    """
    augment = _augment(recipe)
    dataset = ClipDataset(clips, recipe.features)
    device = next(network.parameters()).device
    sequences = []
    for number in range(passes):
        for index, clip in enumerate(clips):
            offset = int(torch.randint(recipe.features.segment_frames, ())) if number else 0
            segments = dataset.segments(index, offset=offset).to(device)
            if number and augment is not None:
                segments = augment(segments, one_clip=True)
            sequences.append((network(segments).cpu().clone(), clip.target))
    return [(logits.detach().clone(), target) for logits, target in sequences]


# ------------------------------------------------------------------------------ results


@torch.inference_mode()
def _measure(
    network: ClipNetwork, clips: Sequence[TrainingClip], recipe: Recipe, labels: Sequence[str]
) -> dict[str, Any]:
    """Figures on clips: of the clip logits, and of the plain mean over segments beside them."""
    network.cpu()
    mean = MeanOverSegments()
    predictions: dict[str, list[int]] = {recipe.network: [], "mean over segments": []}
    for segments, _ in ClipDataset(clips, recipe.features):  # type: ignore[attr-defined]
        clip_logits, segment_logits = network(segments)
        predictions[recipe.network].append(int(clip_logits.argmax()))
        predictions["mean over segments"].append(int(mean(segment_logits.unsqueeze(0)).argmax()))
    targets = [clip.target for clip in clips]
    return {
        name: _figures(confusion_matrix(targets, predicted, len(labels)))
        for name, predicted in predictions.items()
    }


def _figures(confusion: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any]:
    n = int(confusion.sum())
    return {
        "n": n,
        "accuracy": accuracy(confusion),
        "accuracy_interval": wilson_interval(int(np.trace(confusion)), n),
        "macro_recall": macro_recall(confusion),
        "confusion": confusion.tolist(),
    }


def _metadata(
    run: Run,
    clips: Sequence[TrainingClip],
    labels: Sequence[str],
    metrics: dict[str, Any],
    started: float,
) -> ModelMetadata:
    features = run.recipe.features
    counts = Counter((str(clip.clip.part), clip.clip.label) for clip in clips)
    provenance = {
        "recipe": run.recipe.to_dict(),
        "data": {
            "fingerprint": fingerprint(clips),
            "clips": {
                part: {label: counts[part, label] for label in labels}
                for part in ("train", "valid")
            },
        },
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
        window_segments=max(1, int(_WINDOW_SECONDS / features.segment_hop_seconds)),
        provenance=provenance,
        metrics=metrics,
    )
