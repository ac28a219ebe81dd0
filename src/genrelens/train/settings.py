"""Settings of the parts of a recipe; each checks its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genrelens.errors import require

__all__ = ["HeadConfig", "SegmentLstmConfig", "TrainingConfig"]

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
        lowest = {
            "epochs": 1,
            "batch_size": 2,
            "crops_per_clip": 0,
            "weight_decay": 0,
            "label_smoothing": 0,
            "patience": 0,
            "ema_decay": 0,
            "seed": 0,
        }
        _require_at_least(self, lowest)
        require(self.learning_rate > 0, f"learning_rate={self.learning_rate} must be positive")
        for name in ("label_smoothing", "ema_decay"):
            require(getattr(self, name) < 1, f"{name}={getattr(self, name)} must be below 1")
        require(self.seed < 2**32, f"seed={self.seed} must be below 2**32")
        for name, known in (("schedule", _SCHEDULES), ("precision", _PRECISIONS)):
            value = getattr(self, name)
            require(value in known, f"{name}={value!r} must be one of {', '.join(known)}")


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
        lowest = {
            "epochs": 1,
            "passes": 1,
            "batch_size": 1,
            "weight_decay": 0,
            "patience": 0,
            "shortest": 0,
        }
        _require_at_least(self, lowest)
        require(self.learning_rate > 0, f"learning_rate={self.learning_rate} must be positive")


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
        lowest = {
            "renditions": 0,
            "rendition_seconds": 1,
            "hidden": 1,
            "input_dropout": 0,
            "dropout": 0,
            "epochs": 1,
            "batch_size": 1,
            "weight_decay": 0,
            "label_smoothing": 0,
            "mixup": 0,
        }
        _require_at_least(self, lowest)
        require(self.learning_rate > 0, f"learning_rate={self.learning_rate} must be positive")
        for name in ("input_dropout", "dropout", "label_smoothing"):
            require(getattr(self, name) < 1, f"{name}={getattr(self, name)} must be below 1")


def _require_at_least(config: Any, lowest: Mapping[str, float]) -> None:
    for name, bound in lowest.items():
        value = getattr(config, name)
        require(value >= bound, f"{name}={value} must be at least {bound}")
