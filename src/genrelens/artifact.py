"""A model file: one ``.onnx`` whose metadata holds all that is needed to use and to judge it.

The graph takes ``segments`` (n_segments, segment_frames, n_bins) float32, any number of them, and
gives ``clip_logits`` (n_classes,) and ``segment_logits`` (n_segments, n_classes). The key
``genrelens`` of the file's ``metadata_props`` holds a :class:`ModelMetadata` as JSON.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import ModelError
from genrelens.features import FeatureConfig

# onnxruntime sends telemetry from its import on, unless this says no (seen in 1.32).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

__all__ = [
    "DEFAULT_MODEL",
    "FORMAT_VERSION",
    "METADATA_KEY",
    "Artifact",
    "ModelMetadata",
    "packaged_models",
]

FORMAT_VERSION = 1
METADATA_KEY = "genrelens"
DEFAULT_MODEL = "mel-cnn-lstm"

_INPUT = "segments"
_OUTPUTS = ["clip_logits", "segment_logits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """What a model file says of itself.

    Attributes:
        name: of the model.
        description: a sentence for people.
        license: SPDX identifier of the weights' licence.
        labels: the classes, in the order of the logits.
        label_map: labels of data -> labels of the model, for instance ``{"blues": "jazz"}``.
        features: the front end.
        window_segments: segments that the graph hears at once; a longer recording is heard in
            windows of so many, and the windows' probabilities are averaged.
        temperature: the clip's logits are divided by it before the softmax, so that its
            probabilities say how often it is right; the segments' logits are taken as they are.
        provenance: recipe, data, versions and dates of the training.
        metrics: measured quality; protocol -> figures.
        format_version: of this structure.

    """

    name: str
    description: str = ""
    license: str = "MIT"
    labels: tuple[str, ...]
    label_map: dict[str, str] = field(default_factory=dict)
    features: FeatureConfig
    window_segments: int
    temperature: float = 1.0
    provenance: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        _require(bool(self.name), "a model needs a name")
        _require(len(self.labels) >= 2, "a model needs at least 2 labels")
        _require(len(set(self.labels)) == len(self.labels), "the labels are not distinct")
        unknown = sorted(set(self.label_map.values()) - set(self.labels))
        _require(not unknown, f"the label map leads to unknown labels: {', '.join(unknown)}")
        _require(self.window_segments >= 1, f"window_segments={self.window_segments} is below 1")
        _require(
            math.isfinite(self.temperature) and self.temperature > 0,
            f"temperature={self.temperature} must be positive",
        )

    def to_json(self) -> str:
        """Return the metadata as JSON; a figure that is not finite raises ``ValueError``."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read :meth:`to_json`.

        Raises:
            ValueError: the text is no such JSON or breaks a rule; the message says which.

        """
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"its metadata is not JSON: {error}") from error
        _require(isinstance(values, dict), "its metadata is not a JSON object")
        version = values.get("format_version")
        newer = isinstance(version, int) and version > FORMAT_VERSION
        _require(
            version == FORMAT_VERSION,
            f"its format version is {version!r}, and this genrelens reads version {FORMAT_VERSION}"
            + (": update genrelens" if newer else ""),
        )
        _check_fields(values)
        features = FeatureConfig.from_dict(values["features"])
        return cls(**{**values, "labels": tuple(values["labels"]), "features": features})


_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str, "description": str, "license": str, "labels": list, "label_map": dict,
    "features": dict, "window_segments": int, "temperature": (int, float), "provenance": dict,
    "metrics": dict, "format_version": int,
}  # fmt: skip
_REQUIRED = ("name", "labels", "features", "window_segments")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} stands in it")


def _check_fields(values: Mapping[str, Any]) -> None:
    """Check that metadata from JSON has all fields it needs, no other ones, and their types."""
    unknown = sorted(set(values) - set(_JSON_TYPES))
    _require(not unknown, f"unknown metadata: {', '.join(unknown)}")
    missing = [name for name in _REQUIRED if name not in values]
    _require(not missing, f"incomplete metadata: {', '.join(missing)} missing")
    for name, value in values.items():
        _require(isinstance(value, _JSON_TYPES[name]), f"wrong metadata: {name}={value!r}")
    labels = [*values["labels"], *values.get("label_map", {}).values()]
    odd = [label for label in labels if not (isinstance(label, str) and label)]
    _require(not odd, f"wrong metadata: labels are words, not {odd}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


class Artifact:
    """A loaded model file.

    Attributes:
        metadata: what the file says of itself.
        size: of the file, in bytes.

    """

    def __init__(self, metadata: ModelMetadata, session: ort.InferenceSession, size: int) -> None:
        self.metadata = metadata
        self.size = size
        self._session = session

    @classmethod
    def load(cls, model: str | os.PathLike[str] | None = None, *, threads: int = 0) -> Artifact:
        """Read and check a model file.

        Args:
            model: name of a packaged model or path of an ``.onnx`` file; None is the default.
            threads: that a run may use; 0 uses one for each core.

        Raises:
            ModelError: the file is missing, foreign, damaged or of another version.

        """
        name, content = _read(DEFAULT_MODEL if model is None else model)
        session = _open_session(name, content, threads)
        try:
            text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
            _require(text is not None, "is an ONNX file, but not a genrelens model (no metadata)")
            metadata = ModelMetadata.from_json(text)
            _check_graph(session, metadata)
        except (ValueError, OverflowError) as error:
            raise ModelError(f"{name}: {error}") from error
        return cls(metadata, session, len(content))

    def run(self, segments: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the graph on the segments of one clip or window.

        Args:
            segments: (n_segments, segment_frames, n_bins) float32, n_segments >= 1.

        Returns:
            Clip logits (n_classes,) and segment logits (n_segments, n_classes), float32.

        Raises:
            ModelError: the graph is damaged: it fails, or gives NaN.

        """
        try:
            clip_logits, segment_logits = self._session.run(_OUTPUTS, {_INPUT: segments})
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            raise ModelError(f"{self.metadata.name}: the graph fails ({_words(error)})") from error
        if not np.isfinite(clip_logits).all() or not np.isfinite(segment_logits).all():
            raise ModelError(
                f"{self.metadata.name}: the graph gives NaN; its weights are damaged, or diverged "
                "in training"
            )
        return clip_logits, segment_logits


