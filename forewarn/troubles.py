"""docs/gpu-troubles.md, made from the tables of conditions and XIDs."""

from collections.abc import Iterable, Iterator, Sequence

from collector.nvml.health.diagnosis import DIAGNOSES
from collector.nvml.health.pause import LONGEST_SECONDS
from collector.nvml.xid.ledger import SAME_SECONDS
from collector.nvml.xid.meanings import XIDS
from forewarn.base.words import duration

_INTRODUCTION = f"""# GPU troubles

Made from the tables by `make docs`. The same words stand in the log, in `forewarn status`, in alerts.

## Letting go of the GPUs

`forewarn nvml pause [--for 30m]` ends the process that holds NVML and returns once it has: NVML shut down, no
/dev/nvidia* open. Then reset a GPU, change MIG or unload the driver; `forewarn nvml resume` ends the pause, and it ends
by itself when its time is up (at most {duration(LONGEST_SECONDS)}). Meanwhile nothing of the GPUs is published, nothing
about them alerts, and `forewarn_nvml_paused` is 1. A reload of the configuration does not end it, nor does a restart of
the daemon: it lies in nvml-pause.json in the data directory. Exit 1 means that a driver call hangs and the GPU is not
free: the call is waited for, because killing what sits in the driver can freeze a GPU. A worker with
`[worker] device = "cuda"`, and what else uses the GPU, is not paused by this.

`forewarn nvml forget UUID` or `--missing` takes GPUs that were removed for good off the list of those that the node is
known to have; without it they are missed for ever.

## Conditions

`forewarn_gpu_diagnosis{{condition="..."}}` is 1 while one holds. Critical ones and warnings make `forewarn status` exit
with 1; hints do not, and never alert."""

_XID_INTRODUCTION = f"""## XID errors

Counted by code from two witnesses: the driver's events, and the kernel's log (`[collector.nvml] kernel_log`: /dev/kmsg,
else journald, for which the daemon's user is in the group systemd-journal). What both tell of within
{SAME_SECONDS:.0f} s, about the same GPU and code, counts once; where the driver does not tell a code, the kernel's log
does. The counters begin anew with the daemon; when a code was last seen is taken from the store. Alerts look at that
time: critical and warning codes alert at the first event and for an hour after the last. Errors that programs cause
never alert."""


def troubles_page() -> str:
    """The page."""
    conditions = ((f"`{row.condition}`", row.severity, row.meaning, row.next_step) for row in DIAGNOSES.values())
    xids = ((str(row.code), row.blame, row.severity, row.meaning, row.next_step) for row in XIDS.values())
    return "\n".join(
        [
            _INTRODUCTION,
            "",
            *_table(("condition", "severity", "what is the matter", "what to do"), conditions),
            "",
            _XID_INTRODUCTION,
            "",
            *_table(("XID", "to blame", "alert", "what happened", "what to do"), xids),
            "",
        ]
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        cells = (cell.replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"
