"""Embeddings as a step of a scikit-learn pipeline, on the bundled recordings."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrelens import (
    AudioError,
    AudioWarning,
    Classifier,
    GenrelensEmbeddings,
    MissingExtraError,
    ModelError,
)
from support import songs, synth


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Excerpts of 4 s of three recordings."""
    folder = tmp_path_factory.mktemp("songs")
    for number in range(3):
        songs.put(folder, f"{number}.wav", songs.song(5 * number, 4))
    return sorted(map(str, folder.iterdir()))


@pytest.fixture(scope="module")
def rows(paths: list[str]) -> Any:
    return GenrelensEmbeddings().transform(paths)


def test_rows_are_the_embeddings_of_the_predictions(paths: list[str], rows: Any) -> None:
    assert (rows.shape, rows.dtype) == ((3, 200), np.float32)
    expected = Classifier.load().classify(paths[0]).embedding
    np.testing.assert_allclose(rows[0], expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert len({row.tobytes() for row in rows}) == 3


def test_forms_of_the_input(paths: list[str], rows: Any) -> None:
    transformer = GenrelensEmbeddings(jobs=2)
    column = np.array(paths)[:, None]
    for form in (paths, tuple(map(Path, paths)), column, [Path(p).read_bytes() for p in paths]):
        np.testing.assert_allclose(transformer.transform(form), rows, atol=1e-6)
    pandas = pytest.importorskip("pandas")
    for form in (pandas.Series(paths, index=[3, 1, 2]), pandas.DataFrame({"path": paths})):
        np.testing.assert_allclose(transformer.transform(form), rows, atol=1e-6)
    assert transformer.transform([]).shape == (0, 200)
    assert list(transformer.get_feature_names_out()[[0, -1]]) == ["genrelens0", "genrelens199"]


def test_tables(paths: list[str], rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    base, pipelines = pytest.importorskip("sklearn.base"), pytest.importorskip("sklearn.pipeline")
    transformer = GenrelensEmbeddings()
    assert transformer.set_output(transform="pandas").set_output() is transformer
    table = transformer.transform(pandas.Series(paths, index=[3, 1, 2]))
    assert (list(table.index), table.shape) == ([3, 1, 2], (3, 200))
    assert list(table.columns) == list(transformer.get_feature_names_out())
    np.testing.assert_allclose(table, rows, atol=1e-6)
    for other in (base.clone(transformer), pickle.loads(pickle.dumps(transformer))):
        assert list(other.transform(paths).index) == [0, 1, 2]
    pipeline = pipelines.make_pipeline(GenrelensEmbeddings()).set_output(transform="polars")
    table = pipeline.fit_transform(paths)
    assert isinstance(table, polars.DataFrame)
    np.testing.assert_allclose(table.to_numpy(), rows, atol=1e-6)
    assert transformer.set_output(transform="default").transform(paths).dtype == np.float32
    with pytest.raises(ValueError, match="'csv' is none of default, pandas, polars"):
        transformer.set_output(transform="csv")  # type: ignore[arg-type]
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'genrelens\[polars\]'"):
        transformer.set_output(transform="polars")


@pytest.mark.parametrize("wrong", ["song.mp3", b"song", 3, np.array([["a", "b"], ["c", "d"]])])
def test_wrong_inputs(wrong: Any) -> None:
    with pytest.raises(ValueError, match="paths"):
        GenrelensEmbeddings().transform(wrong)


def test_recordings_without_embedding(tmp_path: Path, paths: list[str], rows: Any) -> None:
    silent, missing = tmp_path / "silent.wav", str(tmp_path / "missing.mp3")
    silent.write_bytes(synth.write(np.zeros(32_000, np.float32), 16_000))
    with pytest.raises(AudioError, match=r"missing\.mp3"):
        GenrelensEmbeddings().transform([paths[0], missing])
    with pytest.raises(AudioError, match=r"silent\.wav: is silent"):
        GenrelensEmbeddings().transform([silent])
    transformer = GenrelensEmbeddings(on_error="nan")
    with pytest.warns(AudioWarning) as caught:
        result = transformer.transform([missing, paths[0], silent])
    assert ["missing.mp3" in str(each.message) for each in caught] == [True, False]
    assert {Path(each.filename).name for each in caught} == {Path(__file__).name}
    assert np.isnan(result).all(axis=1).tolist() == [True, False, True]
    np.testing.assert_allclose(result[1], rows[0], atol=1e-6)


def test_wrong_parameters(paths: list[str]) -> None:
    with pytest.raises(ModelError, match="mfcc-lstm: gives no embeddings"):
        GenrelensEmbeddings("mfcc-lstm").transform(paths)
    with pytest.raises(ModelError, match="absent"):
        GenrelensEmbeddings("absent.onnx").transform([])
    with pytest.raises(ValueError, match="on_error='skip'"):
        GenrelensEmbeddings(on_error="skip").transform([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="jobs=0"):
        GenrelensEmbeddings(jobs=0).transform(paths)
    with pytest.raises(ValueError, match="'speed' is none of model, jobs, fast, on_error"):
        GenrelensEmbeddings().set_params(speed=2)


def test_parameters_copies_and_pickles(paths: list[str]) -> None:
    transformer = GenrelensEmbeddings(jobs=2)
    transformer.transform(paths[:1])
    other = transformer.set_params(on_error="nan", fast=True)
    text = "GenrelensEmbeddings(model=None, jobs=2, fast=True, on_error='nan')"
    copies = (other, copy.copy(other), copy.deepcopy(other), pickle.loads(pickle.dumps(other)))
    assert {repr(each) for each in copies} == {text}
    assert len(pickle.dumps(other)) < 500  # without the model
    assert transformer.transform(paths[:1]).shape == (1, 200)


# ---------------------------------------------------------------------------- scikit-learn


def test_scikit_learn_pipelines(tmp_path: Path, paths: list[str]) -> None:
    pytest.importorskip("sklearn")
    from joblib import Memory
    from sklearn.base import clone
    from sklearn.compose import make_column_transformer
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline

    assert repr(clone(GenrelensEmbeddings(jobs=2))) == repr(GenrelensEmbeddings(jobs=2))
    pipeline = Pipeline(
        [("embed", GenrelensEmbeddings(jobs=2)), ("classify", KNeighborsClassifier(1))],
        memory=Memory(tmp_path, verbose=0),
    )
    predicted = pipeline.set_params(embed__on_error="nan").fit(paths, paths).predict(paths)
    assert list(predicted) == paths
    names = pipeline[:-1].get_feature_names_out()
    assert len(names) == 200
    assert "GenrelensEmbeddings" in pipeline._repr_html_()
    folds = GroupKFold(3)
    out = cross_val_predict(pipeline, paths, list("abc"), groups=[0, 1, 2], cv=folds)
    assert all(guess != own for guess, own in zip(out, "abc", strict=True))
    pandas = pytest.importorskip("pandas")
    columns = make_column_transformer((GenrelensEmbeddings(), ["path"]), ("passthrough", ["year"]))
    table = pandas.DataFrame({"path": paths, "year": [1990, 2000, 2010]})
    assert columns.fit_transform(table).shape == (3, 201)


@pytest.mark.parametrize(
    "name",
    [
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_mixin_order",
    ],
)
def test_the_checks_of_scikit_learn(name: str) -> None:
    """Those that do not pass arrays of numbers, which are no recordings."""
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    getattr(checks, name)("GenrelensEmbeddings", GenrelensEmbeddings())
