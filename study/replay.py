"""Whether a row that was trained again is the row that was published: equal, within tolerance, or not."""

from typing import Literal

from study.changes import Change
from study.fact import Fact
from study.recipe import Inputs, Readings, Recipe, is_pointless, list_differences
from study.wording import points

Verdict = Literal["equal", "within tolerance", "differs"]

TOLERANCE = 0.015
"""Allowed difference of accuracies (fractions) where an input differs: the largest that was seen, rounded up.

By `benchmarks/replay.py`, an AMD EPYC with AVX-512 against x86-64-v2, x86-64-v3 and TensorFlow: on all images
medians of 0.0007 to 0.0009, the largest of 120 replays 0.0088; on 2,000 training and 1,000 test images the
largest of 108 replays 0.014. Nothing proves that none ends farther off.
"""

UNSTABLE_RATE = 0.1
"""Learning rates from which trainings may collapse: the last bit of a weight may decide which of them do."""

UNSTABLE_TOLERANCE = 0.1
"""`TOLERANCE` from that rate on: it tells a collapse from a training that learns, and little more.

By the same benchmark at 0.1: on all images medians of 0.016 to 0.021, the largest of 30 replays 0.088; on few
images the largest of 36 replays 0.069.
"""


class Replay(Fact):
    """What became of one row."""

    trial: str
    key: str
    seed: int
    verdict: Verdict
    reason: str
    """Why it is not equal; empty if it is."""
    differences: tuple[Change, ...]
    """The inputs that differ, in the order in which they matter."""
    tolerance: float
    """Allowed difference of accuracies, a fraction, where inputs differ."""
    recorded: Readings
    found: Readings | None
    """None if it was not trained."""


def tolerance_of(recipe: Recipe) -> float:
    """How far apart accuracies (fractions) may be where an input differs."""
    is_unstable = recipe.training.hyperparameters.learning_rate >= UNSTABLE_RATE
    return UNSTABLE_TOLERANCE if is_unstable else TOLERANCE


def refuse(recipe: Recipe, today: Inputs) -> Replay | None:
    """The verdict on a recipe that is contradictory or of other inputs; None if it is to be trained."""
    differences = list_differences(recipe.inputs, today)
    if recipe.faults:
        return _conclude(recipe, differences, None, "differs", f"contradictory: {'; '.join(recipe.faults)}")
    if is_pointless(differences):
        reason = f"not trained, as it would be another training: {differences[0]}"
        return _conclude(recipe, differences, None, "differs", reason)
    return None


def give_up(recipe: Recipe, today: Inputs, reason: str) -> Replay:
    """The verdict on a recipe whose training failed."""
    differences = list_differences(recipe.inputs, today)
    return _conclude(recipe, differences, None, "differs", f"not trained: {reason}")


def judge(recipe: Recipe, found: Readings, today: Inputs) -> Replay:
    """Compare what was read again with what was recorded.

    Args:
        recipe: The row.
        found: What the training reads now.
        today: The inputs it had.
    """
    differences = list_differences(recipe.inputs, today)
    if found == recipe.recorded:
        return _conclude(recipe, differences, found, "equal", "")
    what = _first_unlike(recipe.recorded, found)
    if not differences:
        return _conclude(recipe, differences, found, "differs", f"{what}, and no recorded input differs")
    reason = f"{what}; first differing input: {differences[0]}"
    apart, most = accuracies_apart(recipe.recorded, found), tolerance_of(recipe)
    if apart <= most:
        return _conclude(recipe, differences, found, "within tolerance", reason)
    far = f"accuracies are {_points(apart)} points apart, {_points(most)} are allowed"
    return _conclude(recipe, differences, found, "differs", f"{far}; {reason}")


def accuracies_apart(recorded: Readings, found: Readings) -> float:
    """The larger difference of test and validation accuracy, a fraction."""
    return max(
        abs(recorded.test_accuracy - found.test_accuracy),
        abs(recorded.validation_accuracy - found.validation_accuracy),
    )


def _conclude(
    recipe: Recipe, differences: tuple[Change, ...], found: Readings | None, verdict: Verdict, reason: str
) -> Replay:
    return Replay(
        trial=recipe.trial,
        key=recipe.key,
        seed=recipe.training.seed,
        verdict=verdict,
        reason=reason,
        differences=differences,
        tolerance=tolerance_of(recipe),
        recorded=recipe.recorded,
        found=found,
    )


def _first_unlike(recorded: Readings, found: Readings) -> str:
    """The first reading that is another, in words: of a hash, its beginning."""
    before, now = recorded.model_dump(), found.model_dump()
    name = next(name for name in before if before[name] != now[name])
    return f"{name} was {_brief(before[name])}, now {_brief(now[name])}"


def _brief(value: object) -> str:
    return f"{value[:10]}…" if isinstance(value, str) else f"{value:.6g}"


def _points(fraction: float) -> str:
    return points(fraction).removeprefix("+")
