"""GET /, /docs and /static: the page and the description of the API, from files that came with the program."""

from fastapi import APIRouter, Request, Response

from api.answers import ApiError
from api.static_files import StaticFile

PAGES = {"/": "index.html", "/docs": "docs.html"}


def page_router(files: dict[str, StaticFile]) -> APIRouter:
    """Routes that serve files from memory."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    @router.get("/docs")
    async def page(request: Request) -> Response:
        return files[PAGES[request.url.path]].answer(request)

    @router.get("/static/{path:path}")
    async def static(path: str, request: Request) -> Response:
        if path not in files:
            raise ApiError(404, f"no file {path!r}")
        return files[path].answer(request)

    return router
