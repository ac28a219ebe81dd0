"""Errors in the format of RFC 9457, ``application/problem+json``, without stack traces."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["PROBLEM", "LastResort", "Problem", "install_problems", "problem_response"]

PROBLEM = "application/problem+json"
_LOG = logging.getLogger("genrelens.web")


class Problem(HTTPException):
    """An answer that is an error.

    Args:
        status: HTTP status code.
        detail: what is wrong with this request, in a sentence.
        headers: more headers of the answer.

    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, dict(headers or {}))


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an answer with ``type``, ``title``, ``status`` and ``detail``."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(content, status, dict(headers or {}), media_type=PROBLEM)


def install_problems(app: FastAPI) -> None:
    """Answer with problems to the errors that the application raises on purpose."""
    app.add_exception_handler(HTTPException, _from_http)
    app.add_exception_handler(RequestValidationError, _from_validation)


async def _from_http(request: Request, error: Any) -> JSONResponse:
    return problem_response(error.status_code, str(error.detail), error.headers)


async def _from_validation(request: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return problem_response(422, f"{where}: {first['msg']}")


class LastResort:
    """ASGI middleware: log any other error, and answer with 500 without its details.

    Starlette's own handler is outside of all middleware: its answers would be neither counted nor
    given the security headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, whatever happens."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            _LOG.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
            answer = problem_response(500, "genrelens failed; its log says more")
            await answer(scope, receive, send)
