"""Logging: the logger ``genrelens`` and one below it for each module.

Nothing is written unless the program configures logging::

    logging.basicConfig()
    logging.getLogger("genrelens").setLevel(logging.DEBUG)

INFO: a model is loaded, workers start, a decoder fails, tags are written. DEBUG: one line or a few
for each file.
"""

from __future__ import annotations

import logging

__all__ = ["logger"]

logging.getLogger("genrelens").addHandler(logging.NullHandler())


def logger(module: str) -> logging.Logger:
    """Return the logger of a module of genrelens.

    Args:
        module: ``__name__`` of the module.

    """
    return logging.getLogger(module)
