import re
from pathlib import Path

import pytest

from study.errors import InputError
from study.spec.setting import Setting
from study.spec.study import Study
from study.spec.study_file import (
    STUDIES_FOLDER,
    adapt_study,
    choose_exercises,
    is_path,
    list_studies,
    read_study,
)

SOUND = """\
name: mine
title: My study
baseline: {epochs: 2}
exercises:
  - {number: 2, kind: sweep, title: T, question: Q?, parameter: kernel_size, values: [3, 5], repeats: 3}
"""


def _write(folder: Path, content: str | bytes, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _complaints(folder: Path, content: str | bytes) -> list[str]:
    """What reading the file complains of: one line each, without the path that each begins with."""
    path = _write(folder, content)
    with pytest.raises(InputError) as caught:
        read_study(str(path))
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def _altered(old: str, new: str) -> str:
    assert SOUND.count(old) == 1
    return SOUND.replace(old, new)


def test_a_users_own_study_varies_another_parameter_with_its_own_repeats(tmp_path: Path):
    _write(tmp_path, SOUND)
    study = read_study("mine", tmp_path)
    (sweep,) = study.sweeps
    assert (sweep.parameter, sweep.values, sweep.repeats) == ("kernel_size", (3, 5), 3)
    assert [each.kernel_size for each in sweep.settings(study.baseline).values()] == [3, 5]
    assert {each.epochs for each in sweep.settings(study.baseline).values()} == {2}
    assert list_studies(tmp_path) == ["mine"]


def test_a_number_with_an_exponent_is_a_number(tmp_path: Path):
    path = _write(tmp_path, SOUND.replace("kernel_size, values: [3, 5]", "learning_rate, values: [1e-5]"))
    assert read_study(str(path)).sweeps[0].values == (0.00001,)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path):
    _write(tmp_path, SOUND)
    message = (
        f"study 'yours' not found: there is no file {tmp_path}/yours.yaml; "
        f"give one of the names in {tmp_path} (mine) or a path to a YAML file"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        read_study("yours", tmp_path)


def test_a_path_to_nothing_is_answered_with_the_path(tmp_path: Path):
    path = tmp_path / "yours.yaml"
    with pytest.raises(InputError, match=re.escape(f"there is no file {path}; give one of the names in")):
        read_study(str(path))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[3, 5]", "[3, 28]", "[0]: kernel_size=28.0: Input should be less than or equal to 27"),
        ("[3, 5]", "[3.5]", "[0]: kernel_size=3.5: Input should be a valid integer"),
        ("[3, 5]", "[three]", "[0]: kernel_size='three': Input should be a valid integer"),
        ("[3, 5]", "[]", "[0].values: [] is not allowed: Tuple should have at least 1 item"),
        ("[3, 5]", "3", "[0].values: 3 is not allowed: Input should be a valid tuple"),
        ("[3, 5]", "[3, 5, 3.0]", "[0]: values: 3 is listed twice; each value once"),
        ("repeats: 3", "repeats: 0", "[0].repeats: 0 is not allowed: Input should be greater than"),
        ("kernel_size", "kernel", "[0]: 'kernel' is not a parameter; allowed: filters, kernel_size"),
        ("3}", "3, fixed: {kernel_size: 3}}", "[0]: fixed: 'kernel_size' is what this exercise varies"),
        ("3}", "3, fixed: {epoch: 3}}", "[0].fixed: 'epoch' is not a parameter; "),
        ("3}", "3, fixed: {epochs: [1]}}", "[0].fixed.epochs: [1] is not allowed: Input should be a number"),
        ("kind: sweep", "kind: swoop", "[0].kind: 'swoop' is not allowed: Input should be 'images', 'sweep'"),
        ("kind: sweep, ", "", "[0].kind: missing; this key must be given"),
        ("question: Q?, ", "", "[0].question: missing; this key must be given"),
    ],
)
def test_a_mistake_in_an_exercise_is_one_line_with_field_value_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, complaint: str
):
    (line,) = _complaints(tmp_path, _altered(old, new))
    assert line.startswith(f"exercises{complaint}")


