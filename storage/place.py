"""Where results lie: one folder, written atomically."""

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from study.errors import InputError, ResultsUnwritable


@dataclass(frozen=True)
class Results:
    """The results folder of a project; every path below it is spelled here."""

    folder: Path

    @property
    def tables(self) -> Path:
        """The Parquet tables, one folder each."""
        return self.folder / "tables"

    @property
    def trainings(self) -> Path:
        """The cache of finished trainings, one folder for each key."""
        return self.folder / "trainings"

    @property
    def speeds(self) -> Path:
        """What was measured of the speed of machines."""
        return self.folder / "speeds"

    @property
    def locks(self) -> Path:
        """What runs that share the folder hold while they use it."""
        return self.folder / "locks"

    @property
    def runs(self) -> Path:
        """What runs leave for people, a folder each."""
        return self.folder / "runs"

    def start(self, run_id: str) -> Path:
        """What one run was asked, from which it goes on if it was interrupted."""
        return self.run(run_id) / "run.json"

    def run(self, run_id: str) -> Path:
        """What one run leaves for people: report, figures, model."""
        return self.runs / run_id

    def figures(self, run_id: str) -> Path:
        """Figures of one run."""
        return self.run(run_id) / "figures"

    def model(self, run_id: str) -> Path:
        """Saved models of one run."""
        return self.run(run_id) / "model"

    def report(self, run_id: str) -> Path:
        """The report of one run, a self-contained page."""
        return self.run(run_id) / "report.html"


def open_results(folder: Path) -> Results:
    """Make sure a results folder exists and can be written to.

    Raises:
        InputError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"results folder {folder}: {error.strerror}; give a folder you may write to with --results"
        ) from error
    return Results(folder.resolve())


_UNWRITABLE = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
}  # fmt: skip
"""The system's errors that every further write would meet, too."""


@contextmanager
def told_if_unwritable(path: Path) -> Iterator[None]:
    """Turn the system's word that a folder takes nothing more into one line that says what to do.

    Raises:
        ResultsUnwritable: the disk is full, or the folder cannot be written to any more.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        raise ResultsUnwritable(
            f"{path}: cannot be written: {error.strerror}. What was finished is kept; "
            "free space there or make it writable, then go on with `study resume`"
        ) from error


def write_atomically(path: Path, content: bytes) -> Path:
    """Write a file so that a reader sees the old content or the new, never a part.

    Who may read it is what the user's umask says, as for any file a program opens.

    Raises:
        OSError: the disk is full or the folder cannot be written to; the old content stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not a file of `tempfile`, which only its owner may read. Readers of folders skip names with a dot.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:  # x: never through a file or link that someone has laid there
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return path


def replace_folder(path: Path, source: Path) -> Path:
    """Copy a folder to a path so that a reader sees the old one, none for a moment, or the new: never a part.

    Raises:
        OSError: the disk is full or the folder cannot be written to; the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (path.with_name(f".{path.name}.{secrets.token_hex(8)}.part") for _ in range(2))
    try:
        shutil.copytree(source, temporary)
        if path.exists():
            path.replace(old)
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    _sync_folder(path.parent)
    return path


def _sync_folder(folder: Path) -> None:
    """Let a new name in a folder outlast a power cut, where the platform can."""
    with suppress(OSError):  # Windows opens no folders, some network disks do not sync them
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
