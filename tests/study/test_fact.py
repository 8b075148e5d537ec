"""The facts a study is made of: the least, the most and the default of each field, written down once more.

The table is not read off the classes: a bound that is lost or moved there has to be moved here, too.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from study.conclusions.chosen_model import Calibration, ConfusedPair
from study.fact import Fact
from study.plan.cost import Speed
from study.records.record import StopRule
from study.spec.bands import NearBand, OrderBand
from study.spec.claims import BestClaim, HigherClaim, TrendClaim
from study.spec.data import DataSlice
from study.spec.exercises import ImagesExercise, ModelExercise, OptimumExercise, Range, Search
from study.spec.published import PublishedSource
from study.spec.run_start import RunOptions, RunStart
from study.spec.setting import Hyperparameters, Setting
from study.spec.study import Study
from study.spec.sweeps import ParameterSweep

NEEDED = ...
"""Stands for the default of a field that has none."""

EXERCISE = {"number": 2, "title": "Filters", "question": "How many?"}
IMAGES = partial(ImagesExercise, **EXERCISE, kind="images")
SWEEP = partial(ParameterSweep, **EXERCISE, kind="sweep", parameter="filters", values=(8,), repeats=1)
OPTIMUM = partial(OptimumExercise, **EXERCISE, kind="optimum", candidates={"wide": {"filters": 64}})
MODEL = partial(ModelExercise, **EXERCISE, kind="model")
SEARCH = partial(Search, space={"filters": [8, 16]}, trainings=1)
TIMED_SEARCH = partial(Search, space={"filters": [8, 16]}, minutes=1)
STUDY = partial(Study, name="lab", title="Lab", exercises=(IMAGES(),))
START = partial(RunStart, run_id="20260102T030405Z-lab-1a2b", started_at="2026-01-02T03:04:05Z")
SPEED = partial(Speed, hyperparameters=Hyperparameters(), train_seconds=1, evaluation_seconds=1)
CALIBRATION = partial(
    Calibration, temperature=1, fitted_on="test images", images=1, error_before=0, error_after=0
)
CONFUSED = partial(ConfusedPair, true_class="Shirt", predicted_class="Coat", images=1, of=9, examples=())
BEST = partial(BestClaim, kind="best", claim="It is best.", exercise=2, value=8)
HIGHER = partial(HigherClaim, kind="higher", claim="It is higher.", exercise=2, value=8, than=(4,))
TREND = partial(TrendClaim, kind="trend", claim="It rises.", exercise=2, values=(1, 2, 3))
ORDER = partial(OrderBand, kind="order", claim="In order.", exercise=2, groups=((1,), (2,)))
NEAR = partial(NearBand, kind="near", claim="Near.", exercise=2, reference=8, margin=1)

FIELDS = [
    # made by, field, default, allowed, refused
    (Hyperparameters, "filters", 32, (1, 1024), (0, 1025)),
    (Hyperparameters, "kernel_size", 3, (1, 27), (0, 28)),
    (Hyperparameters, "dense_units", 16, (1, 8192), (0, 8193)),
    (Hyperparameters, "dropout", 0.0, (0, 0.999), (-0.001, 1)),
    (Hyperparameters, "learning_rate", 0.01, (1e-9, 10), (0, 10.001)),
    (Hyperparameters, "momentum", 0.9, (0, 0.999), (-0.001, 1)),
    (Hyperparameters, "batch_size", 32, (1, 10_000), (0, 10_001)),
    (Hyperparameters, "schedule", "constant", ("constant", "cosine"), ("linear",)),
    (Hyperparameters, "augmentation", "none", ("none", "flip", "shift", "flip-shift"), ("turn",)),
    (Hyperparameters, "averaging", 0.0, (0, 0.999), (-0.001, 1)),
    (Setting, "epochs", 5, (1, 1000), (0, 1001)),
    (Setting, "patience", None, (None, 1, 1000), (0, 1001)),
    (partial(StopRule, epochs=1), "patience", None, (None, 1), ()),
    (DataSlice, "train_images", 60_000, (100, 60_000), (99, 60_001)),
    (DataSlice, "test_images", 10_000, (100, 10_000), (99, 10_001)),
    (DataSlice, "held_out_images", 10_000, (10, 59_999), (9, 60_000)),
    (STUDY, "name", NEEDED, ("a", "9", "a-b", "a" * 40), ("", "-a", "A", "a" * 41, "a_b")),
    (STUDY, "title", NEEDED, ("T",), ("",)),
    (STUDY, "protocol", "lab", ("lab", "held-out"), ("none",)),
    (STUDY, "seed", 1, (0, 1_000_000), (-1, 1_000_001)),
    (STUDY, "target_accuracy", 0.88, (0.001, 0.999), (0, 1)),
    (STUDY, "published", None, (None,), ("published.csv",)),
    (IMAGES, "number", NEEDED, (1, 99), (0, 100)),
    (IMAGES, "title", NEEDED, ("T",), ("",)),
    (IMAGES, "question", NEEDED, ("?",), ("",)),
    (SWEEP, "values", NEEDED, ((8.0,),), ((),)),
    (SWEEP, "repeats", NEEDED, (1, 1000), (0, 1001)),
    (SWEEP, "fixed", {}, ({"epochs": 3},), ()),
    (OPTIMUM, "repeats", 1, (1, 1000), (0, 1001)),
    (partial(OPTIMUM, combine=(2,)), "candidates", NEEDED, ({},), ()),
    (OPTIMUM, "combine", (), ((), (2, 3)), ()),
    (OPTIMUM, "search", None, (None,), ("all",)),
    (MODEL, "file_name", "Fashion_MNIST_model", ("a", "A-_9", "a" * 64), ("", "a.b", "a" * 65)),
    (MODEL, "new_image", 0, (0, 9999), (-1, 10_000)),
    (partial(Range, low=1, high=9), "log", False, (False, True), ("often",)),
    (partial(Range, low=1, high=9), "step", None, (None, 0.001), (0,)),
    (SEARCH, "trainings", NEEDED, (1, 10_000), (0, 10_001)),
    (TIMED_SEARCH, "minutes", NEEDED, (0.001,), (0,)),
    (SEARCH, "minutes", None, (None,), (0,)),
    (TIMED_SEARCH, "trainings", None, (None,), (0,)),
    (SEARCH, "generation", 8, (1, 1000), (0, 1001)),
    (SEARCH, "finalists", 3, (1, 20), (0, 21)),
    (partial(PublishedSource, averages="a.csv"), "readings", None, (None,), ()),
    (partial(PublishedSource, averages="a.csv"), "bands", (), ((),), ()),
    (partial(PublishedSource, averages="a.csv"), "claims", (), ((),), ()),
    (partial(PublishedSource, averages="a.csv"), "margin", 0.5, (0.001,), (0,)),
    (partial(PublishedSource, averages="a.csv"), "deviation", None, (None, 0.001), (0,)),
    (partial(PublishedSource, averages="a.csv"), "explanation", "", ("", "noise"), ()),
    (SPEED, "train_seconds", NEEDED, (1e-9,), (0,)),
    (SPEED, "evaluation_seconds", NEEDED, (1e-9,), (0,)),
    (CALIBRATION, "temperature", NEEDED, (0.001, 999.999), (0, 1000, float("inf"))),
    (CONFUSED, "examples", NEEDED, ((), (1, 2, 3, 4, 5, 6)), ((1, 2, 3, 4, 5, 6, 7),)),
    (BEST, "claim", NEEDED, ("C",), ("",)),
    (HIGHER, "than", NEEDED, ((4.0,),), ((),)),
    (TREND, "values", NEEDED, ((1.0, 2.0, 3.0),), ((1, 2),)),
    (ORDER, "claim", NEEDED, ("C",), ("",)),
    (ORDER, "groups", NEEDED, (((1.0,), (2.0,)),), (((1,),),)),
    (NEAR, "margin", NEEDED, (0.001,), (0,)),
    (RunOptions, "repeats", 0, (0, 1000), (-1, 1001)),
    (RunOptions, "lanes", 0, (0, 1000), (-1, 1001)),
    (RunOptions, "lanes_per_gpu", 1, (1, 1000), (0, 1001)),
    (RunOptions, "protocol", "as the study says", ("lab", "held-out"), ("none",)),
    (RunOptions, "engine", "auto", ("tensorflow", "native"), ("jax",)),
    (START, "run_id", NEEDED, ("20260102T030405Z-a-1a2b", f"20260102T030405Z-{'a' * 40}-{'0' * 16}"),
     ("lab", "20260102T030405Z--1a2b", "20260102T030405Z-a-1a2", "20260102T030405Z-a-1A2B",
      f"20260102T030405Z-{'a' * 41}-1a2b", f"20260102T030405Z-a-{'0' * 17}")),
    (START, "flow_run_id", None, (None, "1a2b"), ()),
    (START, "resumed", 0, (0, 1), (-1,)),
]  # fmt: skip


def _name(make: Callable[..., Fact]) -> str:
    while isinstance(make, partial):
        make = make.func
    return make.__name__  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("make", "field", "default", "allowed", "refused"),
    FIELDS,
    ids=[f"{_name(each[0])}.{each[1]}" for each in FIELDS],
)
def test_a_field_takes_what_is_allowed_and_nothing_beyond(
    make: Callable[..., Fact], field: str, default: Any, allowed: tuple[Any, ...], refused: tuple[Any, ...]
):
    if default is not NEEDED:
        assert make().model_dump()[field] == default
    for value in allowed:
        assert make(**{field: value}).model_dump()[field] == value
    for value in refused:
        with pytest.raises(ValidationError) as told:
            make(**{field: value})
        assert {error["loc"][0] for error in told.value.errors()} == {field}, value


def test_a_group_of_an_order_has_a_value():
    with pytest.raises(ValidationError) as told:
        ORDER(groups=((1,), ()))
    assert told.value.errors()[0]["loc"] == ("groups", 1)


def test_a_fact_is_frozen_and_takes_no_unknown_field_and_no_infinity():
    setting = Setting()
    with pytest.raises(ValidationError, match="Instance is frozen"):
        setting.epochs = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Setting.model_validate({"depth": 3})
    with pytest.raises(ValidationError, match="Input should be a finite number"):
        StopRule.model_validate({"epochs": float("inf")})
    with pytest.raises(ValidationError, match="Input should be a finite number"):
        NEAR(reference=float("nan"))
