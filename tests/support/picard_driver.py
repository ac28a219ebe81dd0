"""Start Picard without a screen, run the plugin's action on files, save them, and quit.

Run by the Python of Picard: ``python picard_driver.py SETTINGS``. The settings are JSON: ``files``,
``options`` of the plugin, and ``result``, the file for the outcome.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

settings = json.loads(Path(sys.argv[1]).read_text())
folder = Path(sys.argv[1]).parent
sys.argv = ["picard", "-N", "-M", "-s", "--no-crash-dialog", "-c", str(folder / "picard.ini")]

from picard import config, tagger  # noqa: E402
from picard.file import File  # noqa: E402
from picard.plugin3.manager import PluginManager  # noqa: E402
from PyQt6 import QtCore  # noqa: E402


class Driver(QtCore.QObject):
    """Takes one step after the other, each as soon as its condition holds."""

    def __init__(self, app: tagger.Tagger) -> None:
        super().__init__()
        self._app, self._steps = app, self._run()
        self._condition = next(self._steps)
        self._timer = QtCore.QTimer(self, interval=50)
        self._timer.timeout.connect(self._poll)
        self._timer.start()

    def _poll(self) -> None:
        try:
            if self._condition():
                self._condition = next(self._steps)
        except StopIteration:
            self._timer.stop()
            self._app.quit()
        except BaseException as error:
            self._timer.stop()
            Path(settings["result"]).write_text(json.dumps({"error": repr(error)}))
            self._app.exit(1)

    def _run(self):  # type: ignore[no-untyped-def]
        manager: PluginManager = self._app.get_plugin_manager()
        yield lambda: manager.plugins
        (plugin,) = [each for each in manager.plugins if each.manifest.name() == "genrelens"]
        errors = plugin.manifest.validate()
        if plugin.uuid not in manager._enabled_plugins:
            manager.enable_plugin(plugin)
        module = sys.modules[plugin._module.__name__]
        module.PredictGenres.api.plugin_config["max_genres"] = settings["options"]["max_genres"]
        module.PredictGenres.api.plugin_config["command"] = settings["options"]["command"]
        page = module.GenrelensOptions()
        page.load()
        page.save()
        self._app.window.show_startup_dialogs = lambda: None  # they wait for a click
        self._app.add_files(settings["files"])
        yield lambda: len(self._files()) == len(settings["files"])
        yield lambda: all(file.state == File.State.NORMAL for file in self._files())
        messages: list[str] = []

        def collect(text: str, *args: object, **options: object) -> None:
            message = text % args[0] if args else text
            if message.startswith("genrelens: "):  # Picard has messages of its own
                messages.append(message)

        self._app.window.set_statusbar_message = collect
        module.PredictGenres().callback(self._files())
        yield lambda: len(messages) == 2
        shown = {file.filename: file.metadata.getall("genre") for file in self._files()}
        changed = [file for file in self._files() if file.state == File.State.CHANGED]
        for file in changed:
            file.save()
        yield lambda: all(file.state == File.State.NORMAL for file in self._files())
        outcome = {"errors": errors, "messages": messages, "shown": shown, "saved": len(changed)}
        Path(settings["result"]).write_text(json.dumps(outcome))

    def _files(self) -> list[File]:
        return list(self._app.files.values())


def _run_with_driver(self: tagger.Tagger) -> int:
    driver = Driver(self)  # noqa: F841 (must live as long as the application)
    return _original(self)


_original = tagger.Tagger.run
tagger.Tagger.run = _run_with_driver
assert config
tagger.main(autoupdate=False)
