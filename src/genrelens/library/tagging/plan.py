"""A plan: which files get which genres, to be looked at and edited before anything is written.

As a file it is JSON Lines: a header, then one object for each file. A person may delete lines and
edit ``after``.
"""

from __future__ import annotations

import base64
import json
import os
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from genrelens.discovery.find import find_files
from genrelens.errors import LibraryError
from genrelens.files import reason, write_text_atomically
from genrelens.library.catalog import Catalog
from genrelens.library.records import path_fields
from genrelens.library.tagging.policy import Change, Policy, Skip, decide, shown, word_fault

__all__ = ["Plan", "change_fields", "is_plan", "plan_changes", "read_plan", "write_plan"]

_VERSION = 1
_MARK = "genrelens_plan"
_SUFFIXES = (".jsonl", ".json")
_NUMBERS = ("size", "mtime_ns")
_HASH = "[0-9a-f]{40}"
_NO_NUMBER = "holds a number that JSON does not allow"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be written.

    Attributes:
        changes: one for each file that is to be changed.
        policy: that they follow.
        model: names of the models that listened, joined by commas.
        labels: the genres and styles that they know.
        created: when it was made, ISO 8601 in UTC.
        skipped: files that stay as they are.
        unheard: files that the catalogue knows nothing of, or that were changed since.
        problems: path and reason of what could not be looked at.

    """

    changes: tuple[Change, ...]
    policy: Policy
    model: str = ""
    labels: frozenset[str] = frozenset()
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    skipped: tuple[Skip, ...] = ()
    unheard: tuple[Path, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def reasons(self) -> Counter[str]:
        """Why files stay as they are, with how many."""
        return Counter(skip.reason for skip in self.skipped)


def plan_changes(
    catalog: Catalog, inputs: Iterable[str | os.PathLike[str]], policy: Policy | None = None
) -> Plan:
    """Decide what to write to the files below folders, by what the catalogue knows of them.

    No file is opened. A file whose size or time of modification is not what it was when it was
    scanned is among the ``unheard``; one that has several names, by links of whatever kind, counts
    once: what is written to one name would part it from the others.

    Args:
        catalog: that was filled by a scan.
        inputs: folders, files, playlists and patterns, as for a scan.
        policy: what is to be written.

    Raises:
        LibraryError: the catalogue cannot be read.

    """
    policy = policy or Policy()
    decisions = _Decisions(catalog, policy)
    problems: list[tuple[str, str]] = []
    for found in find_files(inputs, on_problem=lambda *problem: problems.append(problem)):
        decisions.add(Path(found.path), found.size, found.mtime_ns)
    return Plan(
        changes=tuple(decisions.changes),
        policy=policy,
        model=", ".join(sorted(decisions.models)),
        labels=frozenset(decisions.labels),
        skipped=tuple(decisions.skipped),
        unheard=tuple(decisions.unheard),
        problems=tuple(problems),
    )


class _Decisions:
    """What was decided so far."""

    def __init__(self, catalog: Catalog, policy: Policy) -> None:
        self._catalog = catalog
        self._policy = policy
        self._seen: set[str | tuple[int, int]] = set()
        self.changes: list[Change] = []
        self.skipped: list[Skip] = []
        self.unheard: list[Path] = []
        self.models: set[str] = set()
        self.labels: set[str] = set()

    def add(self, path: Path, size: int, mtime_ns: int) -> None:
        names = _names(path)
        if not self._seen.isdisjoint(names):
            self.skipped.append(Skip(path, "is another name of a file that is here already"))
            return
        self._seen |= names
        entry = self._catalog.entry(path)
        if entry is None or (entry.size, entry.mtime_ns) != (size, mtime_ns):
            self.unheard.append(path)
            return
        if entry.prediction is not None:
            self.models.add(entry.prediction.model)
            self.labels |= {*entry.prediction.probabilities}
            self.labels |= {style.name for style in entry.prediction.styles}
        decision = decide(entry, self._policy)
        if isinstance(decision, Change):
            self.changes.append(decision)
        else:
            self.skipped.append(decision)


def _names(path: Path) -> set[str | tuple[int, int]]:
    """Return what links to one file have in common: where it lies; device and inode, if shared."""
    names: set[str | tuple[int, int]] = {os.path.realpath(path)}
    with suppress(OSError):
        status = path.stat()
        if status.st_nlink > 1 and status.st_ino:
            names.add((status.st_dev, status.st_ino))
    return names


# ------------------------------------------------------------------------------------ files


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan, to be read by people and by ``read_plan``.

    Raises:
        DataError: the file cannot be written.

    """
    write_text_atomically(path, "".join(f"{line}\n" for line in _lines(plan)))


def _lines(plan: Plan) -> Iterator[str]:
    header = {
        _MARK: _VERSION,
        "created": plan.created,
        "model": plan.model,
        "policy": plan.policy.to_dict(),
    }
    yield json.dumps(header, ensure_ascii=False)
    for change in plan.changes:
        yield json.dumps(change_fields(change), ensure_ascii=False)


