"""Classify tracks, and store the result in the library of beets."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import confuse
from beets.library import Album, Item

from beetsplug.genrelens.attributes import (
    MUSIC,
    WRITTEN,
    has_result,
    own_genres,
    set_failed,
    set_result,
)
from beetsplug.genrelens.policy import read_policy
from genrelens.discovery.find import Found
from genrelens.files import reason
from genrelens.library import Catalog, Change, Entry, StoredPrediction, decide, scan_files
from genrelens.library.vocabulary import real_genres
from genrelens.model_file import ModelFile, model_digest
from genrelens.percentages import percent
from genrelens.tags import Tags

__all__ = ["Run"]


class Run:
    """Classify tracks, decide which genres they and their albums get, and store the result."""

    def __init__(self, view: Any, log: Any, *, force: bool = False) -> None:
        self._view, self._log, self._force = view, log, force
        self._policy = read_policy(view, force=force)
        self._same = view["albums"].as_choice(["tracks", "same"]) == "same"
        self._fast = view["fast"].get(bool)
        model = view["model"].get(confuse.Optional(str))
        self._model = None if model is None else str(Path(model).expanduser())
        self._digest = model_digest(self._model)
        db = view["db"].get(confuse.Optional(confuse.Filename()))
        self._db = None if db is None else str(db)
        self._pretend = self._write = False

    def process(
        self,
        items: Iterable[Item],
        *,
        album: Album | None = None,
        pretend: bool = False,
        write: bool = False,
    ) -> None:
        """Process the tracks that have no result of this model, album by album.

        Args:
            items: the tracks; their genres are changed in place.
            album: the album of all tracks; None: the library has it, if there is one.
            pretend: log the changes and store nothing in the library.
            write: write changed genres to the files.

        """
        self._pretend, self._write = pretend, write
        items = list(items)
        waiting = {_path(item): item for item in items if self._force or not self._is_done(item)}
        if n_done := len(items) - len(waiting):
            self._log.info("tracks that this model has classified before: {} (-f)", n_done)
        remaining = Counter(item.album_id for item in waiting.values())
        done: dict[int | None, list[Item]] = {}
        with Catalog.open(self._db) as catalog:
            for path, failure in self._scan(catalog, waiting):
                item = waiting[path]
                self._decide(item, self._entry(catalog, path), failure)
                done.setdefault(item.album_id, []).append(item)
                if item.album_id is None or len(done[item.album_id]) == remaining[item.album_id]:
                    self._finish(done.pop(item.album_id), album or item.get_album())

    def leave_out(self, items: Iterable[Item], *, folder: bytes) -> None:
        """Remove tracks outside a folder from the catalogue, because beets copies or moves them.

        Their predictions stay: the catalogue finds them by the audio.
        """
        inside = os.path.join(os.fsdecode(folder), "")  # noqa: PTH118
        outside = [path for path in map(_path, items) if not path.startswith(inside)]
        with Catalog.open(self._db) as catalog:
            catalog.remove(outside)

    def _is_done(self, item: Item) -> bool:
        return has_result(item, self._digest, fast=self._fast)

    def _scan(self, catalog: Catalog, paths: Iterable[str]) -> Iterator[tuple[str, str | None]]:
        """Yield each file when it has been classified, with the reason of a failure or None."""
        files = []
        for path in paths:
            try:
                files.append(Found.at(path))
            except (OSError, ValueError) as error:
                yield path, reason(error)
        results = scan_files(
            catalog,
            files,
            model=self._model,
            jobs=self._view["jobs"].get(int) or _processors(),
            fast=self._fast,
            timeout=self._view["timeout"].as_number(),
            retry=self._force,
        )
        with closing(results):
            for each in results:
                yield each.path, each.failure.reason if each.failure else None

    def _entry(self, catalog: Catalog, path: str) -> Entry | None:
        """Return the catalogue's entry of a file with the prediction of this model."""
        entry = catalog.entry(path)
        if entry and entry.prediction and entry.prediction.model_digest != self._digest:
            name = ModelFile.load(self._model).metadata.name
            return next(catalog.query(under=path, model=name), None)
        return entry

    def _decide(self, item: Item, entry: Entry | None, failure: str | None) -> None:
        """Set the attributes of a track and, if the policy allows it, its genres."""
        if failure is not None or entry is None or entry.prediction is None:
            self._log.warning("{}: {}", _name(item), failure or "has no result")
            set_failed(item)
            return
        own = own_genres(item)
        decision = decide(replace(entry, tags=Tags("beets", tuple(own))), self._policy)
        set_result(item, entry.prediction)
        if isinstance(decision, Change):
            self._set_genres(item, own, decision.after, decision.reason)
        else:
            self._log.info("{}: {}{}", _name(item), decision, _best(entry.prediction))

    def _set_genres(
        self, model: Item | Album, own: Iterable[str], after: Iterable[str], why: str
    ) -> None:
        """Set genres in memory, and store which of them are not the user's own."""
        before, model.genres = model.genres, list(after)
        model[WRITTEN] = [genre for genre in model.genres if genre not in own]
        if before != model.genres:
            texts = _text(before), _text(model.genres)
            self._log.info("{}: {} -> {} ({})", _name(model), *texts, why)

    def _finish(self, items: Iterable[Item], album: Album | None) -> None:
        """Decide the genres of an album after all its tracks, and store everything."""
        changed = {item.id: item for item in items}
        if album is not None:
            tracks = [changed.get(track.id, track) for track in album.items()]
            self._decide_album(album, tracks)
            if self._same:
                changed = {track.id: track for track in tracks}
        if self._pretend:
            return
        for item in changed.values():
            changed_genres = item.genres != item.get_fresh_from_db().genres
            item.try_sync(write=self._write and changed_genres, move=False)
        if album is not None:
            album.store(inherit=False)

    def _decide_album(self, album: Album, tracks: Iterable[Item]) -> None:
        """Give an album the commonest genres of its tracks; and these to the tracks, if set so."""
        counts = Counter(genre for track in tracks for genre in real_genres(track.genres))
        commonest = [genre for genre, _ in counts.most_common(self._policy.max_genres)]
        if not commonest:
            return
        self._add(album, commonest, "the tracks")
        for track in tracks if self._same else ():
            if track.get("genrelens_verdict", with_album=False) in MUSIC:
                self._add(track, album.genres, "the album")

    def _add(self, model: Item | Album, genres: Iterable[str], why: str) -> None:
        """Set genres, unless the user's own are kept."""
        own = real_genres(own_genres(model))
        if self._policy.existing != "keep" or not own:
            kept = own if self._policy.existing == "append" else []
            self._set_genres(model, own, [*kept, *(g for g in genres if g not in kept)], why)


# ------------------------------------------------------------------------ tracks and albums


def _path(item: Item) -> str:
    return os.path.abspath(os.fsdecode(item.path))  # noqa: PTH100


def _text(genres: Iterable[str]) -> str:
    return "; ".join(genres) or "(none)"


def _name(model: Item | Album) -> str:
    """Return what beets prints for a track or album; the path of a track without a title."""
    return str(model) if model.get("title") or isinstance(model, Album) else _path(model)


def _best(prediction: StoredPrediction) -> str:
    """Return `` (rock 31 %, pop 28 %)``; nothing if the recording is not music."""
    if prediction.verdict not in MUSIC:
        return ""
    first = list(prediction.probabilities.items())[:2]
    return f" ({', '.join(f'{name} {percent(probability)}' for name, probability in first)})"


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1
