"""Audits: comparison of tags with predictions, and the page of mismatches."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrelens.library import Catalog, TagMismatch, audit_library
from genrelens.library.audit import Audit, audit_page, compare_tag
from genrelens.model_file import model_digest
from genrelens.prediction import Style
from support.library_folder import medley, several, stored
from support.shelf import entry, shelve, song

HOUSE = (Style("house", 0.7, 0.5), Style("soul", 0.2, 0.5))


@pytest.mark.parametrize(
    ("genres", "facts", "expected"),
    [
        (("Jazz",), {}, "agrees"),
        (("Acid Jazz",), {}, "agrees"),  # a kind of it
        (("Rock", "Bebop"), {}, "agrees"),  # one of two
        (("Rock",), {}, "disagrees"),
        (("Heavy Metal",), {}, "disagrees"),  # a kind of rock
        (("Heavy Metal",), {"genre": "rock"}, "agrees"),
        (("Deep House",), {"styles": HOUSE}, "agrees"),
        (("Deep House",), {}, "cannot be compared"),
        (("Soul",), {"styles": HOUSE}, "disagrees"),  # a style that does not apply
        (("Indie",), {"genre": "rock"}, "agrees"),
        (("Indie",), {}, "disagrees"),
        (("Pop", "Techno"), {"styles": HOUSE}, "disagrees"),
        (("Pop / Dance",), {"styles": HOUSE}, "agrees"),  # house is dance
        (("Pop / Soul",), {"styles": HOUSE}, "disagrees"),
        (("Soundtrack",), {}, "cannot be compared"),
        (("Blues",), {}, "cannot be compared"),
        (("Other",), {}, "has no genre"),
        ((), {}, "has no genre"),
        (("Rock",), {"probability": 0.36}, "not sure"),
        (("Rock",), {"level": -90.0}, "silence"),
        (("Rock",), {"music": 0.1}, "disagrees"),
        (("Audiobook",), {"music": 0.1}, "agrees"),
        (("Audiobook",), {}, "disagrees"),
        (("Audiobook", "Jazz"), {}, "agrees"),
        (("Audiobook",), {"music": None, "music_threshold": None}, "cannot be compared"),
    ],
)
def test_results_of_the_comparison(
    genres: tuple[str, ...], facts: dict[str, Any], expected: str
) -> None:
    values = {"genre": "jazz", "probability": 0.9, "styles": (), **facts}
    prediction = stored(values.pop("genre"), values.pop("probability"), **values)
    result, mismatch = compare_tag(entry(genres, prediction))
    assert result == expected
    assert (mismatch is not None) == (expected == "disagrees")


def test_a_tag_agrees_with_each_genre_that_applies() -> None:
    both = several("pop", 0.6, pop=0.8, electronic=0.7, rock=0.3)
    for tag in ("K-Pop", "House", "EDM"):
        assert compare_tag(entry((tag,), both)) == ("agrees", None), tag
    result, mismatch = compare_tag(entry(("Rock",), both))
    assert (result, mismatch and mismatch.tagged) == ("disagrees", 0.3)  # by its own probability


def test_a_recording_that_changes_is_not_compared() -> None:
    assert compare_tag(entry(("Rock",), medley("jazz", "metal"))) == ("changes", None)


def test_files_without_a_result_or_tags() -> None:
    assert compare_tag(entry(("Rock",), prediction=None)) == ("no result", None)
    assert compare_tag(entry(None)) == ("has no genre", None)


def test_a_mismatch_has_the_probabilities_of_prediction_and_tag() -> None:
    _, mismatch = compare_tag(entry(("Rock", "Pop"), stored("jazz", 0.9, styles=HOUSE)))
    assert mismatch is not None
    assert (mismatch.predicted, mismatch.probability) == ("jazz", pytest.approx(0.9))
    assert mismatch.tagged == pytest.approx(0.1)  # both have 5 %
    assert mismatch.score == pytest.approx(0.8)
    assert mismatch.styles == {"house": 0.7}
    _, mismatch = compare_tag(entry(("Soul",), stored("jazz", 0.9, styles=HOUSE)))
    assert mismatch is not None
    assert mismatch.tagged == 0.2
    _, mismatch = compare_tag(entry(("Rock",), stored("rock", 0.9, music=0.1)))
    assert mismatch is not None
    assert (mismatch.predicted, mismatch.probability) == ("not music", pytest.approx(0.9))
    assert mismatch.tagged == pytest.approx(0.09)  # music, and rock
    _, mismatch = compare_tag(entry(("Podcast",), stored("rock", 0.9, music=0.8)))
    assert mismatch is not None
    assert (mismatch.tagged, mismatch.predicted) == (pytest.approx(0.2), "rock")


@given(
    st.lists(st.sampled_from(["Jazz", "Rock", "Metal", "Podcast", "Foo", "Other"]), max_size=3),
    st.sampled_from(["jazz", "rock"]),
    st.floats(0.4, 1),
    st.none() | st.floats(0, 1),
)
def test_properties_of_every_mismatch(
    genres: list[str], genre: str, probability: float, music: float | None
) -> None:
    threshold = None if music is None else 0.5
    prediction = stored(genre, probability, music=music, music_threshold=threshold)
    _, mismatch = compare_tag(entry(tuple(genres), prediction))
    if mismatch is not None:
        assert 0 <= mismatch.tagged <= 1
        assert 0 <= mismatch.probability <= 1
        assert mismatch.predicted in (genre, "not music")


# ----------------------------------------------------------------------------- libraries


def test_the_strongest_disagreement_comes_first(catalog: Catalog, tmp_path: Path) -> None:
    music = tmp_path / "music"
    kinds = ("mp3", "flac", "m4a", "vorbis")
    for kind, sure in zip(kinds, (0.5, 0.9, 0.7, 0.95), strict=True):
        tag = "Rock" if kind != "vorbis" else "Soundtrack"
        shelve(catalog, song(music, f"{kind}.mp3", kind, tag), "jazz", sure)
    song(music, "new.mp3", "wav")
    found = audit_library(catalog, [music, music / "gone"])
    assert [each.path.stem for each in found.mismatches] == ["flac", "m4a", "mp3"]
    assert found.counts == {"disagrees": 3, "cannot be compared": 1}
    assert found.unknown == {"Soundtrack": 1}
    assert found.unscanned == (music / "new.mp3",)
    assert [Path(path).name for path, _ in found.problems] == ["gone"]
    assert found.summary == "4 files: 3 disagree, 1 cannot be compared (Soundtrack 1)"
    assert audit_library(catalog, []).summary == "0 files: nothing to compare"


# ---------------------------------------------------------------------------------- the page


def mismatch(path: Path, genre: str = "Rock", **changes: Any) -> TagMismatch:
    values: dict[str, Any] = {
        "path": path,
        "genres": (genre,),
        "predicted": "jazz",
        "probability": 0.9,
        "tagged": 0.05,
        "probabilities": {"jazz": 0.9, "rock": 0.05},
        "styles": {},
    }
    return TagMismatch(**values | changes)


def page(target: Path, *mismatches: TagMismatch, **options: Any) -> str:
    found = Audit(mismatches, {"disagrees": len(mismatches)}, {}, (), ())
    return audit_page(found, target, **options)


def test_names_are_escaped(tmp_path: Path) -> None:
    odd = "<script>alert(1)</script>\"'&\u202e\x1b"
    text = page(
        tmp_path / "p.html", mismatch(Path("/m") / odd, odd, predicted=odd, styles={odd: 0.5})
    )
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;\\u202e\\x1b") == 4
    assert re.findall(r'(?:src|href)="([^"]*)"', text) == [Path("/m", odd).as_uri()] * 2


@pytest.mark.parametrize(
    "name", ["a b.mp3", "a:b.mp3", "a#b?c%20.mp3", "\udce9\udcff.mp3", "é.mp3"]
)
def test_files_beside_the_page_have_relative_links(name: str, tmp_path: Path) -> None:
    path = tmp_path / "music" / name
    [link, again] = re.findall(r'(?:src|href)="([^"]*)"', page(tmp_path / "p.html", mismatch(path)))
    assert link == again
    assert re.fullmatch(r"music/[A-Za-z0-9%._-]+", link)
    assert unquote_to_bytes(link) == b"music/" + os.fsencode(name)
    elsewhere = page(tmp_path / "x" / "p.html", mismatch(path))
    assert f'src="{path.as_uri()}"' in elsewhere


def test_the_page_shows_at_most_top_mismatches(tmp_path: Path) -> None:
    text = page(tmp_path / "p.html", *[mismatch(Path(f"/m/{n}.mp3")) for n in range(9)], top=4)
    assert text.count("<audio") == 4
    assert "9 files: 9 disagree. The first 4 are shown." in text
    assert "<b>Rock</b> 5\u00a0%" in text
    assert "Genres: jazz 90\u00a0%, rock 5\u00a0%</div>" in text
    assert "Styles" not in text


def test_genres_and_styles_are_apart_and_without_zeros(tmp_path: Path) -> None:
    shares = {"jazz": 0.9, "rock": 0.006, "pop": 0.0049, "folk": 0.0}
    styles = {"soul": 0.7, "funk": 0.6}
    path = Path("/m/a.mp3")
    text = page(tmp_path / "p.html", mismatch(path, probabilities=shares, styles=styles))
    lines = re.findall(r'<div class="soft">([^<]+)</div>', text)
    assert lines == [
        "Genres: jazz 90\u00a0%, rock 1\u00a0%",
        "Styles: soul 70\u00a0%, funk 60\u00a0%",
    ]
    assert " 0\u00a0%" not in text


def test_predictions_by_another_version_of_the_model_are_counted(
    catalog: Catalog, tmp_path: Path
) -> None:
    for name, kind, digest in (("old", "mp3", "0" * 64), ("new", "flac", model_digest("lens"))):
        path = song(tmp_path / name, "a.mp3", kind, "Rock")
        shelve(catalog, path, name="lens", model_digest=digest)
    assert audit_library(catalog, [tmp_path]).outdated == {"lens": 1}
    assert audit_library(catalog, [tmp_path / "new"]).outdated == {}


def test_json_has_the_present_and_the_former_names(catalog: Catalog, tmp_path: Path) -> None:
    shelve(catalog, song(tmp_path / "m", "a.mp3", "mp3", "Rock"), "jazz", 0.9)
    song(tmp_path / "m", "new.mp3")
    document = audit_library(catalog, [tmp_path / "m"]).to_dict()
    assert document["unscanned"] == document["unheard"] == [{"path": f"{tmp_path}/m/new.mp3"}]
    [finding] = document["findings"]
    assert finding["predicted"] == finding["heard"] == "jazz"
