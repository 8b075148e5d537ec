"""The forms of a sweep: their settings, names and levels, and the message for each mistake."""

from pathlib import Path

import pytest

from study.errors import InputError
from study.plan.plan import list_trials
from study.spec.study import Study
from study.spec.study_file import read_study

NETWORK = """
def build(input_shape, classes, *, depth: int = 2, width: int = 8, norm: bool = False):
    return None
"""
HEAD = "name: mine\ntitle: T\n{model}exercises:\n"


def _read(folder: Path, sweep: str, model: str = "model: network.py:build\n", more: str = "") -> Study:
    (folder / "network.py").write_text(NETWORK)
    exercise = f"  - {{number: 2, kind: sweep, title: T, question: Q?, repeats: 2, {sweep}}}\n"
    (folder / "mine.yaml").write_text(HEAD.format(model=model) + exercise + more)
    return read_study(str(folder / "mine.yaml"))


def _names(study: Study) -> list[tuple[str, float | None, str]]:
    return [(each.parameter, each.value, each.name) for each in list_trials(study) if each.repeat == 1]


@pytest.mark.parametrize(
    ("sweep", "trials"),
    [
        (
            "parameter: width, values: [4, 16.0]",
            [("width", 4.0, "width=4"), ("width", 16.0, "width=16")],
        ),
        (
            "parameter: optimizer, values: [sgd, adam]",
            [("optimizer", 1.0, "optimizer=sgd"), ("optimizer", 2.0, "optimizer=adam")],
        ),
        (
            "parameter: norm, values: [true, false]",
            [("norm", 1.0, "norm=true"), ("norm", 2.0, "norm=false")],
        ),
        (
            "grid: {width: [16, 4], schedule: [constant, cosine]}",
            [
                ("width, schedule", 1.0, "width=16, schedule=constant"),
                ("width, schedule", 2.0, "width=16, schedule=cosine"),
                ("width, schedule", 3.0, "width=4, schedule=constant"),
                ("width, schedule", 4.0, "width=4, schedule=cosine"),
            ],
        ),
        (
            "zip: {learning_rate: [0.1, 0.00001], batch_size: [32, 128], depth: [1, 1]}",
            [
                ("learning_rate, batch_size, depth", 1.0, "learning_rate=0.1, batch_size=32, depth=1"),
                ("learning_rate, batch_size, depth", 2.0, "learning_rate=0.00001, batch_size=128, depth=1"),
            ],
        ),
    ],
)
def test_each_form_has_its_settings_in_order_with_level_and_name(
    tmp_path: Path, sweep: str, trials: list[tuple[str, float, str]]
):
    study = _read(tmp_path, sweep)
    assert _names(study) == trials
    assert _names(Study.model_validate_json(study.model_dump_json())) == trials
    assert _names(Study.model_validate_json(study.only(frozenset({2})).model_dump_json())) == trials


def test_a_setting_has_all_values_of_its_combination(tmp_path: Path):
    study = _read(tmp_path, "grid: {width: [4, 16], learning_rate: [0.1, 0.01]}, fixed: {depth: 1}")
    (sweep,) = study.sweeps
    setting = sweep.settings(study.baseline)[3.0]
    assert setting.learning_rate == 0.1
    assert dict(setting.network_parameters) == {"depth": 1, "norm": False, "width": 16}
    assert (sweep.label(3.0), sweep.phrase(3.0)) == ("16, 0.1", "width 16 and learning rate 0.1")


