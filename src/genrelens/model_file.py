"""Model files: one ``.onnx`` file holds the network and its metadata.

The input of the graph is ``segments``, (n_segments, segment_frames, n_bins) float32, for any number
of segments. Its outputs are the fields of :class:`Outputs`; only ``clip_logits`` and
``segment_logits`` are required. The key ``genrelens`` of ``metadata_props`` has the
:class:`~genrelens.metadata.ModelMetadata` as JSON.

A model can have a set head: a second graph, in base64 under the key ``genrelens.set_head``. The
main graph then has the output ``features``, and its ``style_logits`` are only those of the first
styles. The set head computes the outputs for genres, music, noise and the other styles.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import os
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrelens.counts import count_of
from genrelens.errors import ModelError, require
from genrelens.files import reason
from genrelens.logs import logger
from genrelens.metadata import FORMAT_VERSION, GenreRule, ModelMetadata, StyleTag
from genrelens.set_head import SetHead, describe

# Without this variable, onnxruntime 1.32 sends telemetry as soon as it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime as ort

__all__ = [
    "DEFAULT_MODEL",
    "FORMAT_VERSION",
    "METADATA_KEY",
    "SET_HEAD_KEY",
    "GenreRule",
    "ModelFile",
    "ModelMetadata",
    "Outputs",
    "StyleTag",
    "model_digest",
    "packaged_models",
    "read_model",
]

Float32 = NDArray[np.float32]

_log = logger(__name__)

METADATA_KEY = "genrelens"
SET_HEAD_KEY = "genrelens.set_head"
DEFAULT_MODEL = "lens"

_USEFUL_THREADS = 4  # for one recording
_RUN_SEGMENTS = 5
_INPUT = "segments"
_OUTPUTS = ["clip_logits", "segment_logits"]
_OPTIONAL = ["embeddings", "style_logits", "music_logits", "snr", "features"]
_OF_SETS = [*_OUTPUTS, "music_logits", "snr"]  # computed by the set head if there is one


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of a graph for n segments, float32.

    The last five are None if the model does not have them.

    Attributes:
        clip_logits: genre logits of all segments together, (n_classes,), for a softmax.
        segment_logits: genre logits of each segment, (n, n_classes), for a softmax.
        embeddings: embedding of each segment, (n, d), not normalised.
        style_logits: style logits of each segment, (n, n_styles), for a sigmoid.
        music_logits: logits of music of each segment, (n,), for a sigmoid.
        snr: estimated signal-to-noise ratio of each segment in dB, (n,).
        features: features of each segment for the set head, (n, d).

    """

    clip_logits: Float32
    segment_logits: Float32
    embeddings: Float32 | None = None
    style_logits: Float32 | None = None
    music_logits: Float32 | None = None
    snr: Float32 | None = None
    features: Float32 | None = None


