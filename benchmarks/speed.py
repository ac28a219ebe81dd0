"""Speed and memory of genrelens, stage by stage, beside librosa and PyTorch.

Run with ``make bench`` or ``python benchmarks/speed.py``; prints Markdown. Times are medians of
several runs in one process unless it says otherwise, all with the same number of threads.
"""

from __future__ import annotations

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
from genrelens.artifact import Artifact, packaged_models
from genrelens.audio import stream_audio
from genrelens.features import mel_spectrogram
from genrelens.train.fit import build_segment_network
from genrelens.train.recipe import Recipe

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "disco-groove.ogg"
RUNS = 5
HOURS = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clip, song = Path(folder, "clip.mp3"), Path(folder, "song.mp3")
        mix = Path(folder, "mix.flac")  # FLAC, because three hours of MP3 take long to encode
        for path, seconds in ((clip, 30), (song, 240), (mix, HOURS * 3600)):
            write_music(path, seconds)
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
              f"genrelens on onnxruntime, {torch.get_num_threads()} threads\n")  # fmt: skip
        stages(clip, song)
        peers(clip)
        whole_files(clip, song)
        cold_start(clip)
        memory(clip, mix)


def write_music(path: Path, seconds: int) -> None:
    """Repeat the bundled clip as a 44.1 kHz stereo file of the format that the ending says."""
    samples, rate = sf.read(EXAMPLE, dtype="float32")
    with sf.SoundFile(path, "w", rate, samples.shape[1]) as file:
        missing = seconds * rate
        while missing > 0:
            file.write(samples[:missing])
            missing -= len(samples)


def median(work: Callable[[], object], runs: int = RUNS) -> float:
    """Median seconds of a call, after one that is not counted."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def stages(*files: Path) -> None:
    for name in packaged_models():
        artifact = Artifact.load(name)
        features = artifact.metadata.features
        print(f"## Stages, {name}\n\n| file | decode | resample | features | network | sum |")
        print("|---|---|---|---|---|---|")
        for path in files:
            native = sf.info(path).samplerate
            y = load_audio(path, sample_rate=features.sample_rate)
            segments = extract_segments(y, features)
            window = artifact.metadata.window_segments
            decode = median(lambda p=path, r=native: load_audio(p, sample_rate=r))
            both = median(lambda p=path, r=features.sample_rate: load_audio(p, sample_rate=r))
            front = median(lambda y=y, f=features: extract_segments(y, f))
            network = median(
                lambda a=artifact, s=segments, w=window: [
                    a.run(s[i : i + w]) for i in range(0, len(s), w)
                ]
            )
            times = [decode, max(0.0, both - decode), front, network]
            cells = " | ".join(f"{1000 * t:.0f} ms" for t in [*times, sum(times)])
            print(f"| {sf.info(path).duration:.0f} s mp3 | {cells} |")
        print()


def peers(clip: Path) -> None:
    artifact = Artifact.load()
    features = artifact.metadata.features
    y = load_audio(clip, sample_rate=features.sample_rate)
    segments = extract_segments(y, features)
    recipe = Recipe.load("mel-cnn-lstm-22k")
    network = build_segment_network(recipe, len(artifact.metadata.labels)).eval()
    tensor = torch.from_numpy(segments)

    def eager() -> None:
        with torch.inference_mode():
            network(tensor)

    ours = median(lambda: mel_spectrogram(y, features))
    theirs = median(
        lambda: librosa.feature.melspectrogram(
            y=y, sr=features.sample_rate, n_fft=features.n_fft, hop_length=features.hop_length,
            n_mels=features.n_mels, fmin=features.f_min, fmax=features.f_max,
        )
    )  # fmt: skip
    graph, torch_eager = median(lambda: artifact.run(segments)), median(eager)
    print("## Peers, on the 30 s clip\n\n| work | genrelens | peer | peer / genrelens |")
    print("|---|---|---|---|")
    print(f"| mel spectrogram; peer: librosa {librosa.__version__} | {1000 * ours:.0f} ms | "
          f"{1000 * theirs:.0f} ms | {theirs / ours:.2f} |")  # fmt: skip
    print(f"| network, {len(segments)} segments; peer: its CNN in PyTorch eager mode | "
          f"{1000 * graph:.0f} ms | {1000 * torch_eager:.0f} ms | "
          f"{torch_eager / graph:.2f} |\n")  # fmt: skip


def whole_files(*files: Path) -> None:
    print("## Whole files, from path to genres\n\n| file | model | time | times real time |")
    print("|---|---|---|---|")
    for name in packaged_models():
        classifier = Classifier.load(name)
        for path in files:
            seconds = median(lambda p=path, c=classifier: c.classify(p))
            duration = sf.info(path).duration
            print(f"| {duration:.0f} s mp3 | {name} | {1000 * seconds:.0f} ms | "
                  f"{duration / seconds:.0f} |")  # fmt: skip
    jobs = os.cpu_count() or 1
    classifier = Classifier.load(threads=1)
    batch = [files[0]] * 4 * jobs
    seconds = median(lambda: list(classifier.classify_many(batch, jobs=jobs)), 3)
    total = len(batch) * sf.info(files[0]).duration
    each = total / len(batch)
    print(f"| {len(batch)} x {each:.0f} s mp3, {jobs} at once | {packaged_models()[0]} | "
          f"{1000 * seconds:.0f} ms | {total / seconds:.0f} |\n")  # fmt: skip


def cold_start(clip: Path) -> None:
    command = [sys.executable, "-m", "genrelens", "classify", str(clip)]
    seconds = median(lambda: subprocess.run(command, check=True, capture_output=True))
    version = [sys.executable, "-c", "import genrelens"]
    importing = median(lambda: subprocess.run(version, check=True))
    empty = median(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
    print("## Cold start, as new processes\n\n| command | time |\n|---|---|")
    print(f"| `genrelens classify` on the 30 s clip | {1000 * seconds:.0f} ms |")
    print(f"| `import genrelens` | {1000 * importing:.0f} ms |")
    print(f"| an empty Python | {1000 * empty:.0f} ms |\n")


def memory(clip: Path, mix: Path) -> None:
    print("## Peak memory of a new process (VmHWM, Linux)\n\n| work | peak |\n|---|---|")
    for words, path in (("30 s mp3", clip), (f"{HOURS} h flac", mix)):
        script = (
            "import genrelens, pathlib, re;"
            f"genrelens.Classifier.load().classify({str(path)!r});"
            "status = pathlib.Path('/proc/self/status').read_text();"
            "print(re.search(r'VmHWM:\\s+(\\d+)', status)[1])"
        )
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True
        )
        seconds = time.perf_counter() - start
        print(f"| classify a {words} ({seconds:.1f} s) | {int(done.stdout) / 1024:.0f} MB |")
    blocks = stream_audio(mix, sample_rate=16_000)
    print(f"\nThe {HOURS} h file holds {sum(map(len, blocks)) / 16_000 / 3600:.2f} h of sound.")


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
