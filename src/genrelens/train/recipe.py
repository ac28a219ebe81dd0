"""Recipes: TOML files that hold everything a training run depends on, besides its data."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

from genrelens.errors import RecipeError
from genrelens.features import FeatureConfig
from genrelens.train.augment import AugmentConfig

__all__ = [
    "NETWORKS",
    "HeadConfig",
    "Recipe",
    "SegmentLstmConfig",
    "TrainingConfig",
    "packaged_recipes",
]

NETWORKS = ("mfcc-lstm", "mel-cnn", "mel-cnn-lstm", "musicnn")
_SCHEDULES = ("constant", "cosine")
_PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How the segment network is trained.

    Attributes:
        epochs: at most so many.
        batch_size: segments in a step.
        crops_per_clip: random segments drawn from each clip in an epoch; 0 takes each of the
            clip's consecutive segments once, as the original did.
        learning_rate: of AdamW, at its highest.
        weight_decay: of AdamW.
        schedule: ``"constant"``, or ``"cosine"`` from the rate, after one epoch of warm-up, down to
            1 % of it.
        label_smoothing: share of the target spread over all classes.
        class_weights: weight each class by the inverse of its number of clips.
        patience: stop after so many epochs without a lower validation loss; 0 never stops.
        ema_decay: decay for each step of the averaged weights that are kept; 0 keeps the last.
        precision: Lightning's name: ``"32-true"``, ``"16-mixed"`` or ``"bf16-mixed"``.
        seed: of every random number, 0 to 2**32 - 1.

    """

    epochs: int = 30
    batch_size: int = 64
    crops_per_clip: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "constant"
    label_smoothing: float = 0.0
    class_weights: bool = True
    patience: int = 5
    ema_decay: float = 0.0
    precision: str = "32-true"
    seed: int = 1

    def __post_init__(self) -> None:
        lowest = {"epochs": 1, "batch_size": 2, "crops_per_clip": 0, "weight_decay": 0,
                  "label_smoothing": 0, "patience": 0, "ema_decay": 0, "seed": 0}  # fmt: skip
        _require_at_least(self, lowest)
        _require(self.learning_rate > 0, f"learning_rate={self.learning_rate} must be positive")
        for name in ("label_smoothing", "ema_decay"):
            _require(getattr(self, name) < 1, f"{name}={getattr(self, name)} must be below 1")
        _require(self.seed < 2**32, f"seed={self.seed} must be below 2**32")
        for name, known in (("schedule", _SCHEDULES), ("precision", _PRECISIONS)):
            value = getattr(self, name)
            _require(value in known, f"{name}={value!r} must be one of {', '.join(known)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLstmConfig:
    """How ``segment-lstm`` is trained on the logits of the trained CNN.

    Attributes:
        epochs: at most so many.
        passes: how often each clip goes through the frozen CNN, augmented differently each time
            (the first time as it is).
        batch_size: clips in a step.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        patience: see :class:`TrainingConfig`.
        shortest: random runs of at least so many segments are cut from each clip; 0 always
            takes whole clips.

    """

    epochs: int = 60
    passes: int = 1
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    patience: int = 10
    shortest: int = 0

    def __post_init__(self) -> None:
        lowest = {"epochs": 1, "passes": 1, "batch_size": 1, "weight_decay": 0, "patience": 0,
                  "shortest": 0}  # fmt: skip
        _require_at_least(self, lowest)
        _require(self.learning_rate > 0, f"learning_rate={self.learning_rate} must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """How the genre head of ``musicnn`` is trained; the network below it stays as it is.

    Attributes:
        renditions: of each clip, through loudspeakers, rooms, noise and telephones.
        rendition_seconds: length of each, cut from anywhere in the clip.
        hidden: units of the head's hidden layer.
        input_dropout: share of the features that are dropped.
        dropout: share of the hidden units that are dropped.
        epochs: passes over all segments.
        batch_size: segments in a step.
        learning_rate: of AdamW, at its highest.
        weight_decay: of AdamW.
        label_smoothing: share of the target spread over all classes.
        mixup: ``alpha`` of mixup's Beta distribution, over features.

    """

    renditions: int = 10
    rendition_seconds: float = 7.0
    hidden: int = 256
    input_dropout: float = 0.5
    dropout: float = 0.5
    epochs: int = 12
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    mixup: float = 0.4

    def __post_init__(self) -> None:
        lowest = {"renditions": 0, "rendition_seconds": 1, "hidden": 1, "input_dropout": 0,
                  "dropout": 0, "epochs": 1, "batch_size": 1, "weight_decay": 0,
                  "label_smoothing": 0, "mixup": 0}  # fmt: skip
        _require_at_least(self, lowest)
        _require(self.learning_rate > 0, f"learning_rate={self.learning_rate} must be positive")
        for name in ("input_dropout", "dropout", "label_smoothing"):
            _require(getattr(self, name) < 1, f"{name}={getattr(self, name)} must be below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A training run, besides its data.

    Attributes:
        name: of the recipe and, unless told otherwise, of the model it makes.
        description: a sentence for people.
        network: ``"mfcc-lstm"``, ``"mel-cnn"``, ``"mel-cnn-lstm"`` or ``"musicnn"``.
        input_norm: put a batch norm over the bins before the network's first layer.
        features: the front end.
        training: the segment network's training.
        augment: changes to the training segments.
        segment_lstm: the second stage of ``mel-cnn-lstm``.
        head: what is trained of ``musicnn``; of ``training`` only the seed counts there.

    """

    name: str
    description: str = ""
    network: str
    input_norm: bool = False
    features: FeatureConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    segment_lstm: SegmentLstmConfig = field(default_factory=SegmentLstmConfig)
    head: HeadConfig = field(default_factory=HeadConfig)

    def __post_init__(self) -> None:
        _require(
            self.network in NETWORKS,
            f"network={self.network!r} must be one of {', '.join(NETWORKS)}",
        )
        kind = "mfcc" if self.network == "mfcc-lstm" else "mel"
        _require(
            self.features.kind == kind,
            f"network {self.network!r} needs features of kind {kind!r}, not {self.features.kind!r}",
        )
        _require(
            kind == "mel" or not self.augment.changes_segments,
            "only mixup can augment MFCCs; the other settings of [augment] act on mel bands",
        )
        _require(
            not self.augment.low_pass or self.augment.low_pass_hz < self.features.f_max,
            f"low_pass_hz={self.augment.low_pass_hz} must be below f_max={self.features.f_max}",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain dictionaries, as it goes into a model's provenance."""
        return asdict(self)

    def with_training(self, **changes: Any) -> Recipe:
        """Return the recipe with some settings of ``training`` replaced.

        Raises:
            RecipeError: a value is impossible.

        """
        try:
            return replace(self, training=replace(self.training, **changes))
        except ValueError as error:
            raise RecipeError(f"recipe {self.name}: {error}") from error

    @classmethod
    def load(cls, name_or_path: str | Path) -> Recipe:
        """Read a recipe: the name of one in the package, or the path of a TOML file.

        Raises:
            RecipeError: there is no such recipe, or it has an unknown key or a wrong value.

        """
        path = Path(name_or_path)
        if path.suffix == ".toml":
            try:
                text = path.read_text(encoding="utf-8")
            except OSError as error:
                raise RecipeError(f"recipe {path}: {error.strerror or error}") from error
            except UnicodeDecodeError as error:
                raise RecipeError(f"recipe {path}: is not UTF-8 text ({error})") from error
        else:
            text = _packaged_text(str(name_or_path))
        try:
            table = tomllib.loads(text)
            return cls._from_table(table, path.stem)
        except ValueError as error:  # TOMLDecodeError is one
            raise RecipeError(f"recipe {name_or_path}: {error}") from error

    @classmethod
    def _from_table(cls, table: Mapping[str, Any], name: str) -> Recipe:
        sections: dict[str, type] = {
            "features": FeatureConfig, "training": TrainingConfig, "augment": AugmentConfig,
            "segment_lstm": SegmentLstmConfig, "head": HeadConfig,
        }  # fmt: skip
        values = {
            key: _build(sections[key], value, f"[{key}]") if key in sections else value
            for key, value in table.items()
        }
        _require("name" not in values, "a recipe is named by its file; remove 'name'")
        recipe: Recipe = _build(cls, {"name": name, **values}, "the recipe")
        return recipe


def packaged_recipes() -> list[str]:
    """Return the names of the recipes in the package, sorted."""
    folder = resources.files("genrelens.train") / "recipes"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def _packaged_text(name: str) -> str:
    if name not in packaged_recipes():
        raise RecipeError(
            f"there is no recipe {name!r}; known are {', '.join(packaged_recipes())}, "
            "or give the path of a .toml file"
        )
    entry = resources.files("genrelens.train") / "recipes" / f"{name}.toml"
    return entry.read_text(encoding="utf-8")


def _build(kind: type, table: Any, place: str) -> Any:
    """Build a configuration from a TOML table; an unknown key or a wrong type is an error."""
    _require(isinstance(table, Mapping), f"{place} must be a table")
    hints = get_type_hints(kind)
    known = {entry.name for entry in fields(kind)}
    for key, value in table.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"{place} has an unknown key {key!r}{hint}")
        expected = hints[key]
        if isinstance(expected, type) and expected in (int, float, str, bool):
            allowed = (int, float) if expected is float else (expected,)
            fits = isinstance(value, allowed) and (expected is bool) == isinstance(value, bool)
            _require(fits, f"{place} {key}={value!r} must be of type {expected.__name__}")
            finite = not isinstance(value, float) or math.isfinite(value)
            _require(finite, f"{place} {key}={value} must be finite")
    needed = (entry.name for entry in fields(kind)
              if entry.default is MISSING and entry.default_factory is MISSING)  # fmt: skip
    absent = [name for name in needed if name not in table]
    _require(not absent, f"{place} is incomplete: {', '.join(absent)} missing")
    return kind(**table)


def _require_at_least(config: Any, lowest: Mapping[str, float]) -> None:
    for name, bound in lowest.items():
        value = getattr(config, name)
        _require(value >= bound, f"{name}={value} must be at least {bound}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
