"""A whole library: how fast a scan is, cold and warm, and what memory it takes.

Run with ``python benchmarks/library.py``; prints Markdown. The library is made of the
bundled clips, repeated to 30 s to 6 minutes and each a little different, in the formats that people
have. Times are those of the command in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile as sf

CLIPS = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.ogg"))
SHORTEST, LONGEST = 30, 360  # seconds
MOST_FILES = 1000
CUT = {".mp3": 1152 / 44_100, ".m4a": 1024 / 44_100}  # from masters; seconds of a packet

# What a library may hold; shares in percent. MP3 and FLAC are most of it.
FORMATS = {
    ".mp3": (45, "libmp3lame", "mp3"),
    ".flac": (30, "flac", "flac"),
    ".m4a": (12, "aac", "ipod"),
    ".ogg": (4, "vorbis", "ogg"),
    ".opus": (4, "libopus", "opus"),
    ".wav": (3, "pcm_s16le", "wav"),
    ".wma": (1, "wmav2", "asf"),
    ".wv": (1, "wavpack", "wv"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--library", type=Path, help="make it here, and use what is here already")
    arguments = parser.parse_args()
    if not 1 <= arguments.files <= MOST_FILES:
        parser.error(f"--files must be in 1..{MOST_FILES}")
    with tempfile.TemporaryDirectory() as folder:
        music = arguments.library or Path(folder, "music")
        duration = write_library(music, arguments.files)
        measure(music, Path(folder), arguments.files, duration)


def measure(music: Path, folder: Path, n_files: int, duration: float) -> None:
    n_bytes = sum(path.stat().st_size for path in music.rglob("*.*"))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"{n_files} files, {duration / 3600:.1f} h, {n_bytes / 1e9:.2f} GB\n"
    )
    print("| scan | time | files/s | times real time | peak memory | memory at 1/4, 1/2, 1 |")
    print("|---|---|---|---|---|---|")
    database = folder / "catalogue.sqlite"
    report("2 jobs", scan(music, database, "--jobs", "2"), n_files, duration)
    report("unchanged", scan(music, database), n_files)
    moved = music.rename(music.with_name(f"{music.name} moved"))
    report("all moved, 2 jobs", scan(moved, database, "--jobs", "2"), n_files)
    moved.rename(music)
    for options in (["--jobs", "2", "--fast"], ["--jobs", "1"]):
        words = f"{options[1]} job{'s' * (options[1] != '1')}{', --fast' * (len(options) > 2)}"
        report(words, scan(music, folder / f"{words}.sqlite", *options), n_files, duration)
    print(f"\nThe catalogue takes {database.stat().st_size / n_files / 1024:.1f} kB a file.")


# ------------------------------------------------------------------------------ the library


def write_library(music: Path, n_files: int) -> float:
    """Write recordings to folders of twelve; return how long they last together, in seconds."""
    chance = random.Random(0)
    suffixes = chance.choices(list(FORMATS), [share for share, *_ in FORMATS.values()], k=n_files)
    lengths = [chance.triangular(SHORTEST, LONGEST, 220) for _ in range(n_files)]
    masters = music.with_name(f"{music.name} masters")
    jobs = list(zip(range(n_files), suffixes, lengths, [music] * n_files, strict=True))
    with multiprocessing.get_context("spawn").Pool() as pool:
        pool.starmap(
            write_master, [(n, each, masters) for each in CUT for n in range(len(CLIPS))], 1
        )
        return sum(pool.starmap(write_recording, [(*job, masters) for job in jobs], 1))


def write_master(number: int, suffix: str, masters: Path) -> None:
    """Write what recordings of a format that is slow to encode are cut from."""
    write(masters / f"{number}{suffix}", number, LONGEST + 1.1 * MOST_FILES * CUT[suffix])


def write_recording(number: int, suffix: str, seconds: float, music: Path, masters: Path) -> float:
    """Write a recording that is like no other; return its length."""
    path = music / f"album {number // 12:03}" / f"{number:04}{suffix}"
    if suffix not in CUT:
        write(path, number, seconds)
    elif not path.exists():
        with finished(path) as part:
            cut(masters / f"{number % len(CLIPS)}{suffix}", part, number, seconds)
    return seconds


def write(path: Path, number: int, seconds: float) -> None:
    """Repeat a clip, at a level that makes the file one of its kind."""
    if path.exists():
        return
    clip, rate = sf.read(CLIPS[number % len(CLIPS)], dtype="float32", always_2d=True)
    if path.suffix == ".opus":
        rate = 48_000  # it knows no 44.1 kHz; the pitch rises by a semitone and a half
    level = 0.3 + 0.7 * number / 10_000
    samples = np.resize(np.float32(level) * clip, (round(seconds * rate), clip.shape[1]))
    with finished(path) as part:
        encode(part, samples, rate)


@contextmanager
def finished(path: Path) -> Iterator[Path]:
    """Give a place to write to; what is written there gets its name once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".part{path.suffix}")
    yield part
    part.rename(path)


