"""How trials, trainings, runs and candidates can end, and how they compare: the words in the tables."""

from enum import StrEnum


class Status(StrEnum):
    """How a trial or a training ended: the column `status` of `trials` and `trainings`."""

    COMPLETED = "completed"
    FAILED = "failed"


class RunStatus(StrEnum):
    """How a run ended: the column `status` of `runs`."""

    COMPLETED = "completed"
    WITH_FAILURES = "completed with failures"
    STOPPED_EARLY = "stopped early"


class CandidateState(StrEnum):
    """Where a candidate of the search stands: the column `state` of `search`."""

    TRAINING = "training"
    STOPPED = "stopped"
    COMPLETED = "completed"
    DIVERGED = "diverged"
    FAILED = "failed"


class NightVerdict(StrEnum):
    """How a fresh run compares with earlier ones, the gravest first: the column `verdict` of `nights`."""

    DRIFTED = "drifted"
    NO_READING = "no reading"
    UNCLEAR = "unclear"
    SAME = "same within noise"
    FIRST = "first"
    IDENTICAL = "identical"


class Agreement(StrEnum):
    """How two means compare, or a mean and a statement: the column `verdict` of `agreement`."""

    IDENTICAL = "identical"
    AGREES = "agrees"
    CONSISTENT = "consistent"
    DIFFERS = "differs"
    INSIDE = "inside"
    OUTSIDE = "outside"
    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    NOT_MEASURED = "not measured"


class ReplayVerdict(StrEnum):
    """How a trial that was trained again compares with its row in `trials`."""

    EQUAL = "equal"
    WITHIN_TOLERANCE = "within tolerance"
    DIFFERS = "differs"


class Published(StrEnum):
    """What was published: the column `kind` of `agreement`."""

    POOLED = "pooled"
    CELL = "cell"
    BAND = "band"
    CLAIM = "claim"
