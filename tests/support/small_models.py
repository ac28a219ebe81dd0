"""Model files that take a moment to make: they tell chords, clicks and noise apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrelens.model_file import StyleTag
from support import tiny


def write_model(folder: Path, *, recurrent: bool = False, **metadata: Any) -> Path:
    """Write a model with windows of five segments.

    A recurrent one listens to the order of the segments; the other one averages them, and knows
    its genres.
    """
    import torch

    from genrelens.train.export import export_model
    from genrelens.train.original.networks import ClipNetwork, MeanOverSegments, SegmentLSTM
    from support.stand_in_models import Scaled, nearest_centroid

    torch.manual_seed(0)
    aggregator = Scaled(SegmentLSTM(n_classes=3), 15) if recurrent else MeanOverSegments()
    path = folder / f"{metadata.get('name', 'tiny')}.onnx"
    network = ClipNetwork(nearest_centroid(), aggregator)
    export_model(network, tiny.metadata(**metadata), path)
    return path


STYLES = (StyleTag("loud", 0.5), StyleTag("soft", 0.25))


def write_listener(folder: Path, **metadata: Any) -> Path:
    """Write the model file of a :class:`listeners.Listener`."""
    from genrelens.train.export import export_model
    from support.stand_in_models import Listener

    values = {"name": "listener", "styles": STYLES, "music_threshold": 0.5, **metadata}
    path = folder / f"{values['name']}.onnx"
    export_model(Listener(), tiny.metadata(**values), path)
    return path
