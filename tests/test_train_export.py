"""Export: the model file gives torch's numbers, or there is no model file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import tiny
from genrelens.artifact import Artifact
from genrelens.errors import ModelError
from genrelens.train import export
from genrelens.train.export import export_model
from genrelens.train.networks import ClipNetwork

NETWORKS = ("mel-cnn", "mel-cnn-lstm", "mfcc-lstm")


@pytest.fixture(scope="module", params=NETWORKS)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ClipNetwork, Artifact]:
    """Each network as torch and as a model file; with an input norm and without."""
    name = request.param
    network = tiny.network(name, input_norm=name != "mel-cnn")
    features = tiny.MFCC if name == "mfcc-lstm" else tiny.MEL
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_model(network, tiny.metadata(features, temperature=1.25, metrics={"valid": {}}), path)
    return network, Artifact.load(path)


@pytest.mark.parametrize("n", [1, 2, 3, 31, 200])
def test_onnx_gives_the_numbers_of_torch(n: int, exported: tuple[ClipNetwork, Artifact]) -> None:
    network, artifact = exported
    segments = tiny.random_segments(n, artifact.metadata.features, seed=n)
    with torch.inference_mode():
        expected = network(segments)
    for got, want in zip(artifact.run(segments.numpy()), expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-5)


def test_metadata_survives(exported: tuple[ClipNetwork, Artifact]) -> None:
    features = exported[1].metadata.features
    expected = tiny.metadata(features, temperature=1.25, metrics={"valid": {}})
    assert exported[1].metadata == expected


def test_a_network_in_training_is_exported_without_its_dropout(tmp_path: Path) -> None:
    network = tiny.network("mel-cnn-lstm").train()
    export_model(network, tiny.metadata(), tmp_path / "new" / "model.onnx")
    segments = tiny.random_segments(3)
    artifact = Artifact.load(tmp_path / "new" / "model.onnx")
    with torch.inference_mode():
        expected = network.eval()(segments)[0].numpy()
    np.testing.assert_allclose(artifact.run(segments.numpy())[0], expected, rtol=1e-5, atol=1e-5)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("output", [0, 1])
def test_graph_that_is_off_is_refused(
    output: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of one in a thousand in either output; the old file stays."""

    def write_graph(network: ClipNetwork, metadata: object, path: str) -> None:
        right(network, metadata, path)  # type: ignore[arg-type]
        model = onnx.load(path)
        name = model.graph.output[output].name
        for node in model.graph.node:
            node.output[:] = ["right" if o == name else o for o in node.output]
            node.input[:] = ["right" if i == name else i for i in node.input]
        factor = onnx.helper.make_tensor("factor", onnx.TensorProto.FLOAT, [], [1.001])
        model.graph.initializer.append(factor)
        model.graph.node.add(op_type="Mul", input=["right", "factor"], output=[name])
        onnx.save(model, path)

    right = export._write_graph
    monkeypatch.setattr(export, "_write_graph", write_graph)
    path = tmp_path / "model.onnx"
    path.write_text("the old one")
    with pytest.raises(ModelError, match=f"{('clip', 'segment')[output]} logits .*differ"):
        export_model(tiny.network("mel-cnn-lstm"), tiny.metadata(), path)
    assert path.read_text() == "the old one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="2 labels"):
        export_model(
            tiny.network("mel-cnn"), tiny.metadata(labels=("a", "b")), tmp_path / "model.onnx"
        )
    assert list(tmp_path.iterdir()) == []
