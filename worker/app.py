"""The worker's HTTP side: completions in OpenAI's shape, models, health, metrics."""

import asyncio
import contextlib
import secrets
import time
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from worker import protocol
from worker.completions import Completion, Completions
from worker.engine import Engine
from worker.errors import RequestError
from worker.metrics import CONTENT_TYPE, Meters

MAX_BODY_BYTES = 4 * 1024 * 1024
_LOCAL_NAMES = ["localhost", "127.0.0.1", "::1", "[::1]"]


def create_app(completions: Completions, engine: Engine, meters: Meters, host: str) -> Starlette:
    """The application; requests whose Host header names another machine are refused.

    Args:
        completions: answers POST /v1/completions.
        engine: asked for its health.
        meters: rendered at /metrics.
        host: the address that the server listens on.
    """

    async def models(_: Request) -> Response:
        return _json({"object": "list", "data": [_card(completions)]})

    async def health(_: Request) -> Response:
        trouble = engine.trouble()
        return _json({"status": trouble or "ok"}, status=503 if trouble else 200)

    async def metrics(_: Request) -> Response:
        return Response(meters.render(), headers={"content-type": CONTENT_TYPE})

    return Starlette(
        routes=[
            Route("/v1/completions", CompletionsEndpoint(completions), methods=["POST"]),
            Route("/v1/models", models),
            Route("/healthz", health),
            Route("/metrics", metrics),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[*_LOCAL_NAMES, host], www_redirect=False)],
        exception_handlers={HTTPException: _on_http_error},
    )


class CompletionsEndpoint:
    """POST /v1/completions as an ASGI application, so that a client that leaves is noticed at once."""

    def __init__(self, completions: Completions) -> None:
        self._completions = completions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or stop its work when the client is gone."""
        try:
            completion = self._completions.begin(await _body(Request(scope, receive)))
        except ClientDisconnect:
            return
        except RequestError as error:
            await _failed(error)(scope, receive, send)
            return
        answer = asyncio.create_task(self._answer(completion, scope, receive, send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                await answer
        finally:
            self._completions.abandon(completion)
            answer.cancel()
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(answer, gone, return_exceptions=True)

    async def _answer(self, completion: Completion, scope: Scope, receive: Receive, send: Send) -> None:
        if completion.request.stream:
            await _Stream(completion, self._completions, send).run()
            return
        try:
            answer = await self._whole(completion)
        except RequestError as error:
            await _failed(error)(scope, receive, send)
        else:
            await _json(answer)(scope, receive, send)

    async def _whole(self, completion: Completion) -> dict[str, Any]:
        choices = [protocol.choice(index, "", None) for index in range(len(completion.sequences))]
        async for index, piece in completion.pieces(self._completions.time_left(completion)):
            choices[index]["text"] += piece.text
            choices[index]["finish_reason"] = piece.finish
        usage = protocol.usage(completion.prompt_tokens, completion.completion_tokens)
        return _head(self._completions) | {"choices": choices, "usage": usage}


class _Stream:
    """An answer as server-sent events: one a piece, then ``[DONE]``; an error where it broke off."""

    def __init__(self, completion: Completion, completions: Completions, send: Send) -> None:
        self._completion = completion
        self._completions = completions
        self._send = send
        self._begun = False

    async def run(self) -> None:
        """Send it; the status line waits for the first piece, so that an early failure has its own status."""
        head = _head(self._completions)
        try:
            async for index, piece in self._completion.pieces(self._completions.time_left(self._completion)):
                if piece.text or piece.finish:
                    await self._event(head | {"choices": [protocol.choice(index, piece.text, piece.finish)]})
            options = self._completion.request.stream_options
            if options is not None and options.include_usage:
                usage = protocol.usage(self._completion.prompt_tokens, self._completion.completion_tokens)
                await self._event(head | {"choices": [], "usage": usage})
            await self._write(b"data: [DONE]\n\n", more=False)
        except RequestError as error:
            if not self._begun:
                await self._begin(error.status, b"application/json")
                await self._write(orjson.dumps(error.body()), more=False)
                return
            await self._event(error.body())
            await self._write(b"", more=False)

    async def _event(self, data: dict[str, Any]) -> None:
        if not self._begun:
            await self._begin(200, b"text/event-stream; charset=utf-8")
        await self._write(b"data: " + orjson.dumps(data) + b"\n\n", more=True)

    async def _begin(self, status: int, content_type: bytes) -> None:
        self._begun = True
        headers = [(b"content-type", content_type), (b"cache-control", b"no-cache")]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _write(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError("the body's content-type is not application/json", status=415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RequestError(f"the body is over {MAX_BODY_BYTES} bytes", status=413)
    return bytes(body)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _head(completions: Completions) -> dict[str, Any]:
    return {
        "id": f"cmpl-{secrets.token_hex(12)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": completions.served.name,
    }


def _card(completions: Completions) -> dict[str, Any]:
    served = completions.served
    return {
        "id": served.name,
        "object": "model",
        "created": served.created,
        "owned_by": "forewarn",
        "random_weights": served.random,
        "description": "Random weights: it answers real requests with meaningless text." if served.random else "",
        "device": served.device,
        "parameters": served.parameters,
        "context_length": served.context,
    }


def _json(data: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(data), status, headers, media_type="application/json")


def _failed(error: RequestError) -> Response:
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return _json(error.body(), error.status, headers)


def _on_http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _failed(RequestError(error.detail, status=error.status_code))
