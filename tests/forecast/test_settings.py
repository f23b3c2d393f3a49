import math

import pytest
from pydantic import ValidationError

from forecast.settings import ForecastSettings, TargetSettings


def test_defaults_and_durations() -> None:
    settings = ForecastSettings.model_validate({"every": "30m", "history": "14d"})
    assert (settings.every, settings.history, settings.model, settings.enabled) == (1800.0, 1209600.0, "auto", True)
    assert ForecastSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    "wrong", [{"every": "1s"}, {"every": "6h"}, {"history": "1h"}, {"model": "arima"}, {"horizon": "24h"}, {"nice": 40}]
)
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ForecastSettings.model_validate(wrong)


def test_a_target_needs_a_selector() -> None:
    row = TargetSettings(match='queue{tenant=~"a.*"}', limit=10)
    assert (row.kind, row.below) == ("gauge", False)
    for wrong in ("queue{", "{}", 'queue{tenant=~"("}'):
        with pytest.raises(ValidationError):
            TargetSettings(match=wrong)


@pytest.mark.parametrize("limit", [math.nan, math.inf])
def test_a_limit_is_a_number(limit: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        TargetSettings(match="queue", limit=limit)


def test_every_field_is_described() -> None:
    for model in (ForecastSettings, TargetSettings):
        assert all(field.description for field in model.model_fields.values())
