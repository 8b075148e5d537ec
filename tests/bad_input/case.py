"""A case of bad input: what is given, the command it is given to, and what comes of it."""

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.command import STUDY, study
from tests.served import PROJECT


@dataclass(frozen=True)
class Case:
    """What is given, in words; `prepare` makes its files in a folder and returns the arguments of `study`.

    Cases run in this process, but for those that must not have root's permissions: these run `study` as a
    program.
    """

    given: str
    prepare: Callable[[Path], Sequence[object]]
    code: int = 2
    unprivileged: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a command ended; paths in its texts are relative to the folder it ran in."""

    code: int
    out: str
    err: str
    new_files: frozenset[str]


def run(case: Case, folder: Path) -> Outcome:
    """Prepare a case in a folder and run it there."""
    arguments = list(map(str, case.prepare(folder)))
    before = _list_files(folder)
    code, out, err = (_run_unprivileged if case.unprivileged else _run_here)(arguments, folder)
    return Outcome(code, _readable(out, folder), _readable(err, folder), _list_files(folder) - before)


def can_drop_privileges() -> bool:
    """Whether permissions bind here: for root only where it may give up the right to ignore them."""
    if os.geteuid() != 0:
        return True
    done = subprocess.run([sys.executable, "-c", ""], preexec_fn=_drop_privileges, check=False)
    return done.returncode == 0


def _run_here(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    with _captured_native() as native:
        ended = study(*arguments, folder=folder)
    return ended.code, ended.out, ended.err + "\n".join(native)


def _run_unprivileged(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [STUDY, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=_drop_privileges if os.geteuid() == 0 else None,
    )
    return done.returncode, done.stdout, done.stderr


def _drop_privileges() -> None:
    """Give up, for good, root's right to ignore the permissions of files."""
    drop, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        if ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0) != 0:
            raise OSError("not allowed to drop a capability")


@contextmanager
def _captured_native() -> Iterator[list[str]]:
    """Keep what native code writes to standard error; its lines are there afterwards."""
    lines: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            written.seek(0)
            lines.extend(written.read().decode(errors="replace").splitlines())


def _list_files(folder: Path) -> frozenset[str]:
    return frozenset(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def _readable(text: str, folder: Path) -> str:
    for known in (folder, PROJECT):
        text = text.replace(f"{known}/", "").replace(str(known), ".")
    return text.strip()
