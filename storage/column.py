"""What a column of a table is, and those that several tables share."""

from dataclasses import dataclass, replace

import pyarrow as pa

TEXT, INT, FLOAT, BOOL, BYTES = pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.binary()
TIME = pa.timestamp("us", tz="UTC")


FIRST_VERSION = "1.0.0"

UNITS = {
    "": "a name, a number of things, or a ratio without a unit",
    "fraction": "of 1: 0.9 is 90%",
    "nats": "of a loss: cross entropy with the natural logarithm",
    "s": "seconds",
    "UTC": "a moment, in universal time",
    "epochs": "passes over the training images",
    "images": "of the dataset",
    "pixels": "of the 28 x 28 of an image",
    "bytes": "of memory",
}
"""Every unit that a column may have, and what it says."""


@dataclass(frozen=True)
class Column:
    """One column: name, type, unit (one of `UNITS`) and meaning.

    `since` is the schema version that added it to its table, empty if the table always had it.
    """

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    nullable: bool = False
    since: str = ""


@dataclass(frozen=True)
class Table:
    """One table: what a row is, the columns that together identify one, and all columns in order.

    `since` is the schema version that added the table.
    """

    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    since: str = FIRST_VERSION

    def since_of(self, column: Column) -> str:
        """The schema version since which files of this table have a column."""
        return column.since or self.since


def added(version: str, *columns: Column) -> tuple[Column, ...]:
    """Columns that a table has only since a schema version: null where its files are older."""
    return tuple(replace(each, since=version) for each in columns)


RUN_ID = Column("run_id", TEXT, "", "the run; joins every table with `runs`")

STUDY_LATER = added("1.7.0", Column("study", TEXT, "", "name of the study", True))

HYPERPARAMETERS = (
    Column("filters", INT, "", "filters of the convolution"),
    Column("kernel_size", INT, "pixels", "side of the square kernel"),
    Column("dense_units", INT, "", "units of the hidden dense layer"),
    Column("dropout", FLOAT, "fraction", "dropped after the pooling"),
    Column("learning_rate", FLOAT, "", "SGD learning rate of the first epoch"),
    Column("momentum", FLOAT, "", "SGD momentum"),
    Column("batch_size", INT, "images", "images a step"),
)

SCHEDULE = Column("schedule", TEXT, "", "`constant`, or `cosine`: falling to 0 over the epochs", True)

AUGMENTATION = Column(
    "augmentation",
    TEXT,
    "",
    "of training images in each epoch: `none`, `flip`, `shift` by up to 2 pixels or `flip-shift`",
    True,
)

AVERAGING = Column(
    "averaging",
    FLOAT,
    "",
    "decay an epoch of the moving average of weights that is evaluated and kept; 0: the weights themselves",
    True,
)

ENGINE = Column("engine", TEXT, "", "what trains: `native` or `tensorflow`", True)

SETTING = (
    *HYPERPARAMETERS,
    Column("epochs", INT, "epochs", "most epochs to train"),
    Column("patience", INT, "epochs", "early stopping on validation loss; null: none", nullable=True),
)

PLACE = (
    Column("study", TEXT, "", "name of the study"),
    Column("exercise", INT, "", "number of the exercise"),
    Column("parameter", TEXT, "", "what the exercise varies; `candidate` for the optimum"),
    Column("value", FLOAT, "", "the parameter's value; null for a candidate", nullable=True),
    Column("setting", TEXT, "", "the setting's name, such as `filters=64` or `combination`"),
)
