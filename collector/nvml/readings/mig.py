"""The slices of a GPU in MIG mode: memory of each, activity of each GPU instance; the layout may change at any time.

Nothing of the whole GPU is handed down to them: what a driver does not tell of a slice has no series.
"""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from collector.nvml.codes import DRIVER_GONE, GPU_IS_LOST, NOT_OFFERED, NvmlError
from collector.nvml.devices import Device
from collector.nvml.library import Nvml
from collector.nvml.readings.calls import MEMORY
from collector.nvml.readings.fields import GPM
from collector.nvml.readings.gpm import Gpm
from collector.nvml.readings.not_offered import NotOffered
from collector.nvml.readings.questions import CallQuestion, GpmQuestion, Question
from collector.nvml.wire import Row

LOOK_SECONDS: Final = 5.0
_PROFILE: Final = re.compile(r"\bMIG (\S+)")
_SHARE_OF_INSTANCE: Final = re.compile(r"^\d+c\.")


@dataclass(frozen=True, slots=True)
class Slice:
    """A MIG device: a compute instance in a GPU instance.

    Attributes:
        instance: id of the GPU instance.
        compute: id of the compute instance in it.
        profile: how it was cut, such as 1g.10gb.
        address: of the handle; a slice that was made anew has another.
    """

    instance: int
    compute: int
    profile: str
    address: int
    handle: Any = field(compare=False)


class Slices:
    """What is asked of the slices of one GPU.

    Attributes:
        rows: one for each slice and one for each GPU instance; none where the GPU is whole.
        mode_changed: whether MIG mode was turned on or off since the GPU was admitted.
    """

    def __init__(self, nvml: Nvml, device: Device, gpm: Gpm, absences: NotOffered) -> None:
        self._nvml = nvml
        self._device = device
        self._gpm = gpm
        self._absences = absences
        self._capable = True
        self._layout: tuple[Slice, ...] = ()
        self._questions: list[Question] = []
        self._refused: list[tuple[str, int]] = []
        self._looked: float | None = None
        self.rows: list[Row] = []
        self.mode_changed = False

    @property
    def layout(self) -> tuple[Slice, ...]:
        """The slices there are; none where the GPU is whole."""
        return self._layout

    def read(self, now: float) -> None:
        """Look whether the layout is another one, every 5 s or when a slice did not answer, and ask every slice.

        Raises:
            NvmlError: the GPU is lost, or the driver is gone.
        """
        if self._capable and (self._refused or self._looked is None or now - self._looked >= LOOK_SECONDS):
            self._look(now)
        self._questions = [kept for question in self._questions for kept in self._ask(question)]

    def _look(self, now: float) -> None:
        self._looked = now
        try:
            enabled = bool(self._call("nvmlDeviceGetMigMode")[0])
            layout = tuple(self._find()) if enabled else ()
        except NvmlError as error:
            _raise_if_gone(error)
            self._capable = error.code not in NOT_OFFERED
            return
        self.mode_changed = enabled != (self._device.info.get("mig_mode") == "enabled")
        refused, self._refused = self._refused, []
        if layout != self._layout:
            self._lay_out(layout)
        else:  # it was not the layout: the slices do not offer it
            for title, code in refused:
                if code in NOT_OFFERED:
                    self._absences.add(self._device.gpu, f"{title} of a slice", code)

    def _find(self) -> Iterator[Slice]:
        for index in range(self._call("nvmlDeviceGetMaxMigDeviceCount")):
            try:
                handle = self._call("nvmlDeviceGetMigDeviceHandleByIndex", index)
                instance = self._of(handle, "nvmlDeviceGetGpuInstanceId")
                compute = self._of(handle, "nvmlDeviceGetComputeInstanceId")
                address = ctypes.cast(handle, ctypes.c_void_p).value or 0
                yield Slice(instance, compute, self._profile(handle), address, handle)
            except NvmlError as error:
                _raise_if_gone(error)  # otherwise there is none of that index, or it went away meanwhile

    def _profile(self, handle: Any) -> str:
        name = _PROFILE.search(self._of(handle, "nvmlDeviceGetName"))
        if name:
            return name[1]
        attributes = self._of(handle, "nvmlDeviceGetAttributes")
        computes, slices = attributes.computeInstanceSliceCount, attributes.gpuInstanceSliceCount
        whole = f"{slices}g.{round(attributes.memorySizeMB / 1024)}gb"
        return whole if computes == slices else f"{computes}c.{whole}"

    def _lay_out(self, layout: tuple[Slice, ...]) -> None:
        """Begin anew, with a row for each slice and one for each GPU instance."""
        self._gpm.forget(self._device.uuid)
        self._layout = layout
        self.rows, self._questions = [], []
        for one in layout:
            row = self._row(one.profile, one, ("compute_instance_id", str(one.compute)))
            device = Device(self._device.gpu, self._device.uuid, one.handle)
            self._questions.append(CallQuestion(self._nvml, device, row, MEMORY))
        for instance, one in {one.instance: one for one in layout}.items():
            row = self._row(_SHARE_OF_INSTANCE.sub("", one.profile), one)
            self._questions.append(GpmQuestion(self._gpm, self._device, row, GPM, instance))

    def _row(self, profile: str, one: Slice, *more: tuple[str, str]) -> Row:
        ours = (("gpu_instance_id", str(one.instance)), ("mig_profile", profile))
        row = Row("forewarn_mig_", (*self._device.labels, *ours, *more))
        self.rows.append(row)
        return row

    def _ask(self, question: Question) -> Iterator[Question]:
        """Ask; yields what to ask next time. The slice may just have been taken away, so nobody is blamed yet."""
        try:
            question.ask()
        except NvmlError as error:
            _raise_if_gone(error)
            question.blank()
            self._refused.append((question.title, error.code))
            if error.code not in NOT_OFFERED:
                yield question
            elif question.otherwise:
                yield from self._ask(question.otherwise)
        else:
            yield question

    def _call(self, name: str, *args: Any) -> Any:
        return self._nvml.call(name, self._device.handle, *args, gpu=self._device.gpu)

    def _of(self, handle: Any, name: str) -> Any:
        return self._nvml.call(name, handle, gpu=self._device.gpu)


def _raise_if_gone(error: NvmlError) -> None:
    if error.code in DRIVER_GONE or error.code == GPU_IS_LOST:
        raise error
