"""GET /v1/alerts and /v1/rules."""

from fastapi import APIRouter, Response

from api.answers import Json
from api.models import AlertsAnswer, RulesAnswer
from api.services import Services
from forewarn.base.clock import rfc3339


def alerts_router(services: Services) -> APIRouter:
    """Routes that read the alerts."""
    router = APIRouter(prefix="/v1", tags=["alerts"])

    @router.get("/alerts", response_model=AlertsAnswer)
    async def alerts() -> Response:
        """Pending, firing and lately resolved alerts, with the fingerprint under which on-call sees them."""
        body = {
            "time": rfc3339(services.clock.now_ms()),
            "alerts": [alert.to_dict() for alert in services.alerts()],
        }
        return Json(body)

    @router.get("/rules", response_model=RulesAnswer)
    async def rules() -> Response:
        """The rules that are evaluated, how their last evaluation went, and the alerts of each."""
        return Json({"rules": [rule.to_dict() for rule in services.rules()]})

    return router
