"""Keep the starts of runs, and the measured speeds of machines, for later runs."""

import hashlib
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

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

logger = logging.getLogger(__name__)


def save_start(results: Results, start: RunStart) -> None:
    """Save a run's request.

    Raises:
        ResultsUnwritable: the disk is full or the folder cannot be written to.
    """
    path = results.start(start.run_id)
    with explain_unwritable(path):
        write_atomically(path, start.model_dump_json(indent=1).encode())


def remove_start(results: Results, run_id: str) -> None:
    """Remove the start of a refused run, and its folder if nothing else is in it."""
    remove_path(results.start(run_id))
    if is_local(results.folder):
        with suppress(OSError):
            results.run(run_id).rmdir()


def read_start(results: Results, run_id: str) -> RunStart:
    """Read a run's request.

    Raises:
        InputError: there is no such run, or its file is damaged.
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
    """Return the request of this flow run's run if it was started before, as in a retry from the UI."""
    return next((start for start in list_starts(results) if start.flow_run_id == flow_run_id), None)


def list_starts(results: Results) -> list[RunStart]:
    """List every run that was started, oldest first; skip those that cannot be read."""
    starts = []
    for path in find_paths(results.runs, "*/run.json"):
        with suppress(InputError):
            starts.append(read_start(results, path.parent.name))
    return sorted(starts, key=lambda start: start.started_at)


def list_interrupted(results: Results) -> list[RunStart]:
    """List the runs that were started, have not ended and are not being executed, oldest first."""
    waiting = [start for start in list_starts(results) if not has_ended(results, start.run_id)]
    return [start for start in waiting if why_held(results, start.run_id) is None]


def has_ended(results: Results, run_id: str) -> bool:
    """Say whether a run ended: it writes its report last, after its tables are published."""
    return exists(results.report(run_id))


def choose_interrupted(results: Results, run_id: str | None = None) -> RunStart:
    """Choose the run to resume: the one named, or the latest that was interrupted.

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
    interrupted = ", ".join(start.run_id for start in list_interrupted(results)[-3:])
    return f"interrupted: {interrupted}" if interrupted else "none is interrupted"


_SPEEDS = TypeAdapter(tuple[Speed, ...])


def read_speeds(results: Results, machine: str) -> tuple[Speed, ...]:
    """Read a machine's measured speeds, named by processor, device and versions; none if damaged."""
    path = _speeds_path(results, machine)
    try:
        return _SPEEDS.validate_json(read_bytes(path))
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        logger.warning("%s is damaged and is measured again: %s", path, str(error).splitlines()[0])
        return ()


def save_speeds(results: Results, machine: str, speeds: Sequence[Speed]) -> None:
    """Save the measured speeds of a machine.

    Raises:
        OSError: the disk is full or the folder cannot be written to.
    """
    write_atomically(_speeds_path(results, machine), _SPEEDS.dump_json(tuple(speeds), indent=1))


def _speeds_path(results: Results, machine: str) -> Path:
    return results.speeds / f"{hashlib.sha256(machine.encode()).hexdigest()[:16]}.json"
