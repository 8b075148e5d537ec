"""What the commands say of runs that every earlier schema version wrote."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.command_line import Invocation, app
from storage.contract import version_number
from storage.schema import TABLES
from storage.tables import read_run
from study.errors import InputError
from tests.earlier_versions import VERSIONS, unpack

each_version = pytest.mark.parametrize("version", VERSIONS)
REPORTED = version_number("1.5.0")
"""Since this version everything that a report shows is in the tables."""


def study(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), obj=Invocation())


@each_version
def test_its_files_pass_the_check(tmp_path: Path, version: str):
    tables = unpack(tmp_path, version).tables
    files = sum(version_number(table.since) <= version_number(version) for table in TABLES.values())
    done = study("schema", "--check", tables)
    assert (done.exit_code, done.output) == (0, f"{files} files in {tables}: {files} sound, 0 not\n")


@each_version
def test_its_run_is_shown(tmp_path: Path, version: str):
    results = unpack(tmp_path, version)
    run = read_run(results).run
    done = study("show", "--results", results.folder)
    assert done.exit_code == 0
    assert f"{run['study']}: completed, {run['trials']} trials, 0 failed" in done.output
    assert "filters=2" in done.output


@each_version
def test_its_report_is_written_again_or_said_to_stay(tmp_path: Path, version: str):
    results = unpack(tmp_path, version)
    done = study("report", "--results", results.folder)
    if version_number(version) < REPORTED:
        assert isinstance(done.exception, InputError)
        assert "is older than schema 1.5.0: it lacks the tables " in str(done.exception)
    else:
        report = results.report(str(read_run(results).run["run_id"]))
        assert (done.exit_code, done.output) == (0, f"report: {report}\n")
        assert report.read_bytes().count(b"<figure>") >= 3


def test_nights_of_several_versions_are_listed_together(tmp_path: Path):
    results = unpack(tmp_path, *VERSIONS)
    nights = json.loads(study("nights", "--results", results.folder, "--json").output)
    fresh = [each for each in VERSIONS if version_number(each) >= version_number("1.3.0")]
    assert len(nights) == len(fresh)
    assert all(exercise["verdict"] == "first" for night in nights for exercise in night["exercises"])
