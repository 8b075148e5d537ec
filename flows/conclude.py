"""The DAG after the last training: summarise, compare, export, publish, draw, report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import allow_failure
from prefect.futures import PrefectFuture

from flows.prepare import Request
from flows.shown import show_report, tell_night
from flows.sweep import result_or_none, submit
from storage.tables import RunTables, TrialRow
from study.conclusions import ChosenModel
from study.spec import read_averages
from tasks.data import Dataset
from tasks.figures import draw_confused_images, draw_figures
from tasks.lanes import Lanes
from tasks.model import export_model
from tasks.optimum import OptimumSearch, choose_optimum, compare_candidates, list_candidates
from tasks.report import write_report
from tasks.tables import (
    CONFUSED,
    Outcome,
    RunContext,
    RunFacts,
    compare_nights,
    compare_run_with_published,
    compare_settings,
    describe_pictures,
    list_epochs,
    list_models,
    list_pictures,
    list_trainings,
    publish_run,
    summarise_trials,
)


@dataclass(frozen=True)
class Work:
    """The trained part of a run and the facts about it; some fields are futures of the DAG's steps."""

    request: Request
    lanes: Lanes
    context: RunContext
    run_facts: RunFacts
    dataset: PrefectFuture[Dataset]
    sheet: PrefectFuture[Path] | None
    outcomes: Mapping[str, Outcome]
    trained: Sequence[Any]
    trials: PrefectFuture[list[TrialRow]]
    search: OptimumSearch | None = None


def conclude_run(work: Work) -> RunTables:
    """Conclude a run and return its tables, which are published even if the model cannot be saved."""
    request, study = work.request, work.request.study
    model, confused = _save_model(work)
    chosen = result_or_none(model)
    # Without a model this step never runs and has no result.
    drawn = None if chosen is None else result_or_none(confused)
    pictures = describe_pictures(study, result_or_none(work.sheet), drawn)
    rows = _make_rows(work) | {
        "models": list_models(request.run_id, study.name, chosen),
        "pictures": list_pictures(request.run_id, study.name, pictures),
    }
    of_run = (request.results, work.context, work.run_facts, work.dataset, work.outcomes)
    ready = [allow_failure(each) for each in (work.sheet, model) if each is not None]
    tables = submit(publish_run, *of_run, wait_for=ready, **rows)
    figures = submit(draw_figures, study, request.results, tables)
    # In the order of the DAG: this raises the first failure, not the failure of a step that waited for it.
    for step in (*rows.values(), tables, work.sheet, model, confused, figures):
        if isinstance(step, PrefectFuture):
            step.result()
    report = submit(write_report, request.results, study, tables, figures)
    show_report(report.result())
    tell_night(tables.result())
    return tables.result()


def _make_rows(work: Work) -> dict[str, Any]:
    """Return the rows of the tables by name, or the steps that make them.

    Only a fresh run is compared with earlier nights; other runs have no rows here, and no step.
    """
    request, study, context, trials = work.request, work.request.study, work.context, work.trials
    trainings = submit(list_trainings, context, work.outcomes, wait_for=work.trained)
    epochs = submit(list_epochs, context, work.outcomes, wait_for=work.trained)
    averages = read_averages(study.published)
    summary = submit(summarise_trials, study, work.dataset.result().test_count, trials, averages)
    compared = (request.results, context, work.run_facts, work.dataset, trials, trainings)
    return {
        "trials": trials,
        "trainings": trainings,
        "epochs": epochs,
        "summary": summary,
        "nights": submit(compare_nights, *compared) if request.fresh else [],
        "comparisons": submit(compare_settings, study, request.run_id, trials),
        "agreement": submit(compare_run_with_published, study, request.run_id, trials, epochs),
        "search": list_candidates(request.run_id, work.search) if work.search else [],
        "finals": submit(compare_candidates, study, request.run_id, trials),
    }


def _save_model(work: Work) -> tuple[PrefectFuture[ChosenModel] | None, PrefectFuture[Path] | None]:
    """Start to save the optimum's model and draw its images; (None, None) if the study saves none."""
    request, study = work.request, work.request.study
    optimum = submit(choose_optimum, study, work.trials)
    if study.model_exercise is None or optimum.result() is None:
        return None, None
    of_run = (work.dataset, request.results, work.lanes, request.run_id)
    model = submit(export_model, optimum, study.model_exercise, *of_run, study.model and study.model.source)
    path = request.results.figures(request.run_id) / f"{CONFUSED}.png"
    return model, submit(draw_confused_images, model, work.dataset, path)
