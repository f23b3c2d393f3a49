"""The two forms of an answer: JSON, and the one shape of an error."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from forewarn.base.errors import ForewarnError, StoreError

log = logging.getLogger(__name__)

Handler = Callable[[Request, Any], Awaitable[Response]]


class ApiError(ForewarnError):
    """A request that cannot be answered; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ErrorBody(BaseModel):
    """What went wrong, and what to do next."""

    message: str
    hint: str | None = None


class ErrorAnswer(BaseModel):
    """The shape of every error."""

    error: ErrorBody


class Json(Response):
    """JSON by orjson: NumPy arrays go out as they are, NaN as null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of ``content``."""
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def error_answer(status: int, message: str, hint: str | None = None, headers: dict[str, str] | None = None) -> Json:
    """An error in its one shape."""
    return Json({"error": {"message": message, "hint": hint}}, status_code=status, headers=headers)


async def _api_error(_request: Request, error: ApiError) -> Response:
    return error_answer(error.status, error.message, error.hint)


async def _store_error(request: Request, error: StoreError) -> Response:
    log.warning("a query failed", extra={"path": request.url.path, "error": str(error)})
    return error_answer(503, error.message, error.hint)


async def _invalid(_request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return error_answer(422, f"{where}: {first['msg']}", "the parameters are described under /docs")


async def _http(_request: Request, error: HTTPException) -> Response:
    hint = "the routes are listed under /docs" if error.status_code == 404 else None
    return error_answer(error.status_code, str(error.detail), hint, dict(error.headers or {}))


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return error_answer(500, "Forewarn could not answer", "the daemon's log says why")


def install_error_handlers(app: FastAPI) -> None:
    """Give every error of ``app`` the one shape."""
    handlers: tuple[tuple[type[Exception], Handler], ...] = (
        (ApiError, _api_error),
        (StoreError, _store_error),
        (RequestValidationError, _invalid),
        (HTTPException, _http),
        (Exception, _unexpected),
    )
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)
