"""onnxruntime-web, which runs the network in a browser. It is not in this package: 14 MB."""

from __future__ import annotations

import hashlib
from pathlib import Path

from genrelens.errors import DataError
from genrelens.files import reason

__all__ = ["PACKAGE", "read_runtime"]

PACKAGE = "onnxruntime-web-1.30.0.tgz"
"""The file that ``npm pack onnxruntime-web@1.30.0`` writes."""

_GET_IT = "get it with: npm pack onnxruntime-web@1.30.0"

# Name on the site, and SHA-256. Servers that do not know .mjs would send a wrong media type.
_FILES = {
    "ort.wasm.min.mjs": (
        "ort.js",
        "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    ),
    "ort-wasm-simd-threaded.mjs": (
        "ort-wasm.js",
        "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    ),
    "ort-wasm-simd-threaded.wasm": (
        "ort-wasm.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
}


def read_runtime(source: Path) -> dict[str, bytes]:
    """Read and verify the files of onnxruntime-web.

    Args:
        source: the npm package as a ``.tgz`` file, or the folder into which it was unpacked or
            installed.

    Returns:
        Content by name on the site.

    Raises:
        DataError: it is missing, incomplete, or of another version.

    """
    import tarfile

    try:
        contents = _from_folder(source) if source.is_dir() else _from_archive(source)
    except FileNotFoundError as error:
        raise DataError(f"does not exist; {_GET_IT}", path=source) from error
    except (OSError, tarfile.TarError, EOFError, KeyError) as error:
        text = f"is not the package onnxruntime-web ({reason(error)}); {_GET_IT}"
        raise DataError(text, path=source) from error
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != _FILES[name][1]:
            raise DataError(f"has another {name} than version 1.30.0; {_GET_IT}", path=source)
    return {_FILES[name][0]: content for name, content in contents.items()}


def _from_folder(folder: Path) -> dict[str, bytes]:
    dist = next(filter(Path.is_dir, (folder / "package" / "dist", folder / "dist")), folder)
    return {name: (dist / name).read_bytes() for name in _FILES}


def _from_archive(path: Path) -> dict[str, bytes]:
    import tarfile  # only this command needs it

    with tarfile.open(path, "r:gz") as archive:
        found = {}
        for name in _FILES:
            file = archive.extractfile(f"package/dist/{name}")
            if file is None:
                raise KeyError(name)
            found[name] = file.read()
    return found
