"""A plugin for Picard 3: predict the genres of selected files with the command ``genrelens``.

The command runs as a process of its own, so that Picard needs none of its packages. The genres are
set in Picard and written to the files when the user saves them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from picard.plugin3.api import BaseAction, OptionsPage, PluginApi
from picard.util.thread import run_task
from PyQt6 import QtWidgets

from .command import predicted_genres

_DEFAULTS = {"command": "genrelens", "max_genres": 1, "fast": False}


class PredictGenres(BaseAction):
    """The action in the context menu."""

    TITLE = "Predict genres"

    def callback(self, objs: list[Any]) -> None:
        """Classify the files of the selected objects in another thread."""
        files = {file.filename: file for obj in objs for file in obj.iterfiles()}
        options = {name: self.api.plugin_config[name] for name in _DEFAULTS}
        self._report(f"genrelens: classifying {_files(len(files))} ...")
        predict = partial(predicted_genres, list(files), **options)
        run_task(predict, partial(self._set_genres, files), traceback=False)

    def _set_genres(
        self,
        files: dict[str, Any],
        result: dict[str, list[str]] | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Set the predicted genres, in the thread of the window."""
        if result is None:
            self.api.logger.error("%s", error)
            self._report(f"genrelens: {error}")
            return
        changed = [file for name, file in files.items() if name in result]
        for file in changed:
            file.metadata["genre"] = result[file.filename]
            file.update()
        for name in files.keys() - result.keys():
            self.api.logger.info("no sure genre: %s", name)
        self._report(f"genrelens: {len(changed)} of {_files(len(files))} got genres")

    def _report(self, text: str) -> None:
        self.tagger.window.set_statusbar_message("%(text)s", {"text": text}, timeout=0)


def _files(n: int) -> str:
    return f"{n} file" if n == 1 else f"{n} files"


class GenrelensOptions(OptionsPage):
    """The page in Picard's options."""

    NAME = "genrelens"
    TITLE = "genrelens"
    PARENT = "plugins"

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._command = QtWidgets.QLineEdit()
        self._max_genres = QtWidgets.QSpinBox(minimum=1, maximum=10)
        self._fast = QtWidgets.QCheckBox("Classify three short excerpts of each file")
        form = QtWidgets.QFormLayout(self)
        form.addRow("Command", self._command)
        form.addRow("Highest number of genres", self._max_genres)
        form.addRow(self._fast)

    def load(self) -> None:
        """Show the stored options."""
        options = self.api.plugin_config
        self._command.setText(options["command"])
        self._max_genres.setValue(options["max_genres"])
        self._fast.setChecked(options["fast"])

    def save(self) -> None:
        """Store the options."""
        options = self.api.plugin_config
        options["command"] = self._command.text().strip() or _DEFAULTS["command"]
        options["max_genres"] = self._max_genres.value()
        options["fast"] = self._fast.isChecked()


def enable(api: PluginApi) -> None:
    """Register the options and the action; Picard calls this."""
    for name, value in _DEFAULTS.items():
        api.plugin_config.register_option(name, value)
    api.register_options_page(GenrelensOptions)
    for register in (
        api.register_file_action,
        api.register_track_action,
        api.register_album_action,
        api.register_cluster_action,
        api.register_clusterlist_action,
    ):
        register(PredictGenres)
