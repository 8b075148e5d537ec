"""What was measured of a machine's speed, kept beside the results so that it is measured once."""

import hashlib
import logging
from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from storage.place import Results, read_bytes, write_atomically
from study.cost import Speed

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
