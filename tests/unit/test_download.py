"""Resumable downloads, with a local server that fails on demand."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from genrelens.data import download as module
from genrelens.data.download import download_file
from genrelens.errors import DataError
from support import mirror as answers
from support.mirror import Mirror

SIZE = 40_000
CONTENT = np.random.default_rng(0).bytes(SIZE)
JUNK = bytes(15_000)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", 4096)
    monkeypatch.setattr(module, "_DELAYS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror(CONTENT).running() as running:
        yield running


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "file.part"


def fetch(mirror: Mirror, part: Path) -> list[int]:
    """Download and return the reported progress."""
    told: list[int] = []

    def progress(done: int, total: int) -> None:
        assert total == SIZE
        told.append(done)

    download_file(mirror.url, part, SIZE, progress)
    return told


# ----------------------------------------------------------------------- whole and resumed


def test_a_new_download_is_one_request(mirror: Mirror, part: Path) -> None:
    told = fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert mirror.ranges == [None]
    assert told == [*range(0, SIZE, 4096), SIZE]


def test_a_resumed_download_requests_only_the_missing_bytes(mirror: Mirror, part: Path) -> None:
    part.write_bytes(CONTENT[:15_000])
    told = fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert mirror.ranges == ["bytes=15000-"]
    assert mirror.sent == [SIZE - 15_000]
    assert told[0] == 15_000


def test_a_complete_file_is_not_requested(mirror: Mirror, part: Path) -> None:
    part.write_bytes(CONTENT)
    fetch(mirror, part)
    assert mirror.ranges == []


def test_a_file_that_is_too_long_restarts_the_download(mirror: Mirror, part: Path) -> None:
    part.write_bytes(bytes(SIZE + 1))
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert mirror.ranges == [None]


def test_a_redirect_keeps_the_range(mirror: Mirror, part: Path) -> None:
    part.write_bytes(CONTENT[:15_000])
    mirror.answers = [answers.moved]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert mirror.ranges == ["bytes=15000-", "bytes=15000-"]


def test_ctrl_c_keeps_the_bytes_so_far(mirror: Mirror, part: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done >= 8192:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download_file(mirror.url, part, SIZE, stop)
    assert part.read_bytes() == CONTENT[:8192]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert mirror.ranges == [None, "bytes=8192-"]


# --------------------------------------------------------------- servers with other manners


def test_a_server_that_ignores_range_is_read_from_the_start(mirror: Mirror, part: Path) -> None:
    part.write_bytes(JUNK)  # junk, so that an append would show
    mirror.answers = [answers.without_range]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert len(mirror.ranges) == 1


def test_a_part_that_comes_with_status_200_is_appended(mirror: Mirror, part: Path) -> None:
    part.write_bytes(CONTENT[:15_000])
    mirror.answers = [answers.part_from(15_000, status=200)]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert len(mirror.ranges) == 1


def test_a_part_that_starts_earlier_than_requested_overwrites(mirror: Mirror, part: Path) -> None:
    part.write_bytes(CONTENT[:15_000])
    mirror.answers = [answers.part_from(8192)]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert len(mirror.ranges) == 1


def test_a_part_of_unknown_total_is_appended(mirror: Mirror, part: Path) -> None:
    part.write_bytes(CONTENT[:15_000])
    mirror.answers = [answers.part_from(15_000, total="*")]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert len(mirror.ranges) == 1


@pytest.mark.parametrize(
    "answer",
    [answers.status(416), answers.unnamed_part, answers.part_from(20_000)],
    ids=["416", "206 without Content-Range", "206 that skips"],
)
def test_a_useless_part_restarts_the_download(
    mirror: Mirror, part: Path, answer: answers.Answer
) -> None:
    part.write_bytes(JUNK)
    mirror.answers = [answer]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert mirror.ranges == ["bytes=15000-", None]


def test_bytes_after_the_end_are_ignored(mirror: Mirror, part: Path) -> None:
    mirror.answers = [answers.overlong]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "answer",
    [answers.page, answers.other(CONTENT[:-1]), answers.part_from(15_000, total="50000")],
    ids=["login page", "other length", "other total"],
)
def test_another_file_is_rejected_and_the_part_kept(
    mirror: Mirror, part: Path, answer: answers.Answer
) -> None:
    part.write_bytes(CONTENT[:15_000])
    mirror.answers = [answer]
    with pytest.raises(DataError, match=r"returned other content .* proxy"):
        fetch(mirror, part)
    assert part.read_bytes() == CONTENT[:15_000]
    assert len(mirror.ranges) == 1


# --------------------------------------------------------------------------- lost connections


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_broken_connection_is_resumed(mirror: Mirror, part: Path, reset: bool) -> None:
    mirror.answers = [answers.breaking_off(9000, reset=reset)]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert len(mirror.ranges) == 2
    if not reset:  # a reset may throw away what the machine had received
        assert mirror.ranges[1] == "bytes=9000-"
        assert sum(mirror.sent) == SIZE


def test_a_silent_connection_is_closed(
    mirror: Mirror, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_SECONDS", 0.2)
    closed = threading.Event()
    mirror.answers = [answers.falling_silent(9000, closed)]
    # The server has one thread: it is set free by the pause before the second try.
    monkeypatch.setattr(module.time, "sleep", lambda _: closed.set())
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert mirror.ranges[1] in {"bytes=8192-", "bytes=9000-"}


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_server_is_requested_again(mirror: Mirror, part: Path, code: int) -> None:
    mirror.answers = [answers.status(code), answers.status(code)]
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert len(mirror.ranges) == 3


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_final(mirror: Mirror, part: Path, code: int) -> None:
    mirror.answers = [answers.status(code)]
    with pytest.raises(DataError, match=f"{mirror.url}: the server returned HTTP Error {code}"):
        fetch(mirror, part)
    assert len(mirror.ranges) == 1


def test_tries_with_progress_are_not_counted(mirror: Mirror, part: Path) -> None:
    mirror.answers = [answers.breaking_off(3000)] * 12  # three times the tries
    fetch(mirror, part)
    assert part.read_bytes() == CONTENT
    assert len(mirror.ranges) == 13


def test_tries_without_progress_end(mirror: Mirror, part: Path) -> None:
    part.write_bytes(CONTENT[:15_000])
    mirror.otherwise = answers.breaking_off(0)
    with pytest.raises(DataError, match=r"closed early\. .* same command again: .* 15000 of 40000"):
        fetch(mirror, part)
    assert len(mirror.ranges) == 4
    assert part.read_bytes() == CONTENT[:15_000]


def test_a_server_without_progress_ends(mirror: Mirror, part: Path) -> None:
    """Each try brings 5000 bytes, always the same."""
    mirror.otherwise = answers.breaking_off(5000, heed_range=False)
    with pytest.raises(DataError, match="closed early"):
        fetch(mirror, part)
    assert len(mirror.ranges) == 4


def test_the_pauses_between_tries_grow(
    mirror: Mirror, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    monkeypatch.setattr(module, "_DELAYS", (1.0, 3.0, 8.0))
    mirror.otherwise = answers.status(503)
    with pytest.raises(DataError, match="503"):
        fetch(mirror, part)
    assert pauses == [1.0, 3.0, 8.0]


def test_a_missing_server_is_reported(part: Path) -> None:
    with Mirror(CONTENT).running() as gone:
        pass
    with pytest.raises(DataError, match=r"refused\. Check the network"):
        fetch(gone, part)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_not_a_network_error(mirror: Mirror, part: Path) -> None:
    part.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        fetch(mirror, part)
    assert caught.value.errno == errno.ENOSPC
    assert len(mirror.ranges) == 1
