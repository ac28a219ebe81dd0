"""genrelens tells what kind of music a recording is.

::

    from genrelens import Classifier

    prediction = Classifier.load().classify("song.mp3")
    print(prediction.genre, prediction.top(3))
"""

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
