"""``genrelens models``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from genrelens.cli.console import display_name, out, print_json
from genrelens.model_file import ModelFile, ModelMetadata, packaged_models


def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A packaged model's name or an .onnx file: show its card."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON.")] = False,
) -> None:
    """List the packaged models, or show one model's card."""
    artifacts = [ModelFile.load(which) for which in ([name] if name else packaged_models())]
    if as_json:
        cards = [{**asdict(a.metadata), "size": a.size} for a in artifacts]
        print_json(cards[0] if name else cards)
    elif name:
        _print_card(artifacts[0])
    else:
        _print_list(artifacts)


def _print_list(artifacts: list[ModelFile]) -> None:
    from rich.table import Table

    columns = ("model", "genres", "styles", "size", "accuracy on unseen artists")
    table = Table(*columns, box=None, pad_edge=False)
    for artifact in artifacts:
        metadata = artifact.metadata
        table.add_row(
            display_name(metadata.name),
            str(len(metadata.labels)),
            str(len(metadata.styles) or "none"),
            _megabytes(artifact.size),
            _accuracy(metadata.metrics, metadata.provenance) or "not measured",
        )
    out.print(table)
    out.print("\nThe first is the default. A model's card: genrelens models NAME")


def _print_card(artifact: ModelFile) -> None:
    from rich.table import Table

    metadata = artifact.metadata
    features = metadata.features
    renamed = ", ".join(f"{old} -> {new}" for old, new in metadata.label_map.items())
    rows = {
        "model": metadata.name,
        "what": metadata.description,
        "genres": ", ".join(metadata.labels),
        "renamed": renamed or "none",
        "styles": ", ".join(style.name for style in metadata.styles) or "none",
        "doubts": _doubts(metadata),
        "hears": f"{features.kind} at {features.sample_rate} Hz, {features.f_min:g} to "
        f"{features.f_max:g} Hz, segments of {features.segment_seconds:.2f} s",
        "trained on": _clips(metadata.provenance) or "unknown",
        "measured": _accuracy(metadata.metrics, metadata.provenance) or "not measured",
        "licence": metadata.license,
        "size": _megabytes(artifact.size),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in rows.items():
        table.add_row(key, display_name(value))
    out.print(table)


def _doubts(metadata: ModelMetadata) -> str:
    """Write when the model gives no genre."""
    thresholds = {"not music": metadata.music_threshold, "not sure": metadata.sure_threshold}
    doubts = [f"{what} below {p:.0%}" for what, p in thresholds.items() if p is not None]
    return ", ".join(doubts) or "none: it always gives a genre"


def _clips(provenance: dict[str, Any]) -> str | None:
    """Write how many clips each part of the training data had, if it is known."""
    try:
        numbers = {part: sum(of.values()) for part, of in provenance["data"]["clips"].items()}
        return ", ".join(f"{number} clips ({part})" for part, number in numbers.items() if number)
    except (AttributeError, KeyError, TypeError):  # a model from elsewhere says it in another way
        return None


def _accuracy(metrics: dict[str, Any], provenance: dict[str, Any]) -> str | None:
    """Write the accuracy of the model's own network on the validation clips, if it is known."""
    try:
        figures = metrics["valid"][provenance["recipe"]["network"]]
        low, high = figures["accuracy_interval"]
        return (
            f"{figures['accuracy']:.1%} ({low:.1%} to {high:.1%}), "
            f"macro recall {figures['macro_recall']:.1%}, {figures['n']} clips"
        )
    except (KeyError, TypeError, ValueError):  # as above
        return None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
