"""Read and write object stores, by fsspec, where they differ from a disk.

An object appears whole or not at all, so we need no temporary names. There are no folders, no renaming and no
locks. A listing costs as much as a read. The network may fail for a while.
"""

import errno
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from study.errors import StoreUnreachable

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 120.0
"""We repeat requests to a silent store for this long, in addition to its library's own retries."""

_ANSWERS = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
"""A store's answers to a request; any other error may come from the network."""

Given = TypeVar("Given")


def reach(folder: Path) -> None:
    """Ask a store once whether it answers, so that a wrong address is reported at once.

    Raises:
        StoreUnreachable: it does not, or there is no such bucket.
    """
    store: Any = folder
    try:
        with suppress(FileNotFoundError):
            store.fs.ls(store.path)
            return
        with suppress(PermissionError):  # a user who may see only the prefix, which is still empty
            store.fs.ls(store.anchor or store.path)
    except Exception as error:
        raise _unreachable(folder, error) from error


def try_writing(path: Path) -> None:
    """Write an object and remove it, once.

    Raises:
        StoreUnreachable: one of the two is refused.
    """
    store: Any = path
    try:
        path.write_bytes(b"")
        store.fs.rm(store.path)
    except Exception as error:
        raise _unreachable(path, error) from error


def put_new(path: Path, content: bytes) -> None:
    """Write an object unless there is one; of several simultaneous writers, one succeeds.

    Raises:
        FileExistsError: there is one.
        StoreUnreachable: it cannot be written.
    """
    store: Any = path
    ask(path, lambda: store.fs.pipe_file(store.path, content, mode="create"))


def get_all(paths: Sequence[Path]) -> dict[Path, bytes]:
    """Read objects, many at once; skip missing ones.

    Raises:
        StoreUnreachable: one cannot be read.
    """
    if not paths:
        return {}
    store: Any = paths[0]
    names = {str(getattr(each, "path")): each for each in paths}  # noqa: B009 - no pathlib.Path has it

    def read() -> Mapping[str, bytes]:
        found = store.fs.cat(list(names), on_error="return")
        found = found if isinstance(found, dict) else {next(iter(names)): found}
        for content in found.values():
            if isinstance(content, BaseException) and not isinstance(content, FileNotFoundError):
                raise content
        return {name: content for name, content in found.items() if isinstance(content, bytes)}

    return {names[name]: content for name, content in ask(paths[0], read).items()}


def find(folder: Path, pattern: str) -> list[Path]:
    """List the objects below a folder that match a pattern such as `run=*/part-0.parquet`, sorted."""
    store: Any = folder
    depth, above = pattern.count("/") + 1, f"{store.path.rstrip('/')}/"
    start = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    # One listing of all of it: `glob` would make one request a folder.
    listed = ask(folder, lambda: store.fs.find(store.path, **({"prefix": start} if start else {})))
    names = [name.removeprefix(above) for name in listed]
    parts = (PurePosixPath(name).parts[:depth] for name in names)
    places = sorted({PurePosixPath(*each) for each in parts if len(each) == depth})
    return [folder / str(place) for place in places if place.match(pattern)]


def remove(path: Path) -> None:
    """Remove an object, and all below it; do nothing if there is none."""
    store: Any = path
    with suppress(FileNotFoundError):
        ask(path, lambda: store.fs.rm(store.path, recursive=True))


def ask(path: Path, question: Callable[[], Given]) -> Given:
    """Put a question to a store until it answers.

    Raises:
        FileNotFoundError: there is no such object.
        FileExistsError: there is one.
        StoreUnreachable: it does not answer, or refuses.
    """
    asking = Retrying(
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_exponential(multiplier=0.5, max=15),
        retry=retry_if_exception(lambda error: isinstance(error, Exception) and not _is_answer(error)),
        before_sleep=lambda state: logger.warning(
            "%s: %s; trying again", path, state.outcome and state.outcome.exception()
        ),
        reraise=True,
    )
    try:
        return asking(question)
    except (FileNotFoundError, FileExistsError):
        raise
    except Exception as error:
        raise _unreachable(path, error) from error


def _is_answer(error: BaseException) -> bool:
    return isinstance(error, _ANSWERS) or _is_refusal(error)


_REFUSED = re.compile(r"credential|expired|authenticat|unauthori|token|access ?key|signature", re.IGNORECASE)
"""Words of refusals: each store's own library reports them in its own kinds of error."""


def _is_refusal(error: BaseException) -> bool:
    """Say whether a store refuses the key or token; to a HEAD, S3 then answers no more than "Bad Request"."""
    is_refused = isinstance(error, PermissionError) or getattr(error, "errno", None) == errno.EINVAL
    return is_refused or _REFUSED.search(f"{type(error).__name__} {error}") is not None


def _unreachable(path: Path, error: Exception) -> StoreUnreachable:
    if not _is_refusal(error):
        return StoreUnreachable(path, error)
    refused = f"refused ({str(error) or type(error).__name__}): renew the key or token if it has expired"
    return StoreUnreachable(path, PermissionError(refused))
