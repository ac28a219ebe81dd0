"""Model files for tests: they classify chords, clicks and noise without training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrelens.model_file import StyleTag
from support import tiny


def write_model(folder: Path, *, recurrent: bool = False, **metadata: Any) -> Path:
    """Write a model with windows of five segments.

    The output of a recurrent model depends on the order of the segments. The other model averages
    the segments and classifies the genres correctly.
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
    """Write the model file of a :class:`support.stand_in_models.Listener`."""
    from genrelens.train.export import export_model
    from support.stand_in_models import Listener

    values = {"name": "listener", "styles": STYLES, "music_threshold": 0.5, **metadata}
    path = folder / f"{values['name']}.onnx"
    export_model(Listener(), tiny.metadata(**values), path)
    return path
