"""Speed and memory of genrelens, stage by stage, beside librosa and PyTorch.

Run with ``make bench`` or ``python benchmarks/speed.py --model NAME``; prints Markdown. Times are
medians of several runs in one process unless it says otherwise, all with the same number of
threads.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import soundfile as sf
import torch

from genrelens import Classifier, extract_segments, load_audio
from genrelens.audio import stream_audio
from genrelens.features import mel_spectrogram
from genrelens.model_file import DEFAULT_MODEL, ModelFile
from genrelens.train.original.fit import build_segment_network
from genrelens.train.recipe import Recipe

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "disco-groove.ogg"
PEER, PEER_RECIPE = "mel-cnn-lstm", "mel-cnn-lstm-22k"  # can be built anew without any weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=DEFAULT_MODEL, help="packaged name or file")
    parser.add_argument("--runs", type=int, default=5, help="that each median is of")
    parser.add_argument("--hours", type=float, default=3, help="length of the longest file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, song = Path(folder, "clip.mp3"), Path(folder, "song.mp3")
        mix = Path(folder, "mix.flac")  # FLAC, because three hours of MP3 take long to encode
        for path, seconds in ((clip, 30), (song, 240), (mix, round(options.hours * 3600))):
            write_music(path, seconds)
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"{options.model} on onnxruntime, {torch.get_num_threads()} threads\n"
        )
        stages(options, clip, song)
        peers(options, clip)
        whole_files(options, clip, song)
        cold_start(options, clip)
        memory(options, clip, mix)


def write_music(path: Path, seconds: int) -> None:
    """Repeat the bundled clip as a 44.1 kHz stereo file of the format that the ending says."""
    samples, rate = sf.read(EXAMPLE, dtype="float32")
    with sf.SoundFile(path, "w", rate, samples.shape[1]) as file:
        missing = seconds * rate
        while missing > 0:
            file.write(samples[:missing])
            missing -= len(samples)


def median(work: Callable[[], object], runs: int) -> float:
    """Median seconds of a call, after one that is not counted."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def stages(options: argparse.Namespace, *files: Path) -> None:
    artifact = ModelFile.load(options.model)
    features, window = artifact.metadata.features, artifact.metadata.window_segments
    print(f"## Stages, {options.model}\n\n| file | decode | resample | features | network | sum |")
    print("|---|---|---|---|---|---|")
    for path in files:
        native = sf.info(path).samplerate
        y = load_audio(path, sample_rate=features.sample_rate)
        segments = extract_segments(y, features)
        windows = [segments[i : i + window] for i in range(0, len(segments), window)]
        decode, both, front, network = (
            median(work, options.runs)
            for work in (
                lambda p=path, r=native: load_audio(p, sample_rate=r),
                lambda p=path: load_audio(p, sample_rate=features.sample_rate),
                lambda y=y: extract_segments(y, features),
                lambda windows=windows: [artifact.run(one) for one in windows],
            )
        )
        times = [decode, max(0.0, both - decode), front, network]
        cells = " | ".join(f"{1000 * t:.0f} ms" for t in [*times, sum(times)])
        print(f"| {sf.info(path).duration:.0f} s mp3 | {cells} |")
    print()


def peers(options: argparse.Namespace, clip: Path) -> None:
    print("## Peers, on the 30 s clip\n\n| work | genrelens | peer | peer / genrelens |")
    print("|---|---|---|---|")
    spectrograms(options, clip)
    networks(options, clip)
    print()


def spectrograms(options: argparse.Namespace, clip: Path) -> None:
    features = ModelFile.load(options.model).metadata.features
    if features.kind == "mfcc":
        return  # librosa's MFCCs begin with decibels: another computation
    y = load_audio(clip, sample_rate=features.sample_rate)
    ours = median(lambda: mel_spectrogram(y, features), options.runs)
    theirs = median(
        lambda: librosa.feature.melspectrogram(
            y=y,
            sr=features.sample_rate,
            n_fft=features.n_fft,
            hop_length=features.hop_length,
            n_mels=features.n_mels,
            fmin=features.f_min,
            fmax=features.f_max,
        ),
        options.runs,
    )
    row(f"mel spectrogram of {options.model}; peer: librosa {librosa.__version__}", ours, theirs)