def change_fields(change: Change) -> dict[str, Any]:
    """Return a change as plain values that JSON can hold."""
    names = ("size", "mtime_ns", "digest", "before", "after", "confidence", "reason")
    return {**path_fields(change.path), **{name: getattr(change, name) for name in names}}


def is_plan(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is meant as a plan: by its ending, or as it begins with ``{``.

    A folder is none, whatever its name is. No audio file begins so.
    """
    place = Path(path)
    if place.suffix.lower() in _SUFFIXES and not place.is_dir():
        return True
    try:
        with place.open("rb") as file:
            return file.read(200).removeprefix(BOM_UTF8).lstrip().startswith(b"{")
    except (OSError, ValueError):  # of names with a null byte
        return False


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan that may have been edited.

    Raises:
        LibraryError: it cannot be read, is none, or something in it is not as it must be.

    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise LibraryError(f"{path}: {reason(error)}") from error
    except ValueError as error:
        raise LibraryError(f"{path}: is no plan; it is not UTF-8") from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise LibraryError(f"{path}: is no plan; it is empty")
    header = _checked(f"{path}: is no valid plan; line", *numbered[0], _header)
    changes = [_checked(f"{path}, line", number, line, _change) for number, line in numbered[1:]]
    paths = Counter(change.path for change in changes)
    twice = next((each for each, n in paths.items() if n > 1), None)
    if twice is not None:
        raise LibraryError(f"{path}: {twice} is in it twice")
    return Plan(changes=tuple(changes), **header)


def _checked(place: str, number: int, line: str, parse: Callable[[Any], _T]) -> _T:
    try:
        return parse(_object(line))
    except KeyError as error:
        raise LibraryError(f"{place} {number}: {error} is missing") from error
    except (LibraryError, ValueError) as error:
        raise LibraryError(f"{place} {number}: {error}") from error


def _object(line: str) -> dict[str, Any]:
    """Return what stands in a line; refuse what JSON and UTF-8 cannot hold."""
    try:
        values = json.loads(line, parse_constant=_refuse_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg}, at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError("is not a plan's: it is nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError(f"must be an object, as {{...}}, not {shown(values)}")
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    except ValueError as error:  # 1e999
        raise ValueError(_NO_NUMBER) from error
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds text that is not valid UTF-8") from error
    return values


def _refuse_number(_: str) -> NoReturn:
    raise ValueError(_NO_NUMBER)


def _header(values: Mapping[str, Any]) -> dict[str, Any]:
    version = values[_MARK]
    if version != _VERSION:
        raise ValueError(f"a plan of version {shown(version)}; this genrelens reads {_VERSION}")
    return {
        "policy": Policy.from_dict(values["policy"]),
        "model": _text(values, "model"),
        "created": _text(values, "created"),
    }


def _change(values: Mapping[str, Any]) -> Change:
    for name in _NUMBERS:
        if type(values[name]) is not int:  # True is one, too
            raise ValueError(f"{name} must be a whole number, not {shown(values[name])}")
    if not re.fullmatch(_HASH, _text(values, "digest")):
        raise ValueError("digest must be 40 hexadecimal digits")
    return Change(
        path=_path(values),
        size=values["size"],
        mtime_ns=values["mtime_ns"],
        digest=values["digest"],
        before=_words(values, "before"),
        after=_genres(values),
        confidence=_confidence(values),
        reason=_text({"reason": "", **values}, "reason"),
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, not {shown(value)}")
    return value


def _words(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    words = values[name]
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{name} must be a list of words, or empty, not {shown(words)}")
    return tuple(words)


def _genres(values: Mapping[str, Any]) -> tuple[str, ...]:
    genres = _words(values, "after")
    for genre in genres:
        fault = word_fault(genre)
        if fault:
            raise ValueError(f"after: a genre must not {fault}, as {shown(genre)} does")
    return genres


def _confidence(values: Mapping[str, Any]) -> float:
    confidence = values.get("confidence", 0)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise ValueError(f"confidence must be a number, not {shown(confidence)}")
    try:
        return float(confidence)
    except OverflowError as error:
        raise ValueError(f"confidence must be a number, not {shown(confidence)}") from error


def _path(values: Mapping[str, Any]) -> Path:
    if "path_bytes" in values:
        path = _decoded(_text(values, "path_bytes"))
    else:
        path = Path(_text(values, "path"))
    if not path.is_absolute():
        raise ValueError(f"path must be absolute, not {shown(str(path))}")
    if "\0" in str(path):
        raise ValueError(f"path {shown(str(path))} cannot be one")
    return path


def _decoded(text: str) -> Path:
    try:
        return Path(os.fsdecode(base64.b64decode(text, validate=True)))
    except ValueError as error:
        raise ValueError(f"path_bytes must be Base64, not {shown(text)}") from error
