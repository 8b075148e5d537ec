"""What a run is asked to do: parameters checked in the run's first second, whoever triggered it."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from storage.place import Results, open_results
from study.errors import InputError
from study.spec import Study
from study.study_file import choose_exercises, read_study
from tasks.devices import Device, choose_devices


@dataclass(frozen=True)
class Request:
    """A checked request for a run."""

    study: Study
    results: Results
    devices: tuple[Device, ...]
    data_folder: Path | None
    fresh: bool
    budget_seconds: float | None
    run_id: str
    started_at: datetime


def check_request(
    study: str,
    results: str = "results",
    exercises: tuple[int, ...] = (),
    lanes: int = 0,
    lanes_per_gpu: int = 1,
    data_folder: str = "",
    fresh: bool = False,
    budget: str = "",
) -> Request:
    """Check the parameters of a run.

    0 lanes means one for each device; no data folder the first source that has it; no budget any time.

    Raises:
        InputError: the study, an exercise, the results folder or a count is wrong.
    """
    chosen = choose_exercises(read_study(study), frozenset(exercises))
    started_at = datetime.now(UTC)
    return Request(
        study=chosen,
        devices=tuple(choose_devices(None if lanes == 0 else lanes, lanes_per_gpu)),
        results=open_results(Path(results).expanduser()),
        data_folder=Path(data_folder).expanduser() if data_folder else None,
        fresh=fresh,
        budget_seconds=read_duration(budget, "--budget") if budget else None,
        run_id=f"{started_at:%Y%m%dT%H%M%SZ}-{chosen.name}-{secrets.token_hex(2)}",
        started_at=started_at,
    )


def read_duration(text: str, option: str) -> float:
    """Seconds of a time such as 90s, 10m, 1h30m or 30d, given to an option.

    Raises:
        InputError: it is not such a time, or less than a second.
    """
    import pandas as pd

    try:
        seconds = float(pd.Timedelta(text).total_seconds())
    except ValueError:
        seconds = 0.0
    if not seconds >= 1:  # a number without a unit would be nanoseconds
        raise InputError(f"{option}: {text!r} is not a time; give one such as 90s, 10m, 1h30m or 30d")
    return seconds
