"""Find recordings that sound alike, by the embeddings that a scan stores."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import AudioError, LibraryError
from genrelens.files import reason
from genrelens.library.catalog import Catalog
from genrelens.library.embeddings import Embeddings
from genrelens.library.records import Entry, StoredPrediction
from genrelens.library.scan import identify

__all__ = ["Likeness", "Similar", "same_song", "similar_recordings", "vector_of"]

StrPath = str | os.PathLike[str]
Float32 = NDArray[np.float32]
Rows = NDArray[np.int64]

_MISSES = 2000  # recordings that do not meet the conditions, before those that do are looked up


class Similar(NamedTuple):
    """A recording and its similarity to another.

    Attributes:
        entry: the recording in the catalogue.
        similarity: dot product of the two embeddings, -1 to 1; 1 is the same sound.

    Example::

        for entry, similarity in similar_recordings(catalog, "song.mp3"):
            print(f"{similarity:.2f}", entry.path)

    """

    entry: Entry
    similarity: float


def similar_recordings(
    catalog: Catalog,
    recording: StrPath,
    *,
    n: int = 20,
    other_artists: bool = False,
    model: str | None = None,
    on_build: Callable[[], None] | None = None,
    **conditions: Any,
) -> list[Similar]:
    """Return the recordings of a catalogue that are most similar to one recording.

    Copies are left out: files with the same audio, and files whose tags have the artist and title
    of a recording that is more similar. If there are more than 200 000 recordings and no
    conditions, an index finds about all of the most similar ones; otherwise the search is exact.

    Args:
        catalog: a catalogue that a scan has filled.
        recording: path of a file. A file that is not in the catalogue is classified first.
        n: largest number of recordings, at least 1.
        other_artists: leave out recordings whose tags have the same artist.
        model: name or path of the model whose embeddings are compared; None is the model of the
            latest scan.
        on_build: called before the index is built, which can take minutes.
        **conditions: arguments of :meth:`Catalog.query` except ``model`` and ``errors``.

    Returns:
        The recordings, the most similar first.

    Raises:
        AudioError: the file is not in the catalogue and cannot be decoded.
        LibraryError: the catalogue cannot be read or has no embeddings of the model, or the
            recording has none because it is silent.
        ModelError: the model cannot be loaded.
        ValueError: ``n`` is below 1.

    Example::

        with Catalog.open(readonly=True) as catalog:
            for entry, similarity in similar_recordings(catalog, "song.mp3", genre="jazz"):
                print(f"{similarity:.2f}", entry.path)

    """
    if n < 1:
        raise ValueError(f"n={n} must be at least 1")
    likeness = Likeness(catalog, model=model, on_build=on_build, **conditions)
    found: list[Similar] = []
    for similar in likeness.near(likeness.find(recording), other_artists=other_artists):
        found.append(similar)
        if len(found) == n:
            break
    return found


class Likeness:
    """The recordings of a catalogue that meet conditions, and the search among them by likeness.

    Attributes:
        embeddings: the embeddings of all recordings.
        among: rows of the recordings below the folder ``under``; None without that condition.

    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        model: str | None = None,
        on_build: Callable[[], None] | None = None,
        **conditions: Any,
    ) -> None:
        self._catalog = catalog
        self._model, self._model_digest = _model(catalog, model)
        self.embeddings = Embeddings.of(catalog, self._model_digest)
        if not len(self.embeddings):
            text = f"has no embeddings by the model {self._model}; genrelens scan stores them"
            raise LibraryError(text, path=catalog.path)
        if on_build is not None:
            self.embeddings.on_build = on_build
        self._conditions = conditions
        self._misses = 0
        self._meeting: Collection[str] | None = None  # after many misses
        under = conditions.get("under")
        self.among = None
        if under is not None:
            self.among = self.embeddings.rows(catalog.paths_of_audio(under=under))

    def find(self, recording: StrPath) -> Entry:
        """Return a recording with an embedding; a file that is not in the catalogue is classified.

        A file that has changed since the scan is classified, too. Nothing is stored.
        """
        path = Path(os.path.abspath(recording))  # noqa: PTH100 (resolve follows links)
        known = self._catalog.entry(path)
        if known is not None and known.digest is not None and not _has_changed(known):
            entry = self._with_embedding(known.digest, path, known)
        else:
            entry = self._new(path)
        if entry.prediction is None or entry.prediction.embedding is None:
            raise LibraryError("has no embedding, because it is silent", path=path)
        return entry

    def rows(self) -> Rows:
        """Return the rows of the recordings that meet the conditions, ascending."""
        if all(value is None for value in self._conditions.values()):
            return np.arange(len(self.embeddings))
        return self.embeddings.rows(self._catalog.paths_of_audio(**self._conditions))

    def near(self, recording: Entry, *, other_artists: bool = False) -> Iterator[Similar]:
        """Yield the recordings that are similar to one, the most similar first, without copies."""
        seen = {same_song(recording)} - {None}
        artist = _artist(recording)
        for row, similarity in self.embeddings.ranked(vector_of(recording), self.among):
            if self.embeddings.digest(row) == recording.digest:
                continue
            file = self.file(row)
            if file is None or file.path == recording.path or same_song(file) in seen:
                continue
            if other_artists and artist and _artist(file) == artist:
                continue
            seen |= {same_song(file)} - {None}
            yield Similar(self.entry(row), min(1.0, max(-1.0, similarity)))

    def file(self, row: int) -> Entry | None:
        """Return a file of a row that meets the conditions, without its prediction, or None."""
        digest = self.embeddings.digest(row)
        if self._meeting is not None and digest not in self._meeting:
            return None
        file = next(self._copies(digest, complete=False, **self._conditions), None)
        self._misses += file is None
        if self._meeting is None and self._misses > _MISSES:
            self._meeting = self._catalog.paths_of_audio(**self._conditions)
        return file

    def entry(self, row: int) -> Entry:
        """Return the file of a row for which :meth:`file` is not None, with its prediction."""
        return next(self._copies(self.embeddings.digest(row), **self._conditions))

    def _copies(self, digest: str, **settings: Any) -> Iterator[Entry]:
        return self._catalog.copies(digest, self._model_digest, **settings)

    def _with_embedding(self, digest: str, path: Path, known: Entry) -> Entry:
        """Return a file with the prediction that the catalogue has for its audio, or a new one."""
        stored = next((copy.prediction for copy in self._copies(digest)), None)
        return self._new(path) if stored is None else replace(known, prediction=stored)

    def _new(self, path: Path) -> Entry:
        identity = _identified(path)
        stored = next((copy.prediction for copy in self._copies(identity.digest or "")), None)
        return replace(identity, prediction=stored or self._classified(path))

    def _classified(self, path: Path) -> StoredPrediction:
        from genrelens.classifier import Classifier
        from genrelens.model_file import model_digest, packaged_models

        if self._model not in packaged_models() and not Path(self._model).is_file():
            text = f"needs the file of the model {self._model} to be compared (--model)"
            raise LibraryError(text, path=path)
        if model_digest(self._model) != self._model_digest:
            text = f"is of another version of the model {self._model}; scan again"
            raise LibraryError(text, path=self._catalog.path)
        prediction = Classifier.load(self._model).classify(path)
        return StoredPrediction.of(prediction, model_digest=self._model_digest, fast=False)


