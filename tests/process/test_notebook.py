"""The notebook of the documentation runs, and its stored outputs are those of this version."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import nbformat
import numpy as np

from support.processes import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"\d+\.?\d*")
NOTEBOOK = ROOT / "docs" / "notebooks" / "library.ipynb"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stored() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def texts(notebook: Any) -> list[str]:
    """Return the outputs of a notebook as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [str(each.get("text") or each["data"]["text/plain"]) for each in outputs]


@pytest.mark.timeout(PATIENCE)
def test_it_runs_with_these_outputs(stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from run_notebook import executed

    for new, old in zip(texts(executed(NOTEBOOK)), texts(stored), strict=True):
        if "Fold" in old:  # a score jumps if one excerpt is classified otherwise
            assert new.count("Fold: ") == 2
            continue
        assert NUMBER.sub("#", new) == NUMBER.sub("#", old)
        np.testing.assert_allclose(numbers(new), numbers(old), atol=0.011)  # rounded to 0.01


def numbers(text: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(text)]


def test_outputs_hold_nothing_of_this_computer(stored: Any) -> None:
    content = NOTEBOOK.read_text()
    assert [each for each in (str(ROOT), str(Path.home()), sys.prefix) if each in content] == []
    assert "Warning" not in "".join(texts(stored))
    assert len(texts(stored)) == sum(cell.cell_type == "code" for cell in stored.cells)


def test_the_page_shows_every_cell(stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    from docs_hooks import notebook_markdown

    page = "\n".join(notebook_markdown(NOTEBOOK))
    assert page.count("```python\n") == sum(cell.cell_type == "code" for cell in stored.cells)
    assert "StratifiedGroupKFold: 0." in page
    assert page.count('class="dataframe"') == 3
    assert all(cell.source in page for cell in stored.cells)
