"""Connect to a Ray cluster, quietly and without reports of usage to its makers."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from genrelens.errors import LibraryError, MissingExtraError
from genrelens.files import reason

__all__ = ["cluster"]

_PATIENCE = 10.0  # seconds to wait for an answer
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray would send statistics to its makers
    "RAY_DEDUP_LOGS": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TQDM": "0",
}


@contextmanager
def cluster(address: str = "auto") -> Iterator[None]:
    """Connect to a Ray cluster, and disconnect at the end.

    Args:
        address: ``"auto"``: the cluster of ``$RAY_ADDRESS`` or of this machine; ``"local"``: a new
            cluster on this machine, which ends with the connection; ``"HOST:PORT"``: the head of a
            cluster that this machine belongs to; ``"ray://HOST:PORT"``: a cluster that this
            machine does not belong to.

    Raises:
        LibraryError: no cluster answers at this address.
        MissingExtraError: Ray is not installed (the extra ``cluster``).

    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("ray", "cluster") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _connect(ray, address)
        try:
            yield
        finally:
            ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    options: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    if address == "local":
        options["include_dashboard"] = False
    try:
        _check_answer(address)
        ray.init(address, **options)
    except (ray.exceptions.RayError, RuntimeError, ValueError, OSError) as error:
        raise LibraryError(_explanation(address, error)) from error
    # Ray has no public setting for this: the messages of raylets would be on standard output.
    ray._private.worker._worker_logs_enabled = False
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _check_answer(address: str) -> None:
    """Raise OSError if nothing answers at the host and port of an address.

    Ray itself would end the process if no head answers.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "")
    host, separator, port = address.removeprefix("ray://").partition("/")[0].rpartition(":")
    if separator:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def _explanation(address: str, error: Exception) -> str:
    if address == "auto" and "RAY_ADDRESS" not in os.environ:
        return (
            "no Ray cluster runs on this machine: start one with ray start --head, name one with "
            "--ray HOST:PORT, or use --ray local"
        )
    shown = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    return f"no Ray cluster can be used at {shown} ({' '.join(reason(error).split())})"
