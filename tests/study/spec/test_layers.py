"""A study that takes another one and changes parts."""

import re
from pathlib import Path

import pytest

from study.errors import InputError
from study.spec.study import Study
from study.spec.study_file import STUDIES_FOLDER, read_study

BASE = """\
name: base
title: The base
baseline: {epochs: 2, filters: 8}
exercises:
  - {number: 2, kind: sweep, title: T, question: Q?, parameter: kernel_size, values: [3, 5], repeats: 3}
  - {number: 4, kind: sweep, title: T, question: Q?, parameter: dropout, values: [0, 0.5], repeats: 3}
"""


def extend(folder: Path, text: str, base: str = BASE) -> Study:
    (folder / "base.yaml").write_text(base)
    (folder / "mine.yaml").write_text(text)
    return read_study(str(folder / "mine.yaml"), folder)


def complaint(folder: Path, text: str, base: str = BASE) -> str:
    with pytest.raises(InputError) as caught:
        extend(folder, text, base)
    return str(caught.value).replace(f"{folder}/", "")


def test_the_lab_is_taken_whole_and_parts_of_it_are_changed(tmp_path: Path):
    (tmp_path / "mine.yaml").write_text(
        "extends: lab\nname: mine\nbaseline: {epochs: 3}\n"
        "exercises:\n  5: {values: [0.01, 0.001], repeats: 8, fixed: {optimizer: adam}}\n"
        "  6: {planned: null}\n  1: null\n"
    )
    mine, lab = read_study(str(tmp_path / "mine.yaml")), read_study("lab")
    assert (mine.name, mine.title, mine.data) == ("mine", lab.title, lab.data)
    assert mine.baseline == lab.baseline.with_changes({"epochs": 3})
    assert [each.number for each in mine.exercises] == [2, 3, 4, 5, 6, 7, 8]
    rates, dropout = mine.sweeps[3:]
    assert (rates.values, rates.repeats, rates.fixed) == ((0.01, 0.001), 8, {"optimizer": "adam"})
    assert rates.title == lab.sweeps[3].title
    assert dropout.model_dump() == lab.sweeps[4].model_dump() | {"planned": ()}
    assert mine.published == lab.published


def test_an_exercise_is_added_by_a_number_that_is_free_and_a_list_replaces_all(tmp_path: Path):
    text = "extends: ./base.yaml\nname: mine\nexercises:"
    added = extend(tmp_path, f"{text} {{9: {{kind: images, title: T, question: Q?}}}}")
    assert [(each.number, each.kind) for each in added.exercises] == [
        *((2, "sweep"), (4, "sweep")),
        (9, "images"),
    ]
    only = extend(tmp_path, f"{text} [{{number: 9, kind: images, title: T, question: Q?}}]")
    assert [each.number for each in only.exercises] == [9]


def test_a_study_is_read_as_if_it_were_written_whole(tmp_path: Path):
    mine = extend(tmp_path, "extends: base\nname: mine\nbaseline: {filters: 4}\n")
    (tmp_path / "whole.yaml").write_text(
        BASE.replace("name: base", "name: mine").replace("filters: 8", "filters: 4")
    )
    assert mine == read_study("whole", tmp_path)


def test_paths_of_the_base_begin_at_the_base(tmp_path: Path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "averages.csv").write_text("exercise,value,accuracy_pct\n2,3,90\n")
    (tmp_path / "below" / "net.py").write_text("def build(input_shape, classes, *, width: int = 8): ...\n")
    base = BASE.replace("filters: 8", "width: 4").replace(
        "dropout, values: [0, 0.5]", "width, values: [4, 8]"
    )
    base = base.replace("kernel_size, values: [3, 5]", "batch_size, values: [3, 5]")
    (tmp_path / "below" / "base.yaml").write_text(
        f"{base}data: {{source: pictures, test: more}}\nmodel: net.py:build\n"
        "published: {averages: averages.csv}\n"
    )
    mine = extend(tmp_path, "extends: below/base.yaml\nname: mine\nbaseline: {width: 16}\n")
    assert (mine.data.source, mine.data.test) == (
        str(tmp_path / "below/pictures"),
        str(tmp_path / "below/more"),
    )
    assert mine.model is not None
    assert (mine.model.file, mine.model.path) == ("below/net.py", str(tmp_path / "below/net.py"))
    assert mine.baseline.values["width"] == 16
    assert mine.published is not None
    assert mine.published.averages == tmp_path / "below/averages.csv"


