"""Evaluate the outputs of a model beside its genres: "not music", and styles.

    python scripts/judge_extras.py not-music MODEL not-music-test
    python scripts/judge_extras.py styles MODEL DATA/audio [--teacher audioset.npz]

``not-music`` needs a folder with one subfolder for each kind (see ``not_music.py``). It cuts
their recordings into excerpts of 10 s and adds synthetic noise, tones and silence. ``styles`` needs
folders of GTZAN's genres. For each style it prints the area under the ROC curve against the genre
of that name, and Spearman's correlation with the class of that name of a network trained on
AudioSet.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from genrelens import Classifier, Prediction, load_audio
from genrelens.data.folders import find_audio, read_folder

EXCERPT_SECONDS = 10
RATE = 16_000
EXCERPTS_PER_FILE = 6

GENRES = {"hip-hop": "hiphop"}  # style -> GTZAN's name, if it differs
AUDIOSET = {
    "rock": "Rock music",
    "pop": "Pop music",
    "electronic": "Electronic music",
    "dance": "Dance music",
    "jazz": "Jazz",
    "metal": "Heavy metal",
    "heavy metal": "Heavy metal",
    "soul": "Soul music",
    "electronica": "Electronica",
    "folk": "Folk music",
    "punk": "Punk rock",
    "blues": "Blues",
    "ambient": "Ambient music",
    "hip-hop": "Hip hop music",
    "country": "Country",
    "funk": "Funk",
    "electro": "Electronic dance music",
    "progressive rock": "Progressive rock",
    "rnb": "Rhythm and blues",
    "house": "House music",
    "indie": "Independent music",
    "classic rock": "Rock and roll",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("not-music", "styles"))
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", type=Path)
    arguments = parser.parse_args()
    classifier = Classifier.load(arguments.model)
    if arguments.what == "not-music":
        judge_not_music(classifier, arguments.folder)
    else:
        judge_styles(classifier, arguments.folder, arguments.teacher)


def judge_not_music(classifier: Classifier, folder: Path) -> None:
    kinds = {each.name: excerpts(each) for each in sorted(folder.iterdir()) if each.is_dir()}
    for kind, waveforms in {**kinds, **synthetic()}.items():
        verdicts = Counter(classifier.classify_waveform(y, RATE).verdict for y in waveforms)
        n = sum(verdicts.values())
        shares = ", ".join(
            f"{verdict} {count / n:.1%}" for verdict, count in verdicts.most_common()
        )
        print(f"{kind:<8} {n:>4} excerpts: {shares}", flush=True)


def excerpts(folder: Path) -> Iterator[NDArray[np.float32]]:
    n = EXCERPT_SECONDS * RATE
    for path in find_audio(folder):
        y = load_audio(path, sample_rate=RATE)
        starts = range(0, len(y) - n + 1, n)
        yield from (y[start : start + n] for start in list(starts)[:EXCERPTS_PER_FILE])


def synthetic() -> dict[str, list[NDArray[np.float64]]]:
    rng = np.random.default_rng(0)
    n = EXCERPT_SECONDS * RATE
    time = np.arange(n) / RATE
    coloured = []
    for exponent in np.linspace(-2, 0.5, 20):
        hz = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 20)
        noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * hz ** (exponent / 2), n)
        coloured.append(0.1 * noise / noise.std())
    tones = [0.3 * np.sin(2 * np.pi * f * time) for f in np.geomspace(50, 6000, 20)]
    silence = [10 ** (-level / 20) * rng.standard_normal(n) for level in (80, 90, 100, 200)]
    return {"noise": coloured, "tones": tones, "silence": silence}


def judge_styles(classifier: Classifier, folder: Path, teacher: Path | None) -> None:
    clips = read_folder(folder)
    predictions = [classifier.classify(clip.path) for clip in clips]
    scores = teacher_scores(teacher)
    names = [style.name for style in sorted(predictions[0].styles, key=lambda style: style.name)]
    print("style | threshold | assigned to | AUC against the genre | correlation with AudioSet")
    for name in names:
        values = np.array([probability(one, name) for one in predictions])
        threshold = next(style.threshold for style in predictions[0].styles if style.name == name)
        is_genre = np.array([clip.label == GENRES.get(name, name) for clip in clips])
        auc = f"{roc_auc_score(is_genre, values):.3f}" if is_genre.any() else ""
        pairs = [
            (value, scores.get((clip.path.stem, AUDIOSET.get(name, ""))))
            for value, clip in zip(values, clips, strict=True)
        ]
        kept = [pair for pair in pairs if pair[1] is not None]
        rank = f"{spearmanr(*zip(*kept, strict=True)).statistic:.2f}" if kept else ""
        share = (values >= threshold).mean()
        print(f"{name} | {threshold:.3f} | {share:.1%} | {auc} | {rank}")


def probability(prediction: Prediction, name: str) -> float:
    return next(style.probability for style in prediction.styles if style.name == name)


def teacher_scores(path: Path | None) -> dict[tuple[str, str], float]:
    """Return the mean logits by clip and class."""
    if path is None:
        return {}
    with np.load(path) as file:
        logits = file["logits"].astype(np.float32).mean(axis=1)
        return {
            (str(clip), str(label)): float(value)
            for clip, row in zip(file["clips"], logits, strict=True)
            for label, value in zip(file["labels"], row, strict=True)
        }


if __name__ == "__main__":
    main()
