"""What a lane of another machine says of itself before it is given work, and why it may be refused."""

import hashlib
import os
import platform
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from filelock import FileLock
from packaging.utils import canonicalize_name

from storage.dataset_files import default_cache_folder
from study.spec import EngineName
from study.wording import shortened
from tasks.choose_engine import EngineChoice, choose_engine
from tasks.dataset import load_dataset
from tasks.devices import Device, list_gpus
from tasks.provenance import LOCK_NAME, library_versions, processor_name, read_commit

_CODE = Path(__file__).resolve().parent.parent
_PACKAGES = ("study", "storage", "tasks")
"""What of this program runs in a lane."""

_MOST_NAMED = 3
"""Differences that a refusal names."""


@dataclass(frozen=True)
class Greeting:
    """What a lane is."""

    host: str
    device: Device
    processor: str
    engine: EngineName
    """What would train there, of what was asked."""
    versions: dict[str, str]
    """Of what takes part in training with it."""


def greet(asked: EngineChoice) -> Greeting:
    """Make this process ready for trainings, and say what it is; see that the dataset is here, and sound.

    Raises:
        InputError: the engine that is asked for cannot be used here, or no source has the dataset.
    """
    cache_folder = default_cache_folder()
    cache_folder.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder / "greeting.lock"):  # the lanes of a host fetch it once
        load_dataset()
        device = find_device()
        engine = choose_engine(asked, device.kind)
    return Greeting(socket.gethostname(), device, processor_name(), engine, library_versions(engine))


def introduce(asked: EngineChoice) -> tuple[dict[str, str], Greeting | str]:
    """The versions here, and the greeting, or why there is none: that may be because they differ."""
    try:
        return read_versions(), greet(asked)
    except Exception as error:
        return read_versions(), shortened(f"{type(error).__name__}: {error}", 300)


def find_device(environment: Mapping[str, str] = os.environ) -> Device:
    """The device of this process: the first GPU that it may see, else a CPU core."""
    gpus = list_gpus(environment)
    return Device("GPU", gpus[0]) if gpus else Device("CPU")


def read_versions() -> dict[str, str]:
    """Versions of Python and every installed package, by name, and of this program's code."""
    packages: dict[str, str] = {}
    for each in metadata.distributions():  # in the order in which Python looks for them
        packages.setdefault(str(canonicalize_name(each.name)), each.version)
    code = f"{hash_code()[:12]} (commit {(read_commit().name or 'unknown')[:12]})"
    return {**packages, "python": platform.python_version(), "code": code}


@cache
def hash_code(folder: Path = _CODE) -> str:
    """SHA-256 of the code that runs in a lane, hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted(path for package in _PACKAGES for path in (folder / package).rglob("*")):
        if path.suffix in (".py", ".cpp", ".c", ".h"):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def why_refused(there: Mapping[str, str], here: Mapping[str, str]) -> str | None:
    """Why a lane with these versions is not given work; None if it is.

    What the lock file names and is installed here has to be there in the same version; the code, too.
    """
    names = [name for name in ("python", "code", *_locked_names()) if name in here]
    differing = [name for name in names if _comparable(there, name) != _comparable(here, name)]
    if not differing:
        return None
    told = [f"{name} {there.get(name, 'missing')} there, {here[name]} here" for name in differing]
    more = len(told) - _MOST_NAMED
    return "; ".join(told[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _comparable(versions: Mapping[str, str], name: str) -> str | None:
    """Of the code only the hash: the same code may lie there without its commit."""
    version = versions.get(name)
    return version.partition(" ")[0] if version is not None and name == "code" else version


@cache
def _locked_names(folder: Path = _CODE) -> tuple[str, ...]:
    """Names of the locked packages; none where the lock file is not beside the code."""
    try:
        lines = (folder / LOCK_NAME).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    names = [re.split(r"==|\[", line)[0] for line in lines if re.match(r"[A-Za-z0-9]", line)]
    return tuple(dict.fromkeys(str(canonicalize_name(name)) for name in names))
