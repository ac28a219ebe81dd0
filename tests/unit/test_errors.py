"""Errors and warnings: messages, fields, and copies from other processes."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import pytest

import genrelens
from genrelens.errors import (
    AudioError,
    DataError,
    GenrelensError,
    LibraryError,
    MissingExtraError,
    ModelError,
    RecipeError,
    TagError,
)
from support import judging, synth, tiny

WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda error, protocol=protocol: pickle.loads(
            pickle.dumps(error, protocol)
        )
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}
EXAMPLES = [
    GenrelensError("is odd"),
    AudioError("song.mp3", "cannot be decoded", {"libsndfile": "bad", "FFmpeg": "worse"}),
    AudioError("<bytes>", "is empty"),
    ModelError("is no model", path=Path("a.onnx")),
    DataError("there are no clips"),
    DataError("is empty", path=Path("split.csv")),
    RecipeError("recipe x: seed=-1 must be at least 0"),
    TagError("song.mp3", "is read-only"),
    LibraryError("is damaged", path="catalog.sqlite"),
    MissingExtraError("torch", "train"),
]


def descendants(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for each in kind.__subclasses__():
        yield from descendants(each)


def fields(error: BaseException) -> tuple[Any, ...]:
    return type(error), str(error), error.args, vars(error), repr(error)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("error", EXAMPLES, ids=lambda each: type(each).__name__)
def test_copies_have_all_fields(error: GenrelensError, way: Callable[[Any], Any]) -> None:
    error.add_note("in the third file")
    again = way(error)
    assert again is not error
    assert fields(again) == fields(error)


def test_the_examples_cover_every_error_of_the_package(every_module: list[str]) -> None:
    ours = {each for each in descendants(GenrelensError) if each.__module__.startswith("genrelens")}
    assert ours == {type(error) for error in EXAMPLES}


def test_exceptions_with_a_constructor_of_their_own_share_the_base(
    every_module: list[str],
) -> None:
    """All others keep the constructor of ``Exception``, except ``web.problems.Problem``."""
    from genrelens.web.problems import Problem

    strange = [
        kind
        for kind in descendants(Exception)
        if kind.__module__.startswith("genrelens")
        and not issubclass(kind, GenrelensError)
        and "__init__" in vars(kind)
    ]
    assert {kind.__qualname__ for kind in strange} <= {Problem.__qualname__}
    error = Problem(422, "is noise", {"a": "b"})
    for way in WAYS.values():
        assert fields(way(error)) == fields(error)


class OddError(GenrelensError):
    """An error with a constructor of its own."""

    def __init__(self, *, number: int) -> None:
        super().__init__(f"is {number}")
        self.number = number


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_subclasses_with_another_constructor(way: Callable[[Any], Any]) -> None:
    again = way(OddError(number=3))
    assert (type(again), str(again), again.number, again.path) == (OddError, "is 3", 3, None)


def test_a_deep_copy_shares_nothing() -> None:
    error = AudioError("a", "b", {"c": "d"})
    copy.deepcopy(error).decoder_messages["c"] = "e"
    assert error.decoder_messages == {"c": "d"}


@pytest.mark.parametrize(
    ("error", "path", "reason", "text"),
    [
        (
            EXAMPLES[1],
            "song.mp3",
            "cannot be decoded",
            "song.mp3: cannot be decoded (libsndfile: bad; FFmpeg: worse)",
        ),
        (EXAMPLES[3], "a.onnx", "is no model", "a.onnx: is no model"),
        (EXAMPLES[4], None, "there are no clips", "there are no clips"),
        (EXAMPLES[7], "song.mp3", "is read-only", "song.mp3: is read-only"),
    ],
)
def test_path_and_reason(error: GenrelensError, path: str | None, reason: str, text: str) -> None:
    assert (error.path, error.reason, str(error)) == (path, reason, text)


def test_an_audio_error_has_the_messages_of_the_decoders() -> None:
    error = EXAMPLES[1]
    assert isinstance(error, AudioError)
    assert error.source == error.path
    assert error.full_reason == "cannot be decoded (libsndfile: bad; FFmpeg: worse)"


# ------------------------------------------------------------------------------ processes


def results(pool: Executor | Pool, paths: list[str]) -> list[str | AudioError]:
    """Classify in a pool, one job for each file."""
    if isinstance(pool, Executor):
        jobs: list[Callable[[], Any]] = [pool.submit(judging.genre, path).result for path in paths]
    else:
        jobs = [pool.apply_async(judging.genre, (path,)).get for path in paths]
    found: list[str | AudioError] = []
    for each in jobs:
        try:
            found.append(each())
        except AudioError as error:
            found.append(error)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ProcessPoolExecutor", "Pool"])
def test_one_bad_file_in_a_pool_of_processes(kind: str, model: Path, tmp_path: Path) -> None:
    """The file has an error, and the other files have results."""
    paths = [str(tmp_path / f"{name}.wav") for name in ("a", "bad", "b", "absent", "c")]
    for path, genre in zip(paths[::2], tiny.GENRES, strict=True):
        Path(path).write_bytes(synth.write(tiny.sound(genre, 1), tiny.RATE))
    Path(paths[1]).write_text("no sound")
    context = multiprocessing.get_context("spawn")
    options = {"initializer": judging.load, "initargs": (str(model),)}
    pool: Any = (
        ProcessPoolExecutor(2, context, **options)  # type: ignore[arg-type]
        if kind == "ProcessPoolExecutor"
        else context.Pool(2, **options)  # type: ignore[arg-type]
    )
    with pool:
        first, bad, second, absent, third = results(pool, paths)
        if kind == "Pool":
            pool.close()
            pool.join()
    assert [first, second, third] == list(tiny.GENRES)
    for error, path in ((bad, paths[1]), (absent, paths[3])):
        assert isinstance(error, AudioError)
        assert error.source == path
        assert str(error) == f"{path}: {error.full_reason}"
    assert isinstance(bad, AudioError)
    assert set(bad.decoder_messages) >= {"libsndfile"}


def test_every_error_is_documented() -> None:
    members = vars(genrelens.errors).values()
    kinds = [each for each in members if inspect.isclass(each) and issubclass(each, Exception)]
    text = genrelens.errors.__doc__ or ""
    assert [kind.__name__ for kind in kinds if kind.__name__ not in text] == []
