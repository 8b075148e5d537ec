"""The machine and the versions that a comparison ran on, named beside its figures."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from tasks.provenance import processor_name, read_commit

PACKAGES = ("tensorflow", "keras", "numpy", "ray", "keras-tuner", "optuna", "prefect", "distributed")


@dataclass(frozen=True)
class Machine:
    """Processor, cores and memory (GiB), and versions by package, `python` and this project's commit."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    versions: dict[str, str]

    @property
    def words(self) -> str:
        """All of it in one line."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gib:.0f} GiB of memory, {self.system}; "
            f"{versions}"
        )


def read_machine(environments: Iterable[Path]) -> Machine:
    """This machine, with the packages installed in these virtual environments."""
    folders = [str(each) for root in environments for each in root.glob("lib/python*/site-packages")]
    found = {each.name.lower(): each.version for each in metadata.distributions(path=folders)}
    versions = {name: found[name] for name in PACKAGES if name in found}
    commit = read_commit()
    changed = " with changes" if commit.dirty else ""
    return Machine(
        processor_name(),
        len(os.sched_getaffinity(0)),
        psutil.virtual_memory().total / 2**30,
        f"{platform.system()} {platform.release()}",
        {"python": platform.python_version(), **versions, "this project": f"{commit.name}"[:12] + changed},
    )
