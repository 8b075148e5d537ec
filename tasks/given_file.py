"""Read a file that a person names: a picture, a model."""

from pathlib import Path

from study.errors import InputError


def read_given_file(path: Path, wanted: str, first: int = -1) -> bytes:
    """Read a file, or its first bytes; never a device or a pipe, as these may not end.

    Args:
        path: The file.
        wanted: What it should be, for messages.
        first: How many bytes to read; by default all.

    Raises:
        InputError: it is missing, no file, empty or may not be read.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: this is a folder; give {wanted}")
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: this is a device or a pipe; give {wanted}")
        with path.open("rb") as file:
            content = file.read(first)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; give {wanted}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give {wanted}") from error
    if not content:
        raise InputError(f"{path}: the file is empty; give {wanted}")
    return content
