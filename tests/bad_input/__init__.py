"""Bad input, as cases: what is given, and how the command answers it.

The tests of each room have the kinds of mistakes, with their messages. Here is what could break the command.
"""

from tests.bad_input import arguments, datasets, models, pictures, studies, tables, trainings

CASES = {
    "Studies": studies.CASES,
    "Arguments of the command line": arguments.CASES,
    "Dataset files": datasets.CASES,
    "Tables": tables.CASES,
    "Kept trainings": trainings.CASES,
    "Pictures": pictures.CASES,
    "Models": models.CASES,
}
"""What is refused; of damaged trainings, what `study verify` finds, with exit code 1."""

FINE = {
    "Odd pictures": pictures.FINE,
    "Odd studies and results": (*studies.FINE, *tables.FINE, *trainings.FINE),
}
"""What looks odd and is answered."""
