"""Damage small files in many ways, and call every function that reads files with each of them.

As a program (``python mutants.py FIRST END SEED``) it is the child process of :func:`run`. It
prints a line of JSON before each call, so that the parent can name a call that ends the process. It
also prints a line with the outcomes of each mutant. Output of C libraries is a fault, because a
command prints JSON to standard output.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest

from support import synth

RATE = 16_000
SECONDS = 1.2
PATIENCE = 120.0  # seconds without a message, also on a machine under load
MEMORY = 4 * 2**30  # bytes that a child may take
MODEL = "mfcc-lstm"
CALLS = (
    "load_audio",
    "load_audio, offset",
    "load_audio, part",
    "stream_audio",
    "probe",
    "classify",
    "classify, part",
    "classify, fast",
    "classify_many",
    "audio_digest",
    "read_tags",
)

# ------------------------------------------------------------------------------- the files


def encoded(codec: str, container: str, channels: int = 1, **options: Any) -> bytes:
    y = np.stack([synth.music(SECONDS, RATE, seed) for seed in range(channels)], axis=1)
    return synth.encode(y, RATE, codec, container, bit_rate=32_000, **options)


def written(kind: str, subtype: str | None = None) -> bytes:
    return synth.write(synth.music(SECONDS, RATE), RATE, kind, subtype)


SEEDS: dict[str, Callable[[], bytes]] = {
    "WAV": lambda: written("WAV"),
    "WAV, GSM": lambda: synth.write(synth.music(SECONDS, 8000), 8000, "WAV", "GSM610"),
    "RF64": lambda: written("RF64"),
    "W64": lambda: written("W64"),
    "AIFF": lambda: written("AIFF"),
    "AU": lambda: written("AU"),
    "CAF, ALAC": lambda: written("CAF", "ALAC_16"),
    "FLAC": lambda: written("FLAC"),
    "Ogg Vorbis": lambda: written("OGG", "VORBIS"),
    "Ogg Opus": lambda: encoded("libopus", "ogg"),
    "MP3": lambda: encoded("libmp3lame", "mp3", title="Title"),
    "MP3 after ID3": lambda: synth.id3v2(synth.png(16)) + encoded("libmp3lame", "mp3"),
    "AAC": lambda: encoded("aac", "adts"),
    "M4A": lambda: encoded("aac", "ipod", title="Title"),
    "M4A, 7.1": lambda: encoded("aac", "ipod", channels=8),
    "MKV": lambda: encoded("aac", "matroska", video=True),
    "WebM": lambda: encoded("libopus", "webm"),
    "WMA": lambda: encoded("wmav2", "asf"),
    "AC-3": lambda: synth.encode(synth.music(SECONDS, 32_000), 32_000, "ac3", "ac3"),
    "WavPack": lambda: encoded("wavpack", "wv"),
    "TTA": lambda: encoded("tta", "tta"),
    "TS": lambda: encoded("mp2", "mpegts"),
}


@functools.cache
def seeds() -> dict[str, bytes]:
    """Encode the files, except those for which this FFmpeg has no encoder."""
    made = {}
    for name, make in SEEDS.items():
        with contextlib.suppress(pytest.skip.Exception):
            made[name] = make()
    return made


# ------------------------------------------------------------------------------ the damage

Bytes = bytearray
EXTREMES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\x01")


def random_offset(rng: np.random.Generator, size: int) -> int:
    """Return a random offset in a file; half of the time it is in the header."""
    return int(rng.integers(min(size, 600) if rng.random() < 0.5 else size))


def flip(rng: np.random.Generator, data: Bytes) -> str:
    n = int(rng.choice([1, 1, 2, 4, 16, 64]))
    for _ in range(n):
        data[random_offset(rng, len(data))] ^= 1 << int(rng.integers(8))
    return f"{n} bits flipped"


def overwrite(rng: np.random.Generator, data: Bytes) -> str:
    at, n = random_offset(rng, len(data)), int(rng.choice([1, 2, 4, 8, 100]))
    data[at : at + n] = rng.bytes(n)
    return f"{n} bytes at {at} overwritten"


def set_extreme(rng: np.random.Generator, data: Bytes) -> str:
    """Set a field of a typical width to an extreme value."""
    at, n = int(rng.integers(min(len(data), 600))), int(rng.choice([1, 2, 4, 8]))
    value = EXTREMES[rng.integers(len(EXTREMES))] * n
    data[at : at + n] = value
    return f"{n} bytes at {at} set to {value.hex()}"


def cut(rng: np.random.Generator, data: Bytes) -> str:
    at = random_offset(rng, len(data))
    del data[at:]
    return f"cut off at {at}"


def leave_out(rng: np.random.Generator, data: Bytes) -> str:
    at, n = random_offset(rng, len(data)), int(rng.integers(1, 2000))
    del data[at : at + n]
    return f"{n} bytes at {at} left out"


def insert(rng: np.random.Generator, data: Bytes) -> str:
    at, n = random_offset(rng, len(data)), int(rng.integers(1, 2000))
    data[at:at] = rng.bytes(n) if rng.random() < 0.5 else bytes(n)
    return f"{n} bytes inserted at {at}"


def repeat(rng: np.random.Generator, data: Bytes) -> str:
    start, at = random_offset(rng, len(data)), random_offset(rng, len(data))
    n = int(rng.integers(1, 4000))
    data[at:at] = data[start : start + n]
    return f"{n} bytes from {start} repeated at {at}"


def zero(rng: np.random.Generator, data: Bytes) -> str:
    at, n = random_offset(rng, len(data)), int(rng.integers(1, 4000))
    data[at : at + n] = bytes(len(data[at : at + n]))
    return f"{n} bytes at {at} set to zero"


DAMAGE = (flip, flip, overwrite, set_extreme, set_extreme, cut, leave_out, insert, repeat, zero)


def mutant(seed: int, n: int) -> tuple[str, str, bytes]:
    """Return the format, the damage and the bytes of a mutant, the same in every run."""
    rng = np.random.default_rng([seed, n])
    name = list(seeds())[n % len(seeds())]
    data = bytearray(seeds()[name])
    done = [
        DAMAGE[rng.integers(len(DAMAGE))](rng, data)
        for _ in range(rng.choice([1, 1, 1, 2, 5]))
        if data
    ]
    return name, ", ".join(done), bytes(data)


# --------------------------------------------------------------------------- in the child


def calls(classifier: Any) -> dict[str, Callable[[Path], Any]]:
    from genrelens.audio import load_audio, probe, stream_audio
    from genrelens.library.digest import audio_digest
    from genrelens.tags import read_tags

    def classify_many(path: Path) -> None:
        for _, result in classifier.classify_many([path], jobs=1):
            if isinstance(result, Exception):  # perhaps a fault, converted to an AudioError
                raise result.__cause__ or result

    functions: tuple[Callable[[Path], Any], ...] = (
        lambda path: load_audio(path, sample_rate=22_050),
        lambda path: load_audio(path, sample_rate=RATE, offset=0.7),
        lambda path: load_audio(path, sample_rate=RATE, offset=0.3, duration=0.4),
        lambda path: list(stream_audio(path, sample_rate=RATE, block_seconds=0.1)),
        probe,
        classifier.classify,
        lambda path: classifier.classify(path, offset=0.5, duration=0.5),
        lambda path: classifier.classify(path, fast=True),
        classify_many,
        audio_digest,
        read_tags,
    )
    return dict(zip(CALLS, functions, strict=True))


def child(first: int, end: int, seed: int) -> None:
    import genrelens.classifier
    from genrelens import Classifier, excerpts
    from genrelens.errors import GenrelensError

    # Short enough for --fast to skip parts of these short files.
    excerpts._SHORT, genrelens.classifier._WINDOW = 0.6, 0.2
    bound_memory()
    functions = calls(Classifier.load(MODEL, threads=1))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, _standard_output(folder) as (send, noise):
        for n in range(first, end):
            path = Path(folder, "mutant")
            path.write_bytes(mutant(seed, n)[2])
            outcomes: dict[str, str] = {}
            for name, function in functions.items():
                send({"n": n, "call": name})
                try:
                    function(path)
                    outcomes[name] = "read"
                except GenrelensError:
                    outcomes[name] = "refused"
                except Exception as error:
                    outcomes[name] = f"{type(error).__name__}: {error}"
            if text := noise():
                outcomes["standard output"] = text
            send({"n": n, "outcomes": outcomes})


@contextlib.contextmanager
def _standard_output(folder: str) -> Iterator[tuple[Callable[[Any], None], Callable[[], str]]]:
    """Yield a function that reports to the parent, and one that returns the C output so far."""
    printed = Path(folder, "printed")
    libc = ctypes.CDLL(None) if os.name == "posix" else None
    with os.fdopen(os.dup(1), "w") as parent, printed.open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)

        def noise() -> str:
            if libc is not None:
                libc.fflush(None)
            text = printed.read_text(errors="replace")
            os.ftruncate(1, 0)
            os.lseek(1, 0, os.SEEK_SET)
            return text[:200]

        yield lambda line: print(json.dumps(line), file=parent, flush=True), noise


def bound_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


# -------------------------------------------------------------------------- in the parent


@dataclass
class Report:
    """The outcomes of the mutants.

    Attributes:
        n: number of mutants.
        outcomes: number of calls that read, refused or failed, by function.
        formats: the same for ``load_audio``, by format.
        faults: descriptions of crashes, hangs and errors of unexpected types.

    """

    n: int = 0
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    formats: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, seed: int, n: int, outcomes: dict[str, str]) -> None:
        self.n += 1
        name, damage, _ = mutant(seed, n)
        for call, outcome in outcomes.items():
            kind = outcome if outcome in ("read", "refused") else "fault"
            self.outcomes.setdefault(call, Counter())[kind] += 1
            if call == CALLS[0]:
                self.formats.setdefault(name, Counter())[kind] += 1
            if kind == "fault":
                self.faults.append(
                    f"mutant {n} of seed {seed} ({name}: {damage}): {call}: {outcome}"
                )


def run(first: int, end: int, seed: int) -> Report:
    """Call every function with the mutants ``first`` to ``end``, in separate processes."""
    report = Report()
    while first < end:
        last, code = {"n": first, "call": "start"}, 0
        for line, ended in _lines(first, end, seed):
            code = ended
            if "outcomes" in line:
                report.add(seed, line["n"], line["outcomes"])
                first = line["n"] + 1
            elif line:
                last = line
        if first < end:  # the child ended early
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            report.add(seed, last["n"], {last["call"]: f"ended the process ({how})"})
            first = last["n"] + 1
    return report


def _lines(first: int, end: int, seed: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the messages of a child, then its exit code; a child that hangs is killed."""
    command = [sys.executable, __file__, str(first), str(end), str(seed)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        watch = Timer(PATIENCE, process.kill)
        watch.start()
        try:
            for line in process.stdout:
                watch.cancel()
                watch = Timer(PATIENCE, process.kill)
                watch.start()
                yield json.loads(line), 0
        finally:
            watch.cancel()
    yield {}, process.returncode


if __name__ == "__main__":
    child(*map(int, sys.argv[1:]))
