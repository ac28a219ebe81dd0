"""``genrelens env``: a report that works when something is broken."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import genrelens
from genrelens.model_file import model_digest
from support.commands import run


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    result = run(capsys, "env", "--json")
    assert (result.code, result.err) == (0, "")
    document: dict[str, Any] = json.loads(result.out)
    return document


def test_versions_decoders_and_models(capsys: pytest.CaptureFixture[str]) -> None:
    import av
    import soundfile

    document = report(capsys)
    assert document["genrelens"].startswith(f"{genrelens.__version__} in ")
    assert document["packages"]["numpy"] == metadata.version("numpy")
    assert document["libraries"]["libsndfile"] == soundfile.__libsndfile_version__
    codec = ".".join(map(str, av.library_versions["libavcodec"]))
    assert f"libavcodec {codec}" in document["libraries"]["FFmpeg"]
    assert ".mp3" in document["decoders"]["libsndfile or FFmpeg"].split()
    assert model_digest("lens")[:16] in document["models"]["lens"]
    assert document["models"]["lens"].endswith(", the default")
    assert "error" not in json.dumps(document["paths"])


def test_text_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    document = report(capsys)
    lines = run(capsys, "env").out.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == [*document]
    numpy = document["packages"]["numpy"]
    assert any(line.split()[-2:] == ["numpy", numpy] for line in lines)


def test_home_folder_is_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GENRELENS_DB", str(tmp_path / "my.sqlite"))
    monkeypatch.setenv("GENRELENS_JOURNAL", f"{tmp_path}-other/journal.sqlite")
    (tmp_path / "my.sqlite").write_bytes(bytes(1_500_000))
    document = report(capsys)
    assert document["paths"]["catalogue"] == "~/my.sqlite (1.5 MB)"
    assert document["variables"]["GENRELENS_DB"] == "~/my.sqlite"
    other = document["paths"]["journal"]
    assert other == f"{tmp_path}-other/journal.sqlite (does not exist)"


def test_a_broken_package_is_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    document = report(capsys)
    assert document["libraries"]["FFmpeg"].startswith("error: ModuleNotFoundError: ")
    assert document["libraries"]["libsndfile"].startswith("error: ")
    assert document["libraries"]["soxr"]


def test_an_installation_without_metadata(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    document = report(capsys)
    assert document["packages"].startswith("error: PackageNotFoundError")
    assert document["extras"].startswith("error: PackageNotFoundError")


def test_extras_that_are_not_complete(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = [
        "numpy>=2",
        "no-such>=1; extra == 'some'",
        "numpy>=2; extra == 'all'",
        "x; extra=='dev'",
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: needs)
    assert report(capsys)["extras"] == {"some": "without no-such", "all": "installed"}