def vector_of(recording: Entry) -> Float32:
    """Return the embedding of a recording, (d,) of length 1."""
    assert recording.prediction is not None
    assert recording.prediction.embedding is not None
    return recording.prediction.embedding.astype(np.float32)


def _model(catalog: Catalog, model: str | None) -> tuple[str, str]:
    """Return name or path, and SHA-256 of the model whose embeddings are compared."""
    from genrelens.model_file import model_digest

    if model is not None:
        return model, model_digest(model)
    latest = catalog.latest_model()
    if latest is None:
        raise LibraryError("has no predictions yet; genrelens scan makes them", path=catalog.path)
    return latest


def _has_changed(entry: Entry) -> bool:
    """Return whether a file has changed since the scan; False if it cannot be read now."""
    try:
        found = entry.path.stat()
    except OSError:
        return False
    return (found.st_size, found.st_mtime_ns) != (entry.size, entry.mtime_ns)


def _identified(path: Path) -> Entry:
    """Return the digest and the tags of a file, without a prediction."""
    found = identify(os.fspath(path))
    if not isinstance(found, tuple):
        raise AudioError(str(path), found.reason)
    try:
        stat = path.stat()
    except OSError as error:
        raise AudioError(str(path), reason(error)) from error
    digest, tags = found
    return Entry(
        path=path,
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        digest=digest,
        tags=tags,
        prediction=None,
        failure=None,
    )


def _artist(entry: Entry) -> str:
    return "" if entry.tags is None else " ".join(entry.tags.artist.casefold().split())


def same_song(entry: Entry) -> tuple[str, str] | None:
    """Return a key that copies of a song have in common: artist and title of the tags, or None."""
    title = "" if entry.tags is None else " ".join(entry.tags.title.casefold().split())
    return (_artist(entry), title) if title and _artist(entry) else None
