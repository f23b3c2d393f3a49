"""Where a benchmark ran: nothing can be compared without it."""

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = ("numpy", "pcodec", "orjson", "fastapi", "uvicorn", "pydantic", "apscheduler", "nvidia-ml-py")


def describe(folder: Path, commands: dict[str, list[str]]) -> dict[str, Any]:
    """CPU, memory, kernel, the disk below a folder, and versions.

    Args:
        folder: where the benchmark keeps its data.
        commands: by name of a peer, what prints its version.
    """
    return {
        "cpu": _from("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": int(_from("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": platform.release(),
        "disk": disk_of(folder),
        "load_at_start": round(os.getloadavg()[0], 2),
        "versions": {
            "python": platform.python_version(),
            "forewarn": _version("forewarn"),
            **{name: _version(name) for name in _LIBRARIES},
            **{name: said for name, command in commands.items() if (said := _says(command))},
        },
    }


def disk_of(folder: Path) -> dict[str, str]:
    """Device, model and file system below a folder."""
    source, kind = _says(["findmnt", "-n", "-o", "SOURCE,FSTYPE", "--target", str(folder)], "? ?").split()[:2]
    model = _says(["lsblk", "-n", "-d", "-o", "MODEL,ROTA,SIZE", source], "")
    return {"device": source, "filesystem": kind, "model": " ".join(model.split()) or "unknown"}


def _from(file: str, key: str) -> str:
    lines = Path(file).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "unknown")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _says(command: list[str], missing: str = "") -> str:
    if shutil.which(command[0]) is None:
        return missing
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else missing
