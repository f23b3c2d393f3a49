"""The reference pages, made from the catalogue and the settings: ``python -m forewarn.reference docs``."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from collector.catalogue import CATALOGUE, Metric, core_metrics
from forewarn.config import PREFIX, Config, model_in
from forewarn.migrating import migrating_page
from forewarn.redact import literal
from forewarn.troubles import troubles_page

CORE_TITLES = {
    1: "GPU utilisation",
    2: "GPU memory",
    3: "GPU activity",
    4: "GPU temperature",
    5: "GPU power",
    6: "GPU throttling",
    7: "GPU errors",
    8: "Processor",
    9: "Host memory",
    10: "File systems and disks",
    11: "Network",
    12: "Inference",
}


def metrics_page() -> str:
    """docs/metrics.md: the twelve core metrics, then every metric by subject."""
    return "\n".join(
        [
            "# Metrics",
            "",
            "Made from the catalogue by `make docs`. GPU series also carry `hostname` on `/metrics`. What a device or",
            "a server does not offer is absent. Forecasts appear on `/metrics` and are not stored as series.",
            "",
            "## The twelve core metrics",
            "",
            "| # | what | metrics |",
            "|---|---|---|",
            *(
                f"| {number} | {CORE_TITLES[number]} | {', '.join(f'`{each.name}`' for each in metrics)} |"
                for number, metrics in core_metrics().items()
            ),
            *_by_subject(),
            "",
        ]
    )


def configuration_page() -> str:
    """docs/configuration.md: every key with its default and meaning."""
    lines = [
        "# Configuration",
        "",
        "Made from the settings by `make docs`. One TOML file: `--config`, else `./forewarn.toml` unless root, else",
        "`/etc/forewarn/forewarn.toml`. Flags win over variables, variables over the file. Every key has a variable:",
        f"`{PREFIX}` and the key in capitals, `__` for a dot (`{PREFIX}COLLECTOR__INTERVAL=1s`). Durations are seconds",
        "or text such as `5s`, `90m`, `72h`, `7d`; sizes are bytes or text such as `2GiB`. Secrets come from files.",
        "",
        "`forewarn config check` says what is wrong, `forewarn config show` what is in force.",
        *_section(Config, "", "Top level"),
        "",
    ]
    return "\n".join(lines)


def _by_subject() -> Iterator[str]:
    subjects: dict[str, list[Metric]] = {}
    for metric in CATALOGUE.values():
        subject = metric.name.removeprefix("forewarn_").partition("_")[0]
        subjects.setdefault(subject, []).append(metric)
    for subject, metrics in subjects.items():
        yield from ("", f"## {subject}", "", "| metric | type | labels | meaning |", "|---|---|---|---|")
        for metric in metrics:
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            source = f" Source: {metric.source}." if metric.source else ""
            yield f"| `{metric.name}` | {metric.type} | {labels} | {_cell(metric.help)}{_cell(source)} |"


def _section(model: type[BaseModel], path: str, title: str) -> Iterator[str]:
    nested: list[tuple[str, type[BaseModel], bool]] = []
    yield from ("", f"## {title}", "", _cell((model.__doc__ or "").strip().splitlines()[0]), "")
    rows = []
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner is not None:
            nested.append((f"{path}{field.alias or name}", inner, field.annotation is not inner))
            continue
        key = f"`{path}{field.alias or name}`"
        rows.append(f"| {key} | {_default(field)} | {_cell(field.description or '')} |")
    if rows:
        yield from ("| key | default | meaning |", "|---|---|---|", *rows)
    for key, inner, many in nested:
        yield from _section(inner, f"{key}.", f"[[{key}]]" if many and not _optional(model, key) else f"[{key}]")


def _optional(model: type[BaseModel], key: str) -> bool:
    field = model.model_fields[key.rpartition(".")[2]]
    return field.default is None


def _default(field: Any) -> str:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "none"
    if isinstance(default, tuple) and len(default) > 3:
        return f"{len(default)} entries, see `forewarn config show`"
    value = list(default) if isinstance(default, tuple) else default
    return f"`{literal(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {
    "metrics.md": metrics_page,
    "configuration.md": configuration_page,
    "migrating.md": migrating_page,
    "gpu-troubles.md": troubles_page,
}


def main() -> None:
    """Write the pages into the folder that is given."""
    folder = Path(sys.argv[1])
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
