"""Plan which genres to write to which files, for review before anything is written.

A plan file is in JSON Lines: a header, then an object for each file. The user may delete lines and
edit ``after``.
"""

from __future__ import annotations

import base64
import json
import os
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from genrelens.discovery.find import find_files
from genrelens.discovery.locations import is_uri
from genrelens.errors import LibraryError
from genrelens.files import reason, write_text_atomically
from genrelens.library.catalog import Catalog
from genrelens.library.records import StoredPrediction, path_fields
from genrelens.library.tagging.policy import Change, Policy, decide, genre_fault, shortened
from genrelens.library.versions import is_outdated
from genrelens.library.vocabulary import genre_key

__all__ = ["Plan", "change_fields", "is_plan", "plan_changes", "read_plan", "write_plan"]

_VERSION = 1
_MARK = "genrelens_plan"
_SUFFIXES = (".jsonl", ".json")
_NUMBERS = ("size", "mtime_ns")
_HASH = "[0-9a-f]{40}"
_OBJECT = "is an object in a store; genrelens writes tags only to files"
_NO_NUMBER = "contains a number that JSON does not allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The genres to write, and the files that are not changed.

    Attributes:
        changes: one change for each file to write.
        policy: the rules by which the genres were chosen.
        model: names of the models that made the predictions, joined by commas.
        labels: the genres and styles of these models.
        created: time of the plan, ISO 8601 in UTC.
        skipped: path of each file that is not changed -> reason.
        unscanned: files that are not in the catalogue or were changed after the scan.
        problems: (path, reason) of inputs that cannot be read.
        model_digests: name of each model that made the predictions of ``changes`` -> SHA-256 of
            each version of its file; empty for plans of former versions of genrelens.
        outdated: name of a packaged model -> number of files whose prediction is by another version
            of it.

    Example::

        plan = plan_changes(catalog, ["Music"], Policy(max_genres=2))
        print(len(plan.changes), "changes;", len(plan.skipped), "files are not changed")

    """

    changes: tuple[Change, ...]
    policy: Policy
    model: str = ""
    labels: frozenset[str] = frozenset()
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    skipped: Mapping[Path, str] = field(default_factory=dict)
    unscanned: tuple[Path, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    model_digests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    outdated: Mapping[str, int] = field(default_factory=dict)

    @property
    def former_models(self) -> list[str]:
        """The packaged models of which another version made predictions of the plan."""
        return [
            name
            for name, digests in self.model_digests.items()
            if any(is_outdated(name, digest) for digest in digests)
        ]

    @property
    def reasons(self) -> Counter[str]:
        """Reason for not changing files -> number of files."""
        return Counter(self.skipped.values())

    @property
    def unknown_labels(self) -> list[str]:
        """The labels in the user's mapping that no model of the plan has, sorted."""
        if not self.labels:
            return []
        return sorted(set(self.policy.mapping.genre_words) - set(map(genre_key, self.labels)))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, as in ``genrelens tag --json``."""
        return {
            "changes": [change_fields(change) for change in self.changes],
            "skipped": [
                path_fields(path) | {"reason": reason} for path, reason in self.skipped.items()
            ],
            "unscanned": [path_fields(path) for path in self.unscanned],
            "unheard": [path_fields(path) for path in self.unscanned],  # the former name
            "problems": [path_fields(path) | {"reason": reason} for path, reason in self.problems],
        }


def plan_changes(
    catalog: Catalog, inputs: Iterable[str | os.PathLike[str]], policy: Policy | None = None
) -> Plan:
    """Decide from the catalogue which genres to write to files.

    A file whose size or time of modification differs from the catalogue is listed in ``unscanned``.
    A file with several names (links of any kind) is planned once, because writing to one name may
    separate it from the others.

    Args:
        catalog: a catalogue that a scan has filled.
        inputs: folders, files, playlists and patterns, as for :func:`find_files`.
        policy: the rules; None is ``Policy()``.

    Raises:
        LibraryError: the catalogue cannot be read.

    Example::

        with Catalog.open(readonly=True) as catalog:
            plan = plan_changes(catalog, ["Music"], Policy(existing="append"))
        for change in plan.changes:
            print(change.path, change.before, "->", change.after)

    """
    policy = policy or Policy()
    changes, unscanned, problems = list[Change](), [], list[tuple[str, str]]()
    skipped: dict[Path, str] = {}
    models = _Models()
    seen: set[str | tuple[int, int]] = set()
    names = list(inputs)
    for uri in filter(is_uri, names):
        skipped |= {entry.path: _OBJECT for entry in catalog.query(under=uri)}
    files = [name for name in names if not is_uri(name)]
    for found in find_files(files, on_problem=lambda *problem: problems.append(problem)):
        path = Path(found.path)
        identities = _identities(path)
        if not seen.isdisjoint(identities):
            skipped[path] = "is another name of a file that was found before"
            continue
        seen |= identities
        entry = catalog.entry(path)
        if entry is None or (entry.size, entry.mtime_ns) != (found.size, found.mtime_ns):
            unscanned.append(path)
            continue
        decision = decide(entry, policy)
        if entry.prediction is not None:
            models.add(entry.prediction, is_change=isinstance(decision, Change))
        if isinstance(decision, Change):
            changes.append(decision)
        else:
            skipped[path] = decision
    return Plan(
        changes=tuple(changes),
        policy=policy,
        model=", ".join(sorted(models.names)),
        labels=frozenset(models.labels),
        skipped=skipped,
        unscanned=tuple(unscanned),
        problems=tuple(problems),
        model_digests={name: sorted(each) for name, each in sorted(models.digests.items())},
        outdated=models.outdated,
    )


class _Models:
    """The models of the predictions that a plan is made from."""

    def __init__(self) -> None:
        self.names, self.labels = set[str](), set[str]()
        self.digests: dict[str, set[str]] = {}  # of the changes
        self.outdated = Counter[str]()

    def add(self, prediction: StoredPrediction, *, is_change: bool) -> None:
        """Add the prediction of a file."""
        name, digest = prediction.model, prediction.model_digest
        self.names.add(name)
        self.labels |= {*prediction.probabilities}
        self.labels |= {style.name for style in prediction.styles}
        if is_change:
            self.digests.setdefault(name, set()).add(digest)
        if is_outdated(name, digest):
            self.outdated[name] += 1


def _identities(path: Path) -> set[str | tuple[int, int]]:
    """Return what all links to a file have in common: resolved path, and device and inode."""
    found: set[str | tuple[int, int]] = {os.path.realpath(path)}
    with suppress(OSError):
        status = path.stat()
        if status.st_nlink > 1 and status.st_ino:
            found.add((status.st_dev, status.st_ino))
    return found


# ------------------------------------------------------------------------------------ files


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan to a file, to be edited and read with :func:`read_plan`.

    Args:
        plan: the plan.
        path: path of the file.

    Raises:
        DataError: the file cannot be written.

    Example::

        write_plan(plan_changes(catalog, ["Music"]), Path("plan.jsonl"))

    """
    write_text_atomically(path, "".join(f"{line}\n" for line in _lines(plan)))


