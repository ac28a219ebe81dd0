"""Fixtures and settings of all tests."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from support import processes

if TYPE_CHECKING:
    from support.runs import Start

# A job that a shell starts in the background ignores Ctrl-C, and its child processes inherit this.
# Some tests interrupt such processes.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Set before torch and BLAS are imported: with arrays as small as these, threads slow each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The settings of whoever runs the tests do not count.
for name in [name for name in os.environ if name.startswith("GENRELENS_")]:
    del os.environ[name]
os.environ["GENRELENS_CONFIG"] = ""
os.environ["GENRELENS_DATASET_CACHE"] = ""

# No deadline, because a shared machine is sometimes slow. The same examples in each run.
settings.register_profile("genrelens", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("genrelens")


@pytest.fixture(autouse=True)
def no_log_messages_of_other_tests() -> Iterator[None]:
    """Switch off the log messages that a test with ``--verbose`` has switched on."""
    yield
    if (verbosity := sys.modules.get("genrelens.cli.verbosity")) is not None:
        verbosity.reset_verbosity()


# The longest modules start first, so that no worker has a long module at the end.
LONGEST = (
    "test_cluster",
    "test_site_agreement",
    "test_page_axe",
    "test_readme",
    "test_library_process",
    "test_train_cli",
    "test_crossval",
    "test_web_process",
    "test_train",
    "test_train_resume",
    "test_cli_process",
    "test_cli_crossval",
    "test_tagging_killed",
    "test_page_trouble",
    "test_page_playback",
    "test_features",
    "test_page_verdicts",
    "test_page_access",
    "test_train_again",
    "test_page_answers",
)

# Only tests of this folder are quick, unless they use one of these fixtures or are marked slow.
QUICK = "unit"
NOT_QUICK_FIXTURES = {
    "every_module",
    "model",
    "recurrent_model",
    "listener_model",
    "start",
    "trained",
}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import the modules that ``-m quick`` excludes."""
    if config.getoption("markexpr") != "quick":
        return None
    outside = collection_path.suffix == ".py" and QUICK not in collection_path.parts
    return (outside and collection_path.name.startswith("test_")) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark quick tests, and put the longest modules first."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        slow = QUICK not in item.path.parts or item.get_closest_marker("slow")
        if not (slow or fixtures & NOT_QUICK_FIXTURES):
            item.add_marker("quick")
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))


@pytest.fixture(autouse=True)
def quick_tests_do_without_torch(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that is marked quick and imports torch."""
    before = "torch" in sys.modules
    yield
    if request.config.getoption("markexpr") == "quick":
        assert ("torch" in sys.modules) == before


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """End the processes that a test has started, even if it failed."""
    yield
    processes.end_all()


@pytest.fixture(scope="session")
def every_module() -> list[str]:
    """Import all modules of the package and return their names."""
    import importlib
    import pkgutil

    import genrelens

    below = pkgutil.walk_packages(genrelens.__path__, "genrelens.")
    names = [module.name for module in below if not module.name.endswith("__main__")]
    return [importlib.import_module(name).__name__ for name in ["genrelens", *names]]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with the genres chords, clicks and noise."""
    from support.small_models import write_model

    return write_model(tmp_path_factory.mktemp("model"), label_map={"hiss": "noise"})


@pytest.fixture(scope="session")
def recurrent_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a network for which the order of segments matters."""
    from support.small_models import write_model

    return write_model(tmp_path_factory.mktemp("model"), recurrent=True, name="recurrent")


@pytest.fixture(scope="session")
def listener_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with styles, embeddings, a music output and a threshold for "not sure"."""
    from support.small_models import write_listener

    return write_listener(tmp_path_factory.mktemp("model"), sure_threshold=0.2)


@pytest.fixture
def classify(capsys: pytest.CaptureFixture[str], model: Path) -> Callable[..., Any]:
    """``genrelens classify --model MODEL ...``, in this process."""
    from support.commands import run

    return lambda *args: run(capsys, "classify", "--model", model, *args)


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recordings in nested folders of the working directory, and other files."""
    from support import synth, tiny

    folder = tmp_path / "music"
    for number, subfolder in enumerate([folder / "b" / "deep", folder / "b", folder / "a"]):
        subfolder.mkdir(parents=True, exist_ok=True)
        genre = tiny.GENRES[number]
        (subfolder / f"{genre}.wav").write_bytes(synth.write(tiny.sound(genre, 1), tiny.RATE))
    (folder / "cover.jpg").write_bytes(synth.png())
    (folder / "empty").mkdir()
    (tmp_path / "text.mp3").write_text("no music")
    (tmp_path / "zero.wav").touch()
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Train on tiny clips."""
    from genrelens.data.folders import read_folder
    from genrelens.data.protocols import random_split
    from support import tiny
    from support.runs import Start

    clips = read_folder(tiny.write_clips(tmp_path_factory.mktemp("clips")))
    recipes = tmp_path_factory.mktemp("recipes")
    return Start(random_split(clips, valid_fraction=0.25, seed=1), recipes)


@pytest.fixture(scope="session")
def trained(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of both stages with all options switched on."""
    from support.runs import EVERYTHING

    return start(tmp_path_factory.mktemp("runs") / "full", EVERYTHING).parent
