"""Speed, memory and size of the static site in Chromium.

Run ``python benchmarks/site.py`` after ``make site``; prints Markdown. Needs Linux. The processor
time is that of all processes of the browser during the classification; on a busy machine it says
more than the time on the clock.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from genrelens.web.information import examples_folder
from support.browser import Visit, chromium
from support.static_site import file_server, offline_ready

LOAD = """async () => {
  const { LocalEngine } = await import(new URL("static/engine/client.js", document.baseURI));
  window.engine = new LocalEngine();
  await engine.ready();
}"""
CLASSIFY = """async ([address, name]) => {
  const file = new File([await (await fetch(address)).blob()], name);
  const start = performance.now();
  let longest = 0; // pause of the page
  let last = start;
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 20);
    last = performance.now();
  }, 20);
  const { duration } = await engine.classify(file);
  clearInterval(timer);
  return { seconds: (performance.now() - start) / 1000, duration, longest };
}"""
COLUMNS = (
    "recording",
    "visit",
    "time",
    "times real time",
    "processor time",
    "longest pause of the page",
    "peak memory",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, nargs="?", default=Path("site-static"))
    parser.add_argument("--hours", type=float, default=1.0, help="length of the longest recording")
    options = parser.parse_args()
    print_sizes(options.site)
    with tempfile.TemporaryDirectory() as folder, file_server(Path(folder)) as server:
        Path(folder, "site").symlink_to(options.site.resolve())
        song = [write_music(Path(folder, f"song.{each}"), 240) for each in ("wav", "mp3", "flac")]
        seconds = 3600 * options.hours
        mix = [write_music(Path(folder, f"mix.{each}"), seconds) for each in ("wav", "mp3")]
        print(f"\n| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
        for path in song:
            measure(server, path, later=False)
            measure(server, path, later=True)
        for path in mix:
            measure(server, path, later=True)


def print_sizes(site: Path) -> None:
    """Print the bytes of the first visit, as a server with gzip sends them."""
    groups = {"page and engine": 0, "model": 0, "onnxruntime-web": 0, "examples": 0}
    names = {"model.onnx": "model", "runtime": "onnxruntime-web", "examples": "examples"}
    for path in filter(Path.is_file, site.rglob("*")):
        content = path.read_bytes()
        group = names.get(path.relative_to(site).parts[0], "page and engine")
        groups[group] += min(len(content), len(gzip.compress(content, 6)))
    print("| part | bytes, compressed |\n|---|---|")
    for name, size in groups.items():
        print(f"| {name} | {size:,} |")
    print(f"| first visit without examples | {sum(groups.values()) - groups['examples']:,} |")


def write_music(path: Path, seconds: float) -> Path:
    """Repeat the bundled clips as a 44.1 kHz stereo file."""
    parts = [sf.read(each, always_2d=True)[0] for each in sorted(examples_folder().glob("*.ogg"))]
    album = np.concatenate([np.repeat(part[:, :1], 2, axis=1) for part in parts])
    n = round(44_100 * seconds)
    with sf.SoundFile(path, "w", 44_100, 2) as file:
        for start in range(0, n, len(album)):
            file.write(album[: n - start])
    return path


def measure(server: str, path: Path, *, later: bool) -> None:
    with chromium() as browser:
        visit = Visit(browser, f"{server}site/")
        if later:
            offline_ready(visit)
            visit.page.reload()
        visit.page.evaluate(LOAD)
        before = processor_seconds()
        found: Any = visit.page.evaluate(CLASSIFY, [f"{server}{path.name}", path.name])
        used = processor_seconds() - before
        print(
            f"| {path.name}, {found['duration']:.0f} s | {'later' if later else 'first'} "
            f"| {found['seconds']:.1f} s | {found['duration'] / found['seconds']:.0f} "
            f"| {used:.1f} s | {found['longest']:.0f} ms | {peak_memory() / 1e6:.0f} MB |",
            flush=True,
        )
        visit.close()


def descendants() -> list[int]:
    """Return the processes that this one has started, directly or not."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


def processor_seconds() -> float:
    ticks = 0
    for pid in descendants():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_memory() -> int:
    """Return the peak of the largest process that shows a page, in bytes."""
    peaks = [0]
    for pid in descendants():
        if b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes():
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            peaks += [int(line.split()[1]) * 1024 for line in lines if "VmHWM" in line]
    return max(peaks)


if __name__ == "__main__":
    main()
