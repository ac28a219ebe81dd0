"""What a pattern of the shell matches, where links to folders may lead in a circle."""

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

    ``**`` stands for each folder below a place once: :mod:`glob` follows links to folders time and
    again, and does not end in our time where two of them lead upwards. At the end of a pattern it
    stands for the place itself, which is all that is below it. Hidden names have to be spelt.
    """
    before, *after = _ANY_FOLDERS.split(pattern, maxsplit=1)
    if not after:
        yield from sorted(glob.glob(pattern))  # noqa: PTH207 (any root)
        return
    places = sorted(glob.glob(before)) if before else [""]  # noqa: PTH207
    for place in places:
        if not after[0]:
            yield place or os.curdir
            continue
        for folder in _folders(place):
            yield from matches(glob.escape(folder) + after[0])


def _folders(place: str) -> Iterator[str]:
    """Yield a folder and those below it, each once, those behind links last.

    What cannot be read is passed over, as :mod:`glob` does.
    """
    seen: set[tuple[int, int]] = set()
    waiting, links = [place], list[str]()
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
