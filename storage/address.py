"""Addresses of results: a folder of this machine, or a place that fsspec reaches, such as `s3://bucket/prefix`."""

import re
from pathlib import Path
from typing import cast

from study.errors import InputError
from study.wording import shortened

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
"""At least two letters before the colon: one is a drive of Windows."""

_LOCAL = ("file", "local")

_ALLOWED = "give a folder, or an address that fsspec knows, such as s3://bucket/prefix, gs://… or az://…"


def read_address(address: str | Path, what: str = "results folder") -> Path:
    """The path of a folder or an address; `~` stands for a home folder.

    Elsewhere than on this machine's file systems it is universal-pathlib's path, which has the methods of
    `pathlib.Path` that are used here without being one: `is_local` tells them apart.

    Args:
        address: What was given.
        what: What it is, for messages.

    Raises:
        InputError: there is no such home folder or no such protocol, or the protocol's package is missing.
    """
    text = str(address)
    match = _SCHEME.fullmatch(text)
    if match is None or match[1].lower() in _LOCAL:
        return expand(match[2] if match else text, what)
    try:
        from upath import UPath

        # Never a listing from memory: other processes write there, too.
        path = UPath(text, use_listings_cache=False)
        _ = path.fs  # imports what speaks the protocol
    except ImportError as error:
        raise InputError(
            f"{what} {text}: {shortened(str(error), 200).rstrip('.')}; install it, or {_ALLOWED}"
        ) from error
    except ValueError as error:
        raise InputError(f"{what} {text}: {shortened(str(error), 200).rstrip('.')}; {_ALLOWED}") from error
    if not path.parts[0].strip("/"):
        raise InputError(f"{what} {text}: names no bucket or host; {_ALLOWED}")
    return cast(Path, path)


def is_local(path: Path) -> bool:
    """Whether a path is of this machine's file systems, network disks included."""
    return isinstance(path, Path)


def expand(path: str, what: str) -> Path:
    """A path in which `~` stands for a home folder.

    Raises:
        InputError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(f"{what} {path}: {str(error).rstrip('.')}; give a path without ~") from error
