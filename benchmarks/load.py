"""Load on ``genrelens serve``: throughput, latency and memory with several clients at once.

Run ``python benchmarks/load.py`` on a machine that has nothing else to do; prints Markdown. A
client is a connection that sends a recording, waits for the answer and sends it again. With
``--soak 60`` more clients come than the server has places for, and no answer may be missing. With
``--slow 300`` one client sends recordings with and without 300 others that send one byte a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

from genrelens.model_file import DEFAULT_MODEL

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "disco-groove.ogg"
SOAK_LINES = 6
BOUNDARY = "------------------------load"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--soak", type=float, default=0, help="seconds at overload; 0 for none")
    parser.add_argument("--soak-clients", type=int, default=128)
    parser.add_argument("--slow", type=int, default=0, help="clients that send a byte a second")
    parser.add_argument("--rounds", type=int, default=5, help="with and without slow clients")
    parser.add_argument("--queue", type=int, default=64, help="of the server")
    parser.add_argument("--workers", type=int, default=0, help="of the server; 0: one per core")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="packaged name or file")
    options = parser.parse_args()
    clip = mp3(30)
    with serving(options) as (port, process):
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"{options.model}; "
            f"a 30 s mp3 of {len(clip) / 1000:.0f} kB over loopback\n"
        )
        asyncio.run(load(port, clip, 4, 0, at_least=8))  # until every worker has started
        if options.slow:
            asyncio.run(beside_slow_clients(options, port, process, clip))
        else:
            table(options, port, process, clip)
        if options.soak:
            soak(options, port, process, clip)


def mp3(seconds: int) -> bytes:
    """Repeat the bundled clip and encode it."""
    with av.open(str(EXAMPLE)) as source:
        rate = source.streams.audio[0].rate
        frames = [frame.to_ndarray() for frame in source.decode(audio=0)]
    samples = np.concatenate(frames, axis=1)
    samples = np.tile(samples, -(-seconds * rate // samples.shape[1]))[:, : seconds * rate]
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as output:
        stream = output.add_stream("mp3", rate=rate)
        stream.bit_rate = 128_000
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.astype(np.float32)),
            format="fltp",
            layout="stereo" if len(samples) == 2 else "mono",
        )
        frame.sample_rate = rate
        fifo = av.AudioFifo()
        fifo.write(frame)
        while (piece := fifo.read(1152, partial=True)) is not None:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


# -------------------------------------------------------------------------------- the server


@contextlib.contextmanager
def serving(options: argparse.Namespace) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    command = [
        sys.executable,
        "-m",
        "genrelens",
        "serve",
        "--port",
        "0",
        "--queue",
        str(options.queue),
        "--workers",
        str(options.workers),
        "--model",
        options.model,
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        greeting = process.stderr.readline()
        found = re.search(r":(\d+) ", greeting)
        if not found:
            sys.exit(f"the server does not start: {greeting}{process.stderr.read()}")
        print(f"Listening {time.perf_counter() - started:.1f} s after its start.\n")
        yield int(found[1]), process
    finally:
        process.terminate()
        print(f"Exit code after SIGTERM: {process.wait(120)}")


def memory(process: subprocess.Popen[str]) -> list[tuple[float, float]]:
    """MB in use and at the peak (VmRSS, VmHWM; Linux) of the server and of each worker."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    children = sorted(int(pid) for task in tasks for pid in task.read_text().split())
    found = []
    for pid in (process.pid, *children):
        if b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            continue
        status = Path(f"/proc/{pid}/status").read_text()
        now, peak = (re.search(rf"{name}:\s+(\d+)", status) for name in ("VmRSS", "VmHWM"))
        if now and peak:
            found.append((int(now[1]) * 1024 / 1e6, int(peak[1]) * 1024 / 1e6))
    return found


# ------------------------------------------------------------------------------- the clients


