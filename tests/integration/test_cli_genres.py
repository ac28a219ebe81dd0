"""``classify`` and ``evaluate``: several genres, a choice of genres, changes and noise."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genrelens import Classifier
from genrelens.metadata import GenreRule, StyleTag
from genrelens.percentages import percent
from support import synth, tiny
from support.commands import Result
from support.numpy_model import joined, numpy_classifier

Genrelens = Callable[..., Result]

RULES = (GenreRule(1.0, 0.0, 0.2),) * 3


@pytest.fixture
def numpy_model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the commands load a numpy model with the given metadata."""

    def use(**metadata: Any) -> None:
        monkeypatch.setattr(Classifier, "load", lambda *_, **__: numpy_classifier(**metadata))

    return use


@pytest.fixture
def medley(tmp_path: Path) -> Path:
    """15 s of chords and 15 s of clicks."""
    path = tmp_path / "medley.wav"
    path.write_bytes(synth.write(joined(("chords", 15), ("clicks", 15)), tiny.RATE))
    return path


def lines(result: Result) -> list[str]:
    assert (result.code, result.err) == (0, "")
    return [line.rstrip() for line in result.out.splitlines()]


def test_changes(genrelens: Genrelens, numpy_model: Callable[..., None], medley: Path) -> None:
    numpy_model()
    assert lines(genrelens("classify", medley))[1] == "Changes: chords, clicks"
    (document,) = json.loads(genrelens("classify", medley, "--json", "--timeline").out)
    assert (document["verdict"], document["changes"]) == ("changes", ["chords", "clicks"])
    assert [section["verdict"] for section in document["sections"]] == ["genre", "genre"]
    (row,) = csv.DictReader(io.StringIO(genrelens("classify", medley, "--csv").out))
    assert (row["verdict"], row["changes"]) == ("changes", "chords|clicks")
    assert row["genres"].split("|") == [g["name"] for g in document["genres"] if g["applies"]]
    assert float(row["snr"]) == document["snr"]


def test_several_genres_and_styles_below_them(
    genrelens: Genrelens, numpy_model: Callable[..., None], medley: Path
) -> None:
    styles = (StyleTag("loud", 0.001, "clicks"), StyleTag("soft", 0.99))
    numpy_model(genre_rules=RULES, sure_threshold=0.1, styles=styles)
    (document,) = json.loads(genrelens("classify", medley, "--json").out)
    names = [genre["name"] for genre in document["genres"] if genre["applies"]]
    assert sorted(names) == ["chords", "clicks"]
    shown = lines(genrelens("classify", medley))
    assert shown[1] == f"The predicted genre is: {document['genre']}"
    (loud,) = [style for style in document["styles"] if style["applies"]]
    share = percent(loud["probability"])
    assert shown[-2:] == [f"Genres: {', '.join(names)}", f"Styles: clicks > loud {share}"]


def test_noise_is_named_as_the_reason(
    genrelens: Genrelens, numpy_model: Callable[..., None], tmp_path: Path
) -> None:
    """The model takes the loudness of the features, about 7 for noise, for the ratio in dB."""
    path = tmp_path / "noise.wav"
    path.write_bytes(synth.write(tiny.sound("noise", 4), tiny.RATE))
    numpy_model(noise_rule=((8.0, 0.5),))
    first, headline, *_ = lines(genrelens("classify", path))
    assert first.endswith("noise.wav (4.0 s, noisy: about 7 dB)")
    assert headline.startswith("Not sure: noise 100 %")
    assert "sounds" not in headline
    numpy_model(noise_rule=((5.0, 0.5),))
    assert "noisy" not in genrelens("classify", path).out


def test_a_choice_of_genres(
    genrelens: Genrelens, numpy_model: Callable[..., None], medley: Path
) -> None:
    numpy_model()
    rows = lines(genrelens("classify", medley, "--genres", "Noise, CLICKS,"))[1:]
    assert rows[0] == "The predicted genre is: clicks"
    assert [row.split()[0] for row in rows[1:3]] == ["clicks", "noise"]
    (row,) = csv.DictReader(
        io.StringIO(genrelens("classify", medley, "--genres", "noise,clicks", "--csv").out)
    )
    assert list(row)[1:4] == ["genre", "clicks", "noise"]


@pytest.mark.parametrize(
    ("genres", "words"),
    [
        ("noise,click", "has no genre 'click' (did you mean 'clicks'?); it has chords, clicks"),
        ("noise", "1 genre was given; at least 2 are needed"),
        (",", "no genres were given; at least 2 are needed"),
    ],
)
def test_wrong_choices_of_genres(
    genrelens: Genrelens, numpy_model: Callable[..., None], medley: Path, genres: str, words: str
) -> None:
    numpy_model()
    result = genrelens("classify", medley, "--genres", genres)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert "--genres" in result.err


# ------------------------------------------------------------------------------------- evaluate


@pytest.fixture
def two_genres(tmp_path: Path) -> Path:
    """Clips of two genres; one of them is clicks, which is neither, labelled noise."""
    folder = tiny.write_clips(tmp_path / "data", per_genre=2)
    (folder / "clicks" / "clicks.0.wav").rename(folder / "noise" / "clicks.0.wav")
    (folder / "clicks" / "clicks.1.wav").unlink()
    (folder / "clicks").rmdir()
    return folder


def test_evaluate_chooses_from_the_genres_of_the_folder(
    genrelens: Genrelens, model: Path, two_genres: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among two genres the clip of clicks is more like chords."""
    monkeypatch.chdir(two_genres.parent)
    document = json.loads(genrelens("evaluate", two_genres, "-m", model, "--json").out)
    whole = document["unrestricted"]
    assert (document["labels"], document["n"]) == (["chords", "noise"], 5)
    assert (whole["labels"], whole["n"]) == (["chords", "clicks", "noise"], 5)
    assert whole["confusion"] == [[2, 0, 0], [0, 0, 0], [0, 1, 2]]
    assert document["confusion"] == [[2, 0], [1, 2]]
    shown = genrelens("evaluate", two_genres, "-m", model, "--report", "out").out
    assert "Among all 3 of the model: accuracy 80.0 % (" in shown
    report = json.loads(Path("out/metrics.json").read_text())
    figures = {"genres": 3, "accuracy": 0.8, "macro_recall": pytest.approx(5 / 6)}
    assert report["provenance"]["among_all_genres"] == figures


def test_evaluate_part_of_a_folder_chooses_from_all_its_genres(
    genrelens: Genrelens, model: Path, tmp_path: Path
) -> None:
    """The folder has all genres of the model, so nothing is restricted."""
    folder = tiny.write_clips(tmp_path / "data", per_genre=2)
    names = sorted(path.stem for path in folder.glob("*/*.wav"))
    split = tmp_path / "split.csv"
    rows = [f"{name},{'train' if name.startswith('clicks') else 'valid'}" for name in names]
    split.write_text("\n".join(["clip,split", *rows]))
    result = genrelens("evaluate", folder, "-m", model, "--split", split, "--json")
    document = json.loads(result.out)
    assert (document["n"], document["labels"]) == (4, [*tiny.GENRES])
    assert "unrestricted" not in document


def test_renamed_genres_belong_together(
    genrelens: Genrelens, model: Path, two_genres: Path
) -> None:
    """Clicks of the model are counted as noise, so all three genres are among those chosen from."""
    relabel = ("--relabel", "clicks=noise")
    document = json.loads(genrelens("evaluate", two_genres, "-m", model, *relabel, "--json").out)
    assert (document["labels"], document["accuracy"]) == (["chords", "noise"], 1.0)
    assert "unrestricted" not in document
