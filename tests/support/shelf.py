"""Real recordings in a folder, and a catalogue with predictions for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrelens.errors import TagError
from genrelens.library import Catalog, Outcome, Plan, Policy, plan_changes
from genrelens.library.digest import audio_digest
from genrelens.library.records import Entry, StoredPrediction
from genrelens.tags import Tags, read_tags, write_genres
from support import tagged
from support.library_folder import stored

STORED = stored()


def entry(
    genres: tuple[str, ...] | None = (),
    prediction: StoredPrediction | None = STORED,
    **changes: Any,
) -> Entry:
    """Return an entry for a file that need not exist; None as genres is a format without tags."""
    values: dict[str, Any] = {
        "path": Path("/m/song.mp3"),
        "size": 5,
        "mtime_ns": 7,
        "digest": "a" * 40,
        "tags": None if genres is None else Tags("ID3v2.4", genres),
        "prediction": prediction,
        "failure": None,
    }
    return Entry(**values | changes)


def song(folder: Path, name: str = "song.mp3", kind: str = "mp3", *genres: str) -> Path:
    """Write a recording with genres in its tags; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(tagged.recording(kind))
    if genres:
        write_genres(path, genres)
    return path


def shelve(
    catalog: Catalog, path: Path, genre: str = "jazz", probability: float = 0.9, **changes: Any
) -> None:
    """Record a file with a prediction, as a scan does."""
    try:
        tags = read_tags(path)
    except TagError:
        tags = None
    catalog.record(
        path,
        size=path.stat().st_size,
        mtime_ns=path.stat().st_mtime_ns,
        digest=audio_digest(path),
        tags=tags,
        prediction=stored(genre, probability, **{"styles": (), **changes}),
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Return the relative path and the content of the files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def plan_jazz(catalog: Catalog, music: Path, **policy: Any) -> Plan:
    """Record all files below a folder as jazz, and plan their genres (``existing="replace"``)."""
    for path in sorted(music.rglob("*.*")):
        shelve(catalog, path)
    return plan_changes(catalog, [music], Policy(**{"existing": "replace", **policy}))


def only(outcomes: tuple[Outcome, ...]) -> Outcome:
    [outcome] = outcomes
    return outcome