IMAGES = "  - {number: %d, kind: images, title: T, question: Q?}\n"
MODEL = "  - {number: 8, kind: model, title: T, question: Q?}\n"
OPTIMUM = "  - {number: 7, kind: optimum, title: T, question: Q?%s}\n"
BAND = "kind: near, claim: C, exercise: 2, reference: 3, margin: 1"

MISTAKES = [
    # an unknown key
    (SOUND + "protocl: lab\n", "protocl: unknown key 'protocl' with value 'lab' (did you mean 'protocol'?)"),
    (
        _altered("{epochs: 2}", "{filtres: 8}"),
        "baseline.filtres: unknown key 'filtres' with value 8 (did you mean 'filters'?); "
        "allowed: filters, kernel_size, dense_units, dropout, learning_rate, momentum, batch_size, "
        "schedule, augmentation, averaging, optimizer, weight_decay, epochs, patience",
    ),
    (
        _altered("repeats: 3", "repeats: 3, fixd: {}"),
        "exercises[0].fixd: unknown key 'fixd' with value {} (did you mean 'fixed'?); "
        "allowed: number, title, question, kind, repeats, fixed, parameter, values",
    ),
    (
        SOUND + f"published: {{averages: a.csv, bands: [{{{BAND}, marg: 1}}]}}\n",
        "published.bands[0].marg: unknown key 'marg' with value 1 (did you mean 'margin'?); "
        "allowed: claim, exercise, kind, reference, margin",
    ),
    (SOUND + "xyz: 1\n", "xyz: unknown key 'xyz' with value 1; allowed: name, title, protocol, seed"),
    # a wrong or missing value
    (_altered("{epochs: 2}", "{dropout: 1.0}"), "baseline.dropout: 1.0 is not allowed: Input should be less"),
    (_altered("{epochs: 2}", ""), "baseline: None is not allowed: Input should be a valid dictionary"),
    (_altered("title: My study\n", ""), "title: missing; this key must be given"),
    (_altered("name: mine", "name: My Study"), "name: 'My Study' is not allowed: String should match"),
    # an exercise that does not fit the others
    (SOUND + IMAGES % 2, "exercises: number 2 is used twice; each exercise has its own"),
    (SOUND + IMAGES % 1 + IMAGES % 3, "exercises: kind 'images' is used twice"),
    (SOUND + MODEL, "exercises: the 'model' exercise saves what an 'optimum' exercise chose; add one"),
    (SOUND + OPTIMUM % "", "exercises[1]: give at least one of 'candidates', 'combine' and 'search'"),
    (
        SOUND + OPTIMUM % ", combine: [2, 3]",
        "exercises: the 'optimum' exercise combines 3, which is not a sweep of the study; allowed: 2",
    ),
    # no study at all
    ("", "found nothing, expected a mapping with keys name, title, protocol, seed, data, model, baseline"),
    ("- 1\n- 2\n", "found list, expected a mapping with keys name"),
    ("name: [mine\n", "not readable as YAML: while parsing a flow sequence"),
    (b"\xff\xfe\x00", "not readable as YAML: 'utf-8' codec can't decode byte 0xff"),
    (SOUND + "seed: 2020-13-45\n", "not readable as YAML: month must be in 1..12"),
    (SOUND + "seed: !!bool maybe\n", "not readable as YAML: a value does not fit its tag (KeyError: "),
    (SOUND + "---\n" + SOUND, "not readable as YAML: expected a single document"),
]


@pytest.mark.parametrize(("content", "complaint"), MISTAKES, ids=[complaint for _, complaint in MISTAKES])
def test_a_mistake_is_one_line_with_field_value_and_what_is_allowed(
    tmp_path: Path, content: str | bytes, complaint: str
):
    (line,) = _complaints(tmp_path, content)
    assert line.startswith(complaint)


def test_every_mistake_of_a_file_is_told(tmp_path: Path):
    lines = _complaints(tmp_path, _altered("repeats: 3", "repeets: 3"))
    assert lines[0] == "exercises[0].repeats: missing; this key must be given"
    assert "unknown key 'repeets' with value 3 (did you mean 'repeats'?)" in lines[1]


