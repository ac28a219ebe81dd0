"""What may be imported, and what an import costs."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

import genrelens

# Everything in these is public, or nothing is: they have no __all__.
WITHOUT_ALL = {
    *(f"genrelens.cli.{name}" for name in ("calibrate", "classify", "compare", "crossval")),
    *(f"genrelens.cli.{name}" for name in ("data", "evaluate", "features", "models", "serve")),
    *("genrelens.cli.train", "genrelens.errors"),
    *("genrelens.data", "genrelens.evaluation", "genrelens.train", "genrelens.web"),
    *("genrelens.train.original.networks", "genrelens.web.schemas"),
}


def public_definitions(module: ModuleType) -> set[str]:
    """Functions and classes that a module defines under a name without underscore."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    }


def faults(name: str) -> list[str]:
    """What is wrong with the public side of a module."""
    module = importlib.import_module(name)
    exported = list(getattr(module, "__all__", ()))
    public = public_definitions(module)
    found = [
        f"{entry} is exported and not there" for entry in exported if not hasattr(module, entry)
    ]
    if len(exported) != len(set(exported)):
        found.append("__all__ names something twice")
    if (name in WITHOUT_ALL) == hasattr(module, "__all__"):
        found.append("has an __all__, or has none, against the list here")
    elif name not in WITHOUT_ALL:
        found += [f"{entry} is not in __all__" for entry in public - set(exported)]
    for entry in sorted(public):
        found += undocumented(entry, getattr(module, entry))
    return [f"{name}: {fault}" for fault in found]


def undocumented(name: str, value: Any) -> list[str]:
    """What a public function or class lacks."""
    found = [] if value.__doc__ else [f"{name} has no docstring"]
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        given = [each.annotation for each in signature.parameters.values()]
        if inspect.Signature.empty in [*given, signature.return_annotation]:
            found.append(f"{name} is not annotated")
    return found


def test_every_module_names_annotates_and_documents_what_is_public(
    every_module: list[str],
) -> None:
    assert [fault for name in every_module for fault in faults(name)] == []


def test_the_list_of_modules_is_up_to_date(every_module: list[str]) -> None:
    assert set(every_module) >= WITHOUT_ALL


def test_faults_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(x):  # type: ignore[no-untyped-def]
        return x

    module = ModuleType("genrelens_odd")
    plain.__module__ = module.__name__
    module.__dict__.update(__all__=["gone", "gone"], plain=plain)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert faults(module.__name__) == [
        "genrelens_odd: gone is exported and not there",
        "genrelens_odd: gone is exported and not there",
        "genrelens_odd: __all__ names something twice",
        "genrelens_odd: plain is not in __all__",
        "genrelens_odd: plain has no docstring",
        "genrelens_odd: plain is not annotated",
    ]


def test_what_the_package_exports() -> None:
    assert set(genrelens.__all__) == {
        "AudioError",
        "AudioWarning",
        "Classifier",
        "DataError",
        "DataWarning",
        "FeatureConfig",
        "GenrelensError",
        "LibraryError",
        "MissingExtraError",
        "ModelError",
        "Prediction",
        "RecipeError",
        "TagError",
        "__version__",
        "extract_segments",
        "load_audio",
        "stream_audio",
    }


def test_every_error_is_exported_and_has_one_base() -> None:
    for name in public_definitions(importlib.import_module("genrelens.errors")):
        if name == "require":
            continue
        error = getattr(genrelens, name)
        assert issubclass(error, genrelens.GenrelensError | UserWarning)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("genrelens", "torch matplotlib av soundfile typer rich onnx librosa scipy tarfile"),
        ("genrelens.cli", "torch matplotlib av soundfile onnx scipy tarfile rich.progress"),
        ("genrelens.plots", "torch matplotlib"),
    ],
)
def test_imports_are_light(module: str, absent: str) -> None:
    code = f"import sys, {module}; print(*sorted(set({absent.split()}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.slow
def test_an_import_costs_little_more_than_that_of_numpy() -> None:
    """In processor time, both measured in one process: how fast the machine is has no part."""
    code = (
        "from time import process_time as now; a = now(); import numpy; b = now(); "
        "import genrelens; print((now() - b) / (b - a))"
    )
    ratios = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(ratios) < 4
