"""``genrelens serve``: options, and errors at the start."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from genrelens.web import server
from genrelens.web.settings import Settings
from genrelens.worker_pool import Limits
from support.commands import run


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Collect the settings of servers instead of starting them."""
    seen: list[Settings] = []

    def serve(settings: Settings, sock: Any, on_ready: Any) -> None:
        seen.append(settings)
        on_ready()

    monkeypatch.setattr(server, "serve", serve)
    return seen


def test_defaults(capsys: pytest.CaptureFixture[str], started: list[Settings]) -> None:
    result = run(capsys, "serve", "--port", "0", "--workers", "3")
    assert result.code == 0
    assert started == [Settings(workers=3)]
    assert result.err.startswith("Listening on http://127.0.0.1:")


def test_options(capsys: pytest.CaptureFixture[str], started: list[Settings], model: Path) -> None:
    arguments = (
        "--workers",
        "3",
        "--max-upload",
        "7M",
        "--max-seconds",
        "90",
        "--queue",
        "5",
        "--timeout",
        "2.5",
        "--model",
        model,
        "--root-path",
        "/genre/",
        "--allow-host",
        "a",
        "--allow-host",
        "b",
        "--log-level",
        "info",
    )
    result = run(capsys, "serve", "--port", "0", *arguments)
    assert result.code == 0
    assert result.err.endswith("/genre (Ctrl-C to stop)\n")
    expected = Settings(
        model=str(model),
        workers=3,
        queue=5,
        max_upload=7 * 2**20,
        timeout=2.5,
        limits=Limits(seconds=90),
        root_path="/genre",
        allow_hosts=("a", "b"),
        log_level="info",
    )
    assert started == [expected]


def test_as_many_workers_as_cores(
    capsys: pytest.CaptureFixture[str], started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(5), raising=False)
    assert run(capsys, "serve", "--port", "0").code == 0
    assert started[0].workers == 5


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("2k", 2048), ("3M", 3 * 2**20), ("3 MiB", None), ("4gb", 2**32), ("5KiB", 5120)],
)
def test_sizes(
    capsys: pytest.CaptureFixture[str], started: list[Settings], text: str, size: int | None
) -> None:
    result = run(capsys, "serve", "--port", "0", "--max-upload", text)
    assert [settings.max_upload for settings in started] == ([size] if size else [])
    assert result.code == (0 if size else 2)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5M", "M", "10T", "many"])
def test_invalid_sizes(
    capsys: pytest.CaptureFixture[str], started: list[Settings], text: str
) -> None:
    result = run(capsys, "serve", "--port", "0", "--max-upload", text)
    assert (result.code, started) == (2, [])
    assert "must have the form 100M" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        *(("--port", "70000"), ("--queue", "-1"), ("--timeout", "0"), ("--max-seconds", "0")),
        ("--log-level", "loud"),
    ],
)
def test_invalid_numbers(
    capsys: pytest.CaptureFixture[str], started: list[Settings], arguments: tuple[str, str]
) -> None:
    assert (run(capsys, "serve", *arguments).code, started) == (2, [])


def test_invalid_root_path(capsys: pytest.CaptureFixture[str], started: list[Settings]) -> None:
    result = run(capsys, "serve", "--root-path", "genre", "--workers", "1")
    assert (result.code, started) == (2, [])
    assert "root_path=genre must have the form /genre" in result.err


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.1", "a" * 300])
def test_address_of_another_machine(
    capsys: pytest.CaptureFixture[str], started: list[Settings], host: str
) -> None:
    result = run(capsys, "serve", "--host", host, "--port", "0")
    assert (result.code, started) == (2, [])
    assert f"error: cannot listen on {host}:0 (" in result.err


def test_ipv6(capsys: pytest.CaptureFixture[str], started: list[Settings]) -> None:
    result = run(capsys, "serve", "--host", "::1", "--port", "0")
    if "cannot listen" in result.err:
        pytest.skip("this machine has no IPv6")
    assert result.err.startswith("Listening on http://[::1]:")


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "prometheus_client"])
def test_without_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == package or name.startswith("genrelens.web"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    result = run(capsys, "serve", "--port", "0")
    assert result.code == 3
    words = f"{package} is not installed; it comes with: pip install 'genrelens[web]'"
    assert result.err == f"error: {words}\n"


@pytest.mark.parametrize(
    "changes", [{"workers": 0}, {"max_upload": 0}, {"queue": -1}, {"timeout": 0.0}, {"uploads": 0}]
)
def test_settings_are_checked(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        Settings(**changes)
