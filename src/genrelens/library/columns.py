"""Columns of the library's SQLite tables: store values, and check them when they are read.

The columns of a table are the annotated fields of a dataclass, so a stored field is declared once.
A field that a new version adds has a default, which it gets in files of former versions.
Numbers, text and bytes are stored unchanged, paths as bytes, an embedding as little-endian
float16, and everything else as JSON. Every value is checked against the annotation when it is
read, because the file may be damaged, and an invalid value could cause a wrong result or a
traceback.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

import numpy as np

from genrelens.discovery.locations import as_path, is_uri

__all__ = ["StoredValueError", "Table", "encoded", "path_key"]

_SQL = {
    str: "TEXT",
    int: "INTEGER",
    bool: "INTEGER",
    float: "REAL",
    bytes: "BLOB",
    Path: "BLOB",
    np.ndarray: "BLOB",
}
_WORDS = {str: "text", int: "a whole number", float: "a number", bytes: "bytes"}


class StoredValueError(ValueError):
    """A stored value has the wrong type or range: the file is damaged."""


class Table:
    """A table, or the result of a query with the same columns.

    Attributes:
        name: name of the table.
        types: column -> type of its values.
        defaults: column that files of former versions may lack -> its value in their rows.

    """

    def __init__(
        self, name: str, types: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
    ) -> None:
        self.name, self.types, self.defaults = name, types, defaults or {}

    @classmethod
    def of(cls, kind: type, name: str, *, leave_out: tuple[str, ...] = ()) -> Self:
        """Return the table whose columns are the fields of a dataclass.

        Args:
            kind: the dataclass.
            name: name of the table.
            leave_out: fields that are not stored.

        """
        hints = get_type_hints(kind)
        fields = dataclasses.fields(kind)
        defaults = {
            each.name: each.default for each in fields if each.default is not dataclasses.MISSING
        }
        types = {key: hint for key, hint in hints.items() if key not in leave_out}
        return cls(name, types, defaults)

    def definition(self, constraints: str = "", **columns: str) -> str:
        """Return the statement that creates the table.

        Args:
            constraints: text after the columns, for instance ``PRIMARY KEY (run, n)``.
            columns: SQL type of a column, in place of the one for its annotation.

        """
        lines = [f"{name} {columns.get(name) or self._column(name)}" for name in self.types]
        return f"CREATE TABLE {self.name} ({', '.join([*lines, *filter(None, [constraints])])})"

    def addition(self, name: str) -> str:
        """Return the statement that adds a column with a default to a table."""
        return f"ALTER TABLE {self.name} ADD COLUMN {name} {self._column(name)}"

    def view(self, missing: Iterable[str]) -> str:
        """Return the statement that shows a table with missing columns, in a file to be read."""
        added = "".join(f", {self._default(name)} AS {name}" for name in missing)
        return f"CREATE TEMP VIEW {self.name} AS SELECT *{added} FROM main.{self.name}"

    def _column(self, name: str) -> str:
        default = self._default(name)
        return _sql(self.types[name]) + ("" if default == "NULL" else f" DEFAULT {default}")

    def _default(self, name: str) -> str:
        """Return the default of a column as an SQL literal."""
        value = encoded(self.defaults.get(name))
        return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else f"{value}"

    def names(self, alias: str = "") -> str:
        """Return the column names for a query, separated by commas."""
        return ", ".join(f"{alias}.{name}" if alias else name for name in self.types)

    def insertion(self, *, or_replace: bool = False) -> str:
        """Return the statement that inserts a row; its parameters are in column order."""
        marks = ", ".join("?" * len(self.types))
        return (
            f"INSERT {'OR REPLACE ' * or_replace}INTO {self.name} ({self.names()}) VALUES ({marks})"
        )

    def merging(self, *key: str, newest_by: str) -> str:
        """Return the statement that inserts a row unless there is one that is as new.

        Args:
            *key: the columns of the primary key.
            newest_by: column with the time of the row, as text; a row without it is older.

        """
        old, new = (f"coalesce({row}.{newest_by}, '')" for row in (self.name, "excluded"))
        updates = ", ".join(f"{name} = excluded.{name}" for name in self.types if name not in key)
        conflict = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates} WHERE {new} > {old}"
        return f"{self.insertion()} {conflict}"

    def row(self, values: Any) -> tuple[Any, ...]:
        """Return the stored form of an object's attributes, in column order."""
        return tuple(encoded(getattr(values, name)) for name in self.types)

    def values(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """Return the checked values of a row, by column.

        Raises:
            StoredValueError: a value has the wrong type or length; the message names the column.

        """
        found = {}
        for (name, kind), value in zip(self.types.items(), row, strict=True):
            try:
                found[name] = _decoder(kind)(value)
            except (ValueError, TypeError, RecursionError, OverflowError) as error:
                raise StoredValueError(f"{self.name}.{name}: {error}") from error
        return found


def path_key(path: str | os.PathLike[str]) -> bytes:
    """Return the stored form of a path: absolute, with symbolic links not resolved; or of a URI."""
    if is_uri(path):
        return os.fsencode(path)
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 (Path keeps "..")


def _sql(kind: Any) -> str:
    kind, optional = _without_none(kind)
    return _SQL.get(get_origin(kind) or kind, "TEXT") + ("" if optional else " NOT NULL")


def _without_none(kind: Any) -> tuple[Any, bool]:
    """Return ``(X, True)`` for the type ``X | None``, and ``(kind, False)`` for any other."""
    if isinstance(kind, UnionType):
        [only] = [each for each in get_args(kind) if each is not NoneType]
        return only, True
    return kind, False


# ---------------------------------------------------------------------------------- writing


def encoded(value: Any) -> Any:
    """Return the stored form of a value: a number, text, bytes, JSON as text, or None."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, Path):
        return os.fsencode(value)
    if isinstance(value, np.ndarray):
        return value.astype("<f2").tobytes()
    return json.dumps(value, default=_fields)


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass; :func:`dataclasses.asdict` takes ten times as long."""
    kind: Any = type(value)
    return {name: getattr(value, name) for name in _field_names(kind)}


@functools.cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in dataclasses.fields(kind))


