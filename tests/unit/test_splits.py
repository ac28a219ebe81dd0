"""Protocols and files of splits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrelens.data.folders import LabelledClip
from genrelens.data.protocols import (
    filtered_split,
    grouped_folds,
    grouped_split,
    random_draws,
    random_folds,
    random_split,
)
from genrelens.data.splits import Split, read_groups
from genrelens.errors import DataError


def clips(n: int = 12, *, genres: int = 3, groups: int | None = None) -> list[LabelledClip]:
    """Return ``n`` clips of each genre; ``groups`` is the number of artists of each genre."""
    return [
        LabelledClip(
            Path(f"/music/g{genre}/g{genre}.{i:03}.wav"),
            f"g{genre}",
            group=None if groups is None else f"artist {genre}-{i % groups}",
        )
        for genre in range(genres)
        for i in range(n)
    ]


def clips_of_the_test_parts(split: Split) -> list[set[str]]:
    return [{clip.path.stem for clip in parts if clip.part == "test"} for parts in split]


# --------------------------------------------------------------------------- protocols


def test_every_clip_is_test_in_exactly_one_random_fold() -> None:
    split = random_folds(clips(), 4, seed=3)
    assert len(split) == 4
    assert Counter(name for test in clips_of_the_test_parts(split) for name in test) == Counter(
        clip.path.stem for clip in clips()
    )
    for parts in split:
        assert Counter((clip.label, clip.part) for clip in parts) == {
            (f"g{genre}", part): n for genre in range(3) for part, n in (("train", 9), ("test", 3))
        }


@given(seed=st.integers(0, 1000), n_folds=st.integers(2, 4))
def test_no_group_is_divided(seed: int, n_folds: int) -> None:
    split = grouped_folds(clips(24, groups=6), n_folds, seed=seed)
    assert sum(len(test) for test in clips_of_the_test_parts(split)) == 72
    for parts in split:
        sides = {part: {c.group for c in parts if c.part == part} for part in ("train", "test")}
        assert not sides["train"] & sides["test"]
        assert {c.label for c in parts if c.part == "test"} == {"g0", "g1", "g2"}


def test_the_seed_determines_the_folds() -> None:
    for make in (
        lambda s: random_folds(clips(), 3, seed=s),
        lambda s: random_draws(clips(), 3, seed=s, test_fraction=0.25),
    ):
        assert make(1).rounds == make(1).rounds
        assert make(1).digest == make(1).digest != make(2).digest


def test_draws_are_stratified_and_differ() -> None:
    split = random_draws(clips(20), 5, test_fraction=0.1, seed=0)
    tests = clips_of_the_test_parts(split)
    assert [len(test) for test in tests] == [6] * 5
    assert len({frozenset(test) for test in tests}) == 5
    assert {Counter(name[:2] for name in test)["g1"] for test in tests} == {2}


def test_filtered_split_of_all_of_gtzan_has_its_published_sizes() -> None:
    genres = (
        "blues",
        "classical",
        "country",
        "disco",
        "hiphop",
        "jazz",
        "metal",
        "pop",
        "reggae",
        "rock",
    )
    gtzan = [
        LabelledClip(Path(f"{genre}.{i:05}.au"), genre) for genre in genres for i in range(100)
    ]
    split = filtered_split(gtzan)
    (parts,) = split
    assert Counter(clip.part for clip in parts) == {"train": 443, "valid": 197, "test": 290}
    assert next(c.part for c in parts if c.path.stem == "blues.00012") == "test"
    assert len({clip.path.stem for clip in gtzan} - {clip.path.stem for clip in parts}) == 70


# ------------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (lambda: random_folds(clips(3), 4), "genre 'g0' has only 3 clips.*at most 3 folds"),
        (lambda: random_folds(clips(3), 1), "at least 2"),
        (lambda: random_folds(clips(9, genres=1), 2), "1 genre"),
        (lambda: random_folds([], 2), "0 clips"),
        (lambda: random_folds(clips(1), 2), "leave the genre out"),
        (lambda: grouped_folds(clips(12, groups=3), 4), "has only 3 groups.*at most 3 folds"),
        (lambda: grouped_folds(clips(12), 3), "36 of 36 clips have no group.*g0.000.wav"),
        (lambda: random_draws(clips(), 2, test_fraction=0.01), "1% of 36 clips"),
        (lambda: random_draws(clips(), 0), "0 draws"),
        (lambda: random_draws(clips(), 2, test_fraction=1.0), "between 0 and 1"),
        (lambda: filtered_split(clips()), "none of 36 clips has a name like blues.00000"),
    ],
)
def test_impossible_requests_are_rejected(request_: object, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        request_()  # type: ignore[operator]


def test_a_fold_without_some_genre_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unlucky:
        def __init__(self, *args: object, **kwargs: object) -> None:
            pass

        def split(self, *_: object) -> list[tuple[list[int], list[int]]]:
            return [([], list(range(12))), ([], list(range(12, 36)))]

    monkeypatch.setattr("sklearn.model_selection.StratifiedGroupKFold", Unlucky)
    with pytest.raises(DataError, match="fold 1 would have no clip of g1, g2: try another seed"):
        grouped_folds(clips(groups=4), 2)


def test_segments_of_a_clip_are_not_split_at_random() -> None:
    """The rows of the well-known features_3_sec.csv, as files."""
    segments = [
        LabelledClip(Path(f"{genre}.{i:05}.{k}.wav"), genre, group=f"{genre}.{i:05}")
        for genre in ("blues", "rock")
        for i in range(4)
        for k in range(10)
    ]
    with pytest.raises(DataError, match="look like segments of longer clips"):
        random_folds(segments, 2)
    with pytest.raises(DataError, match="look like segments"):
        random_draws(segments, 2)
    for parts in grouped_folds(segments, 2):
        sides = {part: {c.group for c in parts if c.part == part} for part in ("train", "test")}
        assert not sides["train"] & sides["test"]


# -------------------------------------------------------------------------------- files


@pytest.mark.parametrize("n_folds", [2, 5])
def test_saved_split_reads_back_the_same(tmp_path: Path, n_folds: int) -> None:
    split = grouped_folds(clips(20, groups=10), n_folds, seed=1)
    split.save(tmp_path / "split.csv")
    loaded = Split.load(tmp_path / "split.csv", [replace(c, group=None) for c in clips(20)])
    assert loaded.digest == split.digest
    assert loaded.rounds == split.rounds
    assert list(loaded) == list(split)
    assert (tmp_path / "split.csv").read_bytes() == split._text().encode()


def test_the_digest_depends_on_labels_groups_and_parts_only() -> None:
    split = random_folds(clips(6), 2)
    turned = Split(
        protocol="file", clips=split.clips[::-1], rounds=tuple(p[::-1] for p in split.rounds)
    )
    assert turned.digest == split.digest
    other = list(split.clips)
    other[0] = replace(other[0], label="g1")
    assert replace(split, clips=tuple(other)).digest != split.digest
    other[0] = replace(split.clips[0], group="x")
    assert replace(split, clips=tuple(other)).digest != split.digest
    assert replace(split, rounds=split.rounds[::-1]).digest != split.digest


def test_clips_may_be_left_out_of_a_round(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("clip,split\ng0.000,train\ng0.001,\ng1.000,test\nelse,test\n")
    given = [c for c in clips(2, genres=2) if c.path.stem != "g1.001"]
    (parts,) = Split.load(tmp_path / "s.csv", given)
    assert [(c.path.stem, c.part) for c in parts] == [("g0.000", "train"), ("g1.000", "test")]


GOOD = "clip,group,split_1,split_2\ng0.000,x,train,test\ng1.000,y,test,train\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs the columns clip and split; it has none"),
        ("clip,part\ng0.000,train\n", "needs the columns clip and split; it has clip, part"),
        ("split\ntrain\n", "needs the columns clip"),
        (GOOD.replace("g1.000", "g9.000"), "1 clip has no row, for instance g1.000"),
        (GOOD + GOOD.splitlines()[1] + "\n", "line 4: g0.000 is listed twice; segments"),
        (GOOD.replace("x,train,test", "x,train"), "line 2: not 4 columns"),
        (GOOD.replace("x,train,test", "x,train,test,more"), "line 2: not 4 columns"),
        (GOOD.replace("x,train", "x,learn"), "g0.000 has split_1='learn'"),
        (GOOD.replace("y,", "x,"), "group x is in test and train of round 1"),
        (GOOD.replace("test,train", "test,test"), "round 2 needs clips in train and in test"),
    ],
)
def test_malformed_split_files(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        Split.load(tmp_path / "s.csv", clips(1, genres=2))


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        Split.load(tmp_path / "s.csv", clips())
    (tmp_path / "s.csv").write_bytes(b"clip,split\n\xff\xfe,train\n")
    with pytest.raises(DataError, match=r"s\.csv: .*utf-8"):
        Split.load(tmp_path / "s.csv", clips())
    with pytest.raises(DataError, match="cannot be written"):
        random_folds(clips(), 2).save(tmp_path / "absent" / "s.csv")
    with pytest.raises(DataError, match="cannot be written"):
        random_folds(clips(), 2).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["s.csv"]


def test_clips_of_the_same_file_name_are_distinguished_by_their_folder(tmp_path: Path) -> None:
    """Music libraries have 01.mp3 in every album."""
    albums = [
        LabelledClip(Path(f"/music/{genre}/{album}/{i:02}.mp3"), genre)
        for genre, album in (("jazz", "blue"), ("rock", "red"))
        for i in range(4)
    ]
    split = random_folds(albums, 2, seed=1)
    split.save(tmp_path / "s.csv")
    assert "blue/01,jazz," in (tmp_path / "s.csv").read_text()
    assert Split.load(tmp_path / "s.csv", albums).rounds == split.rounds
    with pytest.raises(DataError, match="is listed twice"):
        random_folds([*albums, albums[0]], 2).save(tmp_path / "s.csv")


# ------------------------------------------------------------------------------- groups


def test_groups_come_from_any_column(tmp_path: Path) -> None:
    rows = [f"{clip.path.stem},album {i // 2},artist {i % 4}" for i, clip in enumerate(clips())]
    (tmp_path / "g.csv").write_text("\n".join(["clip,group,artist", *rows]) + "\n")
    assert read_groups(tmp_path / "g.csv", clips())[3].group == "album 1"
    assert read_groups(tmp_path / "g.csv", clips(), column="artist")[7].group == "artist 3"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("clip,artist\na,b\n", "needs the columns clip and group; it has clip, artist"),
        ("clip,group\ng0.000,x\n", "1 clip has no group, for instance g1.000.wav"),
        ("clip,group\ng0.000,x\ng1.000,\n", "1 clip has no group"),
    ],
)
def test_invalid_group_files(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "g.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        read_groups(tmp_path / "g.csv", clips(1, genres=2))


def sources(*labels: str, n: int = 8) -> list[LabelledClip]:
    """Return ``n`` clips of two artists in each folder, all with the same names."""
    return [
        LabelledClip(Path(f"/{source}/{label}/{label}.{i}.wav"), label, source=source)
        for source, label in enumerate(labels)
        for i in range(n)
    ]


def group_file(folder: Path, name: str, *rows: str) -> Path:
    path = folder / name
    path.write_text("\n".join(["clip,group", *rows]) + "\n")
    return path


def test_groups_of_two_files_are_never_the_same(tmp_path: Path) -> None:
    one = group_file(tmp_path, "1.csv", *(f"a.{i},artist {i % 2}" for i in range(8)))
    two = group_file(tmp_path, "2.csv", *(f"a.{i},artist {i % 4}" for i in range(8)))
    clips = sources("a", "a")  # equal names
    groups = [clip.group for clip in read_groups([one, two], clips)]
    assert groups[:3] == ["1:artist 0", "1:artist 1", "1:artist 0"]
    assert groups[8:11] == ["2:artist 0", "2:artist 1", "2:artist 2"]


def test_folders_with_the_same_file_share_their_groups(tmp_path: Path) -> None:
    one = group_file(tmp_path, "1.csv", *(f"{x}.{i},artist {i}" for x in "ac" for i in range(8)))
    two = group_file(tmp_path, "2.csv", *(f"b.{i},artist {i}" for i in range(8)))
    shared = tmp_path / "." / "1.csv"
    groups = [clip.group for clip in read_groups([one, two, shared], sources("a", "b", "c"))]
    assert [groups[i] for i in (0, 8, 16)] == ["1:artist 0", "2:artist 0", "1:artist 0"]
    alone = read_groups([one, one], sources("a", "c"))
    assert alone == read_groups(one, sources("a", "c"))
    assert alone[0].group == "artist 0"


def test_each_folder_needs_its_file_of_groups(tmp_path: Path) -> None:
    one, two = (group_file(tmp_path, name, "a.0,x") for name in ("1.csv", "2.csv"))
    with pytest.raises(DataError, match="2 files of groups for 3 folders"):
        read_groups([one, two], sources("a", "b", "c"))
    with pytest.raises(DataError, match=r"2\.csv: 1 clip has no group, for instance b\.0\.wav"):
        read_groups([one, two], sources("a", "b", n=1))


# ------------------------------------------------------------------- recordings of clips


def recorded(n: int = 8) -> list[LabelledClip]:
    """Return clips in one folder, and two microphone recordings of each in another."""
    names = [f"a.{i}-snippet-10-{start}" for i in range(n) for start in (0, 10)]
    recordings = [LabelledClip(Path(f"/mic/a/{name}.wav"), "a", source=1) for name in names]
    return [*sources("a", n=n), *recordings, *sources("b", n=n)]


def test_recordings_belong_to_the_group_of_their_clip(tmp_path: Path) -> None:
    rows = [f"{label}.{i},{label} artist {i % 4}" for label in "ab" for i in range(8)]
    path = group_file(tmp_path, "g.csv", *rows, "a.7-snippet-10-0,other")
    clips = read_groups(path, recorded())
    assert [clip.group for clip in clips[8:12]] == ["a artist 0"] * 2 + ["a artist 1"] * 2
    assert [clip.group for clip in clips[22:24]] == ["other", "a artist 3"]  # its own row first
    for parts in grouped_folds(clips, 2):
        divided = {clip.group for clip in parts if clip.part == "test"} & {
            clip.group for clip in parts if clip.part == "train"
        }
        assert not divided


def test_recordings_are_in_the_part_of_their_clip(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("clip,split\na.0,train\na.1,test\nb.0,train\nb.1,test\n")
    split = Split.load(path, recorded(2))
    assert split.rounds == (("train", "test") + ("train",) * 2 + ("test",) * 2 + ("train", "test"),)


def test_recordings_are_not_split_at_random() -> None:
    message = "16 files are microphone recordings of clips.*Split by group"
    for split in (random_split, lambda clips: random_folds(clips, 2)):
        with pytest.raises(DataError, match=message):
            split(recorded())


# ------------------------------------------------------------------------ grouped splits


def test_folds_have_equal_shares_of_each_folder() -> None:
    """Both folders have the same genre, and eight artists each."""
    both = [replace(clip, label="a") for clip in sources("a", "a", n=16)]
    both += sources("b", n=16)
    grouped = [replace(c, group=f"{c.source}{c.label}{i % 8}") for i, c in enumerate(both)]
    for parts in grouped_folds(grouped, 4, seed=1):
        found = Counter((c.source, c.label) for c in parts if c.part == "test")
        assert found == {(0, "a"): 4, (1, "a"): 4, (0, "b"): 4}


def test_a_rare_genre_is_tested_in_some_folds() -> None:
    rare = [*clips(24, genres=2, groups=8), *(replace(c, label="x") for c in clips(4, groups=4))]
    rare = [replace(c, group=f"x{c.group}") if c.label == "x" else c for c in rare][:52]
    with pytest.raises(DataError, match="genre 'x' has only 4 groups"):
        grouped_folds(rare, 6)
    split = grouped_folds(rare, 6, rare_genres=True)
    tested = [sum(c.label == "x" and c.part == "test" for c in parts) for parts in split]
    assert sum(tested) == 4
    assert tested.count(0) >= 2
    assert all({"g0", "g1"} <= {c.label for c in p if c.part == "test"} for p in split)
    with pytest.raises(DataError, match=r"genre 'x' has only 1 group.*leave the genre out"):
        grouped_folds(rare[:49], 6, rare_genres=True)


@pytest.mark.parametrize(("groups", "valid"), [(7, 3 / 21), (2, 1 / 2)])
def test_validation_clips_are_of_other_groups(groups: int, valid: float) -> None:
    parts = grouped_split(clips(21, groups=groups), seed=3)
    found = {part: {c.group for c in parts if c.part == part} for part in ("train", "valid")}
    assert not found["train"] & found["valid"]
    assert {c.label for c in parts if c.part == "valid"} == {"g0", "g1", "g2"}
    share = sum(c.part == "valid" for c in parts) / len(parts)
    assert share == pytest.approx(valid, abs=0.03)


def test_validation_clips_need_groups() -> None:
    with pytest.raises(DataError, match="36 of 36 clips have no group"):
        grouped_split(clips())
    with pytest.raises(DataError, match="has only 1 group"):
        grouped_split(clips(groups=1))
