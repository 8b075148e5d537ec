"""The columns of what the search for the optimum tried, none of them of test images, and of its finals."""

from storage.column import (
    AUGMENTATION,
    AVERAGING,
    BOOL,
    FLOAT,
    HYPERPARAMETERS,
    INT,
    RUN_ID,
    SCHEDULE,
    STUDY,
    TEXT,
    Column,
)

SEARCH = (
    RUN_ID,
    STUDY,
    Column("exercise", INT, "", "number of the exercise that searches"),
    Column("candidate", INT, "", "number of the candidate, from 1, in the order they were begun"),
    Column("origin", TEXT, "", "`sweep`: a setting of a sweep, free; `suggested`: counts for the budget"),
    Column("generation", INT, "", "number of the generation in which it was begun, from 1"),
    *HYPERPARAMETERS,
    SCHEDULE,
    AUGMENTATION,
    AVERAGING,
    Column("key", TEXT, "", "its training; joins with `trainings` and `epochs`"),
    Column("seed", INT, "", "seed of its training: the study's first"),
    Column(
        "state",
        TEXT,
        "",
        "`completed`: trained as long as allowed; `stopped` at a rung; `training`: the search was ended "
        "before; `diverged`; `failed`",
    ),
    Column("epochs_trained", INT, "epochs", "as far as it was trained"),
    Column("epochs", INT, "epochs", "the allowed number of epochs that reads best; null if none", True),
    Column(
        "validation_accuracy", FLOAT, "fraction", "after that many epochs: what the search maximises", True
    ),
    Column("finalist", TEXT, "", "the finalist's name among the candidates in `trials`; null: none", True),
    Column("parameters", INT, "", "weights and biases"),
    Column("multiply_adds", INT, "", "of one forward pass of one image"),
    Column("training_seconds", FLOAT, "s", "of one thread, evaluation included, for the epochs trained"),
)

FINALS = (
    RUN_ID,
    STUDY,
    Column("exercise", INT, "", "number of the exercise"),
    Column("setting", TEXT, "", "the candidate's name; joins with `trials` and `summary`"),
    Column("kept", BOOL, "", "whether it was kept, on validation accuracy"),
    Column("trials", INT, "", "its completed trials"),
    Column("mean_accuracy", FLOAT, "fraction", "mean test accuracy"),
    Column("gain", FLOAT, "fraction", "the kept candidate's mean test accuracy less this one's", True),
    Column("low", FLOAT, "fraction", "lower end of its 95% interval, simultaneous for all pairs", True),
    Column("high", FLOAT, "fraction", "its upper end", True),
    Column("adjusted_p_value", FLOAT, "", "Welch's, corrected for all pairs of candidates by Holm", True),
    Column("as_good", BOOL, "", "whether it cannot be told from the kept one at 5%"),
    Column("cheapest_as_good", BOOL, "", "whether it has the fewest multiply-adds of those"),
    Column("parameters", INT, "", "weights and biases"),
    Column("multiply_adds", INT, "", "of one forward pass of one image"),
)
