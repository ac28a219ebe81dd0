"""A plugin for beets: write the genres that genrelens predicts from the audio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import confuse
from beets import plugins, ui

from beetsplug.genrelens.attributes import ALBUM_TYPES, ITEM_TYPES
from genrelens.errors import GenrelensError

if TYPE_CHECKING:
    from beets.importer import ImportSession, ImportTask
    from beets.library import Library

__all__ = ["GenrelensPlugin"]

_DEFAULTS: Mapping[str, Any] = {
    "auto": True,
    "albums": "tracks",
    "existing": "keep",
    "min_confidence": 0.5,
    "max_genres": 1,
    "words": None,
    "lastgenre": True,
    "model": None,
    "fast": False,
    "jobs": 0,
    "timeout": 600.0,
    "db": None,
}


class GenrelensPlugin(plugins.BeetsPlugin):
    """Classify the tracks of a library and write their genres if the model is sure."""

    item_types: ClassVar[dict[str, Any]] = {**ITEM_TYPES}
    album_types: ClassVar[dict[str, Any]] = {**ALBUM_TYPES}

    def __init__(self) -> None:
        super().__init__()
        self.config.add(_DEFAULTS)
        if self.config["auto"].get(bool):
            self.import_stages = [self.imported]

    def commands(self) -> list[ui.Subcommand]:
        """Return the command ``beet genrelens``."""
        command = ui.Subcommand("genrelens", help="predict genres from the audio")
        command.parser.usage = "%prog [-p] [-f] QUERY"
        command.parser.add_option(
            "-p", "--pretend", action="store_true", help="show the changes but make none"
        )
        command.parser.add_option(
            "-f",
            "--force",
            action="store_true",
            help="include tracks that this model has classified, and replace existing genres",
        )
        command.func = self._command
        return [command]

    def _command(self, lib: Library, options: Any, query: list[str]) -> None:
        from beetsplug.genrelens.run import Run  # heavy: other commands of beets do without

        try:
            run = Run(self.config, self._log, force=bool(options.force))
            run.process(lib.items(query), pretend=bool(options.pretend), write=ui.should_write())
        except (GenrelensError, confuse.ConfigError) as error:
            error_class = ui.UserError  # type: ignore[attr-defined] # its place until beets 2.7
            raise error_class(f"genrelens: {error}") from error

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Classify the tracks of an import, before beets writes and moves their files."""
        from beetsplug.genrelens.run import Run

        items = task.imported_items()
        album = task.album if task.is_album else None
        try:
            run = Run(self.config, self._log)
            run.process(items, album=album)
            run.leave_out(items, folder=session.lib.directory)
        except (GenrelensError, confuse.ConfigError) as error:  # the import itself continues
            self._log.error("no genres are written: {}", error)
