"""The DAG once everything is trained: summarise, compare, export, publish, draw, report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import allow_failure
from prefect.futures import PrefectFuture

from flows.artifacts import show_results
from flows.night_events import tell_night
from flows.request import Request
from flows.steps import result_or_none, submit
from storage.tables import RunFrames
from study.published import read_averages
from tasks.aggregate import Context, Outcome, Row, list_epochs, list_trainings
from tasks.compare_nights import compare_nights
from tasks.compare_settings import compare_settings
from tasks.confused_images import draw_confused_images
from tasks.dataset import Dataset
from tasks.draw_figures import draw_figures
from tasks.export import export_model
from tasks.hold_against_published import hold_run_against_published
from tasks.lanes import Lanes
from tasks.optimum import choose_optimum
from tasks.publish import Circumstances, publish_run
from tasks.recorded import CONFUSED, describe_pictures, list_models, list_pictures
from tasks.report import write_report
from tasks.summarise import summarise_trials


@dataclass(frozen=True)
class Work:
    """What was trained, and under which circumstances; some of it as futures of the DAG's steps."""

    request: Request
    lanes: Lanes
    context: Context
    circumstances: Circumstances
    dataset: PrefectFuture[Dataset]
    sheet: PrefectFuture[Path] | None
    outcomes: Mapping[str, Outcome]
    trained: Sequence[Any]
    trials: PrefectFuture[list[Row]]


def conclude_run(work: Work) -> RunFrames:
    """Conclude a run and return its tables, which are published even if the model cannot be saved."""
    request, study, context, dataset = work.request, work.request.study, work.context, work.dataset
    results, run_id, trials = request.results, request.run_id, work.trials
    trainings = submit(list_trainings, context, work.outcomes, wait_for=work.trained)
    epochs = submit(list_epochs, context, work.outcomes, wait_for=work.trained)
    averages = read_averages(study.published)
    summary = submit(summarise_trials, study, dataset.result().test_count, trials, averages)
    comparisons = submit(compare_settings, study, run_id, trials)
    agreement = submit(hold_run_against_published, study, run_id, trials)
    compared = (results, context, work.circumstances, dataset, trials, trainings)
    nights: Any = submit(compare_nights, *compared) if request.fresh else []

    optimum = submit(choose_optimum, study, trials)
    model = None
    if study.model is not None and optimum.result() is not None:
        model = submit(export_model, optimum, study.model, dataset, results, work.lanes, run_id)
    confused = None
    if model is not None:
        path = results.figures(run_id) / f"{CONFUSED}.png"
        confused = submit(draw_confused_images, model, dataset, path)
    images = [each for each in (work.sheet, model, confused) if each is not None]
    pictures = describe_pictures(study, result_or_none(work.sheet), result_or_none(confused))
    frames = submit(
        publish_run,
        results,
        context,
        work.circumstances,
        dataset,
        work.outcomes,
        trials,
        trainings,
        epochs,
        summary,
        nights,
        comparisons,
        agreement,
        list_models(run_id, study.name, result_or_none(model)),
        list_pictures(run_id, pictures),
        wait_for=[allow_failure(each) for each in images],
    )
    figures = submit(draw_figures, study, results, frames)
    # In the order of the DAG, so that what is raised is the first failure, not what waited for it in vain.
    before: list[PrefectFuture[Any]] = [trials, trainings, epochs, summary, comparisons, agreement]
    for step in before:
        step.result()
    published = frames.result()
    for image in images:
        image.result()
    report = submit(write_report, results, study, frames, figures)
    show_results(published, figures.result(), pictures, report.result())
    tell_night(published)
    return published
