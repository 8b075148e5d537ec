"""A network of one's own is read from its text, and a study knows its hyperparameters."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from study.errors import InputError
from study.plan import compile_plan, list_trials, training_key
from study.records.record import Source
from study.spec.network import hash_sources, list_sources
from study.spec.setting import Setting
from study.spec.study import Study
from study.spec.study_file import read_study

SOURCE = Source(
    protocol="lab", data="ab" * 32, held_out_images=0, model="1", tensorflow="", device="CPU", engine="native"
)
BUILD = """
import keras
from typing import Literal

def build(input_shape, classes, *, depth: int = 2, rate: float = 1e-3, last: Literal["relu", "elu"] = "relu",
          biased: bool = True, dropout: float = 0.1):
    raise RuntimeError("reading a study runs no code")
"""
STUDY = """
name: mine
title: Mine
model: network.py:build
exercises:
  - {number: 2, kind: sweep, title: T, question: Q?, parameter: depth, values: [1, 3], repeats: 1}
"""


def write(folder: Path, study: str = STUDY, network: str = BUILD) -> Path:
    (folder / "network.py").write_text(network, encoding="utf-8")
    path = folder / "mine.yaml"
    path.write_text(study, encoding="utf-8")
    return path


def read(folder: Path, study: str = STUDY, network: str = BUILD) -> Study:
    return read_study(str(write(folder, study, network)))


def complaint(folder: Path, study: str = STUDY, network: str = BUILD) -> str:
    path = write(folder, study, network)
    with pytest.raises(InputError) as caught:
        read_study(str(path))
    return str(caught.value).replace(f"{folder}/", "")


def test_keyword_arguments_are_hyperparameters_with_their_defaults(tmp_path: Path):
    study = read(tmp_path)
    assert study.model is not None
    assert study.baseline.network_parameters == (
        ("biased", True), ("depth", 2), ("last", "relu"), ("rate", 0.001)
    )  # fmt: skip
    assert study.baseline.dropout == 0.1  # the lab's network has it, too: its column stays
    assert study.model.missing == ("filters", "kernel_size", "dense_units")


def test_they_can_be_fixed_swept_and_searched(tmp_path: Path):
    text = STUDY.replace("repeats: 1}", "repeats: 1, fixed: {last: elu, biased: false, learning_rate: 0.1}}")
    search = (
        "search: {trainings: 2, space: {depth: {low: 1, high: 4}, last: [relu, elu], biased: [true, false]}}"
    )
    text += f"  - {{number: 7, kind: optimum, title: T, question: Q?, repeats: 10, {search}}}\n"
    study = read(tmp_path, "protocol: held-out\nbaseline: {rate: 1, epochs: 3}\n" + text)
    (one, three) = study.sweeps[0].settings(study.baseline).values()
    assert (one.values["depth"], three.values["depth"], three.values["rate"]) == (1, 3, 1.0)
    assert (three.values["last"], three.values["biased"], three.epochs) == ("elu", False, 3)
    assert study.optimum and study.optimum.search
    assert study.optimum.search.contains(study.baseline.hyperparameters, study.baseline)
    assert not study.optimum.search.contains(one.with_changes({"depth": 5}).hyperparameters, study.baseline)


def test_they_are_in_names_labels_and_keys_and_other_keys_do_not_change(tmp_path: Path):
    study = read(tmp_path)
    assert study.model
    source = SOURCE.model_copy(update={"network": study.model.source})
    trials = list_trials(study)
    plan = compile_plan(study, trials, source)
    assert [trial.name for trial in trials] == ["depth=1", "depth=3"]
    assert [each.label for each in plan.trainings] == ["depth=1 seed=1", "depth=3 seed=1"]
    assert {each.source.engine for each in plan.trainings} == {"keras"}
    h = study.baseline.hyperparameters
    changed = study.model.source.model_copy(update={"sha256": "0" * 64})
    moved = study.model.source.model_copy(update={"path": "/elsewhere/network.py", "file": "other.py"})
    networks = (study.model.source, moved, changed)
    keys = [training_key(h, 1, SOURCE.model_copy(update={"network": each})) for each in networks]
    assert keys[0] == keys[1] != keys[2]
    assert training_key(Setting().hyperparameters, 1, SOURCE) not in {*keys, plan.trainings[0].key}


def test_hyperparameters_of_no_network_are_refused():
    images = {"number": 1, "kind": "images", "title": "T", "question": "Q"}
    given = {"name": "mine", "title": "T", "exercises": [images]}
    with pytest.raises(ValidationError, match="network_parameters belong to a network of one's own"):
        Study.model_validate({**given, "baseline": {"network_parameters": {"depth": 2}}})


def test_a_study_is_read_again_from_its_definition_without_its_code(tmp_path: Path):
    study = read(tmp_path)
    again = Study.model_validate_json(study.model_dump_json())
    assert again == study
    assert again.model and study.model
    assert (again.model.path, study.model.path) == ("", str(tmp_path / "network.py"))
    assert "network.py" in study.model_dump_json() and str(tmp_path) not in study.model_dump_json()


def test_the_hash_covers_what_is_imported_from_the_folder(tmp_path: Path):
    path = tmp_path / "network.py"
    path.write_text("import keras\nimport blocks\nfrom parts.one import two\n", encoding="utf-8")
    (tmp_path / "blocks.py").write_text("def f():\n    from helpers import g\n", encoding="utf-8")
    (tmp_path / "helpers.py").write_text("g = 1\n", encoding="utf-8")
    (tmp_path / "unused.py").write_text("", encoding="utf-8")
    (tmp_path / "parts").mkdir()
    for name, text in (("__init__", ""), ("one", "from . import three\ntwo = 2\n"), ("three", "")):
        (tmp_path / "parts" / f"{name}.py").write_text(text, encoding="utf-8")
    names = [each.relative_to(tmp_path).as_posix() for each in list_sources(path)]
    assert names == ["blocks.py", "helpers.py", "network.py", "parts/__init__.py", "parts/one.py",
                     "parts/three.py"]  # fmt: skip
    before = hash_sources(path)
    (tmp_path / "unused.py").write_text("changed = 1\n", encoding="utf-8")
    assert hash_sources(path) == before
    (tmp_path / "helpers.py").write_text("g = 2\n", encoding="utf-8")
    assert hash_sources(path) != before


def changed(old: str, new: str) -> str:
    assert old in BUILD
    return BUILD.replace(old, new)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("def build(:", "mine.yaml: model: network.py, line 1 is not Python: "),
        ("def biuld(s, c): pass", "model: network.py has no function 'build' (did you mean 'biuld'?); its "
         "functions: biuld"),
        ("x = 1", "model: network.py has no function 'build'; its functions: none"),
        (changed("(input_shape, classes, *", "(input_shape, *"), "line 5: build must take the shape of the in"
         "put and the number of classes, then named arguments, such as def build(input_shape, classes, *, d"),
        (changed("depth: int = 2", "depth=2"), "build takes 'depth': found no annotation; needed is int, flo"
         "at, str, bool or Literal[...], and a default that is written out"),
        (changed("depth: int = 2", "depth: list[int] = 2"), "takes 'depth': found list[int]; needed is int"),
        (changed("depth: int = 2", "depth: int"), "build takes 'depth': found no default; needed is int"),
        (changed("depth: int = 2", "depth: int = DEEP"), "'depth': DEEP is not a value that is written out"),
        (changed("depth: int = 2", "depth: int = 2.5"), "'depth': its default=2.5: the network takes a w"),
        (changed("depth: int", "momentum: int"), "takes 'momentum', which belongs to the training"),
    ],
)  # fmt: skip
def test_a_function_that_is_no_network_is_refused_with_what_is_needed(
    tmp_path: Path, network: str, message: str
):
    assert message in complaint(tmp_path, network=network)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("network.py:build", "network.py", "model: 'network.py' is not allowed; give lab, or FILE.py:FUN"),
        ("network.py:build", "7", "mine.yaml: model: 7 is not allowed; give lab, or FILE.py:FUNCTION"),
        ("network.py:build", "none.py:build", "model: none.py cannot be read: No such file or directory; FIL"
         "E.py lies beside the study's file"),
        ("values: [1, 3]", "values: [1.5]", "exercises[0]: depth=1.5: the network takes a whole number"),
        ("parameter: depth", "parameter: filters", "'filters' is not a parameter; allowed: depth, rate, las"
         "t, biased, dropout, learning_rate, momentum"),
        ("exercises:", "baseline: {last: tanh}\nexercises:", "baseline: last='tanh': the network takes one o"
         "f relu and elu"),
        ("exercises:", "baseline: {biased: 1}\nexercises:", "biased=1: the network takes true or false"),
        ("exercises:", "baseline: {dropout: 2}\nexercises:", "baseline.dropout: 2.0 is not allowed: Input s"),
        ("exercises:", "baseline: {depht: 2}\nexercises:", "unknown key 'depht' with value 2 (did you mean 'd"
         "epth'?); allowed: depth, rate"),
        ("model: network.py:build", "baseline: {network_parameters: {depth: 2}}", "'depth' is not a para"),
    ],
)  # fmt: skip
def test_a_study_that_does_not_fit_its_network_is_refused(tmp_path: Path, old: str, new: str, message: str):
    assert message in complaint(tmp_path, study=STUDY.replace(old, new))