@pytest.mark.parametrize(
    ("sweep", "complaint"),
    [
        (
            "parameter: width, grid: {width: [1, 2], depth: [1, 2]}",
            ": parameter and grid are given; a sweep has 'parameter' with 'values', or 'grid', or 'zip': ke",
        ),
        ("values: [1], zip: {}", ": values and zip are given; a sweep has"),
        ("grid: {width: [1, 2]}", ".grid: 1 parameter ('width'); a grid has two: for one give 'parameter'"),
        (
            "grid: {width: [1, 2], depth: [1, 2], norm: [true, false]}",
            ".grid: 3 parameters ('width', 'depth', 'norm'); a grid has two: for one give",
        ),
        ("grid: {}", ".grid: no parameter; a grid has two"),
        ("grid: 3", ".grid: 3 is not allowed: Input should be a valid dictionary"),
        ("grid: {width: 3, depth: [1, 2]}", ".grid.width: 3 is not allowed: Input should be a valid tuple"),
        ("grid: {width: [1, []], depth: [1, 2]}", ".grid.width[1]: [] is not allowed: Input should be a nu"),
        ("grid: {width: [1, 2, 1.0], depth: [1, 2]}", ".grid: width: 1 is listed twice in 1, 2 and 1"),
        ("grid: {width: [1], depth: [1, 2]}", ".grid: width: has one value; a grid needs two or more of ea"),
        ("grid: {width: [], depth: [1, 2]}", ".grid: width: the list is empty; give the values to try"),
        ("grid: {filters: [1, 2], depth: [1, 2]}", ".grid: 'filters' is not a parameter; allowed: depth, w"),
        ("grid: {width: [1, a], depth: [1, 2]}", ".grid: width='a': the network takes a whole number"),
        ("grid: {width: [1, 2], depth: [1, 2]}, fixed: {depth: 1}", ": fixed: 'depth' is what this exercise"),
        ("grid: {width: [1, 2], depth: [1, 2]}, control: 1", ".control: unknown key 'control' with value 1"),
        (
            "zip: {learning_rate: [0.1, 0.01], batch_size: [32]}",
            ".zip: values are taken together, and learning_rate has 2 and batch_size has 1; give as many of",
        ),
        ("zip: {width: [1, 2]}", ".zip: 1 parameter ('width'); it needs two or more: for one give 'paramet"),
        ("zip: {width: [1, 1], depth: [2, 2]}", ": zip: width=1, depth=2 is listed twice; each combination"),
        ("parameter: width, values: ['4', 8]", ": values: '4' is no number, which 'width' needs"),
        ("parameter: optimizer, values: [sgd, adm]", ": optimizer='adm': Input should be 'sgd', 'adam', 'a"),
        ("parameter: width, values: [.nan]", ".values[0]: nan is not allowed: Input should be a"),
        ("grid: {width: [1, .inf], depth: [1, 2]}", ".grid.width[1]: inf is not allowed: Input should"),
        ("parameter: norm, values: [1, 0]", ": norm=1.0: the network takes true or false"),
        ("parameter: optimizer, values: [sgd, adam], control: rmsprop", ": rmsprop in 'control' or 'planne"),
        ("parameter: optimizer, values: [sgd, sgd]", ": values: sgd is listed twice; each value once"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_in_terms_of_the_form_that_was_meant(
    tmp_path: Path, sweep: str, complaint: str
):
    model = "" if "'4'" in sweep else "model: network.py:build\n"
    sweep = sweep.replace("parameter: width, values: ['4'", "parameter: filters, values: ['4'")
    with pytest.raises(InputError) as found:
        _read(tmp_path, sweep, model)
    expected = complaint.replace("'width' needs", "'filters' needs")
    assert str(found.value).count("\n") == 0
    assert str(found.value).removeprefix(f"{tmp_path}/mine.yaml: exercises[0]").startswith(expected)


@pytest.mark.parametrize(
    ("published", "what"),
    [
        ("claims: [{kind: best, claim: C, exercise: 2, value: 1}]", "'C'"),
        ("bands: [{kind: mean, claim: B, exercise: 2, value: 1, low: 80, high: 90}]", "'B'"),
        ("margin: 1", "an average"),
    ],
)
def test_published_values_of_words_are_refused(tmp_path: Path, published: str, what: str):
    number = 2 if what == "an average" else 3
    (tmp_path / "averages.csv").write_text(f"exercise,value,accuracy_pct\n{number},1,90\n")
    more = f"published:\n  averages: averages.csv\n  {published}\n"
    with pytest.raises(InputError) as found:
        _read(tmp_path, "parameter: optimizer, values: [sgd, adam]", more=more)
    assert str(found.value).endswith(
        f"published: {what} is of exercise 2, which varies optimizer (sgd; adam); published values are "
        "compared by a number: leave it out"
    )
