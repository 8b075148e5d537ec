"""What a run is asked to do: parameters checked in the run's first second, whoever triggered it."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from storage.place import Results, open_results
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
) -> Request:
    """Check the parameters of a run; 0 lanes means one for each device, "" the first source of data.

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
        run_id=f"{started_at:%Y%m%dT%H%M%SZ}-{chosen.name}-{secrets.token_hex(2)}",
        started_at=started_at,
    )
