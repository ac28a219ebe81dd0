"""Model files: a good one is loaded, and each bad one has a clear error."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from genrelens.errors import ModelError
from genrelens.features import FeatureConfig
from genrelens.model_file import (
    FORMAT_VERSION,
    METADATA_KEY,
    ModelFile,
    ModelMetadata,
    StyleTag,
    packaged_models,
)
from genrelens.train.export import export_model
from genrelens.train.original.networks import ClipNetwork, MeanOverSegments
from support import tiny


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model file of a few kilobytes: one linear layer."""
    torch.manual_seed(0)
    layer = nn.Linear(tiny.MEL.segment_frames * tiny.MEL.n_bins, 3)
    network = ClipNetwork(nn.Sequential(nn.Flatten(), layer), MeanOverSegments())
    path = tmp_path_factory.mktemp("model") / "good.onnx"
    export_model(network, tiny.metadata(metrics={"x": 1.5}), path)
    return path.read_bytes()


def write(folder: Path, content: bytes | onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return path


def refused(path: Path, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        ModelFile.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------------- good


def test_good_file(good: bytes, tmp_path: Path) -> None:
    model_file = ModelFile.load(write(tmp_path, good), threads=1)
    assert model_file.metadata == tiny.metadata(metrics={"x": 1.5})
    assert model_file.size == len(good)
    outputs = model_file.run(tiny.random_segments(4).numpy())
    assert outputs.clip_logits.shape == (3,)
    assert outputs.segment_logits.shape == (4, 3)
    assert outputs.clip_logits.dtype == outputs.segment_logits.dtype == np.float32
    assert (outputs.embeddings, outputs.style_logits, outputs.music_logits) == (None, None, None)
    assert outputs.snr is None


def test_file_of_the_first_version(good: bytes, tmp_path: Path) -> None:
    """Fields of later versions have their defaults."""
    later = {"styles", "segment_temperature", "music_threshold", "sure_threshold"}
    later |= {"genre_rules", "temperatures", "noise_rule"}

    def as_it_was(values: dict[str, Any]) -> dict[str, Any]:
        assert later <= set(values)
        kept = {key: value for key, value in values.items() if key not in later}
        return {**kept, "format_version": 1}

    metadata = ModelFile.load(write(tmp_path, with_metadata(good, as_it_was))).metadata
    assert metadata == tiny.metadata(metrics={"x": 1.5}, format_version=1)
    assert json.loads(metadata.to_json())["format_version"] == 3


def test_other_metadata_of_the_file_is_left_alone(good: bytes, tmp_path: Path) -> None:
    model = onnx.load_from_string(good)
    model.metadata_props.add(key="author", value="someone")
    assert ModelFile.load(write(tmp_path, model)).metadata.name == "tiny"


def test_packaged_models_are_listed_if_there_are_any() -> None:
    assert all(ModelFile.load(name).metadata.labels for name in packaged_models())


# ------------------------------------------------------------------------ foreign files


@pytest.mark.parametrize("name", ["absent", "absent.onnx", "no\0name"])
def test_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"neither a file nor a packaged model|null byte|null char"
    ):
        ModelFile.load(os.path.join(tmp_path, name))  # noqa: PTH118


def test_folder(tmp_path: Path) -> None:
    refused(tmp_path, "Is a directory")


@pytest.mark.parametrize("content", [b"", b"not a model\n" * 100, bytes(5000), b"\xff" * 5000])
def test_other_content(content: bytes, tmp_path: Path) -> None:
    refused(write(tmp_path, content), "is not a complete ONNX file|not a genrelens model")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_truncated(share: float, good: bytes, tmp_path: Path) -> None:
    refused(write(tmp_path, good[: int(share * len(good))]), "not a complete ONNX file|no metadata")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=5))
def test_damaged_bytes_never_end_in_another_error(
    good: bytes, tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]]
) -> None:
    """Many such files still load (a weight has no check sum); none may crash or print."""
    content = bytearray(good)
    for fraction, value in changes:
        content[int(fraction * len(good))] = value
    path = write(tmp_path_factory.mktemp("damaged"), bytes(content))
    try:
        outputs = ModelFile.load(path, threads=1).run(tiny.random_segments(2).numpy())
    except ModelError:
        return
    assert np.isfinite(outputs.clip_logits).all()


