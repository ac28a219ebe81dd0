"""Predictions without audio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from genrelens.metadata import ModelMetadata
from genrelens.prediction import Prediction
from support import tiny

ONE_SECOND = replace(tiny.MEL, hop_length=100, segment_frames=80, segment_hop=80)  # a segment


def prediction(probabilities: Mapping[str, float], **changes: Any) -> Prediction:
    """A prediction with these genres and, unless changed, one segment of 1 s like the recording.

    Fields of the metadata (``name``, ``sure_threshold`` and so on) can be changed as well.
    """
    row = np.array(list(probabilities.values()))
    metadata = tiny.metadata(ONE_SECOND, labels=tuple(probabilities))
    values: dict[str, Any] = {
        "source": "song.mp3",
        "probabilities": row,
        "segments": row[None],
        "segment_times": np.zeros(1),
        "duration": 1.0,
        "heard": 1.0,
        "level": -20.0,
    }
    own = {each.name for each in fields(Prediction)}
    for name in changes.keys() & set(ModelMetadata.__slots__) - own:
        metadata = replace(metadata, **{name: changes.pop(name)})
    return Prediction(metadata=metadata, **values | changes)
