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


def plan_command(
    study: StudyArgument = "lab",
    results: ResultsOption = "results",
    lanes: Annotated[
        int | None,
        typer.Option(
            "--lanes", metavar="N", help="Lanes, here or elsewhere. Default: those of this machine."
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", help="Scale the study to so many trials: what breaks first?"),
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

    With `--trials` its trainings are repeated in proportion, from nothing, until they answer so many trials,
    and a run of them is simulated with what serves the lanes: docs/scale.md.
    """
    from flows.scale_text import check_counts, describe_scaled, print_scaled, scale

    configure_prefect(verbose=False)
    check_counts(lanes, trials)
    asked = {"lanes_per_gpu": lanes_per_gpu, "fresh": fresh, "engine": engine, "scheduler": scheduler}
    options = read_options(study, results, exercises, None, repeats, protocol, **asked)
    from flows.plan_text import describe_plan, print_plan
    from flows.request import check_request, make_lanes
    from study.kept_files import count_files
    from tasks.dataset import refer_to_dataset
    from tasks.plan_study import compare_sharing, foresee, plan_study, predict

    # The lanes that there are measure their speed, whatever number is asked about.
    request = check_request(options.model_copy(update={"lanes": 0}))
    spec = request.study
    data = refer_to_dataset().first(spec.data.train_images, spec.data.test_images)
    with make_lanes(request) as here:
        plan = plan_study.fn(spec, data, here.kind, here.engine)
        foresight = foresee(spec, plan, request.results, here, fresh)
        forecast = predict(spec, plan, foresight, lanes or here.paces)
        lanes_here = len(here.devices)
    sharing = compare_sharing(spec, plan, foresight, forecast.lanes)
    described = describe_plan(spec, plan, forecast, sharing, foresight.costs.is_calibrated)
    if trials is not None:
        alone = compare_sharing(spec, plan, foresight, 1)[0]  # many trainings share no cores
        files = count_files(plan.trainings)
        scaled = scale(plan, alone, forecast.lanes, trials, request.results, files.size)
        described["scaled"] = describe_scaled(scaled, trials, files)
    if as_json:
        typer.echo(json.dumps(described, indent=1))
    elif trials is not None:
        print_scaled(described["scaled"], spec.name)
    else:
        print_plan(described, lanes_here)
