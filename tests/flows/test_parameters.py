"""The parameters of a run: a form that offers what there is, and one message for what is wrong."""

from pathlib import Path

import pytest

from flows.prepare import RunParameters, check_request, read_parameters
from flows.run_study import run_study
from study.errors import InputError
from study.spec.study_file import list_exercise_numbers, list_studies
from tests.toy import TOY, write_toy


def write_held_out(folder: Path, held_out: int = 100) -> str:
    """The toy study with images that may be held out."""
    text = TOY.replace("test_images: 200}", f"test_images: 200, held_out_images: {held_out}}}")
    return str(write_toy(folder, text))


def form() -> dict[str, dict[str, object]]:
    """The fields of the form that Prefect draws."""
    schema = run_study.parameters.model_dump()
    return dict(schema["definitions"]["RunParameters"]["properties"])


def test_the_form_offers_the_studies_and_their_exercises():
    fields = form()
    assert fields["study"]["enum"] == list_studies() == ["lab", "optimum", "rigorous", "smoke"]
    assert fields["exercises"]["items"] == {"type": "integer", "enum": [1, 2, 3, 4, 5, 6, 7, 8]}
    assert fields["protocol"]["enum"] == ["as the study says", "lab", "held-out"]


def test_every_field_has_a_title_a_default_and_a_shape_that_the_form_draws_well():
    for name, field in form().items():
        assert {"title", "default"} <= set(field), name
        # Unions, what may be null and mappings are drawn as raw JSON.
        assert field["type"] in ("string", "integer", "boolean", "array"), name


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


def test_repeats_and_protocol_replace_those_of_the_study_and_give_every_repeat_a_seed(tmp_path: Path):
    asked = RunParameters(
        study_file=write_held_out(tmp_path), repeats=7, protocol="held-out", results=str(tmp_path / "results")
    )
    study = check_request(asked).study
    assert study.protocol == "held-out"
    assert [sweep.repeats for sweep in study.sweeps] == [7, 7, 7]
    assert len({study.seed_of(repeat) for repeat in range(1, 8)}) == 7


def test_what_a_study_cannot_be_is_refused_by_the_options_that_ask_for_it(tmp_path: Path):
    path = write_held_out(tmp_path, held_out=640)
    asked = RunParameters(study_file=path, protocol="held-out", results=str(tmp_path / "results"))
    with pytest.raises(InputError, match="--protocol held-out: data: held_out_images=640 leaves nothing"):
        check_request(asked)


def test_a_request_has_every_parameter_it_was_asked_for_with(tmp_path: Path):
    asked = RunParameters(
        study_file=write_held_out(tmp_path), repeats=3, protocol="held-out", exercises=(2,), fresh=True,
        results=str(tmp_path / "results"),
    )  # fmt: skip
    assert check_request(asked).parameters == asked
