"""The place of results: a folder or a prefix of an object store, written atomically."""

import errno
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import platformdirs

from storage import object_store
from study.errors import InputError, ResultsUnwritable
from study.wording import shortened

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
"""At least two letters before the colon: a single one is a drive of Windows."""

_LOCAL = ("file", "local")

_ALLOWED = "give a folder, or an address that fsspec knows, such as s3://bucket/prefix, gs://… or az://…"


def read_address(address: str | Path) -> Path:
    """Return the path of a folder or an address; `~` stands for a home folder.

    Outside this machine's file systems it is universal-pathlib's path. It is no `pathlib.Path`, but has the
    methods that we use; `is_local` distinguishes the two.

    Raises:
        InputError: there is no such home folder or no such protocol, or the protocol's package is missing.
    """
    text = str(address)
    match = _SCHEME.fullmatch(text)
    if match is None or match[1].lower() in _LOCAL:
        return expand(match[2] if match else text, "results folder")
    try:
        from upath import UPath

        # We never use a cached listing: other processes write there, too.
        path = UPath(text, use_listings_cache=False)
        _ = path.fs  # imports the protocol's package
    except (ImportError, ValueError) as error:
        reason = shortened(str(error), 200).rstrip(".")
        remedy = f"install it, or {_ALLOWED}" if isinstance(error, ImportError) else _ALLOWED
        raise InputError(f"results folder {text}: {reason}; {remedy}") from error
    if not path.parts[0].strip("/"):
        raise InputError(f"results folder {text}: names no bucket or host; {_ALLOWED}")
    return cast(Path, path)


def is_local(path: Path) -> bool:
    """Say whether a path is on this machine's file systems, network disks included."""
    return isinstance(path, Path)


def expand(path: str, what: str) -> Path:
    """Return a path in which `~` stands for a home folder.

    Raises:
        InputError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{what} {path}: {str(error).rstrip('.')}; give a path without ~") from error


@dataclass(frozen=True)
class Results:
    """The results folder of a project; every path below it is spelled here."""

    folder: Path
    """As `storage.results.read_address` gives it: on this machine's file systems, or on an object store."""

    @property
    def tables(self) -> Path:
        """Return the folder of the Parquet tables, one folder each."""
        return self.folder / "tables"

    @property
    def history(self) -> Path:
        """Return the folder of the history: the tables of all published runs, compacted by month."""
        return self.folder / "history"

    @property
    def trainings(self) -> Path:
        """Return the folder of finished trainings, one folder for each key."""
        return self.folder / "trainings"

    @property
    def unfinished(self) -> "Results":
        """Return the place of trainings that have not ended, in the form of finished ones."""
        return Results(self.folder / "unfinished")

    @property
    def speeds(self) -> Path:
        """Return the folder of the measured speeds of machines."""
        return self.folder / "speeds"

    @property
    def locks(self) -> Path:
        """Return the folder of locks of runs that share the results."""
        return self.folder / "locks"

    @property
    def runs(self) -> Path:
        """Return the folder of what runs leave for people, one folder a run."""
        return self.folder / "runs"

    def start(self, run_id: str) -> Path:
        """Return the file of one run's request, from which it resumes if it was interrupted."""
        return self.run(run_id) / "run.json"

    def run(self, run_id: str) -> Path:
        """Return the folder that one run leaves for people: report, figures, model."""
        return self.runs / run_id

    def figures(self, run_id: str) -> Path:
        """Return the folder of one run's figures."""
        return self.run(run_id) / "figures"

    def model(self, run_id: str) -> Path:
        """Return the folder of one run's saved models."""
        return self.run(run_id) / "model"

    def report(self, run_id: str) -> Path:
        """Return the file of one run's report, a self-contained page."""
        return self.run(run_id) / "report.html"


def results_at(address: str | Path) -> Results:
    """Return the results at a folder, which need not exist, or at an address, which must answer.

    Raises:
        InputError: it is not an address, or the store does not answer.
    """
    folder = read_address(address)
    if is_local(folder):
        return Results(folder.resolve())
    with _told_as_input(
        address, "give one that you may read with --results, credentials as its library does"
    ):
        object_store.reach(folder)
    return Results(folder)


def open_results(address: str | Path) -> Results:
    """Make sure that a results folder exists and can be written to.

    Raises:
        InputError: it cannot be made or written to.
    """
    results = results_at(address)
    with _told_as_input(address, "give a folder you may write to with --results"):
        if is_local(results.folder):
            results.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=results.folder):
                pass
        else:
            object_store.try_writing(_temporary(results.folder / "probe"))
    return results


@contextmanager
def _told_as_input(address: str | Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"results folder {address}: {error.strerror}; {remedy}") from error


_UNWRITABLE = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOLCK,
    errno.ENOTSUP,
}  # fmt: skip
"""The system's errors that would stop every further write, or lock, too; the last two: there are no locks."""


