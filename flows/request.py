"""What a run is asked to do: parameters checked in the run's first second, whoever triggered it."""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flows.parameters import RunParameters
from storage.address import expand, read_address
from storage.locks import run_lock
from storage.place import Results, exists, open_results, results_at
from storage.run_starts import choose_interrupted, find_start, remove_start, save_start
from study.errors import InputError, ResultsUnwritable
from study.run_start import AS_WRITTEN, RunOptions, RunStart
from study.scheduler_address import read_scheduler
from study.spec import EngineName, Study
from study.study_file import adapt_study, choose_exercises, read_study
from tasks.choose_engine import choose_engine
from tasks.devices import Device, choose_devices
from tasks.knock import knock

if TYPE_CHECKING:
    from tasks.lanes import Lanes

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d{1,9}(\.\d{1,9})?[smhd])+")


@dataclass(frozen=True)
class Request:
    """A checked request for a run."""

    start: RunStart
    study: Study
    results: Results
    devices: tuple[Device, ...]
    """Of this machine's lanes; none where lanes elsewhere train."""
    engine: EngineName | None
    """What trains; None where lanes elsewhere will tell what they can."""
    scheduler: str
    """Address of the scheduler whose lanes train; empty for this machine's."""
    lane_seconds: float
    """How long to wait while no lane elsewhere is there."""
    budget_seconds: float | None
    begun: float
    """Seconds of the monotonic clock when it was made."""
    in_process: bool = False
    """Whether this process trains, without lanes."""

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.start.run_id

    @property
    def fresh(self) -> bool:
        """Whether to train again what earlier runs have trained."""
        return self.start.fresh

    @property
    def data_folder(self) -> Path | None:
        """Folder with the dataset's four files; None for the first source that has it."""
        return Path(self.start.data_folder) if self.start.data_folder else None


def check_request(
    parameters: RunParameters, flow_run_id: str | None = None, in_process: bool = False
) -> Request:
    """Check a run before anything is done.

    A run that goes on, by its id or as its flow run is retried, keeps the parameters it was started with.

    Args:
        parameters: What is asked.
        flow_run_id: The flow run that executes it; None before it begins.
        in_process: Whether this process trains, on one CPU core, instead of lanes.

    Raises:
        InputError: the study, an exercise, the results folder, a count, the engine or the run to go on with
            is wrong.
    """
    folder = read_address(parameters.results)
    earlier = _find_earlier(folder, parameters.resume, flow_run_id)
    if earlier is None:
        study = _choose_study(parameters)
        start = _begin(parameters, study, flow_run_id)
    else:
        # The command line writes a run down before its flow begins; only what a flow run began is resumed.
        resumed = earlier.resumed + (earlier.flow_run_id is not None)
        start = earlier.model_copy(update={"resumed": resumed, "flow_run_id": flow_run_id})
        study = _choose_study(start)
    scheduler = read_scheduler(start.scheduler) if start.scheduler else ""
    devices = (Device("CPU"),) if in_process else () if scheduler else _choose_devices(start)
    if scheduler and (start.lanes or start.lanes_per_gpu > 1):
        raise InputError(
            "--lanes, --lanes-per-gpu: not allowed with --scheduler, whose lanes all train; leave them out: "
            "`study lane` takes them, where lanes are started"
        )
    if scheduler:
        knock(scheduler)
    return Request(
        start=start,
        study=study,
        devices=devices,
        engine=choose_engine(start.engine, devices[0].kind) if devices else None,
        scheduler=scheduler,
        lane_seconds=read_duration(start.lane_timeout or "10m", "--lane-timeout"),
        results=open_results(folder),
        budget_seconds=read_duration(start.budget, "--budget") if start.budget else None,
        begun=time.monotonic(),
        in_process=in_process,
    )


def _choose_devices(options: RunOptions) -> tuple[Device, ...]:
    return tuple(choose_devices(options.lanes or None, options.lanes_per_gpu))


def _choose_study(options: RunOptions) -> Study:
    study = choose_exercises(read_study(options.source), frozenset(options.exercises))
    protocol = None if options.protocol == AS_WRITTEN else options.protocol
    return adapt_study(study, options.repeats or None, protocol)


def _begin(parameters: RunParameters, study: Study, flow_run_id: str | None) -> RunStart:
    started_at = datetime.now(UTC)
    asked = {name: getattr(parameters, name) for name in RunOptions.model_fields}
    for name in ("study_file", "data_folder"):  # as paths that are found from any folder
        asked[name] = str(expand(asked[name], name).absolute()) if asked[name] else ""
    return RunStart(
        **asked,
        run_id=f"{started_at:%Y%m%dT%H%M%SZ}-{study.name}-{secrets.token_hex(4)}",
        started_at=started_at,
        flow_run_id=flow_run_id,
    )


def make_lanes(request: Request) -> "Lanes":
    """The lanes of a run: this machine's, those of the scheduler that was named, or none but this process."""
    if request.scheduler:
        from tasks.cluster_lanes import ClusterLanes

        return ClusterLanes(request.scheduler, request.start.engine, request.lane_seconds)
    from tasks.local_lanes import InProcessLane, LocalLanes

    if request.in_process:
        return InProcessLane(request.start.engine)
    return LocalLanes(request.devices, request.start.engine)


@contextmanager
def executing(request: Request) -> Iterator[None]:
    """Hold a run while it is executed, and write down what it was asked, so that it can go on.

    A run that is refused, as over budget, is not one to go on with.

    Raises:
        InputError: another process executes it, or the results folder takes nothing.
    """
    with run_lock(request.results, request.run_id):
        save_start(request.results, request.start)
        try:
            yield
        except ResultsUnwritable:
            raise
        except InputError:
            from storage.tables import is_published  # late, as pandas is

            if not is_published(request.results, request.run_id):
                remove_start(request.results, request.run_id)
            raise


def _find_earlier(folder: Path, resume: str, flow_run_id: str | None) -> RunStart | None:
    if resume:
        return choose_interrupted(results_at(folder), resume)
    if flow_run_id is not None and exists(folder):
        return find_start(results_at(folder), flow_run_id)
    return None


def read_duration(text: str, option: str) -> float:
    """Seconds of a time such as 90s, 10m, 1h30m or 30d, given to an option.

    Raises:
        InputError: it is not such a time, or less than a second.
    """
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", text) if _DURATION.fullmatch(text) else []
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds < 1:
        raise InputError(f"{option}: {text!r} is not a time; give one such as 90s, 10m, 1h30m or 30d")
    return seconds
