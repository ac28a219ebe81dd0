"""A training run: labelled clips and a recipe in, a model file out."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from genrelens.data.folders import LabelledClip
from genrelens.errors import DataError
from genrelens.files import write_text_atomically
from genrelens.metadata import StyleTag
from genrelens.train.augment import MelAugment
from genrelens.train.cache import FeatureCache, default_cache_dir
from genrelens.train.dataset import (
    ClipDataset,
    SegmentDataset,
    TrainingClip,
    class_weights,
    load_clips,
)
from genrelens.train.export import export_model
from genrelens.train.job import (
    Run,
    class_labels,
    lens_inputs,
    open_run,
    run_metadata,
    training_audio,
)
from genrelens.train.lens.fit import FittedLens, fit_lens
from genrelens.train.measure import measure, window_segments
from genrelens.train.modules import LstmModule, SegmentModule, equal_length_loader
from genrelens.train.original.networks import (
    ClipNetwork,
    MeanOverSegments,
    MelCNN,
    MfccLSTM,
    SegmentLSTM,
)
from genrelens.train.recipe import Recipe
from genrelens.train.trainer import Hardware, Stage

__all__ = ["build_segment_network", "train"]

_ENOUGH_TO_CALIBRATE = 50  # clips; a temperature from fewer is mostly chance


def train(run: Run, clips: Sequence[LabelledClip]) -> Path:
    """Train, measure and export.

    Args:
        run: what to train and where.
        clips: with their part; clips of ``test`` are left alone.

    Returns:
        The path of the model file, ``run.folder / "model.onnx"``.

    Raises:
        DataError: there are fewer than two genres, one has no training clip, ``run.folder``
            holds another run or cannot be written.
        RecipeError: the hardware that was asked for is not there, or cannot train the network in
            the recipe's precision.
        KeyboardInterrupt: the run was stopped; it can be resumed.

    """
    run.hardware.check()
    if run.recipe.network != "musicnn":  # its heads are always trained in 32 bits
        _check_precision(run)
    try:
        return _train(run, clips)
    except OSError as error:
        raise DataError(f"the run cannot be written ({error})", path=run.folder) from error


def _train(run: Run, clips: Sequence[LabelledClip]) -> Path:
    started = time.monotonic()
    recipe = run.recipe
    labels = class_labels(run, clips)
    inputs = lens_inputs(run) if recipe.network == "musicnn" else None
    run.on_stage("Reading the clips")
    cache = FeatureCache(run.cache_dir or default_cache_dir(), recipe.features)
    wanted = [clip for clip in clips if clip.part in ("train", "valid")]
    loaded = load_clips(wanted, labels, cache, on_clip=run.on_clip)
    sides = {
        part: [clip for clip in loaded if clip.clip.part == part] for part in ("train", "valid")
    }
    weights = class_weights(sides["train"], labels)
    open_run(run, loaded, labels)
    beside = () if inputs is None else (*inputs.not_music, *inputs.more_music)
    audio = training_audio(loaded, beside)

    fitted: FittedLens | None = None
    aggregator: nn.Module = MeanOverSegments()
    network: nn.Module
    if inputs is not None:
        fitted = fit_lens(inputs, sides["train"], len(labels))
        network = fitted.network
    else:
        network = _fit_segments(run, sides, labels, weights)
        if recipe.network == "mel-cnn-lstm":
            aggregator = _fit_clips(run, sides, network, labels, weights)
    run.on_stage("Measuring and exporting")
    clip_network = ClipNetwork(network, aggregator).cpu().eval()
    metrics, temperature = _measured(run, clip_network, sides["valid"], len(labels))
    write_text_atomically(run.folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    path = run.folder / "model.onnx"
    metadata = run_metadata(run, loaded, labels, metrics, audio, started)
    metadata = replace(metadata, temperature=temperature)
    if fitted is None:
        export_model(clip_network, metadata, path)
    else:
        styles = tuple(StyleTag(*style) for style in fitted.styles.items())
        metadata = replace(metadata, styles=styles, music_threshold=fitted.music_threshold)
        export_model(fitted.clip_network, metadata, path)
    return path


def _measured(
    run: Run, network: ClipNetwork, clips: Sequence[TrainingClip], n_classes: int
) -> tuple[dict[str, Any], float]:
    """Return the figures on the validation clips, beside those given, and the temperature."""
    metrics = dict(run.metrics)
    if not clips:
        return metrics, 1.0
    recipe = run.recipe
    measured = measure(recipe.network, network, clips, recipe.features, n_classes)
    metrics["valid"] = measured.figures
    enough = len(clips) >= _ENOUGH_TO_CALIBRATE
    return metrics, measured.temperature if enough else 1.0


def build_segment_network(recipe: Recipe, n_classes: int) -> MelCNN | MfccLSTM:
    """Build the untrained segment network of a recipe: (n, t, b) -> (n, c)."""
    features = recipe.features
    if recipe.network == "mfcc-lstm":
        return MfccLSTM(n_classes=n_classes, n_bins=features.n_bins, input_norm=recipe.input_norm)
    return MelCNN(
        n_classes=n_classes,
        segment_frames=features.segment_frames,
        n_bins=features.n_bins,
        input_norm=recipe.input_norm,
    )


# ------------------------------------------------------------------------------- stages


def _check_precision(run: Run) -> None:
    features = run.recipe.features
    segments = torch.zeros(2, features.segment_frames, features.n_bins)
    network = build_segment_network(run.recipe, 2)
    run.hardware.check_precision(network, segments, run.recipe.training.precision)


def _fit_segments(
    run: Run, sides: Mapping[str, list[TrainingClip]], labels: Sequence[str], weights: Tensor
) -> MelCNN | MfccLSTM:
    recipe, training = run.recipe, run.recipe.training
    run.on_stage(f"Training the segment network of {recipe.name}")
    pl.seed_everything(training.seed, verbose=False)
    network = build_segment_network(recipe, len(labels))
    if isinstance(network, MelCNN):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on CPUs
    dataset = SegmentDataset(sides["train"], recipe.features, training.crops_per_clip)
    loader = DataLoader(dataset, batch_size=training.batch_size, shuffle=True, drop_last=True)
    if not len(loader):
        loader = DataLoader(dataset, batch_size=len(dataset), shuffle=True)
    module = SegmentModule(
        network,
        training,
        weights if training.class_weights else None,
        n_classes=len(labels),
        augment=_augment(recipe),
        mixup_alpha=recipe.augment.mixup,
    )
    stage = Stage(
        folder=run.folder / "segments",
        epochs=training.epochs,
        patience=training.patience,
        precision=training.precision,
        ema_decay=training.ema_decay,
        hardware=run.hardware,
    )
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
    pl.seed_everything(run.recipe.training.seed, verbose=False)  # as after a resumed first stage
    network.to(run.hardware.torch_device)
    train = _logits(run.recipe, sides["train"], network, passes=config.passes)
    valid = _logits(run.recipe, sides["valid"], network, passes=1)
    lstm = SegmentLSTM(n_classes=len(labels))
    stage = Stage(
        folder=run.folder / "clips",
        epochs=config.epochs,
        patience=config.patience,
        hardware=Hardware(device="cpu", progress=run.hardware.progress),  # it is tiny
    )
    stage.fit(
        LstmModule(lstm, config, weights if run.recipe.training.class_weights else None),
        equal_length_loader(train, config.batch_size, shuffle=True),
        equal_length_loader(valid, config.batch_size, shuffle=False) if valid else None,
    )
    return lstm


def _augment(recipe: Recipe) -> MelAugment | None:
    if not recipe.augment.changes_segments:
        return None
    return MelAugment(recipe.augment, recipe.features)


def _clip_loader(clips: Sequence[TrainingClip], recipe: Recipe) -> DataLoader[Any] | None:
    if not clips:
        return None
    return DataLoader(ClipDataset(clips, recipe.features), batch_size=None)


@torch.no_grad()
def _logits(
    recipe: Recipe, clips: Sequence[TrainingClip], network: nn.Module, *, passes: int
) -> list[tuple[Tensor, int]]:
    """Run clips through the frozen network: (n, c) logits and the class, for each pass and window.

    The first pass hears each clip as it is; the others start at a random frame and augment it.
    A long clip gives several sequences, of the length that the model will hear at once.
    """
    augment = _augment(recipe)
    dataset = ClipDataset(clips, recipe.features)
    device = next(network.parameters()).device
    sequences: list[tuple[Tensor, int]] = []
    for number in range(passes):
        for index, clip in enumerate(clips):
            offset = int(torch.randint(recipe.features.segment_frames, ())) if number else 0
            segments = dataset.segments(index, offset=offset).to(device)
            if number and augment is not None:
                segments = augment(segments, one_clip=True)
            windows = torch.split(segments, window_segments(recipe.features))
            sequences += [(network(window).cpu(), clip.target) for window in windows]
    return sequences
