"""``genrelens env``."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from genrelens import __version__
from genrelens.cli.config_file import config_path, read_config
from genrelens.cli.console import display_name, out, print_json
from genrelens.cli.options import AsJson, n_jobs

__all__ = ["env"]

_REQUIREMENT = re.compile(r"([\w.-]+)[^;]*(?:; *extra *== *['\"]([\w-]+)['\"])?")
_NOT_FOR_USERS = ("dev", "docs")  # extras for work on genrelens itself
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def env(as_json: AsJson = False) -> None:
    """Show versions, decoders, paths and models, for a bug report.

    A package that is missing or broken is shown as such. The home folder is shown as ~.

    Examples:
        genrelens env
            Print a text to paste into a bug report.
        genrelens env --json
            Print the same as JSON.

    """
    document = _shortened(_document())
    if as_json:
        print_json(document)
        return
    width = max(map(len, document))
    for name, value in document.items():
        for number, line in enumerate(_lines(value)):
            title = "" if number else f"{name}:"
            out.print(f"{title:<{width + 1}} {display_name(line)}", soft_wrap=True)


def _document() -> dict[str, Any]:
    parts: dict[str, Callable[[], Any]] = {
        "genrelens": lambda: f"{__version__} in {Path(__file__).parents[1]}",
        "python": lambda: f"{platform.python_version()} in {sys.executable}",
        "system": platform.platform,
        "processor": _processor,
        "packages": lambda: {name: _version(name) for name in _requirements().get("", [])},
        "libraries": lambda: {name: _tried(find) for name, find in _LIBRARIES.items()},
        "extras": _extras,
        "decoders": _decoders,
        "models": _models,
        "paths": lambda: {name: _tried(partial(_place, find)) for name, find in _PATHS.items()},
        "settings": _settings,
        "variables": _variables,
    }
    return {name: _tried(find) for name, find in parts.items()}


def _tried(find: Callable[[], Any]) -> Any:
    """Return what a function returns, or its error as text: the report shows what is broken."""
    try:
        return find()
    except Exception as error:  # a broken installation can raise anything
        return f"error: {type(error).__name__}: {error}"


# ---------------------------------------------------------------------------------- parts


def _processor() -> dict[str, Any]:
    limits = {name: os.environ[name] for name in _THREADS if name in os.environ}
    return {"machine": platform.machine(), "cores": os.cpu_count(), "usable": n_jobs(0), **limits}


def _requirements() -> dict[str, list[str]]:
    """Return the packages that genrelens requires by the extra; those without one under ''."""
    found: dict[str, list[str]] = {}
    for text in metadata.requires("genrelens") or []:
        if match := _REQUIREMENT.match(text):
            found.setdefault(match[2] or "", []).append(match[1])
    return found


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _extras() -> dict[str, str]:
    texts = {}
    for extra, packages in _requirements().items():
        if extra and extra not in _NOT_FOR_USERS:
            missing = [name for name in packages if _version(name) == "not installed"]
            texts[extra] = f"without {', '.join(missing)}" if missing else "installed"
    return texts


def _libsndfile() -> str:
    import soundfile

    return str(soundfile.__libsndfile_version__)


def _ffmpeg() -> str:
    import av

    versions = {name: ".".join(map(str, parts)) for name, parts in av.library_versions.items()}
    text = f"libavcodec {versions['libavcodec']}, libavformat {versions['libavformat']}"
    return f"{getattr(av, 'ffmpeg_version_info', '')} ({text})".strip()


def _soxr() -> str:
    import soxr

    return str(soxr.__libsoxr_version__)


def _onnxruntime() -> str:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return ", ".join(onnxruntime.get_available_providers())


_LIBRARIES = {
    "libsndfile": _libsndfile,
    "FFmpeg": _ffmpeg,
    "soxr": _soxr,
    "onnxruntime": _onnxruntime,
}


def _decoders() -> dict[str, str]:
    from genrelens.decoders.formats import FFMPEG_SUFFIXES, LIBSNDFILE_SUFFIXES

    tables = {"libsndfile only": LIBSNDFILE_SUFFIXES, "libsndfile or FFmpeg": FFMPEG_SUFFIXES}
    return {
        name: " ".join(sorted({suffix for text in table.values() for suffix in text.split()}))
        for name, table in tables.items()
    }


def _models() -> dict[str, str]:
    from genrelens.model_file import DEFAULT_MODEL, model_digest, packaged_models, read_model

    texts = {}
    for name in packaged_models():
        default = ", the default" if name == DEFAULT_MODEL else ""
        size = _size(len(read_model(name)))
        texts[name] = f"{size}, SHA-256 {model_digest(name)[:16]}{default}"
    return texts


def _catalogue() -> Path:
    from genrelens.library import Catalog

    return Catalog.default_path()


def _journal() -> Path:
    from genrelens.library.tagging.journal import Journal

    return Journal.default_path()


def _cache() -> Path:
    from genrelens.train.cache import default_cache_dir

    return default_cache_dir()


def _datasets() -> Path | None:
    from genrelens.library.dataset_cache import cache_folder

    return cache_folder()


_PATHS: dict[str, Callable[[], Path | None]] = {
    "configuration": config_path,
    "catalogue": _catalogue,
    "journal": _journal,
    "cache": _cache,
    "catalogues of data sets": _datasets,
}


def _place(find: Callable[[], Path | None]) -> str:
    path = find()
    if path is None:
        return "none"
    if not path.exists():
        return f"{path} (does not exist)"
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return f"{path} ({_size(sum(each.stat().st_size for each in files))})"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"


def _settings() -> dict[str, Any]:
    path = config_path()
    sections = {} if path is None else read_config(path)
    return {
        f"{name}.{key}": value for name, part in sections.items() for key, value in part.items()
    }


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("GENRELENS_")}


# --------------------------------------------------------------------------------- output


def _shortened(value: Any) -> Any:
    """Write the home folder as ~ in all texts."""
    if isinstance(value, dict):
        return {key: _shortened(each) for key, each in value.items()}
    home = str(Path.home())
    hidden = isinstance(value, str) and len(home) > 1
    return re.sub(rf"{re.escape(home)}(?![^/\\ )])", "~", value) if hidden else value


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [f"{key} {each}" for key, each in value.items()] or ["none"]
    else:
        yield str(value)