# ---------------------------------------------------------------------------------- reading

_Decoder = Callable[[Any], Any]


@functools.cache
def _decoder(kind: Any) -> _Decoder:
    """Return a function that converts the stored form to a value of a type.

    It raises ValueError, TypeError, RecursionError or OverflowError for an invalid value.
    """
    inner, optional = _without_none(kind)
    if optional:
        decode = _decoder(inner)
        return lambda value: None if value is None else decode(value)
    special = _SPECIAL.get(get_origin(kind) or kind)
    if special is not None:
        check = _checker(int if kind is bool else bytes)
        return lambda value: special(check(value))
    if kind in _SQL:
        return _checker(kind)
    text, check = _checker(str), _checker(kind)
    return lambda value: check(json.loads(text(value)))


def _flag(value: int) -> bool:
    if value not in (0, 1):
        raise ValueError(f"{value} is neither 0 nor 1")
    return bool(value)


def _path(value: bytes) -> Path:
    path = as_path(os.fsdecode(value))
    if b"\0" in value or not path.name:
        raise ValueError(f"{str(path)!r} is not a file name")
    return path


def _embedding(value: bytes) -> Any:
    return np.frombuffer(value, "<f2")  # an odd number of bytes raises ValueError


_SPECIAL: dict[Any, _Decoder] = {bool: _flag, Path: _path, np.ndarray: _embedding}


@functools.cache
def _checker(kind: Any) -> _Decoder:
    """Return a function that checks a plain or JSON value and converts it to a type."""
    inner, optional = _without_none(kind)
    if optional:
        check = _checker(inner)
        return lambda value: None if value is None else check(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _object_checker(kind)
    if get_origin(kind) is tuple:
        each = _checker(get_args(kind)[0])
        return lambda value: tuple(map(each, _plain(value, list)))
    if get_origin(kind) is dict:
        each = _checker(get_args(kind)[1])
        return lambda value: {key: each(one) for key, one in _plain(value, dict).items()}
    return _number if kind is float else lambda value: _plain(value, kind)


def _number(value: Any) -> float:
    if type(value) is int:
        value = float(value)
    if not math.isfinite(_plain(value, float)):
        raise ValueError(f"{value} is not finite")
    return value  # type: ignore[no-any-return]


def _plain(value: Any, kind: type) -> Any:
    if type(value) is not kind:  # isinstance(True, int) is true
        raise TypeError(f"{_shown(value)} is not {_WORDS.get(kind, f'a {kind.__name__}')}")
    return value


def _object_checker(kind: type) -> _Decoder:
    checks = {key: _checker(hint) for key, hint in get_type_hints(kind).items()}

    def check(value: Any) -> Any:
        values = _plain(value, dict)
        return kind(**{key: checks[key](each) for key, each in values.items() if key in checks})

    return check


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
