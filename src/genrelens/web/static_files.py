"""Files of the page: compressed, and checked again by browsers each time they are used."""

from __future__ import annotations

from functools import lru_cache
from os import PathLike, stat_result

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from genrelens.files import sha256

__all__ = ["RevalidatedFiles"]


class RevalidatedFiles(StaticFiles):
    """Serve a folder with ``Cache-Control: no-cache`` and tags that follow from the content.

    The names of the files do not change with the version, so a browser asks each time and gets a
    short 304 for what it has. Times and sizes of files, Starlette's tags, may be equal before and
    after an upgrade, because reproducible packages have fixed times.
    """

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the file, or 304 if the client has it."""
        tag = _tag(str(full_path), stat_result.st_mtime_ns, stat_result.st_size)
        headers = {"etag": f'"{tag}"', "cache-control": "no-cache"}
        response = FileResponse(full_path, status_code, headers, stat_result=stat_result)
        del response.headers["last-modified"]
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response


@lru_cache(maxsize=256)
def _tag(path: str, modified: int, size: int) -> str:
    """Return a tag of a file's content; time and size only tell when to read it again."""
    return sha256(path)[:20]
