"""The search: what it asks for depends on the seed, the budget and the readings, and on nothing else."""

import pytest

from study.plan.cost import multiply_adds
from study.records.record import StopRule
from study.spec.study import Study
from tasks.optimum.search import (
    FRUGAL_MARGIN,
    OptimumSearch,
    advance_search,
    choose_finalists,
    list_candidates,
    list_seeds,
    name_finalists,
    play_back,
)
from tasks.tables.readings import read_setting
from tests.searches import CONDITIONAL, begin_search, run_search, searching_study, state_of


def finished(study: Study) -> OptimumSearch:
    """The study's search, run to its end."""
    search = begin_search(study)
    run_search(search)
    return search


def test_the_same_seed_gives_the_same_search_and_another_seed_another():
    study = searching_study()
    other = study.model_copy(update={"seed": 2})
    first, again, another = (state_of(finished(each)) for each in (study, study, other))
    assert first == again
    assert first != another


def test_the_settings_of_sweeps_that_lie_in_the_space_are_the_first_candidates_and_cost_nothing():
    search = finished(searching_study())
    swept = [each for each in search.candidates if each.origin == "sweep"]
    assert [each.setting.filters for each in swept] == [8, 16]  # 128 filters are out of range
    assert [each.number for each in swept] == [1, 2]
    assert search.begun == 20
    assert len(search.candidates) == 22
    assert list_seeds(searching_study(sweeps=False), search.search) == []


def test_a_training_of_the_search_is_that_of_the_sweep_with_the_first_seed():
    study = searching_study()
    search = begin_search(study)
    training = search.next_generation()[0]
    assert training.hyperparameters == study.baseline.with_changes({"filters": 8}).hyperparameters
    assert training.seed == study.seed


def test_hopeless_candidates_are_stopped_at_a_rung_and_the_others_go_on_with_the_same_training():
    search = finished(searching_study(trainings=40))
    ends = {(each.state, len(each.readings)) for each in search.candidates}
    assert ends == {("stopped", 3), ("stopped", 9), ("completed", 18)}
    assert 2 <= sum(each.state == "completed" for each in search.candidates) < 14


def test_a_promotion_extends_the_training_it_began():
    search = begin_search(searching_study())
    kept = run_search(search, most=1)
    assert {len(each.epochs) for each in kept.values()} == {3}
    promoted = [each for each in search.next_generation() if each.rules == (StopRule(epochs=9),)]
    assert promoted
    assert {each.key for each in promoted} <= set(kept)


def test_the_better_candidates_go_further():
    search = finished(searching_study())
    early = {state: [each.readings[2] for each in search.candidates if each.state == state]
             for state in ("completed", "stopped")}  # fmt: skip
    mean = {state: sum(readings) / len(readings) for state, readings in early.items()}
    assert mean["completed"] > mean["stopped"] + 0.005


def test_a_candidate_that_fails_or_diverges_is_told_as_such_and_the_search_goes_on():
    search = begin_search(searching_study())
    run_search(search, broken={3: None, 4: 1})
    assert (search.candidates[2].state, search.candidates[3].state) == ("failed", "diverged")
    assert len(search.candidates[3].readings) == 1
    assert search.begun == 20


def test_a_search_is_played_back_from_kept_trainings_to_its_end_or_where_it_was_interrupted():
    study = searching_study()
    whole, part, again = (begin_search(study) for _ in range(3))
    assert play_back(again, run_search(whole)) == []
    assert state_of(again) == state_of(whole)
    kept, again = run_search(part, most=2), begin_search(study)
    assert play_back(again, kept)
    assert again.generation == 3
    assert [each.state for each in again.candidates][:4] == [each.state for each in part.candidates][:4]


def test_a_budget_of_minutes_is_one_of_a_lanes_seconds():
    search = finished(searching_study(trainings=None, minutes=10))
    spent = sum(each.seconds for each in search.candidates if each.origin == "suggested")
    assert search.remaining <= 0
    assert spent > 600
    assert spent - 600 < 8 * max(each.seconds for each in search.candidates)


@pytest.mark.parametrize("longest", [{"low": 1, "high": 18}, [6, 18]])
def test_a_candidate_may_end_at_any_allowed_number_of_epochs(longest: object):
    study = searching_study(space={"filters": [8, 16, 32], "epochs": longest})
    search = finished(study)
    for candidate in search.candidates:
        found = candidate.best(search.budgets)
        allowed = [each for each in search.budgets if each <= len(candidate.readings)]
        if allowed:
            assert found == (max(candidate.readings[each - 1] for each in allowed), found[1])
            assert found[1] in allowed
        else:
            assert found is None


def test_a_schedule_over_the_epochs_makes_each_budget_a_training_of_its_own():
    study = searching_study(
        sweeps=False, space={"filters": [8, 16, 32], "schedule": ["cosine"], "epochs": [6, 18]}
    )
    search = finished(study)
    assert {each.setting.epochs for each in search.candidates} == {6, 18}
    for candidate in search.candidates:
        best = candidate.best(search.budgets)
        assert best is None or best[1] == candidate.setting.epochs


