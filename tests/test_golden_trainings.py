"""Trainings give the keys, scores and weights that are stored: only a new MODEL_VERSION may change them.

`python -m tests.test_golden_trainings` stores what a new MODEL_VERSION gives. Where values are stored for the
version, it only adds hashes for another machine, and only if keys and scores match.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from study.fact import Fact
from study.plan.plan import Training
from study.records.record import Source, StopRule
from study.spec.setting import Setting
from study.spec.study import EngineName
from tasks.data.dataset import Dataset, load_dataset
from tasks.engines.provenance import library_versions, processor_name
from tasks.training.one_training import run_training
from tasks.training.train_on_lanes import MODEL_VERSION
from tests.engines import needs_native

GOLDEN = Path(__file__).with_name("golden_trainings.json")
REMEDY = f"""A change of the training code needs a new MODEL_VERSION (now {MODEL_VERSION}),
in tasks/training/train_on_lanes.py, and then new golden values:
`.venv/bin/python -m tests.test_golden_trainings` writes them."""
SCORES = [f"{images}_{score}" for images in ("train", "validation", "test") for score in ("loss", "accuracy")]

TOLERANCES = {"loss": 1e-3, "accuracy": 0.01}
"""Allowed differences between machines.

Measured on one processor with AVX-512, from GCC 12.2 and TensorFlow 2.21 as they are. Native trainings
compiled by GCC for x86-64, x86-64-v3, sandybridge or znver3, by GCC with -O1, or by Clang for x86-64-v3:
losses at most 1e-6 apart. TensorFlow with ONEDNN_MAX_CPU_ISA=AVX2 or SSE41, or TF_ENABLE_ONEDNN_OPTS=0:
equal to six decimals. No accuracy differed. With some other seeds and learning rates, losses were up to
6e-2 apart.
"""

MANY: Any = {"schedule": "cosine", "augmentation": "flip-shift", "averaging": 0.5, "batch_size": 50}
STOPPING: Any = {"dropout": 0.3, "learning_rate": 0.02, "epochs": 9, "patience": 1}
RECIPES: dict[str, tuple[EngineName, Setting, int]] = {
    "native, plain": ("native", Setting(filters=8, epochs=2), 0),
    "native, dropout, early stopping": ("native", Setting(filters=8, **STOPPING), 128),
    "native, many options": ("native", Setting(filters=8, kernel_size=5, epochs=3, **MANY), 0),
    "tensorflow, many options": ("tensorflow", Setting(filters=8, dropout=0.3, epochs=3, **MANY), 128),
}
"""Engine, setting and images held out, by name."""


class Golden(Fact):
    """A training's key, its scores after each epoch by name, its weights' SHA-256 after each by machine."""

    key: str
    scores: dict[str, tuple[float, ...]]
    weights: dict[str, tuple[str, ...]]


FILE = TypeAdapter(dict[str, dict[str, Golden]])
"""What is stored, by MODEL_VERSION and name."""


def make_training(name: str, dataset: Dataset) -> Training:
    """Make a training whose key depends on no machine and no version of TensorFlow."""
    engine, setting, held_out = RECIPES[name]
    source = Source(
        protocol="held-out" if held_out else "lab", data=dataset.fingerprint, held_out_images=held_out,
        model=MODEL_VERSION, tensorflow="", device="CPU", engine=engine,
    )  # fmt: skip
    return Training(
        hyperparameters=setting.hyperparameters, seed=3, source=source, label=name,
        schedule_epochs=setting.schedule_epochs,
        rules=(StopRule(epochs=setting.epochs, patience=setting.patience),),
    )  # fmt: skip


@cache
def train(name: str, dataset: Dataset) -> Golden:
    """Train in this process, once."""
    record = run_training(make_training(name, dataset), dataset, "golden").record
    scores = {score: tuple(round(getattr(epoch, score), 6) for epoch in record.epochs) for score in SCORES}
    hashes = tuple(epoch.weights_sha256 for epoch in record.epochs)
    return Golden(key=record.key, scores=scores, weights={describe_machine(record.source.engine): hashes})


def describe_machine(engine: EngineName) -> str:
    """Name what decides the bits beside our code.

    Compiler and vectors do not suffice: with "8 numbers, fused", GCC 12 makes other bits for znver3 than for
    haswell. The processor's name does not either: hypervisors give one to many models.
    """
    cpuinfo, versions = Path("/proc/cpuinfo"), library_versions(engine)
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = {"model " + line.split()[-1] for line in lines if line.startswith("model\t")}
    software = [f"{name} {version}" for name, version in versions.items() if name not in ("python", "numpy")]
    options = [f"{name}={value}" for name, value in sorted(os.environ.items()) if "ONEDNN" in name]
    return ", ".join([processor_name(), *sorted(models), *software, *options])


def describe_changes(name: str, found: Golden, stored: Golden) -> str:
    """Say what changed and what to do; empty if nothing did."""
    key = [f"its key is {found.key}, stored is {stored.key}"] if found.key != stored.key else []
    scores = [
        f"{score} by epoch is {values}, stored is {stored.scores[score]}"
        for score, values in found.scores.items()
        if values != pytest.approx(stored.scores[score], rel=0, abs=TOLERANCES[score.partition("_")[2]])
    ]
    weights = [
        f"weights after epoch {epoch} have the SHA-256 {ours[:12]}, stored is {theirs[:12]} for {machine}"
        for machine, hashes in found.weights.items()
        for epoch, (ours, theirs) in enumerate(zip(hashes, stored.weights.get(machine, ()), strict=False), 1)
        if ours != theirs
    ]
    changes = key + scores + weights
    return "\n".join([f"The training '{name}' changed:", *changes, REMEDY]) if changes else ""


def check(name: str, found: Golden) -> Golden:
    """Fail if a training is not what is stored for this MODEL_VERSION, which is returned."""
    stored = FILE.validate_json(GOLDEN.read_bytes()).get(MODEL_VERSION, {})
    if name not in stored:
        pytest.fail(f"'{name}' has no values for MODEL_VERSION {MODEL_VERSION}.\n{REMEDY}", pytrace=False)
    if changes := describe_changes(name, found, stored[name]):
        pytest.fail(changes, pytrace=False)
    return stored[name]


def write(path: Path, dataset: Dataset) -> None:
    """Store what this MODEL_VERSION gives; exit and write nothing where other values are stored for it."""
    versions = FILE.validate_json(path.read_bytes())
    stored = versions.setdefault(MODEL_VERSION, {})
    for name in RECIPES:
        found = train(name, dataset)
        known = stored.setdefault(name, found)
        if changes := describe_changes(name, found, known):
            raise SystemExit(f"Nothing is written. {changes}")
        stored[name] = known.model_copy(update={"weights": found.weights | known.weights})
    path.write_bytes(FILE.dump_json(versions, indent=2) + b"\n")


@pytest.mark.parametrize("name", RECIPES)
def test_a_training_has_the_key_that_is_stored(dataset: Dataset, name: str):
    check(name, Golden(key=make_training(name, dataset).key, scores={}, weights={}))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[needs_native] * name.startswith("native")) for name in RECIPES]
)
def test_a_training_gives_the_scores_and_weights_that_are_stored(dataset: Dataset, name: str):
    found = train(name, dataset)
    stored = check(name, found)
    if not found.weights.keys() & stored.weights.keys():
        pytest.skip(f"its scores match; no hashes of its weights are stored for {', '.join(found.weights)}")


@needs_native
def test_values_that_are_stored_are_not_written_over(dataset: Dataset, tmp_path: Path):
    path = tmp_path / GOLDEN.name
    path.write_text("{}", encoding="utf-8")
    write(path, dataset)
    other = path.read_text(encoding="utf-8").replace('"train_loss": [', '"train_loss": [ 9,')
    path.write_text(other, encoding="utf-8")
    with pytest.raises(
        SystemExit, match=r"Nothing is written\. The training 'native, plain' changed:\ntrain_l"
    ):
        write(path, dataset)
    assert path.read_text(encoding="utf-8") == other


if __name__ == "__main__":
    import tests.conftest  # noqa: F401 - sets TensorFlow's environment first

    write(GOLDEN, load_dataset().first(640, 200))
