"""Load the data a study uses, compile it to trainings, measure the machine, and forecast."""

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from storage.results import Results
from storage.run_starts import read_speeds, save_speeds
from storage.trainings import find_training, read_records
from study.errors import InputError
from study.plan import (
    Amount,
    CostModel,
    Forecast,
    Job,
    Plan,
    Predictor,
    SearchProgress,
    Sizes,
    compile_plan,
    key_of,
    list_shapes,
    list_trials,
    network_of,
)
from study.records import TrainingRecord
from study.spec import NARROWED, Cell, EngineName, Hyperparameters, Study
from study.wording import count, duration
from tasks.data import Dataset, find_images, load_images, refer_to_images
from tasks.lanes import Lanes
from tasks.optimum import OptimumSearch, choose_finalists, play_back
from tasks.step import step
from tasks.training.speeds import (
    MEASURING_SECONDS,
    count_sizes,
    list_recorded_speeds,
    list_sizes,
    measure_speeds,
    name_machine,
)
from tasks.training.train_on_lanes import describe_source

logger = logging.getLogger(__name__)

MEASURING_SHARE = 0.02
"""Largest fraction of the lanes' predicted time that may be spent to predict it better."""


@step("load data")
def load_data(study: Study, folder: Path | None = None) -> Dataset:
    """Find, verify and open the dataset, and take the images the study uses.

    Raises:
        InputError: no source has the sound dataset.
    """
    return load_images(study.data, folder)


@step("plan")
def plan_study(study: Study, dataset: Dataset, device: str, engine: EngineName) -> Plan:
    """Compile the study's trials to trainings."""
    return compile_plan(study, list_trials(study), describe_source(study, dataset, device, engine))


def plan_ahead(study: Study, device: str, engine: EngineName) -> Plan:
    """Compile the study's trials before the dataset is loaded: its fingerprint is known."""
    return plan_study.fn(study, refer_to_data(study), device, engine)


def refer_to_data(study: Study) -> Dataset:
    """Return a reference to the images the study uses, whether or not this machine has them."""
    return refer_to_images(study.data)


def find_data(study: Study) -> Study:
    """Return the study with what was found of its images: their facts, checksums and every count.

    Raises:
        InputError: they cannot be read, or do not suit the study.
    """
    if not study.data.is_own:
        return study
    try:
        found = Study.model_validate({**dict(study), "data": find_images(study.data)}, context=NARROWED)
    except ValidationError as error:
        raise InputError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
    height, width, _ = found.data.images.shape
    most = min(height, width) - 1
    for trial in list_trials(found):
        if trial.setting.kernel_size > most:
            raise InputError(
                f"exercise {trial.exercise}: kernel_size {trial.setting.kernel_size} is too large for images "
                f"of {height} x {width} pixels; at most {most} is allowed"
            )
    return found


@step("forecast")
def forecast_plan(
    study: Study,
    plan: Plan,
    dataset: Dataset,
    results: Results,
    lanes: Lanes,
    fresh: bool = False,
    budget_seconds: float | None = None,
) -> Forecast:
    """Predict the cost of a plan, and sort its trainings: first repeats first, then the longest.

    If the machine's speed is not known for the plan's shapes, a few steps of each are measured on the lanes,
    unless that is a large part of the whole. Measurements are kept with the results.

    Raises:
        InputError: the run is predicted to take longer than the budget; nothing was trained.
    """
    predictor = make_predictor(study, plan, dataset, results, lanes, fresh)
    forecast = predict(study, plan, predictor, lanes.useful)
    logger.info("%s", describe_forecast(forecast))
    if budget_seconds is not None and forecast.wall_seconds > budget_seconds:
        raise InputError(
            f"--budget: {describe_forecast(forecast)}, more than the {duration(budget_seconds)} allowed; "
            "nothing was trained. Allow more, give more lanes, or choose fewer --exercises"
        )
    return forecast


def predict(study: Study, plan: Plan, predictor: Predictor, lanes: int) -> Forecast:
    """Predict a plan's cost on this number of lanes, at least one, all equally fast."""
    read = _read_cells(plan, predictor.history)
    return predictor.forecast(study, plan, max(1, lanes), read)


def compare_sharing(study: Study, plan: Plan, predictor: Predictor, lanes: int) -> tuple[Forecast, Forecast]:
    """Predict the cost without kept trainings: with trials sharing trainings, and with one for each trial."""
    from_nothing = replace(predictor, kept={}, search=None)
    unshared = compile_plan(study, plan.trials, plan.source, sharing=False)
    return predict(study, plan, from_nothing, lanes), predict(study, unshared, from_nothing, lanes)


def predict_jobs(study: Study, plan: Plan, results: Results, lanes: Lanes, fresh: bool = False) -> list[Job]:
    """Predict the trainings of a small plan from current records and measurements, sorted."""
    return gather(study, plan, results, lanes, fresh).predict_trainings(plan, max(1, lanes.useful))


