"""The public names: their documentation, and the cost of an import."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

import genrelens

FACES = ["genrelens"] + [
    f"genrelens.{name}" for name in ("data", "evaluation", "library", "train", "web")
]
EXAMPLE = re.compile(r">>>|^ *(Example|Examples|)::?$", re.MULTILINE)


def public_definitions(module: ModuleType) -> dict[str, Any]:
    """Functions and classes that a module defines under a name without underscore."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    }


def undocumented(name: str, value: Any) -> list[str]:
    """The faults of the documentation of a public function or class."""
    faults = [] if value.__doc__ else [f"{name} has no docstring"]
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        annotations = [each.annotation for each in signature.parameters.values()]
        if inspect.Signature.empty in [*annotations, signature.return_annotation]:
            faults.append(f"{name} is not annotated")
    return faults


def faults_of_module(module: ModuleType) -> list[str]:
    """The faults of a module. Without ``__all__``, everything in it is public."""
    public = public_definitions(module)
    exported = list(getattr(module, "__all__", public))
    faults = [f"{name} is exported and missing" for name in exported if not hasattr(module, name)]
    if len(exported) != len(set(exported)):
        faults.append("__all__ has a name twice")
    faults += [f"{name} is not in __all__" for name in public if name not in exported]
    for name, value in public.items():
        faults += undocumented(name, value)
    return [f"{module.__name__}: {fault}" for fault in faults]


def functions_named_like_modules(module: ModuleType) -> list[str]:
    """The exported functions of a package that hide a module of the package."""
    return [
        f"{module.__name__}.{name}"
        for name in getattr(module, "__all__", ())
        if inspect.isfunction(getattr(module, name)) and f"{module.__name__}.{name}" in sys.modules
    ]


def without_example(name: str) -> list[str]:
    """The public names of a package without docstring or example. Errors need no example."""
    module = importlib.import_module(name)
    missing = [] if EXAMPLE.search(module.__doc__ or "") else [name]
    for entry in module.__all__:
        value = getattr(module, entry)
        is_error = inspect.isclass(value) and issubclass(value, Exception)
        documented = value.__doc__ if is_error else EXAMPLE.search(value.__doc__ or "")
        if callable(value) and not documented:
            missing.append(entry)
    return missing


# ---------------------------------------------------------------------------------- names


def test_public_names_of_each_module(every_module: list[str]) -> None:
    modules = [importlib.import_module(name) for name in every_module]
    assert [fault for module in modules for fault in faults_of_module(module)] == []


def test_no_function_has_the_name_of_a_module(every_module: list[str]) -> None:
    modules = [importlib.import_module(name) for name in every_module]
    assert [name for module in modules for name in functions_named_like_modules(module)] == []


def test_faults_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(x):  # type: ignore[no-untyped-def]
        return x

    module, same_name = ModuleType("genrelens_faulty"), ModuleType("genrelens_faulty.plain")
    plain.__module__ = module.__name__
    module.__dict__.update(__all__=["gone", "gone"], plain=plain)
    assert faults_of_module(module) == [
        "genrelens_faulty: gone is exported and missing",
        "genrelens_faulty: gone is exported and missing",
        "genrelens_faulty: __all__ has a name twice",
        "genrelens_faulty: plain is not in __all__",
        "genrelens_faulty: plain has no docstring",
        "genrelens_faulty: plain is not annotated",
    ]
    monkeypatch.setitem(sys.modules, same_name.__name__, same_name)
    module.__dict__.update(__all__=["plain"])
    assert functions_named_like_modules(module) == ["genrelens_faulty.plain"]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert without_example(module.__name__) == ["genrelens_faulty", "plain"]


def test_names_of_the_package() -> None:
    """A name that disappears breaks the programs of users."""
    assert {*genrelens.__all__} == {
        *("AudioError", "AudioWarning", "Classifier", "DataError", "DataWarning"),
        *(
            "FeatureConfig",
            "Genre",
            "GenrelensEmbeddings",
            "GenrelensError",
            "LibraryError",
            "MissingExtraError",
        ),
        *("ModelError", "ModelMetadata", "Prediction", "RecipeError", "Section", "Style"),
        "TagError",
        *(
            "__version__",
            "audacity_labels",
            "extract_segments",
            "load_audio",
            "packaged_models",
            "probe",
        ),
        *("stream_audio", "to_columns", "to_pandas", "to_polars"),
    }
    assert {*genrelens.__all__} <= {*dir(genrelens)}
    with pytest.raises(AttributeError, match="no attribute 'gone'"):
        _ = genrelens.gone


def test_all_errors_are_exported_and_have_one_base() -> None:
    errors = public_definitions(importlib.import_module("genrelens.errors"))
    for name, error in errors.items():
        if inspect.isclass(error):
            assert issubclass(getattr(genrelens, name), genrelens.GenrelensError | UserWarning)


# ------------------------------------------------------------------------------- examples


@pytest.mark.parametrize(
    "name",
    # The names of train need torch, which a quick test must not import.
    [pytest.param(n, marks=pytest.mark.slow) if n == "genrelens.train" else n for n in FACES],
)
def test_public_names_have_examples(name: str) -> None:
    assert without_example(name) == []


@pytest.mark.parametrize(
    "name",
    [
        *("metadata", "model_file", "percentages", "findings", "data.folders"),
        *(f"evaluation.{name}" for name in ("bootstrap", "calibration", "metrics")),
        "evaluation.prediction_table",
    ],
)
def test_examples_are_right(name: str) -> None:
    module = importlib.import_module(f"genrelens.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


# -------------------------------------------------------------------------------- imports


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("genrelens", "torch matplotlib av soundfile typer rich onnx librosa scipy tarfile"),
        ("genrelens.cli", "typer rich numpy tomllib"),
        ("genrelens.cli.application", "torch matplotlib av soundfile onnx rich numpy pydantic"),
        ("genrelens.results_table, genrelens.plots", "torch matplotlib pandas"),
    ],
)
def test_imports_are_light(module: str, absent: str) -> None:
    code = f"import sys, {module}; print(*sorted(set({absent.split()}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.slow
def test_an_import_costs_little_more_than_that_of_numpy() -> None:
    """In processor time of one process, so the result does not depend on the machine."""
    code = (
        "from time import process_time as now; a = now(); import numpy; b = now(); "
        "import genrelens; print((now() - b) / (b - a))"
    )
    ratios = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(ratios) < 4
