"""Contents of Parquet files that would give wrong results are refused by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens.errors import LibraryError
from genrelens.library import Catalog, Dataset, import_library
from genrelens.library.parquet import parquet_schema
from support.dataset_rows import row
from support.library_folder import MODEL_DIGEST

pa = pytest.importorskip("pyarrow")


def damaged(change: Callable[[dict[str, list[object]]], object]) -> Callable[[Path], None]:
    """Return a function that writes a part with a changed column."""

    def write(path: Path) -> None:
        from pyarrow import parquet

        dataset = Dataset(path.parent)
        part = dataset.write([row("/a"), row("/b")])
        table = parquet.read_table(path.parent / part)
        columns = table.to_pydict()
        change(columns)
        changed = pa.Table.from_pydict(columns, schema=parquet_schema())
        parquet.write_table(changed, path)

    return write


def cut(path: Path) -> None:
    part = Dataset(path.parent).write([row("/a")])
    path.write_bytes((path.parent / part).read_bytes()[:-100])


NAN = float("nan")
BROKEN = [  # column, value of the second row, and the message
    ("path", None, "row 1: path is missing"),
    ("path", "", "row 1: path '' is not a file name"),
    ("path", "/", "row 1: path '/' is not a file name"),
    ("path", "/a\0b", "is not a file name"),
    ("path", "../x", r"row 1: path '../x' is relative: list without --relative-to"),
    ("size", None, "row 1: size is missing"),
    ("size", -1, "size -1 is not in the range 0 to"),
    ("mtime", None, "mtime is missing"),
    ("digest", "d", "digest 'd' is not the digest of audio: 40 hexadecimal digits"),
    ("digest", None, "digest of the prediction is missing"),
    ("digest", 40 * "G", "is not the digest of audio"),
    ("model_digest", "../../x", "model_digest '../../x' is not a SHA-256: 64 hexadecimal digits"),
    ("error_model_digest", "x", "is not a SHA-256"),
    ("scanned_at", "tomorrow", "scanned_at 'tomorrow' is not a time in UTC"),
    ("created_at", "9999", "is not a time in UTC"),
    ("created_at", None, "created_at of the prediction is missing"),
    ("verdict", "loud", "verdict 'loud' is none of the verdicts genre, changes, not sure,"),
    ("verdict", None, "verdict of the prediction is missing"),
    ("genre", "noise", "row 1: genre 'noise' has no probability"),
    ("probabilities", [("rock", 0.5), ("pop", 0.2)], r"\('pop', 0.2\)\] do not sum to 1"),
    ("probabilities", [("rock", 1.5), ("pop", -0.5)], "has a probability outside of 0 to 1"),
    ("probabilities", [("rock", NAN), ("pop", 1.0)], "has a probability outside of 0 to 1"),
    ("probabilities", [("rock", None), ("pop", 1.0)], "has a probability outside of 0 to 1"),
    ("probabilities", [("rock", 0.5), ("rock", 0.5)], "has a label more than once"),
    ("probabilities", [], r"probabilities \[\] do not sum to 1"),
    ("probabilities", None, "probabilities of the prediction is missing"),
    ("genre_probabilities", [("rock", 7.0)], "has a probability outside of 0 to 1"),
    ("genre_probabilities", [("rap", 0.5)], "genre_applies .* has other labels than genre_prob"),
    ("genre_applies", [("rap", None)], "genre_applies .* has a label without a value"),
    ("style_probabilities", [("house", float("inf"))], "has a probability outside of 0 to 1"),
    ("style_thresholds", [("house", 0.5)], "style_thresholds .* has other labels than style_pro"),
    ("style_thresholds", [("house", 0.5), ("techno", NAN)], "a threshold that is not a number"),
    ("style_parents", [("polka", "folk")], "style_parents .* has other labels than style_prob"),
    ("music", 1.01, "music 1.01 is not in the range 0 to 1"),
    ("level", NAN, "level nan is not in the range -1000 to 1000"),
    ("snr", float("inf"), "snr inf is not in the range"),
    ("duration", -1.0, r"duration -1.0 is not in the range 0 to 1e\+09"),
    ("duration", 1e300, r"duration 1e\+300 is not in the range 0 to 1e\+09"),
    ("heard", 300.0, "heard 300.0 is longer than the recording"),
    ("changes", ["rock", None], "changes .* has an element without a value"),
    ("tagged", [None], "tagged .* has an element without a value"),
    ("embedding", [0.6, NAN], "is not a vector of length 1"),
    ("embedding", [0.6, None], "is not a vector of length 1"),
    ("embedding", [0.0, 0.0], "is not a vector of length 1"),
    ("embedding", [0.6, 0.0, -0.8], "has another size than others of its model"),
]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(b""), "is not a part of a data set of genrelens"),
        (lambda path: path.write_bytes(b"PAR1" * 99), "is not a part of a data set of genrelens"),
        (cut, "is not a part of a data set of genrelens"),
        (lambda path: path.mkdir(), "Is a directory"),
        (os.mkfifo, "is a pipe, not a part of a data set"),
        (
            lambda path: pa.parquet.write_table(pa.table({"path": ["/a"]}), path),
            'has no column "album"',
        ),
        *(
            (damaged(lambda c, name=name, value=value: c.update({name: [c[name][0], value]})), rule)
            for name, value, rule in BROKEN
        ),
    ],
)
def test_a_damaged_part_is_named_and_not_imported(
    catalog: Catalog, tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    import pyarrow.parquet  # noqa: F401  # for pa.parquet

    folder = tmp_path / "damaged"
    folder.mkdir()
    spoil(folder / "part-0.parquet")
    with pytest.raises(LibraryError, match=reason) as raised:
        import_library(catalog, folder)
    assert raised.value.path == f"{folder}/part-0.parquet"
    assert not list(catalog.query())


@pytest.mark.parametrize(
    ("column", "value"), [("digest", "x"), ("size", None), ("path", None), ("fast", None)]
)
def test_what_a_cluster_reads_is_checked(tmp_path: Path, column: str, value: object) -> None:
    from genrelens.cluster.known import read_known

    part = tmp_path / "part-0.parquet"
    damaged(lambda columns: columns.update({column: [columns[column][0], value]}))(part)
    with pytest.raises(LibraryError, match=f"row 1: {column} ") as raised:
        read_known(Dataset(tmp_path), model_digest=MODEL_DIGEST, fast=False, retry=False)
    assert str(raised.value.path) == str(part)


def test_rows_are_counted_over_the_whole_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genrelens.library import parquet_rows

    monkeypatch.setattr(parquet_rows, "_BATCH", 2)
    dataset = Dataset(tmp_path)
    dataset.write([*(row(f"/{number}") for number in range(5)), row("/x", size=-1)])
    with pytest.raises(LibraryError, match="row 5: size -1 is not in the range"):
        list(dataset.entries())
