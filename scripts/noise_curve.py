"""Measure a cross-validated ``lens`` on mixtures of music with real and synthetic noise.

    python scripts/noise_curve.py runs/lens-grouped runs/lens/model.onnx not-music-test \
        --data gtzan/audio --data modern/audio --data gtzan/microphone --relabel genres.toml

The model of each round classifies test clips of that round, mixed with noise at -15 to 30 dB:
speech and sounds of ``not_music.py test``, crowds (microphone recordings of the same round), hum
and hiss. The rules (temperatures, "not sure", noise) are those of the calibrated model. Prints a
table of the accuracy and of the estimated signal-to-noise ratio, in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from made_sounds import hum
from numpy.typing import NDArray

from genrelens import Classifier, load_audio
from genrelens.acoustics.filters import at_snr
from genrelens.data import LabelledClip, original_clip, read_folders, read_label_map
from genrelens.data.folders import find_audio
from genrelens.data.splits import Split
from genrelens.model_file import ModelFile

RATE = 16_000
SECONDS = 9.3
RATIOS = range(-15, 31, 5)
CLIPS = 12  # of each folder of data and round

Float64 = NDArray[np.float64]
Rng = np.random.Generator
Noise = Callable[[int, Rng], Float64]
RULES = ("temperature", "temperatures", "sure_threshold", "noise_rule", "genre_rules")


class Mixture(NamedTuple):
    """A mixture and its result."""

    kind: str
    ratio: int
    estimate: float
    right: bool
    sure: bool


def main() -> None:
    arguments = parsed(__doc__)
    found: list[Mixture] = []
    for number, classifier, tests in rounds(arguments):
        found += mixtures(classifier, tests, arguments.noises, number)
    print(table(found))


def parsed(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("run", type=Path, help="folder of the cross-validation")
    parser.add_argument("model", type=Path, help="the calibrated model")
    parser.add_argument("noises", type=Path, help="folder with the folders speech and sounds")
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--relabel", type=Path)
    return parser.parse_args()


def rounds(arguments: argparse.Namespace) -> Iterator[tuple[int, Classifier, list[LabelledClip]]]:
    """Yield number, model and test clips of each round; the models have the calibrated rules."""
    label_map = read_label_map(arguments.relabel) if arguments.relabel else {}
    clips = read_folders(arguments.data, label_map=label_map)
    calibrated = ModelFile.load(arguments.model).metadata
    rules = {name: getattr(calibrated, name) for name in RULES}
    for number, of_round in enumerate(Split.load(arguments.run / "split.csv", clips), start=1):
        model = ModelFile.load(arguments.run / f"round-{number}" / "model.onnx", threads=1)
        model.metadata = replace(model.metadata, **rules)
        yield number, Classifier(model), [clip for clip in of_round if clip.part == "test"]


def mixtures(
    classifier: Classifier, tests: Sequence[LabelledClip], noises: Path, number: int
) -> Iterator[Mixture]:
    rng = np.random.default_rng([3, number])
    kinds = noise_kinds(tests, noises)
    chosen: list[LabelledClip] = []
    for source in sorted({clip.source for clip in tests}):
        own = [c for c in tests if c.source == source and original_clip(c.path.stem) is None]
        chosen += [own[i] for i in rng.permutation(len(own))[:CLIPS]]
    for index, clip in enumerate(chosen):
        y = load_audio(clip.path, sample_rate=RATE).astype(np.float64)
        for step, ratio in enumerate(RATIOS):
            kind = list(kinds)[(index + step) % len(kinds)]
            excerpt = cut(y, round(SECONDS * RATE), rng)
            mixed = excerpt + at_snr(kinds[kind](len(excerpt), rng), excerpt, ratio)
            level = 10 ** (rng.uniform(-35, 0) / 20) / np.abs(mixed).max()
            result = classifier.classify_waveform((level * mixed).astype(np.float32), RATE)
            right = result.genre == clip.label
            estimate = float("nan") if result.snr is None else result.snr
            yield Mixture(kind, ratio, estimate, right, result.verdict == "genre")


def noise_kinds(tests: Sequence[LabelledClip], noises: Path) -> dict[str, Noise]:
    microphones = [clip.path for clip in tests if original_clip(clip.path.stem) is not None]
    kinds: dict[str, Noise] = {
        "speech": from_files(find_audio(noises / "speech")),
        "sounds": from_files(find_audio(noises / "sounds")),
        "hum": lambda n, rng: hum(n, RATE, rng),
        "hiss": lambda n, rng: rng.standard_normal(n),
    }
    return kinds | ({"crowd": from_files(microphones)} if microphones else {})


def from_files(paths: Sequence[Path]) -> Noise:
    def noise(n: int, rng: Rng) -> Float64:
        path = paths[int(rng.integers(len(paths)))]
        return cut(load_audio(path, sample_rate=RATE).astype(np.float64), n, rng)

    return noise


def cut(y: Float64, n: int, rng: Rng) -> Float64:
    start = int(rng.integers(max(1, len(y) - n + 1)))
    return np.resize(y[start : start + n], n)


# ----------------------------------------------------------------------------- the table


def table(found: Sequence[Mixture]) -> str:
    lines = [
        "| mixtures | number | right | sure | sure and wrong | estimated dB | spread |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [row(f"{r} dB", [m for m in found if m.ratio == r]) for r in RATIOS]
    kinds = sorted({m.kind for m in found})
    lines += [row(kind, [m for m in found if m.kind == kind]) for kind in kinds]
    known, estimated = np.array([(m.ratio, m.estimate) for m in found]).T
    error = np.abs(known - estimated).mean()
    correlation = np.corrcoef(known, estimated)[0, 1]
    return "\n".join([*lines, "", f"correlation {correlation:.2f}, mean error {error:.1f} dB"])


def row(name: str, part: Sequence[Mixture]) -> str:
    right, sure = np.array([m.right for m in part]), np.array([m.sure for m in part])
    estimates = np.array([m.estimate for m in part])
    shares = [100 * right.mean(), 100 * sure.mean(), 100 * (sure & ~right).mean()]
    values = [f"{share:.1f}" for share in shares] + [f"{estimates.mean():.1f}"]
    return f"| {name} | {len(part)} | {' | '.join(values)} | {estimates.std():.1f} |"


if __name__ == "__main__":
    main()
