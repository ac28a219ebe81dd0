"""Find the files and folders that a shell pattern matches, even with circular links."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator

__all__ = ["matches"]

_SLASH = f"[{re.escape(os.sep + (os.altsep or ''))}]"
_ANY_FOLDERS = re.compile(rf"(?:^|(?<={_SLASH}))\*\*(?:{_SLASH}+\*\*)*(?:{_SLASH}+|$)")


def matches(pattern: str) -> Iterator[str]:
    """Yield the files and folders that a pattern (``*``, ``?``, ``[]``, ``**``) matches.

    ``**`` matches a folder and every folder below it, each once. (:mod:`glob` follows circular
    links repeatedly, and practically does not end if there are two of them.) At the end of a
    pattern, ``**`` matches only the folder itself, because a folder names all files below it.
    A hidden name is matched only if the pattern spells out its dot.
    """
    before, *after = _ANY_FOLDERS.split(pattern, maxsplit=1)
    if not after:
        yield from sorted(glob.glob(pattern))  # noqa: PTH207 (Path.glob needs a root)
        return
    roots = sorted(glob.glob(before)) if before else [""]  # noqa: PTH207
    for root in roots:
        if not after[0]:
            yield root or os.curdir
            continue
        for folder in _folders(root):
            yield from matches(glob.escape(folder) + after[0])


def _folders(root: str) -> Iterator[str]:
    """Yield a folder and the folders below it, each once, those behind links last.

    Folders that cannot be read are skipped, as :mod:`glob` does.
    """
    seen: set[tuple[int, int]] = set()
    waiting, links = [root], list[str]()
    while waiting or links:
        folder = waiting.pop() if waiting else links.pop()
        try:
            status = os.stat(folder or os.curdir)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder or os.curdir) as listing:
                entries = sorted(listing, key=lambda entry: entry.name, reverse=True)
        except OSError:
            continue
        yield folder
        for entry in entries:
            path = os.path.join(folder, entry.name, "")  # noqa: PTH118
            if not entry.name.startswith(".") and os.path.isdir(path):  # noqa: PTH112
                (links if entry.is_symlink() else waiting).append(path)
