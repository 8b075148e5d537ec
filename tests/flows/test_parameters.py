"""The parameters of a run: a form that offers what there is, and one message for what is wrong."""

import logging
from pathlib import Path

import pytest

from flows.prepare import RunParameters, check_request, read_parameters
from flows.run_study import StoppedEarly, run_study
from study.errors import InputError
from study.spec.study_file import list_exercise_numbers, list_studies
from tests.toy import write_toy


def test_every_field_has_a_title_a_default_and_a_shape_that_the_form_draws_well():
    fields = run_study.parameters.model_dump()["definitions"]["RunParameters"]["properties"]
    for name, field in fields.items():
        assert {"title", "default"} <= set(field), name
        # Unions, what may be null and mappings are drawn as raw JSON.
        assert field["type"] in ("string", "integer", "boolean", "array"), name


def test_the_form_begins_with_what_most_runs_choose_and_says_what_results_are_relative_to():
    fields = run_study.parameters.model_dump()["definitions"]["RunParameters"]["properties"]
    assert list(fields)[:6] == ["study", "exercises", "repeats", "protocol", "fresh", "results"]
    assert set(fields) == set(RunParameters.model_fields)
    assert "in the project's folder on the worker's machine" in fields["results"]["description"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lanes": -1}, "Lanes: -1 is not allowed: Input should be greater than or equal to 0"),
        (
            {"lanes": 3, "scheduler": "tls://host:1"},
            "Lanes, Lanes on each GPU: not allowed with Scheduler: all of its lanes train; leave them out "
            "and give them to `study lane`, on the machines of the lanes",
        ),
    ],
)
def test_wrong_input_ends_a_run_as_failed_with_the_sentence_alone_in_the_words_of_the_form(
    given: dict[str, object], message: str, server_here: None, caplog: pytest.LogCaptureFixture
):
    state = run_study(given, return_state=True)  # type: ignore[call-overload]
    assert (state.name, state.message) == ("Failed", message)
    assert all(record.exc_info is None for record in caplog.records)


def test_wrong_input_leaves_no_traceback_in_the_log():
    records = [
        logging.LogRecord("prefect.task_runs", logging.ERROR, "", 1, "failed", (), (type(each), each, None))
        for each in (InputError("no such folder"), StoppedEarly("6 trials"), ValueError("a fault"))
    ]
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        kept = [each for each in records if logging.getLogger(name).filter(each)]
        assert kept == records[-1:]


def test_a_study_of_ones_own_is_in_the_list_and_a_damaged_one_hides_no_other(tmp_path: Path):
    write_toy(tmp_path)
    (tmp_path / "broken.yaml").write_text("name: [")
    assert list_studies(tmp_path) == ["broken", "toy"]
    assert list_exercise_numbers(tmp_path) == [1, 2, 4, 6, 7, 8]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lans": 4}, r"--lans: unknown parameter; allowed: study, study_file, exercises, .*resume"),
        ({"lanes": -1}, "--lanes: -1 is not allowed: Input should be greater than or equal to 0"),
        ({"exercises": [2, "x"]}, r"--exercises\[1\]: 'x' is not allowed: Input should be a valid integer"),
        ({"protocol": "x"}, "--protocol: 'x' is not allowed: Input should be 'as the study says', 'lab'"),
        ({"lanes": -1, "repeats": 5000}, "(?s)--repeats: 5000 .*\n--lanes: -1 "),
    ],
)
def test_what_is_not_allowed_is_told_with_its_value(given: dict[str, object], message: str):
    with pytest.raises(InputError, match=message):
        read_parameters(given)


def test_parameters_may_be_a_model_or_plain_data():
    assert read_parameters({"fresh": True}) == read_parameters(RunParameters(fresh=True))


def test_a_request_has_every_parameter_it_was_asked_for_with(tmp_path: Path):
    asked = RunParameters(repeats=3, protocol="held-out", exercises=(2,), fresh=True, results=str(tmp_path))
    request = check_request(asked)
    assert request.parameters == asked
    assert [(sweep.number, sweep.repeats) for sweep in request.study.sweeps] == [(2, 3)]
    assert request.study.protocol == "held-out"
