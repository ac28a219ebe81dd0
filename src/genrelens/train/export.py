"""From torch to a model file."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrelens.errors import DataError, ModelError
from genrelens.files import reason, replaced_path
from genrelens.model_file import METADATA_KEY, ModelFile, ModelMetadata, read_model
from genrelens.train.original.networks import NetworkOutputs

__all__ = ["export_model", "replace_metadata"]

_OPSET = 17
_TOLERANCE = 1e-4  # sums in another order, layer upon layer; a wrong graph is off by percents


def export_model(network: nn.Module, metadata: ModelMetadata, path: Path) -> None:
    """Write a model file and check it against torch.

    Args:
        network: trained; its ``forward`` takes segments (n, t, b) and returns ``NetworkOutputs``
            or, as ``ClipNetwork`` does, a pair of clip logits (c,) and segment logits (n, c).
            What it leaves at None is not in the file.
        metadata: goes into the file; it must have ``styles`` if there are style logits, and a
            ``music_threshold`` if there are music logits.
        path: of the ``.onnx`` file; replaced only once the new file has passed its checks.

    Raises:
        DataError: the file cannot be written.
        ModelError: the file does not give torch's numbers.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_path(path) as temporary:
        network = network.cpu().eval()
        _write_graph(network, metadata, str(temporary))
        _check(network, metadata, temporary)


def replace_metadata(source: Path, metadata: ModelMetadata, target: Path) -> None:
    """Write a copy of a model file with other metadata; its graph stays as it is.

    Args:
        source: name of a packaged model or path of an ``.onnx`` file.
        metadata: the new one.
        target: path of the copy; may be ``source``.

    Raises:
        DataError: ``target`` cannot be written.
        ModelError: ``source`` is no model file, or the metadata does not go with its graph.

    """
    try:
        model = onnx.load_model_from_string(read_model(source))
        _set_metadata(model, metadata)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replaced_path(target) as temporary:
            temporary.write_bytes(model.SerializeToString())
            ModelFile.load(temporary)
    except OSError as error:
        raise DataError(f"cannot be written ({reason(error)})", path=target) from error


def _set_metadata(model: onnx.ModelProto, metadata: ModelMetadata) -> None:
    kept = [(entry.key, entry.value) for entry in model.metadata_props]
    del model.metadata_props[:]
    for key, value in (
        *((k, v) for k, v in kept if k != METADATA_KEY),
        (METADATA_KEY, metadata.to_json()),
    ):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


class _Traced(nn.Module):
    """A network as the exporter needs it: without None among its outputs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, segments: Tensor) -> tuple[Tensor, ...]:
        return tuple(_named_outputs(self.network, segments).values())


def _named_outputs(network: nn.Module, segments: Tensor) -> dict[str, Tensor]:
    outputs = NetworkOutputs(*network(segments))._asdict()
    return {name: value for name, value in outputs.items() if value is not None}


def _write_graph(network: nn.Module, metadata: ModelMetadata, path: str) -> None:
    features = metadata.features
    example = torch.zeros(3, features.segment_frames, features.n_bins)
    with torch.inference_mode():
        names = list(_named_outputs(network, example))
    any_number = {name: {0: "n_segments"} for name in ("segments", *names)}
    del any_number["clip_logits"]
    with warnings.catch_warnings():
        # The newer exporter (dynamo=True) unrolls an LSTM over the example's length (seen with
        # torch 2.13): a graph for any number of segments needs the older one.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Traced(network).eval(),
            (example,),
            path,
            dynamo=False,
            opset_version=_OPSET,
            input_names=["segments"],
            output_names=names,
            dynamic_axes=any_number,
        )
    model = onnx.load(path)
    _set_metadata(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _check(network: nn.Module, metadata: ModelMetadata, path: Path) -> None:
    """Compare with torch for one, a few and a clip's worth of segments."""
    artifact = ModelFile.load(path)
    features = metadata.features
    generator = np.random.default_rng(0)
    for n in (1, 2, 31):
        shape = (n, features.segment_frames, features.n_bins)
        segments = generator.uniform(0, 10, shape).astype(np.float32)
        with torch.inference_mode():
            expected = _named_outputs(network, torch.from_numpy(segments))
        outputs = artifact.run(segments)
        for name, wanted in expected.items():
            _compare(name, getattr(outputs, name), wanted.numpy())


def _compare(name: str, got: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
    error = float(np.abs(got - wanted).max() / max(1.0, float(np.abs(wanted).max())))
    if not error <= _TOLERANCE:
        raise ModelError(
            f"the exported graph is off: {name.replace('_', ' ')} differ from torch by "
            f"{error:.2e}, more than {_TOLERANCE:.0e}"
        )
