"""What a run is asked: the form of it that Prefect shows, and the study that its id names."""

import re

import pytest

from study.spec.run_start import RunOptions
from study.spec.study_file import list_exercise_numbers, list_studies


def test_the_form_has_a_title_and_an_explanation_for_each_field():
    fields = RunOptions.model_json_schema()["properties"]
    assert {name: field["title"] for name, field in fields.items()} == {
        "study": "Study",
        "study_file": "Study file",
        "exercises": "Exercises",
        "repeats": "Repeats",
        "protocol": "Protocol",
        "fresh": "Train everything fresh",
        "lanes": "Lanes",
        "engine": "Engine",
        "lanes_per_gpu": "Lanes on each GPU",
        "scheduler": "Scheduler",
        "lane_timeout": "Lane timeout",
        "budget": "Budget",
        "data_folder": "Data folder",
    }
    assert [name for name, field in fields.items() if "description" not in field] == ["lanes_per_gpu"]


def test_the_form_offers_the_studies_and_exercises_that_ship():
    fields = RunOptions.model_json_schema()["properties"]
    assert fields["study"]["enum"] == list_studies()
    assert fields["exercises"]["items"] == {"type": "integer", "enum": list_exercise_numbers()}
    assert fields["exercises"]["uniqueItems"] is True
    assert list_exercise_numbers() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_is_asked_when_nothing_is_said():
    assert RunOptions().model_dump() == {
        "study": "lab",
        "study_file": "",
        "exercises": (),
        "repeats": 0,
        "protocol": "as the study says",
        "fresh": False,
        "lanes": 0,
        "engine": "auto",
        "lanes_per_gpu": 1,
        "scheduler": "",
        "lane_timeout": "10m",
        "budget": "",
        "data_folder": "",
    }
    assert RunOptions().source == "lab"
    assert RunOptions(study_file="mine.yaml").source == "mine.yaml"


@pytest.mark.parametrize("field", ["budget", "lane_timeout"])
def test_the_form_takes_times_as_people_write_them(field: str):
    pattern = RunOptions.model_json_schema()["properties"][field]["pattern"]
    for text in ("", "90s", "10m", "1h30m", "1.5h", "30d", "999999999s"):
        assert re.search(pattern, text), text
    for text in ("10", "m", "10 m", "1w", "1234567890s", "1.s"):
        assert not re.search(pattern, text), text


def test_the_form_takes_a_scheduler_or_nothing():
    pattern = RunOptions.model_json_schema()["properties"]["scheduler"]["pattern"]
    for text in ("", "tls://host:8786", "host"):
        assert re.search(pattern, text), text
    assert not re.search(pattern, "http://host")
