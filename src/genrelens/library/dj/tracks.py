"""From entries of the catalogue to tracks, as DJ programs show them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from genrelens.findings import styles_to_show
from genrelens.library.records import Entry, StoredPrediction
from genrelens.library.tagging.policy import Change, Policy, decide
from genrelens.library.vocabulary import spelling
from genrelens.percentages import percent
from genrelens.tags import Tags

__all__ = ["FOLDER", "Grouping", "Playlist", "Track", "fault_in_path", "playlists_of", "track_of"]

Grouping = Literal["genre", "style"]
"""What a playlist holds: the tracks of a genre, or those of a style."""

Playlist = tuple[str, str]
"""The folder and the name of a playlist, such as ``("Genres", "Jazz")``."""

FOLDER = "genrelens"
"""The folder that holds the folders of all playlists."""

_FOLDERS: dict[Grouping, str] = {"genre": "Genres", "style": "Styles"}
_SEPARATOR = "; "  # between the genres of a track
_MOST_SHOWN = 3  # genres or styles in a comment
_NO_MUSIC = ("not music", "silence")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A track in a collection.

    Attributes:
        path: absolute path of the file.
        title: title, or the name of the file without extension.
        artist, album: texts of the tags; empty if there are none.
        genre: the genres that the file has, or would have after ``genrelens tag``.
        comment: the prediction in a few words.
        size: size of the file in bytes.
        seconds: length of the recording in seconds.
        playlists: the playlists that the track is in.

    """

    path: Path
    title: str
    artist: str
    album: str
    genre: str
    comment: str
    size: int
    seconds: float
    playlists: tuple[Playlist, ...]


def track_of(
    entry: Entry, prediction: StoredPrediction, policy: Policy, by: Collection[Grouping]
) -> Track:
    """Return the track of an entry.

    Args:
        entry: the file in the catalogue.
        prediction: its prediction.
        policy: the rules for the genre, as for tags.
        by: the kinds of playlists.

    """
    tags = entry.tags or Tags("", ())
    decision = decide(replace(entry, tags=tags), policy)
    genres = decision.after if isinstance(decision, Change) else tags.genres
    return Track(
        path=entry.path,
        title=_text(tags.title) or _text(entry.path.stem),
        artist=_text(tags.artist),
        album=_text(tags.album),
        genre=_text(_SEPARATOR.join(genres)),
        comment=_text(_comment(prediction)),
        size=entry.size,
        seconds=prediction.duration,
        playlists=tuple(_playlists(prediction, by)),
    )


def playlists_of(tracks: Iterable[Track]) -> dict[Playlist, list[Track]]:
    """Return the playlists of some tracks, sorted by folder and name."""
    found: dict[Playlist, list[Track]] = {}
    for track in tracks:
        for playlist in track.playlists:
            found.setdefault(playlist, []).append(track)
    return dict(sorted(found.items()))


def fault_in_path(path: Path, *, xml: bool) -> str:
    """Return why a path cannot be written as text, or an empty string.

    Args:
        path: the path.
        xml: whether the path must not have characters that XML does not allow.

    """
    try:
        text = os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:
        return "its name is not valid UTF-8"
    if xml and _NOT_IN_XML.search(text):
        return "its name has a control character, which XML does not allow"
    return ""


def _text(text: str) -> str:
    """Return text on one line, with U+FFFD for characters that XML does not allow."""
    return " ".join(_NOT_IN_XML.sub("\ufffd", text).split())


def _playlists(prediction: StoredPrediction, by: Collection[Grouping]) -> Iterable[Playlist]:
    names: dict[Grouping, Iterable[str]] = {
        "genre": prediction.found_genres if prediction.verdict == "genre" else (),
        "style": _styles(prediction),
    }
    found = ((_FOLDERS[kind], _text(spelling(name))) for kind in by for name in names[kind])
    return dict.fromkeys(found)


def _styles(prediction: StoredPrediction) -> list[str]:
    if prediction.verdict in _NO_MUSIC:
        return []
    styles = styles_to_show(prediction.styles, prediction.verdict, prediction.probabilities)
    return [style.name for style in styles]


def _comment(prediction: StoredPrediction) -> str:
    """Return ``Jazz 83 %; Bebop, Swing``, or ``not sure: Rock 31 %, Pop 28 %; House``."""
    styles = ", ".join(map(spelling, _styles(prediction)[:_MOST_SHOWN]))
    return _SEPARATOR.join(filter(None, (_answer(prediction), styles)))


def _answer(prediction: StoredPrediction) -> str:
    verdict = prediction.verdict
    if verdict in _NO_MUSIC:
        return verdict
    if verdict == "changes":
        return f"changes: {', '.join(map(spelling, prediction.changes))}"
    ranking = list(prediction.probabilities.items())[: 1 if verdict == "genre" else 2]
    shares = ", ".join(f"{spelling(genre)} {percent(share)}" for genre, share in ranking)
    return shares if verdict == "genre" else f"{verdict}: {shares}"
