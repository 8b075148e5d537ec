"""Which engine trains: the native one where it can be used, and a line that says so where it cannot.

`python -m tasks.choose_engine`, which `make setup` calls, compiles and checks it, and says which it will be.
"""

import logging
import sys
from functools import cache
from typing import Literal

from study.errors import InputError
from study.spec import EngineName
from tasks.native_library import NativeUnavailable, prepare_native_library

logger = logging.getLogger(__name__)

EngineChoice = Literal["auto", "tensorflow", "native"]
"""What may be asked for."""


def choose_engine(asked: EngineChoice, device: str) -> EngineName:
    """Choose what trains on a kind of device, and make it ready: compiled and checked.

    Raises:
        InputError: the native engine is asked for and cannot be used.
    """
    if asked == "tensorflow" or (asked == "auto" and device != "CPU"):
        return "tensorflow"
    reason = _why_not() if device == "CPU" else f"it trains on CPU cores, and the lanes are on a {device}"
    if reason is None:
        return "native"
    if asked == "native":
        raise InputError(
            f"--engine: native cannot be used here: {reason}; mend that, or give auto or tensorflow"
        )
    return "tensorflow"


@cache
def _why_not() -> str | None:
    """Why the native engine cannot be used in this process, which is said once; None if it can."""
    try:
        prepare_native_library()
    except NativeUnavailable as error:
        logger.warning("the native engine cannot be used: %s; TensorFlow trains, which takes longer", error)
        return str(error)
    return None


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    sys.stdout.write(f"engine on CPU cores: {choose_engine('auto', 'CPU')}\n")
