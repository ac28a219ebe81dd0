"""genrelens tells what kind of music a recording is.

::

    from genrelens import Classifier

    prediction = Classifier.load().classify("song.mp3")
    print(prediction.genre, prediction.top(3))
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # that of typing takes long to import, and Ctrl-C is not handled yet
if TYPE_CHECKING:
    from typing import Any

    from genrelens.audio import load_audio, stream_audio
    from genrelens.classifier import Classifier
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
    from genrelens.prediction import Prediction

__version__ = "0.1.0"

__all__ = [
    "AudioError",
    "AudioWarning",
    "Classifier",
    "DataError",
    "DataWarning",
    "FeatureConfig",
    "GenrelensError",
    "LibraryError",
    "MissingExtraError",
    "ModelError",
    "Prediction",
    "RecipeError",
    "TagError",
    "__version__",
    "extract_segments",
    "load_audio",
    "stream_audio",
]

_PLACES = {
    **dict.fromkeys(("load_audio", "stream_audio"), "audio"),
    **dict.fromkeys(("FeatureConfig", "extract_segments"), "features"),
    "Classifier": "classifier",
    "Prediction": "prediction",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that the command line begins before NumPy and others do."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_PLACES.get(name, 'errors')}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
