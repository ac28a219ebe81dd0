"""The report of an evaluation: a folder with a page, its figures and all numbers behind them."""

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
from genrelens.evaluation.report.page import Report, Section, page
from genrelens.files import reason, replaced, write_text_atomically
from genrelens.plots import plot_confusion

if TYPE_CHECKING:
    from genrelens.evaluation.robustness import Robustness
    from genrelens.evaluation.scores import Scores

__all__ = ["Section", "check_report_folder", "write_report"]

_PAGE = "index.html"
_NEEDED = {"matplotlib": "matplotlib", "sklearn": "scikit-learn", "scipy": "scipy"}


def check_report_folder(folder: Path) -> None:
    """Find out before the work whether a report can be written; nothing is made yet.

    Raises:
        DataError: the place is a file, or may not be written.
        MissingExtraError: a package of the extra ``evaluate`` is not installed.

    """
    for module, package in _NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(package, "evaluate")
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise DataError(f"{existing} is a file; a report is a folder", path=folder)
    if not os.access(existing, os.W_OK | os.X_OK):
        raise DataError(f"{existing} may not be written", path=folder)


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
    sections: Sequence[Section] = (),
    results: Mapping[str, Any] | None = None,
    safe_csv: bool = False,
) -> Path:
    """Write ``index.html``, its figures as PNG, ``metrics.json`` and ``predictions.csv``.

    The page comes last and needs none of the other files. What an earlier report left in the
    folder is replaced file by file, so none is ever half written; other files are left alone.

    Args:
        folder: is made if it is not there.
        title: of the page.
        table: what the model said. One with rounds gets a section on them.
        scores: of ``table``.
        provenance: what it takes to get the figures again, in the order to show; values that
            JSON can hold, also mappings and lists.
        before: scores of the same clips before the calibration, drawn beside.
        robustness: of the model, for a section of its own.
        failed: messages on the clips that could not be read.
        sections: more for the page, before the provenance.
        results: more for ``metrics.json``, which holds ``title``, ``scores``, ``provenance``,
            ``failed`` and ``predictions``.
        safe_csv: as for :meth:`PredictionTable.save`.

    Returns:
        The path of the page.

    Raises:
        DataError: the folder cannot be written.
        MissingExtraError: matplotlib is not installed.

    """
    check_report_folder(folder)
    report = Report(
        title=title,
        table=table,
        scores=scores,
        provenance=provenance,
        sections=sections,
        before=before,
        robustness=robustness,
        failed=failed,
    )
    try:
        pictures = _draw(report)
        folder.mkdir(parents=True, exist_ok=True)
        report.table.save(folder / "predictions.csv", safe_csv=safe_csv)
        for name, content in pictures.items():
            if name.endswith(".png"):
                with replaced(folder / name) as file:
                    file.write(content)
        write_text_atomically(folder / "metrics.json", _metrics(report, results or {}))
        html = page(
            report, {Path(name).stem: pictures[name] for name in pictures if name.endswith(".svg")}
        )
        write_text_atomically(folder / _PAGE, html)
    except (OSError, DataError) as error:
        raise DataError(
            f"the report cannot be written ({reason(error.__cause__ or error)})", path=folder
        ) from error
    return folder / _PAGE


def _metrics(report: Report, results: Mapping[str, Any]) -> str:
    """Return the content of ``metrics.json``."""
    metrics = {
        "title": report.title,
        **results,
        "scores": report.scores.to_dict(),
        **({"before_calibration": report.before.to_dict()} if report.before is not None else {}),
        **({"robustness": report.robustness.to_dict()} if report.robustness is not None else {}),
        "provenance": dict(report.provenance),
        "failed": list(report.failed),
        "predictions": report.table.to_dict(),
    }
    return json.dumps(metrics, indent=1, allow_nan=False) + "\n"


def _draw(report: Report) -> dict[str, bytes]:
    """Draw the figures; return their PNG and SVG files by name."""
    scores = report.scores
    drawings: dict[str, Callable[[Path], None]] = {
        "confusion": lambda path: plot_confusion(scores.confusion, scores.labels, path),
        "recall": lambda path: plot_recall(scores.per_class, path),
        "reliability": lambda path: plot_reliability(scores, path, before=report.before),
        "rejection": lambda path: plot_rejection(scores, path),
    }
    if (robustness := report.robustness) is not None:
        drawings["robustness"] = lambda path: plot_robustness(robustness.rows, path)
    pictures = {}
    with tempfile.TemporaryDirectory() as folder:
        for stem, draw in drawings.items():
            for path in (Path(folder) / f"{stem}.png", Path(folder) / f"{stem}.svg"):
                draw(path)
                pictures[path.name] = path.read_bytes()
    return pictures
