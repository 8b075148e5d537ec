"""The JSON schema of study files: by it an editor completes and checks them."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flows.cli.study_schema import draw_schema
from study.spec.study_file import STUDIES_FOLDER, list_studies
from study.yaml_file import read_yaml
from tests.command import study

SHIPPED = STUDIES_FOLDER / "study.schema.json"
VALIDATOR = Draft202012Validator(json.loads(draw_schema()))

SWEEP: dict[str, Any] = {
    **{"number": 2, "kind": "sweep", "title": "T", "question": "Q?", "repeats": 3},
    **{"parameter": "kernel_size", "values": [3, 5]},
}
SEARCH = {"number": 7, "kind": "optimum", "title": "T", "question": "Q?", "repeats": 10}
WHEN = {"optimizer": "sgd"}
SPACE = {
    "optimizer": ["sgd", "adam"],
    "momentum": {"low": 0, "high": 0.9, "when": WHEN},
    "weight_decay": {"values": [0, 0.1], "when": {"optimizer": ["adam"]}},
}


def places(content: dict[str, Any]) -> list[str]:
    """Where the content does not fit the schema."""
    return [error.json_path for error in VALIDATOR.iter_errors(content)]


def whole(**changes: Any) -> dict[str, Any]:
    return {"name": "mine", "title": "T", "exercises": [SWEEP], **changes}


def test_the_schema_that_ships_is_what_the_classes_say():
    again = "run `.venv/bin/study schema study > studies/study.schema.json`"
    assert SHIPPED.read_text(encoding="utf-8") == draw_schema(), f"{SHIPPED} is out of date; {again}"
    Draft202012Validator.check_schema(json.loads(draw_schema()))
    assert study("schema", "study").out == draw_schema()


@pytest.mark.parametrize("name", list_studies())
def test_the_studies_that_ship_fit(name: str):
    assert places(read_yaml(STUDIES_FOLDER / f"{name}.yaml")) == []


@pytest.mark.parametrize(
    "content",
    [
        whole(),
        whole(data="mnist"),
        whole(data={"source": "pets", "size": 28}),
        whole(model="net.py:build", baseline={"width": 8, "epochs": 2}),
        whole(exercises=[{**SEARCH, "search": {"trainings": 9, "space": SPACE}}], protocol="held-out"),
        {"extends": "lab", "name": "mine", "exercises": {"5": {"repeats": 8, "fixed": None}, "6": None}},
        {"extends": "lab", "name": "mine", "published": {"margin": 1}, "baseline": {"patience": None}},
        {"extends": "./base.yaml", "name": "mine", "baseline": {"width": 8}},
    ],
)
def test_what_the_program_reads_fits(content: dict[str, Any]):
    assert places(content) == []


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (whole(protocl="lab"), "$"),
        (whole(baseline={"filter": 8}), "$.baseline"),
        (whole(baseline={"filters": 0}), "$.baseline.filters"),
        (whole(baseline={"optimizer": "adm"}), "$.baseline.optimizer"),
        (whole(exercises=[{**SWEEP, "repeat": 3}]), "$.exercises"),
        (whole(exercises={"5": {"repeats": 3}}), "$.exercises"),
        (whole(published={"margin": 1}), "$.published"),
        ({"name": "mine", "title": "T"}, "$"),
        ({"extends": "lab"}, "$"),
        ({"extends": "lab", "name": "mine", "exercises": {"5": {"repeat": 8}}}, "$.exercises"),
        ({"extends": "lab", "name": "mine", "baseline": {"filter": 8}}, "$.baseline"),
    ],
)
def test_a_misspelt_key_a_wrong_value_and_a_missing_key_do_not_fit(content: dict[str, Any], place: str):
    assert place in places(content)


def test_editors_show_what_a_field_means():
    schema = json.loads(Path(SHIPPED).read_text(encoding="utf-8"))
    shown = json.dumps(schema["$defs"]["Setting"]["properties"]["learning_rate"])
    assert "learning rate of the first epoch" in shown
