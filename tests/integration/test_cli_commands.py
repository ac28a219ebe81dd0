"""``genrelens features``, ``genrelens models`` and ``genrelens`` alone."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genrelens import extract_segments, load_audio
from genrelens.features import ORIGINAL_MEL, ORIGINAL_MFCC
from support import synth, tiny
from support.commands import Result
from support.small_models import write_model
from support.sparse import empty_wav

Genrelens = Callable[..., Result]


# ------------------------------------------------------------------------------- features


def test_features_equal_those_of_the_python_function(genrelens: Genrelens, music: Path) -> None:
    """The command streams the file, the function loads it: the numbers are the same."""
    Path("tone.wav").write_bytes(synth.write(synth.sweep(2, 22_050), 22_050))
    result = genrelens("features", "tone.wav", "--save", "tone.npz")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("tone.wav: 2.00 s, 22050 Hz, 1 channel, decoded by libsndfile\n")
    with np.load("tone.npz") as saved:
        for name, config in [("original_mel", ORIGINAL_MEL), ("original_MFCC", ORIGINAL_MFCC)]:
            y = load_audio("tone.wav", sample_rate=config.sample_rate)
            expected = extract_segments(y, config)
            np.testing.assert_array_equal(saved[name], expected)
            assert f"{expected.min():.2f} to {expected.max():.2f}" in result.out


def test_features_of_a_part_and_of_a_model(genrelens: Genrelens, music: Path, model: Path) -> None:
    path = Path("long.wav")
    path.write_bytes(synth.write(tiny.sound("noise", 5), tiny.RATE))
    result = genrelens("features", path, "-m", model, "--offset", "1", "--duration", "2")
    rows = {line.split("  ")[0]: line.split() for line in result.out.splitlines()[3:]}
    assert rows.keys() == {"original mel", "original MFCC", "tiny"}
    assert rows["tiny"][1:4] == [f"{tiny.RATE}", "Hz", "256"]
    assert rows["tiny"][9] == "7"  # segments of 0.32 s in 2 s, the last of which overlaps


def test_features_plot(genrelens: Genrelens, music: Path) -> None:
    path = empty_wav(Path("silence.wav"), 130)
    result = genrelens("features", path, "--plot", "look.png", "--offset", "5")
    assert Path("look.png").read_bytes().startswith(b"\x89PNG")
    assert result.err == "the plot shows the first 120 s of this part; see --offset\n"


def test_features_in_bounded_memory(genrelens: Genrelens, tmp_path: Path) -> None:
    path = empty_wav(tmp_path / "long.wav", 10 * 60)
    genrelens("features", path, "--duration", "1")  # create what is created once
    tracemalloc.start()
    assert genrelens("features", path).code == 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6  # its samples alone are 106 MB at 44.1 kHz


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gone.wav"], 1, "gone.wav: No such file or directory"),
        (["music"], 1, "music: is a folder, not a recording"),
        (["text.mp3"], 1, "text.mp3: is not audio"),
        (["music/a/noise.wav", "--offset", "9"], 1, "contains no audio samples after 9 s"),
        (["music/a/noise.wav", "--plot", "look"], 2, "the extension of an image"),
        (["music/a/noise.wav", "--save", "gone/x.npz"], 2, "gone/x.npz: cannot be written"),
        (["music/a/noise.wav", "--duration", "0"], 2, "--duration"),
        (["music/a/noise.wav", "--model", "absent"], 3, "absent: is neither a file"),
    ],
)
def test_features_errors(
    genrelens: Genrelens, music: Path, arguments: list[str], code: int, words: str
) -> None:
    result = genrelens("features", *arguments)
    assert result.code == code
    assert words in result.err


# --------------------------------------------------------------------------------- models


def test_details_of_a_model(genrelens: Genrelens, tmp_path: Path) -> None:
    figures = {"accuracy": 0.5, "accuracy_interval": [0.25, 0.75], "macro_recall": 0.4, "n": 8}
    path = write_model(
        tmp_path,
        name="mine",
        description="A \x1b[31mred one.",
        label_map={"hiss": "noise"},
        metrics={"valid": {"mel-cnn": figures}},
        provenance={
            "recipe": {"network": "mel-cnn"},
            "data": {"clips": {"train": {"noise": 3, "clicks": 4}, "valid": {}}},
        },
    )
    card = genrelens("models", path)
    rows = dict(line.rstrip().split("  ", 1) for line in card.out.splitlines())
    assert (card.code, card.err) == (0, "")
    assert rows["model"].strip() == "mine"
    assert rows["description"].strip() == r"A \x1b[31mred one."
    assert rows["genres"].strip() == "chords, clicks, noise"
    assert rows["renamed"].strip() == "hiss -> noise"
    assert rows["styles"].strip() == "none"
    assert rows["abstains"].strip() == "never"
    assert rows["trained on"].strip() == "7 clips (train)"
    assert (
        rows["measured"].strip() == "50.0 % (25.0 to 75.0 %), macro recall 40.0 %, 8 clips (valid)"
    )
    document = json.loads(genrelens("models", path, "--json").out)
    assert (document["name"], document["size"]) == ("mine", path.stat().st_size)
    assert document["features"] == tiny.MEL.to_dict()


def test_figures_on_grouped_folds_come_first(genrelens: Genrelens, tmp_path: Path) -> None:
    figures = {"accuracy": 0.5, "accuracy_interval": [0.25, 0.75], "macro_recall": 0.4, "n": 8}
    protocols = {"random": 0.9, "valid": 0.7, "grouped": 0.6}
    for strictest in ("grouped", "valid", "random"):
        path = write_model(
            tmp_path,
            metrics={name: {"mel-cnn": figures | {"accuracy": p}} for name, p in protocols.items()},
            provenance={"recipe": {"network": "mel-cnn"}},
        )
        share = 100 * protocols.pop(strictest)
        card = genrelens("models", path).out
        assert f"measured     {share:.1f} % (25.0 to 75.0 %)" in card
        assert f"8 clips ({strictest})" in card


def test_details_of_a_model_with_styles(genrelens: Genrelens, listener_model: Path) -> None:
    card = genrelens("models", listener_model)
    rows = [" ".join(line.split()) for line in card.out.splitlines()]
    assert "styles loud, soft" in rows
    assert "abstains not music below 50 %, not sure below 20 %" in rows
    document = json.loads(genrelens("models", listener_model, "--json").out)
    assert document["styles"][1] == {"name": "soft", "threshold": 0.25, "parent": None}


def test_details_of_a_model_without_provenance(genrelens: Genrelens, tmp_path: Path) -> None:
    path = write_model(tmp_path, metrics={"valid": 3}, provenance={"data": ["?"]})
    card = genrelens("models", path).out
    assert "trained on   unknown" in card
    assert "measured     not measured" in card


def test_packaged_models(genrelens: Genrelens) -> None:
    listed = genrelens("models").out
    names = [card["name"] for card in json.loads(genrelens("models", "--json").out)]
    assert names == ["lens", "mel-cnn-lstm", "mfcc-lstm"]
    rows = [line.split() for line in listed.splitlines()[1:4]]
    counts = [["16", "36"], ["9", "none"], ["9", "none"]]
    assert [row[:3] for row in rows] == [[n, *c] for n, c in zip(names, counts, strict=True)]
    assert "renamed      blues -> jazz" in genrelens("models", names[1]).out


def test_missing_model(genrelens: Genrelens) -> None:
    result = genrelens("models", "absent")
    assert (result.code, result.out) == (3, "")
    assert "absent: is neither a file nor a packaged model" in result.err


# ----------------------------------------------------------------------------------- root


def test_help_lists_the_commands(genrelens: Genrelens) -> None:
    short, long, none = (genrelens(*args) for args in (["-h"], ["--help"], []))
    assert (short.code, long.code, none.code) == (0, 0, 2)
    assert short.out == long.out
    for command in ("classify", "models", "features", "evaluate", "train", "data"):
        assert command in short.out
        assert genrelens(command, "-h").code == 0


def test_version(genrelens: Genrelens) -> None:
    from genrelens import __version__

    assert genrelens("--version").out == f"genrelens {__version__}\n"


def test_unknown_command(genrelens: Genrelens) -> None:
    result = genrelens("clasify")
    assert (result.code, result.out) == (2, "")
    assert "No such command 'clasify'" in result.err
