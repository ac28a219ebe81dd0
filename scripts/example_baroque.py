"""The two public-domain examples as recordings: the scores of Bach and Pachelbel in a hall."""

from dataclasses import replace

from example_classics import bach_prelude, pachelbel_canon
from session import Session, Track
from studio import high_pass, low_pass, pan, peak, room


def prelude() -> Session:
    """Bach's prelude, bars 1 to 8, on a grand piano in a church."""
    score = bach_prelude()
    church = room(2.6, -2, 6000, seed=51)
    return Session(
        score.tempi[:2], 32.6, [Track(score.parts[0], -20, [church])], loudness=-18, warmth=1.0
    )


def canon() -> Session:
    """Pachelbel's canon by sections of violins, cellos and basses, with a harpsichord."""
    score = pachelbel_canon()
    hall = room(2.0, -8, 6500, seed=52)
    strings = [(20, 49, -0.6), (25, 49, 0.0), (20, 49, 0.5), (40, 49, 0.4), (50, 49, 0.5)]
    tracks = []
    for part, (bank, program, side) in zip(score.parts[:5], strings, strict=True):
        voice = replace(part, bank=bank, program=program, pan=64)
        tracks.append(Track(voice, -21, [pan(side), peak(3000, -2, 0.7), hall]))
    tracks.append(Track(replace(score.parts[5], pan=64), -29, [pan(-0.2), high_pass(200), hall]))
    return Session(score.tempi[:1], 29.6, tracks, [low_pass(12000)], loudness=-18, warmth=1.0)
