"""Recordings that change, and talk with songs in it, joined from waveforms of known genres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrelens.prediction import Prediction
from support import tiny
from support.numpy_model import joined, numpy_classifier

TALK = 0.003  # gain of a waveform that is too soft to be music for the model
TEMPERATURES = ({}, {1: 2.0, 10: 1.2})


def classified(
    *parts: tuple[str, float] | tuple[str, float, float],
    temperatures: dict[int, float] | None = None,
) -> Prediction:
    classifier = numpy_classifier(temperatures=temperatures or {})
    return classifier.classify_waveform(joined(*parts), tiny.RATE)


@pytest.mark.parametrize("temperatures", TEMPERATURES)
def test_a_medley_changes(temperatures: dict[int, float]) -> None:
    medley = classified(
        ("clicks", 12), ("chords", 12), ("noise", 12), ("chords", 12), temperatures=temperatures
    )
    assert medley.verdict == "changes"
    assert medley.changes == ("clicks", "chords", "noise")  # each once, where it first appears
    assert medley.answer == "changes: clicks, chords, noise"
    assert medley.headline == "Changes: clicks, chords, noise"
    assert [section.genre for section in medley.sections] == ["clicks", "chords", "noise", "chords"]
    found = {genre.name: genre.probability for genre in medley.genres if genre.applies}
    assert set(found) == set(medley.changes)
    for section in medley.sections:  # the chords have two sections
        assert found[section.genre] >= section.probability


def test_sections_shorter_than_ten_seconds_are_no_change() -> None:
    short = classified(("chords", 9), ("clicks", 9))
    assert [section.verdict for section in short.sections] == ["genre", "genre"]
    assert (short.verdict, short.changes) == ("not sure", ())
    exact = classified(("chords", 10), ("clicks", 10))
    assert exact.sections[0].duration < 10  # the border of a segment
    assert exact.changes == ("chords", "clicks")


def test_a_recording_with_one_sure_genre_does_not_change() -> None:
    mostly = classified(("chords", 60), ("clicks", 11))
    assert [section.genre for section in mostly.sections] == ["chords", "clicks"]
    assert (mostly.verdict, mostly.genre, mostly.changes) == ("genre", "chords", ())


@pytest.mark.parametrize("temperatures", TEMPERATURES)
def test_a_podcast_has_the_genres_of_its_songs(temperatures: dict[int, float]) -> None:
    """Its music is a quarter of it, so the mean probability of music is low."""
    talk = ("noise", 60, TALK)
    podcast = classified(
        talk, ("chords", 25), talk, ("clicks", 25), talk, temperatures=temperatures
    )
    assert podcast.music is not None
    assert podcast.music < 0.25
    assert podcast.changes == ("chords", "clicks")
    assert dict(podcast.top())["noise"] < 1e-6
    verdicts = [section.verdict for section in podcast.sections]
    assert verdicts == ["not music", "genre", "not music", "genre", "not music"]


def test_one_song_among_talk_gives_its_genre_and_probability() -> None:
    talk = ("noise", 50, TALK)
    podcast = classified(talk, ("chords", 25), talk)
    assert podcast.answer == "chords"
    song = podcast.sections[1]
    assert (song.verdict, song.probability) == ("genre", podcast.probabilities.max())


def test_too_little_music_is_not_music() -> None:
    """A section of music of 20 s is needed where most of the recording is none."""
    talk = ("noise", 60, TALK)
    jingle = classified(talk, ("clicks", 15))
    assert (jingle.verdict, jingle.genre) == ("not music", "clicks")
    assert not any(genre.applies for genre in jingle.genres)
    assert classified(talk, ("clicks", 22)).answer == "clicks"
    assert classified(("noise", 5, TALK), ("clicks", 15)).answer == "clicks"  # most of it is music


def test_music_of_two_genres_without_a_pause_is_one_stretch() -> None:
    """Neither of its sections has the 20 s that are needed."""
    talk = ("noise", 70, TALK)
    podcast = classified(talk, ("chords", 13), ("clicks", 13), talk)
    assert [section.is_music for section in podcast.sections] == [False, True, True, False]
    assert (podcast.verdict, podcast.changes) == ("changes", ("chords", "clicks"))
    apart = classified(talk, ("chords", 13), ("noise", 20, TALK), ("clicks", 13), talk)
    assert apart.verdict == "not music"


def test_the_only_section_of_music_is_music() -> None:
    """Also if its segments alone are below the threshold and the recording is not."""
    made = classified(("chords", 30))
    assert made.segment_music is not None
    unsure = replace(made, segment_music=np.full(len(made.segment_music), 0.1), music=0.9)
    (section,) = unsure.sections
    assert (section.verdict, section.probability) == (unsure.verdict, unsure.probabilities.max())
    assert [each.verdict for each in replace(unsure, music=0.1).sections] == ["not music"]


def test_applause_and_silence_between_do_not_count() -> None:
    """The song has the same genres as alone, and nearly the same probabilities."""
    alone = classified(("chords", 30))
    concert = classified(
        ("noise", 10, TALK), ("chords", 30), ("noise", 8, TALK), ("chords", 5, 0.0)
    )
    assert concert.answer == alone.answer == "chords"
    np.testing.assert_allclose(concert.probabilities, alone.probabilities, atol=0.02)


@pytest.mark.parametrize("temperatures", TEMPERATURES)
def test_the_only_section_has_the_probability_of_the_recording(
    temperatures: dict[int, float],
) -> None:
    """Also where windows with few segments or silence are part of it."""
    for parts in ([("chords", 14.9)], [("noise", 9), ("noise", 6, 0.0)]):
        prediction = classified(*parts, temperatures=temperatures)
        (music,) = [section for section in prediction.sections if section.is_music]
        assert (music.genre, music.verdict) == (prediction.genre, prediction.verdict)
        assert music.probability == prediction.probabilities.max()


def test_sections_use_the_temperature_of_their_number_of_segments() -> None:
    """Each of two halves has the probability that it has alone."""
    temperatures = {1: 3.0, 10: 2.0, 100: 1.0}
    both = classified(("chords", 12), ("noise", 12), temperatures=temperatures)
    alone = classified(("chords", 12), temperatures=temperatures)
    assert both.sections[0].probability == pytest.approx(alone.probabilities.max(), abs=2e-3)
    timeline = both.segments[:3].max()
    assert timeline < both.sections[0].probability


def test_a_choice_of_genres() -> None:
    classifier = numpy_classifier()
    chosen = classifier.restricted(["noise", "clicks"])
    medley = joined(("chords", 12), ("clicks", 12), ("noise", 12))
    whole, some = (each.classify_waveform(medley, tiny.RATE) for each in (classifier, chosen))
    assert chosen.labels == some.labels == ("clicks", "noise")
    np.testing.assert_allclose(
        some.probabilities, whole.probabilities[1:] / whole.probabilities[1:].sum()
    )
    np.testing.assert_allclose(some.segments.sum(axis=1), 1)
    assert some.music == whole.music
    assert some.to_dict(timeline=True) == whole.restricted(["clicks", "noise"]).to_dict(
        timeline=True
    )
    assert "chords" not in str(some.to_dict(timeline=True))
    with pytest.raises(ValueError, match="no genre 'polka'"):
        classifier.restricted(["polka", "noise"])
