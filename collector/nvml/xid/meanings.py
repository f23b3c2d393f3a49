"""What XID errors mean, who is to blame, and what to do next: one row per code.

Sources: NVIDIA's "Xid Errors" guide and its Xid catalogue (docs.nvidia.com/deploy/xid-errors) for the codes and the
actions that go with them, in our words. The severity says whether on-call is told; application codes never alert,
because one crashing program reports them by the thousand.
"""

from dataclasses import dataclass
from typing import Final, Literal

Blame = Literal["application", "driver", "hardware", "unknown"]
XidSeverity = Literal["critical", "warning", "none"]
UNKNOWN_XID: Final = "unknown"

_APPLICATION: Final = "Look at the program that ran on the GPU: its own log and stack trace; other programs go on."
_VIDEO: Final = "Restart the program that used the video engine; if it comes back with others too, reset the GPU."
_RESTART: Final = (
    "Restart the program; if the code comes back with other programs, reset the GPU, then update the driver."
)
_RESET: Final = "Drain the GPU and reset it (nvidia-smi --gpu-reset); if the code comes back, have the GPU replaced."
_REBOOT: Final = "Drain the node and power-cycle it; if the code comes back, reseat the GPU, then have it replaced."
_NVLINK: Final = (
    "Drain the node and reset its GPUs; if the code comes back, check cables and switch, then replace the GPU."
)
_GSP: Final = "Drain the GPU and reset it; if the reset hangs, power-cycle the node. Recurring: update the driver."
_WATCH: Final = "Nothing at once; if it comes back often, plan a reset of the GPU and a newer driver."
_REPORT: Final = "Collect nvidia-bug-report.sh and ask the vendor; restart what stopped."


@dataclass(frozen=True, slots=True)
class Xid:
    """A row of the table.

    Attributes:
        code: the number in ``NVRM: Xid (PCI:...): number``.
        blame: who mostly causes it.
        meaning: what happened, as a sentence without its full stop.
        next_step: what to do.
        severity: whether, and how, on-call is told.
    """

    code: int
    blame: Blame
    meaning: str
    next_step: str
    severity: XidSeverity = "none"


