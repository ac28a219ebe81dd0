"""Export: the outputs of the model file equal torch, or no file is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from torch import nn

from genrelens.errors import ModelError
from genrelens.model_file import ModelFile
from support import tiny
from support.small_models import STYLES

if TYPE_CHECKING:
    from torch import Tensor

    from genrelens.train.original.networks import ClipNetwork, NetworkOutputs

NETWORKS = ("mel-cnn", "mel-cnn-lstm", "mfcc-lstm")


@pytest.fixture(scope="module", params=NETWORKS)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ClipNetwork, ModelFile]:
    """Each network as torch and as a model file; with an input norm and without."""
    from genrelens.train.export import export_model

    name = request.param
    network = tiny.network(name, input_norm=name != "mel-cnn")
    features = tiny.MFCC if name == "mfcc-lstm" else tiny.MEL
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_model(network, tiny.metadata(features, temperature=1.25, metrics={"valid": {}}), path)
    return network, ModelFile.load(path)


@pytest.mark.parametrize("n", [1, 2, 3, 31, 200])
def test_onnx_gives_the_numbers_of_torch(n: int, exported: tuple[ClipNetwork, ModelFile]) -> None:
    import torch

    network, model = exported
    segments = tiny.random_segments(n, model.metadata.features, seed=n)
    with torch.inference_mode():
        expected = network(segments)
    outputs = model.run(segments.numpy())
    for got, want in zip((outputs.clip_logits, outputs.segment_logits), expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-5)


def test_metadata_survives(exported: tuple[ClipNetwork, ModelFile]) -> None:
    features = exported[1].metadata.features
    expected = tiny.metadata(features, temperature=1.25, metrics={"valid": {}})
    assert exported[1].metadata == expected


def test_a_network_in_training_is_exported_without_its_dropout(tmp_path: Path) -> None:
    import torch

    from genrelens.train.export import export_model

    network = tiny.network("mel-cnn-lstm").train()
    export_model(network, tiny.metadata(), tmp_path / "new" / "model.onnx")
    segments = tiny.random_segments(3)
    model = ModelFile.load(tmp_path / "new" / "model.onnx")
    with torch.inference_mode():
        expected = network.eval()(segments)[0].numpy()
    clip_logits = model.run(segments.numpy()).clip_logits
    np.testing.assert_allclose(clip_logits, expected, rtol=1e-5, atol=1e-5)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("output", range(5))
def test_wrong_graph_is_refused(
    output: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of one in a thousand in any output; the old file stays."""
    import onnx

    from genrelens.train import export
    from genrelens.train.export import export_model
    from support.stand_in_models import Listener

    def write_graph(network: nn.Module, metadata: object, path: str, head: None) -> None:
        right(network, metadata, path, head)  # type: ignore[arg-type]
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
    name = ("clip logits", "segment logits", "embeddings", "style logits", "music logits")[output]
    metadata = tiny.metadata(styles=STYLES, music_threshold=0.5)
    with pytest.raises(ModelError, match=f"graph is wrong: its {name} differ"):
        export_model(Listener(), metadata, path)
    assert path.read_text() == "the old one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    from genrelens.train.export import export_model

    with pytest.raises(ModelError, match="2 labels"):
        export_model(
            tiny.network("mel-cnn"), tiny.metadata(labels=("a", "b")), tmp_path / "model.onnx"
        )
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------- optional outputs


class Without(nn.Module):
    """A network that lacks some outputs."""

    def __init__(self, *names: str) -> None:
        from support.stand_in_models import Listener

        super().__init__()
        self.listener = Listener()
        self.left_out = dict.fromkeys(names)

    def forward(self, segments: Tensor) -> NetworkOutputs:
        outputs: NetworkOutputs = self.listener(segments)
        return outputs._replace(**self.left_out)


