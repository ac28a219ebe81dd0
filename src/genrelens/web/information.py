"""Documents about the model and the bundled clips, for the server and for the static site."""

from __future__ import annotations

from importlib import metadata, resources
from pathlib import Path
from typing import Any

from genrelens.metadata import ModelMetadata

__all__ = ["describe_model", "examples_folder", "licence_notice", "list_examples"]


def describe_model(model: ModelMetadata) -> dict[str, Any]:
    """Return the document of a model."""
    return {
        "name": model.name,
        "description": model.description,
        "license": model.license,
        "labels": list(model.labels),
        "styles": [style.name for style in model.styles],
        "music_threshold": model.music_threshold,
        "sure_threshold": model.sure_threshold,
        "sample_rate": model.features.sample_rate,
        "segment_seconds": model.features.segment_seconds,
    }


def examples_folder() -> Path:
    """Return the folder of the bundled clips: in the package, or beside it in a checkout."""
    packaged = Path(str(resources.files("genrelens"))) / "examples"
    return packaged if packaged.is_dir() else packaged.parents[2] / "examples"


def list_examples(root_path: str = "") -> list[dict[str, str]]:
    """Return name, title and address of each bundled clip; addresses begin with ``root_path``."""
    return [
        {
            "name": path.stem,
            "title": path.stem.replace("-", " ").capitalize(),
            "url": f"{root_path}/examples/{path.name}",
        }
        for path in sorted(examples_folder().glob("*.ogg"))
    ]


def licence_notice() -> str:
    """Return the licences of the model, the examples and onnxruntime-web, which copies must have.

    The file is beside the package in a checkout, and in the metadata of an installed package.
    """
    checkout = Path(str(resources.files("genrelens"))).parents[1] / "NOTICE"
    if checkout.is_file():
        return checkout.read_text("utf-8")
    return metadata.distribution("genrelens").read_text("licenses/NOTICE") or ""