def _lines(plan: Plan) -> Iterator[str]:
    header = {
        _MARK: _VERSION,
        "created": plan.created,
        "model": plan.model,
        "model_digests": dict(plan.model_digests),
        "policy": plan.policy.to_dict(),
    }
    yield json.dumps(header, ensure_ascii=False)
    for change in plan.changes:
        yield json.dumps(change_fields(change), ensure_ascii=False)


def change_fields(change: Change) -> dict[str, Any]:
    """Return JSON values of a change, as in a line of a plan."""
    names = ("size", "mtime_ns", "digest", "before", "after", "confidence", "reason")
    return {**path_fields(change.path), **{name: getattr(change, name) for name in names}}


def is_plan(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is a plan: by its extension, or because it begins with ``{``.

    A folder is never a plan. No audio file begins with ``{``.
    """
    target = Path(path)
    if target.suffix.lower() in _SUFFIXES and not target.is_dir():
        return True
    try:
        with target.open("rb") as file:
            return file.read(200).removeprefix(BOM_UTF8).lstrip().startswith(b"{")
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return False


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan that may have been edited.

    Args:
        path: path of the file.

    Raises:
        LibraryError: the file cannot be read, is not a plan, or contains an invalid value.

    Example::

        apply_changes(read_plan("plan.jsonl"))

    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise LibraryError(reason(error), path=path) from error
    except ValueError as error:
        raise LibraryError("is not a plan: it is not UTF-8", path=path) from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise LibraryError("is not a plan: it is empty", path=path)
    number, line = numbered[0]
    try:
        header = _header(_object(line))
    except (LibraryError, ValueError) as error:
        raise LibraryError(f"is not a valid plan: line {number}: {error}", path=path) from error
    changes: dict[Path, Change] = {}
    for number, line in numbered[1:]:
        try:
            change = _change(_object(line))
        except ValueError as error:
            raise LibraryError(f"line {number}: {error}", path=path) from error
        if change.path in changes:
            raise LibraryError(f"line {number}: {change.path} is in the plan twice", path=path)
        changes[change.path] = change
    return Plan(changes=tuple(changes.values()), **header)


def _object(line: str) -> dict[str, Any]:
    """Return the object in a line; refuse values that JSON or UTF-8 do not allow."""
    try:
        values = json.loads(line, parse_constant=_refuse_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg}, at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError(f"must be an object, as {{...}}, not {shortened(values)}")
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    except ValueError as error:  # 1e999
        raise ValueError(_NO_NUMBER) from error
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("contains text that is not valid UTF-8") from error
    return values


def _refuse_number(_: str) -> NoReturn:
    raise ValueError(_NO_NUMBER)


def _header(values: Mapping[str, Any]) -> dict[str, Any]:
    version = _member(values, _MARK)
    if version != _VERSION:
        raise ValueError(f"a plan of version {shortened(version)}; this genrelens reads {_VERSION}")
    return {
        "policy": Policy.from_dict(_member(values, "policy")),
        "model": _text(values, "model"),
        "created": _text(values, "created"),
        "model_digests": _digests(values.get("model_digests", {})),
    }


def _digests(values: Any) -> dict[str, list[str]]:
    """Return the field ``model_digests``, which plans of former versions do not have."""
    lists = list(values.values()) if isinstance(values, dict) else [None]
    if not all(isinstance(each, list) and all(isinstance(x, str) for x in each) for each in lists):
        raise ValueError(f"model_digests must map names to lists of text, not {shortened(values)}")
    return dict(values)


def _change(values: Mapping[str, Any]) -> Change:
    for name in _NUMBERS:
        number = _member(values, name)
        if type(number) is not int:  # isinstance(True, int) is true
            raise ValueError(f"{name} must be a whole number, not {shortened(number)}")
    if not re.fullmatch(_HASH, _text(values, "digest")):
        raise ValueError("digest must be 40 hexadecimal digits")
    return Change(
        path=_path(values),
        size=values["size"],
        mtime_ns=values["mtime_ns"],
        digest=values["digest"],
        before=_texts(values, "before"),
        after=_genres(values),
        confidence=_confidence(values),
        reason=_text({"reason": "", **values}, "reason"),
    )


def _member(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise ValueError(f"{name!r} is missing")
    return values[name]


def _text(values: Mapping[str, Any], name: str) -> str:
    value = _member(values, name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, not {shortened(value)}")
    return value


def _texts(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    texts = _member(values, name)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name} must be a list of genres, not {shortened(texts)}")
    return tuple(texts)


def _genres(values: Mapping[str, Any]) -> tuple[str, ...]:
    genres = _texts(values, "after")
    for genre in genres:
        fault = genre_fault(genre)
        if fault:
            raise ValueError(f"after: a genre must not {fault}, as {shortened(genre)} does")
    return genres


def _confidence(values: Mapping[str, Any]) -> float:
    confidence = values.get("confidence", 0)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise ValueError(f"confidence must be a number, not {shortened(confidence)}")
    try:
        return float(confidence)
    except OverflowError as error:
        raise ValueError(f"confidence must be a number, not {shortened(confidence)}") from error


def _path(values: Mapping[str, Any]) -> Path:
    if "path_bytes" in values:
        path = _decoded(_text(values, "path_bytes"))
    else:
        path = Path(_text(values, "path"))
    if not path.is_absolute():
        raise ValueError(f"path must be absolute, not {shortened(str(path))}")
    if "\0" in str(path):
        raise ValueError(f"path {shortened(str(path))} is not valid")
    return path


def _decoded(text: str) -> Path:
    try:
        return Path(os.fsdecode(base64.b64decode(text, validate=True)))
    except ValueError as error:
        raise ValueError(f"path_bytes must be Base64, not {shortened(text)}") from error
