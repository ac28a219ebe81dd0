"""``genrelens serve``."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from genrelens.cli.console import print_note
from genrelens.cli.options import Model, n_jobs
from genrelens.errors import DataError, MissingExtraError
from genrelens.files import reason as reason_of
from genrelens.web.settings import LogLevel, Settings
from genrelens.worker_pool import Limits

_THREE_HOURS = 3 * 3600.0
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="0 takes a free one.")
    ] = 8000,
    model: Model = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that classify; 0 is one for each core.")
    ] = 0,
    max_upload: Annotated[
        str, typer.Option(metavar="SIZE", help="Largest recording, for instance 100M.")
    ] = "100M",
    max_seconds: Annotated[
        float, typer.Option(metavar="S", min=1, help="Longest recording.")
    ] = _THREE_HOURS,
    queue: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Recordings that may wait; one more gets a 429."),
    ] = 32,
    timeout: Annotated[
        float, typer.Option(metavar="S", min=0.1, help="Seconds that a request may take.")
    ] = 60.0,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Host name of a reverse proxy in front of this server; repeatable.",
        ),
    ] = None,
    root_path: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Prefix of the addresses behind a reverse proxy, for instance /genre.",
        ),
    ] = "",
    log_level: Annotated[
        LogLevel,
        typer.Option(help="Messages on standard error; info adds a line for each request."),
    ] = "warning",
) -> None:
    """Serve the web page and the HTTP API."""
    try:
        from genrelens.web.server import listen
        from genrelens.web.server import serve as run_server
    except ImportError as error:
        raise MissingExtraError((error.name or "fastapi").partition(".")[0], "web") from error
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
        reason, *_ = reason_of(error).split(" (while attempting")
        raise DataError(f"{host}:{port}: cannot listen there ({reason})") from error
    with sock:
        address, bound = sock.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        url = f"http://{shown}:{bound}{settings.root_path}"
        run_server(settings, sock, lambda: print_note(f"Listening on {url} (Ctrl-C ends)"))


def _size(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d*)([kmg]?)i?b?", text.strip().lower())
    if match is None:
        raise typer.BadParameter(f"--max-upload {text} must read like 100M")
    return int(match[1]) * _UNITS[match[2]]
