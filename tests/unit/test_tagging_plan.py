"""Plans: their content, and the edits that are allowed in a file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genrelens import LibraryError
from genrelens.library import (
    Catalog,
    GenreMapping,
    Plan,
    Policy,
    plan_changes,
    read_plan,
    write_plan,
)
from genrelens.library.tagging.plan import is_plan
from support.library_folder import MODEL_DIGEST
from support.shelf import shelve, song

ODD = os.fsdecode(b"caf\xe9 \xff.mp3")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return tmp_path / "music"


def test_the_content_of_a_plan(catalog: Catalog, music: Path) -> None:
    shelve(catalog, song(music, "a.mp3"), "jazz", 0.9)
    shelve(catalog, song(music, "b.mp3", "mp3", "Rock"), "jazz", 0.8)
    shelve(catalog, song(music / "sub", "c.flac", "flac"), "rock", 0.45)
    song(music, "new.mp3")
    changed = song(music, "changed.mp3")
    shelve(catalog, changed)
    os.utime(changed, ns=(1, 1))
    plan = plan_changes(catalog, [music, music / "gone"])
    [change] = plan.changes
    assert (change.path, change.before, change.after) == (music / "a.mp3", (), ("Jazz",))
    assert change.size == change.path.stat().st_size
    assert plan.skipped == {
        music / "b.mp3": "has a genre",
        music / "sub" / "c.flac": "is below 50 % of confidence",
    }
    assert plan.reasons == {"has a genre": 1, "is below 50 % of confidence": 1}
    assert sorted(path.name for path in plan.unscanned) == ["changed.mp3", "new.mp3"]
    assert (plan.model, plan.labels) == ("small", {"jazz", "rock", "pop"})
    assert [Path(path).name for path, _ in plan.problems] == ["gone"]


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_one_file_by_two_names(catalog: Catalog, music: Path, kind: str) -> None:
    path = song(music, "a.mp3")
    link = music / "b.mp3"
    getattr(link, kind)(path)
    for each in (path, link):
        shelve(catalog, each)
    plan = plan_changes(catalog, [music])
    assert [change.path for change in plan.changes] == [path]
    assert plan.skipped == {link: "is another name of a file that was found before"}


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_a_plan_is_read_as_it_was_written(catalog: Catalog, music: Path, tmp_path: Path) -> None:
    for name in (ODD, "Größe.mp3"):
        shelve(catalog, song(music, name, "mp3", "Pöp", "Rock"))
    mapping = GenreMapping({"jazz": ("Jazz", "Größe")}, ("Jazz", "Größe"))
    policy = Policy(existing="replace", max_genres=3, id3_version=3, mapping=mapping)
    plan = plan_changes(catalog, [music], policy)
    assert len(plan.changes) == 2
    write_plan(plan, tmp_path / "plan.jsonl")
    again = read_plan(tmp_path / "plan.jsonl")
    assert again == Plan(
        changes=plan.changes,
        policy=plan.policy,
        model=plan.model,
        created=plan.created,
        model_digests={"small": [MODEL_DIGEST]},
    )
    lines = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    assert lines[0]["genrelens_plan"] == 1
    assert set(lines[1]) - {"path_bytes"} == {
        "path",
        "size",
        "mtime_ns",
        "digest",
        "before",
        "after",
        "confidence",
        "reason",
    }
    assert sorted("path_bytes" in line for line in lines[1:]) == [False, True]


# -------------------------------------------------------------------------------- edited


HEADER = {"genrelens_plan": 1, "created": "x", "model": "m", "policy": Policy().to_dict()}
LINE = {
    "path": "/m/a.mp3",
    "size": 1,
    "mtime_ns": 2,
    "digest": "a" * 40,
    "before": [],
    "after": ["Jazz"],
    "confidence": 0.9,
    "reason": "",
}


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: Any) -> Path:
        path = tmp_path / "plan.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("\n".join(texts) + "\n")
        return path

    return write


def test_lines_may_be_deleted_and_genres_edited(plan_of: Callable[..., Path]) -> None:
    path = plan_of(HEADER, "", {**LINE, "after": []}, {**LINE, "path": "/b", "after": ["X", "Y"]})
    assert is_plan(path)
    assert [change.after for change in read_plan(path).changes] == [(), ("X", "Y")]
    assert read_plan(plan_of(HEADER)).changes == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"after": "Jazz"}, 'after must be a list of genres, not "Jazz"'),
        ({"after": ["x" * 999, 1]}, "after must be a list of genres, not .{60}[.]{3}$"),
        ({"after": [" "]}, 'after: a genre must not begin or end with spaces, as " " does'),
        ({"after": [" disco "]}, "after: a genre must not begin or end with spaces"),
        ({"after": [""]}, "after: a genre must not be empty"),
        ({"after": ["a\tb"]}, "after: a genre must not hold invisible characters"),
        ({"after": ["x" * 201]}, "after: a genre must not be longer than 200 characters"),
        ({"after": [3]}, "after must be a list of genres"),
        ({"before": "Rock"}, "before must be a list of genres"),
        ({"before": 5}, "before must be a list of genres"),
        ({"before": None}, "before must be a list of genres, not null"),
        ({"size": "1"}, "size must be a whole number"),
        ({"size": True}, "size must be a whole number, not true"),
        ({"digest": "a"}, "digest must be"),
        ({"digest": None}, "digest must be a string, not null"),
        ({"path": "a.mp3"}, "path must be absolute"),
        ({"path": None}, "path must be a string, not null"),
        ({"path": {"a": 1}}, "path must be a string, not {"),
        ({"path_bytes": "%"}, "path_bytes must be Base64"),
        ({"path_bytes": 1}, "path_bytes must be a string, not 1"),
        ({"path": "/a\0b"}, "path .* is not valid"),
        ({"path": "/\ud800"}, "contains text that is not valid UTF-8$"),
        ({"confidence": "high"}, 'confidence must be a number, not "high"'),
        ({"confidence": None}, "confidence must be a number, not null"),
        ({"confidence": 10**400}, "confidence must be a number, not 1000.*[.]{3}$"),
        ({"confidence": float("nan")}, "contains a number that JSON does not allow$"),
        ({"confidence": float("inf")}, "contains a number that JSON does not allow$"),
        ({"reason": []}, "reason must be a string"),
    ],
)
def test_invalid_edits(change: dict[str, Any], message: str, plan_of: Callable[..., Path]) -> None:
    with pytest.raises(LibraryError, match=rf"plan\.jsonl: line 2: {message}"):
        read_plan(plan_of(HEADER, {**LINE, **change}))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is not a plan: it is empty"),
        (["{"], "line 1: is not JSON: Expecting"),
        (["3"], "line 1: must be an object, as {...}, not 3"),
        ([{"a": 1}], "line 1: 'genrelens_plan' is missing"),
        ([{**HEADER, "genrelens_plan": 2}], "line 1: a plan of version 2"),
        ([{**HEADER, "policy": {}}], "line 1: policy: 'existing' is missing"),
        ([{**HEADER, "policy": []}], r"line 1: policy must be an object, not \[\]"),
        ([{**HEADER, "policy": {**HEADER["policy"], "words": 3}}], "words must be an object"),
        ([{**HEADER, "policy": {**HEADER["policy"], "max_genres": "2"}}], "a whole number"),
        (['{"genrelens_plan": 1e999}'], "line 1: contains a number that JSON does not allow"),
        (["[" * 100_000], "line 1: is nested too deeply"),
        (["hello"], "plan.jsonl: is not a valid plan: line 1: is not JSON"),
        ([{**HEADER, "policy": {**HEADER["policy"], "max_genres": 0}}], "line 1: max_genres=0"),
        ([{**HEADER, "policy": {**HEADER["policy"], "x": 0}}], 'line 1: .*"x" is unknown'),
        ([HEADER, {}], "line 2: 'size' is missing"),
        ([HEADER, LINE, LINE], "line 3: /m/a.mp3 is in the plan twice"),
    ],
)
def test_invalid_plans(lines: list[Any], message: str, plan_of: Callable[..., Path]) -> None:
    with pytest.raises(LibraryError, match=message):
        read_plan(plan_of(*lines))


def test_a_plan_with_a_byte_order_mark_and_windows_line_ends(plan_of: Callable[..., Path]) -> None:
    """Other characters that break lines in Unicode may be part of a name."""
    path = plan_of(HEADER, json.dumps({**LINE, "path": "/a\u2028b\x85"}, ensure_ascii=False))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert is_plan(path)
    assert [change.path for change in read_plan(path).changes] == [Path("/a\u2028b\x85")]


def test_a_plan_without_its_header_is_not_taken_for_a_recording(
    plan_of: Callable[..., Path],
) -> None:
    path = plan_of(LINE)
    assert is_plan(path)
    with pytest.raises(LibraryError, match="line 1: 'genrelens_plan' is missing"):
        read_plan(path)


def test_plans_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"ID3\xff\xfb\x90")
    with pytest.raises(LibraryError, match="not UTF-8"):
        read_plan(tmp_path / "song.mp3")
    with pytest.raises(LibraryError, match="No such file"):
        read_plan(tmp_path / "none")
    for name in ("song.mp3", "none", "."):
        assert not is_plan(tmp_path / name)
