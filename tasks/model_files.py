"""The files of a saved model on their way from the lane that wrote them to where a run's model lies."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from storage.place import replace_folder, write_atomically

ModelFiles = dict[str, bytes]
"""Contents by path, relative to the model's folder, with slashes."""


def read_files(paths: Sequence[Path]) -> ModelFiles:
    """Read files, and folders with all that is in them, that lie in one folder."""
    files = [each for path in paths for each in (path.rglob("*") if path.is_dir() else [path])]
    top = paths[0].parent
    return {each.relative_to(top).as_posix(): each.read_bytes() for each in files if each.is_file()}


def keep_files(files: ModelFiles, folder: Path) -> None:
    """Put what was read where a run's model lies.

    Raises:
        OSError: a file cannot be written; what was there stays.
    """
    with TemporaryDirectory() as scratch:
        for name, content in files.items():
            path = Path(scratch, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for path in sorted(Path(scratch).iterdir()):
            if path.is_dir():
                replace_folder(folder / path.name, path)
            else:
                write_atomically(folder / path.name, path.read_bytes())