_ROWS: Final = (
    Xid(8, "application", "the GPU stopped processing a program's work", _RESTART),
    Xid(11, "application", "a command stream to the GPU was invalid or corrupted", _RESTART),
    Xid(13, "application", "a kernel caused an exception, such as an access out of bounds", _APPLICATION),
    Xid(31, "application", "a program accessed GPU memory at an address that is not mapped", _APPLICATION),
    Xid(32, "driver", "a command stream was invalid or was corrupted on its way over PCIe", _RESTART),
    Xid(38, "driver", "the driver's firmware reported an error", _REPORT),
    Xid(39, "hardware", "a copy engine reported an exception", _RESTART),
    Xid(40, "hardware", "a copy engine reported an exception", _RESTART),
    Xid(41, "hardware", "a copy engine reported an exception", _RESTART),
    Xid(43, "application", "a program's work failed and its channel was reset; the GPU itself is well", _APPLICATION),
    Xid(44, "application", "the graphics engine failed while it switched contexts", _RESTART),
    Xid(45, "application", "a program's work was cleaned up after it was killed or an earlier error", _APPLICATION),
    Xid(46, "driver", "the GPU stopped processing and did not recover by itself", _RESET),
    Xid(
        48,
        "hardware",
        "memory of the GPU had an error in two bits, which cannot be corrected",
        "Drain the GPU and reset it; where XID 63 follows the row is replaced, where 64 follows have the GPU replaced.",
        "critical",
    ),
    Xid(56, "driver", "the display engine reported an error", _REPORT),
    Xid(57, "hardware", "the interface to GPU memory reported an error", _RESET),
    Xid(58, "hardware", "the memory clock or its settings went wrong", _RESET),
    Xid(59, "driver", "an internal micro-controller reported an error", _REPORT),
    Xid(61, "driver", "an internal micro-controller stopped at a breakpoint", _RESET),
    Xid(
        62,
        "hardware",
        "an internal micro-controller halted; power and clocks are no longer managed",
        _RESET,
        "critical",
    ),
    Xid(
        63,
        "hardware",
        "a bad page or row of memory was noted down and will be replaced by a spare one",
        "Reset the GPU when its work allows it, so that the spare takes over.",
    ),
    Xid(
        64,
        "hardware",
        "a bad page or row of memory could not be noted down for replacement",
        "Drain the GPU and reset it; if the code comes back, there are no spares left: have the GPU replaced.",
        "critical",
    ),
    Xid(65, "application", "a video processor reported an exception", _VIDEO),
    Xid(66, "driver", "the driver accessed the GPU in a way that is not allowed", _REPORT),
    Xid(68, "application", "the video decoder reported an exception", _VIDEO),
    Xid(69, "application", "a program used a graphics class in a wrong way", _APPLICATION),
    Xid(70, "hardware", "a copy engine reported an exception", _RESTART),
    Xid(71, "hardware", "a copy engine reported an exception", _RESTART),
    Xid(72, "hardware", "a copy engine reported an exception", _RESTART),
    Xid(73, "application", "the video encoder reported an exception", _VIDEO),
    Xid(74, "hardware", "an NVLink failed: to another GPU, a switch, or a bridge", _NVLINK, "critical"),
    Xid(78, "driver", "a virtual GPU could not be started", "Compare the versions of host and guest driver."),
    Xid(79, "hardware", "the GPU has fallen off the bus: the host no longer reaches it over PCIe", _REBOOT, "critical"),
    Xid(80, "hardware", "data arrived at the GPU corrupted", _REBOOT),
    Xid(81, "hardware", "the VGA part of the GPU reported an error", _RESET),
    Xid(92, "hardware", "correctable memory errors come at a high rate", "Watch the ECC counters; plan a replacement."),
    Xid(93, "driver", "the GPU's information store is written more often than it is made for", _REPORT),
    Xid(
        94,
        "hardware",
        "memory had an uncorrectable error that was contained: only the program that touched it was ended",
        "Restart that program; reset the GPU when its other work allows it.",
        "warning",
    ),
    Xid(
        95,
        "hardware",
        "memory had an uncorrectable error that was not contained: every program on the GPU may have wrong data",
        "Stop all work on the GPU and reset it before anything else runs there; distrust the results since.",
        "critical",
    ),
    Xid(109, "driver", "a switch from one program's context to another's took too long", _RESTART),
    Xid(110, "hardware", "a security check in the GPU failed", _REBOOT),
    Xid(
        119,
        "driver",
        "the GPU's system processor (GSP) did not answer the driver in time",
        _GSP,
        "critical",
    ),
    Xid(
        120,
        "driver",
        "the firmware of the GPU's system processor (GSP) crashed",
        _GSP,
        "critical",
    ),
    Xid(121, "hardware", "the link between processor and GPU (C2C) had an error that was corrected", _WATCH),
    Xid(122, "hardware", "the GPU's flash memory could not be read", _REPORT),
    Xid(123, "hardware", "the GPU's flash memory could not be written", _REPORT),
    Xid(124, "hardware", "the GPU's flash memory could not be erased", _REPORT),
    Xid(125, "hardware", "the file system of the GPU's information store failed", _REPORT),
    Xid(136, "hardware", "training of an NVLink took too long", _NVLINK),
    Xid(137, "application", "a program accessed a peer's memory over NVLink without the right to", _APPLICATION),
    Xid(140, "hardware", "memory had an error that was not recovered from", _RESET),
    Xid(143, "hardware", "the GPU could not be initialised", _REBOOT),
    Xid(144, "hardware", "an NVLink of the fifth generation reported an error (SAW)", _NVLINK),
    Xid(145, "hardware", "an NVLink of the fifth generation reported an error (RLW)", _NVLINK),
    Xid(146, "hardware", "an NVLink of the fifth generation reported an error (TLW)", _NVLINK),
    Xid(147, "hardware", "an NVLink of the fifth generation reported an error (TREX)", _NVLINK),
    Xid(148, "hardware", "an NVLink of the fifth generation reported an error (NVLPW)", _NVLINK),
    Xid(149, "hardware", "an NVLink of the fifth generation reported an error (NETIR)", _NVLINK),
    Xid(150, "hardware", "an NVLink of the fifth generation reported an error (MSE)", _NVLINK),
    Xid(
        154,
        "driver",
        "the driver changed its mind about what the GPU needs to recover",
        "See forewarn_gpu_recovery_action, and the XID that came just before.",
    ),
    Xid(155, "hardware", "an NVLink went down", _NVLINK),
    Xid(156, "hardware", "a broken part of the GPU was taken out of use", "Reset the GPU when its work allows it."),
    Xid(157, "hardware", "a broken part of the GPU could not be taken out of use", _RESET),
    Xid(158, "hardware", "the GPU did not finish in time and cannot go on", _RESET),
)

XIDS: Final[dict[str, Xid]] = {str(row.code): row for row in _ROWS}
"""The table, by the code as it stands in the label ``xid``."""

CRITICAL: Final = frozenset(row.code for row in _ROWS if row.severity == "critical")
WARNING: Final = frozenset(row.code for row in _ROWS if row.severity == "warning")

_NOT_LISTED: Final = "Look the code up in NVIDIA's Xid catalogue (docs.nvidia.com/deploy/xid-errors)."


def xid_row(xid: str) -> Xid:
    """The row of a code, as it stands in a label; a row that says so for a code that is not in the table."""
    row = XIDS.get(xid)
    if row is not None:
        return row
    if xid == UNKNOWN_XID:
        step = "The kernel's log has the number: journalctl -k | grep Xid."
        return Xid(0, "unknown", "the driver reported an error without telling which", step)
    return Xid(int(xid) if xid.isdigit() else 0, "unknown", "an error that is not in Forewarn's table", _NOT_LISTED)
