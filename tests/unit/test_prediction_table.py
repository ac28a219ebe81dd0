"""Tables of predictions: valid and invalid files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrelens.errors import DataError
from genrelens.evaluation.prediction_table import PredictionTable, load_predictions

ROCK = """\
clip,genre,group,round,jazz,rock
a,jazz,Miles,1,0.75,0.25
b,rock,"Kiss, The",2,0.5,0.5
c,rock,Miles,2,1,0
"""


def table(**changes: Any) -> PredictionTable:
    """Return the table of ROCK."""
    made = PredictionTable(
        labels=("jazz", "rock"),
        clips=("a", "b", "c"),
        true=np.array([0, 1, 1]),
        probabilities=np.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]]),
        groups=("Miles", "Kiss, The", "Miles"),
        rounds=np.array([1, 2, 2]),
    )
    return replace(made, **changes)


def assert_same(one: PredictionTable, other: PredictionTable) -> None:
    """Check that two tables are equal to the last bit."""
    assert (one.labels, one.clips, one.groups) == (other.labels, other.clips, other.groups)
    np.testing.assert_array_equal(one.true, other.true)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
    assert one.probabilities.dtype == other.probabilities.dtype == np.float64
    assert (one.rounds is None) == (other.rounds is None)
    if one.rounds is not None and other.rounds is not None:
        np.testing.assert_array_equal(one.rounds, other.rounds)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "predictions.csv"
        path.write_bytes(text.encode())
        return path

    return write


Write = Callable[[str], Path]

# ------------------------------------------------------------------------------ tables


def test_a_file_by_hand(write: Write) -> None:
    read = PredictionTable.load(write(ROCK))
    assert_same(read, table())
    assert read.n == 3
    assert read.predicted.tolist() == [0, 0, 0]  # the first of equals
    assert read.right.tolist() == [True, False, False]
    assert read.true.dtype == np.int64


def test_only_clip_genre_and_labels_are_needed(write: Write) -> None:
    read = PredictionTable.load(write("jazz,clip,rock,genre\n0.9,a,0.1,rock\n\n"))
    assert_same(
        read,
        table(
            clips=("a",),
            true=np.array([1]),
            groups=None,
            rounds=None,
            probabilities=np.array([[0.9, 0.1]]),
        ),
    )


def test_optional_columns_may_be_completely_empty(write: Write) -> None:
    read = PredictionTable.load(write("clip,genre,group,round,a,b\nx,a,,,1,0\ny,b,,,0,1\n"))
    assert read.groups is None
    assert read.rounds is None


def test_repeated_draws_contain_a_clip_again(write: Write) -> None:
    again = table(clips=("a", "b", "b"), groups=None, rounds=np.array([1, 1, 2]))
    path = write("clip,genre,round,jazz,rock\na,jazz,1,0.75,0.25\nb,rock,1,0.5,0.5\nb,rock,2,1,0\n")
    assert_same(PredictionTable.load(path), again)
    assert_same(PredictionTable.from_dict(again.to_dict()), again)


def test_genres_from_a_mapping(write: Write) -> None:
    path = write("clip,jazz,rock\na,0.75,0.25\nb,0.5,0.5\n")
    read = PredictionTable.load(path, truth={"a": "jazz", "b": "rock", "unheard": "jazz"})
    assert read.true.tolist() == [0, 1]


def test_a_byte_order_mark_and_dos_lines_do_not_matter(write: Write) -> None:
    assert_same(PredictionTable.load(write("\ufeff" + ROCK.replace("\n", "\r\n"))), table())


def test_rounded_rows_are_normalised(write: Write) -> None:
    read = PredictionTable.load(write("clip,genre,a,b,c\nx,a,0.333,0.333,0.333\n"))
    np.testing.assert_allclose(read.probabilities, 1 / 3, rtol=1e-15)


def test_select() -> None:
    chosen = table().select([2, 0])
    assert_same(
        chosen,
        table(
            clips=("c", "a"),
            true=np.array([1, 0]),
            groups=("Miles", "Miles"),
            rounds=np.array([2, 1]),
            probabilities=np.array([[1.0, 0.0], [0.75, 0.25]]),
        ),
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probabilities": np.eye(3)}, r"shape \(3, 3\), not \(3, 2\)"),
        ({"true": np.array([0])}, "3 clips and 1 of true"),
        ({"groups": ("Miles",)}, "3 clips and 1 of groups"),
        ({"labels": ("jazz", "jazz")}, "each once, and each clip once in a round"),
        ({"clips": ("a", "b", "b")}, "each once, and each clip once in a round"),
        ({"true": np.array([0, 1, 2])}, r"outside 0\.\.1"),
        ({"probabilities": np.full((3, 2), np.nan)}, "finite"),
        ({"probabilities": np.full((3, 2), 0.6)}, "add up to 1"),
        ({"probabilities": np.array([[-0.5, 1.5]] * 3)}, "at least 0"),
    ],
)
def test_impossible_tables(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        table(**changes)


# ------------------------------------------------------------------------------ round trips

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)


@st.composite
def tables(draw: st.DrawFn) -> PredictionTable:
    taken = {"clip", "genre", "group", "round"}
    labels = draw(
        st.lists(names.filter(lambda n: n not in taken), min_size=2, max_size=4, unique=True)
    )
    clips = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    n = len(clips)
    seed = draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    return PredictionTable(
        labels=tuple(labels),
        clips=tuple(clips),
        true=rng.integers(0, len(labels), n),
        probabilities=rng.dirichlet(np.full(len(labels), 0.1), n),
        groups=draw(st.none() | st.lists(names, min_size=n, max_size=n).map(tuple)),
        rounds=draw(st.sampled_from([None, rng.integers(1, 9, n)])),
    )


@given(tables())
def test_a_saved_table_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, one: Any
) -> None:
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    one.save(path)
    assert_same(PredictionTable.load(path), one)
    assert_same(PredictionTable.from_dict(json.loads(json.dumps(one.to_dict()))), one)


def test_file_names_that_are_not_utf_8(tmp_path: Path) -> None:
    one = table(clips=(os.fsdecode(b"caf\xe9"), "b", "c"))
    one.save(tmp_path / "t.csv")
    assert b"caf\xe9,jazz" in (tmp_path / "t.csv").read_bytes()
    assert_same(PredictionTable.load(tmp_path / "t.csv"), one)


def test_saving_is_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    table().save(path)
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o644

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(DataError, match=r"t\.csv: cannot be written \(No space left"):
        table(clips=("x", "y", "z")).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saving_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv: cannot be written \(No such file"):
        table().save(tmp_path / "nowhere" / "t.csv")


def test_a_label_with_the_name_of_a_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a label cannot be named group"):
        table(labels=("jazz", "group")).save(tmp_path / "t.csv")


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"predictions\.csv: is empty"),
        ("clip;jazz;rock\na;1;0\n", "line 1: has one column, 'clip;jazz;rock'; .* by commas"),
        ("name,jazz,rock\na,1,0\n", "line 1: has no column 'clip'; it has 'name', 'jazz', 'rock'"),
        (",clip,jazz,rock\n0,a,1,0\n", "line 1: column 1 has no name.*index=False"),
        ("clip,genre\na,jazz\n", "line 1: .*columns of probabilities for two"),
        ("clip,genre,jazz\na,jazz,1\n", "line 1: .*two or more labels"),
        ("clip,jazz,jazz\na,1,0\n", "has the column 'jazz' twice"),
        ("clip,jazz,rock\n", "contains no clips"),
        ("clip,genre,jazz,rock\na,jazz,1,0\na,jazz,1,0\n", "line 3: a is listed twice.*line 2"),
        ("clip,genre,round,a,b\nx,a,1,1,0\nx,a,1,1,0\n", "line 3: x is listed twice.*line 2"),
        ("clip,genre,round,a,b\nx,a,1,1,0\nx,b,2,1,0\n", "line 3: x is 'b' here, 'a' above"),
        ("clip,genre,jazz,rock\n,jazz,1,0\n", "line 2: clip='' is not a valid name"),
        ("clip,genre,jazz,rock\na,jazz,1\n", "line 2: has 3 values for 4 columns"),
        ("clip,genre,jazz,rock\na,jazz,1,0,0\n", "line 2: has 5 values for 4 columns"),
        ('clip,genre,jazz,rock\n"a,jazz,1,0\n', "line 2: unexpected end of data; not a CSV"),
        ("clip,genre,jazz,rock\na,jazz,1,\n", "line 2: rock='' is missing"),
        ("clip,genre,jazz,rock\na,jazz,1,rock\n", "line 2: rock='rock' must be a number; a column"),
        ("clip,genre,jazz,rock\na,jazz,nan,0\n", "line 2: jazz='nan' is not finite"),
        ("clip,genre,jazz,rock\na,jazz,inf,0\n", "line 2: jazz='inf' is not finite"),
        ("clip,genre,jazz,rock\na,jazz,-0.1,1.1\n", "line 2: jazz='-0.1' is below 0; logits"),
        ("clip,genre,jazz,rock\na,jazz,2.5,0.1\n", "line 2: .*add up to 2.6, not to 1.*logits"),
        ("clip,genre,jazz,rock\na,jazz,75,25\n", "line 2: .*add up to 100, not to 1; in percent"),
        ("clip,genre,jazz,rock\na,jazz,0.8,0.198\n", "line 2: .*add up to 0.998"),
        ("clip,genre,jazz,rock\na,blues,1,0\n", "line 2: genre='blues' has no.* are jazz, rock"),
        ("clip,jazz,rock\na,1,0\n", "line 2: the genre of a is not known; give it in a column"),
        ("clip,genre,jazz,rock\na,,1,0\n", "line 2: the genre of a is not known"),
        ("clip,genre,group,jazz,rock\na,jazz,x,1,0\nb,jazz,,1,0\n", "line 3: group is empty.*1 of"),
        ("clip,genre,round,jazz,rock\na,jazz,1,1,0\nb,jazz,,1,0\n", "line 3: round is empty"),
        ("clip,genre,round,jazz,rock\na,jazz,0,1,0\n", "line 2: round='0' must be a whole"),
        ("clip,genre,round,a,b\nx,a,01,1,0\n", "line 2: round='01' must be a whole"),
        ("clip,genre,round,jazz,rock\na,jazz,1.5,1,0\n", "line 2: round='1.5' must be a whole"),
        ("clip,genre,round,jazz,rock\na,jazz,-1,1,0\n", "line 2: round='-1' must be a whole"),
        ("clip,genre,round,jazz,rock\na,jazz," + "9" * 30 + ",1,0\n", "line 2: round='999"),
        ("a" * 200_000, "line 1: field larger than field limit"),
    ],
)
def test_invalid_files(write: Write, text: str, words: str) -> None:
    path = write(text)
    with pytest.raises(DataError, match=words) as caught:
        PredictionTable.load(path)
    assert str(caught.value).startswith(str(path))


def test_line_numbers_after_a_row_of_two_lines(write: Write) -> None:
    with pytest.raises(DataError, match="line 4: rock"):
        PredictionTable.load(write('clip,genre,jazz,rock\n"a\nb",jazz,1,0\nc,jazz,1,x\n'))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.csv: No such file"):
        PredictionTable.load(tmp_path / "no.csv")


def test_a_mapping_that_lacks_a_clip(write: Write) -> None:
    path = write("clip,jazz,rock\njazz/a.wav,1,0\n")
    with pytest.raises(
        DataError, match=r"line 2: the genre of jazz/a\.wav is not.*; write a, with"
    ):
        PredictionTable.load(path, truth={"a": "jazz"})


def test_the_genres_of_the_file_take_precedence(write: Write) -> None:
    """A model may have been evaluated on renamed genres."""
    path = write("clip,genre,jazz,rock\na,jazz,1,0\n")
    assert PredictionTable.load(path, truth={"a": "blues"}).true.tolist() == [0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": None}, "contains no table"),
        ({"genres": ["jazz"]}, "contains no table"),
        ({"labels": ["jazz", 1]}, "two or more with names"),
        ({"labels": ["jazz", "jazz"]}, "label 'jazz' twice"),
        ({"clips": ["a", "b", 3]}, "clip 3: clip=3 is not a valid name"),
        ({"clips": ["a", "b", "b"]}, "clip 3: b is listed twice; first: clip 2"),
        ({"genres": ["jazz", "rock", None]}, "clip 3: the genre of c is not known"),
        ({"genres": ["jazz", "rock", [1]]}, r"clip 3: genre='.1.' has no column"),
        ({"probabilities": [[1, 0], [0, 1], [None, 1]]}, "clip 3: jazz=None is missing"),
        ({"probabilities": [[1, 0], [0, 1], [1]]}, "clip 3: 1 probability for 2 labels"),
        ({"probabilities": [[1, 0], [0, 1], [float("nan"), 1]]}, "clip 3: jazz=nan is not finite"),
        ({"rounds": [1, 1.5, 2]}, "clip 2: round='1.5' must be"),
    ],
)
def test_invalid_dictionaries(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=rf"^x\.json.*{words}"):
        PredictionTable.from_dict({**table().to_dict(), **changes}, source="x.json")


# ------------------------------------------------------------------------------ wherever it lies


def test_load_from_csv_json_and_folder(tmp_path: Path) -> None:
    table().save(tmp_path / "predictions.csv")
    inside = tmp_path / "inside.json"
    inside.write_text(json.dumps({"predictions": table().to_dict()}))
    beside = tmp_path / "metrics.json"
    beside.write_text("{}")
    for path in (tmp_path, tmp_path / "predictions.csv", inside, beside):
        assert_same(load_predictions(path), table())


@pytest.mark.parametrize("text", ["{}", "[1]", '{"predictions": 1}', "{", "", "[" * 100_000])
def test_json_without_a_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"metrics\.json"):
        load_predictions(path)


def test_folder_without_a_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"predictions\.csv: No such file"):
        load_predictions(tmp_path)


@pytest.mark.parametrize(
    ("trained", "words"),
    [
        ([True], "the only clip was in the model's training; figures on it do not"),
        ([True, False], "1 of 2 clips was in the model's training; figures on it do not"),
        ([True, True], "all 2 clips were in the model's training; figures on them do not"),
    ],
)
def test_the_warning_about_clips_of_the_training(trained: list[bool], words: str) -> None:
    n = len(trained)
    table = PredictionTable(
        labels=("a", "b"),
        clips=tuple(map(str, range(n))),
        true=np.zeros(n, int),
        probabilities=np.full((n, 2), 0.5),
        in_training=np.array(trained),
    )
    assert table.training_warning.startswith(words)
