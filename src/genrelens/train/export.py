"""Export a torch network to a model file, and change the metadata of a model file."""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrelens.errors import DataError, ModelError, require
from genrelens.files import reason, replaced_path
from genrelens.model_file import (
    METADATA_KEY,
    SET_HEAD_KEY,
    ModelFile,
    ModelMetadata,
    Outputs,
    read_model,
)
from genrelens.set_head import SetOutputs
from genrelens.train.original.networks import NetworkOutputs

__all__ = ["export_model", "halve_weights", "replace_metadata"]

_OPSET = 17
_LARGE = 2**12  # numbers; the other weights take little space
_TOLERANCE = 1e-4  # for rounding errors over all layers; a wrong graph differs by percents


def export_model(
    network: nn.Module, metadata: ModelMetadata, path: Path, set_head: nn.Module | None = None
) -> None:
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
        set_head: the set head, for a network with the output ``features`` instead of genres. Its
            ``forward`` takes sets (m, 2 d + 1) and returns the values of
            :class:`~genrelens.set_head.SetOutputs`. Its large weights are rounded to 16 bits.

    Raises:
        DataError: the file cannot be written.
        ModelError: the outputs of the file differ from torch, or the metadata does not fit them.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_path(path) as temporary:
        network = network.cpu().eval()
        head = None if set_head is None else _rounded(set_head.cpu().eval())
        _write_graph(network, metadata, str(temporary), head)
        _check(network, metadata, temporary, head)


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


def halve_weights(source: str | Path, target: Path) -> None:
    """Write a copy of a model file with its large weights in 16 bits.

    The copy is about half as large, and as fast as before: the weights become 32 bits when it is
    loaded. Its
    outputs differ slightly; compare them before you use it.

    Example::

        from pathlib import Path

        from genrelens.train import halve_weights

        halve_weights("runs/mine/model.onnx", Path("mine-small.onnx"))

    Args:
        source: name of a packaged model or path of an ``.onnx`` file.
        target: path of the copy; may equal ``source``.

    Raises:
        DataError: ``target`` cannot be written.
        ModelError: ``source`` is not a model file, or a weight is too large for 16 bits.

    """
    try:
        ModelFile.load(source, threads=1)
        model = onnx.load_model_from_string(read_model(source))
        _store_in_16_bits(model.graph, lambda tensor: math.prod(tensor.dims) >= _LARGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replaced_path(target) as temporary:
            temporary.write_bytes(model.SerializeToString())
            ModelFile.load(temporary, threads=1)
    except ValueError as error:
        raise ModelError(str(error), path=source) from error
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


def _rounded(module: nn.Module) -> nn.Module:
    """Round the matrices of a module to 16 bits, in place; return the module."""
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim == 2:
                weight.copy_(weight.half())
    return module


def _write_graph(
    network: nn.Module, metadata: ModelMetadata, path: str, set_head: nn.Module | None
) -> None:
    features = metadata.features
    example = torch.zeros(3, features.segment_frames, features.n_bins)
    with torch.inference_mode():
        names = list(_named_outputs(network, example))
    any_number = {name: {0: "n_segments"} for name in ("segments", *names)}
    any_number.pop("clip_logits", None)
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
    if set_head is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = SET_HEAD_KEY, base64.b64encode(_set_graph(set_head)).decode()
    onnx.checker.check_model(model)
    onnx.save(model, path)


class _TracedHead(_Traced):
    def forward(self, sets: Tensor) -> tuple[Tensor, ...]:
        return tuple(value for value in self.network(sets) if value is not None)


def _set_graph(set_head: nn.Module) -> bytes:
    """Return the graph of a set head, with its matrices in 16 bits."""
    n_inputs = next(weight.shape[1] for weight in set_head.parameters() if weight.ndim == 2)
    example = torch.zeros(2, n_inputs)
    with torch.inference_mode():
        values = zip(SetOutputs._fields, set_head(example), strict=False)
        names = [name for name, value in values if value is not None]
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _TracedHead(set_head).eval(),
            (example,),
            target,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=_OPSET,
            input_names=["sets"],
            output_names=names,
            dynamic_axes={name: {0: "m"} for name in ("sets", *names)},
        )
    model = onnx.load_model_from_string(target.getvalue())
    _store_in_16_bits(model.graph, lambda tensor: len(tensor.dims) == 2)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _store_in_16_bits(
    graph: onnx.GraphProto, is_chosen: Callable[[onnx.TensorProto], bool]
) -> None:
    """Store weights in 16 bits; a cast to 32 bits follows each of them."""
    for tensor in list(graph.initializer):
        if tensor.data_type != onnx.TensorProto.FLOAT or not is_chosen(tensor):
            continue
        half = f"{tensor.name}.half"
        values = onnx.numpy_helper.to_array(tensor)
        limit = float(np.finfo(np.float16).max)
        require(float(np.abs(values).max()) <= limit, f"{tensor.name} has weights above {limit:g}")
        graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float16), half))
        cast = onnx.helper.make_node("Cast", [half], [tensor.name], to=onnx.TensorProto.FLOAT)
        graph.node.insert(0, cast)
        graph.initializer.remove(tensor)


def _check(
    network: nn.Module, metadata: ModelMetadata, path: Path, set_head: nn.Module | None
) -> None:
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
        if set_head is not None and outputs.features is not None:
            n_tags = expected["style_logits"].shape[1] if "style_logits" in expected else 0
            _check_sets(set_head, outputs.features, outputs, n_tags)
            expected.pop("style_logits", None)
        for name, values in expected.items():
            _compare(name, getattr(outputs, name), values.numpy())


def _check_sets(
    set_head: nn.Module, features: NDArray[np.float32], outputs: Outputs, n_tags: int
) -> None:
    """Compare the set head of a file with torch, for each segment as a set of its own."""
    rest = np.zeros((len(features), features.shape[1] + 1), np.float32)
    with torch.inference_mode():
        sets = torch.from_numpy(np.concatenate([features, rest], axis=1))
        values = [None if value is None else value.numpy() for value in set_head(sets)]
    styles = outputs.style_logits
    found = (
        outputs.segment_logits,
        None if styles is None else styles[:, n_tags:],
        outputs.music_logits,
        outputs.snr,
    )
    for name, value, expected in zip(SetOutputs._fields, found, values, strict=False):
        if value is not None and expected is not None and expected.size:
            _compare(name, value, expected)


def _compare(name: str, found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    error = float(np.abs(found - expected).max() / max(1.0, float(np.abs(expected).max())))
    if not error <= _TOLERANCE:
        raise ModelError(
            f"the exported graph is wrong: its {name.replace('_', ' ')} differ from torch by "
            f"{error:.2e}, more than {_TOLERANCE:.0e}"
        )
