"""Ways to damage a catalogue or a journal; each number is always the same damage."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
from pathlib import Path

TABLES = {
    "catalog": {
        "files": ("path", "size", "mtime_ns", "digest", "tags", "failure", "scanned_at"),
        "predictions": (
            "digest",
            "model",
            "model_digest",
            "fast",
            "version",
            "created_at",
            "verdict",
            "genre",
            "probability",
            "probabilities",
            "styles",
            "music",
            "level",
            "embedding",
            "duration",
            "heard",
            "genres",
            "changes",
            "snr",
        ),
    },
    "journal": {
        "runs": ("id", "started", "finished", "genrelens", "model"),
        "writes": (
            "run",
            "n",
            "name",
            "path",
            "temporary",
            "state",
            "digest",
            "before",
            "after",
            "old_hash",
            "new_hash",
            "patch",
        ),
    },
}
"""The tables and columns of each file in version 1."""

TYPES = ("NULL", "7", "0.5", "'words'", "x'ff00ff'")
"""A value of each of SQLite's types."""

MORE_VALUES = (
    "-1",
    "9223372036854775807",
    "9e999",
    "-9e999",
    "''",
    "x''",
    "x'2f'",
    "x'2f6100'",
    "x'2e2e'",
    "zeroblob(32)",
    "zeroblob(31)",
    "zeroblob(100000)",
    "CAST(x'ff4f' AS TEXT)",
    "char(55296)",
    "'null'",
    "'[]'",
    "'{}'",
    "'1'",
    "'[null]'",
    "'[1]'",
    "'[\"a\"]'",
    "'{\"a\": 1}'",
    "'{\"jazz\": NaN}'",
    "'{\"jazz\": 1e999}'",
    "'[{}]'",
    "'[\"\\ud800\"]'",
    "'{\"reason\": 1}'",
    '\'{"format": "x", "genres": "y"}\'',
    '\'{"format": null, "genres": [1]}\'',
    '\'[{"name": 1, "probability": 1, "threshold": 1}]\'',
    "'{\"jazz\": {}}'",
    "'[[['",
    "replace(zeroblob(30000), x'00', '[')",
    "printf('%.*c', 5000, '7')",
)
"""Values that SQLite or JSON accepts and genrelens must not."""


def columns_in(path: Path, table: str) -> list[str]:
    """Return the columns of a table in a file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def damage(path: Path, which: str, number: int) -> str:
    """Damage a file; return a description. The first numbers cover all columns and types."""
    chance = random.Random(number)
    cells = [(t, c, value) for t, cs in TABLES[which].items() for c in cs for value in TYPES]
    if number < len(cells):
        return _edit(path, *cells[number], 0)
    kind = chance.choice((_flip, _flip, _cut, _overwrite, _edit_any, _edit_any, _edit_any, _schema))
    return kind(path, which, chance)


def _flip(path: Path, which: str, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    places = [chance.randrange(len(content)) for _ in range(chance.choice((1, 3, 30, 1000)))]
    for place in places:
        content[place] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return f"bits flipped: {len(places)}, the first at {places[0]}"


def _cut(path: Path, which: str, chance: random.Random) -> str:
    size = chance.randrange(path.stat().st_size)
    os.truncate(path, size)
    return f"cut at {size}"


def _overwrite(path: Path, which: str, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    page = 4096 * chance.randrange(max(1, len(content) // 4096))
    filler = chance.choice((bytes(4096), b"\xff" * 4096, chance.randbytes(4096), content[:4096]))
    content[page : page + 4096] = filler
    path.write_bytes(content)
    return f"page at {page} overwritten"


def _edit_any(path: Path, which: str, chance: random.Random) -> str:
    table = chance.choice(list(TABLES[which]))
    column = chance.choice(TABLES[which][table])
    return _edit(path, table, column, chance.choice((*TYPES, *MORE_VALUES)), chance.randrange(6))


def _edit(path: Path, table: str, column: str, value: str, row: int) -> str:
    """Set a cell, or with row 0 the whole column, to a value that the schema forbids."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')")
        connection.execute("PRAGMA writable_schema = RESET")
        keys = {"files": "path", "predictions": "digest", "runs": "id", "writes": "n"}
        place = f"ORDER BY {keys[table]} LIMIT 1 OFFSET {row - 1}"
        where = f"WHERE {keys[table]} = (SELECT {keys[table]} FROM {table} {place})" if row else ""
        try:
            connection.execute(f"UPDATE OR REPLACE {table} SET {column} = {value} {where}")
        except sqlite3.IntegrityError:
            return f"{table}.{column} cannot be {value}"
    return f"{table}.{column} = {value} {where}"


def _schema(path: Path, which: str, chance: random.Random) -> str:
    table = chance.choice(list(TABLES[which]))
    column = chance.choice(TABLES[which][table])
    statement = chance.choice(
        (
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} RENAME TO other",
            f"DELETE FROM {table}",
            f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
            "CREATE VIEW more AS SELECT 1",
            f"ALTER TABLE {table} DROP COLUMN {column}",
            f"CREATE TABLE more AS SELECT * FROM {table}",
            f"PRAGMA user_version = {chance.choice((-1, 0, 2, 2**31 - 1))}",
            f"PRAGMA application_id = {chance.choice((0, 1, -1))}",
            f"CREATE TRIGGER t BEFORE UPDATE ON {table} BEGIN SELECT RAISE(FAIL, 'no'); END",
            f"CREATE TRIGGER t BEFORE DELETE ON {table} BEGIN SELECT nothing(); END",
        )
    )
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        try:
            connection.execute(statement)
        except sqlite3.Error as error:
            return f"{statement}: {error}"
    return statement
