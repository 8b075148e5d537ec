"""Write `docs/bad-input.md` again."""

import tempfile
import warnings
from pathlib import Path

from tests.bad_input.case import Case, Outcome, can_drop_privileges, run
from tests.bad_input.page import PAGE, write_page


def run_in_new_folder(case: Case) -> Outcome:
    """Run a case in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        return run(case, Path(name).resolve())


if __name__ == "__main__":
    import tests.conftest  # noqa: F401 - sets Prefect's home and TensorFlow's environment first

    warnings.simplefilter("ignore")
    if not can_drop_privileges():
        raise SystemExit(
            "permissions do not bind here, as this is root without CAP_SETPCAP; run it elsewhere"
        )
    write_page(run_in_new_folder)
    print(f"wrote {PAGE}")  # noqa: T201
