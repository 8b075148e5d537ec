"""What changed between two runs is named, with what it was and what it is."""

import json

import pytest

from study.conclusions.changes import Change, Provenance, name_changes, read_changes, write_changes
from tests.rows import COMMIT, FINGERPRINT, VERSIONS, make_study

BEFORE = Provenance(
    git_commit=COMMIT,
    git_dirty=False,
    versions={**VERSIONS, "numpy": "2.4.6", "prefect": "3.8.8"},
    data_fingerprint=FINGERPRINT,
    device="CPU",
    engine="native",
    processor="A processor with two cores",
    lock_sha256="aa" * 32,
    study_definition=make_study().model_dump_json(),
)
OTHER = "f0" * 32


def changed(**values: object) -> list[tuple[str, str, str]]:
    after = BEFORE.model_copy(update=values)
    return [(each.name, each.before, each.now) for each in name_changes(BEFORE, after)]


def test_runs_of_which_everything_recorded_is_equal_have_no_changes():
    assert changed() == []


@pytest.mark.parametrize(
    ("values", "name", "before", "now"),
    [
        ({"git_commit": "f0" * 20}, "git commit", COMMIT, "f0" * 20),
        ({"git_commit": None}, "git commit", COMMIT, "not recorded"),
        ({"git_dirty": True}, "uncommitted changes", "no", "yes"),
        ({"data_fingerprint": OTHER}, "data fingerprint", FINGERPRINT, OTHER),
        ({"device": "GPU"}, "kind of device", "CPU", "GPU"),
        ({"engine": "tensorflow"}, "engine", "native", "tensorflow"),
        ({"processor": "Another"}, "processor", "A processor with two cores", "Another"),
        ({"lock_sha256": OTHER}, "lock file", "aa" * 32, OTHER),
        ({"lock_sha256": None}, "lock file", "aa" * 32, "not recorded"),
    ],
)
def test_one_change_is_named_alone(values: dict[str, object], name: str, before: str, now: str):
    assert changed(**values) == [(name, before, now)]


@pytest.mark.parametrize(
    ("library", "title"),
    [
        ("tensorflow", "TensorFlow"),
        ("keras", "Keras"),
        ("numpy", "NumPy"),
        ("python", "Python"),
        ("prefect", "Prefect"),
    ],
)
def test_another_version_is_named_by_its_library(library: str, title: str):
    before = BEFORE.versions[library]
    assert changed(versions={**BEFORE.versions, library: "9.9"}) == [(title, before, "9.9")]


def test_a_change_of_the_study_is_named_by_its_place():
    definition = json.loads(make_study().model_dump_json())
    definition["data"]["train_images"] = 50_000
    definition["baseline"]["patience"] = 3
    definition["exercises"][1]["values"] = [8.0, 16.0]
    definition["exercises"][2]["values"] = []
    definition["surprise"] = True
    assert sorted(changed(study_definition=json.dumps(definition))) == [
        ("study: baseline patience", "none", "3"),
        ("study: data train_images", "60000", "50000"),
        ("study: exercise 2 values", "8, 16, 32, 64, 128", "8, 16"),
        ("study: exercise 3 values", "16, 64, 128, 256, 512", "none"),
        ("study: surprise", "–", "True"),
    ]


def test_an_exercise_that_did_not_run_and_published_readings_change_nothing():
    study = make_study().only(frozenset({2}))
    bare = study.model_copy(update={"published": None})
    assert changed(study_definition=bare.model_dump_json()) == []


def test_several_changes_come_with_the_code_first():
    names = [name for name, _, _ in changed(git_commit="1" * 40, device="GPU", lock_sha256=OTHER)]
    assert names == ["git commit", "kind of device", "lock file"]


def test_changes_are_written_as_people_read_them_and_read_back():
    change = Change(name="study: title", before="Größe", now="–")
    assert write_changes((change,)) == '[{"name": "study: title", "before": "Größe", "now": "–"}]'
    assert read_changes(write_changes((change,))) == (change,)


def test_of_a_long_hash_the_beginning_is_shown_and_of_a_text_all():
    assert str(Change(name="git commit", before="a" * 40, now="b" * 39)) == (
        f"git commit: aaaaaaaaaa… → {'b' * 39}"
    )
    assert str(Change(name="n", before="z" * 40, now="x")) == f"n: {'z' * 40} → x"
