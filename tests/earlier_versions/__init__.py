"""The tables of a run that each earlier schema version wrote; README.md says how."""

import zipfile
from pathlib import Path

from storage.contract import version_number
from storage.place import Results

_FOLDER = Path(__file__).parent

VERSIONS = tuple(sorted((path.stem for path in _FOLDER.glob("*.zip")), key=version_number))
"""The versions, oldest first."""


def unpack(folder: Path, *versions: str) -> Results:
    """Lay the runs of these versions into one results folder."""
    for version in versions:
        with zipfile.ZipFile(_FOLDER / f"{version}.zip") as packed:
            packed.extractall(folder)
    return Results(folder)
