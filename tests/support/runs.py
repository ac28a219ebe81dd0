"""Training runs on tiny clips, for the tests of several modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrelens.data.folders import LabelledClip
from genrelens.model_file import ModelFile
from support import tiny

if TYPE_CHECKING:
    import torch

EVERYTHING = (
    tiny.recipe_text(
        "mel-cnn-lstm",
        epochs=5,
        crops_per_clip=8,
        schedule="cosine",
        label_smoothing=0.05,
        weight_decay=0.01,
    ).replace("epochs = 2", "epochs = 6\npasses = 3\nlearning_rate = 0.03\nshortest = 2")
    + "\n[augment]\ngain_db = 3\nlow_pass = 0.3\nnoise = 0.3\nstretch = 0.1\nshift_bands = 1"
    "\nmask_frames = 2\nmask_bands = 2\nmixup = 0.2\n"
)


@dataclass(frozen=True)
class Start:
    """Train a recipe, given as TOML, on the CPU, with nine clips and three for validation."""

    clips: list[LabelledClip]
    folder: Path

    def __call__(
        self, folder: Path, recipe: str, clips: Sequence[LabelledClip] | None = None, **run: Any
    ) -> Path:
        from genrelens.train.job import Run
        from genrelens.train.recipe import Recipe
        from genrelens.train.train_model import train
        from genrelens.train.trainer import Hardware

        (self.folder / "tiny.toml").write_text(recipe)
        settings: dict[str, Any] = {
            "recipe": Recipe.load(self.folder / "tiny.toml"),
            "folder": folder,
            "cache_dir": self.folder / "cache",
            "hardware": Hardware(device="cpu", progress=False),
        }
        return train(Run(**settings | run), self.clips if clips is None else clips)


def weights(stage: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a stage."""
    import torch

    state: dict[str, torch.Tensor] = torch.load(stage / "weights.pt", weights_only=True)
    return state


def same_weights(one: Path, other: Path) -> bool:
    import torch

    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def outputs(run: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the clip logits of a run's model for random segments."""
    return ModelFile.load(run / "model.onnx").run(tiny.random_segments(5).numpy()).clip_logits
