"""What a machine or a run left for the next one: runs that were started, and measured speeds."""

import hashlib
import logging
import re
from collections.abc import Sequence
from contextlib import suppress

from pydantic import TypeAdapter, ValidationError

from storage.locks import check_free, why_held
from storage.results import (
    Results,
    exists,
    explain_unwritable,
    find_paths,
    is_local,
    read_bytes,
    remove_path,
    write_atomically,
)
from study.errors import InputError, StoreUnreachable
from study.plan import Speed
from study.spec import RUN_ID, RunStart


def save_start(results: Results, start: RunStart) -> None:
    """Write down what a run was asked.

    Raises:
        ResultsUnwritable: the disk is full or the folder cannot be written to.
    """
    path = results.start(start.run_id)
    with explain_unwritable(path):
        write_atomically(path, start.model_dump_json(indent=1).encode())


def remove_start(results: Results, run_id: str) -> None:
    """Forget a run that was refused, and its folder if there is nothing else in it."""
    remove_path(results.start(run_id))
    if is_local(results.folder):
        with suppress(OSError):
            results.run(run_id).rmdir()


def read_start(results: Results, run_id: str) -> RunStart:
    """What a run was asked.

    Raises:
        InputError: there is no such run, or what is written of it is damaged.
    """
    if not re.fullmatch(RUN_ID, run_id):
        raise InputError(f"run {run_id!r}: this is no run's id; one looks like 20260102T030405Z-lab-1a2b")
    path = results.start(run_id)
    try:
        return RunStart.model_validate_json(read_bytes(path))
    except FileNotFoundError as error:
        raise InputError(f"run {run_id!r} was not started in {results.folder}; {_hint(results)}") from error
    except StoreUnreachable:
        raise
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is damaged ({reason}); start the study again with `study run`") from error


def find_start(results: Results, flow_run_id: str) -> RunStart | None:
    """What the run of this flow run was asked, if that was started before, as in a retry from the UI."""
    return next((start for start in list_starts(results) if start.flow_run_id == flow_run_id), None)


def list_starts(results: Results) -> list[RunStart]:
    """Every run that was started, oldest first; what cannot be read is left out."""
    paths = find_paths(results.runs, "*/run.json")
    starts = []
    for path in paths:
        try:
            starts.append(read_start(results, path.parent.name))
        except InputError:
            continue
    return sorted(starts, key=lambda start: start.started_at)


def list_interrupted(results: Results) -> list[RunStart]:
    """The runs that were started, have not ended and are not being executed, oldest first."""
    waiting = [start for start in list_starts(results) if not has_ended(results, start.run_id)]
    return [start for start in waiting if why_held(results, start.run_id) is None]


def has_ended(results: Results, run_id: str) -> bool:
    """Whether a run came to its end: the report is written last, after the tables are published."""
    return exists(results.report(run_id))


def choose_interrupted(results: Results, run_id: str | None = None) -> RunStart:
    """The run to go on with: the one named, or the latest that was interrupted.

    Raises:
        InputError: there is none, it has ended, or it is being executed.
    """
    if run_id is None:
        interrupted = list_interrupted(results)
        if not interrupted:
            raise InputError(f"no interrupted run in {results.folder}; `study run` starts one")
        return interrupted[-1]
    start = read_start(results, run_id)
    if has_ended(results, run_id):
        raise InputError(f"run {run_id} has ended, its report is there; `study run` starts another")
    check_free(results, run_id)
    return start


def _hint(results: Results) -> str:
    interrupted = [start.run_id for start in list_interrupted(results)]
    return f"interrupted: {', '.join(interrupted[-3:])}" if interrupted else "none is interrupted"


logger = logging.getLogger(__name__)

_SPEEDS = TypeAdapter(tuple[Speed, ...])


def read_speeds(results: Results, machine: str) -> tuple[Speed, ...]:
    """What was measured of a machine, named by processor, device and versions; nothing if damaged."""
    path = results.speeds / f"{_name(machine)}.json"
    try:
        return _SPEEDS.validate_json(read_bytes(path))
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        logger.warning("%s is damaged and is measured again: %s", path, str(error).splitlines()[0])
        return ()


def save_speeds(results: Results, machine: str, speeds: Sequence[Speed]) -> None:
    """Keep what was measured of a machine.

    Raises:
        OSError: the disk is full or the folder cannot be written to.
    """
    path = results.speeds / f"{_name(machine)}.json"
    write_atomically(path, _SPEEDS.dump_json(tuple(speeds), indent=1))


def _name(machine: str) -> str:
    return hashlib.sha256(machine.encode()).hexdigest()[:16]