@dataclass
class Tally:
    """What the clients of one measurement saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of the answers 200
    elapsed: float = 0.0

    def percentile(self, share: float) -> float:
        """Seconds that so many percent of the answers did not take longer than."""
        return float(np.percentile(self.seconds, share)) if self.seconds else float("nan")


async def load(
    port: int,
    clip: bytes,
    clients: int,
    seconds: float,
    *,
    at_least: int = 0,
    tally: Tally | None = None,
) -> Tally:
    """Let clients send for some seconds; what is under way then is waited for."""
    tally = Tally() if tally is None else tally
    end = time.perf_counter() + seconds
    started = time.perf_counter()

    async def client() -> None:
        while time.perf_counter() < end or sum(tally.statuses.values()) < at_least:
            await ask(port, clip, tally)

    await asyncio.gather(*(client() for _ in range(clients)))
    tally.elapsed = time.perf_counter() - started
    return tally


async def ask(port: int, clip: bytes, tally: Tally) -> None:
    """Send a recording on a connection of its own; come back when told if there is no place."""
    body = (
        (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n'
            "Content-Type: audio/mpeg\r\n\r\n"
        ).encode()
        + clip
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )
    head = (
        "POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    started = time.perf_counter()
    try:
        async with asyncio.timeout(300):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head + body)
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError) as error:
        tally.statuses[f"lost ({type(error).__name__})"] += 1
        return
    status = answer[9:12].decode() or "lost (closed)"
    tally.statuses[status] += 1
    if status == "200":
        tally.seconds.append(time.perf_counter() - started)
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["genre"]
    elif status == "429":
        await asyncio.sleep(0.25)  # less than Retry-After says: this is to be an overload


# ------------------------------------------------------------------------------- the tables


def table(
    options: argparse.Namespace, port: int, process: subprocess.Popen[str], clip: bytes
) -> None:
    print(
        "| clients | responses/s | p50 | p95 | p99 | 429 | other | peak memory: server, workers |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for clients in options.clients:
        tally = asyncio.run(load(port, clip, clients, options.seconds))
        times = " | ".join(f"{1000 * tally.percentile(p):.0f} ms" for p in (50, 95, 99))
        answered, busy = tally.statuses["200"], tally.statuses["429"]
        other = sum(tally.statuses.values()) - answered - busy
        peaks = ", ".join(f"{peak:.0f}" for _, peak in memory(process))
        print(
            f"| {clients} | {answered / tally.elapsed:.2f} | {times} | {busy} | {other} | "
            f"{peaks} MB |",
            flush=True,
        )
    print()


async def beside_slow_clients(
    options: argparse.Namespace, port: int, process: subprocess.Popen[str], clip: bytes
) -> None:
    """Print what one client sees alone and beside slow ones, in turns on the same server."""
    totals: dict[int, Tally] = {0: Tally(), options.slow: Tally()}
    print(
        f"One client alone and beside {options.slow} that send a byte a second, "
        f"{options.rounds} rounds of {options.seconds:g} s each\n"
    )
    print("| slow clients | answers | p50 | p95 | other | healthz | open files | temporary files |")
    print("|---|---|---|---|---|---|---|---|")
    for _ in range(options.rounds):
        for number, total in totals.items():
            slow = [asyncio.create_task(trickle(port)) for _ in range(number)]
            await asyncio.sleep(2 if slow else 0)  # until they have begun
            tally, (worst, files, size) = await asyncio.gather(
                load(port, clip, 1, options.seconds), watch(port, process, options.seconds)
            )
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
            total.seconds += tally.seconds
            total.statuses += tally.statuses
            slow_row(number, tally, f"{worst:.0f} ms | {files} | {size / 2**20:.1f} MiB")
    print()
    for number, total in totals.items():
        slow_row(number, total, "in all")


def slow_row(number: int, tally: Tally, rest: str) -> None:
    times = " | ".join(f"{1000 * tally.percentile(p):.0f} ms" for p in (50, 95))
    other = sum(tally.statuses.values()) - tally.statuses["200"]
    print(f"| {number} | {tally.statuses['200']} | {times} | {other} | {rest} |", flush=True)


async def trickle(port: int) -> None:
    """Begin an upload and send a byte a second; begin again a second after it was refused."""
    head = (
        b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/mpeg\r\n"
        b"Content-Length: 100000\r\n\r\n"
    )
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            answer = asyncio.create_task(reader.read())
            try:
                while not answer.done():
                    writer.write(b"x")
                    await asyncio.wait([answer], timeout=1)
            finally:
                answer.cancel()
                writer.close()
            await asyncio.gather(answer, return_exceptions=True)
        await asyncio.sleep(1)


async def watch(
    port: int, process: subprocess.Popen[str], seconds: float
) -> tuple[float, int, int]:
    """Return the longest time of ``/healthz`` in ms, the most open files and temporary bytes."""
    worst, files, size = 0.0, 0, 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        worst = max(worst, await health(port))
        links = list(Path(f"/proc/{process.pid}/fd").iterdir())
        files = max(files, len(links))
        size = max(size, sum(temporary_size(link) for link in links))
        await asyncio.sleep(0.5)
    return worst, files, size


async def health(port: int) -> float:
    """Return the time of ``/healthz`` in ms; infinite if it is not answered."""
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    started = time.perf_counter()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
    except OSError:
        return float("inf")
    is_well = answer.startswith(b"HTTP/1.1 200 ")
    return 1000 * (time.perf_counter() - started) if is_well else float("inf")


def temporary_size(link: Path) -> int:
    """Bytes of an open file of a process if it is a temporary one."""
    with contextlib.suppress(OSError):
        if str(link.readlink()).startswith(tempfile.gettempdir()):
            return link.stat().st_size
    return 0


def soak(
    options: argparse.Namespace, port: int, process: subprocess.Popen[str], clip: bytes
) -> None:
    print(f"Soak: {options.soak_clients} clients, {options.queue} places in the queue\n")
    print("| after | answers so far | memory: server, workers |\n|---|---|---|")
    tally = asyncio.run(watched(options, port, process, clip))
    counts = ", ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items()))
    print(
        f"\n{sum(tally.statuses.values())} requests, every one with an end: {counts}. Median of "
        f"the answers {statistics.median(tally.seconds):.1f} s.\n"
    )
    if any(status not in ("200", "429") for status in tally.statuses):
        sys.exit("requests were lost or failed")


async def watched(
    options: argparse.Namespace, port: int, process: subprocess.Popen[str], clip: bytes
) -> Tally:
    """Let clients send, and print a line now and then until the last has its answer."""
    tally, started = Tally(), time.perf_counter()
    sending = asyncio.create_task(load(port, clip, options.soak_clients, options.soak, tally=tally))
    while not sending.done():
        await asyncio.wait([sending], timeout=options.soak / SOAK_LINES)
        now = ", ".join(f"{used:.0f}" for used, _ in memory(process))
        answers = sum(tally.statuses.values())
        print(f"| {time.perf_counter() - started:.0f} s | {answers} | {now} MB |", flush=True)
    return await sending


if __name__ == "__main__":
    main()
