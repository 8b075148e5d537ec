"""What the notebook loop took for a whole study: added up, or scaled from fewer repeats."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from benchmarks.comparison.own_study import OwnStudy
from benchmarks.comparison.trial_log import START_UP, TrialTime


@dataclass(frozen=True)
class Total:
    """Seconds of the whole loop, one start-up included, and how many of its trials were measured."""

    wall_seconds: float
    cpu_seconds: float
    measured: int
    trials: int

    @property
    def words(self) -> str:
        """Whether it is measured or estimated, and from what."""
        if self.measured == self.trials:
            return "measured"
        return f"ESTIMATED from {self.measured} of them"


def add_up_trials(log: Iterable[TrialTime], own: OwnStudy) -> Total:
    """Each setting's mean times its repeats, and the mean of the start-ups.

    Raises:
        ValueError: a setting, or the start-up, was never measured.
    """
    kept = list(log)
    times = {each.name: each for each in kept if each.name != START_UP}
    starts = [each for each in kept if each.name == START_UP]
    measured: defaultdict[str, list[TrialTime]] = defaultdict(list)
    for name, _, setting in own.trials:
        if setting.name in times:
            measured[name].append(times[setting.name])
    missing = [name for name in own.repeats if not measured[name]]
    if missing or not starts:
        raise ValueError(f"the notebook loop has no time for {(missing or [START_UP])[0]}; run it again")
    count = own.repeats
    return Total(
        _mean_wall(starts) + sum(count[name] * _mean_wall(each) for name, each in measured.items()),
        _mean_cpu(starts) + sum(count[name] * _mean_cpu(each) for name, each in measured.items()),
        sum(map(len, measured.values())),
        len(own.trials),
    )


def _mean_wall(times: list[TrialTime]) -> float:
    return fmean(each.wall_seconds for each in times)


def _mean_cpu(times: list[TrialTime]) -> float:
    return fmean(each.cpu_seconds for each in times)
