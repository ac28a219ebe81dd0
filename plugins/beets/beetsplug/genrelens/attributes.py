"""The flexible attributes of tracks and albums that store the results."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from beets.dbcore import types
from beets.library import Album, Item

from genrelens.findings import styles_to_show

if TYPE_CHECKING:
    from genrelens.library import StoredPrediction

__all__ = [
    "ALBUM_TYPES",
    "ITEM_TYPES",
    "MUSIC",
    "WRITTEN",
    "has_result",
    "own_genres",
    "set_failed",
    "set_result",
]

MUSIC = ("genre", "changes", "not sure")
"""The verdicts of music."""
WRITTEN = "genrelens_written"
"""The attribute of a track or album that lists the genres which the plugin has set."""

_RESULT: Mapping[str, Any] = {
    "genrelens_verdict": types.STRING,
    "genrelens_confidence": types.Float(4),
    "genrelens_genres": types.MULTI_VALUE_DSV,
    "genrelens_styles": types.MULTI_VALUE_DSV,
    "genrelens_model": types.STRING,
}
ALBUM_TYPES: Mapping[str, Any] = {WRITTEN: types.MULTI_VALUE_DSV}
"""The attributes of an album and their types."""
ITEM_TYPES: Mapping[str, Any] = {**_RESULT, **ALBUM_TYPES}
"""The attributes of a track and their types."""

_DIGITS = 12  # of the digest of the model file


def own_genres(model: Item | Album) -> list[str]:
    """Return the genres of a track or album that this plugin has not written."""
    if isinstance(model, Item):  # without those of its album
        written = model.get(WRITTEN, [], with_album=False)
    else:
        written = model.get(WRITTEN, [])
    return [genre for genre in model.genres if genre not in written]


def has_result(item: Item, digest: str, *, fast: bool) -> bool:
    """Return whether a track has a result of a model that is as thorough as required.

    Args:
        item: the track.
        digest: digest of the model file.
        fast: a result for excerpts of the track is enough.

    """
    stored = item.get("genrelens_model", "", with_album=False)
    stored_digest, _, stored_fast = stored.partition("@")[2].partition("+")
    return digest[:_DIGITS] == stored_digest and (fast or not stored_fast)


def set_result(item: Item, prediction: StoredPrediction) -> None:
    """Store a prediction in the attributes of a track."""
    _remove_result(item)
    styles = styles_to_show(prediction.styles, prediction.verdict, prediction.probabilities)
    fast = "+fast" if prediction.fast else ""
    item.update(
        {
            "genrelens_verdict": prediction.verdict,
            "genrelens_confidence": prediction.probability,
            "genrelens_genres": list(prediction.found_genres),
            "genrelens_styles": [style.name for style in styles],
            "genrelens_model": f"{prediction.model}@{prediction.model_digest[:_DIGITS]}{fast}",
        }
    )


def set_failed(item: Item) -> None:
    """Store in the attributes of a track that it could not be classified."""
    _remove_result(item)
    item["genrelens_verdict"] = "failed"


def _remove_result(item: Item) -> None:
    for name in _RESULT:
        with suppress(KeyError):
            del item[name]
