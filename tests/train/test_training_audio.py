"""Recordings of the training: stored in the model, compared by content, and reported."""

from __future__ import annotations

import importlib.util
import json
import shutil
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from genrelens.data.folders import LabelledClip, read_folder
from genrelens.errors import DataError
from genrelens.evaluation.prediction_table import PredictionTable
from genrelens.evaluation.provenance import data_fingerprint
from genrelens.evaluation.run import evaluate
from genrelens.library import audio_digest
from genrelens.model_file import ModelFile, packaged_models
from genrelens.training_audio import TrainingAudio
from support.commands import Result, run

if TYPE_CHECKING:
    from support.runs import Start

ROOT = Path(__file__).resolve().parents[2]
GTZAN = ROOT.parent / "shared" / "gtzan"
WARNING = "4 of 6 clips were in the model's training; figures on them do not apply to unseen"


# ------------------------------------------------------------------------------ hashes


def digests(n: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [rng.bytes(20).hex() for _ in range(n)]


def test_round_trip_as_json() -> None:
    some = digests(7)
    audio = TrainingAudio.of(some[:5])
    again = TrainingAudio.from_provenance(json.loads(json.dumps(audio.to_provenance())))
    assert again == audio
    assert [digest in audio for digest in some] == [True] * 5 + [False] * 2
    assert len(audio) == 5


def test_two_thousand_recordings_fit_into_30_kb() -> None:
    entry = TrainingAudio.of(digests(2000)).to_provenance()
    assert len(json.dumps(entry)) < 30_000
    backwards = TrainingAudio.of(reversed(digests(2000))).to_provenance()
    assert backwards == entry  # the file does not depend on the order


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "x",
        {},
        {"hash": "MD5", "hashes": ""},
        {"hashes": 7},
        {"hashes": "%%%"},
        {"hashes": "AAAA"},
    ],
)
def test_unreadable_entries(entry: Any) -> None:
    """Provenance is free-form: an unreadable entry counts as absent."""
    if isinstance(entry, dict) and "hash" not in entry and entry:
        entry = {**TrainingAudio.of([]).to_provenance()["training_audio"], **entry}
    assert TrainingAudio.from_provenance({"training_audio": entry}) is None
    assert TrainingAudio.from_provenance({}) is None


