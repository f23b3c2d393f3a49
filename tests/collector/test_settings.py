import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from collector.samplers.build import build_sources
from collector.settings import (
    CanarySettings,
    CollectorSettings,
    EndpointSettings,
    HostSettings,
    NetworkSettings,
    NvmlSettings,
)
from forewarn.base.clock import SystemClock
from tests.support.kernel_tree import plant

COMING = ("links", "infiniband", "nvme", "raid")
"""Sources of devices that may come later."""

TOML = """
interval = "1s"

[host]
filesystems = false

[network]
targets = ["gateway.example:443", "[2001:db8::1]:22"]
timeout = "500ms"

[nvml]
enabled = false

[[endpoint]]
url = "http://127.0.0.1:8000/metrics"
allow = ["vllm:num_preemptions*"]

[endpoint.canary]
model = "m"

[[endpoint]]
url = "http://127.0.0.1:8000/metrics"
name = "again"
"""


def test_a_file_becomes_sources(tmp_path: Path) -> None:
    settings = CollectorSettings.model_validate(tomllib.loads(TOML))
    assert settings.interval == 1.0
    assert settings.network.timeout == 0.5
    assert [endpoint.label for endpoint in settings.endpoint] == ["127.0.0.1:8000", "again"]
    sources = build_sources(settings, SystemClock(), plant(tmp_path, {}))
    assert [source.name for source in sources] == [
        "host",
        *COMING,
        "network",
        "endpoint:127.0.0.1:8000",
        "canary:127.0.0.1:8000",
        "endpoint:again",
    ]


def test_defaults_watch_the_host_every_five_seconds(tmp_path: Path) -> None:
    settings = CollectorSettings()
    assert settings.interval == 5
    sources = build_sources(settings, SystemClock(), plant(tmp_path, {}))
    assert [source.name for source in sources] == ["host", "filesystems", *COMING]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"interval": 0.5}, "greater than or equal to 1"),
        ({"intervall": 5}, "Extra inputs"),
        ({"network": {"targets": ["example.com"]}}, "host:443"),
        ({"network": {"targets": ["user@example.com:1"]}}, "host:443"),
        ({"network": {"targets": ["h:99999"]}}, "host:443"),
        ({"endpoint": [{"url": "127.0.0.1:8000/metrics"}]}, "http://127.0.0.1:8000/metrics"),
        ({"endpoint": [{"url": "ftp://h/metrics"}]}, "no address"),
        ({"endpoint": [{"url": "http://me:secret@h/metrics"}]}, "bearer_token_file"),
        ({"endpoint": [{"url": "http://h/metrics", "username": "me"}]}, "go together"),
        ({"endpoint": [{"url": "http://h/metrics", "username": "a:b", "password_file": "/p"}]}, "pattern"),
        (
            {"endpoint": [{"url": "http://h", "username": "a", "password_file": "/p", "bearer_token_file": "/t"}]},
            "exclude each other",
        ),
        ({"endpoint": [{"url": "https://h/metrics", "client_key_file": "/k"}]}, "client_certificate_file"),
        ({"network": {"window": "2h"}}, "less than or equal to 3600"),
        ({"endpoint": [{"url": "http://h:1/a"}, {"url": "http://h:1/b"}]}, "'h:1'"),
        ({"endpoint": [{"url": "http://h:1/a", "name": "worker"}]}, "bundled worker"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CollectorSettings.model_validate(wrong)


@pytest.mark.parametrize("text", ["h:1", "10.0.0.1:443", "[::1]:22"])
def test_targets(text: str) -> None:
    assert NetworkSettings(targets=(text,)).targets == (text,)


@pytest.mark.parametrize(
    "model", [CollectorSettings, HostSettings, NetworkSettings, NvmlSettings, EndpointSettings, CanarySettings]
)
def test_every_field_says_what_it_is(model: type[BaseModel]) -> None:
    for name, info in model.model_fields.items():
        assert info.description, name
        assert info.description.endswith("."), name
