"""Log messages of worker processes, forwarded to the process that started them.

The messages travel through one pipe without locks: each is written in one step that a killed worker
cannot leave half done, so no worker blocks another.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
from multiprocessing.connection import Connection
from threading import Thread

__all__ = ["ForwardedLogs", "LogSender", "forward_logs"]

LogSender = tuple[Connection, int]
"""The sending end of the pipe, and the level from which on messages are sent."""

_LIBRARY = "genrelens"
_LONGEST = 800  # characters of a message; with 4 bytes each, a pipe still writes it in one step
_FIELDS = ("name", "levelno", "levelname", "created", "msecs", "process", "processName")
_CLOSE_SECONDS = 5.0


class ForwardedLogs:
    """The receiving end: passes the messages of workers to the loggers of this process.

    Attributes:
        sender: what :func:`forward_logs` needs in a worker; None if this process logs nothing at
            INFO or below, so that nothing is forwarded.

    Example::

        logs = ForwardedLogs()
        process = context.Process(target=forward_logs, args=(logs.sender,))

    """

    def __init__(self) -> None:
        self.sender: LogSender | None = None
        level = logging.getLogger(_LIBRARY).getEffectiveLevel()
        if logging.getLogger(_LIBRARY).isEnabledFor(logging.INFO):
            self._receiving, sending = multiprocessing.Pipe(duplex=False)
            self.sender = sending, level
            self._thread = Thread(target=self._receive, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Pass on the remaining messages, when the workers have ended."""
        if self.sender is not None:
            self.sender[0].close()
            self._thread.join(_CLOSE_SECONDS)

    def _receive(self) -> None:
        with self._receiving, contextlib.suppress(EOFError, OSError):
            while True:
                record = logging.makeLogRecord(self._receiving.recv())
                logging.getLogger(record.name).handle(record)


class _Sender(logging.Handler):
    """A handler that writes the fields of records to a pipe."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: getattr(record, name) for name in _FIELDS}
        with contextlib.suppress(OSError):  # the other process has ended
            self._connection.send(fields | {"msg": record.getMessage()[:_LONGEST]})


def forward_logs(sender: LogSender | None) -> None:
    """Forward the log messages of this process to the one that started it.

    Args:
        sender: :attr:`ForwardedLogs.sender`.

    """
    if sender is not None:
        connection, level = sender
        logging.getLogger(_LIBRARY).addHandler(_Sender(connection))
        logging.getLogger(_LIBRARY).setLevel(level)
