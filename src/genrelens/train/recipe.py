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

from genrelens.errors import RecipeError, require
from genrelens.features import FeatureConfig
from genrelens.files import reason
from genrelens.train.augment import AugmentConfig
from genrelens.train.lens.musicnn import N_BANDS
from genrelens.train.settings import HeadConfig, SegmentLstmConfig, TrainingConfig

__all__ = ["NETWORKS", "Recipe", "packaged_recipes"]

NETWORKS = ("mfcc-lstm", "mel-cnn", "mel-cnn-lstm", "musicnn")


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
        require(
            self.network in NETWORKS,
            f"network={self.network!r} must be one of {', '.join(NETWORKS)}",
        )
        kind = "mfcc" if self.network == "mfcc-lstm" else "mel"
        require(
            self.features.kind == kind,
            f"network {self.network!r} needs features of kind {kind!r}, not {self.features.kind!r}",
        )
        require(
            self.network != "musicnn" or self.features.n_mels == N_BANDS,
            f"network 'musicnn' needs n_mels={N_BANDS}, not {self.features.n_mels}",
        )
        require(
            kind == "mel" or not self.augment.changes_segments,
            "only mixup can augment MFCCs; the other settings of [augment] act on mel bands",
        )
        require(
            not self.augment.low_pass or self.augment.low_pass_hz < self.features.f_max,
            f"low_pass_hz={self.augment.low_pass_hz} must be below f_max={self.features.f_max}",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain dictionaries, as it goes into a model's provenance."""
        return asdict(self)

    @property
    def epochs(self) -> int:
        """How many epochs the segment network, or the head of ``musicnn``, trains at most."""
        return self.head.epochs if self.network == "musicnn" else self.training.epochs

    def with_training(self, **changes: Any) -> Recipe:
        """Return the recipe with some settings of ``training`` replaced.

        Raises:
            RecipeError: a value is impossible, or the network does not take such a setting.

        """
        unused = sorted(changes.keys() - {"seed"}) if self.network == "musicnn" else []
        if unused:
            raise RecipeError(
                f"recipe {self.name}: {' and '.join(unused)} would change nothing: of [training] "
                "the network 'musicnn' takes the seed alone; leave it out, or change [head] in a "
                "copy of the recipe"
            )
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
                raise RecipeError(f"recipe {path}: {reason(error)}") from error
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
            "features": FeatureConfig,
            "training": TrainingConfig,
            "augment": AugmentConfig,
            "segment_lstm": SegmentLstmConfig,
            "head": HeadConfig,
        }
        values = {
            key: _build(sections[key], value, f"[{key}]") if key in sections else value
            for key, value in table.items()
        }
        require("name" not in values, "a recipe is named by its file; remove 'name'")
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
    require(isinstance(table, Mapping), f"{place} must be a table")
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
            require(fits, f"{place} {key}={value!r} must be of type {expected.__name__}")
            finite = not isinstance(value, float) or math.isfinite(value)
            require(finite, f"{place} {key}={value} must be finite")
    needed = (
        entry.name
        for entry in fields(kind)
        if entry.default is MISSING and entry.default_factory is MISSING
    )
    absent = [name for name in needed if name not in table]
    require(not absent, f"{place} is incomplete: {', '.join(absent)} missing")
    return kind(**table)
