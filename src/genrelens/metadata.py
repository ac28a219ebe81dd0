"""The metadata of a model, and its JSON form in the model file."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np

from genrelens.counts import count_of
from genrelens.errors import require
from genrelens.features import FeatureConfig

__all__ = ["FORMAT_VERSION", "GenreRule", "ModelMetadata", "StyleTag", "genre_names"]

FORMAT_VERSION = 3
"""The version that is written.

Version 1 has no styles, thresholds or segment temperature. Version 2 has no parents of styles,
genre rules, temperatures by number of segments, or noise rule.
"""

_READABLE_VERSIONS = (1, 2, 3)
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class StyleTag:
    """A style that a model predicts.

    Attributes:
        name: name of the style.
        threshold: the style applies to a recording from this probability on; in (0, 1).
        parent: the genre that the style is a kind of, such as ``"electronic"`` for ``"house"``;
            None if the model does not name one.

    """

    name: str
    threshold: float
    parent: str | None = None

    def __post_init__(self) -> None:
        require(bool(self.name), "a style needs a name")
        _require_fraction(f"the threshold of style {self.name!r}", self.threshold)


@dataclass(frozen=True, slots=True)
class GenreRule:
    """The rule that converts a probability among all genres to that of a genre on its own.

    With such rules several genres can apply to one recording.

    Attributes:
        slope: factor of the logit of the calibrated probability among all genres; above 0.
        intercept: added to the product.
        threshold: the genre applies to a recording from this probability on; in (0, 1).

    Example::

        >>> round(GenreRule(slope=1.0, intercept=0.0, threshold=0.5).probability(0.3), 6)
        0.3

    Source: Platt (1999), probabilities of each class against the rest.

    """

    slope: float
    intercept: float
    threshold: float

    def __post_init__(self) -> None:
        finite = math.isfinite(self.slope) and math.isfinite(self.intercept)
        require(finite and self.slope > 0, "the slope of a genre rule must be above 0")
        _require_fraction("the threshold of a genre rule", self.threshold)

    def probability(self, share: float) -> float:
        """Return the probability that the genre applies to a recording, 0..1.

        Args:
            share: calibrated probability of the genre among all genres, 0..1.

        """
        inside = min(max(share, _TINY), 1 - _TINY)
        logit = self.slope * math.log(inside / (1 - inside)) + self.intercept
        return 0.5 * (1 + math.tanh(0.5 * logit))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """The metadata of a model.

    Attributes:
        name: name of the model.
        description: one sentence about the model.
        license: SPDX identifier of the weights' licence.
        labels: the genres, in the order of the logits.
        label_map: labels of the data -> labels of the model, for instance ``{"blues": "jazz"}``.
        styles: in the order of the style logits; empty if the model has none.
        features: settings of the front end.
        window_segments: number of segments in a window. A longer recording is split into windows,
            and their probabilities are averaged.
        genre_rules: one for each label, in their order; empty if the model has none, so that a
            recording has one genre only.
        temperature: divisor of the logits of a clip of one window before the softmax, to calibrate
            the probabilities.
        segment_temperature: divisor of the logits of a segment; not used with ``temperatures``.
        temperatures: temperature of the mean over a number of segments, for instance
            ``{1: 1.9, 3: 1.4, 10: 1.1}``, see :meth:`temperature_for`. It calibrates segments,
            sections and, if the answer of the graph is such a mean, recordings. Empty if the model
            has only ``temperature`` and ``segment_temperature``.
        music_threshold: in (0, 1); below this probability of music the verdict is "not music".
            None if the model has no music logits.
        sure_threshold: in [0, 1); below this probability of the most probable genre the verdict is
            "not sure". None: never. ``metrics`` has the coverage and accuracy at this threshold.
        noise_rule: pairs of a signal-to-noise ratio in dB, ascending, and the ``sure_threshold``
            there, see :meth:`sure_threshold_for`; empty if the model has none.
        provenance: recipe, data, versions and dates of the training.
        metrics: measured quality; protocol -> figures.
        format_version: version of the file that was read; the newest is written.

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
    genre_rules: tuple[GenreRule, ...] = ()
    temperature: float = 1.0
    segment_temperature: float = 1.0
    temperatures: dict[int, float] = field(default_factory=dict)
    music_threshold: float | None = None
    sure_threshold: float | None = None
    noise_rule: tuple[tuple[float, float], ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        require(bool(self.name), "a model needs a name")
        require(len(self.labels) >= 2, "a model needs at least 2 labels")
        require(len(set(self.labels)) == len(self.labels), "the labels are not distinct")
        unknown = sorted(set(self.label_map.values()) - set(self.labels))
        require(not unknown, f"the label map has unknown labels: {', '.join(unknown)}")
        self._check_styles()
        require(self.window_segments >= 1, f"window_segments={self.window_segments} is below 1")
        n_rules, n_labels = len(self.genre_rules), len(self.labels)
        require(
            n_rules in (0, n_labels),
            f"{count_of(n_rules, 'genre rule')} for {count_of(n_labels, 'label')}",
        )
        self._check_temperatures()
        if self.music_threshold is not None:
            _require_fraction("music_threshold", self.music_threshold)
        if self.sure_threshold is not None:
            _require_sure("sure_threshold", self.sure_threshold)
        self._check_noise_rule()

    def _check_styles(self) -> None:
        names = {style.name for style in self.styles}
        require(len(names) == len(self.styles), "the styles are not distinct")
        parents = {style.parent for style in self.styles if style.parent is not None}
        unknown = sorted(parents - set(self.labels))
        require(not unknown, f"styles have unknown parents: {', '.join(unknown)}")

    def _check_temperatures(self) -> None:
        values = {name: getattr(self, name) for name in ("temperature", "segment_temperature")}
        values |= {f"temperatures[{n}]": value for n, value in self.temperatures.items()}
        for name, value in values.items():
            require(math.isfinite(value) and value > 0, f"{name}={value} must be positive")
        fewest = min(self.temperatures, default=1)
        require(fewest >= 1, f"temperatures has a number of segments below 1: {fewest}")

    def _check_noise_rule(self) -> None:
        ratios = [ratio for ratio, _ in self.noise_rule]
        ascending = all(map(math.isfinite, ratios)) and sorted(set(ratios)) == ratios
        require(ascending, "the signal-to-noise ratios of noise_rule do not ascend")
        for _, sure in self.noise_rule:
            _require_sure("a threshold of noise_rule", sure)

    @property
    def timeline_temperature(self) -> float:
        """Temperature of a single segment."""
        return self.temperature_for(1) if self.temperatures else self.segment_temperature

    def temperature_for(self, n_segments: float) -> float:
        """Return the temperature that calibrates a mean over segments.

        Between the numbers of ``temperatures`` it is interpolated over the logarithm of the number.
        Outside them it is that of the nearest one.

        Args:
            n_segments: number of segments; may be a fraction, because segments overlap.

        """
        if not self.temperatures:
            return self.temperature
        numbers = sorted(self.temperatures)
        values = [self.temperatures[number] for number in numbers]
        return float(np.interp(math.log(max(n_segments, 1)), np.log(numbers), values))

    def sure_threshold_for(self, snr: float | None) -> float | None:
        """Return the lowest probability at which a genre is sure, or None if it always is.

        With a noise rule, this is the higher of ``sure_threshold`` and the interpolated threshold
        of the rule. Below the lowest ratio of the rule no genre is sure: the result is infinity.

        Args:
            snr: signal-to-noise ratio in dB; None if it is unknown.

        """
        if snr is None or not self.noise_rule:
            return self.sure_threshold
        return max(self.sure_threshold or 0.0, self.noise_threshold(snr))

    def noise_threshold(self, snr: float | None) -> float:
        """Return the threshold of the noise rule; 0 without a rule or with an unknown ratio."""
        if snr is None or not self.noise_rule:
            return 0.0
        ratios, thresholds = zip(*self.noise_rule, strict=True)
        return math.inf if snr < ratios[0] else float(np.interp(snr, ratios, thresholds))

    def restricted(self, genres: Iterable[str]) -> Self:
        """Return the metadata restricted to some genres.

        The rules of the genres apply to probabilities among all genres, so the result has none,
        unless it has all genres.

        Args:
            genres: the genres to keep, in any case; the result has them in the order of the model.

        Raises:
            ValueError: the model does not have a genre, or there are fewer than 2.

        Example::

            metadata.restricted(["rock", "jazz"]).labels  # ('jazz', 'rock')

        """
        by_key = {label.casefold(): label for label in self.labels}
        wanted = set()
        for genre in genres:
            if (key := genre.casefold()) not in by_key:
                raise ValueError(self._no_such(genre))
            wanted.add(by_key[key])
        if len(wanted) < 2:
            given = "1 genre was" if wanted else "no genres were"
            raise ValueError(f"{given} given; at least 2 are needed")
        kept = [label for label in self.labels if label in wanted]
        return replace(
            self,
            labels=tuple(kept),
            label_map={old: new for old, new in self.label_map.items() if new in wanted},
            styles=tuple(
                style if style.parent in wanted else replace(style, parent=None)
                for style in self.styles
            ),
            genre_rules=self.genre_rules if len(kept) == len(self.labels) else (),
        )

    def _no_such(self, genre: str) -> str:
        close = difflib.get_close_matches(genre.lower(), self.labels, 1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        return (
            f"the model {self.name} has no genre {genre!r}{hint}; it has {', '.join(self.labels)}"
        )

    def to_json(self) -> str:
        """Return the metadata as JSON.

        Raises:
            ValueError: a number is not finite.

        """
        values = {**asdict(self), "format_version": FORMAT_VERSION}
        return json.dumps(values, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read metadata from its JSON form, of this or a former version.

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
            "genre_rules": tuple(_genre_rule(each) for each in values.get("genre_rules", ())),
            "temperatures": _temperatures(values.get("temperatures", {})),
            "noise_rule": tuple(_noise_point(each) for each in values.get("noise_rule", ())),
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
    "genre_rules": list,
    "temperature": _NUMBER,
    "segment_temperature": _NUMBER,
    "temperatures": dict,
    "music_threshold": (*_NUMBER, type(None)),
    "sure_threshold": (*_NUMBER, type(None)),
    "noise_rule": list,
    "provenance": dict,
    "metrics": dict,
    "format_version": int,
}
_REQUIRED = ("name", "labels", "features", "window_segments")


def genre_names(text: str) -> tuple[str, ...]:
    """Return the names in a list with commas, without repetitions.

    Example::

        >>> genre_names("rock, jazz,")
        ('rock', 'jazz')

    """
    names = (name.strip() for name in text.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it contains {name}")


def _check_version(version: Any) -> None:
    newer = isinstance(version, int) and version > FORMAT_VERSION
    *first, last = map(str, _READABLE_VERSIONS)
    known = f"{', '.join(first)} and {last}"
    require(
        version in _READABLE_VERSIONS,
        f"its format version is {version!r}, and this genrelens reads versions {known}"
        + (": update genrelens" if newer else ""),
    )


def _check_fields(values: Mapping[str, Any]) -> None:
    """Check that metadata from JSON has all required fields, no unknown ones, and right types."""
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
        and set(value) - {"parent"} == {"name", "threshold"}
        and _is_a(value["name"], str)
        and _is_a(value["threshold"], _NUMBER)
        and _is_a(value.get("parent"), (str, type(None)))
    )
    require(is_style, f"wrong metadata: a style has a name and a threshold, not {value!r}")
    return StyleTag(**value)


def _genre_rule(value: Any) -> GenreRule:
    is_rule = (
        isinstance(value, dict)
        and set(value) == set(GenreRule.__slots__)
        and all(_is_a(number, _NUMBER) for number in value.values())
    )
    require(is_rule, f"wrong metadata: a genre rule has 3 numbers, not {value!r}")
    return GenreRule(**value)


def _temperatures(values: Mapping[str, Any]) -> dict[int, float]:
    """Read the temperatures; the keys of JSON objects are texts."""
    right = all(key.isdecimal() and _is_a(value, _NUMBER) for key, value in values.items())
    require(right, f"wrong metadata: temperatures={values!r}")
    return {int(key): value for key, value in values.items()}


def _noise_point(value: Any) -> tuple[float, float]:
    is_pair = isinstance(value, list) and len(value) == 2
    require(
        is_pair and all(_is_a(number, _NUMBER) for number in value),
        f"wrong metadata: noise_rule has pairs of numbers, not {value!r}",
    )
    return value[0], value[1]


def _is_a(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)  # a bool is an int


def _require_fraction(name: str, value: float) -> None:
    require(0 < value < 1, f"{name} is {value}; it must be above 0 and below 1")


def _require_sure(name: str, value: float) -> None:
    require(0 <= value < 1, f"{name}={value} must be at least 0 and below 1")
