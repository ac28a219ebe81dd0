"""Write the report of an evaluation: a folder with a page, figures and all numbers."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrelens.errors import DataError, MissingExtraError
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.report.figures import (
    plot_recall,
    plot_rejection,
    plot_reliability,
    plot_robustness,
)
from genrelens.evaluation.report.page import report_page
from genrelens.files import reason, replaced, write_text_atomically
from genrelens.plots import plot_confusion

if TYPE_CHECKING:
    from genrelens.evaluation.robustness import Robustness
    from genrelens.evaluation.scores import Scores

__all__ = ["check_report_folder", "write_report"]

_PAGE = "index.html"


def check_report_folder(folder: Path) -> None:
    """Check that a report can be written, before the evaluation starts; nothing is created.

    Raises:
        DataError: the path is a file, or is not writable.
        MissingExtraError: matplotlib is not installed.

    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "evaluate")
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise DataError(f"{existing} is a file; a report needs a folder", path=folder)
    if not os.access(existing, os.W_OK | os.X_OK):
        raise DataError(f"{existing} is not writable", path=folder)


def write_report(
    folder: Path,
    title: str,
    table: PredictionTable,
    scores: Scores,
    provenance: Mapping[str, Any],
    *,
    before: Scores | None = None,
    robustness: Robustness | None = None,
    failed: Sequence[str] = (),
    results: Mapping[str, Any] | None = None,
    safe_csv: bool = False,
) -> Path:
    """Write ``index.html``, its figures as PNG, ``metrics.json`` and ``predictions.csv``.

    The page is written last and needs none of the other files. The files of an earlier report in
    the folder are replaced one by one, each completely or not at all; other files do not change.

    Args:
        folder: folder of the report; created if it does not exist.
        title: title of the page.
        table: the predictions; a table with rounds gets a section about them.
        scores: figures of ``table``.
        provenance: what is needed to reproduce the figures, in the order of the page: plain values,
            mappings and lists.
        before: figures of the same clips before the calibration, for comparison.
        robustness: figures under other conditions; they get their own section.
        failed: messages about the clips that could not be read.
        results: entries of ``metrics.json`` in addition to ``title``, ``scores``, ``provenance``,
            ``failed`` and ``predictions``.
        safe_csv: as for :meth:`PredictionTable.save`.

    Returns:
        The path of the page.

    Raises:
        DataError: the folder cannot be written.
        MissingExtraError: matplotlib is not installed.

    Example::

        result = evaluate(Classifier.load(), clips)
        write_report(Path("report"), "My model", result.table, result.scores, environment())

    """
    check_report_folder(folder)
    numbers = {
        "title": title,
        **(results or {}),
        "scores": scores.to_dict(),
        **({"before_calibration": before.to_dict()} if before is not None else {}),
        **({"robustness": robustness.to_dict()} if robustness is not None else {}),
        "provenance": dict(provenance),
        "failed": list(failed),
        "predictions": table.to_dict(),
    }
    try:
        images, vectors = _draw(scores, before, robustness)
        html = report_page(
            title,
            table,
            scores,
            provenance,
            vectors,
            before=before,
            robustness=robustness,
            failed=failed,
        )
        folder.mkdir(parents=True, exist_ok=True)
        table.save(folder / "predictions.csv", safe_csv=safe_csv)
        for name, image in images.items():
            with replaced(folder / f"{name}.png") as file:
                file.write(image)
        text = json.dumps(numbers, indent=1, allow_nan=False) + "\n"
        write_text_atomically(folder / "metrics.json", text)
        write_text_atomically(folder / _PAGE, html)
    except (OSError, DataError) as error:
        message = f"the report cannot be written ({reason(error.__cause__ or error)})"
        raise DataError(message, path=folder) from error
    return folder / _PAGE


def _draw(
    scores: Scores, before: Scores | None, robustness: Robustness | None
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Draw the figures and return them by name, as PNG and as SVG."""
    drawings: dict[str, Callable[[Path], None]] = {
        "confusion": lambda path: plot_confusion(scores.confusion, scores.labels, path),
        "recall": lambda path: plot_recall(scores.per_class, path),
        "reliability": lambda path: plot_reliability(scores, path, before=before),
        "rejection": lambda path: plot_rejection(scores, path),
    }
    if robustness is not None:
        drawings["robustness"] = lambda path: plot_robustness(robustness.rows, path)
    found: dict[str, dict[str, bytes]] = {"png": {}, "svg": {}}
    with tempfile.TemporaryDirectory() as folder:
        for ending, pictures in found.items():
            for name, draw in drawings.items():
                path = Path(folder) / f"{name}.{ending}"
                draw(path)
                pictures[name] = path.read_bytes()
    return found["png"], found["svg"]
