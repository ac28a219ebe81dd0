"""Measure a cross-validated ``lens`` on long recordings that are joined from held-out clips.

    python scripts/long_recordings.py runs/lens-grouped runs/lens/model.onnx not-music-test \
        --data gtzan/audio --data modern/audio --data gtzan/microphone --relabel genres.toml

The model of each round classifies recordings that are joined from test clips of that round:
"songs" of one artist and genre, mixes of three genres, and podcasts (speech of ``not_music.py
test`` around two clips of one genre). The rules (temperatures, "not sure", noise) are those of the
calibrated model. Prints tables in Markdown, with 95 % intervals.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from long_tables import Recording, Span, report
from noise_curve import parsed, rounds
from numpy.typing import NDArray

from genrelens import Classifier, load_audio
from genrelens.audio import probe
from genrelens.data import LabelledClip, original_clip
from genrelens.data.folders import find_audio

RATE = 16_000
LEVEL = 0.1  # RMS of each piece, full scale 1
FADE = RATE // 4  # samples of each crossfade
SHORTEST = 20.0  # seconds of a clip that is used
CLIPS = (4, 8)  # smallest and largest number of different clips in a joined song
EXCERPT = 5.0  # seconds of an excerpt that is repeated
SONG = 150.0  # seconds of a song of repeated excerpts
REPEATED = 8  # songs of repeated excerpts, of each folder of data and round
MIX, LONG_MIX = ("mix of 25 to 30 s each", 0.0), ("mix of 50 to 60 s each", 2.0)
MIXES, PODCASTS = 20, 8  # of each round
SPEECH = 40.0  # seconds of speech before, between and after two clips

Float32 = NDArray[np.float32]
Rng = np.random.Generator
Artist = Sequence[LabelledClip]  # clips of one artist, folder and genre
Piece = tuple[str, Float32]  # genre ("" for speech) and waveform


def main() -> None:
    arguments = parsed(__doc__)
    names = [folder.parent.name for folder in arguments.data]
    speech = find_audio(arguments.noises / "speech")
    found: list[Recording] = []
    for number, classifier, tests in rounds(arguments):
        found += recordings(classifier, artists_of(tests), speech, names, number)
    print(report(found))


# ------------------------------------------------------------------------ the recordings


def artists_of(tests: Iterable[LabelledClip]) -> list[Artist]:
    """Group the clips that are long enough; recordings by microphone are left out."""
    found: dict[tuple[int, str, str], list[LabelledClip]] = {}
    for clip in tests:
        if original_clip(clip.path.stem) is None and (probe(clip.path).seconds or 0) >= SHORTEST:
            key = (clip.source, clip.group or clip.path.stem, clip.label)
            found.setdefault(key, []).append(clip)
    return list(found.values())


def recordings(
    classifier: Classifier,
    artists: Sequence[Artist],
    speech: Sequence[Path],
    names: Sequence[str],
    number: int,
) -> Iterator[Recording]:
    rng = np.random.default_rng([7, number])
    for kind, artist in songs(artists, rng):
        waves = list(map(waveform, artist))
        parts = waves if kind == "joined" else excerpts(waves, SONG, rng)
        pieces = [(artist[0].label, y) for y in parts]
        unit = artist[0].group or artist[0].path.stem
        yield classified(classifier, f"{kind}, {names[artist[0].source]}", unit, pieces, fast=True)
    for index, chosen in enumerate(draws(artists, 3, 1, MIXES, rng)):
        kind, times = (MIX, LONG_MIX)[index % 2]
        pieces = [(artist[0].label, y) for artist in chosen for y in long(artist, times, rng)]
        yield classified(classifier, kind, f"mix {number}.{index}", pieces)
    for index, chosen in enumerate(draws(artists, 1, 2, PODCASTS, rng)):
        clips = [(artist[0].label, waveform(artist[0])) for artist in chosen]
        unit = f"podcast {number}.{index}"
        yield classified(classifier, "the two clips alone", unit, clips)
        first, second, third = (("", spoken(speech, rng)) for _ in range(3))
        podcast = [first, clips[0], second, clips[1], third]
        yield classified(classifier, "podcast", unit, podcast)


def songs(artists: Sequence[Artist], rng: Rng) -> Iterator[tuple[str, Artist]]:
    """Yield the clips of each song, and whether there are enough of them."""
    fewest, most = CLIPS
    rest: dict[int, list[Artist]] = {}
    for artist in artists:
        if len(artist) < fewest:
            rest.setdefault(artist[0].source, []).append(artist)
            continue
        order = rng.permutation(len(artist))
        for part in np.array_split(order, math.ceil(len(order) / most)):
            yield "joined", [artist[i] for i in part]
    for of_folder in rest.values():
        for i in rng.permutation(len(of_folder))[:REPEATED]:
            yield "repeated", of_folder[i]


def draws(
    artists: Sequence[Artist], n_genres: int, of_genre: int, most: int, rng: Rng
) -> Iterator[list[Artist]]:
    """Yield artists of different genres, drawn by genre; no artist is in two draws."""
    by_genre: dict[str, list[Artist]] = {}
    for i in rng.permutation(len(artists)):
        by_genre.setdefault(artists[i][0].label, []).append(artists[i])
    for _ in range(most):
        genres = sorted(genre for genre, rest in by_genre.items() if len(rest) >= of_genre)
        if len(genres) < n_genres:
            return
        chosen = [genres[i] for i in rng.permutation(len(genres))[:n_genres]]
        yield [by_genre[genre].pop() for genre in chosen for _ in range(of_genre)]


def waveform(clip: LabelledClip) -> Float32:
    return load_audio(clip.path, sample_rate=RATE)


def long(artist: Artist, times: float, rng: Rng) -> list[Float32]:
    """Return the first clip, or excerpts of ``times`` its length of all clips of the artist."""
    if not times:
        return [waveform(artist[0])]
    waves = list(map(waveform, artist))
    return excerpts(waves, times * len(waves[0]) / RATE, rng)


def excerpts(waves: Sequence[Float32], seconds: float, rng: Rng) -> list[Float32]:
    """Cut clips into excerpts and repeat all of them, each time in another order."""
    n = round(EXCERPT * RATE)
    cut = [y[start : start + n] for y in waves for start in range(0, len(y) - n + 1, n)]
    needed = math.ceil(seconds * RATE / (n - FADE))
    rounds = math.ceil(needed / len(cut))
    return [cut[i] for _ in range(rounds) for i in rng.permutation(len(cut))][:needed]


def spoken(speech: Sequence[Path], rng: Rng) -> Float32:
    y = load_audio(speech[int(rng.integers(len(speech)))], sample_rate=RATE)
    start = int(rng.integers(max(1, len(y) - round(SPEECH * RATE) + 1)))
    return y[start : start + round(SPEECH * RATE)]


def joined(pieces: Sequence[Piece]) -> tuple[Float32, list[Span]]:
    """Join pieces at one level, with crossfades; neighbours of one genre are one span."""
    up = np.linspace(0, 1, FADE, dtype=np.float32)
    y, spans = np.zeros(0, np.float32), list[Span]()
    for genre, piece in pieces:
        loud = piece * np.float32(LEVEL / max(float(np.sqrt(np.mean(np.square(piece)))), 1e-6))
        overlap = FADE if len(y) else 0
        loud[:overlap] = loud[:overlap] * up[:overlap] + y[len(y) - overlap :] * up[:overlap][::-1]
        start = (len(y) - overlap / 2) / RATE
        y = np.concatenate([y[: len(y) - overlap], loud])
        if spans and spans[-1].genre == genre:
            start = spans.pop().start
        elif spans:
            spans[-1] = spans[-1]._replace(end=start)
        spans.append(Span(start, len(y) / RATE, genre))
    return y, spans


def classified(
    classifier: Classifier, kind: str, unit: str, pieces: Sequence[Piece], *, fast: bool = False
) -> Recording:
    y, spans = joined(pieces)
    file = io.BytesIO()
    soundfile.write(file, y, RATE, format="WAV", subtype="FLOAT")
    content, results, times = file.getvalue(), [], []
    for mode in (False, True)[: 1 + fast]:
        start = time.process_time()
        results.append(classifier.classify(content, fast=mode))
        times.append(time.process_time() - start)
    other = results[1] if fast else None
    return Recording(kind, unit, spans, results[0], other, (times[0], times[-1]))


if __name__ == "__main__":
    main()