class ModelFile:
    """A loaded model file.

    Attributes:
        name: name of a packaged model, or path of the file.
        metadata: metadata of the model.
        size: size of the file in bytes.
        set_head: the set head, which classifies sets of segments; None if the model has none.
        threads: number of threads that are to work for one recording.

    Example::

        model_file = ModelFile.load("runs/mine/model.onnx")
        outputs = model_file.run(extract_segments(y, model_file.metadata.features))

    """

    def __init__(
        self,
        name: str,
        metadata: ModelMetadata,
        session: ort.InferenceSession,
        size: int,
        set_head: SetHead | None = None,
        threads: int = 1,
    ) -> None:
        self.threads = threads
        self.name = name
        self.metadata = metadata
        self.size = size
        self.set_head = set_head
        self._session = session
        present = {entry.name for entry in session.get_outputs()}
        self._outputs = [name for name in (*_OUTPUTS, *_OPTIONAL) if name in present]

    @classmethod
    def load(cls, model: str | os.PathLike[str] | None = None, *, threads: int = 0) -> ModelFile:
        """Read and check a model file.

        Args:
            model: name of a packaged model or path of an ``.onnx`` file; None selects the default.
            threads: number of threads for one recording; 0 uses one per core, but at most 4,
                since more would wait for the decoder. A graph with a set head runs in one thread
                and is meant to be run in several at once; another graph uses them itself.

        Raises:
            ModelError: the file is missing, damaged, of another version, or not a model.

        """
        started = time.perf_counter()
        name = DEFAULT_MODEL if model is None else os.fspath(model)
        threads = threads or min(os.cpu_count() or 1, _USEFUL_THREADS)
        content = read_model(name)
        session = _open_session(name, content, 1)
        try:
            texts = session.get_modelmeta().custom_metadata_map
            text = texts.get(METADATA_KEY)
            require(text is not None, "is an ONNX file, but not a genrelens model (no metadata)")
            metadata = ModelMetadata.from_json(text)
            head = _set_head(texts.get(SET_HEAD_KEY))
            _check_graph(session, metadata, head)
            if head is None and threads > 1:
                session = _open_session(name, content, threads)
        except (ValueError, OverflowError) as error:
            raise ModelError(str(error), path=name) from error
        if _log.isEnabledFor(logging.INFO):
            digest, seconds = hashlib.sha256(content).hexdigest(), time.perf_counter() - started
            _log.info("loaded model %s, SHA-256 %s, in %.3f s", name, digest[:16], seconds)
        return cls(name, metadata, session, len(content), head, threads)

    @property
    def run_segments(self) -> int:
        """Number of segments for one run of the graph.

        Without a set head, it is a window, whose segments the graph classifies together. With a set
        head, the graph treats each segment alone, and short runs keep several threads at work.
        """
        return self.metadata.window_segments if self.set_head is None else _RUN_SEGMENTS

    @property
    def embedding_size(self) -> int | None:
        """Number of dimensions of an embedding; None if the model does not give embeddings."""
        shapes = {each.name: each.shape for each in self._session.get_outputs()}
        return int(shapes["embeddings"][1]) if "embeddings" in shapes else None

    def run(self, segments: Float32) -> Outputs:
        """Run the graph on the segments of one clip or window.

        Args:
            segments: (n_segments, segment_frames, n_bins) float32, n_segments >= 1.

        Raises:
            ModelError: the graph is damaged: it fails, or returns NaN.

        """
        try:
            values = self._session.run(self._outputs, {_INPUT: segments})
        except Exception as error:  # onnxruntime's exceptions share no base class of their own
            raise ModelError(
                f"its network cannot be run ({_one_line(error)})", path=self.name
            ) from error
        if not all(np.isfinite(value).all() for value in values):
            raise ModelError(
                "its network returns NaN: its weights are damaged, or its training diverged",
                path=self.name,
            )
        named = dict(zip(self._outputs, values, strict=True))
        try:
            return Outputs(**(named | self._of_sets(named)))
        except ValueError as error:
            raise ModelError(str(error), path=self.name) from error

    def _of_sets(self, named: dict[str, Float32]) -> dict[str, Float32 | None]:
        """Return the outputs of the set head: for each segment, and for all as one set."""
        if self.set_head is None:
            return {}
        features = named["features"]
        each = self.set_head.of_segments(features)
        whole = self.set_head(describe(features, np.ones(len(features)))[None])
        tags = named.get("style_logits", np.zeros((len(features), 0), np.float32))
        styles = np.concatenate([tags, each.style_logits], axis=1)
        return {
            "clip_logits": whole.genre_logits[0],
            "segment_logits": each.genre_logits,
            "style_logits": styles if styles.shape[1] else None,
            "music_logits": each.music_logits,
            "snr": each.snr,
        }


def packaged_models() -> list[str]:
    """Return the names of the models in the package, the default one first.

    Example::

        >>> packaged_models()[0]
        'lens'

    """
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
    return hashlib.sha256(read_model(DEFAULT_MODEL if model is None else model)).hexdigest()