@pytest.mark.parametrize("n", [1, 7])
def test_all_outputs_of_a_model(n: int, tmp_path: Path) -> None:
    from genrelens.train.export import export_model
    from support.stand_in_models import Listener

    path = tmp_path / "model.onnx"
    metadata = tiny.metadata(
        styles=STYLES, music_threshold=0.25, sure_threshold=0.4, segment_temperature=1.5
    )
    export_model(Listener(), metadata, path)
    model = ModelFile.load(path)
    assert model.metadata == metadata
    segments = tiny.random_segments(n).numpy()
    outputs = model.run(segments)
    means = segments.mean(axis=1)
    loudness = means.mean(axis=1)
    assert outputs.embeddings is not None
    assert outputs.style_logits is not None
    assert outputs.music_logits is not None
    assert outputs.clip_logits.shape == (3,)
    assert outputs.segment_logits.shape == (n, 3)
    np.testing.assert_allclose(outputs.embeddings, means, rtol=1e-5)
    expected = np.stack([loudness - 5, 2 - loudness], axis=1)
    np.testing.assert_allclose(outputs.style_logits, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(outputs.music_logits, loudness - 3, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("left", ["embeddings", "style_logits", "music_logits"])
def test_each_further_output_is_optional(left: str, tmp_path: Path) -> None:
    from genrelens.train.export import export_model

    path = tmp_path / "model.onnx"
    three = {"embeddings", "style_logits", "music_logits"}
    metadata = tiny.metadata(
        styles=STYLES if left == "style_logits" else (),
        music_threshold=0.5 if left == "music_logits" else None,
    )
    export_model(Without(*three - {left}), metadata, path)
    outputs = ModelFile.load(path).run(tiny.random_segments(4).numpy())
    assert {name for name in three if getattr(outputs, name) is not None} == {left}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"styles": STYLES}, r"music logits of shape \['n_segments'\].*music_threshold=None"),
        ({"music_threshold": 0.5}, r"style logits of shape \['n_segments', 2\].* 0 styles"),
        ({"styles": STYLES[:1], "music_threshold": 0.5}, r"logits of shape .*, 2\].* 1 style"),
    ],
)
def test_metadata_must_fit_the_outputs(
    metadata: dict[str, Any], words: str, tmp_path: Path
) -> None:
    from genrelens.train.export import export_model
    from support.stand_in_models import Listener

    with pytest.raises(ModelError, match=words):
        export_model(Listener(), tiny.metadata(**metadata), tmp_path / "model.onnx")


def test_a_model_honours_the_umask(tmp_path: Path) -> None:
    from genrelens.train.export import export_model

    before = os.umask(0o077)
    try:
        export_model(tiny.network("mel-cnn"), tiny.metadata(), tmp_path / "model.onnx")
    finally:
        os.umask(before)
    assert (tmp_path / "model.onnx").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


# ------------------------------------------------------------------------ weights of 16 bits


def test_halved_weights(exported: tuple[ClipNetwork, ModelFile], tmp_path: Path) -> None:
    """The file is smaller, and its outputs and metadata stay; halving twice changes nothing."""
    from genrelens.train import halve_weights

    original = exported[1]
    halve_weights(original.name, tmp_path / "half.onnx")
    halve_weights(tmp_path / "half.onnx", tmp_path / "again.onnx")
    half, again = (ModelFile.load(tmp_path / name) for name in ("half.onnx", "again.onnx"))
    assert half.size < 0.7 * original.size
    assert again.size == half.size
    assert half.metadata == original.metadata
    segments = tiny.random_segments(9, original.metadata.features).numpy()
    found, expected = half.run(segments), original.run(segments)
    for name in ("clip_logits", "segment_logits"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=2e-2)
        np.testing.assert_array_equal(getattr(again.run(segments), name), getattr(found, name))
    assert not np.array_equal(found.clip_logits, expected.clip_logits)


def test_weights_too_large_for_16_bits(tmp_path: Path) -> None:
    import torch

    from genrelens.train import export_model, halve_weights

    network = tiny.network("mel-cnn")
    with torch.no_grad():
        largest = max(network.parameters(), key=torch.Tensor.numel)
        largest.mul_(1e9)
    export_model(network, tiny.metadata(), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="weights above 65504"):
        halve_weights(tmp_path / "model.onnx", tmp_path / "half.onnx")
    assert not (tmp_path / "half.onnx").exists()
