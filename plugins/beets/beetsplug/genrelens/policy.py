"""The rules for genres: the options of the plugin, and the whitelist and tree of lastgenre."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import confuse
import yaml
from beets import config

from genrelens.errors import LibraryError
from genrelens.files import reason
from genrelens.library import GenreMapping, Policy, read_mapping
from genrelens.library.vocabulary import genre_key

__all__ = ["read_policy"]


def read_policy(view: Any, *, force: bool) -> Policy:
    """Return the rules for the genres that are written.

    Args:
        view: the configuration of the plugin.
        force: replace existing genres rather than keep them.

    Raises:
        LibraryError: a value is out of range, or a file of words cannot be read.
        confuse.ConfigError: a value has another type.

    """
    existing = view["existing"].as_choice(["keep", "append", "replace"])
    return Policy(
        existing="replace" if force and existing == "keep" else existing,
        min_confidence=view["min_confidence"].as_number(),
        max_genres=view["max_genres"].get(int),
        mapping=_mapping(view),
    )


def _mapping(view: Any) -> GenreMapping:
    words = view["words"].get(confuse.Optional(confuse.Filename()))
    mapping = GenreMapping() if words is None else read_mapping(Path(words))
    rules = config["lastgenre"]
    if not (view["lastgenre"].get(bool) and rules.exists()):
        return mapping
    title = rules["title_case"].get(confuse.Template(True))
    return _LastgenreMapping(
        mapping.genre_words,
        mapping.whitelist,
        allowed=_whitelist(rules, title=title),
        wider=_wider_genres(rules, title=title),
    )


@dataclass(frozen=True, slots=True)
class _LastgenreMapping(GenreMapping):
    """The user's own names for genres, restricted and widened as lastgenre is configured.

    Attributes:
        allowed: the only genres that may be written, by key; None allows all.
        wider: each genre of the canonical tree by key, with the genres above it, the widest last.

    """

    allowed: Mapping[str, str] | None = None
    wider: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def genres_for(self, label: str) -> Iterator[str]:
        """Yield the genres to write for a label of the model."""
        for genre in GenreMapping.genres_for(self, label):
            branch = self.wider.get(genre_key(genre), (genre,))
            if self.allowed is None:
                yield branch[-1]
                continue
            yield from (self.allowed[k] for k in map(genre_key, branch) if k in self.allowed)


def _whitelist(rules: Any, *, title: bool) -> dict[str, str] | None:
    """Return the whitelist of lastgenre: the spelling of each genre by key; None if it is off."""
    path = _file_of(rules["whitelist"].get(confuse.Template(True)), "genres.txt")
    if path is None:
        return None
    lines = [line.strip() for line in _read(path).splitlines()]
    allowed: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith("#"):
            allowed.setdefault(genre_key(line), _spelled(line, title))
    return allowed


def _wider_genres(rules: Any, *, title: bool) -> dict[str, tuple[str, ...]]:
    """Return the canonical tree of lastgenre as :attr:`_LastgenreMapping.wider`."""
    path = _file_of(rules["canonical"].get(confuse.Template(False)), "genres-tree.yaml")
    if path is None:
        return {}
    try:
        tree = yaml.safe_load(_read(path))
    except yaml.YAMLError as error:
        raise LibraryError("is not YAML", path=path) from error
    wider: dict[str, tuple[str, ...]] = {}
    for branch in _branches(tree):
        wider.setdefault(genre_key(branch[0]), tuple(_spelled(name, title) for name in branch))
    return wider


def _branches(tree: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield each genre of a tree, followed by the genres above it."""
    if isinstance(tree, dict):
        for name, below in tree.items():
            yield (str(name), *above)
            yield from _branches(below, (str(name), *above))
    elif isinstance(tree, list):
        for each in tree:
            yield from _branches(each, above)
    elif tree is not None:
        yield (str(tree), *above)


def _file_of(value: Any, default: str) -> Path | None:
    """Return the file that an option of lastgenre names: its own for True, none for False."""
    if value is False:
        return None
    if value not in (True, "", None):
        return Path(str(value)).expanduser()
    lastgenre = find_spec("beetsplug.lastgenre")  # not imported: that requires pylast
    if lastgenre is None or lastgenre.origin is None:
        raise LibraryError("beets has no plugin lastgenre")
    return Path(lastgenre.origin).with_name(default)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8
        raise LibraryError(reason(error), path=path) from error


def _spelled(name: str, title: bool) -> str:
    return name.title() if title else name.lower()
