"""Error responses in the format of RFC 9457, ``application/problem+json``."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

__all__ = ["PROBLEM", "Problem", "install_problems", "problem_response"]

PROBLEM = "application/problem+json"


class Problem(HTTPException):
    """An error response.

    Args:
        status: HTTP status code.
        detail: what is wrong with this request, in a sentence.
        headers: further headers of the response.

    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, dict(headers or {}))


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return a JSON response with ``type``, ``title``, ``status`` and ``detail``."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(content, status, dict(headers or {}), media_type=PROBLEM)


def install_problems(app: FastAPI) -> None:
    """Install handlers that report HTTP errors and invalid parameters as problems."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)


async def _http_error(request: Request, error: Any) -> JSONResponse:
    return problem_response(error.status_code, str(error.detail), error.headers)


async def _validation_error(request: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    location = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return problem_response(422, f"{location}: {message[:1].lower()}{message[1:]}")
