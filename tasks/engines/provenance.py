"""Where results come from: the code, its commit, its locked dependencies and the machine's processor."""

import hashlib
import logging
import os
import platform
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path

from study.spec import EngineName
from tasks.engines.native_library import open_native_library

logger = logging.getLogger(__name__)

LOCK_NAME = "requirements.lock"

COMMIT = "STUDY_COMMIT"
"""Environment variable with the commit of code outside a checkout: a container image's."""

_CODE = Path(__file__).resolve().parents[2]
_PACKAGES = ("study", "storage", "tasks")
"""The packages of this program that run in a lane."""


@dataclass(frozen=True)
class Commit:
    """The code's git commit and whether it had uncommitted changes; None where that is not known."""

    name: str | None
    dirty: bool | None
    diff_sha256: str | None = None
    """SHA-256 of the uncommitted changes, hexadecimal; None if there are none."""


@cache
def read_commit(folder: Path = _CODE) -> Commit:
    """Return the commit of the checkout this code runs from, or that of its container image."""
    name = _git(folder, "rev-parse", "HEAD")
    if name is None:
        named = os.environ.get(COMMIT) or None
        if named is None:
            reason = "is no git checkout" if shutil.which("git") else "cannot be asked: git is not installed"
            logger.warning("the tables name no commit: %s %s", folder, reason)
        return Commit(named, None)
    if not _git(folder, "status", "--porcelain"):
        return Commit(name.decode(), False)
    return Commit(name.decode(), True, _hash_changes(folder))


def read_commit_again(folder: Path = _CODE) -> Commit:
    """Return the commit as first read in this process; as changed if the checkout now differs from that."""
    first = read_commit(folder)
    now = read_commit.__wrapped__(folder) if first.name else first
    return first if now == first else replace(first, dirty=True, diff_sha256=now.diff_sha256)


@cache
def hash_code(folder: Path = _CODE) -> str:
    """Return the SHA-256 of the code that runs in a lane, hexadecimal, as first read in this process."""
    digest = hashlib.sha256()
    for path in sorted(path for package in _PACKAGES for path in (folder / package).rglob("*")):
        if path.suffix in (".py", ".cpp", ".c", ".h"):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _hash_changes(folder: Path) -> str | None:
    """Hash what differs from the commit, and every file that git neither has nor ignores."""
    changes = _git(folder, "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff")
    new = _git(folder, "ls-files", "--others", "--exclude-standard", "-z")
    if changes is None or new is None:
        return None
    digest = hashlib.sha256(changes)
    for path in sorted(filter(None, new.split(b"\0"))):
        digest.update(b"\0" + path + b"\0")
        with suppress(OSError):  # a dangling link, or a file removed meanwhile
            digest.update((folder / os.fsdecode(path)).read_bytes())
    return digest.hexdigest()


def hash_lock(folder: Path = _CODE) -> str | None:
    """Return the SHA-256 of the lock file next to the code, hexadecimal; None if there is none.

    It says which packages should be installed; the versions say which took part.
    """
    try:
        return hashlib.sha256((folder / LOCK_NAME).read_bytes()).hexdigest()
    except OSError:
        return None


@cache
def processor_name() -> str:
    """Return the processor's own name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(folder: Path, *arguments: str) -> bytes | None:
    try:
        # We run the folder's code already, so its owner, whoever that is, may be trusted with git, too.
        command = ["git", "-c", f"safe.directory={folder}", "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def library_versions(engine: EngineName) -> dict[str, str]:
    """Return the versions of Python and of the packages that take part in training with an engine.

    For the native one: its compiler, and its vectors, which a processor's name does not determine.
    """
    own = {"native": [], "tensorflow": ["tensorflow"], "keras": ["keras", "tensorflow"]}[engine]
    libraries = {name: metadata.version(name) for name in [*own, "numpy"]}
    versions = {"python": platform.python_version(), **libraries}
    if engine == "native":
        library = open_native_library()
        versions |= {"compiler": library.compiler, "vectors": library.vectors}
    return versions
