"""docs/migrating.md: from other exporters to Forewarn, its tables made from those that the program goes by."""

from collections.abc import Iterable, Iterator

from collector.adapters import ADAPTERS
from collector.dcgm import FIELDS, XID_ERRORS, Field
from collector.history.rules import DERIVED, NO_COUNTERPART, RULES, Rule
from collector.series import Labels, SeriesKey

_HEAD = """\
# Coming from other exporters

Made from the program's own tables by `make docs`.

## Keep your dashboards: dcgm-exporter's names

```toml
[metrics]
dcgm = true
```

`/metrics` then also shows the metrics that dcgm-exporter shows unless told otherwise (etc/default-counters.csv of
4.5.3-4.8.2), under their exact names, with the labels `gpu`, `UUID`, `pci_bus_id`, `device`, `modelName`,
`DCGM_FI_DRIVER_VERSION`, `Hostname` (as it was called until 4.8.2) and `hostname` (since), in the exporter's units.
NVIDIA's Grafana dashboard 12239 works as it is. They are shown, not stored: nothing is counted twice in the store.

- **Never scrape dcgm-exporter and this page in one job**, nor under one `instance`: every sum would be double. Stop
  the exporter first, or leave the switch off until you do.
- They go out untyped, as DCGM's names do not follow Prometheus' rules; `rate()` and all else in PromQL works on them.
- Rates (`DCGM_FI_PROF_PCIE_TX_BYTES`, `DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL`) are there from the second round on; those
  that are reckoned from counters are means over 30 seconds, the exporter's own interval.
- `DCGM_FI_DEV_XID_ERRORS` holds the last code, 0 before the first, with `err_code` and `err_msg` (in our words). It
  never goes back, and two errors of one code look like one: alert on `forewarn_gpu_xid_errors_total` instead.
- Of a GPU in MIG mode, memory and activity are shown for each GPU instance (`GPU_I_PROFILE`, `GPU_I_ID`), and all
  else once for the whole GPU; the exporter repeats what belongs to the whole GPU for each instance.
- What your GPUs do not offer is absent.

## Keep your history: import it from Prometheus

```sh
forewarn backfill --from prometheus http://prometheus:9090 --dry-run   # what would become of what
forewarn backfill --from prometheus http://prometheus:9090             # the last 30 days
```

It asks a Prometheus, a VictoriaMetrics, or anything else that speaks their API, for what dcgm-exporter (under the old
names and those of DCGM 4.6), nvidia_gpu_exporter, node_exporter, vLLM, SGLang, TGI, Triton or another Forewarn
recorded of **this node**, and stores it as the very series that the daemon records today: forecasts start from it at
once. It works while the daemon runs, and without it.

- **Whose series.** GPUs are known by UUID (those that the daemon has seen). Else the labels `hostname`, `Hostname`,
  `nodename` or `node`, else what node_exporter says of the address, else the address itself. An address at which one
  series of this node was found is this node's for all exporters. `--hostname` names the node as it is called there,
  `--instance` an address that is its. Where nothing fits, the nodes that are there are listed, with exit status 2;
  where a name without its domain fits nodes of several domains, none of them is taken before you say which.
- **How much.** `--since 30d`, `--until`, and `--step` (by default the interval of the scrapes, at least a minute:
  what is kept for longer than a week are windows of five minutes). A gap stays a gap.
- **In front only.** History is added before what a series has, never between: a counter read by two programs in turn
  would seem to begin again and again. So the daemon may record already, and doing it again changes nothing.
- **Cut off?** Run the same command again. It works from the newest to the oldest, and goes on in front of what it
  stored. A larger `--since` later adds what is older.
- **Access.** `--bearer-token-file`, `--basic-auth-file` (one line `user:password`), `--ca-file`, and `--header
  'X-Scope-OrgID: llm'` for a tenant of Mimir. `--match 'cluster="a"'` narrows the search on a server of many clusters.
- What two Prometheus recorded alike, told apart by `prometheus_replica` or `replica`, counts once.
- Inference servers get the label `endpoint` of the configured endpoint with the same port, else the scraped address.
- Devices and file systems that `[collector.host]` leaves out are left out here too.
"""


def migrating_page() -> str:
    """The page."""
    return "\n".join([_HEAD, *_dcgm(), *_rules("nvidia_gpu_exporter", "nvidia_smi_"), *_node(), *_servers(), ""])


def _dcgm() -> Iterator[str]:
    yield from (
        "## What is what: dcgm-exporter",
        "",
        "A star marks those that `[metrics] dcgm = true` shows. DCGM's value is ours times the factor.",
        "",
        *_head("DCGM", "since DCGM 4.6.0", "Forewarn", "factor", ""),
    )
    for field in FIELDS:
        ours = _series(field.metric, field.labels) if field.metric else _growth(field)
        yield _row(f"`{field.name}`", f"`{field.newer}`" if field.newer else "", ours, _factor(field), _star(field))
    newer = "DCGM_FI_DEV_XID_ERROR"
    yield _row(f"`{XID_ERRORS}`", f"`{newer}`", f"not imported: {NO_COUNTERPART[newer]}", "", "*")
    yield ""


def _rules(exporter: str, prefix: str) -> Iterator[str]:
    yield from (f"## What is what: {exporter}", "", *_head(exporter, "Forewarn"))
    yield from (_row(f"`{rule.source}`", _target(rule)) for rule in RULES if rule.source.startswith(prefix))
    yield ""


def _node() -> Iterator[str]:
    yield from _rules("node_exporter", "node_")
    yield from ("Computed by the server:", "", *_head("node_exporter", "Forewarn"))
    yield from (_row(f"`{one.source}`", _with_labels(one.target, one.keep)) for one in DERIVED)
    yield ""


def _servers() -> Iterator[str]:
    yield from ("## What is what: inference servers", "", *_head("server", "theirs", "Forewarn"))
    for adapter in ADAPTERS:
        for rule in adapter.rules:
            if adapter.server != "forewarn":
                theirs = ", ".join(f"`{source}`" for source in rule.sources)
                yield _row(adapter.server, theirs, f"`{rule.target}`")


def _growth(field: Field) -> str:
    return "growth a second of " + " and ".join(f"`{name}`" for name in field.growth_of) + "; not imported"


def _factor(field: Field) -> str:
    return "" if field.factor == 1 else f"{field.factor:g}"


def _star(field: Field) -> str:
    return "*" if field.default else ""


def _target(rule: Rule) -> str:
    factor = "" if rule.times == rule.over else f" (times {rule.times / rule.over:g})"
    return (_series(rule.target, rule.labels) if rule.labels else _with_labels(rule.target, rule.keep)) + factor


def _series(name: str, labels: Labels) -> str:
    return f"`{SeriesKey(name, labels)}`"


def _with_labels(name: str, labels: Iterable[str]) -> str:
    kept = ", ".join(f"`{label}`" for label in labels)
    return f"`{name}`" + (f" by {kept}" if kept else "")


def _head(*titles: str) -> Iterator[str]:
    yield _row(*titles)
    yield "|---" * len(titles) + "|"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
