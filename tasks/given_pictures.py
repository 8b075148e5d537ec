"""Which pictures a person means: files, folders with all below them, and patterns."""

import glob
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from study.errors import InputError

SUFFIXES = (
    *(".avif", ".bmp", ".dib", ".gif", ".jp2", ".jpe", ".jpeg", ".jpg"),
    *(".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""Suffixes by which a file of a folder counts as a picture: formats that OpenCV reads."""


@dataclass(frozen=True)
class GivenPicture:
    """A picture to classify; `is_named` if the file itself was given, not a folder or a pattern."""

    path: Path
    is_named: bool


def list_pictures(given: Sequence[str], leave_out: Path | None = None) -> list[GivenPicture]:
    """The pictures that are meant, in the order given; those of a folder or a pattern by name.

    Of a folder everything below it counts, but for names that begin with a dot and what is no picture by its
    suffix. A pattern (`*`, `?`, `[...]`, `**` for any depth) counts for the files that it matches, whatever
    their suffix; a file whose name has such characters is that file.

    Args:
        given: Files, folders and patterns.
        leave_out: A folder that is passed over, such as that of the overlays.

    Raises:
        InputError: a folder has no picture, or a pattern matches no file.
    """
    return [picture for each in given for picture in _expand(each, leave_out)]


def _expand(given: str, leave_out: Path | None) -> Iterator[GivenPicture]:
    path = Path(given)
    if _is_folder(path):
        found = [each for each in path.rglob("*") if _is_picture(each, path)]
        wanted = f"the folder has no picture; give one with files of {', '.join(SUFFIXES)}"
    elif glob.has_magic(given) and not _exists(path):
        matches = glob.glob(given, recursive=True)  # noqa: PTH207 - Path's takes no absolute pattern
        found = [each for each in map(Path, matches) if each.is_file()]
        wanted = "no file matches this pattern; give one that does, in quotes, or a folder"
    else:
        yield GivenPicture(path, is_named=True)
        return
    left = [each for each in sorted(found) if leave_out is None or leave_out not in each.absolute().parents]
    if not left:
        raise InputError(f"{given}: {wanted}")
    yield from (GivenPicture(each, is_named=False) for each in left)


def _is_folder(path: Path) -> bool:
    with suppress(OSError, ValueError):  # a name that no file can have: whoever reads it says so
        return path.is_dir()
    return False


def _exists(path: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.exists()
    return False


def _is_picture(path: Path, folder: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in SUFFIXES and not is_hidden and path.is_file()
