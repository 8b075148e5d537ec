"""How trials, trainings, runs and candidates of the search can end: the words in the tables."""

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
