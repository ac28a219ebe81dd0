"""Decisions: vocabulary, policy and the user's mapping."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrelens import LibraryError
from genrelens.library import Change, GenreMapping, Policy, decide, read_mapping
from genrelens.library.records import Failure
from genrelens.library.tagging.policy import is_genre
from genrelens.library.vocabulary import (
    genre_key,
    is_speech,
    meanings,
    real_genres,
    related,
    spelling,
)
from genrelens.prediction import Genre, Style
from genrelens.tags import Tags
from support.library_folder import medley, several, stored
from support.shelf import entry

HOUSE, TECHNO, SWING = Style("house", 0.7, 0.5), Style("techno", 0.2, 0.3), Style("swing", 0.6, 0.5)
JAZZ = stored("jazz", 0.83, styles=(HOUSE, SWING, TECHNO))

SIXTEEN = (
    *("ambient", "blues", "classical", "country", "disco", "electronic", "folk", "hiphop"),
    *("jazz", "latin", "metal", "pop", "punk", "reggae", "rnb", "rock"),
)


def after(policy: Policy, genres: tuple[str, ...] = (), prediction: Any = JAZZ) -> tuple[str, ...]:
    decision = decide(entry(genres, prediction), policy)
    assert isinstance(decision, Change)
    return decision.after


def reason(policy: Policy, **facts: Any) -> str:
    decision = decide(entry(**{"prediction": JAZZ, **facts}), policy)
    assert isinstance(decision, str)
    return decision


# --------------------------------------------------------------------------------- vocabulary


@pytest.mark.parametrize(
    ("label", "spelt"),
    [
        ("hiphop", "Hip-Hop"),
        ("hip hop", "Hip-Hop"),
        ("rnb", "R&B"),
        ("drum and bass", "Drum & Bass"),
        ("jazz", "Jazz"),
        ("indie pop", "Indie Pop"),
        ("electronica", "Electronica"),
        ("gamelan", "gamelan"),
        ("EDM", "EDM"),
    ],
)
def test_spelling(label: str, spelt: str) -> None:
    assert spelling(label) == spelt


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Heavy Metal", {"heavymetal"}),
        ("Melodic Death Metal", {"metal"}),
        ("Hip-Hop/Rap", {"hiphop"}),
        ("Country Rock", {"country", "rock"}),
        ("Rock; Pop", {"rock", "pop"}),
        ("R&B/Soul", {"soul"}),
        ("r'n'b", {"rnb"}),
        ("Classical Music", {"classical"}),
        ("Rock & Roll", {"rock"}),
        ("Trip hop", {"triphop"}),
        ("Hörspiel", {"speech"}),
        ("Gamelan", {"gamelan"}),
        ("Рок", {"рок"}),
        ("★", {"★"}),
    ],
)
def test_meanings(word: str, expected: set[str]) -> None:
    assert meanings(word) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("metal", "rock", True),
        ("rock", "heavymetal", True),
        ("house", "electronic", True),
        ("pop", "rock", False),
        ("blues", "jazz", False),
        ("gamelan", "gamelan", True),
        ("gamelan", "rock", False),
        ("house", "techno", False),
    ],
)
def test_related_genres(first: str, second: str, expected: bool) -> None:
    assert related({first}, {second}) is related({second}, {first}) is expected


@pytest.mark.parametrize(
    ("tag", "genres"),
    [
        ("House", "electronic"),
        ("Dance", "disco electronic ambient"),
        ("Dance-Pop", "disco electronic ambient pop"),
        ("EDM", "electronic"),
        ("Drum & Bass", "electronic"),
        ("Downtempo", "ambient electronic"),
        ("K-Pop", "pop"),
        ("Reggaeton", "latin"),
        ("Dancehall", "reggae"),
        ("Soul", "rnb"),
        ("Funk", "disco rnb"),
        ("R&B/Soul", "rnb"),
        ("Hip-Hop/Rap", "hiphop"),
        ("Phonk", "electronic hiphop"),
        ("Orchestral", "classical"),
        ("Orchestral Soundtrack", "classical"),
        ("Soundtrack", "ambient classical electronic"),
        ("Singer/Songwriter", "folk"),
        ("Bossa Nova", "jazz latin"),
        ("Hard Rock", "metal rock"),
        ("Disco", "disco"),
        ("Gospel", ""),
    ],
)
def test_the_genres_of_the_model_that_a_tag_can_mean(tag: str, genres: str) -> None:
    found = {genre for genre in SIXTEEN if related(meanings(tag), meanings(genre))}
    assert found == set(genres.split())


@pytest.mark.parametrize("genre", SIXTEEN)
def test_the_usual_spelling_of_a_genre_means_the_genre(genre: str) -> None:
    expected = {"hiphop": "Hip-Hop", "rnb": "R&B"}.get(genre, genre.capitalize())
    assert spelling(genre) == expected
    assert meanings(expected) == {genre}


def test_a_recording_shorter_than_a_segment_is_never_written() -> None:
    """However high its probability is, and whatever the policy allows."""
    short = stored("reggae", 0.99, padded=True, duration=1.0, heard=1.0)
    for existing in ("keep", "append", "replace"):
        policy = Policy(existing=existing, min_confidence=0.0)  # type: ignore[arg-type]
        assert reason(policy, prediction=short) == "not sure"


def test_speech_and_placeholders() -> None:
    assert is_speech(meanings("Audiobook"))
    assert not is_speech(meanings("Audiobook") | meanings("Rock"))
    assert not is_speech(meanings("Gamelan"))
    assert not is_speech(())
    assert real_genres(["Other", "Rock", "UNKNOWN", "", "(none)"]) == ["Rock"]


@given(st.text(max_size=20))
def test_any_text_is_a_genre_name(word: str) -> None:
    assert related(meanings(word), meanings(word))
    assert genre_key(word) == genre_key(word.upper().lower()) or not word.isascii()
    assert spelling(word).casefold() == word.casefold() or genre_key(spelling(word))


# -------------------------------------------------------------------------------- policy


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, ("Jazz",)),
        (2, ("Jazz", "House")),
        (3, ("Jazz", "House", "Swing")),
        (9, ("Jazz", "House", "Swing")),
    ],
)
def test_the_genre_comes_first_then_the_styles_that_apply(
    n: int, expected: tuple[str, ...]
) -> None:
    assert after(Policy(max_genres=n)) == expected


def test_further_genres_that_apply_come_before_the_styles() -> None:
    several_genres = several("pop", 0.6, pop=0.8, rnb=0.7, electronic=0.5, rock=0.4)
    both = replace(several_genres, styles=(HOUSE,))
    assert after(Policy(), prediction=both) == ("Pop",)
    assert after(Policy(max_genres=3), prediction=both) == ("Pop", "R&B", "Electronic")
    assert after(Policy(max_genres=9), prediction=both) == ("Pop", "R&B", "Electronic", "House")
    decision = decide(entry((), both), Policy(max_genres=2, min_confidence=0.6))
    assert isinstance(decision, Change)
    assert (decision.after, decision.confidence) == (("Pop", "R&B"), pytest.approx(0.6))
    assert decision.reason == "pop 60 %, rnb 70 %; house 70 %"


def test_the_confidence_of_each_genre_is_required() -> None:
    both = several("pop", 0.9, pop=0.95, rnb=0.7)
    policy = Policy(max_genres=2, min_confidence=0.75)
    assert after(policy, prediction=both) == ("Pop",)


def test_a_style_below_a_genre_is_written_only_with_that_genre() -> None:
    styles = (Style("house", 0.7, 0.5, "electronic"), Style("soul", 0.6, 0.5, "rnb"))
    both = replace(several("pop", 0.9, pop=0.95, electronic=0.7), styles=styles)
    assert after(Policy(max_genres=9), prediction=both) == ("Pop", "Electronic", "House")
    one = replace(stored("pop", 0.9, styles=styles), genres=(Genre("pop", 0.9, applies=True),))
    assert after(Policy(max_genres=9), prediction=one) == ("Pop",)


def test_a_style_with_the_name_of_another_genre_is_written_only_with_that_genre() -> None:
    styles = (Style("hip-hop", 0.6, 0.5), Style("lounge", 0.6, 0.5))
    both = replace(several("pop", 0.9, pop=0.95, hiphop=0.7), styles=styles)
    assert after(Policy(max_genres=9), prediction=both) == ("Pop", "Hip-Hop", "Lounge")
    chances = {"pop": 0.9, "hiphop": 0.1}
    one = replace(stored("pop", 0.9, styles=styles), probabilities=chances, genres=())
    assert after(Policy(max_genres=9), prediction=one) == ("Pop", "Lounge")


def test_a_style_with_the_name_of_the_genre_is_not_repeated() -> None:
    prediction = stored("hiphop", 0.9, styles=(Style("Hip-Hop", 0.9, 0.5), HOUSE))
    assert after(Policy(max_genres=2), prediction=prediction) == ("Hip-Hop", "House")


def test_existing_genres() -> None:
    genres = ("Rock", "hip hop")
    assert reason(Policy(existing="keep"), genres=genres) == "has a genre"
    assert after(Policy(existing="append"), genres) == ("Rock", "hip hop", "Jazz")
    assert after(Policy(existing="replace"), genres) == ("Jazz",)


def test_placeholders_do_not_count_as_genres() -> None:
    assert after(Policy(existing="keep"), ("Other",)) == ("Jazz",)
    assert after(Policy(existing="append"), ("Other", "Rock")) == ("Rock", "Jazz")


def test_a_genre_is_not_added_in_another_spelling() -> None:
    prediction = stored("hiphop", 0.9, styles=(HOUSE,))
    policy = Policy(existing="append", max_genres=2)
    assert after(policy, ("HIP HOP",), prediction) == ("HIP HOP", "House")
    assert reason(policy, genres=("Hip-Hop", "House"), prediction=prediction) == "has these genres"


def test_a_spelling_is_replaced() -> None:
    assert after(Policy(existing="replace"), ("jazz",)) == ("Jazz",)


def test_several_genres_in_one_text() -> None:
    policy = Policy(existing="replace", max_genres=2)
    assert reason(policy, genres=("Jazz/House",)) == "has these genres"
    assert after(policy, ("House/Jazz",)) == ("Jazz", "House")


@pytest.mark.parametrize(
    ("tag_format", "text"),
    [("ID3v2.3", "Rock/Jazz"), ("ID3v2.3 in WAV", "Rock/Jazz"), ("RIFF INFO in WAV", "Rock; Jazz")],
)
def test_a_genre_within_a_joined_text_is_not_added(tag_format: str, text: str) -> None:
    policy = Policy(existing="append", max_genres=2)
    tags = Tags(tag_format, (text,))
    found = decide(replace(entry((), JAZZ), tags=tags), Policy(existing="append"))
    assert isinstance(found, str)
    decision = decide(replace(entry((), JAZZ), tags=tags), policy)
    assert isinstance(decision, Change)
    assert decision.after == (text, "House")
    mark = text.removeprefix("Rock").removesuffix("Jazz")
    both = Policy(existing="replace", max_genres=2)
    assert reason(both, genres=(f"Jazz{mark}House",)) == "has these genres"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"prediction": stored(probability=0.49)}, "is below 50 % of confidence"),
        ({"prediction": stored(probability=0.35)}, "not sure"),
        ({"prediction": medley("jazz", "metal")}, "changes its genre"),
        ({"prediction": stored(music=0.4)}, "not music"),
        ({"prediction": stored(level=-80.0)}, "silence"),
        ({"genres": None}, "has no tags that can be written"),
        ({"prediction": None}, "has no result"),
        ({"digest": None}, "has no result"),
        ({"failure": Failure("is damaged")}, "could not be analysed"),
    ],
)
def test_reasons_not_to_change_a_file(facts: dict[str, Any], expected: str) -> None:
    assert reason(Policy(existing="replace"), **facts) == expected


def test_the_lowest_confidence_is_included() -> None:
    assert after(Policy(min_confidence=0.83)) == ("Jazz",)
    assert reason(Policy(min_confidence=0.831)) == "is below 83.1 % of confidence"


def test_a_change_has_the_prediction_as_its_reason() -> None:
    decision = decide(entry(("Pop",), JAZZ), Policy(existing="append"))
    assert decision == Change(
        path=Path("/m/song.mp3"),
        size=5,
        mtime_ns=7,
        digest="a" * 40,
        before=("Pop",),
        after=("Pop", "Jazz"),
        confidence=pytest.approx(0.83),
        reason="jazz 83 %; house 70 %, swing 60 %",
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"existing": "drop"}, "none of keep, append, replace"),
        ({"min_confidence": 1.5}, "1.5"),
        ({"max_genres": 0}, "at least 1"),
        ({"id3_version": 2}, "must be 3 or 4"),
    ],
)
def test_invalid_policies(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(LibraryError, match=words):
        Policy(**settings)


# ---------------------------------------------------------------------- the user's mapping


def mapping(tmp_path: Path, text: str | bytes) -> GenreMapping:
    path = tmp_path / "words.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_mapping(path)


def test_a_mapping_replaces_genres(tmp_path: Path) -> None:
    own = mapping(tmp_path, '[genre_words]\nJazz = "jaZZ!"\nhouse = ["Haus", "Tanz"]\nswing = []')
    assert after(Policy(max_genres=9, mapping=own)) == ("jaZZ!", "Haus", "Tanz")
    none = replace(own, genre_words={"jazz": ()})
    assert after(Policy(mapping=none)) == ("House",)
    assert (
        reason(Policy(mapping=GenreMapping(whitelist=("Rock",))))
        == "none of the words may be written"
    )


def test_a_whitelist_defines_the_spelling(tmp_path: Path) -> None:
    own = mapping(tmp_path, 'whitelist = ["JAZZ", "Tanz"]\n[genre_words]\nhouse = "tanz"')
    assert after(Policy(max_genres=9, mapping=own)) == ("JAZZ", "Tanz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("genres = 1", "'genres' is neither genre_words nor whitelist"),
        ("[genre_words", "Expected"),
        (b"\xff", "utf-8"),
        ("genre_words = 3", "must be a table"),
        ("[genre_words]\njazz = 3", "jazz must be a word"),
        ('whitelist = ["a", ""]', "whitelist"),
        ('[genre_words]\njazz = "a\\nb"', "jazz must be a word"),
        ("whitelist = 1", "whitelist"),
    ],
)
def test_invalid_mapping_files(text: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=message):
        mapping(tmp_path, text)


def test_a_missing_mapping_file(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"none\.toml: No such file"):
        read_mapping(tmp_path / "none.toml")


# ------------------------------------------------------------------------------ properties


some_words = st.text("abcRock/& é", min_size=1, max_size=6).filter(is_genre)
policies = st.builds(
    Policy,
    existing=st.sampled_from(["keep", "append", "replace"]),
    min_confidence=st.floats(0, 1),
    max_genres=st.integers(1, 4),
    mapping=st.builds(
        GenreMapping,
        st.dictionaries(
            st.sampled_from(["jazz", "rock", "house"]), st.lists(some_words, max_size=2).map(tuple)
        ),
        st.none() | st.lists(some_words | st.just("Jazz"), max_size=3).map(tuple),
    ),
)
entries = st.builds(
    lambda genres, genre, p, styles, music: entry(
        tuple(genres), stored(genre, p, styles=tuple(styles), music=music)
    ),
    st.lists(some_words | st.sampled_from(["Other", "Jazz"]), max_size=3, unique=True),
    st.sampled_from(["jazz", "rock"]),
    st.floats(0.34, 1),
    st.lists(
        st.builds(
            Style, st.sampled_from(["house", "jazz", "swing"]), st.floats(0, 1), st.floats(0, 1)
        ),
        max_size=3,
    ),
    st.floats(0, 1),
)


@given(entries, policies)
def test_properties_of_every_decision(file: Any, policy: Policy) -> None:
    decision = decide(file, policy)
    if isinstance(decision, str):
        assert decision
        return
    prediction, had = file.prediction, file.tags.genres
    ours = [word for word in decision.after if word not in had]
    assert prediction.verdict == "genre"
    assert decision.confidence == prediction.probability >= policy.min_confidence
    assert decision.after
    assert decision.after != had == decision.before
    assert all(map(is_genre, ours))
    assert len(ours) <= policy.max_genres
    keys = [genre_key(word) for word in decision.after if word not in had]
    assert len(set(keys)) == len(keys)
    if policy.existing == "keep":
        assert real_genres(had) == []
    if policy.existing == "append":
        assert list(decision.after[: len(real_genres(had))]) == real_genres(had)
    if policy.mapping.whitelist is not None:
        assert set(ours) <= set(policy.mapping.whitelist)


@given(entries, policies)
def test_written_genres_are_not_written_again(file: Any, policy: Policy) -> None:
    decision = decide(file, policy)
    if isinstance(decision, Change):
        for written in (decision.after, ("/".join(decision.after),)):
            again = replace(file, tags=replace(file.tags, genres=written))
            if policy.existing != "append" or len(written) == len(decision.after):
                assert isinstance(decide(again, policy), str)


@given(policies)
def test_a_policy_is_read_as_it_was_written(policy: Policy) -> None:
    assert Policy.from_dict(policy.to_dict()) == policy
