"""The plugin of beets, in a real library of beets with real recordings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("beets")

from beets.exceptions import UserError
from beets.test.helper import AutotagStub

from genrelens.library import Catalog
from support import synth
from support.beets_library import BeetsLibrary


@pytest.fixture
def library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> BeetsLibrary:
    return BeetsLibrary(tmp_path, monkeypatch, capsys)


def imported(library: BeetsLibrary, *options: str) -> BeetsLibrary:
    """Import the new files without the plugin's work on import."""
    library.configure(auto=False)
    library.beet("import", *options, str(library.new))
    return library


# ------------------------------------------------------------------------------ import


def test_an_import_stores_genres_and_results(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    library.add("between-genres", "One/between.ogg")
    library.beet("import", str(library.new))
    sure, unsure = library.items()["trance"], library.items()["between-genres"]
    assert sure.genres == sure.genrelens_written == ["Electronic"]
    assert (sure.genrelens_verdict, sure.genrelens_genres) == ("genre", ["electronic"])
    assert sure.genrelens_confidence == pytest.approx(0.957, abs=0.02)
    assert "dance" in sure.genrelens_styles
    assert sure.genrelens_model.startswith("lens@")
    assert unsure.genres == []
    assert unsure.genrelens_verdict == "not sure"
    assert unsure.get("genrelens_written", with_album=False) is None
    assert library.albums()["One"].genres == ["Electronic"]


def test_an_import_of_matched_tracks_writes_the_files(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg", track=1, tracktotal=1)
    settings = {"import": {"quiet": True}, "match": {"strong_rec_thresh": 1.0}}
    library.write(library.settings() | settings)
    matches = AutotagStub(AutotagStub.IDENT).install()
    try:
        library.beet("import", str(library.new))
    finally:
        matches.restore()
    assert library.genres_in_files() == {"Applied Track 1": ["Electronic"]}


def test_an_import_leaves_no_former_path_in_the_catalogue(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    library.beet("import", str(library.new))
    with Catalog.open() as catalog:
        assert list(catalog.query()) == []
    output = library.beet("genrelens", "-f")  # with the prediction that the import has stored
    assert len(library.pools[-1].jobs) == 1  # the digest
    assert "Electronic" not in output  # nothing changes
    with Catalog.open() as catalog:
        assert [str(entry.path) for entry in catalog.query()] == [
            str(library.music / "Someone" / "One" / "00 trance.ogg")
        ]


def test_singletons_and_auto_no(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    imported(library, "-s")
    assert library.items()["trance"].genres == []
    library.beet("genrelens")
    assert library.genres_in_files() == {"trance": ["Electronic"]}
    assert library.albums() == {}


def test_an_import_goes_on_without_a_model(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    library.configure(model="absent.onnx")
    assert "no genres are written: absent.onnx: " in library.beet("import", str(library.new))
    assert library.items()["trance"].genres == []


# --------------------------------------------------------------------------- the command


def test_a_query_chooses_the_tracks(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    library.add("jazz-quartet", "Two/jazz.ogg")
    imported(library)
    output = library.beet("genrelens", "album:Two")
    assert "Someone - Two - jazz-quartet: (none) -> Jazz (jazz " in output
    assert library.genres_in_files() == {"trance": [], "jazz-quartet": ["Jazz"]}
    assert library.albums()["Two"].genres == ["Jazz"]
    assert library.albums()["One"].genres == []


def test_pretend_changes_nothing(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    imported(library)
    before = library.content()
    assert "trance: (none) -> Electronic (electronic 96 %" in library.beet("genrelens", "-p")
    assert library.content() == before
    library.beet("genrelens")
    assert library.content().keys() == before.keys()
    assert library.content() != before


def test_beets_decides_whether_files_are_written(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    imported(library)
    library.write(library.settings() | {"import": {"write": False}})
    library.beet("genrelens")
    assert library.items()["trance"].genres == ["Electronic"]
    assert library.genres_in_files() == {"trance": []}


def test_existing_genres_are_kept_unless_forced(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg", genres=["Goa", "House"])
    library.add("jazz-quartet", "Two/jazz.ogg", genres=["Other"])  # no genre
    imported(library)
    output = library.beet("genrelens")
    assert "trance: has a genre (electronic 96 %" in output
    assert library.genres_in_files() == {"trance": ["Goa", "House"], "jazz-quartet": ["Jazz"]}
    assert library.albums()["One"].genres == ["Goa", "House"]
    assert "classified before: 2" in library.beet("genrelens")
    library.beet("genrelens", "-f")
    assert library.genres_in_files() == {"trance": ["Electronic"], "jazz-quartet": ["Jazz"]}
    assert library.albums()["One"].genres == ["Electronic"]


def test_genres_are_added(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg", genres=["Goa"])
    imported(library)
    library.configure(auto=False, existing="append", max_genres=2)
    library.beet("genrelens")
    track, album = library.items()["trance"], library.albums()["One"]
    assert track.genres == ["Goa", "Electronic", "Dance"]
    assert track.genrelens_written == ["Electronic", "Dance"]
    assert album.genres == ["Goa", "Electronic"]
    library.beet("genrelens", "-f")  # the plugin's own genres are no genres of the user
    assert library.items()["trance"].genres == ["Goa", "Electronic", "Dance"]


def test_tracks_can_get_the_genres_of_their_album(library: BeetsLibrary) -> None:
    for example in ("jazz-quartet", "between-genres", "trance"):
        library.add(example, f"One/{example}.ogg")
    library.add("jazz-quartet", "One/jazz.ogg", title="again", genres=["Bebop"])
    library.add("jazz-quartet", "One/third.ogg", title="third")
    imported(library)
    library.configure(albums="same", existing="keep")
    library.beet("genrelens")
    assert library.genres_in_files() == {
        "jazz-quartet": ["Jazz"],
        "between-genres": ["Jazz"],
        "trance": ["Jazz"],
        "again": ["Bebop"],
        "third": ["Jazz"],
    }


def test_the_options_of_the_policy(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    imported(library)
    library.configure(auto=False, min_confidence=0.99)
    assert "is below 99 % of confidence" in library.beet("genrelens")
    words = library.folder / "words.toml"
    words.write_text('[genre_words]\nelectronic = ["Techno", "Dance"]\n')
    library.configure(auto=False, max_genres=2, words=str(words))
    library.beet("genrelens", "-f")
    assert library.genres_in_files() == {"trance": ["Techno", "Dance"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"existing": "overwrite"}, "genrelens.existing"),
        ({"max_genres": 0}, "max_genres=0 must be at least 1"),
        ({"min_confidence": "high"}, "genrelens.min_confidence"),
        ({"words": "/no/such/words.toml"}, "/no/such/words.toml: No such file"),
        ({"model": "absent.onnx"}, "absent.onnx"),
        (
            {"db": "/no/such/folder/catalog.sqlite"},
            "/no/such/folder/catalog.sqlite: ",
        ),
    ],
)
def test_wrong_options(library: BeetsLibrary, options: dict[str, Any], message: str) -> None:
    library.configure(**options)
    with pytest.raises(UserError, match=message):
        library.beet("genrelens")


# ----------------------------------------------------------------------- lastgenre's rules


def test_the_whitelist_of_lastgenre(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    library.add("hip-hop-verse", "Two/verse.ogg")
    imported(library)
    allowed = library.folder / "genres.txt"
    allowed.write_text("# mine\nhip hop\n\nelectro\n")
    library.configure(auto=False, max_genres=3, rules={"whitelist": str(allowed)})
    library.beet("genrelens")
    assert library.genres_in_files() == {"trance": ["Electro"], "hip-hop-verse": ["Hip Hop"]}
    library.configure(auto=False, max_genres=1, rules={"whitelist": False})
    library.beet("genrelens", "-f", "album:Two")
    assert library.genres_in_files()["hip-hop-verse"] == ["Hip-Hop"]


def test_nothing_is_written_that_is_not_allowed(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    imported(library)
    (library.folder / "genres.txt").write_text("jazz\n")
    rules = {"whitelist": str(library.folder / "genres.txt")}
    library.configure(auto=False, rules=rules)
    assert "none of the words may be written" in library.beet("genrelens")
    assert library.items()["trance"].genres == []


def test_the_canonical_tree_of_lastgenre(library: BeetsLibrary) -> None:
    """Without a whitelist, the oldest ancestor is written; with one, all allowed ancestors."""
    library.add("trance", "One/trance.ogg")
    imported(library)
    tree = library.folder / "tree.yaml"
    tree.write_text("- machine music:\n    - club:\n        - electronic\n    - noise\n")
    rules: dict[str, Any] = {"whitelist": False, "canonical": str(tree)}
    library.configure(auto=False, rules=rules)
    library.beet("genrelens")
    assert library.genres_in_files() == {"trance": ["Machine Music"]}
    (library.folder / "genres.txt").write_text("machine music\nelectronic\n")
    rules |= {"whitelist": str(library.folder / "genres.txt"), "title_case": False}
    library.configure(auto=False, max_genres=2, rules=rules)
    library.beet("genrelens", "-f")
    assert library.genres_in_files() == {"trance": ["electronic", "machine music"]}


def test_the_lists_that_come_with_lastgenre(library: BeetsLibrary) -> None:
    """They are used as lastgenre itself uses them, without the packages that it needs."""
    library.add("disco-groove", "One/disco.ogg")
    imported(library)
    library.configure(auto=False, max_genres=5, rules={"canonical": True})
    library.beet("genrelens")
    assert library.genres_in_files()["disco-groove"][:2] == ["Disco", "Electronic"]


def test_the_rules_of_lastgenre_can_be_switched_off(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    imported(library)
    settings = library.settings()
    settings |= {"lastgenre": {"whitelist": "/no/such/list"}, "plugins": ["genrelens"]}
    library.write(settings)
    with pytest.raises(UserError, match="/no/such/list: No such file"):
        library.beet("genrelens")
    settings["genrelens"] = {"lastgenre": False}
    library.write(settings)
    library.beet("genrelens")
    assert library.genres_in_files() == {"trance": ["Electronic"]}


# ------------------------------------------------------------------------ files that fail


def test_sounds_that_are_not_music(library: BeetsLibrary) -> None:
    noise = synth.write(synth.noise(6, 16_000), 16_000, "WAV")
    (library.new / "noise.wav").write_bytes(noise)
    imported(library, "-s")
    output = library.beet("genrelens")
    (track,) = library.items().values()
    assert (track.genres, track.genrelens_verdict) == ([], "not music")
    assert output.endswith(".wav: not music")


def test_missing_and_damaged_files(library: BeetsLibrary) -> None:
    library.add("trance", "One/trance.ogg")
    library.add("jazz-quartet", "One/jazz.ogg", genres=["Bebop"])
    library.add("disco-groove", "Two/disco.ogg")
    imported(library)
    library.beet("genrelens", "album:One")
    missing, damaged = (library.items()[name].filepath for name in ("trance", "jazz-quartet"))
    missing.unlink()
    damaged.write_bytes(b"OggS, no longer")
    output = library.beet("genrelens", "-f")
    assert "trance: No such file or directory" in output
    assert "jazz-quartet: " in output
    tracks = library.items()
    for name in ("trance", "jazz-quartet"):
        assert tracks[name].genrelens_verdict == "failed"
        assert tracks[name].get("genrelens_confidence") is None
    assert tracks["trance"].genres == ["Electronic"]  # as before
    assert tracks["jazz-quartet"].genres == ["Bebop"]
    assert tracks["disco-groove"].genres == ["Disco"]
    assert "No such file" in library.beet("genrelens")  # a failed file is tried again


@pytest.mark.parametrize(
    "name", [b"not utf-8 \xff.ogg", b"[1999] *?.ogg", "\u202e rtl.ogg".encode(), b"a\nb.ogg"]
)
def test_odd_names(library: BeetsLibrary, name: bytes) -> None:
    path = library.add("trance", "One/trance.ogg")
    os.rename(path, os.path.join(os.fsencode(path.parent), name))  # noqa: PTH104, PTH118
    settings = library.settings()
    settings |= {"import": {"autotag": False, "copy": False, "quiet": True}}
    library.write(settings)
    library.beet("import", str(library.new))
    (track,) = library.items().values()
    assert track.genres == ["Electronic"]
    assert track.path.endswith(name)
