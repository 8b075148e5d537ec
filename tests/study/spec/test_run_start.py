"""The request of a run: the form of it that Prefect shows, and the address of a scheduler."""

import re

import pytest

from study.errors import InputError
from study.spec.run_start import RunOptions, read_scheduler, split_address
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


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("host", "tcp://host:8786"),
        ("10.0.0.1:1", "tcp://10.0.0.1:1"),
        ("host:65535", "tcp://host:65535"),
        ("tls://gpu-1.lab.example", "tls://gpu-1.lab.example:8786"),
        ("tls://[fe80::1]:8786", "tls://[fe80::1]:8786"),
    ],
)
def test_protocol_and_port_may_be_left_out(given: str, read: str):
    assert read_scheduler(given) == read


@pytest.mark.parametrize(
    "wrong", ["", "http://host:1", "host:0", "host:65536", "tcp://", "a b", "host:x", "host:1/x"]
)
def test_what_is_no_address_is_refused_with_one_that_is(wrong: str):
    with pytest.raises(InputError, match=r"^--scheduler: .* is not an address; give one such as tls://host"):
        read_scheduler(wrong)


def test_host_and_port_are_told_apart_and_an_address_of_the_sixth_version_loses_its_brackets():
    assert split_address("tls://[fe80::1]:8786") == ("fe80::1", 8786)
    assert split_address("tcp://XX:1") == ("XX", 1)
