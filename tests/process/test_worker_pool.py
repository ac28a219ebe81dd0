"""The worker pool: results, limits, and recovery from crashes."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pebble import ProcessExpired

from genrelens import Classifier, worker_pool
from genrelens.logs import logger
from genrelens.worker_pool import ClassifierPool, Limits, WorkerError, WorkerResult
from support import misbehaviour, synth, tiny
from support.processes import PATIENCE, start

LIMITS = Limits(seconds=60, sample_rate=96_000, channels=8)
SECONDS = PATIENCE


@pytest.fixture(scope="module")
def pool(model: Path) -> Iterator[ClassifierPool]:
    pool = ClassifierPool(str(model), workers=1, limits=LIMITS)
    yield pool
    pool.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "upload-17"
    path.write_bytes(synth.write(tiny.sound("clicks", 2), tiny.RATE))
    return path


def classified(pool: ClassifierPool, path: Path, **options: Any) -> WorkerResult | WorkerError:
    return pool.submit(path, "song.wav", **options).result(SECONDS)


def refusal(pool: ClassifierPool, path: Path, content: bytes) -> str:
    path.write_bytes(content)
    result = classified(pool, path)
    assert isinstance(result, WorkerError), result
    assert path.name not in str(result)
    return str(result)


def run(pool: ClassifierPool, work: Any) -> Future[Any]:
    """Run a function in a worker."""
    future: Future[Any] = pool.run(work)
    return future


@pytest.mark.parametrize("alone", [False, True])
def test_the_result_is_that_of_a_classifier(
    pool: ClassifierPool, model: Path, clip: Path, alone: bool
) -> None:
    result = classified(pool, clip, alone=alone)
    expected = Classifier.load(model, threads=1).classify(clip)
    assert isinstance(result, WorkerResult)
    assert (result.image, result.notes) == (None, ())
    assert result.prediction.source == "song.wav"
    assert result.prediction.to_dict(timeline=True) == (
        replace(expected, source="song.wav").to_dict(timeline=True)
    )


def test_the_fast_mode(model: Path, tmp_path: Path) -> None:
    """The limit applies to the whole recording, not only to the excerpts."""
    path = tmp_path / "upload-19"
    path.write_bytes(synth.write(tiny.sound("clicks", 100), tiny.RATE))
    pool = ClassifierPool(str(model), workers=1, limits=replace(LIMITS, seconds=100))
    try:
        result = classified(pool, path, fast=True)
        path.write_bytes(synth.write(tiny.sound("clicks", 101), tiny.RATE))
        refusal = classified(pool, path, fast=True)
    finally:
        pool.close()
    assert isinstance(result, WorkerResult)
    assert (result.prediction.heard, result.prediction.duration) == (90.0, 100.0)
    assert refusal == WorkerError("song.wav", "has 101 s of audio; the limit is 100")


def test_a_damaged_recording_is_noted(pool: ClassifierPool, tmp_path: Path) -> None:
    flac = synth.write(synth.music(4, tiny.RATE), tiny.RATE, "FLAC")
    path = tmp_path / "upload-18"
    path.write_bytes(flac[: len(flac) * 3 // 4])
    result = classified(pool, path)
    assert isinstance(result, WorkerResult)
    (note,) = result.notes
    assert note.startswith("song.wav: is damaged; ")
    assert str(path) not in note


# ---------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("rate", "channels", "words"),
    [
        (192_000, 1, "has a sample rate of 192000 Hz; the limit is 96000"),
        (8_000, 192, "has 192 channels; the limit is 8"),
    ],
)
def test_extreme_headers(
    pool: ClassifierPool, tmp_path: Path, rate: int, channels: int, words: str
) -> None:
    content = synth.write(np.zeros((2000, channels), np.float32), rate)
    assert refusal(pool, tmp_path / "upload", content) == f"song.wav: {words}"


def test_a_header_that_states_a_length_beyond_the_limit(
    pool: ClassifierPool, tmp_path: Path
) -> None:
    wav = synth.write(np.zeros(61 * tiny.RATE, np.float32), tiny.RATE)
    reason = refusal(pool, tmp_path / "upload", wav)
    assert reason == "song.wav: has 61 s of audio; the limit is 60"


def test_exactly_the_limit_is_allowed(pool: ClassifierPool, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(synth.write(np.zeros(60 * tiny.RATE, np.float32), tiny.RATE))
    result = classified(pool, path)
    assert isinstance(result, WorkerResult)
    assert result.prediction.duration == 60


def test_decoding_stops_at_the_limit(pool: ClassifierPool, tmp_path: Path) -> None:
    """The header states no length."""
    content = bytearray(synth.write(np.zeros(90 * 48_000, np.int16), 48_000, "FLAC"))
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])  # STREAMINFO: length unknown
    reason = refusal(pool, tmp_path / "upload", bytes(content))
    assert reason == "song.wav: is longer than 60 s"


def test_a_bomb_takes_no_more_memory_than_a_song(model: Path, clip: Path, tmp_path: Path) -> None:
    """Half an hour of silence in a small FLAC file whose header states no length."""
    import soundfile

    bomb = tmp_path / "bomb"
    with soundfile.SoundFile(bomb, "w", 48_000, 1, format="FLAC", subtype="PCM_16") as file:
        for _ in range(30):
            file.write(np.zeros(60 * 48_000, np.int16))
    assert bomb.stat().st_size < 2**19
    content = bytearray(bomb.read_bytes())
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])
    bomb.write_bytes(content)
    limits = replace(LIMITS, seconds=600)
    pool = ClassifierPool(str(model), workers=1, limits=limits)
    try:
        classified(pool, clip)
        before = run(pool, misbehaviour.peak_memory).result(SECONDS)
        result = classified(pool, bomb, image=True)
        after = run(pool, misbehaviour.peak_memory).result(SECONDS)
    finally:
        pool.close()
    assert isinstance(result, WorkerError)
    assert str(result) == "song.wav: is longer than 600 s"
    assert after - before < 60 * 2**20  # 600 s of its samples are 115 MB


def test_memory_is_bounded(model: Path, clip: Path) -> None:
    pool = ClassifierPool(str(model), workers=1, limits=replace(LIMITS, memory=2**28))
    try:
        with pytest.raises(MemoryError):
            run(pool, _allocate).result(SECONDS)
        assert isinstance(classified(pool, clip), WorkerResult)
    finally:
        pool.close()


def _allocate() -> int:
    return len(bytearray(2**29))


# ------------------------------------------------------------------------------- survival


@pytest.mark.parametrize("crash", [misbehaviour.die, misbehaviour.leave])
def test_a_crash_affects_only_one_recording(
    pool: ClassifierPool, clip: Path, monkeypatch: pytest.MonkeyPatch, crash: Any
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker_pool, "_classify_file", crash)
        future = pool.submit(clip, "song.wav")
    with pytest.raises(ProcessExpired):
        future.result(SECONDS)
    assert isinstance(classified(pool, clip), WorkerResult)


def test_an_error_that_cannot_be_unpickled_is_reported(
    model: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The errors of several decoders can be pickled but not unpickled."""
    monkeypatch.setattr(worker_pool, "_classifiers", {True: Classifier.load(model)})
    monkeypatch.setattr(worker_pool, "probe", misbehaviour.fail)
    with pytest.raises(RuntimeError, match="UnpicklableError") as failure:
        worker_pool._classify_file(
            str(clip), "song.wav", LIMITS, fast=False, image=False, alone=True
        )
    assert str(pickle.loads(pickle.dumps(failure.value))) == str(failure.value)


