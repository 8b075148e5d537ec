import json
import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from study.errors import InputError
from study.spec.published import PublishedSource, read_averages, read_readings
from study.spec.study_file import read_study
from tests.fuzz import repeatable

HEADER = "exercise,parameter,value,n_readings,accuracy_pct,note\n"


@repeatable
@given(st.floats(1e-6, 100).map(lambda points: float(f"{points:.15g}")))
def test_a_margin_in_points_is_a_fraction_inside_and_is_written_as_it_was_read(points: float):
    source = PublishedSource(averages=Path("a.csv"), margin=points)
    assert source.margin == points / 100
    assert json.loads(source.model_dump_json())["margin"] == points
    assert PublishedSource.model_validate_json(source.model_dump_json()) == source


def test_averages_are_read_by_exercise_and_value(tmp_path: Path):
    path = tmp_path / "averages.csv"
    path.write_text(HEADER + "2,filters,8,5,89.496,\n3,dense_units,16,,88.5,by eye\n", encoding="utf-8")
    averages = read_averages(PublishedSource(averages=path))
    assert [(each.readings, each.accuracy, each.note) for each in averages.values()] == [
        (5, 0.89496, ""),
        (None, 0.885, "by eye"),
    ]
    assert list(averages) == [(2, 8.0), (3, 16.0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("exercise,value\n2,8\n", ": found no column accuracy_pct; the first line is 'exercise, value'"),
        ("", ": found no column exercise, value, accuracy_pct; the first line is ''"),
        (HEADER + "2,filters,eight,5,89.5,\n", ", line 2: value is 'eight', expected a number"),
        (HEADER + "\n\n2,filters,8\n", ", line 4: accuracy_pct is '', expected a number"),
        (HEADER + "2.5,filters,8,5,89.5,\n", ", line 2: exercise is '2.5', expected a whole number"),
        (HEADER + "2,filters,8,5,0.895,\n", ", line 2: accuracy_pct is '0.895', expected percent, and this "
         "looks like a fraction: 89.5?"),
        (HEADER + "2,filters,8,5,8950,\n", ", line 2: accuracy_pct is '8950', expected percent, above 1"),
        (HEADER + "2,filters,8,5,89,5,\n", ", line 2: found 7 cells in 6 columns ('2, filters,"),
        (HEADER + "2,filters,8,5,89,\n2,filters,8.0,5,90,\n", ", line 3: exercise 2 has an average"),
    ],
)  # fmt: skip
def test_a_malformed_table_is_answered_with_its_line_and_what_is_expected(
    tmp_path: Path, content: str, message: str
):
    path = tmp_path / "values.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}{message}')}"):
        read_averages(PublishedSource(averages=path))


def test_the_lab_study_brings_a_published_average_of_every_value_it_sweeps():
    lab = read_study("lab")
    averages = read_averages(lab.published)
    assert averages[2, 8.0].accuracy == pytest.approx(0.89496)
    swept = {(each.number, value) for each in lab.sweeps for value in each.values}
    assert swept - averages.keys() == set()
    assert all(0.5 < each.accuracy < 0.95 for each in averages.values())


def test_readings_are_read_by_cell_and_number_and_need_not_be_there(tmp_path: Path):
    path = tmp_path / "readings.csv"
    path.write_text("exercise,value,reading,accuracy_pct\n2,8,1,89.5\n2,8,2,89.7\n4,1,1,86\n", "utf-8")
    source = PublishedSource(averages=tmp_path / "averages.csv", readings=path)
    assert read_readings(source) == {(2, 8.0): {1: 0.895, 2: 0.897}, (4, 1.0): {1: 0.86}}
    assert read_readings(source.model_copy(update={"readings": None})) == read_readings(None) == {}
    assert read_averages(None) == {}


def test_the_lab_study_brings_86_published_readings_whose_means_are_its_averages():
    source = read_study("lab").published
    readings = read_readings(source)
    assert sum(map(len, readings.values())) in (85, 86)
    for cell, average in read_averages(source).items():
        if cell in readings:
            assert sum(readings[cell].values()) / len(readings[cell]) == pytest.approx(
                average.accuracy, abs=0.0001
            )
