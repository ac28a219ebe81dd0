"""What a model file says of itself, and how that is written as JSON."""

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
"""What is written. Version 1 had no styles, no thresholds and no temperature of the segments."""

_READABLE = (1, 2)


@dataclass(frozen=True, slots=True)
class StyleTag:
    """A style that a model listens for.

    Attributes:
        name: of the style.
        threshold: in (0, 1); a recording has the style from this probability on.

    """

    name: str
    threshold: float

    def __post_init__(self) -> None:
        require(bool(self.name), "a style needs a name")
        _require_share(f"the threshold of style {self.name!r}", self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """What a model file says of itself.

    Attributes:
        name: of the model.
        description: a sentence for people.
        license: SPDX identifier of the weights' licence.
        labels: the classes, in the order of the logits.
        label_map: labels of data -> labels of the model, for instance ``{"blues": "jazz"}``.
        styles: what the style logits stand for, in their order; empty without such logits.
        features: the front end.
        window_segments: segments that the graph hears at once; a longer recording is heard in
            windows of so many, and the windows' probabilities are averaged.
        temperature: the clip's logits are divided by it before the softmax, so that its
            probabilities say how often it is right.
        segment_temperature: the same for the segments' logits.
        music_threshold: in (0, 1); a recording that is music with less probability is called
            "not music". None without music logits.
        sure_threshold: in [0, 1); below this probability of the likeliest genre the model is
            "not sure" (what that costs and gains stands in ``metrics``). None: it always answers.
        provenance: recipe, data, versions and dates of the training.
        metrics: measured quality; protocol -> figures.
        format_version: of the file that it comes from; written is always the newest.

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
        require(not unknown, f"the label map leads to unknown labels: {', '.join(unknown)}")
        names = {style.name for style in self.styles}
        require(len(names) == len(self.styles), "the styles are not distinct")
        require(self.window_segments >= 1, f"window_segments={self.window_segments} is below 1")
        for name in ("temperature", "segment_temperature"):
            value = getattr(self, name)
            require(math.isfinite(value) and value > 0, f"{name}={value} must be positive")
        if self.music_threshold is not None:
            _require_share("music_threshold", self.music_threshold)
        if self.sure_threshold is not None:
            sure = self.sure_threshold
            require(0 <= sure < 1, f"sure_threshold={sure} must be at least 0 and below 1")

    def to_json(self) -> str:
        """Return the metadata as JSON; a figure that is not finite raises ``ValueError``."""
        values = {**asdict(self), "format_version": FORMAT_VERSION}
        return json.dumps(values, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read :meth:`to_json`, and what older versions wrote.

        Raises:
            ValueError: the text is no such JSON or breaks a rule; the message says which.

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
    raise ValueError(f"{name} stands in it")


def _check_version(version: Any) -> None:
    newer = isinstance(version, int) and version > FORMAT_VERSION
    known = " and ".join(map(str, _READABLE))
    require(
        version in _READABLE,
        f"its format version is {version!r}, and this genrelens reads versions {known}"
        + (": update genrelens" if newer else ""),
    )


def _check_fields(values: Mapping[str, Any]) -> None:
    """Check that metadata from JSON has all fields it needs, no other ones, and their types."""
    unknown = sorted(set(values) - set(_JSON_TYPES))
    require(not unknown, f"unknown metadata: {', '.join(unknown)}")
    missing = [name for name in _REQUIRED if name not in values]
    require(not missing, f"incomplete metadata: {', '.join(missing)} missing")
    for name, value in values.items():
        require(_is_a(value, _JSON_TYPES[name]), f"wrong metadata: {name}={value!r}")
    labels = [*values["labels"], *values.get("label_map", {}).values()]
    odd = [label for label in labels if not (isinstance(label, str) and label)]
    require(not odd, f"wrong metadata: labels are words, not {odd}")


def _style(value: Any) -> StyleTag:
    good = (
        isinstance(value, dict)
        and set(value) == {"name", "threshold"}
        and _is_a(value["name"], str)
        and _is_a(value["threshold"], _NUMBER)
    )
    require(good, f"wrong metadata: a style has a name and a threshold, not {value!r}")
    return StyleTag(**value)


def _is_a(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)  # True counts as an int


def _require_share(name: str, value: float) -> None:
    require(0 < value < 1, f"{name} is {value}; it must be above 0 and below 1")
