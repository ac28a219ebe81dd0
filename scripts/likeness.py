"""Measure likeness: the genres of the most similar recordings by other artists, and playlists.

    python scripts/likeness.py runs/lens-grouped runs/lens/model.onnx not-music-test \
        --data GTZAN/audio --data MODERN/audio --relabel scripts/modern-genres.toml

Each clip is embedded by the model of the round that tests it, which was not trained on it. The
embeddings come from the frozen network, so those of all rounds are the same and can be compared;
this is checked. Prints a table in Markdown: how often the nearest recording by another artist has
the genre of a clip, and the share of the 20 nearest, beside chance (all recordings by other
artists), with 95 % intervals over artists; then the largest steps of playlists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from noise_curve import parsed, rounds
from numpy.typing import NDArray

from genrelens import Classifier, Prediction
from genrelens.data import LabelledClip, original_clip
from genrelens.evaluation.bootstrap import percentile_estimates, resampled_sums
from genrelens.library.playlist import smoothest_path

NEAR = 20
RESAMPLES = 2000
PAIRS, LENGTH = 100, 50  # playlists, and the recordings of each

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]
Rng = np.random.Generator


def main() -> None:
    arguments = parsed(__doc__)
    names = [folder.parent.name for folder in arguments.data]
    clips, vectors = embedded(rounds(arguments))
    sources = np.array([clip.source for clip in clips])
    print(f"| recordings | clips | artists | nearest | of the {NEAR} nearest | chance |")
    print("|---|---|---|---|---|---|")
    for source, name in enumerate(names):
        print(row(name, clips, vectors, np.flatnonzero(sources == source)))
    print(row("all together", clips, vectors, np.arange(len(clips))))
    print()
    print(playlists(vectors.astype(np.float32)))


def embedded(
    found: Iterator[tuple[int, Classifier, list[LabelledClip]]],
) -> tuple[list[LabelledClip], Float64]:
    """Return the test clips of all rounds, and their embeddings, (n, d) of length 1."""
    clips: list[LabelledClip] = []
    vectors: list[Float64] = []
    for _, classifier, of_round in found:
        tests = [clip for clip in of_round if original_clip(clip.path.stem) is None]
        if clips:  # the first clip of all
            again = embedding(classifier.classify(clips[0].path))
            np.testing.assert_allclose(again, vectors[0], atol=1e-5)
        for _, result in classifier.classify_many([clip.path for clip in tests]):
            vectors.append(embedding(result))
        clips += tests
    return clips, np.stack(vectors)


def embedding(result: object) -> Float64:
    assert isinstance(result, Prediction)
    assert result.embedding is not None
    return result.embedding


# ------------------------------------------------------------------------------- same genre


def row(name: str, clips: Sequence[LabelledClip], vectors: Float64, chosen: Ints) -> str:
    genres = np.array([clips[i].label for i in chosen])
    artists = np.array([clips[i].group or str(clips[i].path) for i in chosen])
    values = shares(vectors[chosen], genres, artists)
    counts = np.column_stack([values, np.ones(len(values))])
    sums = resampled_sums(counts, artists.tolist(), resamples=RESAMPLES, seed=0)
    found = percentile_estimates(values.mean(axis=0), sums[:, :3] / sums[:, 3:])
    cells = [f"{100 * f.value:.1f} % ({100 * f.low:.1f} to {100 * f.high:.1f})" for f in found]
    return f"| {name} | {len(chosen)} | {len(set(artists))} | {' | '.join(cells)} |"


def shares(vectors: Float64, genres: NDArray[np.str_], artists: NDArray[np.str_]) -> Float64:
    """Return for each clip whether the nearest has its genre, and two shares, (n, 3)."""
    same_genre = genres[:, None] == genres
    others = artists[:, None] != artists
    similarities = np.where(others, vectors @ vectors.T, -np.inf)
    order = np.argsort(-similarities, axis=1)[:, :NEAR]
    near = np.take_along_axis(same_genre, order, axis=1)
    chance = (same_genre & others).sum(axis=1) / others.sum(axis=1)
    return np.column_stack([near[:, 0], near.mean(axis=1), chance])


# -------------------------------------------------------------------------------- playlists


def playlists(vectors: Float32) -> str:
    """Compare the largest and the median step of playlists between two clips."""
    rng = np.random.default_rng(0)
    ways = {"genrelens playlist": smooth, "always the nearest": greedy, "random": at_random}
    steps: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(PAIRS):
        start, end = rng.permutation(len(vectors))[:2].tolist()
        for name, way in ways.items():
            path = vectors[way(vectors, start, end, rng)]
            lengths = np.linalg.norm(np.diff(path, axis=0), axis=1)
            steps[name].append((float(lengths.max()), float(np.median(lengths))))
    head = "| playlist | largest step, mean | in the worst case | median step |"
    rows = [head, "|---|---|---|---|"]
    for name, values in steps.items():
        largest, median = np.array(values).T
        figures = f"{largest.mean():.2f} | {largest.max():.2f} | {median.mean():.2f}"
        rows.append(f"| {name} | {figures} |")
    return "\n".join(rows)


def smooth(vectors: Float32, start: int, end: int, rng: Rng) -> list[int]:
    progress = vectors @ (vectors[end] - vectors[start])
    progress[[start, end]] = -np.inf, np.inf
    order = np.argsort(progress)
    return [int(order[i]) for i in smoothest_path(vectors[order], LENGTH, to_last=True)]


def greedy(vectors: Float32, start: int, end: int, rng: Rng) -> list[int]:
    path, free = [start], np.ones(len(vectors), dtype=bool)
    free[[start, end]] = False
    while len(path) < LENGTH - 1:
        path.append(int(np.where(free, vectors @ vectors[path[-1]], -np.inf).argmax()))
        free[path[-1]] = False
    return [*path, end]


def at_random(vectors: Float32, start: int, end: int, rng: Rng) -> list[int]:
    rest = np.setdiff1d(np.arange(len(vectors)), [start, end])
    return [start, *rng.choice(rest, LENGTH - 2, replace=False).tolist(), end]


if __name__ == "__main__":
    main()
