"""Write ``tests/golden.json``: the probabilities of the packaged models for the bundled clips.

Run it after you train new models, and check the difference before you commit it.
"""

from __future__ import annotations

import json
from pathlib import Path

from genrelens import Classifier, packaged_models

ROOT = Path(__file__).resolve().parent.parent


def golden() -> dict[str, dict[str, dict[str, float]]]:
    """Return model -> recording -> genre -> probability."""
    return {
        name: {
            path.name: dict(Classifier.load(name, threads=1).classify(path).top())
            for path in sorted((ROOT / "examples").glob("*.ogg"))
        }
        for name in packaged_models()
    }


if __name__ == "__main__":
    target = ROOT / "tests" / "golden.json"
    target.write_text(json.dumps(golden(), indent=1) + "\n")
    print(f"wrote {target}")
