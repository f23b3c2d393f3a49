"""Words for what a series is about, from the collector's tables: what it means, and what to do next."""

from collections.abc import Callable, Mapping

from collector.nvml.health.conditions import EVIDENCE
from collector.nvml.health.diagnosis import DIAGNOSES
from collector.nvml.xid.meanings import xid_row
from collector.series import SeriesKey

GLOSSARY_FACTS = frozenset({"meaning", "next_step", "detail"})
"""Words that a template may use; empty where no table knows the series."""

_DETAIL_OF_METRIC = {evidence.metric: evidence.tells for evidence in EVIDENCE}

_CONDITION_OF_METRIC = {
    "forewarn_nvml_stuck": "driver_stuck",
    "forewarn_gpu_recovery_action": "recovery_needed",
    "forewarn_gpu_remapped_rows_failure": "row_remap_failed",
    "forewarn_gpu_sram_ecc_threshold_exceeded": "sram_errors",
    "forewarn_gpu_fabric_misconfigured": "fabric_misconfigured",
    "forewarn_gpu_dead_process_memory_bytes": "dead_process_memory",
}


def _of_xid(xid: str) -> tuple[str, str]:
    row = xid_row(xid)
    return row.meaning, row.next_step


def _of_condition(condition: str) -> tuple[str, str]:
    row = DIAGNOSES.get(condition)
    return (row.meaning, row.next_step) if row else ("", "")


_BY_LABEL: Mapping[str, Callable[[str], tuple[str, str]]] = {"xid": _of_xid, "condition": _of_condition}


def glossary(key: SeriesKey, value: float) -> dict[str, str]:
    """``meaning`` and ``next_step`` of a series: by its label ``xid`` or ``condition``, else by its metric.

    ``detail`` is what the value says in words, as far as the table of evidence knows.
    """
    for label, words in _BY_LABEL.items():
        if told := key.label(label):
            meaning, next_step = words(told)
            break
    else:
        meaning, next_step = _of_condition(_CONDITION_OF_METRIC.get(key.name, ""))
    tells = _DETAIL_OF_METRIC.get(key.name)
    return {"meaning": meaning, "next_step": next_step, "detail": tells(key, value) if tells else ""}
