"""Find predictions by another version of a packaged model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache

from genrelens.discovery.find import is_gone
from genrelens.library.catalog import Catalog, StrPath
from genrelens.model_file import model_digest, packaged_models

__all__ = ["count_outdated", "is_outdated"]


_MOST_CHECKED = 1000


def is_outdated(model: str, digest: str) -> bool:
    """Return whether a model has the name of a packaged model, and another content.

    Args:
        model: name of the model.
        digest: SHA-256 of its file.

    """
    return model in packaged_models() and _digest(model) != digest


@cache
def _digest(model: str) -> str:
    """Return the digest of a packaged model."""
    return model_digest(model)


def count_outdated(catalog: Catalog, *, under: StrPath | None = None) -> Mapping[str, int]:
    """Count the files whose latest prediction is by another version of a packaged model.

    Files that no longer exist are not counted, because no scan can classify them again. To be
    quick on a network drive, only the first thousand files are checked.

    Args:
        catalog: the catalogue.
        under: count only files in this folder or below it.

    Returns:
        Name of the model -> number of files; only models with such files.

    """
    counts = Counter[str]()
    for name in {model for model, digest in catalog.models() if is_outdated(model, digest)}:
        paths = list(catalog.of_other_versions(name, _digest(name), under=under))
        existing = sum(not is_gone(path) for path in paths[:_MOST_CHECKED])
        counts[name] = existing + len(paths[_MOST_CHECKED:]) if existing else 0
    return +counts
