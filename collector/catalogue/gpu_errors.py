"""Metrics of what goes wrong in the GPUs: XIDs, memory errors, what the driver asks for."""

from collector.catalogue.gpu_row import row
from collector.catalogue.model import Metric

ERROR_METRICS: tuple[Metric, ...] = (
    row(
        "xid_errors_total",
        "",
        "XID errors that the driver reported since the daemon started, by code.",
        "nvmlEventSetWait_v2; kernel log",
        "xid",
        cadence="event",
        core=7,
    ),
    row(
        "xid_last_timestamp_seconds",
        "seconds",
        "When the driver last reported the XID, in seconds since the epoch.",
        "nvmlEventSetWait_v2; kernel log",
        "xid",
        cadence="event",
        core=7,
    ),
    row(
        "ecc_errors_total",
        "",
        "Memory errors (corrected, uncorrected) since the driver was loaded (volatile) or ever (aggregate).",
        "nvmlDeviceGetTotalEccErrors",
        "scope",
        "type",
        cadence="medium",
        core=7,
    ),
    row(
        "remapped_rows",
        "",
        "Memory rows that were replaced by spare ones, because of corrected or uncorrected errors.",
        "nvmlDeviceGetRemappedRows",
        "kind",
        cadence="medium",
    ),
    row(
        "remapped_rows_pending",
        "",
        "Whether rows wait for a reset of the GPU to be replaced.",
        "nvmlDeviceGetRemappedRows",
        cadence="medium",
    ),
    row(
        "remapped_rows_failure",
        "",
        "Whether replacing a row has failed.",
        "nvmlDeviceGetRemappedRows",
        cadence="medium",
    ),
    row(
        "remapped_rows_available_banks",
        "",
        "Memory banks by how many spare rows they have left (max, high, partial, low, none).",
        "nvmlDeviceGetRowRemapperHistogram",
        "spare",
        cadence="slow",
    ),
    row(
        "retired_pages",
        "",
        "Memory pages taken out of use, because of single_bit or double_bit errors (before Ampere).",
        "nvmlDeviceGetRetiredPages",
        "cause",
        cadence="slow",
    ),
    row(
        "retired_pages_pending",
        "",
        "Whether pages wait for a reboot to be taken out of use (before Ampere).",
        "nvmlDeviceGetRetiredPagesPendingStatus",
        cadence="slow",
    ),
    row(
        "sram_ecc_errors_total",
        "",
        "Errors of the memory inside the chip (corrected, uncorrected_parity, uncorrected_secded), "
        "since the driver was loaded (volatile) or ever (aggregate).",
        "nvmlDeviceGetSramEccErrorStatus",
        "scope",
        "type",
        cadence="medium",
    ),
    row(
        "sram_ecc_uncorrected_errors_total",
        "",
        "Uncorrected errors ever of the memory inside the chip, by where (l2, sm, pcie, microcontroller, other).",
        "nvmlDeviceGetSramEccErrorStatus",
        "location",
        cadence="medium",
    ),
    row(
        "sram_ecc_threshold_exceeded",
        "",
        "Whether the memory inside the chip has had more uncorrected errors than its vendor tolerates.",
        "nvmlDeviceGetSramEccErrorStatus",
        cadence="medium",
    ),
    row(
        "recovery_action",
        "",
        "What the driver asks for: 0 nothing, 1 GPU reset, 2 reboot, 3 drain peers, 4 drain and reset, "
        "5 recover IMEX, 6 bus reset, 7 system reboot.",
        "nvmlDeviceGetFieldValues 230",
    ),
)
