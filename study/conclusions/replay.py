"""Turn a published row into a recipe, and judge whether the row trained again equals it."""

from collections.abc import Mapping

from study.conclusions.changes import Change, compare_facts
from study.fact import Fact
from study.plan import Training
from study.status import ReplayVerdict
from study.wording import points

TOLERANCE = 0.015
"""Allowed difference of accuracies (fractions) if an input differs: the largest one seen, rounded up.

By `benchmarks/replay.py`, an AMD EPYC with AVX-512 against x86-64-v2, x86-64-v3 and TensorFlow: on all images
medians of 0.0007 to 0.0009, the largest of 120 replays 0.0088; on 2,000 training and 1,000 test images the
largest of 108 replays 0.014. A larger difference is possible.
"""

UNSTABLE_RATE = 0.1
"""Learning rates from which trainings may collapse: the last bit of a weight may decide which of them do."""

UNSTABLE_TOLERANCE = 0.1
"""`TOLERANCE` from that rate on: it separates a collapse from a training that learns, and little more.

By the same benchmark at 0.1: on all images medians of 0.016 to 0.021, the largest of 30 replays 0.088; on few
images the largest of 36 replays 0.069.
"""


_NEEDED = ("data fingerprint", "model version", "engine", "kind of device")
"""Inputs that must be equal to train again: otherwise the weights would be those of another training."""

_ORDER = (
    *_NEEDED,
    *("TensorFlow", "compiler", "vectors", "NumPy", "Python", "device", "processor"),
    *("git commit", "uncommitted changes", "lock file"),
)
"""The order in which inputs matter: the computing parts, then the code, then others."""


class Readings(Fact):
    """A trial's readings after its last epoch: losses in nats, accuracies as fractions."""

    epochs_run: int
    weights_sha256: str
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    test_loss: float
    test_accuracy: float


class Recipe(Fact):
    """The recipe that re-runs a row of `trials`, and the expected result."""

    trial: str
    """Exercise, setting and repeat, such as "2/filters=64/1"."""
    key: str
    training: Training
    """Its own stop rule is the only one."""
    recorded: Readings
    inputs: dict[str, str]
    """The inputs besides hyperparameters and seed that may change its weights: by name, in words."""
    train_images: int
    test_images: int
    seconds: float
    """The time its training took when it was recorded."""
    faults: tuple[str, ...] = ()
    """The contradictions of the tables, in words: one of them is not the published one."""


class Replay(Fact):
    """The outcome of one row."""

    trial: str
    key: str
    seed: int
    verdict: ReplayVerdict
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
    """Return how far apart accuracies (fractions) may be if an input differs."""
    is_unstable = recipe.training.hyperparameters.learning_rate >= UNSTABLE_RATE
    return UNSTABLE_TOLERANCE if is_unstable else TOLERANCE


def why_not_trained(recipe: Recipe, today: Mapping[str, str]) -> str:
    """Say why training a recipe with today's inputs is useless; empty if it is useful."""
    if recipe.faults:
        return f"contradictory: {'; '.join(recipe.faults)}"
    needed = [each for each in list_differences(recipe.inputs, today) if each.name in _NEEDED]
    return f"not trained, as it would be another training: {needed[0]}" if needed else ""


def judge(recipe: Recipe, today: Mapping[str, str], found: Readings | None, failure: str = "") -> Replay:
    """Compare the new readings with the recorded ones.

    Args:
        recipe: The row.
        today: The inputs that training it has now.
        found: The training's readings now; None if it was not trained.
        failure: Why it was not trained.
    """
    differences = list_differences(recipe.inputs, today)
    verdict, reason = _compare(recipe, found, differences) if found else (ReplayVerdict.DIFFERS, failure)
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
    """List the inputs that differ, in the order in which they matter."""
    differences = compare_facts(recorded, today)
    return tuple(sorted(differences, key=lambda each: (*_ORDER, each.name).index(each.name)))


def _compare(recipe: Recipe, found: Readings, differences: tuple[Change, ...]) -> tuple[ReplayVerdict, str]:
    recorded = recipe.recorded
    if found == recorded:
        return ReplayVerdict.EQUAL, ""
    what = _first_unlike(recorded, found)
    if not differences:
        return ReplayVerdict.DIFFERS, f"{what}, and no recorded input differs"
    reason = f"{what}; first differing input: {differences[0]}"
    apart = max(
        abs(recorded.test_accuracy - found.test_accuracy),
        abs(recorded.validation_accuracy - found.validation_accuracy),
    )
    allowed = tolerance_of(recipe)
    if apart <= allowed:
        return ReplayVerdict.WITHIN_TOLERANCE, reason
    return (
        ReplayVerdict.DIFFERS,
        f"accuracies are {_points(apart)} points apart, {_points(allowed)} are allowed; {reason}",
    )


def _first_unlike(recorded: Readings, found: Readings) -> str:
    """Name the first reading that differs, in words; of a hash, its beginning."""
    before, now = recorded.model_dump(), found.model_dump()
    name = next(name for name in before if before[name] != now[name])
    return f"{name} was {_brief(before[name])}, now {_brief(now[name])}"


def _brief(value: object) -> str:
    return f"{value[:10]}…" if isinstance(value, str) else f"{value:.6g}"


def _points(fraction: float) -> str:
    return points(fraction).removeprefix("+")
