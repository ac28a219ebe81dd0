"""The settings for training a set head, and checks of settings."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from genrelens.errors import require
from genrelens.train.acoustic_augment import COPIES

__all__ = ["HeadConfig", "require_at_least", "require_below_1", "require_positive_rate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """Settings for training the set head on the frozen network ``musicnn``.

    A set is a run of consecutive segments of a clip or of an augmented copy. The head is trained on
    sets of different lengths.

    Example::

        >>> from genrelens.train import HeadConfig
        >>> HeadConfig(copies=("plain", "room")).copy_seconds
        9.3

    Attributes:
        copies: kind of each augmented copy of a clip: ``"plain"``, ``"room"``, ``"microphone"`` or
            ``"mixture"``, see :mod:`genrelens.train.acoustic_augment`.
        copy_seconds: length of a copy in seconds, cut from a random position of the clip.
        run_lengths: number of segments of each random run that is drawn from a clip, in addition
            to the whole clip.
        clean_share: share of the draws that are unchanged clips; the others are copies.
        class_power: the probability of a genre is proportional to its number of clips to this
            power: 0 draws all genres equally often, 1 in proportion to their clips.
        data_penalties: amount that is subtracted from the logits of the classes of each folder, in
            the order of ``--data``; empty for none. The classes of a folder are its genres before
            relabelling.
        styles: name of a style -> the genre before relabelling whose clips have it.
        networks: number of networks with different seeds whose logits are averaged.
        discriminant: share of the logits, 0 to 1, that a linear discriminant on the same sets
            contributes; 0 for none.
        hidden: number of units in the hidden layer of each network.
        input_dropout: dropout rate of the features.
        dropout: dropout rate of the hidden units.
        epochs: number of passes over all sets.
        batch_size: sets per step.
        learning_rate: highest learning rate of AdamW.
        weight_decay: weight decay of AdamW.
        label_smoothing: share of the target that is spread over all classes.
        mixup: ``alpha`` of the Beta distribution of mixup, which acts on the features.
        data_weights: relative weight of the clips of each folder in the draw, in the order of
            ``--data``: ``(0.5, 1)`` draws clips of the first half as often. Empty: equal weights.

    Raises:
        ValueError: a value is out of range; the message names it and the rule.

    """

    copies: tuple[str, ...] = ("plain", "microphone", "mixture", "room", "microphone")
    copy_seconds: float = 9.3
    run_lengths: tuple[int, ...] = (1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 8)
    clean_share: float = 0.7
    class_power: float = 0.15
    data_weights: tuple[float, ...] = ()
    data_penalties: tuple[float, ...] = ()
    styles: dict[str, str] = field(default_factory=dict)
    networks: int = 2
    discriminant: float = 0.0
    hidden: int = 128
    input_dropout: float = 0.5
    dropout: float = 0.5
    epochs: int = 5
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    mixup: float = 0.4

    def __post_init__(self) -> None:
        for kind in self.copies:
            require(kind in COPIES, f"copies={kind!r} must be of {', '.join(COPIES)}")
        require(all(n >= 1 for n in self.run_lengths), "run_lengths must be at least 1")
        positive = all(0 < weight < math.inf for weight in self.data_weights)
        require(positive, f"data_weights={list(self.data_weights)} must be positive")
        require_at_least(self, 1, "copy_seconds", "networks", "hidden", "epochs", "batch_size")
        require_at_least(self, 0, "input_dropout", "dropout", "class_power")
        require_at_least(self, 0, "weight_decay", "label_smoothing", "mixup")
        for name in ("clean_share", "discriminant"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"{name}={value} must be between 0 and 1")
        require_positive_rate(self)
        require_below_1(self, "input_dropout", "dropout", "label_smoothing")


def require_at_least(config: Any, bound: int, *names: str) -> None:
    """Raise ``ValueError`` if a field of a config is below a bound."""
    for name in names:
        value = getattr(config, name)
        require(value >= bound, f"{name}={value} must be at least {bound}")


def require_positive_rate(config: Any) -> None:
    """Raise ``ValueError`` unless the learning rate of a config is positive."""
    require(config.learning_rate > 0, f"learning_rate={config.learning_rate} must be positive")


def require_below_1(config: Any, *names: str) -> None:
    """Raise ``ValueError`` if a field of a config is 1 or more."""
    for name in names:
        value = getattr(config, name)
        require(value < 1, f"{name}={value} must be below 1")
