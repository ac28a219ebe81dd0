"""Provenance of figures: which model, which data, which code and versions."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from genrelens.data.folders import LabelledClip
from genrelens.files import sha256
from genrelens.metadata import ModelMetadata
from genrelens.model_file import model_digest
from genrelens.training_audio import TrainingAudio

__all__ = [
    "data_fingerprint",
    "data_provenance",
    "environment",
    "fingerprint_of",
    "git_commit",
    "model_provenance",
    "predictions_provenance",
]

_PACKAGES = ("numpy", "onnxruntime", "soundfile", "soxr", "av", "scikit-learn", "scipy", "torch")


# ------------------------------------------------------------------------------- data


def data_fingerprint(clips: Iterable[LabelledClip]) -> str:
    """Return 16 hexadecimal digits that identify labelled clips by content.

    Names and order of the files, parts of a split and a label map do not matter: a model file and
    a report on the same clips hold the same fingerprint.

    Raises:
        DataError: a clip cannot be read.

    Example::

        data_fingerprint(read_folder(Path("clips")))  # '5f0c6b1d2e9a4c37'

    """
    return fingerprint_of((sha256(clip.path), clip) for clip in clips)


def fingerprint_of(contents: Iterable[tuple[str, LabelledClip]]) -> str:
    """Return the fingerprint of :func:`data_fingerprint` from digests that are known already.

    Args:
        contents: the SHA-256 of each file, 64 hexadecimal digits, and its clip.

    """
    rows = sorted(f"{digest} {clip.original_label or clip.label}" for digest, clip in contents)
    text = "\n".join(rows).encode(errors="surrogateescape")  # a folder name may be no valid text
    return hashlib.sha256(text).hexdigest()[:16]


def data_provenance(
    folder: Path | None,
    clips: Iterable[LabelledClip],
    protocol: str,
    *,
    split: Path | None = None,
    groups: Path | None = None,
) -> dict[str, Any]:
    """Identify clips, and the files that select and group them, by content.

    Args:
        folder: folder of the clips, for its name.
        clips: the clips.
        protocol: description of the selection.
        split: file of the split.
        groups: file of the groups.

    Raises:
        DataError: one of the files cannot be read.

    Example::

        clips = read_folder(Path("clips"))
        provenance = data_provenance(Path("clips"), clips, "all clips")

    """
    return {
        "data": None if folder is None else folder.resolve().name,
        "data_fingerprint": data_fingerprint(clips),
        "protocol": protocol,
        "split_sha256": None if split is None else sha256(split),
        "groups": None if groups is None else groups.name,
    }


def predictions_provenance(path: Path) -> dict[str, Any]:
    """Identify a file of predictions, or that of a report, by content.

    Raises:
        DataError: the file cannot be read.

    Example::

        provenance = predictions_provenance(Path("predictions.csv"))

    """
    file = path / "predictions.csv" if path.is_dir() else path
    return {"predictions": path.resolve().name, "predictions_sha256": sha256(file)}


# ------------------------------------------------------------------------------- models, code


def model_provenance(model: str | None, metadata: ModelMetadata) -> dict[str, Any]:
    """Identify a model by content.

    Args:
        model: name of a packaged model or path of a model file; None for the default model.
        metadata: metadata of the model.

    Raises:
        ModelError: the file cannot be read.

    Example::

        classifier = Classifier.load("my.onnx")
        provenance = model_provenance("my.onnx", classifier.metadata)

    """
    audio = TrainingAudio.from_provenance(metadata.provenance)
    return {
        "model": metadata.name,
        "model_sha256": model_digest(model),
        "training_recordings": None if audio is None else len(audio),
        "model_data_fingerprints": _training_fingerprints(metadata.provenance),
        "temperature": metadata.temperature,
    }


def _training_fingerprints(provenance: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the fingerprints of all training clips and of each part, if the model holds them.

    Models of former versions hold fingerprints that no report matches.
    """
    data = provenance.get("data")
    if not isinstance(data, Mapping) or not isinstance(data.get("fingerprints"), Mapping):
        return None
    return {"all": str(data.get("fingerprint")), **data["fingerprints"]}


def environment() -> dict[str, Any]:
    """Return ``genrelens`` (its version), ``commit`` (or None), ``versions`` and ``date``.

    Example::

        write_report(Path("report"), "My model", table, score(table), environment())

    """
    from genrelens import __version__

    return {
        "genrelens": __version__,
        "commit": git_commit(Path(__file__)),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }


def git_commit(file: Path) -> str | None:
    """Return the commit of the checkout that tracks a file, or None if no checkout tracks it.

    ``" with changes"`` is appended if a tracked file beside or below ``file`` differs from the
    commit. A package that is only installed inside another checkout has no commit.
    """
    try:
        _git(file, "ls-files", "--error-unmatch", file.name)
        commit = _git(file, "rev-parse", "HEAD")
        changed = _git(file, "status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit} with changes" if changed else commit


def _git(file: Path, *arguments: str) -> str:
    command = ["git", "-C", str(file.parent), *arguments]
    return subprocess.run(
        command, capture_output=True, check=True, text=True, timeout=20
    ).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