def test_a_chain_of_studies_is_followed_to_its_end(tmp_path: Path):
    (tmp_path / "first.yaml").write_text("extends: base\nname: first\nbaseline: {filters: 4, momentum: 0}\n")
    mine = extend(tmp_path, "extends: first.yaml\nname: mine\nbaseline: {momentum: 0.5}\n")
    assert (mine.baseline.epochs, mine.baseline.filters, mine.baseline.momentum) == (2, 4, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "name: missing; this key must be given"),
        ("extends: bas", "extends: study 'bas' not found: there is no file bas.yaml; "),
        ("extends: ../no.yaml", "extends: study "),
        ("extends: [base]", "extends: ['base'] is not allowed; give a study's name or its path"),
        ("extends: mine", "extends: 'mine' ends in a circle: mine.yaml extends mine.yaml; leave one out"),
        ("exercises: {3: {repeats: 4}}", "exercises: '3' is not in base.yaml, which has 2 and 4; to add an "),
        ("exercises: {3: null}", "exercises: '3' is not in base.yaml, which has 2 and 4; to add an "),
        ("exercises: {4: {repeats: 0}}", "exercises.4.repeats: 0 is not allowed: "),
        ("exercises: {4: 7}", "exercises.4: 7 is not allowed; give a mapping of what changes, or null to "),
        ("baseline: {filter: 8}", "baseline.filter: unknown key 'filter'"),
        ("extend: base", "extend: unknown key 'extend' with value 'base' (did you mean 'extends'?)"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_or_changed_is_answered_with_the_file(tmp_path: Path, text: str, message: str):
    extends = "" if "extends" in text else "extends: base\n"
    name = "name: mine\n" if text else ""
    assert complaint(tmp_path, extends + name + text).startswith(f"mine.yaml: {message}")


def test_a_mistake_in_the_base_is_reported_with_the_base(tmp_path: Path):
    text = "extends: base\nname: mine\nbaseline: {epochs: 3}\nexercises: {2: {repeats: 4}, 4: {title: ''}}\n"
    base = BASE.replace("filters: 8", "filters: 0").replace("[0, 0.5]", "[]")
    assert [line.partition(" is")[0] for line in complaint(tmp_path, text, base).splitlines()] == [
        "base.yaml: baseline.filters: 0",
        "mine.yaml: exercises.4.title: ''",
        "base.yaml: exercises[1].values: []",
    ]
    assert complaint(tmp_path, text, "- 1").startswith("base.yaml: found list, expected a mapping with keys")


def test_studies_in_a_circle_are_named(tmp_path: Path):
    message = complaint(tmp_path, "extends: base\nname: mine", "extends: mine\nname: base")
    assert re.search(
        r"^base.yaml: extends: 'mine' ends in a circle: mine.yaml extends base.yaml extends m", message
    )


def test_published_files_outside_of_the_studies_folders_are_still_refused(tmp_path: Path):
    (tmp_path / "below").mkdir()
    (tmp_path / "averages.csv").write_text("exercise,value,accuracy_pct\n2,3,90\n")
    (tmp_path / "below" / "mine.yaml").write_text(
        f"extends: {STUDIES_FOLDER}/lab.yaml\nname: mine\npublished: {{averages: ../averages.csv}}\n"
    )
    with pytest.raises(InputError, match=r"published.averages: '../averages.csv' is not in"):
        read_study(str(tmp_path / "below" / "mine.yaml"))
