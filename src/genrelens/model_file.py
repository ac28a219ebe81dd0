"""A model file: one ``.onnx`` whose metadata holds all that is needed to use and to judge it.

The graph takes ``segments`` (n_segments, segment_frames, n_bins) float32, any number of them, and
gives what :class:`Outputs` describes: ``clip_logits`` and ``segment_logits``, and each of the
others if the model has it. The key ``genrelens`` of the file's ``metadata_props`` holds a
:class:`ModelMetadata` as JSON.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrelens.errors import ModelError, require
from genrelens.files import reason
from genrelens.metadata import FORMAT_VERSION, ModelMetadata, StyleTag

# onnxruntime sends telemetry from its import on, unless this says no (seen in 1.32).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

__all__ = [
    "DEFAULT_MODEL",
    "FORMAT_VERSION",
    "METADATA_KEY",
    "ModelFile",
    "ModelMetadata",
    "Outputs",
    "StyleTag",
    "model_digest",
    "packaged_models",
    "read_model",
]

Float32 = NDArray[np.float32]

METADATA_KEY = "genrelens"
DEFAULT_MODEL = "lens"

_INPUT = "segments"
_OUTPUTS = ["clip_logits", "segment_logits"]
_OPTIONAL = ["embeddings", "style_logits", "music_logits"]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a graph says of n segments: float32, logits unless told otherwise.

    The last three are None where the model does not have them.

    Attributes:
        clip_logits: of the genres, of all segments together, (n_classes,).
        segment_logits: of the genres, of each segment, (n, n_classes).
        embeddings: of each segment, (n, d), of any length; not logits.
        style_logits: of each style by itself (a sigmoid makes it a probability), (n, n_styles).
        music_logits: that a segment is music (a sigmoid as well), (n,).

    """

    clip_logits: Float32
    segment_logits: Float32
    embeddings: Float32 | None = None
    style_logits: Float32 | None = None
    music_logits: Float32 | None = None


class ModelFile:
    """A loaded model file.

    Attributes:
        metadata: what the file says of itself.
        size: of the file, in bytes.

    """

    def __init__(self, metadata: ModelMetadata, session: ort.InferenceSession, size: int) -> None:
        self.metadata = metadata
        self.size = size
        self._session = session
        given = {entry.name for entry in session.get_outputs()}
        self._outputs = [*_OUTPUTS, *(name for name in _OPTIONAL if name in given)]

    @classmethod
    def load(cls, model: str | os.PathLike[str] | None = None, *, threads: int = 0) -> ModelFile:
        """Read and check a model file.

        Args:
            model: name of a packaged model or path of an ``.onnx`` file; None is the default.
            threads: that a run may use; 0 uses one for each core.

        Raises:
            ModelError: the file is missing, foreign, damaged or of another version.

        """
        name, content = read_model(DEFAULT_MODEL if model is None else model)
        session = _open_session(name, content, threads)
        try:
            text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
            require(text is not None, "is an ONNX file, but not a genrelens model (no metadata)")
            metadata = ModelMetadata.from_json(text)
            _check_graph(session, metadata)
        except (ValueError, OverflowError) as error:
            raise ModelError(f"{name}: {error}") from error
        return cls(metadata, session, len(content))

    def run(self, segments: Float32) -> Outputs:
        """Run the graph on the segments of one clip or window.

        Args:
            segments: (n_segments, segment_frames, n_bins) float32, n_segments >= 1.

        Raises:
            ModelError: the graph is damaged: it fails, or gives NaN.

        """
        try:
            values = self._session.run(self._outputs, {_INPUT: segments})
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            raise ModelError(f"{self.metadata.name}: the graph fails ({_words(error)})") from error
        if not all(np.isfinite(value).all() for value in values):
            raise ModelError(
                f"{self.metadata.name}: the graph gives NaN; its weights are damaged, or diverged "
                "in training"
            )
        return Outputs(**dict(zip(self._outputs, values, strict=True)))


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


def model_digest(model: str | os.PathLike[str] | None = None) -> str:
    """Return the SHA-256 of a model file, in hexadecimal.

    Args:
        model: name of a packaged model or path of an ``.onnx`` file; None is the default.

    Raises:
        ModelError: there is no such file, or it cannot be read.

    """
    return hashlib.sha256(read_model(DEFAULT_MODEL if model is None else model)[1]).hexdigest()


def read_model(model: str | os.PathLike[str]) -> tuple[str, bytes]:
    """Return a name for messages and the bytes of a model file.

    Args:
        model: name of a packaged model or path of an ``.onnx`` file.

    Raises:
        ModelError: there is no such file, or it cannot be read.

    """
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
        raise ModelError(f"{name}: {reason(error)}") from error


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
            content,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # it would print to stdout
        )
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise ModelError(f"{name}: is not a complete ONNX file ({_words(error)})") from error


def _words(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_graph(session: ort.InferenceSession, metadata: ModelMetadata) -> None:
    inputs = {entry.name: entry for entry in session.get_inputs()}
    outputs = {entry.name: entry for entry in session.get_outputs()}
    require(
        set(inputs) == {_INPUT} and set(_OUTPUTS) <= set(outputs),
        f"its graph maps {sorted(inputs)} to {sorted(outputs)}, not '{_INPUT}' to {_OUTPUTS}",
    )
    shapes = {}
    for name, entry in (inputs | outputs).items():
        if name in (_INPUT, *_OUTPUTS, *_OPTIONAL):
            require(entry.type == "tensor(float)", f"its graph's {name} is a {entry.type}")
            shapes[name] = list(entry.shape)
    _check_genres(shapes, metadata)
    _check_optional(shapes, metadata)


def _check_genres(shapes: dict[str, list[int | str]], metadata: ModelMetadata) -> None:
    features, n_classes = metadata.features, len(metadata.labels)
    segments, clip_logits, segment_logits = (shapes[name] for name in (_INPUT, *_OUTPUTS))
    shape = [features.segment_frames, features.n_bins]
    require(
        segments[1:] == shape and not isinstance(segments[0], int),
        f"its graph takes segments of shape {segments}, its front end makes any number of {shape}",
    )
    require(
        clip_logits == [n_classes] and segment_logits[1:] == [n_classes],
        f"its graph gives logits of shape {clip_logits} and {segment_logits}, "
        f"its metadata {n_classes} labels",
    )


def _check_optional(shapes: dict[str, list[int | str]], metadata: ModelMetadata) -> None:
    """Check that graph and metadata agree on what not every model has."""
    styles, n_styles = shapes.get("style_logits"), len(metadata.styles)
    require(
        (styles is None and not n_styles)
        or (styles is not None and len(styles) == 2 and styles[1] == n_styles > 0),
        f"its graph gives style logits of shape {styles}, its metadata {n_styles} styles",
    )
    music, threshold = shapes.get("music_logits"), metadata.music_threshold
    require(
        (music is None and threshold is None)
        or (music is not None and len(music) == 1 and threshold is not None),
        f"its graph gives music logits of shape {music}, its metadata music_threshold={threshold}",
    )
    vectors = shapes.get("embeddings")
    require(
        vectors is None or (len(vectors) == 2 and isinstance(vectors[1], int)),
        f"its graph gives embeddings of shape {vectors}, not one vector for each segment",
    )
