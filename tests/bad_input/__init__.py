"""Bad input, as cases: what is given, and how the command answers it.

The tests of each room have the kinds of mistakes, with their messages. Here is what could break the command.
"""

from dataclasses import dataclass

from tests.bad_input import arguments, datasets, models, pictures, studies, tables, trainings
from tests.bad_input.case import Case


@dataclass(frozen=True)
class Group:
    """Cases of one kind."""

    title: str
    cases: tuple[Case, ...]


GROUPS = (
    Group("Studies", studies.CASES),
    Group("Arguments of the command line", arguments.CASES),
    Group("Dataset files", datasets.CASES),
    Group("Tables", tables.CASES),
    Group("Kept trainings", trainings.CASES),
    Group("Pictures", pictures.CASES),
    Group("Models", models.CASES),
)
"""What is refused; of damaged trainings, what `study verify` finds, with exit code 1."""

FINE = (
    Group("Odd pictures", pictures.FINE),
    Group("Odd studies and results", (*studies.FINE, *tables.FINE, *trainings.FINE)),
)
"""What looks odd and is answered."""
