"""Bad input, as cases: what is given, and the one message it gets. `docs/bad-input.md` is made of them.

`python -m tests.bad_input` writes that page again.
"""

from dataclasses import dataclass

from tests.bad_input import arguments, datasets, models, pictures, studies, tables, trainings
from tests.bad_input.case import Case


@dataclass(frozen=True)
class Group:
    """Cases of one kind, under a heading of the page."""

    title: str
    says: str
    cases: tuple[Case, ...]


GROUPS = (
    Group("Studies", "A study file that is given to `study plan` or `study run`.", studies.CASES),
    Group("Arguments of the command line", "", arguments.CASES),
    Group(
        "Dataset files",
        "A folder that is given with `--data`, here to `study data`; `study run` says the same.",
        datasets.CASES,
    ),
    Group(
        "Tables",
        "Parquet files of an earlier run, read by `study show` unless another command is named.",
        tables.CASES,
    ),
    Group(
        "Kept trainings",
        "Damage is no error of a run: it warns, and trains again. `study cache verify` finds it, says this "
        "on standard output, and exits with 1.",
        trainings.CASES,
    ),
    Group("Pictures", "Given to `study predict`.", pictures.CASES),
    Group("Models", "Given to `study predict`; code inside a file is never run.", models.CASES),
)
"""What is refused."""

FINE = (
    Group("Odd pictures", "Classified all the same; the answer begins so.", pictures.FINE),
    Group("Odd studies and results", "Read all the same.", (*studies.FINE, *tables.FINE, *trainings.FINE)),
)
"""What looks odd and is answered."""
