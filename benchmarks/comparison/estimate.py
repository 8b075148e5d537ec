"""What the notebook loop took for a whole study: added up, or scaled from fewer repeats or epochs."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean

from benchmarks.comparison.own_study import OwnStudy
from benchmarks.comparison.trial_log import START_UP, TrialTime


@dataclass(frozen=True)
class Total:
    """Seconds of the whole loop, one start-up included, and how many of its trials were measured."""

    wall_seconds: float
    cpu_seconds: float
    measured: int
    cut: int
    trials: int

    @property
    def words(self) -> str:
        """Whether it is measured or estimated, and from what."""
        if self.measured == self.trials and not self.cut:
            return "measured"
        cut = f", {self.cut} of these from their first epochs" if self.cut else ""
        return f"ESTIMATED from {self.measured} of them{cut}"


def add_up_trials(log: Iterable[TrialTime], own: OwnStudy) -> Total:
    """Each setting's mean times its repeats, and the mean of the start-ups.

    A trial that was cut is counted with as many epochs as this project's run of it read.

    Raises:
        ValueError: a setting, or the start-up, was never measured.
    """
    kept = list(log)
    times = {each.name: each for each in kept if each.name != START_UP}
    starts = [each for each in kept if each.name == START_UP]
    measured: defaultdict[str, list[TrialTime]] = defaultdict(list)
    for name, _, setting in own.trials:
        if setting.name in times:
            measured[name].append(_complete(times[setting.name], own.epochs[setting.name]))
    missing = [name for name in own.repeats if not measured[name]]
    if missing or not starts:
        raise ValueError(f"the notebook loop has no time for {(missing or [START_UP])[0]}; run it again")
    count = own.repeats
    return Total(
        _mean_wall(starts) + sum(count[name] * _mean_wall(each) for name, each in measured.items()),
        _mean_cpu(starts) + sum(count[name] * _mean_cpu(each) for name, each in measured.items()),
        sum(map(len, measured.values())),
        sum(each.cut for trials in measured.values() for each in trials),
        len(own.trials),
    )


def _complete(time: TrialTime, epochs: int) -> TrialTime:
    if not time.cut:
        return time
    further = epochs - time.epochs
    return replace(
        time,
        wall_seconds=time.wall_seconds + further * time.last_epoch_wall_seconds,
        cpu_seconds=time.cpu_seconds + further * time.last_epoch_cpu_seconds,
    )


def _mean_wall(times: list[TrialTime]) -> float:
    return fmean(each.wall_seconds for each in times)


def _mean_cpu(times: list[TrialTime]) -> float:
    return fmean(each.cpu_seconds for each in times)
