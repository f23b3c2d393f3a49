"""Metrics of the GPUs; names, units and DCGM factors as in the table of the collecting reference."""

from collector.catalogue.gpu_board import BOARD_METRICS
from collector.catalogue.gpu_errors import ERROR_METRICS
from collector.catalogue.gpu_links import LINK_METRICS
from collector.catalogue.gpu_load import LOAD_METRICS
from collector.catalogue.gpu_mig import MIG_METRICS
from collector.catalogue.gpu_state import STATE_METRICS
from collector.catalogue.model import Metric

GPU_METRICS: tuple[Metric, ...] = (
    *LOAD_METRICS,
    *BOARD_METRICS,
    *ERROR_METRICS,
    *LINK_METRICS,
    *MIG_METRICS,
    *STATE_METRICS,
)
