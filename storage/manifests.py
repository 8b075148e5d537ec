"""Manifests: what was published, file by file, with its checksum, so that any damage shows."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from storage.place import Results, read_bytes, write_atomically
from storage.schema import SCHEMA_VERSION
from study.errors import StoreUnreachable
from study.fact import Fact


class PublishedFile(Fact):
    """One file: its table, its place in the results folder, its rows and bytes."""

    table: str
    path: str
    rows: int
    bytes: int
    sha256: str


class Manifest(Fact):
    """The files of one run, or of a month of the history."""

    schema_version: str = SCHEMA_VERSION
    runs: tuple[str, ...]
    files: tuple[PublishedFile, ...]


def describe_file(results: Results, table: str, path: Path, rows: int, content: bytes) -> PublishedFile:
    """What a manifest says of a file."""
    return PublishedFile(
        table=table,
        path=path.relative_to(results.folder).as_posix(),
        rows=rows,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def save_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest.

    Raises:
        OSError: it cannot be written.
    """
    write_atomically(path, manifest.model_dump_json(indent=1).encode())


def read_manifest(path: Path) -> Manifest | None:
    """A manifest; None where there is none, as of runs before schema 1.7.0.

    Raises:
        ValueError: it is damaged.
        OSError: it cannot be read.
    """
    try:
        return Manifest.model_validate_json(read_bytes(path))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ValueError(f"{path}: is damaged") from error


def list_differences(results: Results, manifest: Manifest) -> list[str]:
    """How the files of a manifest differ from what it says."""
    found = (_why_differs(results, file) for file in manifest.files)
    return [reason for reason in found if reason is not None]


def _why_differs(results: Results, file: PublishedFile) -> str | None:
    path = results.folder / file.path
    try:
        content = read_bytes(path)
    except StoreUnreachable:
        raise  # that is no damage
    except OSError as error:
        return f"{path}: {error.strerror or 'no such file'}"
    if len(content) != file.bytes:
        return f"{path}: has {len(content):,} bytes, the manifest says {file.bytes:,}"
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        return f"{path}: its SHA-256 is {found[:12]}…, the manifest says {file.sha256[:12]}…"
    return None
