"""Where results come from: the code's commit, its locked dependencies and the machine's processor."""

import hashlib
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LOCK_NAME = "requirements.lock"

_CODE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Commit:
    """The code's git commit (None outside a checkout) and whether it had uncommitted changes."""

    name: str | None
    dirty: bool | None


@cache
def read_commit() -> Commit:
    """The commit of the checkout this code runs from."""
    name = _git("rev-parse", "HEAD")
    if name is None:
        return Commit(None, None)
    return Commit(name, bool(_git("status", "--porcelain")))


def hash_lock(folder: Path = _CODE) -> str | None:
    """SHA-256 of the lock file beside the code, hexadecimal; None if there is none.

    It says what was to be installed; what took part stands in the versions.
    """
    try:
        return hashlib.sha256((folder / LOCK_NAME).read_bytes()).hexdigest()
    except OSError:
        return None


@cache
def processor_name() -> str:
    """The processor as it names itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_CODE), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
