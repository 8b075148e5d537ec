"""A published row as a recipe, and whether the row that was trained again equals it."""

from collections.abc import Mapping
from typing import Literal

from study.conclusions.comparison import Change, compare_facts
from study.fact import Fact
from study.plan import Training
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


_NEEDED = ("data fingerprint", "model version", "engine", "kind of device")
"""Inputs without which it is no use to train again: the weights would be those of another training."""

_ORDER = (
    *_NEEDED,
    *("TensorFlow", "compiler", "vectors", "NumPy", "Python", "device", "processor"),
    *("git commit", "uncommitted changes", "lock file"),
)
"""In which inputs matter: what computes comes before the code; others come last."""


class Readings(Fact):
    """What a trial reads after its last epoch: losses in nats, accuracies as fractions."""

    epochs_run: int
    weights_sha256: str
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    test_loss: float
    test_accuracy: float


class Recipe(Fact):
    """What re-runs a row of `trials`, and what it must come to."""

    trial: str
    """Exercise, setting and repeat, such as "2/filters=64/1"."""
    key: str
    training: Training
    """Its own stop rule is the only one."""
    recorded: Readings
    inputs: dict[str, str]
    """What, beside hyperparameters and seed, may change its weights: by name, in words."""
    train_images: int
    test_images: int
    seconds: float
    """What its training took when it was recorded."""
    faults: tuple[str, ...] = ()
    """Where the tables contradict each other, in words: one of them is not what was published."""


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


def why_not_trained(recipe: Recipe, today: Mapping[str, str]) -> str:
    """Why it is no use to train a recipe with today's inputs; empty if it is."""
    if recipe.faults:
        return f"contradictory: {'; '.join(recipe.faults)}"
    needed = [each for each in list_differences(recipe.inputs, today) if each.name in _NEEDED]
    return f"not trained, as it would be another training: {needed[0]}" if needed else ""


def judge(recipe: Recipe, today: Mapping[str, str], found: Readings | None, failure: str = "") -> Replay:
    """Compare what was read again with what was recorded.

    Args:
        recipe: The row.
        today: The inputs that training it has now.
        found: What the training reads now; None if it was not trained.
        failure: Why it was not trained.
    """
    differences = list_differences(recipe.inputs, today)
    verdict, reason = _compare(recipe, found, differences) if found else ("differs", failure)
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


def list_differences(recorded: Mapping[str, str], today: Mapping[str, str]) -> tuple[Change, ...]:
    """The inputs that differ, in the order in which they matter."""
    differences = compare_facts(recorded, today)
    return tuple(sorted(differences, key=lambda each: (*_ORDER, each.name).index(each.name)))


def _compare(recipe: Recipe, found: Readings, differences: tuple[Change, ...]) -> tuple[Verdict, str]:
    recorded = recipe.recorded
    if found == recorded:
        return "equal", ""
    what = _first_unlike(recorded, found)
    if not differences:
        return "differs", f"{what}, and no recorded input differs"
    reason = f"{what}; first differing input: {differences[0]}"
    apart = max(
        abs(recorded.test_accuracy - found.test_accuracy),
        abs(recorded.validation_accuracy - found.validation_accuracy),
    )
    allowed = tolerance_of(recipe)
    if apart <= allowed:
        return "within tolerance", reason
    return (
        "differs",
        f"accuracies are {_points(apart)} points apart, {_points(allowed)} are allowed; {reason}",
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
