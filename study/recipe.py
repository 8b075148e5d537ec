"""A row as a recipe: what training it again needs, what it read, and what was recorded of its inputs."""

from collections.abc import Iterable

from study.changes import NOT_RECORDED, Change
from study.fact import Fact
from study.plan import Training

_TITLES = {"tensorflow": "TensorFlow", "numpy": "NumPy", "python": "Python"}

_NEEDED = ("data fingerprint", "model version", "engine", "kind of device")
"""Inputs without which it is no use to train again: the weights would be those of another training."""


class Inputs(Fact):
    """What, beside hyperparameters and seed, may change a training's weights; None where it is not known."""

    data: str
    """Fingerprint of the images and labels in use."""
    model: str
    """Version of the model and training code."""
    engine: str
    kind: str
    """Kind of device, "CPU" or "GPU"."""
    versions: dict[str, str]
    device: str | None
    """What it trained on: "CPU", or the GPU's name."""
    processor: str | None
    git_commit: str | None
    changes: str | None
    """Uncommitted changes: their hash, "yes" or "no"."""


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
    inputs: Inputs
    train_images: int
    test_images: int
    seconds: float
    """What its training took when it was recorded."""
    faults: tuple[str, ...] = ()
    """Where the tables contradict each other, in words: one of them is not what was published."""


def list_differences(recorded: Inputs, today: Inputs) -> tuple[Change, ...]:
    """The inputs that differ, in the order in which they matter."""
    libraries = _in_order({**recorded.versions, **today.versions})
    before, now = (_list_inputs(inputs, libraries) for inputs in (recorded, today))
    return tuple(
        Change(name=name, before=before[name], now=now[name]) for name in before if before[name] != now[name]
    )


def is_pointless(differences: tuple[Change, ...]) -> bool:
    """Whether training again could only give the weights of another training."""
    return any(each.name in _NEEDED for each in differences)


def _list_inputs(inputs: Inputs, libraries: list[str]) -> dict[str, str]:
    needed = zip(_NEEDED, (inputs.data, inputs.model, inputs.engine, inputs.kind), strict=True)
    versions = {_TITLES.get(name, name): inputs.versions.get(name, NOT_RECORDED) for name in libraries}
    return {
        **dict(needed),
        **versions,
        "device": inputs.device or NOT_RECORDED,
        "processor": inputs.processor or NOT_RECORDED,
        "git commit": inputs.git_commit or NOT_RECORDED,
        "uncommitted changes": inputs.changes or NOT_RECORDED,
    }


def _in_order(libraries: Iterable[str]) -> list[str]:
    """What computes comes first."""
    first = ("tensorflow", "compiler", "vectors", "numpy", "python")
    return sorted(libraries, key=lambda name: (first.index(name) if name in first else len(first), name))
