"""prefect.yaml, as Prefect's own models read it: nothing in it is ignored, misspelt keys are found."""

import tomllib
import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import pytest
from prefect.cli.deploy._models import DeploymentConfig, PrefectYamlModel, RawScheduleConfig
from prefect.client.schemas.schedules import CronSchedule
from prefect.workers.process import ProcessVariables
from pydantic import BaseModel
from ruamel.yaml import YAML

from flows.serving.abandoned_runs import POOL
from flows.serving.deploy import PROJECT

TEXT = (PROJECT / "prefect.yaml").read_text(encoding="utf-8")


def load(text: str) -> dict[str, Any]:
    content = YAML(typ="safe", pure=True).load(text)
    assert isinstance(content, dict)
    return content


def unknown_keys(model: type[BaseModel], content: dict[str, Any], where: str = "") -> Iterator[str]:
    """Keys that Prefect would read past, at every level."""
    hints = get_type_hints(model)  # resolved, which a field's own annotation is not
    names = {field.alias or name: hints[name] for name, field in model.model_fields.items()}
    for key, value in content.items():
        here = f"{where}.{key}" if where else str(key)
        if key not in names:
            yield here
            continue
        for inner, index, each in _parts(names[key], value):
            yield from unknown_keys(inner, each, here + index)


def _parts(annotation: Any, value: Any) -> Iterator[tuple[type[BaseModel], str, dict[str, Any]]]:
    # A field may be one of several models: the first, which is the one that Prefect writes of itself.
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from ((model, f"[{number}]", part) for model, _, part in _parts(annotation, each))
    elif isinstance(value, dict) and (models := list(_models(annotation))):
        yield models[0], "", value


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if get_origin(annotation) in (Union, types.UnionType, list):
        for each in get_args(annotation):
            yield from _models(each)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def all_unknown_keys(text: str) -> list[str]:
    content = load(text)
    found = list(unknown_keys(PrefectYamlModel, content))
    for deployment in content.get("deployments", []):
        # The variables of the work pool's type; Prefect takes whatever is given and looks for these.
        variables = deployment.get("work_pool", {}).get("job_variables", {})
        found += [f"job_variables.{key}" for key in variables if key not in ProcessVariables.model_fields]
    return found


def test_prefect_yaml_has_no_key_that_prefect_would_ignore():
    assert all_unknown_keys(TEXT) == []
    PrefectYamlModel.model_validate(load(TEXT))


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("prefect-version:", "prefect_versoin:", ["prefect_versoin"]),
        ("\ndeployments:", "\ndeployment:", ["deployment"]),
        ("    tags: [lab", "    tag: [lab", ["deployments[0].tag"]),
        (
            "    enforce_parameter_schema:",
            "    enforce_schema:",
            [f"deployments[{each}].enforce_schema" for each in range(3)],
        ),
        ("      - cron:", "      - corn:", ["deployments[0].schedules[0].corn"]),
        ("        env:\n", "        environment:\n", ["job_variables.environment"] * 3),
    ],
)
def test_a_misspelt_key_is_found_wherever_it_stands(right: str, wrong: str, found: list[str]):
    assert right in TEXT
    assert all_unknown_keys(TEXT.replace(right, wrong)) == found


@pytest.fixture(scope="module")
def deployments() -> dict[str, DeploymentConfig]:
    model = PrefectYamlModel.model_validate(load(TEXT))
    return {str(each.name): each for each in model.deployments}


def test_the_file_is_of_the_locked_prefect_and_of_this_version_of_the_project(deployments):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"prefect=={load(TEXT)['prefect-version']}" in project["dependencies"]
    assert {each.version for each in deployments.values()} == {project["version"]}
    assert load(TEXT)["name"] == project["name"]


def test_every_deployment_says_what_it_is_for_and_refuses_wrong_parameters(deployments):
    assert set(deployments) == {"nightly", "on-demand", "smoke"}
    for name, each in deployments.items():
        assert each.description, name
        assert each.description.endswith(".")
        assert each.tags
        assert name in each.tags
        assert each.enforce_parameter_schema is True
        assert each.entrypoint == "flows/run_study.py:run_study"


def test_every_deployment_runs_in_the_one_pool_and_is_heard_while_it_does(deployments):
    for each in deployments.values():
        assert each.work_pool is not None
        assert (each.work_pool.name, each.work_pool.work_queue_name) == (POOL, None)
        assert each.work_pool.job_variables["env"] == {
            "DO_NOT_TRACK": "1",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",
        }


def test_the_nightly_alone_has_a_schedule_whose_time_zone_exists(deployments):
    assert {name for name, each in deployments.items() if each.schedules} == {"nightly"}
    (schedule,) = deployments["nightly"].schedules or []
    assert isinstance(schedule, RawScheduleConfig)
    assert schedule.active is True
    assert schedule.timezone is not None
    assert str(ZoneInfo(schedule.timezone)) == schedule.timezone
    minute, hour, *_ = str(schedule.cron).split()
    shown = f"at {hour:0>2}:{minute:0>2} {schedule.timezone.removeprefix('Etc/')}"
    assert shown in str(schedule.slug)  # Prefect's pages show it, and no zone otherwise
    assert shown in str(deployments["nightly"].description)
    CronSchedule(cron=str(schedule.cron), timezone=schedule.timezone)
    assert deployments["nightly"].parameters["run"]["fresh"] is True
