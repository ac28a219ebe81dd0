"""What may be imported, and what an import costs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import genrelens

MODULES = ["genrelens"] + [
    module.name
    for module in pkgutil.walk_packages(genrelens.__path__, "genrelens.")
    if not module.name.endswith("__main__")
]
# Everything in these is public, or nothing is: they have no __all__.
WITHOUT_ALL = {
    *(f"genrelens.cli.{name}" for name in ("calibrate", "classify", "compare", "crossval")),
    *(f"genrelens.cli.{name}" for name in ("data", "evaluate", "features", "models", "serve")),
    *("genrelens.cli.train", "genrelens.errors"),
    *("genrelens.data", "genrelens.evaluation", "genrelens.train", "genrelens.web"),
    *("genrelens.train.networks", "genrelens.web.schemas"),
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


@pytest.mark.parametrize("name", sorted({*MODULES} - WITHOUT_ALL))
def test_all_names_what_is_public(name: str) -> None:
    module = importlib.import_module(name)
    exported = list(module.__all__)
    assert [entry for entry in exported if not hasattr(module, entry)] == []
    assert len(exported) == len(set(exported))
    assert public_definitions(module) <= set(exported)


@pytest.mark.parametrize("name", sorted(WITHOUT_ALL))
def test_what_has_no_all(name: str) -> None:
    assert not hasattr(importlib.import_module(name), "__all__")


def test_what_the_package_exports() -> None:
    assert set(genrelens.__all__) == {
        "AudioError", "AudioWarning", "Classifier", "DataError", "DataWarning", "FeatureConfig",
        "GenrelensError", "LibraryError", "MissingExtraError", "ModelError", "Prediction",
        "RecipeError", "TagError", "__version__", "extract_segments", "load_audio", "stream_audio",
    }  # fmt: skip


def test_every_error_is_exported_and_has_one_base() -> None:
    for name in public_definitions(importlib.import_module("genrelens.errors")):
        error = getattr(genrelens, name)
        assert issubclass(error, genrelens.GenrelensError | UserWarning)


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_are_annotated_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    for entry in public_definitions(module):
        value = getattr(module, entry)
        assert value.__doc__, entry
        if inspect.isfunction(value):
            parameters = inspect.signature(value).parameters.values()
            assert all(each.annotation is not each.empty for each in parameters), entry
            assert inspect.signature(value).return_annotation is not inspect.Signature.empty


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


def test_import_takes_less_than_half_a_second_of_processor_time() -> None:
    code = "import time; a = time.process_time(); import genrelens; print(time.process_time() - a)"
    times = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        times.append(float(done.stdout))
    assert min(times) < 0.5
