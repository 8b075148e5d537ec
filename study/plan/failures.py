"""Decide, from failed trainings, which settings a run gives up, and when it stops."""

from collections import Counter
from collections.abc import Iterable

from study.plan.plan import Training
from study.spec import Hyperparameters

MAX_FAILED = 0.25
"""A run stops early when more than this part of its trainings failed all their attempts..."""

MIN_FAILED = 4
"""...and more than this number did."""


class Failures:
    """Counts the trainings of a run that failed all their attempts.

    A training that diverged is a result, not a failure of the machine: it does not count.
    """

    def __init__(self, planned: int) -> None:
        self._planned = planned
        self._count = 0
        self._quarantined: dict[tuple[Hyperparameters, int | None], str] = {}
        self._sound: set[tuple[Hyperparameters, int | None]] = set()

    def succeed(self, training: Training) -> None:
        """Note that a setting can be trained: it does not cause a failure of another of its trainings."""
        self._sound.add(_setting(training))

    def add(self, training: Training, reason: str) -> None:
        """Count a training that failed; put its setting in quarantine unless another of it succeeds."""
        self._count += 1
        self._quarantined.setdefault(
            _setting(training), f"{training.label} failed all its attempts: {reason}"
        )

    def why_not(self, training: Training) -> str | None:
        """Say why a training is not attempted; None if it is."""
        if self.too_many:
            return "not attempted: the run stopped early, as too many trainings had failed"
        setting = _setting(training)
        quarantined = None if setting in self._sound else self._quarantined.get(setting)
        return quarantined and f"not attempted: this setting is in quarantine, as {quarantined}"

    @property
    def too_many(self) -> str | None:
        """Say why the run stops early; None if it does not."""
        if self._count <= max(MIN_FAILED, MAX_FAILED * self._planned):
            return None
        return (
            f"the run stopped early, as {self._count} of {self._planned} trainings failed "
            f"all their attempts, more than {MAX_FAILED:.0%}"
        )


def describe_reasons(reasons: Iterable[str]) -> str:
    """Describe failures in one line: each kind, most frequent first, with its number and an example."""
    examples: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for reason in reasons:
        kind, _, rest = reason.partition(": ")
        counts[kind] += 1
        examples.setdefault(kind, rest)
    return "; ".join(f"{number} x {kind}: {examples[kind]}" for kind, number in counts.most_common())


def _setting(training: Training) -> tuple[Hyperparameters, int | None]:
    return training.hyperparameters, training.schedule_epochs
