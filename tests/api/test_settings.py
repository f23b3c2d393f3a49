import pytest

from api.settings import ApiSettings, MetricsSettings
from forewarn.base.address import Address
from forewarn.base.errors import ConfigError


@pytest.mark.parametrize("text", ["7470", "localhost:70000", "::1"])
@pytest.mark.parametrize("settings", [ApiSettings, MetricsSettings])
def test_what_is_no_address_is_refused(settings: type[ApiSettings | MetricsSettings], text: str) -> None:
    with pytest.raises(ConfigError, match="is no address to listen on"):
        settings(listen=text)


@pytest.mark.parametrize("text", ["0.0.0.0:7470", "10.0.0.7:7470", "[::]:7470", "node.example:7470", "128.0.0.1:1"])
def test_the_api_listens_on_loopback_only_and_says_what_to_do_instead(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ApiSettings(listen=text)
    assert caught.value.hint is not None
    assert f'[metrics] listen = "{text}"' in caught.value.hint


def test_all_of_127_is_loopback() -> None:
    assert ApiSettings(listen="127.9.9.9:1").address == Address("127.9.9.9", 1)


def test_the_second_socket_may_be_reachable() -> None:
    assert MetricsSettings(listen="0.0.0.0:7472").address == Address("0.0.0.0", 7472)
    assert MetricsSettings().address is None
    with pytest.raises(ConfigError):
        MetricsSettings(listen="7472")
