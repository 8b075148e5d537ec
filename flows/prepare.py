"""Check a run's parameters once, in its first second, in the same way for every trigger."""

import importlib
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, ValidationError

from storage.locks import run_lock
from storage.results import Results, exists, expand, open_results, read_address, results_at
from storage.run_starts import choose_interrupted, find_start, remove_start, save_start
from study.errors import InputError, ResultsUnwritable
from study.fashion_mnist import FASHION_IMAGES
from study.plan import list_trials, peak_bytes
from study.spec import (
    AS_WRITTEN,
    TIME_PATTERN,
    EngineName,
    RunOptions,
    RunStart,
    Study,
    adapt_study,
    choose_exercises,
    read_scheduler,
    read_study,
)
from study.wording import listing, shown
from tasks.engines import choose_engine
from tasks.lanes import Device, check_scheduler, choose_devices, fit_memory

if TYPE_CHECKING:
    from flows.shown import ProgressView
    from tasks.lanes import Lanes


def _usual_first(schema: dict[str, Any]) -> None:
    """Order the fields of the form: those that most runs choose come first."""
    usual = ("study", "exercises", "repeats", "protocol", "fresh", "results")
    fields = schema["properties"]
    schema["properties"] = {name: fields[name] for name in (*usual, *fields)}


class RunParameters(RunOptions):
    """Choose what to run. Unchanged fields mean the study as written, on everything this machine has."""

    model_config = ConfigDict(title="Run", json_schema_extra=_usual_first)

    latest_start: str = Field(
        "",
        title="Latest start",
        description="Skip a scheduled run that would start later than this after its time, such as 2h; "
        "empty: never skip it.",
        json_schema_extra={"pattern": TIME_PATTERN},
    )
    results: str = Field(
        "results",
        title="Results folder",
        description="Folder of tables, figures, model, report and trainings. A name without a leading / is a "
        "folder in the project's folder on the worker's machine. Or an address such as s3://bucket/prefix.",
        min_length=1,
    )
    resume: str = Field(
        "",
        title="Resume",
        description="Id of an interrupted run to continue, as it was started; empty starts a new run.",
    )


def read_parameters(given: Mapping[str, Any] | RunParameters) -> RunParameters:
    """Check the parameters of a run.

    Raises:
        InputError: one is not known, or not allowed; the message lists every mistake, a line each.
    """
    if isinstance(given, RunParameters):
        return given
    try:
        return RunParameters.model_validate(given)
    except ValidationError as error:
        raise InputError("\n".join(map(_describe, error.errors()))) from error


def _describe(detail: Any) -> str:
    if not detail["loc"]:
        return f"parameters: {shown(detail['input'])} is not allowed; give names and values"
    name, *inside = (str(part) for part in detail["loc"])
    option = f"--{name.replace('_', '-')}" + "".join(f"[{part}]" for part in inside)
    if detail["type"] == "extra_forbidden":
        return f"{option}: unknown parameter; allowed: {listing(list(RunParameters.model_fields))}"
    return f"{option}: {shown(detail['input'])} is not allowed: {detail['msg']}"


def in_words_of_form(message: str) -> str:
    """Return a message with the titles of the form's fields in place of the command line's options."""
    titles = {name.replace("_", "-"): field.title for name, field in RunParameters.model_fields.items()}
    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda found: titles.get(found[1]) or found[0], message)


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@dataclass(frozen=True)
class Request:
    """A checked request for a run."""

    start: RunStart
    study: Study
    results: Results
    devices: tuple[Device, ...]
    """One for each lane of this machine; empty if lanes elsewhere train."""
    engine: EngineName | None
    """The engine that trains; None if lanes elsewhere train: they report their engines later."""
    scheduler: str
    """Address of the scheduler whose lanes train; empty for this machine's lanes."""
    lane_seconds: float
    """Longest wait while the scheduler has no lane."""
    budget_seconds: float | None
    begun: float
    """Time of the request, in seconds of the monotonic clock."""
    in_process: bool = False
    """True if this process trains, without lanes."""

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.start.run_id

    def executed_by(self, flow_run_id: str) -> "Request":
        """Return the same request, executed by a flow run."""
        return replace(self, start=self.start.model_copy(update={"flow_run_id": flow_run_id}))

    @property
    def parameters(self) -> RunParameters:
        """Parameters that start this run."""
        options = {name: getattr(self.start, name) for name in RunOptions.model_fields}
        return RunParameters(**options, results=str(self.results.folder))

    @property
    def fresh(self) -> bool:
        """True to train again what earlier runs have trained."""
        return self.start.fresh

    @property
    def data_folder(self) -> Path | None:
        """Folder with the dataset's four files; None for the first source that has them."""
        return Path(self.start.data_folder) if self.start.data_folder else None


