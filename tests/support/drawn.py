"""A fixture that collects the matplotlib figures that the package draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the list of the figures that are written; their resolution is low to save time."""
    from matplotlib.figure import Figure

    written: list[Figure] = []
    save = Figure.savefig

    def savefig(figure: Figure, path: Path, *, dpi: float) -> None:
        save(figure, path, dpi=dpi / 4)
        written.append(figure)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return written


def ticks(axes: Axes, which: str = "x") -> list[str]:
    return [label.get_text() for label in getattr(axes, f"get_{which}ticklabels")()]