def read_model(model: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a model file.

    Args:
        model: name of a packaged model or path of an ``.onnx`` file.

    Raises:
        ModelError: there is no such file, or it cannot be read.

    """
    name = os.fspath(model)
    if name in packaged_models():
        return (resources.files("genrelens") / "models" / f"{name}.onnx").read_bytes()
    try:
        return Path(name).read_bytes()
    except FileNotFoundError as error:
        known = ", ".join(packaged_models()) or "none"
        raise ModelError(
            f"is neither a file nor a packaged model; packaged models: {known}", path=name
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(reason(error), path=name) from error


def _open_session(name: str, content: bytes, threads: int) -> ort.InferenceSession:
    """Open a graph from memory. A graph with weights in other files is an error."""
    options = ort.SessionOptions()
    # Otherwise onnxruntime looks for such files in the working directory.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    options.intra_op_num_threads = threads
    # Threads that wait in a loop would take the cores from the thread that decodes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # nothing on stderr; errors are raised as exceptions
    try:
        return ort.InferenceSession(
            content,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # the fallback prints to stdout
        )
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        raise ModelError(f"is not a complete ONNX file ({_one_line(error)})", path=name) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _set_head(text: str | None) -> SetHead | None:
    """Read the set head; raise ``ValueError`` if it is damaged."""
    if text is None:
        return None
    try:
        return SetHead(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise ValueError(f"its set head is damaged ({error})") from error


def _check_graph(
    session: ort.InferenceSession, metadata: ModelMetadata, head: SetHead | None
) -> None:
    inputs = {entry.name: entry for entry in session.get_inputs()}
    outputs = {entry.name: entry for entry in session.get_outputs()}
    required = _OUTPUTS if head is None else ["features"]
    require(
        set(inputs) == {_INPUT} and set(required) <= set(outputs),
        f"its graph maps {sorted(inputs)} to {sorted(outputs)}, not '{_INPUT}' to {required}",
    )
    shapes: dict[str, list[int | str]] = {}
    for name, entry in (inputs | outputs).items():
        if name in (_INPUT, *_OUTPUTS, *_OPTIONAL):
            require(entry.type == "tensor(float)", f"its graph's {name} is a {entry.type}")
            shapes[name] = list(entry.shape)
    if head is not None:
        shapes |= _shapes_of_sets(shapes, head)
    _check_genres(shapes, metadata)
    _check_optional(shapes, metadata)


def _shapes_of_sets(
    shapes: dict[str, list[int | str]], head: SetHead
) -> dict[str, list[int | str]]:
    """Return the shapes of the outputs that come from a set head; check that it fits the graph."""
    features = shapes["features"]
    require(
        features[1:] == [head.n_features],
        f"its graph has features of shape {features}, its set head takes {head.n_features}",
    )
    twice = sorted(set(_OF_SETS) & set(shapes))
    require(not twice, f"its graph and its set head both have {', '.join(twice)}")
    found: dict[str, list[int | str]] = {
        "clip_logits": [head.n_classes],
        "segment_logits": ["n", head.n_classes],
    }
    tags = shapes.get("style_logits", ["n", 0])
    if len(tags) == 2 and isinstance(tags[1], int) and tags[1] + head.n_styles:
        found["style_logits"] = ["n", tags[1] + head.n_styles]
    if head.has_music:
        found["music_logits"] = ["n"]
    if head.has_snr:
        found["snr"] = ["n"]
    return found


def _check_genres(shapes: dict[str, list[int | str]], metadata: ModelMetadata) -> None:
    features, n_classes = metadata.features, len(metadata.labels)
    segments, clip_logits, segment_logits = (shapes[name] for name in (_INPUT, *_OUTPUTS))
    shape = [features.segment_frames, features.n_bins]
    require(
        segments[1:] == shape and not isinstance(segments[0], int),
        f"its graph takes segments of shape {segments}, its front end any number of {shape}",
    )
    require(
        clip_logits == [n_classes] and segment_logits[1:] == [n_classes],
        f"its graph has logits of shape {clip_logits} and {segment_logits}, "
        f"its metadata {count_of(n_classes, 'label')}",
    )


def _check_optional(shapes: dict[str, list[int | str]], metadata: ModelMetadata) -> None:
    """Check that graph and metadata agree on the optional outputs."""
    styles, n_styles = shapes.get("style_logits"), len(metadata.styles)
    require(
        (styles is None and not n_styles)
        or (styles is not None and len(styles) == 2 and styles[1] == n_styles > 0),
        f"its graph has style logits of shape {styles}, its metadata {count_of(n_styles, 'style')}",
    )
    music, threshold = shapes.get("music_logits"), metadata.music_threshold
    require(
        (music is None and threshold is None)
        or (music is not None and len(music) == 1 and threshold is not None),
        f"its graph has music logits of shape {music}, its metadata music_threshold={threshold}",
    )
    snr = shapes.get("snr")
    require(
        snr is None or len(snr) == 1, f"its graph has an snr of shape {snr}, not one number each"
    )
    require(
        snr is not None or not metadata.noise_rule,
        "its metadata has a noise_rule, its graph no output snr",
    )
    vectors = shapes.get("embeddings")
    require(
        vectors is None or (len(vectors) == 2 and isinstance(vectors[1], int)),
        f"its graph has embeddings of shape {vectors}, not one vector for each segment",
    )
