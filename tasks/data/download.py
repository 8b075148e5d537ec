"""Download the dataset's files: each continues where it was, slow or not; a silent connection ends."""

import logging
import time
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from filelock import FileLock

from storage.dataset_files import (
    DatasetArrays,
    DatasetFileError,
    DatasetMissingError,
    ExpectedDataset,
    read_idx,
)

logger = logging.getLogger(__name__)

ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
"""Where Keras fetches the four published files from."""

STALL_SECONDS = 20.0
"""Longest wait on a silent connection."""

SHOW_SECONDS = 5.0


def download_dataset(folder: Path, expected: ExpectedDataset, address: str = ADDRESS) -> DatasetArrays:
    """Download and verify the four files; they stay in the folder, also incomplete, for the next attempt.

    Raises:
        DatasetFileError: a file cannot be downloaded, or is not the published one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = []
    with FileLock(folder / "lock"):  # another process may write the same files
        for array in expected:
            path = folder / f"{array.idx_name}.gz"
            download(f"{address}/{path.name}", path)
            try:
                arrays.append(read_idx(path, array))
            except DatasetFileError:
                path.unlink()
                raise
    return DatasetArrays(*arrays)


def download(address: str, path: Path) -> None:
    """Download a file, continuing what is there of it; connect again as long as each connection brings more.

    Raises:
        DatasetMissingError: a connection brought nothing more; what there is stays.
    """
    while True:
        begun = _size(path)
        try:
            return _append(address, path)
        except HTTPError as error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return None  # all of it is there
            raise DatasetMissingError(f"{address}: answered {error.code} {error.reason}") from error
        except (OSError, HTTPException) as error:
            found = _size(path)
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            if found <= begun:
                raise DatasetMissingError(f"{address}: {reason}, after {found:,} bytes") from error
            logger.info("%s: %s after %s bytes; connecting again", path.name, reason, f"{found:,}")


def _append(address: str, path: Path) -> None:
    begun = _size(path)
    request = Request(address, headers={"Range": f"bytes={begun}-"} if begun else {})
    with urlopen(request, timeout=STALL_SECONDS) as answer:
        if answer.status != HTTPStatus.PARTIAL_CONTENT:
            begun = 0  # the server sends all of it again
        total = begun + int(answer.headers.get("Content-Length") or 0)
        started = shown = time.monotonic()
        with path.open("ab" if begun else "wb", buffering=0) as file:
            while content := answer.read1(1 << 16):
                file.write(content)
                if time.monotonic() - shown > SHOW_SECONDS:
                    shown = time.monotonic()
                    _show(path, total, (file.tell() - begun) / (shown - started))
    if _size(path) < total:
        raise ConnectionError("the connection ended early")
    _show(path, total, (total - begun) / max(time.monotonic() - started, 1e-3))


def _show(path: Path, total: int, rate: float) -> None:
    logger.info("%s: %.1f of %.1f MB, %.0f kB/s", path.name, _size(path) / 1e6, total / 1e6, rate / 1e3)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