def test_augmentation_and_averaging_are_searched_and_stand_in_the_rows():
    beyond = {"augmentation": ["none", "flip"], "averaging": {"low": 0, "high": 0.8, "step": 0.2}}
    study = searching_study(space={"filters": [8, 16, 32], **beyond, "epochs": [6, 18]})
    search = finished(study)
    rows = list_candidates("run", search)
    assert {row.augmentation for row in rows} == {"none", "flip"}
    assert len({row.averaging for row in rows}) > 2
    assert {row.averaging for row in rows} <= {0.0, 0.2, 0.4, 0.6, 0.8}
    assert {each.origin for each in search.candidates} == {"sweep", "suggested"}
    assert [read_setting(row).hyperparameters for row in rows] == [
        each.setting.hyperparameters for each in search.candidates
    ]


def test_what_our_engines_do_not_compute_the_general_one_trains():
    search = begin_search(searching_study(space={"optimizer": ["adam", "rmsprop"], "epochs": [6, 18]}))
    suggested = [each for each in search.next_generation() if each.hyperparameters.optimizer != "sgd"]
    assert {each.source.engine for each in suggested} == {"keras"}


def test_what_the_optimizer_does_not_have_is_not_suggested_to_it():
    search = begin_search(searching_study(space=CONDITIONAL, trainings=30))
    run_search(search)
    settings = [each.setting for each in search.candidates]
    sgd, adam = ([each for each in settings if each.optimizer == name] for name in ("sgd", "adam"))
    assert (len({each.momentum for each in sgd}) > 3, {each.weight_decay for each in sgd}) == (True, {0})
    assert ({each.momentum for each in adam}, {each.weight_decay for each in adam}) == ({0.9}, {0.01, 0.1})
    for each in search.candidates:
        searched = {"optimizer", "learning_rate", "momentum" if each.setting in sgd else "weight_decay"}
        assert each.trial.params.keys() == searched
    again = begin_search(searching_study(space=CONDITIONAL, trainings=30))
    run_search(again)
    assert [each.setting for each in again.candidates] == settings


def test_suggested_numbers_have_two_digits_and_stay_in_their_range():
    search = finished(searching_study())
    for candidate in search.candidates:
        rate = candidate.setting.learning_rate
        assert 0.001 <= rate <= 0.1
        assert float(f"{rate:.2g}") == rate


def test_the_step_of_the_dag_hears_and_asks(caplog: pytest.LogCaptureFixture):
    search = begin_search(searching_study())
    with caplog.at_level("INFO"):
        trainings = advance_search.fn(search, {})
    assert len(trainings) == 8
    assert "generation 1: 8 trainings to train" in caplog.text


# The finalists.


def test_the_finalists_are_the_best_on_validation_at_the_epochs_that_read_best():
    search = finished(searching_study())
    named = name_finalists(search)
    readings = sorted(
        (each.best(search.budgets)[0] for each in search.candidates if each.best(search.budgets)),
        reverse=True,
    )
    best, second = named["finalist 1"], named["finalist 2"]
    assert [each.best(search.budgets)[0] for each, _ in (best, second)] == readings[:2]
    for candidate, setting in (best, second):
        assert setting.epochs == candidate.best(search.budgets)[1]
        assert setting.hyperparameters == candidate.setting.hyperparameters


def test_the_frugal_finalist_is_cheaper_than_the_others_and_near_the_best():
    search = finished(searching_study(finalists=1))
    cheap = min(search.candidates, key=lambda each: multiply_adds(each.setting.hyperparameters))
    best = name_finalists(search)["finalist 1"][0].best(search.budgets)[0]
    assert "frugal finalist" not in name_finalists(search), "none comes near"
    cheap.readings = [best - 0.8 * FRUGAL_MARGIN]
    named = name_finalists(search)
    candidate, setting = named["frugal finalist"]
    assert candidate is cheap
    others = [
        multiply_adds(each.hyperparameters) for name, (_, each) in named.items() if "frugal" not in name
    ]
    assert multiply_adds(setting.hyperparameters) < min(others)
    cheap.readings = [best - 1.2 * FRUGAL_MARGIN]
    assert "frugal finalist" not in name_finalists(search)


def test_finalists_are_trained_with_ten_fresh_seeds_each():
    search = finished(searching_study())
    trials = choose_finalists.fn(search)
    names = list(name_finalists(search))
    assert [each.name for each in trials] == [name for name in names for _ in range(10)]
    seeds = {each.seed for each in trials}
    assert len(seeds) == 10
    assert search.study.seed not in seeds


def test_a_search_of_which_nothing_was_trained_has_no_finalists():
    search = begin_search(searching_study())
    run_search(search, broken=dict.fromkeys(range(1, 23)))
    assert {each.state for each in search.candidates} == {"failed"}
    assert name_finalists(search) == {}
    assert choose_finalists.fn(search) == ()
    rows = list_candidates("r", search)
    assert {row.validation_accuracy for row in rows} == {None}


def test_every_candidate_is_a_row():
    search = finished(searching_study())
    rows = list_candidates("r", search)
    assert [row.candidate for row in rows] == list(range(1, 23))
    assert {row.finalist for row in rows} >= {"finalist 1", "finalist 2", None}
    assert {(row.seed, row.exercise) for row in rows} == {(search.study.seed, 7)}
