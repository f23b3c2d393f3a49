"""What the documents of a source have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from logship.settings import FileSettings, LogsSettings

ECS_VERSION = "8.17.0"


@dataclass(frozen=True, slots=True)
class Source:
    """A source of lines.

    Attributes:
        name: its path as it stands in the documents, whatever a rotation renames the file to.
        dataset: of its documents.
        stream: the data stream that they go to.
        rest: fields that every document has besides ``@timestamp``, ``message`` and ``log``.
        zone: of time stamps that name none; None means the machine's.
        multiline: which lines belong together: ``auto``, ``off``, ``start:`` and an expression.
        json: whether lines that are JSON objects are kept as fields.
        access: whether each line is a request.
    """

    name: str
    dataset: str
    stream: str
    rest: Mapping[str, Any]
    zone: tzinfo | None = None
    multiline: str = "off"
    json: bool = False
    access: bool = False

    @property
    def joins(self) -> bool:
        """Whether lines may belong together."""
        return self.multiline != "off"


def source_of(path: str, file: FileSettings, settings: LogsSettings, hostname: str) -> Source:
    """The source that a followed path is."""
    dataset = file.dataset or settings.dataset
    rest = {
        **common(dataset, settings.namespace, hostname, file.labels),
        **({"service": {"name": file.service}} if file.service else {}),
        **({"process": {"name": file.process}} if file.process else {}),
        **({"tags": list(file.tags)} if file.tags else {}),
    }
    access = file.is_access(path)
    return Source(
        path,
        dataset,
        settings.stream_of(file),
        rest,
        ZoneInfo(file.timezone) if file.timezone else None,
        multiline="off" if access and file.multiline == "auto" else file.multiline,
        json=file.format != "text",
        access=access,
    )


def common(dataset: str, namespace: str, hostname: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The fields that every document of a data set has."""
    return {
        "host": {"name": hostname},
        "event": {"dataset": dataset},
        "data_stream": {"type": "logs", "dataset": dataset, "namespace": namespace},
        "ecs": {"version": ECS_VERSION},
        **({"labels": dict(labels)} if labels else {}),
    }
