"""The command `study plan`: what a run would train, read and cost, without training anything."""

import json
from typing import Annotated

import typer

from flows.options import (
    EngineOption,
    ExercisesOption,
    FreshOption,
    LanesPerGpuOption,
    ProtocolOption,
    RepeatsOption,
    ResultsOption,
    SchedulerOption,
    StudyArgument,
    configure_prefect,
    read_options,
)
from study.errors import InputError
from study.wording import shown

MOST_PLANNED_LANES = 1_000_000
"""Lanes of a plan, which may be of any number of machines."""


def plan_command(
    study: StudyArgument = "lab",
    results: ResultsOption = "results",
    lanes: Annotated[
        int | None,
        typer.Option(
            "--lanes", metavar="N", help="Lanes, here or elsewhere. Default: those of this machine."
        ),
    ] = None,
    lanes_per_gpu: LanesPerGpuOption = 1,
    exercises: ExercisesOption = "",
    repeats: RepeatsOption = None,
    protocol: ProtocolOption = None,
    fresh: FreshOption = False,
    engine: EngineOption = "auto",
    scheduler: SchedulerOption = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON, with every training.")
    ] = False,
) -> None:
    """Say what a run would train and what it would cost; train nothing.

    Trials that can share a training are compiled to one; what earlier runs have trained is not trained again.
    The time is predicted from what earlier runs took; where this machine's speed is not known yet, a few
    steps of each shape are measured first, for long studies only (some twenty seconds, once).
    """
    configure_prefect(verbose=False)
    _check_lanes(lanes)
    asked = {"lanes_per_gpu": lanes_per_gpu, "fresh": fresh, "engine": engine, "scheduler": scheduler}
    options = read_options(study, results, exercises, None, repeats, protocol, **asked)
    from flows.plan_text import describe_plan, print_plan
    from flows.request import check_request, make_lanes
    from tasks.dataset import refer_to_dataset
    from tasks.plan_study import compare_sharing, foresee, plan_study, predict

    # The lanes that there are measure their speed, whatever number is asked about.
    request = check_request(options.model_copy(update={"lanes": 0}))
    spec = request.study
    data = refer_to_dataset().first(spec.data.train_images, spec.data.test_images)
    with make_lanes(request) as here:
        plan = plan_study.fn(spec, data, here.kind, here.engine)
        foresight = foresee(spec, plan, request.results, here, fresh)
        forecast = predict(spec, plan, foresight, lanes or here.useful)
        lanes_here = len(here.devices)
    sharing = compare_sharing(spec, plan, foresight, forecast.lanes)
    described = describe_plan(spec, plan, forecast, sharing, foresight.costs.is_calibrated)
    if as_json:
        typer.echo(json.dumps(described, indent=1))
    else:
        print_plan(described, lanes_here)


def _check_lanes(lanes: int | None) -> None:
    """Refuse a number of lanes that no plan is made for.

    Raises:
        InputError: it is below 1 or above `MOST_PLANNED_LANES`.
    """
    if lanes is not None and not 1 <= lanes <= MOST_PLANNED_LANES:
        value = f"{lanes:,}" if abs(lanes) < 10**18 else shown(lanes)
        raise InputError(
            f"--lanes: {value} is not allowed; give 1 to {MOST_PLANNED_LANES:,}, or leave it out"
        )
