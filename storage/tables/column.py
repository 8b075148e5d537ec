"""Define a column of a table, and the columns that several tables share."""

from dataclasses import dataclass

import pyarrow as pa

TEXT, INT, FLOAT, BOOL, BYTES = pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.binary()
TIME = pa.timestamp("us", tz="UTC")


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
"""Every unit that a column may have, and its meaning."""


@dataclass(frozen=True)
class Column:
    """One column: name, type, unit (one of `UNITS`) and meaning."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table: the meaning of a row, the columns that identify one, and all columns in order."""

    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


RUN_ID = Column("run_id", TEXT, "", "the run; joins every table with `runs`")

STUDY = Column("study", TEXT, "", "name of the study")

HYPERPARAMETERS = (
    Column("filters", INT, "", "filters of the convolution"),
    Column("kernel_size", INT, "pixels", "side of the square kernel"),
    Column("dense_units", INT, "", "units of the hidden dense layer"),
    Column("dropout", FLOAT, "fraction", "dropped after the pooling"),
    Column("learning_rate", FLOAT, "", "SGD learning rate of the first epoch"),
    Column("momentum", FLOAT, "", "SGD momentum"),
    Column("batch_size", INT, "images", "images a step"),
)

SCHEDULE = Column("schedule", TEXT, "", "`constant`, or `cosine`: falling to 0 over the epochs")

AUGMENTATION = Column(
    "augmentation",
    TEXT,
    "",
    "of training images in each epoch: `none`, `flip`, `shift` by up to 2 pixels or `flip-shift`",
)

AVERAGING = Column(
    "averaging",
    FLOAT,
    "",
    "decay an epoch of the moving average of weights that is evaluated and kept; 0: the weights themselves",
)

ENGINE = Column("engine", TEXT, "", "the program that trains: `native` or `tensorflow`")

SETTING = (
    *HYPERPARAMETERS,
    Column("epochs", INT, "epochs", "most epochs to train"),
    Column("patience", INT, "epochs", "early stopping on validation loss; null: none", nullable=True),
)

PLACE = (
    STUDY,
    Column("exercise", INT, "", "number of the exercise"),
    Column("parameter", TEXT, "", "what the exercise varies; `candidate` for the optimum"),
    Column("value", FLOAT, "", "the parameter's value; null for a candidate", nullable=True),
    Column("setting", TEXT, "", "the setting's name, such as `filters=64` or `combination`"),
)
