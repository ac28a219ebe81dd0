"""Files that are made to be slow or to fill the memory: 54 kinds of any size.

A test uses small ones, and ``scripts/bombs.py`` large ones. Each kind is a function from a size in
bytes to the parts of a file. Most have many tiny parts of a container, or few parts that claim or
inflate to a large size.
"""

from support.bombs import streams, chunks, containers  # noqa: F401, I001 (in the order of BOMBS)
from support.bombs.registry import BOMBS, write_bomb

__all__ = ["BOMBS", "write_bomb"]
