"""The metadata of a model, and their JSON in the model file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from genrelens.errors import require
from genrelens.features import FeatureConfig

__all__ = ["FORMAT_VERSION", "ModelMetadata", "StyleTag"]

FORMAT_VERSION = 2
"""The version that is written. Version 1 has no styles, thresholds or segment temperature."""

_READABLE_VERSIONS = (1, 2)


@dataclass(frozen=True, slots=True)
class StyleTag:
    """A style that a model predicts.

    Attributes:
        name: of the style.
        threshold: in (0, 1); from this probability on, a recording has the style.

    """

    name: str
    threshold: float

    def __post_init__(self) -> None:
        require(bool(self.name), "a style needs a name")
        _require_fraction(f"the threshold of style {self.name!r}", self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """The metadata of a model.

    Attributes:
        name: of the model.
        description: a sentence for people.
        license: SPDX identifier of the weights' licence.
        labels: the genres, in the order of the logits.
        label_map: labels of the data -> labels of the model, for instance ``{"blues": "jazz"}``.
        styles: in the order of the style logits; empty if the model has none.
        features: the front end.
        window_segments: number of segments in a window. A longer recording is split into windows,
            and their probabilities are averaged.
        temperature: the logits of a clip are divided by it before the softmax; it calibrates the
            probabilities.
        segment_temperature: the same for the logits of a segment.
        music_threshold: in (0, 1); below this probability of music the verdict is "not music".
            None if the model has no music logits.
        sure_threshold: in [0, 1); below this probability of the most probable genre the verdict is
            "not sure". None: never. ``metrics`` has the coverage and accuracy at this threshold.
        provenance: recipe, data, versions and dates of the training.
        metrics: measured quality; protocol -> figures.
        format_version: of the file that was read; the newest is written.

    Raises:
        ValueError: a value is out of range; the message names it.

    Example::

        metadata = Classifier.load().metadata
        metadata.labels, metadata.license, metadata.features.sample_rate

    """

    name: str
    description: str = ""
    license: str = "MIT"
    labels: tuple[str, ...]
    label_map: dict[str, str] = field(default_factory=dict)
    styles: tuple[StyleTag, ...] = ()
    features: FeatureConfig
    window_segments: int
    temperature: float = 1.0
    segment_temperature: float = 1.0
    music_threshold: float | None = None
    sure_threshold: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        require(bool(self.name), "a model needs a name")
        require(len(self.labels) >= 2, "a model needs at least 2 labels")
        require(len(set(self.labels)) == len(self.labels), "the labels are not distinct")
        unknown = sorted(set(self.label_map.values()) - set(self.labels))
        require(not unknown, f"the label map has unknown labels: {', '.join(unknown)}")
        names = {style.name for style in self.styles}
        require(len(names) == len(self.styles), "the styles are not distinct")
        require(self.window_segments >= 1, f"window_segments={self.window_segments} is below 1")
        for name in ("temperature", "segment_temperature"):
            value = getattr(self, name)
            require(math.isfinite(value) and value > 0, f"{name}={value} must be positive")
        if self.music_threshold is not None:
            _require_fraction("music_threshold", self.music_threshold)
        if self.sure_threshold is not None:
            sure = self.sure_threshold
            require(0 <= sure < 1, f"sure_threshold={sure} must be at least 0 and below 1")

    def to_json(self) -> str:
        """Return the metadata as JSON.

        Raises:
            ValueError: a number is not finite.

        """
        values = {**asdict(self), "format_version": FORMAT_VERSION}
        return json.dumps(values, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read metadata from JSON, also from that of former versions.

        Raises:
            ValueError: the text is not JSON, or a value is missing, unknown or out of range.

        """
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"its metadata is not JSON: {error}") from error
        require(isinstance(values, dict), "its metadata is not a JSON object")
        _check_version(values.get("format_version"))
        _check_fields(values)
        own = {
            "labels": tuple(values["labels"]),
            "styles": tuple(_style(each) for each in values.get("styles", ())),
            "features": FeatureConfig.from_dict(values["features"]),
        }
        return cls(**{**values, **own})


_NUMBER = (int, float)
_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "description": str,
    "license": str,
    "labels": list,
    "label_map": dict,
    "styles": list,
    "features": dict,
    "window_segments": int,
    "temperature": _NUMBER,
    "segment_temperature": _NUMBER,
    "music_threshold": (*_NUMBER, type(None)),
    "sure_threshold": (*_NUMBER, type(None)),
    "provenance": dict,
    "metrics": dict,
    "format_version": int,
}
_REQUIRED = ("name", "labels", "features", "window_segments")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it contains {name}")


def _check_version(version: Any) -> None:
    newer = isinstance(version, int) and version > FORMAT_VERSION
    known = " and ".join(map(str, _READABLE_VERSIONS))
    require(
        version in _READABLE_VERSIONS,
        f"its format version is {version!r}, and this genrelens reads versions {known}"
        + (": update genrelens" if newer else ""),
    )


def _check_fields(values: Mapping[str, Any]) -> None:
    """Check that metadata from JSON have all required fields, no unknown ones, and right types."""
    unknown = sorted(set(values) - set(_JSON_TYPES))
    require(not unknown, f"unknown metadata: {', '.join(unknown)}")
    missing = [name for name in _REQUIRED if name not in values]
    require(not missing, f"incomplete metadata: {', '.join(missing)} missing")
    for name, value in values.items():
        require(_is_a(value, _JSON_TYPES[name]), f"wrong metadata: {name}={value!r}")
    labels = [*values["labels"], *values.get("label_map", {}).values()]
    wrong = [label for label in labels if not (isinstance(label, str) and label)]
    require(not wrong, f"wrong metadata: a label is a text that is not empty, not {wrong}")


def _style(value: Any) -> StyleTag:
    is_style = (
        isinstance(value, dict)
        and set(value) == {"name", "threshold"}
        and _is_a(value["name"], str)
        and _is_a(value["threshold"], _NUMBER)
    )
    require(is_style, f"wrong metadata: a style has a name and a threshold, not {value!r}")
    return StyleTag(**value)


def _is_a(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)  # a bool is an int


def _require_fraction(name: str, value: float) -> None:
    require(0 < value < 1, f"{name} is {value}; it must be above 0 and below 1")