def check_request(
    parameters: RunParameters, flow_run_id: str | None = None, in_process: bool = False
) -> Request:
    """Check a run before it does anything.

    A resumed run, by its id or by a retry of its flow run, keeps the parameters it was started with.
    `in_process` lets this process train, on one CPU core, instead of lanes.

    Raises:
        InputError: the study, an exercise, the results folder, a count, the engine or the run to resume is
            wrong.
    """
    begun = time.monotonic()
    folder = read_address(parameters.results)
    earlier = None
    if parameters.resume:
        earlier = choose_interrupted(results_at(folder), parameters.resume)
    elif flow_run_id is not None and exists(folder):
        earlier = find_start(results_at(folder), flow_run_id)
    options = earlier or parameters
    study = choose_exercises(read_study(options.source), frozenset(options.exercises))
    protocol = None if options.protocol == AS_WRITTEN else options.protocol
    study = adapt_study(study, options.repeats or None, protocol)
    if study.data.is_own:
        from tasks.data import refuse_folder  # late, with NumPy and OpenCV
        from tasks.training import find_data

        refuse_folder(study.data, Path(options.data_folder) if options.data_folder else None)
        study = find_data(study)
    if earlier is None:
        start = _begin(parameters, study)
    else:
        start = earlier.model_copy(update={"resumed": earlier.resumed + 1})
    scheduler = read_scheduler(start.scheduler) if start.scheduler else ""
    if in_process:
        devices: Sequence[Device] = (Device("CPU"),)
    else:
        devices = () if scheduler else choose_devices(start.lanes or None, start.lanes_per_gpu)
    if scheduler and (start.lanes or start.lanes_per_gpu > 1):
        raise InputError(
            "--lanes, --lanes-per-gpu: not allowed with --scheduler: all of its lanes train; leave them out "
            "and give them to `study lane`, on the machines of the lanes"
        )
    if scheduler:
        check_scheduler(scheduler)
    engine = choose_engine(start.engine, devices[0].kind, study.data.images) if devices else None
    if engine is not None:
        largest = max(peak_bytes(each.setting.hyperparameters, engine) for each in list_trials(study))
        devices = fit_memory(devices, largest)
    return Request(
        start=start,
        study=study,
        devices=tuple(devices),
        engine=engine,
        scheduler=scheduler,
        lane_seconds=read_duration(start.lane_timeout or "10m", "--lane-timeout"),
        results=open_results(folder),
        budget_seconds=read_duration(start.budget, "--budget") if start.budget else None,
        begun=begun,
        in_process=in_process,
    )


def _begin(parameters: RunParameters, study: Study) -> RunStart:
    started_at = datetime.now(UTC)
    asked = {name: getattr(parameters, name) for name in RunOptions.model_fields}
    for name in ("study_file", "data_folder"):  # as paths that are found from any folder
        asked[name] = str(expand(asked[name], name).absolute()) if asked[name] else ""
    return RunStart(
        **asked,
        run_id=f"{started_at:%Y%m%dT%H%M%SZ}-{study.name}-{secrets.token_hex(4)}",
        started_at=started_at,
    )


def make_lanes(request: Request) -> "Lanes":
    """Return a run's lanes: this machine's, those of the named scheduler, or this process as the only one."""
    engine = request.start.engine
    if request.study.data.images.sizes != FASHION_IMAGES.sizes:
        engine = "tensorflow"  # a lane that may choose takes the native engine
    if request.scheduler:
        from tasks.lanes import ClusterLanes

        return ClusterLanes(request.scheduler, engine, request.lane_seconds)
    from tasks.lanes import InProcessLane, LocalLanes

    if request.in_process:
        return InProcessLane(engine)
    return LocalLanes(request.devices, engine)


@dataclass(frozen=True)
class Prepared:
    """A run for the flow: the command line has checked it and made its lanes and views."""

    request: Request
    lanes: "Lanes"
    views: tuple["ProgressView", ...] = ()


handed_over: ContextVar[Prepared | None] = ContextVar("handed_over", default=None)
"""The flow executes this run instead of its parameters, which must be plain data."""


@contextmanager
def executing(request: Request) -> Iterator[None]:
    """Lock a run while it is executed, and save its parameters, so that it can be resumed.

    A refused run, for example one over budget, cannot be resumed.

    Raises:
        InputError: another process executes it, or the results folder cannot be written to.
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


def read_duration(text: str, option: str) -> float:
    """Return the seconds of an option's time, such as 90s, 10m, 1h30m or 30d.

    Raises:
        InputError: it is not such a time, or less than a second.
    """
    parts = re.findall(r"([\d.]+)([smhd])", text) if re.fullmatch(TIME_PATTERN, text) else []
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds < 1:
        raise InputError(f"{option}: {text!r} is not a time; give one such as 90s, 10m, 1h30m or 30d")
    return seconds


LATE = (
    "study.conclusions.replication",
    "study.statistics.bootstrap",
    "study.statistics.convergence",
    "tasks.figures.sweeps",
    "tasks.figures.curves",
    "tasks.figures.cost",
    "tasks.report.content",
    "flows.shown.artifacts",
)
"""Modules that only finished results need; they import SciPy's tests, statsmodels, matplotlib and rich."""


def import_ahead() -> None:
    """Import in a thread what follows the trainings; code that imports it meanwhile waits for the thread."""
    threading.Thread(
        target=lambda: [importlib.import_module(each) for each in LATE], name="import ahead", daemon=True
    ).start()


def has_to_train(request: Request) -> bool:
    """Say whether a run needs a training that is not kept; damage of kept ones is noticed later."""
    from storage.trainings import list_keys
    from tasks.training import plan_ahead

    if request.fresh or request.engine is None:  # lanes elsewhere already run
        return True
    plan = plan_ahead(request.study, request.devices[0].kind, request.engine)
    return not {training.key for training in plan.trainings} <= set(list_keys(request.results))
