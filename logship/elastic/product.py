"""What answers at an address: Elasticsearch, OpenSearch, or VictoriaLogs, which speaks Elasticsearch's bulk API."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from logship.elastic.caller import Caller, OfficialClient, PlainHttp, reason_of
from logship.errors import ControlError
from logship.settings import LogsSettings

Name = Literal["Elasticsearch", "OpenSearch", "VictoriaLogs"]

VICTORIALOGS_PATH = "/insert/elasticsearch"
VICTORIALOGS_HEADERS = {
    "VL-Msg-Field": "message",
    "VL-Time-Field": "@timestamp",
    "VL-Stream-Fields": "host.name,event.dataset,log.file.path",
}
"""How VictoriaLogs is told which fields are which: https://docs.victoriametrics.com/victorialogs/data-ingestion/"""


@dataclass(frozen=True, slots=True)
class Product:
    """A server.

    Attributes:
        name: what it is.
        version: as it says itself; empty where it may not be asked.
    """

    name: Name
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


def is_victorialogs(url: str) -> bool:
    """Whether an address is the place where VictoriaLogs takes bulk requests."""
    return urlsplit(url).path.rstrip("/").endswith(VICTORIALOGS_PATH)


def product_at(settings: LogsSettings, plain: Caller) -> Product:
    """What answers at the configured addresses.

    Raises:
        ControlError: nothing does, it wants a login, or it is nothing that takes logs.
    """
    status, answer = plain.call("GET", "/")
    if status == 403:  # a role that may only write: then it is Elasticsearch with its security
        return Product("Elasticsearch")
    version = answer.get("version") if isinstance(answer, dict) else None
    if status != 200 or not isinstance(version, dict):
        what = f"{settings.url[0]} is no Elasticsearch" if status in {200, 404} else "the server refuses"
        raise ControlError(f"{what}: {reason_of(status, answer)}", status, hint=_HINTS.get(status))
    number = str(version.get("number", ""))
    if version.get("distribution") == "opensearch":
        return Product("OpenSearch", number)
    if is_victorialogs(settings.url[0]):
        return Product("VictoriaLogs")  # the version that it tells is one of Elasticsearch
    return Product("Elasticsearch", number)


def connect(settings: LogsSettings) -> tuple[Product, Caller]:
    """What answers, and the way to call it.

    Raises:
        ControlError: see ``product_at``.
        MissingExtraError: the official client is not installed.
        ConfigError: a secret's file cannot be read.
    """
    plain = PlainHttp(settings)
    try:
        product = product_at(settings, plain)
    except ControlError:
        plain.close()
        raise
    if product.name != "Elasticsearch":
        return product, plain
    plain.close()
    return product, OfficialClient(settings)


_HINTS = {
    401: "check username and password_file, or api_key_file, under [logs]",
    404: "is a path missing in [logs] url, or one too many in it?",
}
