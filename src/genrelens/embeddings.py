"""Embeddings of recordings as a step of a scikit-learn pipeline."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from genrelens.audio import AudioSource
from genrelens.classifier import Classifier
from genrelens.errors import AudioError, AudioWarning, MissingExtraError, ModelError
from genrelens.prediction import Prediction

__all__ = ["GenrelensEmbeddings"]

_Output = Literal["default", "pandas", "polars"]
_PARAMETERS = ("model", "jobs", "fast", "on_error")


class GenrelensEmbeddings:
    """Transforms paths of recordings to embeddings, as a transformer of scikit-learn.

    It has the methods of a transformer and works in pipelines, in cross-validation and with
    ``sklearn.base.clone``; scikit-learn itself is not required. There is nothing to fit: the
    network is the one of the model. Classifying a recording takes much longer than the rest of a
    pipeline, so compute the embeddings once, before a cross-validation, or give the pipeline a
    ``memory``.

    Args:
        model: as for :meth:`Classifier.load`; the model must give embeddings, as the default does.
        jobs: number of recordings at once.
        fast: classify three short excerpts of each recording, as :meth:`Classifier.classify`
            does.
        on_error: ``"raise"`` raises the error of the first recording that cannot be read or has no
            embedding, because it is silent; ``"nan"`` warns and returns a row of NaN for it.

    Example::

        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        pipeline = make_pipeline(GenrelensEmbeddings(jobs=2), LogisticRegression())
        pipeline.fit(["a.mp3", "b.mp3"], ["calm", "wild"])
        pipeline.predict(["c.mp3"])

    """

    def __init__(
        self,
        model: str | None = None,
        *,
        jobs: int = 1,
        fast: bool = False,
        on_error: Literal["raise", "nan"] = "raise",
    ) -> None:
        self.model = model
        self.jobs = jobs
        self.fast = fast
        self.on_error = on_error

    # ------------------------------------------------------------------------ transforming

    def fit(self, paths: Iterable[AudioSource], y: Any = None) -> Self:
        """Return the transformer unchanged, as there is nothing to fit.

        Args:
            paths: ignored.
            y: ignored.

        """
        return self

    def transform(self, paths: Iterable[AudioSource]) -> NDArray[np.float32]:
        """Return the embeddings of recordings.

        Args:
            paths: paths or other sources of n recordings, see :meth:`Classifier.classify`: a list,
                an array (n,), a column (n, 1) or a pandas Series.

        Returns:
            (n, d) float32; each row has length 1, or is NaN. After :meth:`set_output`, a table.

        Raises:
            AudioError: a recording cannot be read or is silent, with ``on_error="raise"``.
            ModelError: the model cannot be loaded, or does not give embeddings.
            ValueError: a parameter is out of range, or ``paths`` is not a sequence.

        Example::

            GenrelensEmbeddings().transform(["a.mp3", "b.mp3"]).shape  # (2, 200)

        """
        if self.on_error not in ("raise", "nan"):
            raise ValueError(f"on_error={self.on_error!r} is neither 'raise' nor 'nan'")
        sources = _sources(paths)
        classifier, size = self._loaded()
        rows = np.full((len(sources), size), np.nan, np.float32)
        results = classifier.classify_many(sources, jobs=self.jobs, fast=self.fast)
        for row, (_, result) in zip(rows, results, strict=True):
            embedding = self._embedding(result)
            if embedding is not None:
                row[:] = embedding
        return self._as_output(rows, paths)  # type: ignore[no-any-return]

    def fit_transform(self, paths: Iterable[AudioSource], y: Any = None) -> NDArray[np.float32]:
        """Return the embeddings of recordings, as :meth:`transform` does.

        Args:
            paths: the recordings.
            y: ignored.

        """
        return self.transform(paths)

    def _embedding(self, result: Prediction | AudioError) -> NDArray[np.float64] | None:
        if isinstance(result, Prediction):
            if result.embedding is not None:
                return result.embedding
            result = AudioError(result.source, "is silent and has no embedding")
        if self.on_error == "raise":
            raise result
        warnings.warn(str(result), AudioWarning, stacklevel=3)
        return None

    def _loaded(self) -> tuple[Classifier, int]:
        """Return the classifier, loaded once, and the size of its embeddings."""
        settings = (self.model, self.jobs > 1)
        if getattr(self, "_settings", None) != settings:
            self._classifier = Classifier.load(self.model, threads=1 if self.jobs > 1 else 0)
            self._settings = settings
        size = self._classifier.embedding_size
        if size is None:
            raise ModelError("gives no embeddings", path=self._classifier.metadata.name)
        return self._classifier, size

    # ------------------------------------------------------------ the protocol of scikit-learn

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns, (d,): ``genrelens0`` and so on.

        Args:
            input_features: ignored.

        """
        _, size = self._loaded()
        return np.array([f"genrelens{number}" for number in range(size)], dtype=object)

    def set_output(self, *, transform: _Output | None = None) -> Self:
        """Choose what :meth:`transform` returns, and return the transformer.

        Args:
            transform: ``"default"``, an array; ``"pandas"`` or ``"polars"``, a DataFrame whose
                columns are those of :meth:`get_feature_names_out`; None changes nothing.

        Raises:
            ValueError: ``transform`` is another value.
            MissingExtraError: the package is not installed (the extra ``pandas`` or ``polars``).

        Example::

            GenrelensEmbeddings().set_output(transform="pandas").transform(["a.mp3"])

        """
        if transform not in (None, *get_args(_Output)):
            raise ValueError(f"transform={transform!r} is none of {', '.join(get_args(_Output))}")
        if transform in ("pandas", "polars"):
            _package(transform)
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}  # sklearn.base.clone copies it
        return self

    def _as_output(self, rows: NDArray[np.float32], paths: Any) -> Any:
        output = getattr(self, "_sklearn_output_config", {}).get("transform", "default")
        if output == "pandas":
            index = getattr(paths, "index", None)  # of a Series; a list has a method of this name
            names = self.get_feature_names_out()
            index = None if callable(index) else index
            return _package(output).DataFrame(rows, columns=names, index=index)
        if output == "polars":
            return _package(output).DataFrame(rows, list(self.get_feature_names_out()))
        return rows

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name.

        Args:
            deep: ignored, as no parameter has parameters.

        """
        return {name: getattr(self, name) for name in _PARAMETERS}

    def set_params(self, **params: Any) -> Self:
        """Set parameters and return the transformer.

        Raises:
            ValueError: there is no such parameter.

        Example::

            GenrelensEmbeddings().set_params(jobs=4, on_error="nan")

        """
        for name, value in params.items():
            if name not in _PARAMETERS:
                raise ValueError(f"{name!r} is none of {', '.join(_PARAMETERS)}")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:  # called by scikit-learn only
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
            requires_fit=False,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __getstate__(self) -> dict[str, Any]:
        """Return the parameters: copies and other processes load the model themselves."""
        output = {"_sklearn_output_config": getattr(self, "_sklearn_output_config", {})}
        return self.get_params() | output

    def __repr__(self) -> str:
        """Return the call that makes this transformer."""
        values = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({values})"


def _package(name: str) -> Any:
    """Import an optional package whose extra has its name."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(name, name) from error


def _sources(paths: Iterable[AudioSource]) -> Sequence[AudioSource]:
    """Return the recordings as a list."""
    if isinstance(paths, str | bytes) or not isinstance(paths, Iterable):
        raise ValueError(f"paths must be a sequence of recordings, not {type(paths).__name__}")
    shape = getattr(paths, "shape", None)
    if shape is None or len(shape) == 1:
        return list(paths)
    if len(shape) != 2 or shape[1] != 1:
        raise ValueError(f"paths has the shape {shape}, not (n,) or (n, 1)")
    return list(np.asarray(paths, dtype=object)[:, 0])
