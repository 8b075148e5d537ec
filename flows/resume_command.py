"""The command `study resume`: go on with a run that was interrupted."""

from typing import Annotated

import typer

from flows.options import ResultsOption, configure_prefect


def resume_command(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id. Default: the latest interrupted one.")
    ] = None,
    results: ResultsOption = "results",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Prefect's log.")] = False,
) -> None:
    """Go on with a run that was interrupted, as it was started.

    What it has finished is not trained again, even if it was started with `--fresh`. It needs nothing but the
    results folder; to run the study anew, reading what is finished, use `study run`.
    """
    configure_prefect(verbose)
    from flows.execute import execute
    from flows.parameters import RunParameters
    from flows.request import check_request
    from storage.place import results_at
    from storage.run_starts import choose_interrupted

    start = choose_interrupted(results_at(results), run)
    request = check_request(RunParameters(results=str(results), resume=start.run_id))
    typer.echo(
        f"going on with run {start.run_id} of study {start.source}, "
        f"started {start.started_at:%Y-%m-%d %H:%M} UTC",
        err=True,
    )
    execute(request)
