"""Tell what a file is by its content, list the pictures of folders, and name what is passed over."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from study.errors import InputError
from study.wording import count, shown_path

READABLE = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "WebP": rb"RIFF.{4}WEBP",
    "AVIF": rb".{4}ftyp.{0,60}avi[fs]",
    "BMP": rb"BM.{4}\0{4}",
    "JPEG 2000": rb"\0\0\0\x0cjP|\xff\x4f\xff\x51",
    "PNM": rb"P[1-7Ff]\s",
    "HDR": rb"#\?R(ADIANCE|GBE)",
    "Sun raster": rb"\x59\xa6\x6a\x95",
}
"""Pictures that OpenCV reads, and how their files begin."""

OTHERS = {
    "HEIC (convert it to JPEG)": rb".{4}ftyp.{0,60}(he[iv][cfmsx]|mif1|msf1)",
    "SVG": rb".*?<svg[\s/>]",
    "web page": rb"(?i)\s*<(!doctype )?html",
    "PDF": rb"%PDF",
}
"""What people take for a picture that can be read."""

SUFFIXES = {".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"} | {
    *(".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
}
"""A file with such a name should be a picture: if its content is not, it is damaged."""


BEGIN = 1000
"""Bytes of a file that say what it is."""

FORMATS = "PNG, JPEG, WebP, TIFF, AVIF, GIF or BMP"


@dataclass(frozen=True)
class Listing:
    """The pictures that were given, in order, and what else their folders have, by kind."""

    pictures: list[Path]
    passed_over: Counter[str] = field(default_factory=Counter)

    def describe_rest(self) -> str:
        """Return "2 files passed over: 1 HEIC (convert it to JPEG), 1 SVG"; empty if there are none."""
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted((+self.passed_over).items()))
        return f"{count(self.passed_over.total(), 'file')} passed over: {kinds}" if kinds else ""


def name_kind(begin: bytes) -> str | None:
    """Return what a file is, of `READABLE` or `OTHERS`, by its first `BEGIN` bytes; None if unknown."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.match(begin)), None)


_PATTERNS = {kind: re.compile(pattern, re.DOTALL) for kind, pattern in (READABLE | OTHERS).items()}


def list_pictures(given: Sequence[Path], leave_out: Path | None = None) -> Listing:
    """List the given pictures in order; those of a folder by name.

    A folder stands for all pictures below it, by content, except names that begin with a dot. Folders that it
    links to are read once.

    Args:
        given: Files and folders.
        leave_out: A folder that is no source of pictures.

    Raises:
        InputError: A folder has no picture.
    """
    listing = Listing([])
    for each in given:
        listing.pictures.extend(
            _list_folder(each, leave_out, listing.passed_over) if _is_folder(each) else [each]
        )
    return listing


def _is_folder(path: Path) -> bool:
    with suppress(OSError):  # an impossible file name: reading it reports the error
        return path.is_dir()
    return False


def _list_folder(folder: Path, leave_out: Path | None, passed_over: Counter[str]) -> list[Path]:
    found, rest = [], Counter[str]()
    for path in _walk(folder, leave_out, rest):
        if (kind := _why_pass_over(path)) is None:
            found.append(path)
        else:
            rest[kind] += 1
    passed_over += rest
    if not found:
        what = Listing([], rest).describe_rest() or "it is empty"
        raise InputError(
            f"{shown_path(folder)}: the folder has no picture ({what}); give one with {FORMATS} files"
        )
    return sorted(found)


def _walk(folder: Path, leave_out: Path | None, passed_over: Counter[str]) -> Iterator[Path]:
    """Yield all that is no folder; hidden names and folders that may not be read are counted."""
    seen = {Path(each).resolve() for each in (folder, leave_out) if each}

    def count_folder(error: OSError) -> None:
        passed_over["folder that may not be read"] += 1

    for root, folders, files in os.walk(folder, followlinks=True, onerror=count_folder):
        passed_over["hidden"] += sum(each.startswith(".") for each in (*folders, *files))
        below = {Path(root, each).resolve(): each for each in sorted(folders) if not each.startswith(".")}
        folders[:] = [each for real, each in below.items() if real not in seen]
        seen.update(below)
        yield from (Path(root, each) for each in files if not each.startswith("."))


def _why_pass_over(path: Path) -> str | None:
    """Return what a file of a folder is if it neither is nor claims to be a picture that can be read."""
    if not path.is_file():
        return "broken link" if path.is_symlink() else "pipe or device"
    begin = b""
    with suppress(OSError), path.open("rb") as file:  # reading the picture reports the error
        begin = file.read(BEGIN)
    kind = name_kind(begin)
    if kind in READABLE or path.suffix.lower() in SUFFIXES:
        return None
    return kind or shown_path(path.suffix[1:].upper()) or "without a suffix"