def test_a_key_given_twice_is_refused_with_its_line(tmp_path: Path):
    (line,) = _complaints(tmp_path, SOUND + "title: Another\n")
    assert line.startswith("not readable as YAML: ")
    assert 'found duplicate key "title" with value "Another" (original value: "My study")' in line
    assert "line 6" in line


@pytest.mark.parametrize(
    ("name", "problem"), [("gone.csv", "not found in"), ("../elsewhere.csv", "is not in")]
)
def test_a_published_file_that_is_missing_or_elsewhere_is_refused(tmp_path: Path, name: str, problem: str):
    (tmp_path / "elsewhere.csv").touch()
    (tmp_path / "mine").mkdir()
    assert _complaints(tmp_path / "mine", SOUND + f"published: {{averages: {name}}}\n") == [
        f"published.averages: '{name}' {problem} {tmp_path / 'mine'}; "
        "give a CSV file, relative to the study's file"
    ]


def test_a_published_file_is_found_beside_the_study(tmp_path: Path):
    (tmp_path / "here.csv").write_text("exercise,value,accuracy_pct\n")
    path = _write(tmp_path, SOUND + "published: {averages: here.csv}\n")
    published = read_study(str(path)).published
    assert published is not None
    assert (published.averages, published.readings) == (tmp_path / "here.csv", None)


def test_all_exercises_are_chosen_when_none_is_named():
    lab = read_study("lab")
    assert choose_exercises(lab, frozenset()) == lab
    assert [each.number for each in choose_exercises(lab, frozenset({8, 7})).exercises] == [7, 8]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({2, 9}, r"^--exercises: exercise 9 is not in study 'lab'; it has 1, 2, 3, 4, 5, 6, 7, 8$"),
        (
            {8},
            r"^--exercises: exercises: the 'model' exercise saves what an 'optimum' exercise chose; add one$",
        ),
    ],
)
def test_exercises_that_cannot_be_chosen_are_refused(numbers: set[int], message: str):
    with pytest.raises(InputError, match=message):
        choose_exercises(read_study("lab"), frozenset(numbers))


def test_the_lab_study_is_that_of_the_published_lab():
    lab = read_study("lab")
    assert (lab.protocol, lab.seed, lab.data.train_images, lab.data.test_images) == ("lab", 1, 60_000, 10_000)
    asked = {each.number: (each.parameter, each.values, each.repeats) for each in lab.sweeps}
    assert asked == {
        2: ("filters", (8, 16, 32, 64, 128), 5),
        3: ("dense_units", (16, 64, 128, 256, 512), 5),
        4: ("epochs", (1, 2, 5, 10, 20), 4),
        5: ("learning_rate", (0.1, 0.01, 0.001, 0.0001, 0.00001), 4),
        6: ("dropout", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5), 4),
    }
    assert lab.baseline == Setting()
    assert [each.fixed for each in lab.sweeps] == [{}] * 4 + [{"epochs": 20, "patience": 3}]
    assert lab.optimum is not None
    published = {"filters": 64, "kernel_size": 3, "dense_units": 250, "epochs": 7, "learning_rate": 0.001}
    assert lab.optimum.candidates == {"published": published}
    assert lab.optimum.combine == (2, 3, 4, 5, 6)


def test_the_rigorous_study_asks_what_the_lab_study_asks_with_more_repeats_and_held_out_choices():
    lab, rigorous = read_study("lab"), read_study("rigorous")

    def asked(study: Study) -> list[tuple[object, ...]]:
        return [(each.number, each.question, each.settings(study.baseline)) for each in study.sweeps]

    assert asked(rigorous) == asked(lab)
    assert {each.repeats for each in rigorous.sweeps} == {35}
    assert (rigorous.protocol, rigorous.data.held_out_images) == ("held-out", 10_000)


def test_the_optimum_study_leaves_the_labs_space_and_measures_the_gain_by_what_lies_within():
    optimum, rigorous = read_study("optimum"), read_study("rigorous")
    assert "beyond the lab's space" in optimum.title
    assert (optimum.protocol, optimum.data) == (rigorous.protocol, rigorous.data)
    assert optimum.baseline == rigorous.baseline
    assert optimum.optimum is not None
    assert rigorous.optimum is not None
    assert optimum.optimum.candidates == rigorous.optimum.candidates
    assert optimum.optimum.search is not None
    assert {"schedule", "augmentation", "averaging", "batch_size"} <= optimum.optimum.search.space.keys()
    assert optimum.published is None


