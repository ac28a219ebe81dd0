"""A map of the library: recordings that sound alike are near each other."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import LibraryError, MissingExtraError
from genrelens.findings import styles_to_show
from genrelens.html import file_link, percent, printable, render
from genrelens.library.catalog import Catalog
from genrelens.library.likeness import Likeness
from genrelens.library.records import Entry, StoredPrediction

__all__ = ["COLOURS", "LibraryMap", "map_library", "map_page", "project"]

# The colours of the server's page, which differ for people who see red and green alike, too.
COLOURS = {
    "ambient": "#96ffff",
    "blues": "#7896f0",
    "classical": "#ffe1d2",
    "country": "#b49687",
    "disco": "#e187b4",
    "electronic": "#1ee1e1",
    "folk": "#a5e1a5",
    "hiphop": "#ffd269",
    "jazz": "#c3a5ff",
    "latin": "#e1873c",
    "metal": "#d2b4b4",
    "pop": "#f0c3ff",
    "punk": "#d2ff96",
    "reggae": "#78c378",
    "rnb": "#2db4d2",
    "rock": "#d2b43c",
}
"""Genre -> colour of its points."""

_GREY = "#9a9a9a"  # of recordings that are not music
_FEWEST = 10  # recordings for t-SNE; fewer are shown by their first two principal components
_STEPS = 500  # of t-SNE, which begins with the principal components
_SAME = 1e-6  # deviation of embeddings that are the same
_MOST_STYLES = 3
_SEED = 0

Float64 = NDArray[np.float64]


class LibraryMap(NamedTuple):
    """Recordings and their positions on a map.

    Attributes:
        entries: the recordings.
        positions: x and y of each, (n, 2), -1 to 1; y points up.
        total: number of recordings that meet the conditions; the map may be a sample of them.

    Example::

        found = map_library(catalog)
        for entry, (x, y) in zip(found.entries, found.positions):
            print(entry.path, x, y)

    """

    entries: list[Entry]
    positions: Float64
    total: int


def map_library(
    catalog: Catalog, *, most: int = 5000, model: str | None = None, **conditions: Any
) -> LibraryMap:
    """Return a map of the recordings of a catalogue that meet conditions.

    The embeddings are projected with a principal component analysis to 50 dimensions and with
    t-SNE (van der Maaten & Hinton, 2008) to two. On a map, near recordings sound alike; large
    distances and the axes have no meaning. The seed is fixed.

    Args:
        catalog: a catalogue that a scan has filled.
        most: largest number of recordings, at least 1; of more, a random sample is shown.
        model: name or path of the model whose embeddings are used; None is the model of the latest
            scan.
        **conditions: arguments of :meth:`Catalog.query` except ``model`` and ``errors``.

    Raises:
        LibraryError: the catalogue cannot be read, or no recording meets the conditions.
        MissingExtraError: scikit-learn is not installed (the extra ``similar``).

    Example::

        with Catalog.open(readonly=True) as catalog:
            found = map_library(catalog, under="Music/Jazz")
        Path("map.html").write_text(map_page(found, "map.html"), encoding="utf-8")

    """
    if most < 1:
        raise ValueError(f"most={most} must be at least 1")
    likeness = Likeness(catalog, model=model, **conditions)
    rows = likeness.rows()
    if not len(rows):
        raise LibraryError("no recording meets these conditions", path=catalog.path)
    rng = np.random.default_rng(_SEED)
    shown = np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows
    positions = project(likeness.embeddings.vectors[shown])
    return LibraryMap([likeness.entry(row) for row in shown.tolist()], positions, len(rows))


def project(vectors: NDArray[np.float32]) -> Float64:
    """Return positions in the plane for vectors (n, d): (n, 2), -1 to 1."""
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "similar") from error
    n, size = vectors.shape
    flat = np.ascontiguousarray(vectors, dtype=np.float64)
    plane = np.zeros((n, 2))
    if flat.std(axis=0).max() > _SAME:
        fewer = PCA(min(50, n, size), random_state=_SEED).fit_transform(flat)
        plane[:, : fewer.shape[1]] = fewer[:, :2]
        if n >= _FEWEST:
            settings = {"perplexity": min(30, (n - 1) / 3), "max_iter": _STEPS}
            plane = TSNE(init="pca", random_state=_SEED, **settings).fit_transform(fewer)
    plane = plane - (plane.max(axis=0) + plane.min(axis=0)) / 2
    return np.asarray(plane / max(float(np.abs(plane).max()), 1e-12), dtype=np.float64)


# ------------------------------------------------------------------------------------ page


def map_page(found: LibraryMap, path: str | os.PathLike[str]) -> str:
    """Return a map as an HTML page that needs no other files and no internet.

    The page plays the recordings. Files below the folder of the page have relative links, so the
    page and the files can be moved together. Names of files are shown as text and are never run.

    Args:
        found: the map.
        path: path that the page will be written to.

    Example::

        with Catalog.open(readonly=True) as catalog:
            found = map_library(catalog)
        Path("map.html").write_text(map_page(found, "map.html"), encoding="utf-8")

    """
    from markupsafe import Markup

    from genrelens import __version__

    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 (resolve follows links)
    genres = sorted({_category(entry) for entry in found.entries})
    points = [
        _point(entry, position, genres.index(_category(entry)), folder)
        for entry, position in zip(found.entries, found.positions.tolist(), strict=True)
    ]
    data = {"genres": [_look(genre, genres) for genre in genres], "points": points}
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&":  # so that no name can end the script element
        text = text.replace(character, f"\\u{ord(character):04x}")
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return render(
        "library/map.html",
        data=Markup(text),
        script=Markup(script),
        digest=digest,
        shown=len(found.entries),
        total=found.total,
        version=__version__,
    )


@functools.cache
def _script() -> str:
    return (resources.files("genrelens.library") / "map.js").read_text(encoding="utf-8")


def _look(genre: str, genres: list[str]) -> dict[str, Any]:
    """Return name, colour and number of the shape of a genre, the same on every map."""
    names = list(COLOURS)
    if genre == "not music":
        return {"name": genre, "colour": _GREY, "shape": 0}
    others = [each for each in genres if each not in COLOURS and each != "not music"]
    number = names.index(genre) if genre in COLOURS else len(names) + others.index(genre)
    return {
        "name": printable(genre),
        "colour": COLOURS[names[number % len(names)]],
        "shape": number,
    }


def _category(entry: Entry) -> str:
    prediction = entry.prediction
    assert prediction is not None
    return "not music" if prediction.verdict in ("not music", "silence") else prediction.genre


def _point(entry: Entry, position: list[float], genre: int, folder: Path) -> list[Any]:
    """Return the values of a point: x, y, genre, whether it is sure, name, answer, path, link."""
    prediction = entry.prediction
    assert prediction is not None
    x, y = (round(value, 4) for value in position)
    name, path = printable(_name(entry)), printable(str(entry.path))
    sure = int(prediction.verdict not in ("not sure", "changes"))
    return [x, y, genre, sure, name, _answer(prediction), path, file_link(entry.path, folder)]


def _name(entry: Entry) -> str:
    tags = entry.tags
    if tags is None or not tags.title:
        return entry.path.stem
    return " - ".join(filter(None, [tags.artist, tags.title]))


def _answer(prediction: StoredPrediction) -> str:
    """Return the answer in words: ``jazz 97 %; swing``."""
    if prediction.verdict in ("not music", "silence"):
        return prediction.verdict
    genre = f"{prediction.genre} {percent(prediction.probability)}"
    text = {
        "not sure": f"not sure: {genre}",
        "changes": f"changes: {', '.join(prediction.changes)}",
    }.get(prediction.verdict, genre)
    styles = styles_to_show(prediction.styles, prediction.verdict, prediction.probabilities)
    shown = ", ".join(style.name for style in styles[:_MOST_STYLES])
    return printable(f"{text}; {shown}" if shown else text)
