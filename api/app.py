"""The applications: one for the page and the API, one for the second socket of /metrics."""

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from api.answers import ErrorAnswer, install_error_handlers
from api.middleware import KnownHosts, ReadOnly, SameSite, SecurityHeaders
from api.queries import Queries
from api.routes.alerts import alerts_router
from api.routes.catalogue import catalogue_router
from api.routes.forecasts import forecasts_router
from api.routes.health import probe_router, status_router
from api.routes.log_patterns import log_patterns_router
from api.routes.logs import logs_router
from api.routes.page import page_router
from api.routes.plan import plan_router
from api.routes.series import series_router
from api.services import Services
from api.static_files import load_static

DESCRIPTION = "What this node records, expects and warns of. Times are RFC 3339 in UTC, units are base units."


def create_app(services: Services) -> FastAPI:
    """The page, the API and /metrics, answering only to the names that the settings allow."""
    queries = Queries()
    names = (services.settings.address.host, *services.settings.allowed_hosts)
    routers = (
        page_router(load_static()),
        probe_router(services),
        status_router(services),
        forecasts_router(services, queries),
        series_router(services, queries),
        alerts_router(services),
        log_patterns_router(services, queries),
        catalogue_router(),
        *([logs_router(services.log_search, services.clock)] if services.log_search is not None else []),
        *([plan_router(services.plan)] if services.plan is not None else []),
    )
    return _application(routers, [Middleware(KnownHosts, names=names)], openapi_url="/openapi.json")


def create_metrics_app(services: Services) -> FastAPI:
    """GET /metrics and /healthz alone, for a socket that other machines reach under names we cannot know."""
    return _application((probe_router(services),), [], openapi_url=None)


def _application(routers: tuple[APIRouter, ...], guards: list[Middleware], openapi_url: str | None) -> FastAPI:
    app = FastAPI(
        title="Forewarn",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=openapi_url,
        redirect_slashes=False,
        middleware=[Middleware(SecurityHeaders), *guards, Middleware(SameSite), Middleware(ReadOnly)],
        responses={"default": {"model": ErrorAnswer, "description": "Anything that went wrong"}},
    )
    for router in routers:
        app.include_router(router)
    install_error_handlers(app)
    return app
