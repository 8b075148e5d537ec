"""The recipes in deploy/: what they name is there, and every command line in them is one that is accepted."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from configparser import ConfigParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import prefect.server.api.collections as collections
import pytest
import typer
from distributed.cli import dask_scheduler, dask_worker
from packaging.specifiers import SpecifierSet
from prefect.cli.deploy._models import PrefectYamlModel
from ruamel.yaml import YAML

from flows.cli.main import app
from flows.cli.options import TERMINATED
from flows.prepare import read_parameters
from flows.serving.temporary import SERVER_PASSWORD as PREFECT_PASSWORD
from tasks.lanes.monitor import LANE
from tests.flows.test_prefect_yaml import unknown_keys
from tests.served import PROJECT

DEPLOY = PROJECT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
KUBERNETES = DEPLOY / "kubernetes"
METADATA = Path(collections.__file__).parent / "collections_data" / "views" / "aggregate-worker-metadata.json"
"""What Prefect knows of types of work pools without asking anybody."""


def test_a_python_that_was_built_without_a_module_is_named_with_it(tmp_path: Path):
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\n"
        "import sys, importlib.util as found; find = found.find_spec\n"
        "found.find_spec = lambda name: None if name == '_sqlite3' else find(name)\n"
        "exec(sys.argv[2])\n"
    )
    python.chmod(0o755)
    command = ["make", "--directory", PROJECT, "setup", f"PYTHON={python}", f"VENV={tmp_path / 'made'}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert f"{python} was built without the modules ['sqlite3']; install another Python" in done.stderr
    assert not (tmp_path / "made").exists()


def documents(path: Path) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")))


def parse(words: Sequence[str]) -> dict[str, Any]:
    """The options of a command line of `study` or `dask`, as the program itself reads them.

    Raises:
        click.UsageError: the program would refuse it.
    """
    program, name, *arguments = words
    if program == "dask":
        command: click.Command = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}[name]
        return command.make_context(name, list(arguments)).params
    command = typer.main.get_command(app).get_command(None, name)  # type: ignore[attr-defined]
    return dict(command.make_context(name, list(arguments)).params)


def test_what_the_image_is_made_of_is_there_and_reaches_the_builder():
    copied = [
        source
        for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert len(copied) >= 8
    assert [source for source in copied if not (PROJECT / source).exists()] == []
    let_through = re.findall(r"^!(.+)$", (PROJECT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(let_through) == sorted(copied)


def test_the_image_has_every_package_and_what_is_locked_and_does_not_run_as_root():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in project["tool"]["importlinter"]["root_packages"]:
        assert f"COPY {package} {package}\n" in DOCKERFILE
    assert "--no-deps --require-hashes -r requirements.lock" in DOCKERFILE
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)[-1] == "1000"
    (version,) = re.findall(r"^FROM python:([\d.]+)-", DOCKERFILE, re.MULTILINE)
    assert version in SpecifierSet(project["project"]["requires-python"])


def test_systemd_starts_serving_again_after_a_failure_and_stops_it_in_order():
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read_string((DEPLOY / "study.service").read_text(encoding="utf-8"))
    folder, _, command = unit["Service"]["ExecStart"].partition("/.venv/bin/")
    assert folder == unit["Service"]["WorkingDirectory"]
    parse(shlex.split(command))
    assert unit["Service"]["Restart"] == "on-failure"
    assert unit["Service"]["KillMode"] == "mixed"  # SIGTERM to `study serve` alone, which stops its parts
    assert unit["Service"]["SuccessExitStatus"] == str(TERMINATED)


def test_compose_starts_serving_again_after_a_failure_and_publishes_it_on_this_machine_only():
    (content,) = documents(DEPLOY / "compose.yaml")
    (service,) = content["services"].values()
    assert parse(service["command"])["host"] == "0.0.0.0"
    assert PREFECT_PASSWORD in service["environment"]  # without it that host is refused
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["restart"] == "on-failure"
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    volumes = dict(volume.split(":") for volume in service["volumes"])
    assert set(volumes) == set(content["volumes"])
    made = re.findall(r"install -d -o study (.+)$", DOCKERFILE, re.MULTILINE)[0].split()
    assert {Path("/study", each) for each in made} >= {Path(each) for each in volumes.values()}


@pytest.mark.parametrize("path", sorted(KUBERNETES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_yaml_is_read_and_names_one_image(path: Path):
    assert all(isinstance(document, dict) for document in documents(path))
    images = set(re.findall(r"image: (\S+)", path.read_text(encoding="utf-8")))
    assert images == {"registry.example.org/study:latest"}


def test_the_pods_of_kubernetes_are_a_scheduler_and_lanes():
    cluster = documents(KUBERNETES / "lanes.yaml")[0]
    (scheduler,), (lane,) = (cluster["spec"][part]["spec"]["containers"] for part in ("scheduler", "worker"))
    parse(scheduler["args"])
    options = parse(lane["args"])
    assert options["resources"] == f"{LANE}=1"
    assert options["nthreads"] == 1
    assert not options["dashboard"]
    assert options["memory_limit"] == "0"
    assert all(find_spec(module) for module in options["preload"])


def test_the_deployment_on_kubernetes_has_no_key_that_prefect_reads_past_and_runs_on_those_lanes():
    path = KUBERNETES / "prefect.yaml"
    content = documents(path)[0]
    assert list(unknown_keys(PrefectYamlModel, content)) == []
    (deployment,) = content["deployments"]
    known = json.loads(METADATA.read_text(encoding="utf-8"))["prefect-kubernetes"]["kubernetes"]
    variables = known["default_base_job_configuration"]["variables"]["properties"]
    assert set(deployment["work_pool"]["job_variables"]) <= set(variables)
    run = read_parameters(deployment["parameters"]["run"])
    name = documents(KUBERNETES / "lanes.yaml")[0]["metadata"]["name"]
    assert run.scheduler == f"tcp://{name}-scheduler:8786"


def test_the_job_of_slurm_runs_lanes():
    script = (DEPLOY / "lanes.sbatch").read_text(encoding="utf-8")
    (line,) = re.findall(r"^exec \.venv/bin/(.+)$", script, re.MULTILINE)
    assert parse(shlex.split(line.replace("$1", "tcp://head:8786")))["scheduler"] == "tcp://head:8786"


def test_what_tests_the_code_is_locked_at_the_versions_that_run_it():
    locks = [(PROJECT / name).read_text() for name in ("requirements.lock", "requirements-dev.lock")]
    runs, tests = (dict(re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE)) for lock in locks)
    shared = runs.keys() & tests.keys()
    assert len(shared) >= 20
    assert {name: tests[name] for name in shared} == {name: runs[name] for name in shared}
    assert not {"pytest", "mypy", "playwright", "duckdb", "polars", "moto"} & runs.keys()
