"""``genrelens.train``: the public names, their examples, and what is missing without torch."""

from __future__ import annotations

import doctest
import subprocess
import sys

import pytest

import genrelens.train
from genrelens.errors import MissingExtraError


@pytest.mark.parametrize("name", genrelens.train.__all__)
def test_public_name_has_a_docstring_with_an_example_that_runs(name: str) -> None:
    value = getattr(genrelens.train, name)
    assert value.__module__.startswith("genrelens.train.")
    assert "Example::" in (value.__doc__ or "")
    tests = doctest.DocTestFinder(recurse=False).find(value, name)
    assert doctest.DocTestRunner().run(tests[0]).failed == 0


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'trein'"):
        _ = genrelens.train.trein


@pytest.mark.parametrize(
    ("module", "package"), [("torch", "torch"), ("pytorch_lightning", "pytorch-lightning")]
)
def test_missing_package_names_the_extra(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("genrelens.train.import_module", absent)
    with pytest.raises(MissingExtraError, match=rf"^{package} .*'genrelens\[train\]'"):
        _ = genrelens.train.Hardware


def test_import_and_recipes_need_no_torch() -> None:
    code = (
        "import sys; from genrelens.train import Recipe, packaged_recipes; "
        "[Recipe.load(name) for name in packaged_recipes()]; "
        "assert not {'torch', 'pytorch_lightning'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