def make_predictor(
    study: Study, plan: Plan, dataset: Dataset, results: Results, lanes: Lanes, fresh: bool = False
) -> Predictor:
    """Return the inputs of a forecast; measure the machine's speed if it is unknown and worth the time.

    Without the dataset, as before a first run, nothing is measured.
    """
    predictor = gather(study, plan, results, lanes, fresh)
    counted = _count_networks(plan, predictor, lanes)
    if counted:
        predictor = gather(study, plan, results, lanes, fresh, counted)
    predictor = replace(predictor, search=_known_search(study, plan, predictor.kept))
    missing = _choose_shapes(plan, predictor)
    if not missing or not dataset.is_cached:
        return predictor
    seconds = duration(MEASURING_SECONDS * len(missing) / max(1, len(lanes.devices)) + 8)
    logger.info("measuring the speed of %s: about %s, once", count(len(missing), "shape"), seconds)
    machine = name_machine(plan.source, lanes.processor)
    measured = measure_speeds(lanes, plan.source, dataset, missing)
    save_speeds(results, machine, (*read_speeds(results, machine), *measured))
    return replace(gather(study, plan, results, lanes, fresh, counted), search=predictor.search)


def _count_networks(plan: Plan, predictor: Predictor, lanes: Lanes) -> Sizes:
    """Let a lane count the sizes of the plan's networks that are not known; none for the lab's network."""
    if plan.source.network is None:
        return {}
    waiting = [each for each in plan.trainings if not predictor.predict(each).is_reused]
    networks = dict.fromkeys(network_of(each.hyperparameters) for each in waiting)
    missing = [each for each in networks if not predictor.costs.has_counted(each)]
    if not missing:
        return {}
    return dict(lanes.run("count operations", count_sizes, plan.source, missing))


def gather(
    study: Study,
    plan: Plan,
    results: Results,
    lanes: Lanes,
    fresh: bool = False,
    counted: Sizes = MappingProxyType({}),
) -> Predictor:
    """Return kept trainings, their times, and the measurements of the lanes' machine."""
    held_out = plan.source.held_out_images
    amount = Amount(study.data.train_images - held_out, study.data.test_images + held_out)
    found = {each.key: find_training(results, each.key) for each in plan.trainings}
    history = {record.key: record for record in read_records(results)}
    damaged = {key for key, record in found.items() if record is None}
    kept = {} if fresh else {key: record for key, record in history.items() if key not in damaged}
    measured = read_speeds(results, name_machine(plan.source, lanes.processor))
    recorded = list_recorded_speeds(list(history.values()), plan.source, amount, lanes.processor)
    sizes = {**list_sizes(plan.source, list(history.values()), measured), **counted}
    engine = "keras" if plan.source.network else plan.source.engine
    costs = CostModel(measured, recorded, engine, lanes.share_cores, plan.source.images, sizes)
    return Predictor(kept, history, costs, amount)


def describe_forecast(forecast: Forecast) -> str:
    """Describe a forecast in one line."""
    low, high = map(duration, forecast.interval)
    waiting = sum(not job.is_reused for job in forecast.jobs) + len(forecast.later_seconds)
    return (
        f"predicted {duration(forecast.wall_seconds)} (95%: {low} to {high}) on "
        f"{count(forecast.lanes, 'lane')} for {count(waiting, 'training')}"
    )


def _choose_shapes(plan: Plan, predictor: Predictor) -> list[Hyperparameters]:
    """Choose the unknown shapes that are worth measuring, the costliest first."""
    jobs = sorted(map(predictor.predict, plan.trainings), key=lambda job: -job.seconds)
    waiting = [job for job in jobs if not job.is_reused]
    allowed = int(MEASURING_SHARE * sum(job.seconds for job in waiting) / MEASURING_SECONDS)
    shapes = list_shapes([job.training.hyperparameters for job in waiting])
    missing = [shape for shape in shapes if not predictor.costs.knows(shape)]
    return missing[:allowed]


def _known_search(study: Study, plan: Plan, kept: Mapping[str, TrainingRecord]) -> SearchProgress | None:
    """Return the state that the study's search reaches by kept trainings; None if it has no search."""
    if study.optimum is None or study.optimum.search is None:
        return None
    search = OptimumSearch(study, plan.source, study.optimum.search)
    if play_back(search, kept):
        return SearchProgress(search.left)
    return SearchProgress(0.0, choose_finalists.fn(search))


def _read_cells(plan: Plan, history: Mapping[str, TrainingRecord]) -> dict[Cell, list[float]]:
    """Return what earlier runs tell of a plan's trials: validation accuracies by exercise and value."""
    found: dict[Cell, list[float]] = defaultdict(list)
    for trial in plan.trials:
        record = history.get(key_of(trial, plan.source))
        reading = None if record is None else record.read(trial.rule)
        if reading is not None:
            found[trial.exercise, trial.value].append(reading.last.validation_accuracy)
    return found