def packaged_models() -> list[str]:
    """Return the names of the models in the package, the default one first."""
    folder = resources.files("genrelens") / "models"
    if not folder.is_dir():
        return []
    names = [
        entry.name.removesuffix(".onnx")
        for entry in folder.iterdir()
        if entry.name.endswith(".onnx")
    ]
    return sorted(names, key=lambda name: (name != DEFAULT_MODEL, name))


def _read(model: str | os.PathLike[str]) -> tuple[str, bytes]:
    """Return a name for messages and the bytes of a model file."""
    name = os.fspath(model)
    if name in packaged_models():
        return name, (resources.files("genrelens") / "models" / f"{name}.onnx").read_bytes()
    try:
        return name, Path(name).read_bytes()
    except FileNotFoundError as error:
        known = ", ".join(packaged_models()) or "none"
        raise ModelError(
            f"{name}: there is no such file, nor a packaged model of that name (known: {known})"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: {getattr(error, 'strerror', None) or error}") from error


def _open_session(name: str, content: bytes, threads: int) -> ort.InferenceSession:
    """Open a graph from memory; one that takes weights from other files is refused."""
    options = ort.SessionOptions()
    # onnxruntime would look for such files in the working directory; below this there are none
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # errors arrive as exceptions; nothing is written to stderr
    try:
        return ort.InferenceSession(
            content, options, providers=["CPUExecutionProvider"],
            enable_fallback=0,  # it would print to stdout
        )  # fmt: skip
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise ModelError(f"{name}: is not a complete ONNX file ({_words(error)})") from error


def _words(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_graph(session: ort.InferenceSession, metadata: ModelMetadata) -> None:
    features, n_classes = metadata.features, len(metadata.labels)
    inputs = {entry.name: entry for entry in session.get_inputs()}
    outputs = {entry.name: entry for entry in session.get_outputs()}
    _require(
        set(inputs) == {_INPUT} and set(_OUTPUTS) <= set(outputs),
        f"its graph maps {sorted(inputs)} to {sorted(outputs)}, not '{_INPUT}' to {_OUTPUTS}",
    )
    tensors = [inputs[_INPUT], *(outputs[name] for name in _OUTPUTS)]
    for entry in tensors:
        _require(entry.type == "tensor(float)", f"its graph's {entry.name} is a {entry.type}")
    segments, clip_logits, segment_logits = (list(entry.shape) for entry in tensors)
    shape = [features.segment_frames, features.n_bins]
    _require(
        segments[1:] == shape and not isinstance(segments[0], int),
        f"its graph takes segments of shape {segments}, its front end makes any number of {shape}",
    )
    _require(
        clip_logits == [n_classes] and segment_logits[1:] == [n_classes],
        f"its graph gives logits of shape {clip_logits} and {segment_logits}, "
        f"its metadata {n_classes} labels",
    )
