"""Describe a night to people the morning after: each verdict in words, and what changed."""

from collections.abc import Mapping, Sequence

from study.conclusions.changes import Change
from study.conclusions.nights import Verdict
from study.status import NightVerdict
from study.wording import count, points

MAX_NAMED = 8
"""Changes named in a sentence; the table `nights` has all."""

_BY_WEIGHT = (
    NightVerdict.DRIFTED,
    NightVerdict.NO_READING,
    NightVerdict.UNCLEAR,
    NightVerdict.SAME,
    NightVerdict.FIRST,
    NightVerdict.IDENTICAL,
)


def shorten_verdicts(verdicts: Mapping[int, NightVerdict]) -> str:
    """Return a night's verdicts by exercise on one line, the gravest first: "drifted 3, 5; identical 2"."""
    if len(set(verdicts.values())) == 1:
        return next(iter(verdicts.values()))
    return "; ".join(
        f"{name} {', '.join(str(number) for number, each in sorted(verdicts.items()) if each == name)}"
        for name in _BY_WEIGHT
        if name in verdicts.values()
    )


def describe_night(study: str, verdicts: Mapping[int, NightVerdict], changes: Sequence[Change]) -> str:
    """Describe a night in one line, for an alarm: "lab: drifted 3, 5; changed: Keras: 3.1 → 3.2"."""
    named = "; ".join(map(str, changes[:MAX_NAMED])) or "nothing that is recorded"
    is_changed = set(verdicts.values()) - {NightVerdict.IDENTICAL, NightVerdict.FIRST}
    return f"{study}: {shorten_verdicts(verdicts)}" + (f"; changed: {named}" if is_changed else "")


def describe_verdict(verdict: Verdict) -> str:
    """Describe a verdict in one sentence or two."""
    failed = f" {count(verdict.failed_trials, 'trial')} failed and are not compared."
    return _describe(verdict) + (failed if 0 < verdict.failed_trials < verdict.trials else "")


def describe_changes(
    verdict: NightVerdict, compared_with: str | None, changes: Sequence[Change], is_dirty: bool
) -> str:
    """Say what changed since the run that a verdict compares with; nothing if there is none.

    Args:
        verdict: The verdict.
        compared_with: The run compared with.
        changes: What changed since.
        is_dirty: Whether tonight's code had uncommitted changes, which are not recorded.
    """
    if compared_with is None:
        return ""
    if changes:
        named = "; ".join(map(str, changes[:MAX_NAMED]))
        further = f"; and {len(changes) - MAX_NAMED} more" if len(changes) > MAX_NAMED else ""
        without_effect = " without effect" if verdict == NightVerdict.IDENTICAL else ""
        return f"Changed{without_effect} since run {compared_with}: {named}{further}."
    if verdict == NightVerdict.IDENTICAL:
        return f"Nothing recorded changed since run {compared_with}."
    unseen = " The code has uncommitted changes, of which nothing is recorded." if is_dirty else ""
    return f"Nothing recorded changed since run {compared_with}, and yet the weights differ.{unseen}"


def _describe(verdict: Verdict) -> str:
    if verdict.name == NightVerdict.NO_READING:
        return f"No reading: all {count(verdict.trials, 'trial')} failed."
    if verdict.name == NightVerdict.FIRST:
        return "First: no earlier run has read these settings."
    if verdict.name == NightVerdict.IDENTICAL:
        return f"Identical: the weights of {_since(verdict)}."
    done = verdict.trials - verdict.failed_trials
    weights = f"the weights of {verdict.changed_trials} of {count(done, 'trial')} are new"
    against = (
        f"{points(verdict.difference)} points against {count(verdict.distinct_readings, 'distinct reading')} "
        f"of {_since(verdict)}"
    )
    if verdict.name == NightVerdict.UNCLEAR:
        return f"Unclear: {weights}, {against}; single readings do not separate drift from chance."
    chance = f"p = {verdict.p_value:.2g}, an alarm at {verdict.threshold:.2g} or below"
    if verdict.name == NightVerdict.DRIFTED:
        return f"DRIFTED: {against}, most surely {verdict.setting} ({chance}); {weights}."
    return f"Same within noise: {against} ({chance}); {weights}."


def _since(verdict: Verdict) -> str:
    if verdict.earlier_runs == 1 or verdict.name == NightVerdict.IDENTICAL:
        return f"run {verdict.compared_with}"
    return f"{verdict.earlier_runs} runs"
