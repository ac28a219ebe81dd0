"""``genrelens train``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrelens.cli.console import err, out, print_note, progress, warnings_as_notes
from genrelens.cli.data_split import GroupColumn, GroupFiles, Relabel, read_clips
from genrelens.cli.endings import check_ending
from genrelens.cli.options import MusicnnWheel, NotMusic
from genrelens.counts import count_of
from genrelens.data.folders import LabelledClip
from genrelens.data.protocols import grouped_split, random_split
from genrelens.data.relabel import applied_label_map
from genrelens.data.splits import Split, split_by_file
from genrelens.errors import AudioError, DataError
from genrelens.files import reason
from genrelens.percentages import percent, percent_range

if TYPE_CHECKING:
    from genrelens.train import Recipe


Epochs = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Number of epochs.", show_default="that of the recipe"),
]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="Device: auto, cpu or cuda.")]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder that stores computed features.",
        show_default="genrelens in the user's cache folder",
    ),
]
RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="Name of a packaged recipe (see train --recipes), or a .toml file."
    ),
]
_Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        "-d",
        metavar="FOLDER",
        help="A folder with one subfolder for each genre; repeatable.",
    ),
]
_Folder = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FOLDER", help="Folder of the run.", show_default="runs/RECIPE"
    ),
]
_Split = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="CSV file with the columns clip and split (train, valid, test).",
        show_default="a random split",
    ),
]
_Everything = Annotated[
    bool, typer.Option("--all", help="Train on all clips, for a fixed number of epochs.")
]
_Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Seed of the random numbers.", show_default="that of the recipe"
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Numerical precision: 32-true, 16-mixed or bf16-mixed.",
        show_default="that of the recipe",
    ),
]
_Folds = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File split.csv of a cross-validation of this recipe, to keep the noise of microphone "
        "recordings within its folds and to use the features that it computed (recipe lens).",
    ),
]
_Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Name of the model.", show_default="name of the recipe"),
]
_Metrics = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File metrics.json of an earlier run or cross-validation, to be stored in the model.",
    ),
]
_Resume = Annotated[
    bool, typer.Option(help="Continue a run that was interrupted.", show_default=False)
]
_Devices = Annotated[int, typer.Option(metavar="N", min=1, help="Number of GPUs.")]
_Recipes = Annotated[bool, typer.Option("--recipes", help="List the packaged recipes and exit.")]


def train(
    recipe: RecipeName = "mel-cnn-lstm",
    data: _Data = None,
    folder: _Folder = None,
    split: _Split = None,
    everything: _Everything = False,
    groups: GroupFiles = None,
    group_column: GroupColumn = "group",
    musicnn: MusicnnWheel = None,
    not_music: NotMusic = None,
    folds: _Folds = None,
    relabel: Relabel = None,
    epochs: Epochs = None,
    seed: _Seed = None,
    precision: Precision = None,
    name: _Name = None,
    metrics: _Metrics = None,
    resume: _Resume = False,
    device: Device = "auto",
    devices: _Devices = 1,
    cache: Cache = None,
    recipes: _Recipes = False,
) -> None:
    """Train a model on your own recordings.

    Checkpoints, metrics, learning curves and the model (model.onnx) are written to the folder of
    the run.

    Examples:
        genrelens train mel-cnn-lstm --data my-genres
            Train on 85 % of the clips and validate on the others.
        genrelens train mel-cnn-lstm --data my-genres --resume
            Continue a run that was interrupted.
        genrelens train mel-cnn-lstm --data my-genres --split split.csv --out runs/mine
            Train on the clips that a CSV file assigns to the training part.
        genrelens train mel-cnn --data old --data new --relabel genres.toml --groups artists.csv
            Train on two folders with a table of their genres; validate on other artists.

    """
    if recipes:
        _list_recipes()
        return
    data = _checked(data, device, split, groups, everything=everything)
    check_ending(folder, "run", "--out")
    from genrelens.train import Hardware, Run
    from genrelens.train import train as train_model
    from genrelens.train.crossval import test_rounds

    chosen = changed_recipe(recipe, epochs=epochs, seed=seed, precision=precision)
    with warnings_as_notes(), ExitStack() as stack:
        clips = read_clips(data, relabel, groups, group_column)
        clips = _split(clips, split, chosen.training.seed, everything=everything)
        run = Run(
            recipe=chosen,
            folder=folder or Path("runs") / chosen.name,
            model_name=name,
            label_map=applied_label_map(clips),
            resume=resume,
            cache_dir=cache,
            musicnn=musicnn,
            not_music=not_music,
            folds={} if folds is None else test_rounds(Split.load(folds, clips)),
            hardware=Hardware(device=device, devices=devices, progress=err.is_terminal),
            metrics=_read_metrics(metrics),
            on_clip=Reading(clips, stack),
            on_stage=print_note,
        )
        path = train_model(run, clips)
    _print_result(path, measured=any(clip.part == "valid" for clip in clips))


def _checked(
    data: list[Path] | None,
    device: str,
    split: Path | None,
    groups: list[Path] | None,
    *,
    everything: bool,
) -> list[Path]:
    """Refuse options that contradict each other; return the folders of the data."""
    if not data:
        raise typer.BadParameter("--data is missing")
    check_device(device)
    if everything and split is not None:
        raise typer.BadParameter("--all cannot be combined with --split")
    if groups and split is not None:
        raise typer.BadParameter("--groups cannot be combined with --split")
    return data


def check_device(device: str) -> None:
    """Refuse an unknown device."""
    if device not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter(f"--device {device} must be one of auto, cpu, cuda")


def changed_recipe(name_or_path: str, **training: Any) -> Recipe:
    """Read a recipe and replace the training settings that are not None."""
    from genrelens.train import Recipe

    given = {key: value for key, value in training.items() if value is not None}
    return Recipe.load(name_or_path).with_training(**given)


def _list_recipes() -> None:
    from genrelens.train import Recipe, packaged_recipes

    for recipe in map(Recipe.load, packaged_recipes()):
        out.print(f"{recipe.name:<18} {recipe.description}", soft_wrap=True)


def _split(
    clips: list[LabelledClip], split: Path | None, seed: int, *, everything: bool
) -> list[LabelledClip]:
    if everything:
        return [replace(clip, part="train") for clip in clips]
    if split is not None:
        return split_by_file(split, clips)
    grouped = any(clip.group is not None for clip in clips)
    return (grouped_split if grouped else random_split)(clips, seed=seed)


def _read_metrics(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        metrics = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(reason(error), path=path) from error
    if not isinstance(metrics, dict):
        raise DataError("is not a JSON object", path=path)
    return metrics


class Reading:
    """A progress bar that closes with the last clip, before the bars of the training begin."""

    def __init__(self, clips: Sequence[LabelledClip], stack: ExitStack) -> None:
        self._remaining = sum(clip.part != "test" for clip in clips)
        self._stack = stack
        self._advance = stack.enter_context(progress("Reading", self._remaining))

    def __call__(self, clip: LabelledClip, error: AudioError | None) -> None:
        """Advance the bar; report a clip that cannot be read."""
        self._advance()
        if error is not None:
            print_note(f"skipped: {error}", style="yellow")
        self._remaining -= 1
        if not self._remaining:
            self._stack.close()


def _print_result(path: Path, *, measured: bool) -> None:
    out.print(f"model    {path}", soft_wrap=True)
    metrics = json.loads((path.parent / "metrics.json").read_text())
    for name, values in metrics.get("valid", {}).items() if measured else ():
        low, high = values["accuracy_interval"]
        out.print(
            f"{name}: accuracy {percent(values['accuracy'], 1)} ({percent_range(low, high)}), "
            f"macro recall {percent(values['macro_recall'], 1)} on "
            f"{count_of(values['n'], 'validation clip')}",
            soft_wrap=True,
        )
    out.print(f"try it   genrelens classify --model {path} FILE", soft_wrap=True)
