"""A library of beets in a folder of its own, with the plugin of this repository."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import beets
import beets.plugins
import beets.ui
import yaml
from beets.library import Album, Item, Library
from mediafile import MediaFile

from genrelens.library import scan
from support.library_folder import HerePool

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "plugins" / "beets" / "beetsplug"


class BeetsLibrary:
    """Runs ``beet`` in this process, as each start of the command does: with fresh settings."""

    def __init__(self, folder: Path, monkeypatch: Any, capsys: Any) -> None:
        self.folder, self._capsys = folder, capsys
        self.music, self.new = folder / "music", folder / "new"
        self.new.mkdir()
        for name, value in {"BEETSDIR": folder, "HOME": folder}.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("GENRELENS_DB", str(folder / "catalog.sqlite"))
        self.pools: list[HerePool] = []
        monkeypatch.setattr(scan, "ClassifierPool", self._pool)
        self.configure()

    def configure(self, *, rules: Any = None, **options: Any) -> None:
        """Set options of the plugin, and ``rules``, the options of lastgenre."""
        settings: dict[str, Any] = {
            "directory": str(self.music),
            "library": str(self.folder / "beets.db"),
            "pluginpath": [str(PLUGIN)],
            "plugins": ["genrelens"],
            "import": {"autotag": False, "quiet": True},
            "threaded": False,
            "create_backup_before_migrations": False,
            "genrelens": options,
        }
        self.write(settings if rules is None else settings | {"lastgenre": rules})

    def write(self, settings: dict[str, Any]) -> None:
        """Write the configuration of beets."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(settings))

    def settings(self) -> dict[str, Any]:
        """Return the configuration of beets."""
        settings: dict[str, Any] = yaml.safe_load((self.folder / "config.yaml").read_text())
        return settings

    def add(self, example: str, path: str, **tags: Any) -> Path:
        """Copy a bundled recording to the folder of new files, with tags."""
        file = self.new / path
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "examples" / f"{example}.ogg", file)
        tagged = MediaFile(file)
        tagged.update({"artist": "Someone", "album": file.parent.name, "title": example, **tags})
        tagged.save()
        return file

    def beet(self, *args: str) -> str:
        """Run ``beet``; return what it prints and logs."""
        with _fresh_beets(), _logged() as lines:
            self._capsys.readouterr()
            beets.ui._raw_main(list(args))
        return self._capsys.readouterr().out + "\n".join(lines)

    def items(self) -> dict[str, Item]:
        """Return the tracks by title."""
        return {item.title: item for item in self._open().items()}

    def albums(self) -> dict[str, Album]:
        """Return the albums by name."""
        return {album.album: album for album in self._open().albums()}

    def genres_in_files(self) -> dict[str, Sequence[str]]:
        """Return the genre tags by title, as they are in the files."""
        files = [MediaFile(path) for path in self.music.rglob("*.ogg")]
        return {file.title: file.genres or [] for file in files}

    def content(self) -> dict[str, bytes]:
        """Return the bytes of the recordings and of beets' database."""
        paths = [self.folder / "beets.db", *self.music.rglob("*.*")]
        return {str(path): path.read_bytes() for path in paths if path.is_file()}

    def _pool(self, *args: Any, **options: Any) -> HerePool:
        self.pools.append(HerePool(*args, **options))
        return self.pools[-1]

    def _open(self) -> Library:
        return Library(str(self.folder / "beets.db"), str(self.music))


@contextmanager
def _fresh_beets() -> Iterator[None]:
    """Reset what beets keeps between two runs in one process."""
    beets.config.clear()
    beets.config._materialized = False
    try:
        yield
    finally:
        beets.plugins.BeetsPlugin.listeners.clear()
        beets.plugins.BeetsPlugin._raw_listeners.clear()
        beets.plugins._instances.clear()


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect the messages of the log of beets."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("beets")
    log.addHandler(handler)
    try:
        yield lines
    finally:
        log.removeHandler(handler)
