"""List this machine's devices, and the environment that shows a process only one of them."""

import logging
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from dask.system import CPU_COUNT

from study.errors import InputError
from study.spec import MAX_LANES
from study.wording import count

logger = logging.getLogger(__name__)

_ONE_THREAD = {
    # Libraries use one thread: a second one buys almost nothing at this size, and one is deterministic.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}
_ASK_SECONDS = 180
"""Longest time that TensorFlow may take to list its GPUs: a slow disk takes a minute to import it."""


_FLOW_FILES, _LANE_FILES = 200, 10
"""Open files of the flow besides its lanes, and for each lane: pipes and connections."""


@dataclass(frozen=True)
class Device:
    """One device for one lane: its kind ("CPU" or "GPU") and the GPU's id, empty for a CPU core."""

    kind: str
    gpu: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Return variables that show a process only this device; set them before importing TensorFlow."""
        threads = _ONE_THREAD if self.kind == "CPU" else {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        return {"CUDA_VISIBLE_DEVICES": self.gpu or "-1", **threads}


def list_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """List the NVIDIA GPU ids this process may use; `CUDA_VISIBLE_DEVICES` narrows them as in CUDA."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [each.strip() for each in visible.split(",") if each.strip() not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("nvidia-smi failed, so no GPU is used: %s", error)
        return []
    return [line.strip() for line in listed.splitlines() if line.strip()]


def usable_gpus() -> list[str]:
    """List the GPUs that TensorFlow can use here: none of those listed, if its CUDA libraries are missing."""
    gpus = list_gpus()
    if gpus and not _tensorflow_sees_gpus():
        logger.warning(
            "%s listed, but TensorFlow cannot use any: training on CPU cores; "
            ".venv/bin/pip install 'tensorflow[and-cuda]' may help",
            count(len(gpus), "GPU"),
        )
        return []
    return gpus


@cache
def _tensorflow_sees_gpus() -> bool:
    """Ask TensorFlow in a process of its own, which takes seconds and keeps its memory out of this one."""
    program = "import tensorflow; print(len(tensorflow.config.list_physical_devices('GPU')))"
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-c", program],
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.strip() not in ("", "0")


def choose_devices(
    lanes: int | None = None,
    lanes_per_gpu: int = 1,
    find_gpus: Callable[[], Sequence[str]] = usable_gpus,
    cores: int = CPU_COUNT,
) -> list[Device]:
    """Return the device of each lane: GPUs where there are any, otherwise CPU cores.

    By default one lane a core, or `lanes_per_gpu` a GPU; more lanes than that share the GPUs in turn. Dask
    counts the cores: it knows affinity and container limits.

    Raises:
        InputError: a count is below 1 or above `MAX_LANES`.
    """
    for name, asked in (("--lanes", lanes), ("--lanes-per-gpu", lanes_per_gpu)):
        if asked is not None and asked < 1:
            raise InputError(f"{name}: {asked} is not allowed; give 1 or more, or leave it out")
        if asked is not None and asked > MAX_LANES:
            raise InputError(f"{name}: {asked:,} is not allowed; give {MAX_LANES:,} at most, or leave it out")
    gpus = list(find_gpus())
    wanted = _limit_by_files(lanes or (len(gpus) * lanes_per_gpu if gpus else cores))
    if not gpus:
        return [Device("CPU")] * wanted
    return [Device("GPU", gpus[index % len(gpus)]) for index in range(wanted)]


def _limit_by_files(lanes: int) -> int:
    """Return how many of the lanes the limit of open files lets run; log it if that is fewer."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(1, (limit - _FLOW_FILES) // _LANE_FILES)
    if limit == resource.RLIM_INFINITY or lanes <= most:
        return lanes
    logger.warning(
        "%s instead of %d: this machine lets a program open %d files, a lane needs %d: `ulimit -n`",
        count(most, "lane"), lanes, limit, _LANE_FILES,
    )  # fmt: skip
    return most


def useful_lanes(devices: Sequence[Device], cores: int = CPU_COUNT) -> int:
    """Count the lanes that work at full speed: CPU lanes beyond the cores only share them."""
    return min(len(devices), cores) if devices[0].kind == "CPU" else len(devices)