def test_the_digest_is_the_same_on_every_machine(tmp_path: Path) -> None:
    """Hashes in model files are compared with digests that are computed elsewhere, and later."""
    with wave.open(str(tmp_path / "ramp.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.arange(-8000, 8000, dtype="<i2").tobytes())
    assert audio_digest(tmp_path / "ramp.wav").startswith("99faf65f73de116b")


# ------------------------------------------------------------------------------ judging


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledClip]:
    from support import tiny

    return read_folder(tiny.write_clips(tmp_path_factory.mktemp("data") / "clips", per_genre=2))


@pytest.fixture(scope="module")
def marked_model(tmp_path_factory: pytest.TempPathFactory, clips: list[LabelledClip]) -> Path:
    """A model that was trained on the first four of six clips."""
    from support.small_models import write_model

    audio = TrainingAudio.of(audio_digest(clip.path) for clip in clips[:4])
    return write_model(tmp_path_factory.mktemp("model"), provenance=audio.to_provenance())


def flags(model: Path, clips: list[LabelledClip]) -> list[bool] | None:
    from genrelens import Classifier

    found = evaluate(Classifier.load(model, threads=1), clips).table.in_training
    return None if found is None else found.tolist()


def test_clips_of_the_training_are_marked(marked_model: Path, clips: list[LabelledClip]) -> None:
    assert flags(marked_model, clips) == [True] * 4 + [False] * 2


def test_recordings_are_compared_by_content(
    marked_model: Path, clips: list[LabelledClip], tmp_path: Path
) -> None:
    """Another name and new tags do not matter. Another encoding is another recording."""
    import mutagen.wave
    import soundfile
    from mutagen.id3 import TIT2

    renamed, encoded = tmp_path / "other.wav", tmp_path / "other.flac"
    shutil.copy(clips[0].path, renamed)
    tagged = mutagen.wave.WAVE(renamed)
    tagged.add_tags()
    tagged.tags.add(TIT2(text="a title"))
    tagged.save()
    soundfile.write(encoded, *soundfile.read(clips[0].path))
    copies = [LabelledClip(path, clips[0].label) for path in (renamed, encoded)]
    assert flags(marked_model, [replace(copies[0]), clips[5]]) == [True, False]
    assert flags(marked_model, [copies[1], clips[5]]) == [False, False]


def test_a_model_of_a_former_version_has_no_marks(model: Path, clips: list[LabelledClip]) -> None:
    assert flags(model, clips) is None


def test_the_table_keeps_the_marks(
    marked_model: Path, clips: list[LabelledClip], tmp_path: Path
) -> None:
    from genrelens import Classifier

    table = evaluate(Classifier.load(marked_model, threads=1), clips).table
    table.save(tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text().startswith("clip,genre,in_training,chords,")
    for again in (
        PredictionTable.load(tmp_path / "p.csv"),
        PredictionTable.from_dict(json.loads(json.dumps(table.to_dict()))),
    ):
        assert again.in_training is not None
        assert again.in_training.tolist() == [True] * 4 + [False] * 2
        assert again.training_warning.startswith(WARNING)
    assert table.select([4, 5]).training_warning == ""
    assert table.select([0]).training_warning.startswith("the only clip was in")


@pytest.mark.parametrize(
    ("column", "expected"), [("yes,no", [True, False]), ("True,false", [True, False]), (",", None)]
)
def test_marks_in_a_file(column: str, expected: list[bool] | None, tmp_path: Path) -> None:
    one, two = column.split(",")
    path = tmp_path / "p.csv"
    path.write_text(f"clip,genre,in_training,a,b\nx,a,{one},1,0\ny,b,{two},0,1\n")
    found = PredictionTable.load(path).in_training
    assert (None if found is None else found.tolist()) == expected


def test_invalid_mark(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("clip,genre,in_training,a,b\nx,a,maybe,1,0\n")
    with pytest.raises(DataError, match="line 2: in_training='maybe' must be yes or no"):
        PredictionTable.load(path)


# ------------------------------------------------------------------------------ what is reported


@pytest.fixture
def genrelens(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    return lambda *args: run(capsys, *args)


Genrelens = Callable[..., Result]


def test_text_json_and_page_warn(
    genrelens: Genrelens,
    marked_model: Path,
    clips: list[LabelledClip],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("confusion", "recall", "reliability", "rejection")
    empty = dict.fromkeys(names, b"<svg/>")
    monkeypatch.setattr("genrelens.evaluation.report.write._draw", lambda *_: ({}, empty))
    folder = clips[0].path.parent.parent
    text = genrelens("evaluate", folder, "-m", marked_model, "--report", tmp_path / "report").out
    assert f"warning       {WARNING}" in text
    found = json.loads(genrelens("evaluate", folder, "-m", marked_model, "--json").out)
    assert found["in_training"] == 4
    assert found["warning"].startswith(WARNING)
    assert found["provenance"]["training_recordings"] == 4
    page = (tmp_path / "report" / "index.html").read_text()
    assert "Warning: 4 of 6 clips were in the model&#39;s training" in page
    csv = tmp_path / "report" / "predictions.csv"
    assert f"warning       {WARNING}" in genrelens("evaluate", "--predictions", csv).out
    compared = genrelens("compare", csv, csv)
    assert compared.out.count(f"{csv}: {WARNING}") == 2
    models = json.loads(genrelens("compare", csv, csv, "--json").out)["models"]
    assert [each["in_training"] for each in models] == [4, 4]
    assert models[0]["warning"].startswith(WARNING)


def test_absence_of_training_clips_is_reported_too(
    genrelens: Genrelens, model: Path, marked_model: Path, clips: list[LabelledClip], tmp_path: Path
) -> None:
    folder = tmp_path / "unseen"
    for clip in clips[4:]:
        shutil.copy(
            clip.path,
            (folder / clip.label).mkdir(parents=True, exist_ok=True) or folder / clip.label,
        )
    known = genrelens("evaluate", folder, "-m", marked_model).out
    assert "training      none of the 4 training recordings is among these clips" in known
    unknown = genrelens("evaluate", folder, "-m", model).out
    assert "training      the model file does not list its training recordings" in unknown
    assert "warning" not in known + unknown


# ------------------------------------------------------------------------------ training


def test_a_run_stores_what_it_was_trained_on(trained: Path, start: Start) -> None:
    """Only clips of train; a report on the same clips has the same fingerprint."""
    provenance = ModelFile.load(trained / "model.onnx").metadata.provenance
    audio = TrainingAudio.from_provenance(provenance)
    assert audio is not None
    assert [audio_digest(clip.path) in audio for clip in start.clips] == [
        clip.part == "train" for clip in start.clips
    ]
    data = provenance["data"]
    assert data["fingerprint"] == data_fingerprint(start.clips)
    for part in ("train", "valid"):
        of_part = [clip for clip in start.clips if clip.part == part]
        assert data["fingerprints"][part] == data_fingerprint(of_part)


def test_a_label_map_does_not_change_the_fingerprint(clips: list[LabelledClip]) -> None:
    folder = clips[0].path.parent.parent
    renamed = read_folder(folder, label_map={"noise": "clicks"})
    assert {clip.label for clip in renamed} == {"chords", "clicks"}
    assert data_fingerprint(renamed) == data_fingerprint(clips)
    assert data_fingerprint(clip.renamed("x") for clip in renamed) == data_fingerprint(clips)


def test_a_report_has_the_fingerprint_of_the_model(
    genrelens: Genrelens, trained: Path, start: Start
) -> None:
    folder = start.clips[0].path.parent.parent
    found = json.loads(genrelens("evaluate", folder, "-m", trained / "model.onnx", "--json").out)
    origin = found["provenance"]
    assert origin["data_fingerprint"] == origin["model_data_fingerprints"]["all"]
    assert found["in_training"] == 9


# ------------------------------------------------------------------------------ former files


@pytest.fixture
def script() -> ModuleType:
    path = ROOT / "scripts" / "stamp_training.py"
    spec = importlib.util.spec_from_file_location("stamp_training", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def former(model: Path, path: Path, **changes: Any) -> Path:
    """Write a model as former versions did: without hashes, and with their fingerprint."""
    from genrelens.train.export import replace_metadata

    metadata = ModelFile.load(model).metadata
    run_file = json.loads((model.parent / "run.json").read_text())
    provenance = {**metadata.provenance, "data": {"fingerprint": run_file["data"], **changes}}
    del provenance["training_audio"]
    replace_metadata(model, replace(metadata, provenance=provenance), path)
    return path


def test_the_script_adds_hashes_to_a_file_of_a_former_version(
    script: ModuleType, trained: Path, start: Start, tmp_path: Path
) -> None:
    """Afterwards, the provenance equals that of a new training; the graph is unchanged."""
    import onnx

    path = former(trained / "model.onnx", tmp_path / "former.onnx")
    assert script.stamp(path, start.clips) == 9
    assert script.stamp(path, start.clips) == 9  # again, by the new fingerprints
    expected = ModelFile.load(trained / "model.onnx").metadata.provenance
    found = ModelFile.load(path).metadata.provenance
    assert found["training_audio"] == expected["training_audio"]
    assert found["data"]["fingerprints"] == expected["data"]["fingerprints"]
    assert onnx.load(path).graph == onnx.load(trained / "model.onnx").graph


@pytest.mark.parametrize("again", [False, True])
def test_other_clips_are_refused(
    again: bool, script: ModuleType, trained: Path, start: Start, tmp_path: Path
) -> None:
    path = former(trained / "model.onnx", tmp_path / "former.onnx")
    if again:
        script.stamp(path, start.clips)
    before = path.read_bytes()
    with pytest.raises(DataError, match="was trained on other clips"):
        script.stamp(path, start.clips[1:])
    assert path.read_bytes() == before


@pytest.fixture(scope="module")
def gtzan_digests() -> list[str]:
    if not (GTZAN / "audio").is_dir():
        return []
    return [audio_digest(clip.path) for clip in read_folder(GTZAN / "audio")]


@pytest.mark.parametrize("name", packaged_models())
def test_packaged_models_store_their_training_clips(name: str, gtzan_digests: list[str]) -> None:
    """Also other recordings than GTZAN's, in the case of ``lens``."""
    metadata = ModelFile.load(name).metadata
    audio = TrainingAudio.from_provenance(metadata.provenance)
    assert audio is not None
    n = sum(metadata.provenance["data"]["clips"]["train"].values())
    assert len(audio) >= n
    if not gtzan_digests:
        pytest.skip(f"the clips of GTZAN are not at {GTZAN}")
    assert sum(digest in audio for digest in gtzan_digests) == min(n, len(gtzan_digests))
