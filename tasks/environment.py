"""The environment: what of the user's reaches our processes, what we set ourselves, what is refused.

Other projects' settings lie in the same environment: a notebook's, a proxy's, another Keras's.
`set_environment` runs when `tasks` is imported, before any library reads them; the processes that we start
inherit the result.
"""

import errno
import getpass
import io
import os
import resource
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs

from study.errors import InputError

OURS = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,  # no keras.json of the user's: backend, order of dimensions, precision
    "TF_USE_LEGACY_KERAS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MPLBACKEND": "agg",
    "PYTHONWARNINGS": "ignore",  # what concerns a user is a log line of ours
}
"""What the project depends on, for its own processes."""

_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Set while git runs a hook: git then answers for that repository, whichever folder it is asked about."""

_USERS_KERAS_HOME = "STUDY_USERS_KERAS_HOME"
"""Remembers a KERAS_HOME of the user's: datasets that Keras has downloaded lie there."""

_DIRECT = ("127.0.0.1", "localhost", "::1")

LAST_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that end a program in order: SIGHUP comes from a closed terminal, the last two warn in Slurm."""


def set_environment() -> None:
    """Set what we depend on in this process's environment, and drop what would break it."""
    if os.environ.get("KERAS_HOME", os.devnull) != os.devnull:
        os.environ[_USERS_KERAS_HOME] = os.environ["KERAS_HOME"]
    os.environ.update(OURS)
    for name in _FOREIGN:
        os.environ.pop(name, None)
    # Prefect's client cannot use a SOCKS proxy without a further package, and fails as soon as it sees one.
    for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
        if os.environ[name].lower().startswith("socks"):
            del os.environ[name]
    direct = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")).split(",")
    if "*" not in direct:  # it has a meaning only if it stands alone
        os.environ["no_proxy"] = ",".join(filter(None, dict.fromkeys([*direct, *_DIRECT])))
    try:
        getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        os.environ["LOGNAME"] = str(os.getuid())
    try:
        Path.home()
    except RuntimeError:  # nor a home: `check_folders` then names what is needed instead
        os.environ["HOME"] = os.sep


def users_keras_home() -> str:
    """Return Keras's folder of the user, with the datasets that Keras has downloaded."""
    return os.environ.get(_USERS_KERAS_HOME) or os.path.expanduser("~/.keras")  # noqa: PTH111 - never raises


def own_prefect_home() -> Path:
    """Return Prefect's home unless PREFECT_HOME names another; on Linux it follows `XDG_DATA_HOME`.

    No other program's profile, server or database is in it.
    """
    return platformdirs.user_data_path("fashion-mnist-study") / "prefect"


def prepare_program() -> None:
    """Let this process print in any encoding, outlive its reader, and open as many files as it may.

    Prefect, in this process and in those that it starts, gets a home of our own.
    """
    home = os.environ.get("PREFECT_HOME") or str(own_prefect_home())
    os.environ["PREFECT_HOME"] = os.path.abspath(os.path.expanduser(home))  # noqa: PTH100, PTH111 - never raise
    sys.warnoptions.clear()  # lanes are started with these; an "error" there made the export fail
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _lasting(stream))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _LastingFile(io.FileIO):
    """A standard stream whose reader may go away: what is written from then on is dropped."""

    def write(self, data: Any) -> int:
        """Write bytes; return how many."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):  # EIO: the terminal is gone
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return super().write(data)


def _lasting(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_LastingFile(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=True,
    )


def end_by_signals(end: Callable[[int, object], object]) -> None:
    """Call `end` for the signals that end a program in order; ignored ones, as under nohup, stay so."""
    for each in LAST_SIGNALS:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, end)


def check_folders() -> None:
    """Check the folders that are written to besides the results.

    Raises:
        InputError: one cannot be used; the message names all such, their owners, and the variable of each.
    """
    from storage.dataset_files import default_cache_folder  # late: NumPy, which no help needs
    from storage.results import describe_owner  # late: likewise

    prefect = Path(os.environ["PREFECT_HOME"])
    cache = default_cache_folder().absolute()
    needed = [(prefect, "PREFECT_HOME", os.W_OK), (cache, "XDG_CACHE_HOME", os.R_OK)]  # a full one suffices
    if _exists(prefect / "prefect.db"):
        needed.append((prefect / "prefect.db", "PREFECT_HOME", os.W_OK))
    wrong = []
    for path, name, access in needed:
        found = next(each for each in (path, *path.parents) if _exists(each))
        if not os.access(found, access if found == path else os.W_OK):
            place = "" if found == path else f", to be made in {found}"
            wrong.append((f"{path}{place}{describe_owner(found)}", name))
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        wrong.append((os.environ.get("TMPDIR", "/tmp"), "TMPDIR"))
    if wrong:
        names = dict.fromkeys(name for _, name in wrong)
        raise InputError(
            f"no access to {'; '.join(told for told, _ in wrong)}; name folders of your own: "
            f"{' '.join(f'{name}=FOLDER' for name in names)} study …"
        )
    if "?" in str(prefect):
        raise InputError(
            f"PREFECT_HOME: {str(prefect)!r} has a question mark, which ends the path of a database in an "
            "address; give a folder without one"
        )


def _exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - in a folder that may not be looked into, Path's raises
