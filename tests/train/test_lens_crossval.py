"""Cross-validation of lens: held-out sets, noise within folds, calibration with one command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrelens.data.folders import read_folder
from genrelens.data.protocols import grouped_folds
from genrelens.data.splits import Split
from genrelens.evaluation.held_out_sets import HeldOutSets
from genrelens.model_file import ModelFile
from genrelens.train.recipe import HeadConfig, Recipe
from support import tiny, tiny_musicnn
from support.commands import run

HEAD = HeadConfig(
    copies=("microphone",),
    copy_seconds=1.0,
    run_lengths=(1, 2),
    networks=1,
    hidden=8,
    epochs=1,
    batch_size=8,
    styles={"humming": "chords"},
)


@pytest.fixture
def split(tmp_path: Path) -> Split:
    """Two folds of 24 clips, with one recording by a microphone in each fold."""
    data = tiny.write_clips(tmp_path / "data", per_genre=8)
    for number in range(2):
        name = f"chords.{number}-snippet-1.5-0.wav"
        soundfile.write(data / "chords" / name, tiny.sound("chords", 1.5, seed=number), tiny.RATE)
    clips = read_folder(data)
    grouped = [replace(c, group=c.path.stem.partition("-snippet")[0]) for c in clips]
    return grouped_folds(grouped, 2, seed=1)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_crossval_writes_held_out_sets_for_the_calibration(
    split: Split,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from genrelens.train.crossval import cross_validate, test_rounds
    from genrelens.train.job import Run
    from genrelens.train.trainer import Hardware

    monkeypatch.setattr("genrelens.train.lens.fit.read_musicnn", lambda *_: tiny_musicnn.weights())
    folds = test_rounds(split)
    settings = Run(
        recipe=Recipe(name="tiny", network="musicnn", features=tiny.LENS, head=HEAD),
        folder=tmp_path / "run",
        cache_dir=tmp_path / "cache",
        hardware=Hardware(device="cpu", progress=False),
        musicnn=Path("wheel"),
    )
    tables = cross_validate(settings, split)
    held = HeldOutSets.load(tmp_path / "run" / "sets.npz")
    assert set(held.clips.tolist()) == set(tables["musicnn"].clips)
    assert sorted(set(held.rounds.tolist())) == [1, 2]
    assert sorted(set(held.sizes[~held.whole].round().tolist())) == [1, 2, 3, 4]
    assert int((held.microphone & held.whole).sum()) == 2
    assert np.isfinite(held.snr).all()
    table = tables["musicnn"]
    of_table = dict(zip(table.clips, table.probabilities, strict=True))
    powers = np.exp(held.logits[held.whole])
    for name, row in zip(held.clips[held.whole].tolist(), powers, strict=True):
        np.testing.assert_allclose(row / row.sum(), of_table[name], atol=1e-5)

    entries = [path.stem.split("-") for path in (tmp_path / "cache").glob("features-*/*.npz")]
    pools = {entry[1] for entry in entries if len(entry) > 1}
    assert len(pools) == len(
        {folds[clip.path] for clip in split.clips if "snippet" in clip.path.name}
    )
    assert len({entry[0] for entry in entries}) == len(entries), "each clip has one pool"

    model = tmp_path / "run" / "round-1" / "model.onnx"
    result = run(capsys, "calibrate", model, tmp_path / "run" / "sets.npz", "--sure", "0.3")
    assert result.code == 0, result.err
    assert "temperature of  1 segment " in result.out
    metadata = ModelFile.load(model).metadata
    assert len(metadata.genre_rules) == 3
    assert metadata.noise_rule
    assert metadata.styles[-1].parent == "chords"
