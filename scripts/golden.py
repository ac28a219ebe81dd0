"""Rewrite ``tests/golden.json``: what the packaged models say of the bundled recordings.

Run it after training new models, and look at the difference before you commit it.
"""

from __future__ import annotations

import json
from pathlib import Path

from genrelens import Classifier
from genrelens.model_file import packaged_models

ROOT = Path(__file__).resolve().parent.parent


def golden() -> dict[str, dict[str, dict[str, float]]]:
    """Model -> recording -> genre -> probability."""
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