def test_nothing_is_printed(good: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """onnxruntime would print to stdout, where the JSON of --json goes."""
    index = good.index(b"segment_network.1.weight")  # a name without a tensor
    refused(write(tmp_path, good[:index] + b"\xff" + good[index + 1 :]), "not a complete ONNX")
    refused(write(tmp_path, good[:500]), "not a complete ONNX")
    assert capfd.readouterr() == ("", "")


def test_onnx_without_our_metadata(good: bytes, tmp_path: Path) -> None:
    model = onnx.load_from_string(good)
    del model.metadata_props[:]
    refused(write(tmp_path, model), "is an ONNX file, but not a genrelens model")


def test_weights_in_another_file(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model file must not read other files, beside it or in the working directory."""
    model = onnx.load_from_string(good)
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=99)
    assert (tmp_path / "weights").stat().st_size > 3000
    monkeypatch.chdir(tmp_path)
    ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])  # it could be read
    refused(path, "External data path")


# ----------------------------------------------------------------------------- metadata


def with_metadata(good: bytes, change: Callable[[dict[str, Any]], Any]) -> onnx.ModelProto:
    model = onnx.load_from_string(good)
    [entry] = [entry for entry in model.metadata_props if entry.key == METADATA_KEY]
    values = json.loads(entry.value)
    changed = change(values)
    entry.value = json.dumps(values if changed is None else changed)
    return model


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format_version": 4}, "is 4.* reads versions 1, 2 and 3: update genrelens"),
        ({"format_version": 0}, "format version is 0.* reads versions 1, 2 and 3$"),
        ({"format_version": "1"}, "format version is '1'"),
        ({"format_version": None}, "format version is None"),
        ({"colour": "red", "age": 3}, "unknown metadata: age, colour"),
        ({"name": ""}, "needs a name"),
        ({"name": 3}, "name=3"),
        ({"labels": "abc"}, "labels='abc'"),
        ({"labels": ["a"]}, "at least 2 labels"),
        ({"labels": ["a", "b", "a"]}, "labels are not distinct"),
        ({"labels": ["a", "b", 3]}, "a label is a text"),
        ({"labels": ["a", "b", ""]}, "a label is a text"),
        ({"labels": ["a", "b", "c", "d"]}, r"logits of shape \[3\].*4 labels"),
        ({"labels": ["a", "b"]}, r"logits of shape \[3\].*2 labels"),
        ({"label_map": {"blues": "jazz"}}, "label map has unknown labels: jazz"),
        ({"label_map": ["blues"]}, "label_map="),
        ({"window_segments": 0}, "window_segments=0 is below 1"),
        ({"window_segments": 5.5}, "window_segments=5.5"),
        ({"temperature": 0}, "temperature=0 must be positive"),
        ({"temperature": float("nan")}, "not JSON: it contains NaN"),
        ({"temperature": float("inf")}, "not JSON: it contains Infinity"),
        ({"temperature": "hot"}, "temperature='hot'"),
        ({"temperature": True}, "temperature=True"),
        ({"segment_temperature": -1}, "segment_temperature=-1 must be positive"),
        ({"music_threshold": 0.5}, "music logits of shape None.* music_threshold=0.5"),
        ({"music_threshold": 1}, "music_threshold is 1; it must be above 0 and below 1"),
        ({"sure_threshold": 1}, "sure_threshold=1 must be at least 0 and below 1"),
        ({"sure_threshold": "0.5"}, "sure_threshold='0.5'"),
        ({"noise_rule": [[0, 0.5]]}, "has a noise_rule, its graph no output snr"),
        ({"styles": "house"}, "styles='house'"),
        ({"styles": ["house"]}, "a style has a name and a threshold, not 'house'"),
        ({"styles": [{"name": "house"}]}, "a style has a name and a threshold, not {'name'"),
        ({"styles": [{"name": "house", "threshold": None}]}, "a style has a name and"),
        ({"styles": [{"name": "", "threshold": 0.5}]}, "a style needs a name"),
        ({"styles": [{"name": "house", "threshold": 0}]}, "threshold of style 'house' is 0; it"),
        ({"styles": 2 * [{"name": "house", "threshold": 0.5}]}, "styles are not distinct"),
        ({"styles": [{"name": "house", "threshold": 0.5}]}, "logits of shape None.* 1 style"),
        ({"features": None}, "features=None"),
        ({"features": {}}, "incomplete feature settings"),
        ({"features": {**tiny.MEL.to_dict(), "n_mels": 17}}, r"shape .*20, 16.*number of \[20, 17"),
        ({"features": {**tiny.MEL.to_dict(), "segment_frames": 41}}, r"shape .*number of \[41, 16"),
        ({"features": {**tiny.MEL.to_dict(), "n_fft": 0}}, "n_fft=0 must be"),
        ({"features": {**tiny.MEL.to_dict(), "n_fft": "big"}}, "n_fft|feature settings"),
        ({"features": {**tiny.MEL.to_dict(), "window": "hann"}}, "unknown feature settings: win"),
    ],
)
def test_wrong_metadata_is_named(
    changes: dict[str, Any], words: str, good: bytes, tmp_path: Path
) -> None:
    refused(write(tmp_path, with_metadata(good, lambda values: values.update(changes))), words)


@pytest.mark.parametrize("name", ["name", "labels", "features", "window_segments"])
def test_missing_metadata_is_named(name: str, good: bytes, tmp_path: Path) -> None:
    model = with_metadata(good, lambda values: {k: v for k, v in values.items() if k != name})
    refused(write(tmp_path, model), f"incomplete metadata: {name}")


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "null", "[" * 100_000, "1" * 5000])
def test_metadata_that_are_not_a_json_object(text: str, good: bytes, tmp_path: Path) -> None:
    model = onnx.load_from_string(good)
    model.metadata_props[0].value = text
    refused(write(tmp_path, model), "its metadata is not (a )?JSON")


def test_metadata_that_are_not_text(good: bytes, tmp_path: Path) -> None:
    index = good.index(b'{"description"')
    refused(write(tmp_path, good[: index + 5] + b"\xff" + good[index + 6 :]), "decode byte 0xff")


# -------------------------------------------------------------------------------- graph


def with_graph(good: bytes, change: Callable[[onnx.GraphProto], None]) -> onnx.ModelProto:
    model = onnx.load_from_string(good)
    change(model.graph)
    return model


def rename_input(graph: onnx.GraphProto) -> None:
    graph.node.add(op_type="Identity", input=["audio"], output=["segments"])
    graph.node.insert(0, graph.node.pop())
    graph.input[0].name = "audio"


def drop_output(graph: onnx.GraphProto) -> None:
    del graph.output[1]


def fix_number_of_segments(graph: onnx.GraphProto) -> None:
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3


def take_doubles(graph: onnx.GraphProto) -> None:
    cast = onnx.helper.make_node("Cast", ["segments"], ["cast"], to=onnx.TensorProto.FLOAT)
    for node in graph.node:
        node.input[:] = ["cast" if name == "segments" else name for name in node.input]
    graph.node.insert(0, cast)
    graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rename_input, r"maps \['audio'\] to"),
        (drop_output, r"to \['clip_logits'\], not"),
        (fix_number_of_segments, r"segments of shape \[3, 20, 16\]"),
        (take_doubles, r"segments is a tensor\(double\)"),
    ],
)
def test_graph_that_does_not_fit(
    change: Callable[[onnx.GraphProto], None], words: str, good: bytes, tmp_path: Path
) -> None:
    refused(write(tmp_path, with_graph(good, change)), words)


def test_weights_that_are_nan(good: bytes, tmp_path: Path) -> None:
    model = onnx.load_from_string(good)
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT:
            values = np.full(tuple(weights.dims), np.nan, np.float32)
            weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    model_file = ModelFile.load(write(tmp_path, model))
    with pytest.raises(ModelError, match=r"model\.onnx: its network returns NaN"):
        model_file.run(tiny.random_segments(2).numpy())


def test_graph_that_fails(good: bytes, tmp_path: Path) -> None:
    model_file = ModelFile.load(write(tmp_path, good))
    with pytest.raises(
        ModelError, match=r"model\.onnx: its network cannot be run .*Got: 21 Expected: 20"
    ):
        model_file.run(np.zeros((1, 21, 16), np.float32))


# -------------------------------------------------------------------------- round trips

WORDS = st.text(min_size=1, max_size=8)
SHARES = st.floats(0, 1, exclude_min=True, exclude_max=True)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FEATURES = st.builds(
    FeatureConfig,
    kind=st.just("mel"),
    sample_rate=st.integers(8000, 96_000),
    n_fft=st.sampled_from([256, 4096]),
    hop_length=st.integers(1, 256),
    n_mels=st.integers(1, 256),
    f_min=st.floats(0, 1000),
    f_max=st.floats(1001, 4000),
    segment_frames=st.integers(41, 100),
    segment_hop=st.integers(1, 41),
    log_scale=st.floats(1e-3, 1e6),
)


@st.composite
def all_metadata(draw: st.DrawFn) -> ModelMetadata:
    labels = draw(st.lists(WORDS, min_size=2, max_size=6, unique=True))
    return ModelMetadata(
        name=draw(WORDS),
        description=draw(st.text()),
        labels=tuple(labels),
        label_map=draw(st.dictionaries(st.text(), st.sampled_from(labels), max_size=3)),
        features=draw(FEATURES),
        window_segments=draw(st.integers(1, 1000)),
        styles=tuple(
            StyleTag(name, draw(SHARES)) for name in draw(st.lists(WORDS, max_size=3, unique=True))
        ),
        temperature=draw(st.floats(1e-6, 1e6)),
        segment_temperature=draw(st.floats(1e-6, 1e6)),
        music_threshold=draw(st.none() | SHARES),
        sure_threshold=draw(st.none() | st.just(0.0) | SHARES),
        provenance=draw(st.dictionaries(st.text(), JSON, max_size=3)),
        metrics=draw(st.dictionaries(st.text(), JSON, max_size=3)),
    )


@settings(max_examples=100, deadline=None)
@given(all_metadata())
@example(tiny.metadata(tiny.MFCC))
@example(tiny.metadata(name="caf\udce9"))  # the name of a folder with bytes that are not UTF-8
def test_metadata_survives_json(metadata: ModelMetadata) -> None:
    text = metadata.to_json()
    assert text.isascii()
    assert ModelMetadata.from_json(text) == metadata
    assert json.loads(text)["format_version"] == FORMAT_VERSION


def test_numbers_that_are_not_finite_are_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        replace(tiny.metadata(), metrics={"accuracy": float("nan")}).to_json()
