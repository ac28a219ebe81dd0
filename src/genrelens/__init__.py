"""genrelens classifies recordings of music by genre.

Example::

    from genrelens import Classifier

    classifier = Classifier.load()
    prediction = classifier.classify("song.mp3")
    print(prediction.answer)            # rock
    print(prediction.top(3))            # [('rock', 0.91), ('metal', 0.05), ('blues', 0.02)]
    for section in prediction.sections:
        print(section.start, section.end, section.genre)

Many recordings as a table::

    from genrelens import to_pandas

    table = to_pandas(classifier.classify_many(paths))

The other packages: :mod:`genrelens.library` (a catalogue of a music library, and genre tags),
:mod:`genrelens.evaluation` (accuracy, calibration, reports), :mod:`genrelens.data` (labelled
clips), :mod:`genrelens.train` (networks of your own) and :mod:`genrelens.web` (the server).
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing typing takes too long: Ctrl-C has no handler yet
if TYPE_CHECKING:
    from typing import Any

    from genrelens.audacity import audacity_labels
    from genrelens.audio import load_audio, probe, stream_audio
    from genrelens.classifier import Classifier
    from genrelens.embeddings import GenrelensEmbeddings
    from genrelens.errors import (
        AudioError,
        AudioWarning,
        DataError,
        DataWarning,
        GenrelensError,
        LibraryError,
        MissingExtraError,
        ModelError,
        RecipeError,
        TagError,
    )
    from genrelens.features import FeatureConfig, extract_segments
    from genrelens.findings import Genre, Style
    from genrelens.metadata import ModelMetadata
    from genrelens.model_file import packaged_models
    from genrelens.prediction import Prediction
    from genrelens.results_table import to_columns, to_pandas, to_polars
    from genrelens.segmentation import Section

__version__ = "0.1.0"

__all__ = [
    "AudioError",
    "AudioWarning",
    "Classifier",
    "DataError",
    "DataWarning",
    "FeatureConfig",
    "Genre",
    "GenrelensEmbeddings",
    "GenrelensError",
    "LibraryError",
    "MissingExtraError",
    "ModelError",
    "ModelMetadata",
    "Prediction",
    "RecipeError",
    "Section",
    "Style",
    "TagError",
    "__version__",
    "audacity_labels",
    "extract_segments",
    "load_audio",
    "packaged_models",
    "probe",
    "stream_audio",
    "to_columns",
    "to_pandas",
    "to_polars",
]

_MODULES = {
    "Classifier": "classifier",
    "FeatureConfig": "features",
    "Genre": "findings",
    "GenrelensEmbeddings": "embeddings",
    "ModelMetadata": "metadata",
    "Prediction": "prediction",
    "Section": "segmentation",
    "Style": "findings",
    "audacity_labels": "audacity",
    "extract_segments": "features",
    "load_audio": "audio",
    "packaged_models": "model_file",
    "probe": "audio",
    "stream_audio": "audio",
    "to_columns": "results_table",
    "to_pandas": "results_table",
    "to_polars": "results_table",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that the command line starts without NumPy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES.get(name, 'errors')}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