def networks(options: argparse.Namespace, clip: Path) -> None:
    artifact = ModelFile.load(PEER)
    features = artifact.metadata.features
    segments = extract_segments(load_audio(clip, sample_rate=features.sample_rate), features)
    recipe = Recipe.load(PEER_RECIPE)
    network = build_segment_network(recipe, len(artifact.metadata.labels)).eval()
    tensor = torch.from_numpy(segments)

    def eager() -> None:
        with torch.inference_mode():
            network(tensor)

    graph = median(lambda: artifact.run(segments), options.runs)
    row(
        f"network {PEER}, {len(segments)} segments; peer: its CNN in PyTorch eager mode",
        graph,
        median(eager, options.runs),
    )


def row(words: str, ours: float, theirs: float) -> None:
    print(f"| {words} | {1000 * ours:.0f} ms | {1000 * theirs:.0f} ms | {theirs / ours:.2f} |")


def whole_files(options: argparse.Namespace, *files: Path) -> None:
    print("## Whole files, from path to genres\n\n| file | model | time | times real time |")
    print("|---|---|---|---|")
    classifier = Classifier.load(options.model)
    for path in files:
        seconds = median(lambda p=path: classifier.classify(p), options.runs)
        duration = sf.info(path).duration
        print(
            f"| {duration:.0f} s mp3 | {options.model} | {1000 * seconds:.0f} ms | "
            f"{duration / seconds:.0f} |"
        )
    jobs = os.cpu_count() or 1
    single = Classifier.load(options.model, threads=1)
    batch = [files[0]] * 4 * jobs
    seconds = median(lambda: list(single.classify_many(batch, jobs=jobs)), min(3, options.runs))
    each = sf.info(files[0]).duration
    print(
        f"| {len(batch)} x {each:.0f} s mp3, {jobs} at once | {options.model} | "
        f"{1000 * seconds:.0f} ms | {len(batch) * each / seconds:.0f} |\n"
    )


def cold_start(options: argparse.Namespace, clip: Path) -> None:
    arguments = ["classify", "--model", options.model, str(clip)]
    commands = {
        f"`genrelens classify --model {options.model}` on the 30 s clip": [
            sys.executable,
            "-m",
            "genrelens",
            *arguments,
        ],
        "`import genrelens`": [sys.executable, "-c", "import genrelens"],
        "Python with an empty program": [sys.executable, "-c", ""],
    }
    print("## Cold start, as new processes\n\n| command | time |\n|---|---|")
    for words, command in commands.items():
        seconds = median(
            lambda c=command: subprocess.run(c, check=True, capture_output=True), options.runs
        )
        print(f"| {words} | {1000 * seconds:.0f} ms |")
    print()


def memory(options: argparse.Namespace, clip: Path, mix: Path) -> None:
    print(f"## Peak memory of genrelens classify (ru_maxrss of the process), {options.model}\n")
    print("| work | peak |\n|---|---|")
    for words, path in (("30 s mp3", clip), (f"{options.hours:g} h flac", mix)):
        command = [sys.executable, "-m", "genrelens", "classify", str(path), "-m", options.model]
        script = (  # a small process in between, because a child inherits the peak of its parent
            "import resource, subprocess, sys;"
            "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", script, *command], check=True, capture_output=True, text=True
        )
        seconds = time.perf_counter() - start
        megabytes = int(done.stdout) * 1024 / 1e6
        print(f"| classify a {words} ({seconds:.1f} s) | {megabytes:.0f} MB |")
    n = sum(map(len, stream_audio(mix, sample_rate=16_000)))
    print(f"\nThe {options.hours:g} h file contains {n / 16_000 / 3600:.2f} h of audio.")


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
