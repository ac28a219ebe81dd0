"""Export a torch network to a model file, and change the metadata of a model file."""

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
_TOLERANCE = 1e-4  # for rounding errors over all layers; a wrong graph differs by percents


def export_model(network: nn.Module, metadata: ModelMetadata, path: Path) -> None:
    """Write a model file and compare its outputs with torch.

    Example::

        from pathlib import Path

        from genrelens import ModelMetadata
        from genrelens.train import export_model

        metadata = ModelMetadata(
            name="mine", labels=("jazz", "rock"), features=features, window_segments=31
        )
        export_model(network, metadata, Path("mine.onnx"))

    Args:
        network: the trained network. Its ``forward`` takes segments (n, t, b) and returns
            ``NetworkOutputs`` or a pair of clip logits (c,) and segment logits (n, c). The file
            lacks the outputs that are None.
        metadata: metadata of the model; with ``styles`` if there are style logits, with
            ``music_threshold`` if there are music logits, and with ``noise_rule`` only if there is
            an output ``snr``.
        path: path of the ``.onnx`` file; replaced only after the comparison.

    Raises:
        DataError: the file cannot be written.
        ModelError: the outputs of the file differ from torch, or the metadata does not fit them.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_path(path) as temporary:
        network = network.cpu().eval()
        _write_graph(network, metadata, str(temporary))
        _check(network, metadata, temporary)


def replace_metadata(source: str | Path, metadata: ModelMetadata, target: Path) -> None:
    """Write a copy of a model file with other metadata and the same graph.

    Example::

        from dataclasses import replace
        from pathlib import Path

        from genrelens.model_file import ModelFile
        from genrelens.train import replace_metadata

        metadata = ModelFile.load("lens").metadata
        replace_metadata("lens", replace(metadata, name="mine"), Path("mine.onnx"))

    Args:
        source: name of a packaged model or path of an ``.onnx`` file.
        metadata: the new metadata.
        target: path of the copy; may equal ``source``.

    Raises:
        DataError: ``target`` cannot be written.
        ModelError: ``source`` is not a model file, or the metadata does not fit its graph.

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
    """A network without None among its outputs, as the exporter requires."""

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
        # The newer exporter (dynamo=True) unrolls an LSTM over the length of the example (observed
        # with torch 2.13). A graph for any number of segments needs the older exporter.
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
    """Compare a file with torch for one, two and 31 segments."""
    model = ModelFile.load(path)
    features = metadata.features
    generator = np.random.default_rng(0)
    for n in (1, 2, 31):
        shape = (n, features.segment_frames, features.n_bins)
        segments = generator.uniform(0, 10, shape).astype(np.float32)
        with torch.inference_mode():
            expected = _named_outputs(network, torch.from_numpy(segments))
        outputs = model.run(segments)
        for name, values in expected.items():
            _compare(name, getattr(outputs, name), values.numpy())


def _compare(name: str, found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    error = float(np.abs(found - expected).max() / max(1.0, float(np.abs(expected).max())))
    if not error <= _TOLERANCE:
        raise ModelError(
            f"the exported graph is wrong: its {name.replace('_', ' ')} differ from torch by "
            f"{error:.2e}, more than {_TOLERANCE:.0e}"
        )
