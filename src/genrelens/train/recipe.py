"""Recipes: TOML files with all settings of a training run except its data."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from genrelens.errors import RecipeError, require
from genrelens.features import FeatureConfig
from genrelens.files import reason
from genrelens.train.head_config import (
    HeadConfig,
    require_at_least,
    require_below_1,
    require_positive_rate,
)

__all__ = [
    "MUSICNN_BANDS",
    "NETWORKS",
    "AugmentConfig",
    "HeadConfig",
    "Recipe",
    "SegmentLstmConfig",
    "TrainingConfig",
    "packaged_recipes",
    "with_defaults",
]

NETWORKS = ("mfcc-lstm", "mel-cnn", "mel-cnn-lstm", "musicnn")
MUSICNN_BANDS = 96  # mel bands of musicnn's input

_SCHEDULES = ("constant", "cosine")
_PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Settings for training the segment network.

    Example::

        >>> from genrelens.train import TrainingConfig
        >>> TrainingConfig(epochs=5, schedule="cosine").batch_size
        64

    Attributes:
        epochs: maximum number of epochs.
        batch_size: segments per step.
        crops_per_clip: number of random segments per clip and epoch; 0 uses each of the consecutive
            segments of a clip once, as the original system did.
        learning_rate: highest learning rate of AdamW.
        weight_decay: weight decay of AdamW.
        schedule: ``"constant"`` or ``"cosine"`` (one epoch of warm-up, then a decay to 1 % of the
            learning rate).
        label_smoothing: share of the target that is spread over all classes.
        class_weights: whether each class is weighted by the inverse of its number of clips.
        patience: stop after this many epochs without a lower validation loss; 0 never stops early.
        ema_decay: decay per step of the exponential moving average of the weights. The averaged
            weights are the result; 0 uses the last weights.
        precision: precision of the arithmetic, in Lightning's terms: ``"32-true"``, ``"16-mixed"``
            or ``"bf16-mixed"``.
        seed: seed of all random numbers, 0 to 2**32 - 1.

    Raises:
        ValueError: a value is out of range; the message names it and the rule.

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
        require_at_least(self, 1, "epochs")
        require_at_least(self, 2, "batch_size")
        require_at_least(self, 0, "crops_per_clip", "weight_decay", "label_smoothing")
        require_at_least(self, 0, "patience", "ema_decay", "seed")
        require_positive_rate(self)
        require_below_1(self, "label_smoothing", "ema_decay")
        require(self.seed < 2**32, f"seed={self.seed} must be below 2**32")
        _require_known(self, "schedule", _SCHEDULES)
        _require_known(self, "precision", _PRECISIONS)


def _require_known(config: Any, name: str, known: Sequence[str]) -> None:
    value = getattr(config, name)
    require(value in known, f"{name}={value!r} must be one of {', '.join(known)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Ranges of the random changes to mel segments; 0 switches a change off.

    Example::

        >>> from genrelens.train import AugmentConfig
        >>> AugmentConfig(gain_db=6, eq_db=3).changes_segments
        True

    Attributes:
        gain_db: standard deviation of the level, in dB.
        eq_db: standard deviation of a smooth random equaliser, in dB.
        low_pass: probability of a low-pass between ``low_pass_hz`` and ``f_max``.
        low_pass_hz: lowest cut-off frequency of that low-pass, in Hz.
        high_pass: probability of a high-pass between 30 and 200 Hz.
        noise: probability of added noise, 10 to 60 dB below the segment.
        stretch: largest relative change of tempo.
        shift_bands: largest shift along the mel bands (a change of pitch).
        mask_frames: largest number of consecutive frames that are silenced.
        mask_bands: largest number of neighbouring bands that are silenced.
        mixup: ``alpha`` of the Beta distribution of mixup.

    Raises:
        ValueError: a value is out of range; the message names it and the rule.

    """

    gain_db: float = 0.0
    eq_db: float = 0.0
    low_pass: float = 0.0
    low_pass_hz: float = 3000.0
    high_pass: float = 0.0
    noise: float = 0.0
    stretch: float = 0.0
    shift_bands: float = 0.0
    mask_frames: int = 0
    mask_bands: int = 0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            valid = math.isfinite(value) and value >= 0
            require(valid, f"{entry.name}={value} must be finite and at least 0")
        for name in ("low_pass", "high_pass", "noise"):
            value = getattr(self, name)
            require(value <= 1, f"{name}={value} is a probability, at most 1")
        require_below_1(self, "stretch")

    @property
    def changes_segments(self) -> bool:
        """Whether a change other than mixup is switched on."""
        return self != AugmentConfig(low_pass_hz=self.low_pass_hz, mixup=self.mixup)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLstmConfig:
    """Settings for training ``segment-lstm`` on the logits of the trained CNN.

    Example::

        >>> from genrelens.train import SegmentLstmConfig
        >>> SegmentLstmConfig(passes=4).epochs
        60

    Attributes:
        epochs: maximum number of epochs.
        passes: number of times that the frozen CNN processes each clip: once unchanged, then each
            time with a new augmentation.
        batch_size: clips per step.
        learning_rate: highest learning rate of AdamW.
        weight_decay: weight decay of AdamW.
        schedule: as in :class:`TrainingConfig`, like the next three.
        label_smoothing: share of the target that is spread over all classes.
        patience: number of epochs without a lower validation loss before the training stops.
        ema_decay: decay per step of the exponential moving average of the weights.
        shortest: smallest number of consecutive segments that are cut at random from a clip; 0
            always uses whole clips.
        mean_target: share of the target, 0 to 1, that is the mean of the segments' probabilities;
            the rest is the genre of the clip. It keeps the LSTM close to the mean, and is only
            useful with ``cross_fit``.
        cross_fit: number of parts of the training clips. The logits of each part come from a
            further CNN, trained on the other parts; all clips of a group are in one part. 0 takes
            all logits from the CNN of the model, which was trained on the same clips.

    Raises:
        ValueError: a value is out of range; the message names it and the rule.

    """

    epochs: int = 60
    passes: int = 1
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "constant"
    label_smoothing: float = 0.0
    patience: int = 10
    ema_decay: float = 0.0
    shortest: int = 0
    mean_target: float = 0.0
    cross_fit: int = 0

    def __post_init__(self) -> None:
        require_at_least(self, 1, "epochs", "passes", "batch_size")
        require_at_least(self, 0, "weight_decay", "label_smoothing", "patience", "ema_decay")
        require_at_least(self, 0, "shortest", "cross_fit", "mean_target")
        require(self.mean_target <= 1, f"mean_target={self.mean_target} must be at most 1")
        require(self.cross_fit != 1, "cross_fit=1 must be 0 (off) or at least 2")
        require_positive_rate(self)
        require_below_1(self, "label_smoothing", "ema_decay")
        _require_known(self, "schedule", _SCHEDULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All settings of a training run except its data.

    Example::

        >>> from genrelens.train import Recipe
        >>> recipe = Recipe.load("mel-cnn-lstm").with_training(epochs=5, seed=2)
        >>> recipe.network, recipe.epochs
        ('mel-cnn-lstm', 5)

    Attributes:
        name: name of the recipe, and the default name of its models.
        description: one sentence about the recipe.
        network: ``"mfcc-lstm"``, ``"mel-cnn"``, ``"mel-cnn-lstm"`` or ``"musicnn"``.
        input_norm: whether the network starts with a batch norm over the bins.
        features: the front end.
        training: training of the segment network.
        augment: random changes to the training segments.
        segment_lstm: training of the second stage of ``mel-cnn-lstm``.
        head: training of the head of ``musicnn``. This network uses only the seed from
            ``training``.

    Raises:
        ValueError: two settings contradict each other; the message names them and the rule.

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
        network, features, augment = self.network, self.features, self.augment
        require(network in NETWORKS, f"network={network!r} must be one of {', '.join(NETWORKS)}")
        kind = "mfcc" if network == "mfcc-lstm" else "mel"
        require(
            features.kind == kind,
            f"network {network!r} needs features of kind {kind!r}, not {features.kind!r}",
        )
        require(
            network != "musicnn" or features.n_mels == MUSICNN_BANDS,
            f"network 'musicnn' needs n_mels={MUSICNN_BANDS}, not {features.n_mels}",
        )
        require(
            kind == "mel" or not augment.changes_segments,
            "only mixup can augment MFCCs; the other settings of [augment] act on mel bands",
        )
        require(
            not augment.low_pass or augment.low_pass_hz < features.f_max,
            f"low_pass_hz={augment.low_pass_hz} must be below f_max={features.f_max}",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as nested dictionaries, as stored in the provenance of a model."""
        return asdict(self)

    @property
    def epochs(self) -> int:
        """Maximum number of epochs of the segment network, or of the head of ``musicnn``."""
        return self.head.epochs if self.network == "musicnn" else self.training.epochs

    def with_training(self, **changes: Any) -> Recipe:
        """Return a copy of the recipe with other settings in ``training``.

        Args:
            changes: fields of :class:`TrainingConfig`; for ``musicnn`` only ``seed``.

        Raises:
            RecipeError: a value is out of range, or the network does not use the setting.

        """
        unused = sorted(changes.keys() - {"seed"}) if self.network == "musicnn" else []
        if unused:
            raise RecipeError(
                f"recipe {self.name}: {' and '.join(unused)} would change nothing: the network "
                "'musicnn' takes only the seed from [training]; leave it out, or change [head] in "
                "a copy of the recipe"
            )
        try:
            return replace(self, training=replace(self.training, **changes))
        except ValueError as error:
            raise RecipeError(f"recipe {self.name}: {error}") from error

    @classmethod
    def load(cls, name_or_path: str | Path) -> Recipe:
        """Read a recipe.

        Args:
            name_or_path: name of a packaged recipe, or path of a ``.toml`` file.

        Raises:
            RecipeError: there is no such recipe, or it has an unknown key or an invalid value.

        """
        path = Path(name_or_path)
        packaged = path.suffix != ".toml"
        text = _packaged_text(str(name_or_path)) if packaged else _file_text(path)
        try:
            return _recipe(tomllib.loads(text), path.stem)
        except ValueError as error:  # includes TOMLDecodeError
            raise RecipeError(str(error), path=path) from error


def with_defaults(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored recipe with the defaults of settings that were introduced after it.

    Args:
        recipe: the result of :meth:`Recipe.to_dict`, perhaps from an older version.

    """
    kinds = (TrainingConfig, AugmentConfig, SegmentLstmConfig, HeadConfig)
    names = ("training", "augment", "segment_lstm", "head")
    tables = zip(names, kinds, strict=True)
    return {**recipe, **{name: {**asdict(kind()), **recipe.get(name, {})} for name, kind in tables}}


# ---------------------------------------------------------------------------- TOML files


def packaged_recipes() -> list[str]:
    """Return the names of the packaged recipes, sorted.

    Example::

        >>> from genrelens.train import packaged_recipes
        >>> packaged_recipes()
        ['lens', 'mel-cnn', 'mel-cnn-lstm', 'mel-cnn-lstm-22k', 'mfcc-lstm']

    """
    folder = resources.files("genrelens.train") / "recipes"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def _packaged_text(name: str) -> str:
    if name not in packaged_recipes():
        raise RecipeError(
            f"there is no recipe {name!r}; the recipes are {', '.join(packaged_recipes())}. Or "
            "give the path of a .toml file"
        )
    entry = resources.files("genrelens.train") / "recipes" / f"{name}.toml"
    return entry.read_text(encoding="utf-8")


def _file_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(reason(error), path=path) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"is not UTF-8 text ({error})", path=path) from error


def _recipe(table: Mapping[str, Any], name: str) -> Recipe:
    """Build a recipe from its TOML table; raise ``ValueError`` if the table is invalid."""
    require("name" not in table, "the file name is the name of the recipe; remove 'name'")
    hints = get_type_hints(Recipe)
    values = {
        key: _build(hints[key], value, f"[{key}]") if is_dataclass(hints.get(key)) else value
        for key, value in table.items()
    }
    recipe: Recipe = _build(Recipe, {"name": name, **values}, "the recipe")
    return recipe


def _build(kind: type, table: Any, title: str) -> Any:
    """Build a dataclass from a TOML table; an unknown key or a wrong type is an error."""
    require(isinstance(table, Mapping), f"{title} must be a table")
    known = {entry.name for entry in fields(kind)}
    for key, value in table.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"{title} has an unknown key {key!r}{hint}")
        _require_type(value, get_type_hints(kind)[key], f"{title} {key}")
    missing = [
        entry.name
        for entry in fields(kind)
        if entry.default is MISSING and entry.default_factory is MISSING and entry.name not in table
    ]
    require(not missing, f"{title} is incomplete: {', '.join(missing)} missing")
    return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in table.items()})


def _require_type(value: Any, expected: Any, title: str) -> None:
    """Raise ``ValueError`` unless a value or a list of values has the type of its field."""
    if get_origin(expected) is tuple:
        require(isinstance(value, list), f"{title}={value!r} must be a list")
        for entry in value:
            _require_type(entry, get_args(expected)[0], title)
    if get_origin(expected) is dict:
        pairs = isinstance(value, Mapping) and all(isinstance(v, str) for v in value.values())
        require(pairs, f"{title}={value!r} must be a table of texts")
    if expected not in (int, float, str, bool):
        return
    allowed = (int, float) if expected is float else (expected,)
    fits = isinstance(value, allowed) and (expected is bool) == isinstance(value, bool)
    require(fits, f"{title}={value!r} must be of type {expected.__name__}")
    finite = not isinstance(value, float) or math.isfinite(value)
    require(finite, f"{title}={value} must be finite")
