"""The program `study`: refuse modules that PYTHONPATH puts before ours, then run the command line.

A top-level module with a name of its own, and without imports of ours: it works whatever is shadowed.
"""

import os
import sys
import sysconfig
from pathlib import Path

PACKAGES = ("flows", "tasks", "storage", "study")


def main() -> None:
    """Run the command line; exit with 2 if PYTHONPATH shadows a module that it needs."""
    shadow = find_shadow(os.environ.get("PYTHONPATH", ""))
    if shadow is not None:
        sys.exit(_refuse(*shadow))
    from flows.cli.main import main as run_command_line  # late: it may be shadowed

    run_command_line()


def find_shadow(python_path: str) -> tuple[Path, str] | None:
    """Return the folder in PYTHONPATH and its module that would hide a needed one; None if there is none."""
    own = Path(__file__).resolve().parent
    installed = Path(sysconfig.get_path("purelib"))
    needed = {*PACKAGES, *sys.stdlib_module_names, *map(_module_name, _list(installed))} - {""}
    for folder in map(Path, filter(None, python_path.split(os.pathsep))):
        if folder.resolve() in (own, installed.resolve()):
            continue
        for path in _list(folder):
            name = _module_name(path)
            if name in needed and (path.suffix or (path / "__init__.py").exists()):
                return folder, name
    return None


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # Python ignores it likewise
        return []


def _module_name(path: Path) -> str:
    """Return the name under which a file or folder is imported; empty if it is not."""
    name, _, suffix = path.name.partition(".")
    is_module = suffix == "" or suffix == "py" or suffix.endswith(("so", "pyd"))
    return name if is_module and name.isidentifier() else ""


def _refuse(folder: Path, name: str) -> int:
    sys.stderr.write(
        f"study: PYTHONPATH has {folder}, whose {name!r} would be used instead of the one that this program "
        "needs; run it as `env -u PYTHONPATH study …`\n"
    )
    return 2
