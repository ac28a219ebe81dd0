"""``genrelens serve``."""

from __future__ import annotations

import re
from socket import socket
from typing import Annotated, Any

import typer

from genrelens.cli.console import print_note
from genrelens.cli.options import Model, n_jobs
from genrelens.errors import DataError, MissingExtraError
from genrelens.files import reason
from genrelens.web.settings import LogLevel, Settings
from genrelens.worker_pool import Limits

_THREE_HOURS = 3 * 3600.0
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}

_Host = Annotated[
    str, typer.Option(metavar="HOST", help="Address to listen on; 0.0.0.0: all network interfaces.")
]
_Port = Annotated[
    int,
    typer.Option(
        "--port", "-p", metavar="N", min=0, max=65535, help="Port to listen on; 0: any free port."
    ),
]
_Workers = Annotated[
    int,
    typer.Option(metavar="N", min=0, help="Number of worker processes; 0: one for each core."),
]
_MaxUpload = Annotated[
    str, typer.Option(metavar="SIZE", help="Largest upload in bytes, or with K, M or G.")
]
_MaxSeconds = Annotated[
    float, typer.Option(metavar="SECONDS", min=1, help="Longest recording that is accepted.")
]
_Queue = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="Number of recordings that may wait; further requests get the status 429.",
    ),
]
_Timeout = Annotated[
    float, typer.Option(metavar="SECONDS", min=0.1, help="Time limit for each request.")
]
_AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST",
        help="Host name that clients use, such as that of a reverse proxy; repeatable.",
    ),
]
_RootPath = Annotated[
    str,
    typer.Option(
        metavar="PATH", help="Path below which a reverse proxy serves the server, such as /genre."
    ),
]
_LogLevel = Annotated[
    LogLevel,
    typer.Option(
        help="Lowest level of the messages on standard error; info adds a line for each request."
    ),
]


def serve(
    host: _Host = "127.0.0.1",
    port: _Port = 8000,
    model: Model = None,
    workers: _Workers = 0,
    max_upload: _MaxUpload = "100M",
    max_seconds: _MaxSeconds = _THREE_HOURS,
    queue: _Queue = 32,
    timeout: _Timeout = 60.0,
    allow_host: _AllowHost = None,
    root_path: _RootPath = "",
    log_level: _LogLevel = "warning",
) -> None:
    """Serve the web page and the HTTP API.

    Examples:
        genrelens serve
            Serve http://127.0.0.1:8000, for this machine only.
        genrelens serve --host 0.0.0.0 --port 8080 --workers 4
            Listen on all network interfaces, with four worker processes.
        genrelens serve --root-path /genre --allow-host music.example
            Serve https://music.example/genre behind a reverse proxy.

    """
    listen, run_server = _import_server()
    try:
        settings = Settings(
            model=model,
            workers=n_jobs(workers),
            queue=queue,
            max_upload=_size(max_upload),
            timeout=timeout,
            root_path=root_path.rstrip("/"),
            allow_hosts=tuple(allow_host or ()),
            log_level=log_level,
            limits=Limits(seconds=max_seconds),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        sock = listen(host, port)
    except (OSError, UnicodeError) as error:
        text = reason(error).partition(" (while attempting")[0]
        raise DataError(f"cannot listen on {host}:{port} ({text})") from error
    with sock:
        url = f"{_url(sock)}{settings.root_path}"
        run_server(settings, sock, lambda: print_note(f"Listening on {url} (Ctrl-C to stop)"))


def _import_server() -> tuple[Any, Any]:
    """Return the functions that listen and serve, which need the extra ``web``."""
    try:
        from genrelens.web import server
    except ImportError as error:
        raise MissingExtraError((error.name or "fastapi").partition(".")[0], "web") from error
    return server.listen, server.serve


def _url(sock: socket) -> str:
    address, port = sock.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _size(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d*)([kmg]?)i?b?", text.strip().lower())
    if match is None:
        raise typer.BadParameter(f"--max-upload {text} must have the form 100M")
    return int(match[1]) * _UNITS[match[2]]
