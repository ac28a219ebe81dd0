"""nginx as a reverse proxy in front of a server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["STYLES", "proxied"]

_FOLDERS = (os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/sbin")
# A path after the port in `proxy_pass` replaces the prefix, so a slash removes it.
STYLES = {"removes the prefix": "/", "passes the prefix on": ""}
_SETTINGS = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 100; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port};
    location {prefix}/ {{
      proxy_pass http://127.0.0.1:{upstream}{rest};
      {headers}
    }}
    location = {prefix} {{
      return 308 {prefix}/;
    }}
  }}
}}
"""


@contextmanager
def proxied(
    upstream: int, prefix: str, rest: str, folder: Path, headers: str = ""
) -> Iterator[str]:
    """Run nginx; skip the test if it is not installed.

    Args:
        upstream: port of the server.
        prefix: prefix of all addresses, such as ``/genre``.
        rest: text after the port in ``proxy_pass``, see :data:`STYLES`.
        folder: folder for the files of nginx.
        headers: further lines for its configuration.

    """
    program = shutil.which("nginx", path=os.pathsep.join(_FOLDERS))
    if program is None:
        pytest.skip("needs nginx (Debian's package nginx-light)")
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # nginx expects this
        port = listener.getsockname()[1]
        file = folder / "nginx.conf"
        settings = _SETTINGS.format(
            folder=folder,
            port=port,
            prefix=prefix,
            upstream=upstream,
            rest=rest,
            headers=headers,
            # If root starts nginx, its workers could not write to the folders of a test.
            user="user root;" if os.geteuid() == 0 else "",
        )
        file.write_text(settings)
        # nginx takes over the open socket, so no other program can take the port.
        process = subprocess.Popen(
            [program, "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log")],
            env={**os.environ, "NGINX": f"{listener.fileno()};"},
            pass_fds=[listener.fileno()],
        )
        try:
            yield f"http://127.0.0.1:{port}{prefix}"
        finally:
            process.terminate()
            process.wait(60)
