"""Train models from recipes. Only this package of genrelens imports torch and Lightning.

Train one model, or train and evaluate one model per round of a split.

Example::

    from pathlib import Path

    from genrelens.data.folders import read_folder
    from genrelens.data.protocols import random_folds, random_split
    from genrelens.train import Recipe, Run, cross_validate, train

    clips = read_folder(Path("my-genres"))
    recipe = Recipe.load("mel-cnn")

    model = train(Run(recipe=recipe, folder=Path("runs/mine")), random_split(clips, seed=1))
    print(model)  # runs/mine/model.onnx

    tables = cross_validate(Run(recipe=recipe, folder=Path("runs/cv")), random_folds(clips, 5))
    print(tables["mel-cnn"].right.mean())

The names in ``__all__`` are the public interface; all other modules are private. The names are
imported on first use and need the extra ``train``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genrelens.errors import MissingExtraError

if TYPE_CHECKING:
    from genrelens.train.crossval import cross_validate, write_crossval_report
    from genrelens.train.export import export_model, halve_weights, replace_metadata
    from genrelens.train.job import Run
    from genrelens.train.recipe import (
        AugmentConfig,
        HeadConfig,
        Recipe,
        SegmentLstmConfig,
        TrainingConfig,
        packaged_recipes,
    )
    from genrelens.train.train_model import train
    from genrelens.train.trainer import Hardware, read_history

__all__ = [
    "AugmentConfig",
    "Hardware",
    "HeadConfig",
    "Recipe",
    "Run",
    "SegmentLstmConfig",
    "TrainingConfig",
    "cross_validate",
    "export_model",
    "halve_weights",
    "packaged_recipes",
    "read_history",
    "replace_metadata",
    "train",
    "write_crossval_report",
]

_MODULES = {
    "crossval": ("cross_validate", "write_crossval_report"),
    "export": ("export_model", "halve_weights", "replace_metadata"),
    "job": ("Run",),
    "train_model": ("train",),
    "trainer": ("Hardware", "read_history"),
}
_EXTRA = {"torch": "torch", "pytorch_lightning": "pytorch-lightning", "onnx": "onnx"}


def __getattr__(name: str) -> Any:
    """Import a public name; raise ``MissingExtraError`` if the extra ``train`` is missing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = next((module for module, names in _MODULES.items() if name in names), "recipe")
    try:
        return getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise MissingExtraError(_EXTRA[error.name], "train") from error
