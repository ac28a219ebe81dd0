"""Measure the difference between the mono mix of stereo music and the mean of its channels.

    python scripts/judge_mono.py FOLDER

For each stereo recording below FOLDER whose mix is not exactly the mean, the script prints the
largest change of a probability, and at the end the number of recordings. With ``--inverted``, it
inverts one channel of each recording, and prints the changes of the mix and of the mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from genrelens import Classifier
from genrelens.decoders.mono import mean_of, mixed

SECONDS = 60.0  # of each, from its middle
SUFFIXES = (".ogg", ".opus", ".mp3", ".flac", ".wav", ".oga")

Float32 = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inverted", action="store_true")
    arguments = parser.parse_args()
    classifier = Classifier.load(threads=1)
    n, n_changed = 0, 0
    for path, channels, rate in recordings(arguments.folder):
        n += 1
        mean = mean_of(channels)
        if arguments.inverted:
            channels = channels * np.float32([[1], [-1]])
        mix = np.concatenate(list(mixed([channels], rate, channels.shape[1])))
        if np.array_equal(mean, mix):
            continue
        n_changed += 1
        of_mean, of_mix, of_inverted_mean = (
            classifier.classify_waveform(y, rate) for y in (mean, mix, mean_of(channels))
        )
        change, change_of_mean = (
            float(np.abs(each.probabilities - of_mean.probabilities).max())
            for each in (of_mix, of_inverted_mean)
        )
        line = f"{path.name}: {of_mean.answer} -> {of_mix.answer}, {change:.4f}"
        if arguments.inverted:
            line += f" (mean: {of_inverted_mean.answer}, {change_of_mean:.4f})"
        print(line, flush=True)
    print(f"{n} stereo recordings; the mix of {n_changed} is not the mean of the channels")


def recordings(folder: Path) -> Iterator[tuple[Path, Float32, int]]:
    """Yield path, samples (2, n) and rate of stereo recordings of at least 20 s, each once."""
    seen = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        try:
            with soundfile.SoundFile(path) as file:
                rate, n_frames = file.samplerate, file.frames
                if file.channels != 2 or n_frames < 20 * rate or (path.name, n_frames) in seen:
                    continue
                seen.add((path.name, n_frames))
                n_wanted = round(SECONDS * rate)
                file.seek(max(0, (n_frames - n_wanted) // 2))
                samples = file.read(n_wanted, dtype="float32").T
        except soundfile.SoundFileError:
            continue
        if not np.array_equal(*samples):
            yield path, np.ascontiguousarray(samples), rate


if __name__ == "__main__":
    main()
