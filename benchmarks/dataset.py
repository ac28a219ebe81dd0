"""Measure how long it takes to open a data set of made rows as a catalogue.

    python benchmarks/dataset.py                  # 20 000 and 100 000 rows
    python benchmarks/dataset.py --rows 1000000

A row has 16 genres, 50 styles and an embedding of 200 numbers; a part has 20 000 rows, as those of
``scan --out`` after the merge of small parts. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from genrelens.library import Dataset, Entry, StoredPrediction, library_stats, open_library
from genrelens.library.parquet import parquet_schema
from genrelens.prediction import Genre, Style
from genrelens.tags import Tags

GENRES, STYLES, SIZE = 16, 50, 200
DIFFERENT, PART = 2_000, 20_000  # rows that differ in all columns, and rows of a part
TIME = "2026-01-01T00:00:00.000000+00:00"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000])
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| rows | first opening | rows/s | again | with one part more | statistics |")
    print("|---|---|---|---|---|---|")
    for n in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["GENRELENS_DATASET_CACHE"] = str(Path(folder, "cache"))
            print(measure(Path(folder, "library"), n), flush=True)


def measure(folder: Path, n: int) -> str:
    write(folder, n)
    first, again = seconds(folder), seconds(folder)
    write_part(folder, n, 1_000, made(DIFFERENT))
    more, final = seconds(folder), seconds(folder, count=True)
    return (
        f"| {n:,} | {first:.1f} s | {n / first:,.0f} | {again:.2f} s | {more:.1f} s "
        f"| {final:.2f} s |"
    )


def seconds(folder: Path, *, count: bool = False) -> float:
    start = time.perf_counter()
    with open_library(folder) as catalog:
        if count:
            library_stats(catalog)
        return time.perf_counter() - start


def write(folder: Path, n: int) -> None:
    """Write parts with n rows in all."""
    folder.mkdir()
    table = made(DIFFERENT)
    for start in range(0, n, PART):
        write_part(folder, start, min(PART, n - start), table)


def write_part(folder: Path, start: int, n: int, table: Any) -> None:
    """Write a part with n rows: those of a table in turn, with other paths and digests."""
    rows = table.take(pa.array(np.arange(n) % table.num_rows))
    names = [
        f"/music/artist {k % 997}/album {k % 31}/{k:09} song.flac" for k in range(start, start + n)
    ]
    digests = [hashlib.blake2b(name.encode(), digest_size=20).hexdigest() for name in names]
    for column, values in (("path", names), ("digest", digests)):
        rows = rows.set_column(rows.column_names.index(column), column, pa.array(values))
    parquet.write_table(
        rows.cast(parquet_schema()), folder / f"part-{start:09}.parquet", compression="zstd"
    )


def made(n: int) -> Any:
    """Return a table of n rows with random predictions."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        dataset = Dataset(folder)
        part = dataset.write([entry(number, rng) for number in range(n)])
        return dataset.columns(part, parquet_schema().names)


def entry(number: int, rng: np.random.Generator) -> Entry:
    genres = sorted(rng.dirichlet(np.full(GENRES, 0.3)).tolist(), reverse=True)
    order = [f"genre {k}" for k in rng.permutation(GENRES)]
    styles = [
        Style(f"style {k}", float(p), 0.2 + k / 100, f"genre {k % GENRES}")
        for k, p in enumerate(rng.random(STYLES))
    ]
    vector = rng.standard_normal(SIZE)
    verdict = "genre" if genres[0] > 0.5 else "not sure"
    return Entry(
        path=Path(f"/music/{number}.flac"),
        size=int(rng.integers(1e8)),
        mtime_ns=1_700_000_000_000_000_000 + number,
        digest=f"{number:040x}",
        tags=Tags("FLAC", ("Rock",), f"Artist {number % 97}", "An album", f"Title {number}"),
        failure=None,
        scanned_at=TIME,
        prediction=StoredPrediction(
            model="lens",
            model_digest=64 * "a",
            fast=False,
            version="1.0",
            created_at=TIME,
            verdict=verdict,
            genre=order[0],
            probabilities=dict(zip(order, genres, strict=True)),
            styles=tuple(sorted(styles, key=lambda style: -style.probability)),
            music=0.99,
            level=-10.5,
            embedding=(vector / np.linalg.norm(vector)).astype(np.float16),
            duration=float(rng.uniform(60, 400)),
            heard=60.0,
            genres=tuple(Genre(k, p, p > 0.3) for k, p in zip(order, genres, strict=True)),
            snr=30.0,
        ),
    )


if __name__ == "__main__":
    main()
