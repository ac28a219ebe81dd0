"""``genrelens models``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from genrelens.cli.console import display_name, out, print_json, print_table
from genrelens.cli.options import AsJson
from genrelens.counts import count_of
from genrelens.model_file import ModelFile, ModelMetadata, StyleTag, packaged_models
from genrelens.percentages import percent, percent_range

_PROTOCOLS = ("grouped", "valid", "random")  # strictest first


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="Name of a packaged model, or an .onnx file, to show."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the packaged models, or show all details of one model.

    Examples:
        genrelens models
            List the packaged models.
        genrelens models lens
            Show what the default model was trained on and how accurate it is.
        genrelens models runs/mel-cnn-lstm/model.onnx --json
            Print the metadata of a model file.

    """
    files = [ModelFile.load(each) for each in ([name] if name else packaged_models())]
    if as_json:
        documents = [{**asdict(file.metadata), "size": file.size} for file in files]
        print_json(documents[0] if name else documents)
    elif name:
        _print_details(files[0])
    else:
        _print_list(files)


def _print_list(files: list[ModelFile]) -> None:
    from rich.table import Table

    columns = ("model", "genres", "styles", "size", "accuracy")
    table = Table(*columns, box=None, pad_edge=False)
    for file in files:
        metadata = file.metadata
        table.add_row(
            display_name(metadata.name),
            str(len(metadata.labels)),
            str(len(metadata.styles) or "none"),
            _megabytes(file.size),
            _accuracy(metadata.metrics, metadata.provenance) or "not measured",
        )
    print_table(table)
    out.print("\nThe first is the default. Details of a model: genrelens models MODEL")


def _print_details(file: ModelFile) -> None:
    from rich.table import Table

    metadata = file.metadata
    features = metadata.features
    renamed = ", ".join(f"{old} -> {new}" for old, new in metadata.label_map.items())
    rows = {
        "model": metadata.name,
        "description": metadata.description,
        "genres": ", ".join(metadata.labels),
        "renamed": renamed or "none",
        "styles": ", ".join(_style_name(style) for style in metadata.styles) or "none",
        **({"genre rules": "one for each genre"} if metadata.genre_rules else {}),
        "abstains": _thresholds(metadata),
        "input": f"{features.kind} at {features.sample_rate} Hz, {features.f_min:g} to "
        f"{features.f_max:g} Hz, segments of {features.segment_seconds:.2f} s",
        "trained on": _clips(metadata.provenance) or "unknown",
        "measured": _accuracy(metadata.metrics, metadata.provenance) or "not measured",
        "licence": metadata.license,
        "size": _megabytes(file.size),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in rows.items():
        table.add_row(key, display_name(value))
    print_table(table)


def _style_name(style: StyleTag) -> str:
    return style.name if style.parent is None else f"{style.parent} > {style.name}"


def _thresholds(metadata: ModelMetadata) -> str:
    """Return, as text, the probabilities below which the verdict is no genre."""
    thresholds = {"not music": metadata.music_threshold, "not sure": metadata.sure_threshold}
    texts = [f"{verdict} below {percent(p)}" for verdict, p in thresholds.items() if p is not None]
    if metadata.noise_rule:
        texts.append(f"not sure below {metadata.noise_rule[0][0]:g} dB of music to noise")
    return ", ".join(texts) or "never"


def _clips(provenance: dict[str, Any]) -> str | None:
    """Return, as text, the number of clips in each part of the training data, or None."""
    try:
        numbers = {part: sum(of.values()) for part, of in provenance["data"]["clips"].items()}
        return ", ".join(
            f"{count_of(number, 'clip')} ({part})" for part, number in numbers.items() if number
        )
    except (AttributeError, KeyError, TypeError):  # not written by genrelens train
        return None


def _accuracy(metrics: dict[str, Any], provenance: dict[str, Any]) -> str | None:
    """Return, as text, the accuracy of the model by the strictest protocol, or None."""
    try:
        protocol = next(name for name in _PROTOCOLS if name in metrics)
        figures = metrics[protocol][provenance["recipe"]["network"]]
        low, high = figures["accuracy_interval"]
        return (
            f"{percent(figures['accuracy'], 1)} ({percent_range(low, high)}), "
            f"macro recall {percent(figures['macro_recall'], 1)}, "
            f"{count_of(figures['n'], 'clip')} ({protocol})"
        )
    except (KeyError, StopIteration, TypeError, ValueError):  # not written by genrelens train
        return None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
