"""Rows of data sets for tests."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from genrelens.discovery.locations import ObjectPath
from genrelens.library import Entry, Failure
from genrelens.tags import Tags
from support.library_folder import MODEL_DIGEST, stored

TIMES = [f"2026-01-0{day}T00:00:00.000000+00:00" for day in range(1, 6)]


def digest_of(path: str) -> str:
    return hashlib.blake2b(os.fsencode(path), digest_size=20).hexdigest()


def row(path: str, time: str = TIMES[0], genre: str = "rock", **changes: object) -> Entry:
    entry = Entry(
        path=ObjectPath(path) if path.startswith("s3:") else Path(path),
        size=5,
        mtime_ns=1_600_000_000_123_456_789,
        digest=digest_of(path),
        tags=Tags("FLAC", ("Rock", "Pop"), "An artist", "", "A title"),
        prediction=replace(stored(genre), created_at=time),
        failure=None,
        scanned_at=time,
    )
    return replace(entry, **changes)


def failed(path: str, time: str = TIMES[0]) -> Entry:
    failure = Failure("crashed its decoder (SIGSEGV)", MODEL_DIGEST, "1.0")
    return row(path, time, digest=None, tags=None, prediction=None, failure=failure)