def test_the_optimizer_study_repeats_exercise_5_of_the_lab_with_two_optimizers():
    lab, study = read_study("lab"), read_study("optimizer")
    assert (study.protocol, study.data, study.baseline) == (lab.protocol, lab.data, lab.baseline)
    sgd, adam = study.sweeps
    assert (sgd.number, sgd.parameter, sgd.repeats) == (5, "learning_rate", 4)
    assert sgd.settings(study.baseline).items() <= lab.sweeps[3].settings(lab.baseline).items()
    assert adam.model_dump() | {"fixed": {}} == sgd.model_dump() | {
        **{"number": 6, "title": adam.title, "question": adam.question, "fixed": {}}
    }
    assert adam.fixed == {"optimizer": "adam"}


def test_the_smoke_study_has_the_exercises_of_the_lab_study():
    def shape(study: Study) -> list[tuple[int, str, str]]:
        return [(each.number, each.kind, getattr(each, "parameter", "")) for each in study.exercises]

    assert shape(read_study("smoke")) == shape(read_study("lab"))


def test_every_study_that_ships_bears_the_name_of_its_file():
    names = list_studies(STUDIES_FOLDER)
    assert {"lab", "smoke"} <= set(names)
    assert [read_study(name).name for name in names] == names


def test_a_study_is_adapted_in_the_repeats_of_its_sweeps_and_its_protocol():
    lab = read_study("lab")
    assert adapt_study(lab, None, None) is lab
    more = adapt_study(lab, 9, None)
    assert {sweep.repeats for sweep in more.sweeps} == {9}
    assert (more.optimum, more.protocol) == (lab.optimum, "lab")
    assert adapt_study(lab, None, "held-out") == lab.model_copy(update={"protocol": "held-out"})


def test_a_study_that_cannot_be_adapted_names_the_options():
    optimum = read_study("optimum")
    with pytest.raises(
        InputError, match=r"^--protocol lab: exercises: the 'search' of exercise 7 chooses on"
    ):
        adapt_study(optimum, None, "lab")
    with pytest.raises(InputError, match=r"^--repeats 900 --protocol lab: "):
        adapt_study(optimum, 900, "lab")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("combination", "'combination' is the name of the combined best values; choose another name"),
        ("my finalist", "'my finalist' is like the names of a search's finalists; choose another"),
        ("", "'' is no name; give 1 to 60 characters that can be printed"),
        ("a" * 61, f"'{'a' * 61}' is no name; give 1 to 60 characters that can be printed"),
    ],
)
def test_a_candidate_has_a_name_that_no_other_may_have(tmp_path: Path, name: str, complaint: str):
    named = SOUND + OPTIMUM % ', candidates: {"%s": {filters: 8}}'
    assert _complaints(tmp_path, named % name) == [f"exercises[1].candidates: {complaint}"]
    sixty = _write(tmp_path, named % ("a" * 60))
    assert read_study(str(sixty)).optimum is not None


def test_aliases_may_stand_for_a_hundred_thousand_values_and_no_more(tmp_path: Path):
    # The list `a` is 100 values, 998 aliases of it are 99,800; with two keys, the list `b` and the mapping
    # that is 99,904, and 96 numbers more are the most.
    def fill(numbers: int) -> str:
        many = ", ".join(["*a"] * 998 + ["1"] * numbers)
        return f"a: &a [{', '.join('1' * 99)}]\nb: [{many}]\n"

    assert not any("aliases" in each for each in _complaints(tmp_path, fill(96)))
    assert _complaints(tmp_path, fill(97)) == [
        "its aliases (*name) stand for more than 100,000 values, or for themselves; write out what they "
        "stand for"
    ]


@pytest.mark.parametrize(
    ("given", "by_path"), [("lab", False), ("a.yaml", True), ("a.yml", True), ("a/b", True)]
)
def test_a_study_is_given_by_its_path_or_by_its_name(given: str, by_path: bool):
    assert is_path(given) is by_path
