"""Tables that rename genres: from the names of folders to the genres of a model."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from genrelens.data.folders import LabelledClip
from genrelens.errors import DataError
from genrelens.files import reason

__all__ = ["applied_label_map", "read_label_map"]


def read_label_map(path: Path) -> dict[str, str]:
    """Read a label map from a TOML file with lines such as ``hip-hop = "hiphop"``.

    Args:
        path: the file. The empty text leaves a genre out: ``speech = ""``.

    Returns:
        Old -> new label, for :func:`~genrelens.data.folders.read_folder`.

    Raises:
        DataError: the file cannot be read, is not TOML, or holds anything else.

    Example::

        label_map = read_label_map(Path("genres.toml"))
        label_map["hip-hop"]  # 'hiphop'

    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(reason(error), path=path) from error
    except ValueError as error:  # includes UnicodeDecodeError and TOMLDecodeError
        raise DataError(f"is not a TOML file ({error})", path=path) from error
    for old, new in table.items():
        if not isinstance(new, str):
            raise DataError(
                f'{old} must be a line such as "{old}" = "genre", or "{old}" = "" to leave it out',
                path=path,
            )
    if not table:
        raise DataError("renames no genre", path=path)
    return table


def applied_label_map(clips: Iterable[LabelledClip]) -> dict[str, str]:
    """Return the renamings that the clips went through: old -> new, without what was left out.

    Example:
        >>> clip = LabelledClip(Path("clips/bebop/01.mp3"), "bebop")
        >>> applied_label_map([clip.renamed("jazz")])
        {'bebop': 'jazz'}

    """
    return {clip.folder: clip.label for clip in clips if clip.folder != clip.label}
