"""Many results as a table: plain columns, or a DataFrame of pandas or Polars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from genrelens.errors import AudioError, MissingExtraError
from genrelens.prediction import Prediction

if TYPE_CHECKING:
    from pandas import DataFrame
    from polars import DataFrame as PolarsFrame

__all__ = ["to_columns", "to_pandas", "to_polars"]

_Result = Prediction | AudioError | tuple[Any, Prediction | AudioError]

_COLUMNS = (
    "path",
    "genre",
    "probability",
    "verdict",
    "styles",
    "music",
    "duration",
    "model",
    "genres",
    "changes",
    "snr",
)
_NUMBERS = ("probability", "music", "duration", "snr")


def to_columns(results: Iterable[_Result]) -> dict[str, list[Any]]:
    """Return a column of plain values for each property of the results.

    Args:
        results: predictions, and errors of recordings that could not be classified; or the pairs
            of :meth:`Classifier.classify_many`.

    Returns:
        Columns with a value for each result: ``path``, ``genre``, ``probability`` (of that genre),
        ``verdict``, ``styles`` (those that apply, joined by ``"|"``), ``music``, ``duration`` (in
        seconds), ``model``, ``genres`` (those that apply, joined by ``"|"``), ``changes``
        (the genres of a recording that changes, joined by ``"|"``), ``snr`` (in dB) and ``error``,
        then ``p_rock`` and so on, the probability of each genre. A value that a result does not
        have is None.

    Example::

        classifier = Classifier.load()
        columns = to_columns(classifier.classify_many(paths))
        columns["genre"]    # ['rock', 'jazz', None]
        columns["error"]    # [None, None, 'is not audio ...']

    """
    rows = [_row(result) for result in results]
    genres = dict.fromkeys(name for row in rows for name in row if name.startswith("p_"))
    return {name: [row.get(name) for row in rows] for name in (*_COLUMNS, "error", *genres)}


def to_pandas(results: Iterable[_Result]) -> DataFrame:
    """Return a pandas DataFrame with a row for each result and the columns of :func:`to_columns`.

    Numbers are float64, and NaN if a result does not have them.

    Args:
        results: predictions, and errors of recordings that could not be classified; or the pairs
            of :meth:`Classifier.classify_many`.

    Raises:
        MissingExtraError: pandas is not installed.

    Example::

        classifier = Classifier.load()
        table = to_pandas(classifier.classify_many(paths))
        table.groupby("genre")["duration"].sum()

    """
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise MissingExtraError("pandas", "pandas") from error
    table = DataFrame(to_columns(results))
    return table.astype({name: "float64" for name in table if _is_number(name)})


def to_polars(results: Iterable[_Result]) -> PolarsFrame:
    """Return a Polars DataFrame with a row for each result and the columns of :func:`to_columns`.

    Numbers are Float64 and all other columns String, also in a table without rows.

    Args:
        results: predictions, and errors of recordings that could not be classified; or the pairs
            of :meth:`Classifier.classify_many`.

    Raises:
        MissingExtraError: Polars is not installed.

    Example::

        classifier = Classifier.load()
        table = to_polars(classifier.classify_many(paths))
        table.group_by("genre").len()

    """
    try:
        import polars
    except ImportError as error:
        raise MissingExtraError("polars", "polars") from error
    columns = to_columns(results)
    types = {name: polars.Float64 if _is_number(name) else polars.String for name in columns}
    return polars.DataFrame(columns, schema=types)


def _is_number(column: str) -> bool:
    return column.startswith("p_") or column in _NUMBERS


def _row(result: _Result) -> dict[str, Any]:
    if isinstance(result, tuple):
        result = result[1]
    if isinstance(result, AudioError):
        return {"path": result.path, "error": result.full_reason}
    values = {
        "path": result.source,
        "genre": result.genre,
        "probability": float(result.probabilities.max()),
        "verdict": result.verdict,
        "styles": "|".join(style.name for style in result.styles if style.applies),
        "music": result.music,
        "duration": result.duration,
        "model": result.model,
        "genres": "|".join(genre.name for genre in result.genres if genre.applies),
        "changes": "|".join(result.changes),
        "snr": result.snr,
    }
    return values | {f"p_{label}": probability for label, probability in result.top()}
