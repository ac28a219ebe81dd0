"""What has to be known to get a figure again: which data, which code, which versions."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from genrelens.data.folders import LabelledClip
from genrelens.files import sha256

__all__ = ["data_fingerprint", "environment", "fingerprint_of", "git_commit"]

_PACKAGES = ("numpy", "onnxruntime", "soundfile", "soxr", "av", "scikit-learn", "scipy", "torch")


def data_fingerprint(clips: Iterable[LabelledClip]) -> str:
    """Return 16 hexadecimal digits that name labelled clips by content.

    Neither the names nor the order of the files matter, nor do parts of a split and a label map:
    a model file and a report on the same clips hold the same fingerprint.

    Raises:
        DataError: a clip cannot be read.

    """
    return fingerprint_of((sha256(clip.path), clip) for clip in clips)


def fingerprint_of(contents: Iterable[tuple[str, LabelledClip]]) -> str:
    """Return the fingerprint of :func:`data_fingerprint` where the files were hashed before.

    Args:
        contents: the SHA-256 of each file, 64 hexadecimal digits, and its clip.

    """
    rows = sorted(f"{digest} {clip.original_label or clip.label}" for digest, clip in contents)
    text = "\n".join(rows).encode(errors="surrogateescape")  # a folder's name may be no text
    return hashlib.sha256(text).hexdigest()[:16]


def environment() -> dict[str, Any]:
    """Return what runs here: ``genrelens``, ``commit`` (or None), ``versions`` and ``date``."""
    from genrelens import __version__

    return {
        "genrelens": __version__,
        "commit": git_commit(Path(__file__)),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }


def git_commit(file: Path) -> str | None:
    """Return the commit of the checkout that tracks a file, or None where none does.

    ``" with changes"`` stands behind it if a tracked file beside or below ``file`` differs from
    it. A package that is merely installed somewhere inside another checkout has no commit.
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
