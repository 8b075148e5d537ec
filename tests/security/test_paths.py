"""Names and paths given by others: none leads out of the results folder or reads a file elsewhere."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.results import Results
from storage.tables.published import publish, read_run
from study.errors import InputError
from study.spec.study_file import STUDIES_FOLDER, read_study
from tests.storage.tables.test_published import LATER, make_tables as make_run_tables
from tests.study.spec.test_study_file import SOUND, _altered, _complaints, _write


@pytest.mark.parametrize(
    "path", ["../secret.csv", "sub/../../secret.csv", "{outside}/secret.csv", "link.csv"]
)
@pytest.mark.parametrize("field", ["averages", "readings"])
def test_a_published_file_outside_the_studys_folder_is_refused(tmp_path: Path, field: str, path: str):
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "here.csv").touch()
    (tmp_path / "secret.csv").write_text("exercise,parameter\n")
    (inside / "link.csv").symlink_to(tmp_path / "secret.csv")
    named = {"averages": "here.csv", field: path.format(outside=tmp_path)}
    (line,) = _complaints(inside, SOUND + f"published: {json.dumps(named)}\n")
    expected = f"published.{field}: {named[field]!r} is not in {inside}; give a CSV file, relative to"
    assert line.startswith(expected)


def test_a_published_path_with_a_nul_byte_is_refused(tmp_path: Path):
    (line,) = _complaints(tmp_path, SOUND + 'published: {averages: "a\\0.csv"}\n')
    assert line.startswith("published.averages: 'a\\x00.csv' not found in")


def test_a_study_elsewhere_may_hold_itself_against_the_values_that_ship(tmp_path: Path):
    shipped = STUDIES_FOLDER / "published" / "averages.csv"
    path = _write(tmp_path, SOUND + f"published: {{averages: {shipped}}}\n")
    published = read_study(str(path)).published
    assert published is not None
    assert published.averages == shipped


@pytest.mark.parametrize(
    "name", ["../mine", "/tmp/mine", "mi/ne", "..", ".mine", "mine\n", "mi\0ne", "", "a" * 41]
)
def test_a_name_that_could_lead_out_of_the_results_folder_is_refused(tmp_path: Path, name: str):
    (line,) = _complaints(tmp_path, _altered("name: mine", f"name: {json.dumps(name)}"))
    assert line.startswith(f"name: {name!r} is not allowed: String should match pattern")


@pytest.mark.parametrize(
    "name", ["../model", "/tmp/model", "a/b", "..", "model.keras", "model\n", "mo\0del", ""]
)
def test_a_models_file_name_that_could_lead_out_of_its_folder_is_refused(tmp_path: Path, name: str):
    exercise = f"number: 8, kind: model, title: T, question: Q?, file_name: {json.dumps(name)}"
    (line,) = _complaints(tmp_path, f"{SOUND}  - {{{exercise}}}\n")
    assert line.startswith(f"exercises[1].file_name: {name!r} is not allowed: String should match pattern")


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system",
        "!!python/object/apply:subprocess.check_call",
        "!!python/name:os.system",
    ],
)
def test_yaml_that_would_run_a_program_is_refused_and_runs_nothing(tmp_path: Path, tag: str):
    planted = tmp_path / "planted"
    (line,) = _complaints(tmp_path, SOUND + f"seed: {tag} ['touch {planted}']\n")
    assert "not readable as YAML: could not determine a constructor for the tag" in line
    assert not planted.exists()


HOSTILE = ["../../elsewhere", "/etc", "..", "a/b", "a\0b", "", ".hidden"]


@pytest.mark.parametrize("run_id", HOSTILE)
def test_a_run_is_not_written_under_a_name_that_leads_elsewhere(results: Results, run_id: str):
    with pytest.raises(InputError, match=re.escape(f"run {run_id!r} in {results.tables} is no run's id")):
        publish(results, make_run_tables(run_id))
    assert list(results.folder.iterdir()) == []


@pytest.mark.parametrize("run_id", HOSTILE)
def test_a_run_asked_for_by_a_name_that_leads_elsewhere_is_not_there(results: Results, run_id: str):
    publish(results, make_run_tables())
    with pytest.raises(InputError, match=re.escape(f"run {run_id!r} is not published in {results.tables}")):
        read_run(results, run_id)


def test_a_row_that_names_tables_elsewhere_is_not_followed(results: Results):
    publish(results, make_run_tables(LATER))
    part = results.tables / "runs" / f"run={LATER}" / "part-0.parquet"
    rows = pq.ParquetFile(part).read()
    hostile = pa.array(["../../elsewhere"])
    pq.write_table(rows.set_column(rows.schema.get_field_index("run_id"), "run_id", hostile), part)
    with pytest.raises(
        InputError, match=r"run '../../elsewhere' in .* is no run's id; remove its row in `runs`"
    ):
        read_run(results)