def test_a_cancelled_job_is_ended(
    pool: ClassifierPool, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(pool, os.getpid).result(SECONDS)
    with monkeypatch.context() as patch:
        patch.setattr(worker_pool, "_classify_file", misbehaviour.hang)
        future = pool.submit(clip, "song.wav")
    while not future.running():
        time.sleep(0.01)
    assert future.cancel()
    assert isinstance(classified(pool, clip), WorkerResult)
    assert run(pool, os.getpid).result(SECONDS) != first


def test_a_job_beyond_its_time_limit_is_ended(
    pool: ClassifierPool, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pool.run(os.getpid).result(SECONDS)
    with monkeypatch.context() as patch:
        patch.setattr(worker_pool, "_classify_file", misbehaviour.hang)
        future = pool.submit(clip, "song.wav", timeout=0.2)
    with pytest.raises(TimeoutError):
        future.result(SECONDS)
    assert isinstance(classified(pool, clip, timeout=SECONDS), WorkerResult)
    assert pool.run(os.getpid).result(SECONDS) != first


def test_c_libraries_are_kept_off_the_error_stream(
    model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Output of C libraries is dropped; output of Python, such as a traceback, is kept."""
    pool = ClassifierPool(str(model), workers=1, limits=LIMITS)
    try:
        run(pool, misbehaviour.write_as_a_library).result(SECONDS)
        with pytest.raises(RuntimeError, match="a secret of the server"):
            run(pool, misbehaviour.raise_plainly).result(SECONDS)
    finally:
        pool.close()
    assert capfd.readouterr().err == "a line of Python\n"


def test_an_idle_worker_that_is_killed_is_replaced(pool: ClassifierPool, clip: Path) -> None:
    """The kernel kills processes when memory is short."""
    pid = run(pool, os.getpid).result(SECONDS)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    while pool._workers.active and time.monotonic() < deadline:
        time.sleep(0.01)
    assert isinstance(classified(pool, clip), WorkerResult)


def test_ctrl_c_does_not_reach_workers(pool: ClassifierPool, clip: Path) -> None:
    pid = run(pool, os.getpid).result(SECONDS)
    os.kill(pid, signal.SIGINT)
    assert isinstance(classified(pool, clip), WorkerResult)
    assert run(pool, os.getpid).result(SECONDS) == pid


def test_a_busy_worker_ends_with_its_parent(model: Path) -> None:
    """The parent is killed, so it cannot end its workers itself."""
    script = (
        "import os, sys, time\n"
        "from support import misbehaviour\n"
        "from genrelens.worker_pool import ClassifierPool, Limits\n"
        "if __name__ == '__main__':\n"
        "    pool = ClassifierPool(sys.argv[1], workers=1, limits=Limits())\n"
        "    print(pool.run(os.getpid).result(), flush=True)\n"
        "    pool.run(misbehaviour.hang).result()\n"
    )
    path = model.parent / "hang.py"  # the worker imports it
    path.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    parent = start(
        [sys.executable, path, model],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    time.sleep(0.2)  # the job is running now
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + SECONDS
    while _lives(worker):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_closing_ends_the_processes(model: Path) -> None:
    pool = ClassifierPool(str(model), workers=1, limits=LIMITS)
    pid = run(pool, os.getpid).result(SECONDS)
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("program", ["/bin/false", "/bin/true"])
def test_workers_that_cannot_start(program: str, model: Path) -> None:
    """The interpreter ends at once, with an error or without; every job fails."""
    script = (
        "import multiprocessing, os, sys\n"
        "from concurrent.futures.process import BrokenProcessPool\n"
        "from genrelens import worker_pool\n"
        "worker_pool._START_SECONDS = 2.0\n"
        "multiprocessing.set_executable(sys.argv[2])\n"
        "limits = worker_pool.Limits()\n"
        "pool = worker_pool.ClassifierPool(sys.argv[1], workers=2, limits=limits)\n"
        "for _ in range(3):\n"
        "    futures = [pool.run(os.getpid) for _ in range(3)]\n"
        "    errors = [future.exception() for future in futures]\n"
        "    assert all(isinstance(each, BrokenProcessPool) for each in errors), errors\n"
        "pool.close()\n"
        "print('all failed')\n"
    )
    process = start(
        [sys.executable, "-c", script, model, program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.communicate(timeout=SECONDS)[0] == "all failed\n"


def test_a_scan_whose_workers_cannot_start(model: Path, clip: Path) -> None:
    script = (
        "import multiprocessing, sys\n"
        "from pathlib import Path\n"
        "from genrelens.errors import LibraryError\n"
        "from genrelens.library import Catalog, scan_files\n"
        "from genrelens.discovery.find import Found\n"
        "multiprocessing.set_executable('/bin/false')\n"
        "clip = Path(sys.argv[2])\n"
        "with Catalog.open(clip.with_name('catalog.sqlite')) as catalog:\n"
        "    try:\n"
        "        list(scan_files(catalog, [Found.at(str(clip))], model=sys.argv[1]))\n"
        "    except LibraryError as error:\n"
        "        print(error)\n"
    )
    process = start(
        [sys.executable, "-c", script, model, clip],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    output = process.communicate(timeout=SECONDS)[0]
    assert output == "no worker process can be started\n"


# ----------------------------------------------------------------------------------- logs


def log_and_crash() -> None:
    logger("genrelens.worker_pool").debug("x" * 10_000)
    logger("genrelens.worker_pool").info("%s\u202e\n", "日本" * 3)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_messages_of_workers_are_logged_here(
    model: Path, clip: Path, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    """Also those of a worker that is killed, and of the one that replaces it."""
    caplog.set_level(level, "genrelens")
    pool = ClassifierPool(str(model), workers=1, limits=LIMITS)
    with pytest.raises(ProcessExpired):
        pool.run(log_and_crash).result(SECONDS)
    assert isinstance(classified(pool, clip), WorkerResult)
    pool.close()
    sent = [each for each in caplog.records if each.process != os.getpid()]
    texts = [each.getMessage() for each in sent]
    assert sum(text.startswith("loaded model") for text in texts) == 4  # two in each worker
    assert "日本日本日本\u202e\n" in texts
    assert ("x" * 800 in texts) == (level == logging.DEBUG)
    assert any("decoded" in text for text in texts) == (level == logging.DEBUG)
    assert len({each.process for each in sent}) == 2


def level_and_handlers() -> tuple[int, int]:
    library = logging.getLogger("genrelens")
    return library.level, len(library.handlers)


def test_workers_log_nothing_unless_this_process_does(pool: ClassifierPool) -> None:
    assert run(pool, level_and_handlers).result(SECONDS) == (logging.NOTSET, 1)