def cut(master: Path, path: Path, skipped: int, seconds: float) -> None:
    """Copy encoded packets for so many seconds, without the first ones."""
    with av.open(master) as source, av.open(path, "w", format=FORMATS[path.suffix][2]) as output:
        stream = source.streams.audio[0]
        copy = output.add_stream_from_template(stream)
        output.metadata["title"] = path.stem
        packets = [packet for packet in source.demux(stream) if packet.size][skipped:]
        start = packets[0].pts
        for packet in packets:
            packet.pts, packet.dts = packet.pts - start, packet.dts - start
            if packet.pts * stream.time_base >= seconds:
                break
            packet.stream = copy
            output.mux(packet)


def encode(path: Path, samples: Any, rate: int) -> None:
    _, codec, container = FORMATS[path.suffix]
    if codec == "vorbis":  # FFmpeg's own encoder is but an experiment
        with sf.SoundFile(path, "w", rate, samples.shape[1], format="OGG") as file:
            for start in range(0, len(samples), rate):
                file.write(samples[start : start + rate])
        return
    with av.open(path, "w", format=container) as output:
        layout = "stereo" if samples.shape[1] == 2 else "mono"
        stream: Any = output.add_stream(codec, rate=rate, layout=layout)
        if codec not in ("flac", "pcm_s16le", "wavpack"):
            stream.bit_rate = 192_000
        output.metadata["title"] = path.stem
        for frame in frames(samples, rate, layout, stream):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def frames(samples: Any, rate: int, layout: str, stream: Any) -> Iterator[Any]:
    """Cut (n, channels) into the frames that an encoder takes."""
    cutter = av.AudioResampler(
        stream.codec_context.format,
        layout,
        rate,
        frame_size=stream.codec_context.frame_size or 4096,
    )
    for start in range(0, len(samples), rate):
        packed = np.ascontiguousarray(samples[start : start + rate].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.pts = rate, start
        yield from cutter.resample(frame)
    yield from cutter.resample(None)


# ------------------------------------------------------------------------------- the scans


@dataclass
class Run:
    """A scan, and what it took."""

    seconds: float
    summary: dict[str, Any]
    memory: list[int] = field(default_factory=list)  # of all its processes, in bytes, over time


def scan(music: Path, database: Path | None, *options: str) -> Run:
    arguments = ["scan", str(music), "--json", *options]
    arguments += [] if database is None else ["--db", str(database)]
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "genrelens", *arguments], stdout=subprocess.PIPE, text=True
    )
    memory: list[int] = []
    watcher = threading.Thread(target=watch, args=(process, memory))
    watcher.start()
    out, _ = process.communicate()
    seconds = time.perf_counter() - start
    watcher.join()
    if process.returncode:
        raise SystemExit(f"the scan failed: {out}")
    return Run(seconds, json.loads(out), memory)


def watch(process: subprocess.Popen[str], memory: list[int]) -> None:
    """Note the resident memory of a process and its children, twice a second (Linux)."""
    while process.poll() is None:
        memory.append(sum(map(resident, family(process.pid))))
        time.sleep(0.5)


def family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            yield from family(child)


def resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def report(words: str, run: Run, n_files: int, duration: float = 0.0) -> None:
    multiple = f"{duration / run.seconds:.0f}" if duration else ""
    points = [run.memory[round(share * (len(run.memory) - 1))] for share in (0.25, 0.5, 1)]
    # The last sample may fall into the end, when workers are gone.
    points[-1] = max(run.memory[-max(1, len(run.memory) // 10) :])
    print(
        f"| {words} | {run.seconds:.1f} s | {n_files / run.seconds:.1f} | {multiple} | "
        f"{max(run.memory) / 1e6:.0f} MB | "
        f"{', '.join(f'{point / 1e6:.0f}' for point in points)} MB |",
        flush=True,
    )


if __name__ == "__main__":
    main()