@contextmanager
def explain_unwritable(path: Path) -> Iterator[None]:
    """Turn the system's error for a folder that accepts no more writes into one line that says what to do.

    Raises:
        ResultsUnwritable: the disk is full, or the folder cannot be written to any more.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        if error.errno in (errno.ENOLCK, errno.ENOTSUP):
            reason = f"its file system cannot lock files: {error.strerror}"
            remedy = "give a --results folder on another one, such as a local disk"
        else:
            reason = f"cannot be written: {error.strerror}"
            remedy = "free space there or make it writable, then continue with `study resume`"
        refused = Path(error.filename) if isinstance(error.filename, str) and is_local(path) else path
        raise ResultsUnwritable(
            f"{refused}{describe_owner(refused)}: {reason}. What was finished is kept; {remedy}"
        ) from error


def describe_owner(path: Path) -> str:
    """Return who owns a file or folder, such as " (owned by root)"; empty if it is this user."""
    if not is_local(path):  # a store tells no owners, and may be away
        return ""
    try:
        owner = path.stat().st_uid
    except OSError:  # it does not exist
        return ""
    try:
        name = path.owner()
    except KeyError:
        name = f"user {owner}"
    return "" if owner == os.getuid() else f" (owned by {name})"


def write_atomically(path: Path, content: bytes) -> Path:
    """Write a file so that a reader sees the old content or the new, never a part.

    The user's umask decides who may read it, as for any file a program opens.

    Raises:
        OSError: the disk is full or the folder cannot be written to; the old content stays.
    """
    if not is_local(path):
        object_store.ask(path, lambda: path.write_bytes(content))
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: only the owner may read its files. Readers of folders skip names with a dot.
    temporary = _temporary(path)
    try:
        with temporary.open("xb") as file:  # x: never follows a file or link that someone has put there
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return path


def write_new(path: Path, content: bytes) -> None:
    """Write a file unless there is one; of several simultaneous writers, one succeeds.

    Raises:
        FileExistsError: there is one.
    """
    if not is_local(path):
        object_store.put_new(path, content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)


def replace_folder(path: Path, source: Path) -> Path:
    """Copy a folder to a path; a reader sees the old one, none for a moment, or the new: never a part.

    An object store has no folders: there we write one file after the other, those at the top last.

    Raises:
        OSError: the disk is full or the folder cannot be written to; the old one stays.
    """
    if not is_local(path):
        object_store.remove(path)
        files = [each for each in source.rglob("*") if each.is_file()]
        for each in sorted(files, key=lambda file: -len(file.parts)):
            write_atomically(path / each.relative_to(source).as_posix(), each.read_bytes())
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = _temporary(path), _temporary(path)
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


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    return path.read_bytes() if is_local(path) else object_store.ask(path, path.read_bytes)


def read_all(paths: Sequence[Path]) -> dict[Path, bytes]:
    """Read files of one store, many at once; on a disk read none: there each is best read where it is used.

    Raises:
        OSError: one cannot be read.
    """
    return {} if not paths or is_local(paths[0]) else object_store.get_all(paths)


def exists(path: Path) -> bool:
    """Say whether there is a file or a folder."""
    return path.exists() if is_local(path) else object_store.ask(path, path.exists)


def modified_at(path: Path) -> float:
    """Return the time at which a file was written or a link made, in seconds by its file system's clock.

    Raises:
        OSError: it is not there, or cannot be asked.
    """
    return (path.lstat() if is_local(path) else object_store.ask(path, path.stat)).st_mtime


def read_clock(folder: Path) -> float:
    """Read a file system's clock, in seconds: the time of a file just written there.

    It serves for the age of a file that another machine wrote: the clocks of two machines differ.
    """
    path = _temporary(folder / "clock")
    try:
        write_new(path, b"")
        return modified_at(path)
    finally:
        remove_path(path)


def find_paths(folder: Path, pattern: str) -> list[Path]:
    """List the paths in a folder that match a pattern such as `run=*/part-0.parquet`, sorted."""
    return sorted(folder.glob(pattern)) if is_local(folder) else object_store.find(folder, pattern)


def remove_path(path: Path) -> None:
    """Remove a file, or a folder with its content; do nothing if there is none.

    Raises:
        OSError: it cannot be removed, or is a link to a folder: that one is somebody's own.
    """
    if not is_local(path):
        object_store.remove(path)
    elif path.is_dir():
        with suppress(FileNotFoundError):  # another process was quicker
            shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def local_folder(folder: Path) -> Path:
    """Return the folder that this machine's processes share: itself, or one that stands for an address."""
    if is_local(folder):
        return folder
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("fashion-mnist-study") / "addresses" / name


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut, where the platform can."""
    with suppress(OSError):  # Windows opens no folders, some network disks do not sync them
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
