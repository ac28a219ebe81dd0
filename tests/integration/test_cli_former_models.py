"""``genrelens tag`` and ``audit`` with predictions by another version of a packaged model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from genrelens import LibraryError
from genrelens.library import Catalog, read_plan
from genrelens.model_file import model_digest
from genrelens.tags import read_tags
from support.commands import Result, run
from support.shelf import shelve, song

Genrelens = Callable[..., Result]

FORMER = "0" * 64
WARNING = "warning: files that another version of the model lens classified: 1; run genrelens scan"


@pytest.fixture
def genrelens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Genrelens:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENRELENS_DB", str(tmp_path / "catalog.sqlite"))
    monkeypatch.setenv("GENRELENS_JOURNAL", str(tmp_path / "journal.sqlite"))
    with Catalog.open() as catalog:
        for folder, kind, digest in (
            ("old", "mp3", FORMER),
            ("new", "flac", model_digest("lens")),  # other audio, so another prediction
        ):
            path = song(tmp_path / folder, "song.mp3", kind)
            shelve(catalog, path, "jazz", name="lens", model_digest=digest)
        gone = song(tmp_path / "old", "gone.mp3")
        shelve(catalog, gone, "jazz", name="lens", model_digest=FORMER)
        gone.unlink()
    return lambda *args: run(capsys, *args)


@pytest.mark.parametrize("command", ["tag", "audit"])
def test_only_files_of_the_inputs_that_exist_count(genrelens: Genrelens, command: str) -> None:
    assert genrelens(command, "new").err == ""
    assert genrelens(command, "old").err.strip() == WARNING
    assert genrelens("list", "--under", "old").err.strip() == WARNING


def test_a_plan_states_the_version_of_its_model(genrelens: Genrelens, tmp_path: Path) -> None:
    assert genrelens("tag", "old", "new", "--plan", "plan.jsonl").code == 0
    header = json.loads((tmp_path / "plan.jsonl").read_text().splitlines()[0])
    assert header["model_digests"] == {"lens": sorted([FORMER, model_digest("lens")])}
    plan = read_plan("plan.jsonl")
    assert plan.former_models == ["lens"]


def test_a_plan_of_a_former_version_is_applied_with_a_warning(
    genrelens: Genrelens, tmp_path: Path
) -> None:
    genrelens("tag", "old", "--plan", "old.jsonl")
    genrelens("tag", "new", "--plan", "new.jsonl")
    assert genrelens("tag", "new.jsonl", "--apply").err == ""
    result = genrelens("tag", "old.jsonl", "--apply")
    assert result.code == 0
    assert result.err == (
        "warning: another version of the model lens made the predictions of this plan; "
        "to use this version, run genrelens scan and make the plan again\n"
    )
    assert read_tags(tmp_path / "old" / "song.mp3").genres == ("Jazz",)


def test_a_plan_without_the_field_is_read(genrelens: Genrelens, tmp_path: Path) -> None:
    genrelens("tag", "old", "--plan", "plan.jsonl")
    header, *changes = (tmp_path / "plan.jsonl").read_text().splitlines()
    values = json.loads(header)
    del values["model_digests"]
    (tmp_path / "plan.jsonl").write_text("\n".join([json.dumps(values), *changes]))
    assert read_plan("plan.jsonl").former_models == []
    assert genrelens("tag", "plan.jsonl", "--apply").err == ""


@pytest.mark.parametrize("value", ["lens", ["lens"], {"lens": "0"}, {"lens": [1]}, None])
def test_an_invalid_field_is_refused(tmp_path: Path, genrelens: Genrelens, value: object) -> None:
    genrelens("tag", "old", "--plan", "plan.jsonl")
    header = json.loads((tmp_path / "plan.jsonl").read_text().splitlines()[0])
    (tmp_path / "plan.jsonl").write_text(json.dumps({**header, "model_digests": value}))
    with pytest.raises(LibraryError, match="line 1: model_digests must map names to lists"):
        read_plan(tmp_path / "plan.jsonl")
