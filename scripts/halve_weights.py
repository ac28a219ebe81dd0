"""Store the weights of packaged models in 16 bits, if their probabilities stay.

    python scripts/halve_weights.py mel-cnn-lstm mfcc-lstm --clips ../shared/gtzan/audio

The bundled clips, and every eighth clip below ``--clips``, are classified with both files. A model
is replaced only if no probability of a recording differs by more than 0.001 and no answer changes.
Run ``scripts/golden.py`` afterwards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from genrelens import Classifier, packaged_models
from genrelens.train import halve_weights

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "src" / "genrelens" / "models"
LARGEST = 1e-3
EVERY = 8


def differences(models: Iterable[Path], clips: Sequence[Path]) -> tuple[float, int]:
    """Return the largest difference of a probability, and the number of other answers."""
    results = [
        [Classifier.load(model, threads=1).classify(clip) for clip in clips] for model in models
    ]
    pairs = list(zip(*results, strict=True))
    largest = max(float(np.abs(a.probabilities - b.probabilities).max()) for a, b in pairs)
    return largest, sum(a.answer.split(":")[0] != b.answer.split(":")[0] for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", choices=packaged_models())
    parser.add_argument("--clips", type=Path, help="folder with recordings, genre/file")
    options = parser.parse_args()
    clips = sorted((ROOT / "examples").glob("*.ogg"))
    clips += sorted(options.clips.glob("*/*.*"))[::EVERY] if options.clips else []
    for name in options.models:
        model = MODELS / f"{name}.onnx"
        with tempfile.TemporaryDirectory() as folder:
            smaller = Path(folder, model.name)
            halve_weights(model, smaller)
            largest, others = differences((model, smaller), clips)
            sizes = " -> ".join(f"{path.stat().st_size / 1e6:.1f} MB" for path in (model, smaller))
            print(f"{name}: {sizes}, {len(clips)} clips, largest difference {largest:.1e}")
            if largest > LARGEST or others:
                sys.exit(f"{name} is not replaced ({others} other answers)")
            model.write_bytes(smaller.read_bytes())


if __name__ == "__main__":
    main()
