"""GET /v1/metrics: the catalogue."""

from dataclasses import asdict

from fastapi import APIRouter, Response

from api.answers import Json
from api.models import CatalogueAnswer
from collector.catalogue import CATALOGUE


def catalogue_router() -> APIRouter:
    """The route that describes the metrics; the answer never changes while the daemon runs."""
    router = APIRouter(prefix="/v1", tags=["series"])
    body = {"metrics": [asdict(metric) for metric in CATALOGUE.values()]}

    @router.get("/metrics", response_model=CatalogueAnswer)
    async def catalogue() -> Response:
        """Every metric that Forewarn knows; `core` numbers the twelve core metrics."""
        return Json(body)

    return router
