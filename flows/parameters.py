"""The parameters of a run: Prefect's form, and what the command line fills in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from study.errors import InputError
from study.run_start import TIME_PATTERN, RunOptions, RunStart
from study.wording import listing, shown


class RunParameters(RunOptions):
    """What to run. Leave a field as it is for the study as written, on everything this machine has."""

    model_config = ConfigDict(title="Run")

    latest_start: str = Field(
        "",
        title="Latest start",
        description="Skip a scheduled run that would start later than this after its time, such as 2h; "
        "empty: it starts whenever it can.",
        json_schema_extra={"pattern": TIME_PATTERN},
    )
    results: str = Field(
        "results",
        title="Results folder",
        description="Where tables, figures, model, report and trainings go: a folder on the worker's "
        "machine, or an address such as s3://bucket/prefix.",
        min_length=1,
    )
    resume: str = Field(
        "",
        title="Resume",
        description="Id of an interrupted run to go on with, as it was started; empty starts a new run.",
    )


def read_parameters(given: Mapping[str, Any] | RunParameters) -> RunParameters:
    """Check the parameters of a run, whoever gave them.

    Raises:
        InputError: one is not known, or not allowed; every mistake is told, a line each.
    """
    if isinstance(given, RunParameters):
        return given
    try:
        return RunParameters.model_validate(given)
    except ValidationError as error:
        raise InputError("\n".join(map(_describe, error.errors()))) from error


def repeat_start(start: RunStart, results: Path) -> RunParameters:
    """The parameters by which a run that was written down is executed."""
    options = {name: getattr(start, name) for name in RunOptions.model_fields}
    return RunParameters(**options, results=str(results), resume=start.run_id)


def _describe(detail: Any) -> str:
    if not detail["loc"]:
        return f"parameters: {shown(detail['input'])} is not allowed; give names and values"
    name, *inside = (str(part) for part in detail["loc"])
    option = f"--{name.replace('_', '-')}" + "".join(f"[{part}]" for part in inside)
    if detail["type"] == "extra_forbidden":
        return f"{option}: there is no such parameter; allowed: {listing(list(RunParameters.model_fields))}"
    return f"{option}: {shown(detail['input'])} is not allowed: {detail['msg']}"
