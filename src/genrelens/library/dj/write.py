"""Write a collection: the entries that a program can have, in its format."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from genrelens.discovery.collections import drive_root
from genrelens.errors import LibraryError
from genrelens.files import reason
from genrelens.library.dj.rekordbox import fault_for_rekordbox, is_own_rekordbox, write_rekordbox
from genrelens.library.dj.serato import check_crate_folder, fault_for_serato, write_serato
from genrelens.library.dj.tracks import FOLDER, Grouping, Track, playlists_of, track_of
from genrelens.library.dj.traktor import fault_for_traktor, is_own_traktor, write_traktor
from genrelens.library.records import Entry
from genrelens.library.tagging.policy import Policy

__all__ = ["DjProgram", "ExportedCollection", "export_collection"]

DjProgram = Literal["rekordbox", "traktor", "serato"]

_START = 4096  # bytes of an existing file that show who wrote it


@dataclass(frozen=True, slots=True)
class ExportedCollection:
    """The result of :func:`export_collection`.

    Attributes:
        n_tracks: number of tracks that were written.
        playlists: name of each playlist, such as ``"genrelens/Genres/Jazz"`` -> number of tracks.
        skipped: (path, reason) of the files that the format cannot have.

    Example::

        for name, n_tracks in exported.playlists.items():
            print(name, n_tracks)

    """

    n_tracks: int
    playlists: dict[str, int]
    skipped: tuple[tuple[str, str], ...]


def export_collection(
    entries: Iterable[Entry],
    program: DjProgram,
    target: Path,
    *,
    policy: Policy | None = None,
    by: Collection[Grouping] = ("genre", "style"),
    comments: bool = False,
    force: bool = False,
    drive: Path | None = None,
) -> ExportedCollection:
    """Write a collection for a DJ program: tracks with their genre, and playlists.

    Entries without a prediction are not written, nor is anything if no track is left. Genre
    playlists hold the tracks with a sure genre, style playlists those to which the style applies.

    Args:
        entries: entries of the catalogue, in order.
        program: ``"rekordbox"`` (XML), ``"traktor"`` (NML) or ``"serato"`` (crates).
        target: the file, or for Serato the folder, to write to. A file that genrelens wrote is
            replaced, and so are crates with the names of the new ones.
        policy: the rules for the genre; ``Policy()`` keeps genres that are in the tags.
        by: the playlists: ``"genre"``, ``"style"`` or both.
        comments: also write the prediction as the comment, such as ``Jazz 83 %; Bebop``.
        force: replace a file that another program wrote.
        drive: for Serato, the root of the drive; None is the drive of ``target``.

    Returns:
        The number of tracks, the playlists, and the skipped files.

    Raises:
        LibraryError: the file exists and was written by another program, or the folder is a file,
            is that of Serato's database, or cannot be created.
        DataError: a file cannot be written.
        MissingExtraError: pyrekordbox is not installed (the extra ``dj``).

    Example::

        with Catalog.open() as catalog:
            export_collection(catalog.query(), "rekordbox", Path("collection.xml"))

    """
    root = Path(os.path.abspath(drive_root(target) if drive is None else drive))  # noqa: PTH100
    faults: dict[DjProgram, Callable[[Path], str]] = {
        "rekordbox": fault_for_rekordbox,
        "traktor": fault_for_traktor,
        "serato": lambda path: fault_for_serato(path, root),
    }
    _check_target(program, target, force=force)
    tracks, skipped = _tracks(entries, faults[program], policy or Policy(), by)
    if not comments:
        tracks = [replace(track, comment="") for track in tracks]
    if tracks:
        _write(program, tracks, target, root)
    playlists = playlists_of(tracks).items()
    names = {"/".join((FOLDER, *playlist)): len(members) for playlist, members in playlists}
    return ExportedCollection(len(tracks), names, tuple(skipped))


def _check_target(program: DjProgram, target: Path, *, force: bool) -> None:
    """Refuse to replace what genrelens did not write."""
    if program == "serato":
        check_crate_folder(target)
        return
    is_own = is_own_rekordbox if program == "rekordbox" else is_own_traktor
    try:
        if not target.is_file():  # pipes are written to, and folders are refused later
            return
        with target.open("rb") as file:
            start = file.read(_START)
    except OSError as error:
        raise LibraryError(reason(error), path=target) from error
    if start and not force and not is_own(start):
        text = "was not written by genrelens; choose another name, or replace it with --force"
        raise LibraryError(text, path=target)


def _tracks(
    entries: Iterable[Entry],
    fault: Callable[[Path], str],
    policy: Policy,
    by: Collection[Grouping],
) -> tuple[list[Track], list[tuple[str, str]]]:
    """Return the tracks of the entries that can be written, and (path, reason) of the others."""
    tracks, skipped = [], []
    for entry in entries:
        if entry.prediction is None:
            continue
        if text := fault(entry.path):
            skipped.append((str(entry.path), text))
        else:
            tracks.append(track_of(entry, entry.prediction, policy, by))
    return tracks, skipped


def _write(program: DjProgram, tracks: Sequence[Track], target: Path, root: Path) -> None:
    if program == "serato":
        write_serato(tracks, target, root)
    elif program == "traktor":
        write_traktor(tracks, target)
    else:
        write_rekordbox(tracks, target)
