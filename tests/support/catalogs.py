"""Short forms for the tests of a catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrelens.library import Catalog
from genrelens.library.records import Entry


def put(catalog: Catalog, path: str, digest: str | None = "a", **facts: Any) -> None:
    """Store a file of 5 bytes without tags, unless ``facts`` has other values."""
    values: dict[str, Any] = {"size": 5, "mtime_ns": 7, "tags": None}
    catalog.record(path, digest=digest, **values | facts)


def paths(catalog: Catalog, **conditions: Any) -> list[str]:
    """Return the paths of the entries that meet the conditions."""
    return [str(entry.path) for entry in catalog.query(**conditions)]


def entry(catalog: Catalog, path: Path | str) -> Entry:
    """Return the entry of a file, which the catalogue must have."""
    found = catalog.entry(path)
    assert found is not None
    return found
