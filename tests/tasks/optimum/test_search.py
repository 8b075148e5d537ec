"""The search: what it asks for depends on the seed, the budget and the readings, and on nothing else."""

import pytest

from study.records.record import StopRule
from tasks.optimum.search import advance_search, list_candidates, list_seeds, play_back
from tasks.tables.readings import read_setting
from tests.searches import begin_search, run_search, searching_study, state_of


def test_the_same_seed_and_budget_give_the_same_search():
    first, second = begin_search(searching_study()), begin_search(searching_study())
    run_search(first)
    run_search(second)
    assert state_of(first) == state_of(second)


def test_another_seed_gives_another_search():
    study = searching_study()
    first, second = begin_search(study), begin_search(study.model_copy(update={"seed": 2}))
    run_search(first)
    run_search(second)
    assert state_of(first) != state_of(second)


def test_the_settings_of_sweeps_that_lie_in_the_space_are_the_first_candidates_and_cost_nothing():
    search = begin_search(searching_study())
    run_search(search)
    swept = [each for each in search.candidates if each.origin == "sweep"]
    assert [each.setting.filters for each in swept] == [8, 16]  # 128 filters are out of range
    assert [each.number for each in swept] == [1, 2]
    assert search.begun == 20
    assert len(search.candidates) == 22


def test_a_training_of_the_search_is_that_of_the_sweep_with_the_first_seed():
    study = searching_study()
    search = begin_search(study)
    training = search.next_generation()[0]
    assert training.hyperparameters == study.baseline.with_changes({"filters": 8}).hyperparameters
    assert training.seed == study.seed


def test_hopeless_candidates_are_stopped_at_a_rung_and_the_others_go_on_with_the_same_training():
    search = begin_search(searching_study(trainings=40))
    run_search(search)
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


def test_a_generation_fills_up_with_new_candidates_beside_promotions():
    search = begin_search(searching_study(generation=8))
    assert len(search.next_generation()) == 8


def test_the_better_candidates_go_further():
    search = begin_search(searching_study())
    run_search(search)
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


def test_a_search_is_played_back_from_kept_trainings():
    study = searching_study()
    whole = begin_search(study)
    kept = run_search(whole)
    again = begin_search(study)
    assert play_back(again, kept) == []
    assert state_of(again) == state_of(whole)


def test_an_interrupted_search_goes_on_where_it_was():
    study = searching_study()
    whole, part = begin_search(study), begin_search(study)
    run_search(whole)
    kept = run_search(part, most=2)
    again = begin_search(study)
    waiting = play_back(again, kept)
    assert waiting
    assert again.generation == 3
    assert [each.state for each in again.candidates][:4] == [each.state for each in part.candidates][:4]
    again = begin_search(study)
    run_search(again)
    assert state_of(again) == state_of(whole)


def test_a_budget_of_minutes_is_one_of_a_lanes_seconds():
    search = begin_search(searching_study(trainings=None, minutes=10))
    run_search(search)
    spent = sum(each.seconds for each in search.candidates if each.origin == "suggested")
    assert search.remaining <= 0
    assert spent > 600
    assert spent - 600 < 8 * max(each.seconds for each in search.candidates)


def test_sweeps_settings_are_seeds_once_each():
    study = searching_study()
    assert study.optimum is not None
    assert [each.filters for each in list_seeds(study, study.optimum.search)] == [8, 16]
    assert list_seeds(searching_study(sweeps=False), study.optimum.search) == []


@pytest.mark.parametrize("longest", [{"low": 1, "high": 18}, [6, 18]])
def test_a_candidate_may_end_at_any_allowed_number_of_epochs(longest: object):
    study = searching_study(space={"filters": [8, 16, 32], "epochs": longest})
    search = begin_search(study)
    run_search(search)
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
    search = begin_search(study)
    run_search(search)
    assert {each.setting.epochs for each in search.candidates} == {6, 18}
    for candidate in search.candidates:
        best = candidate.best(search.budgets)
        assert best is None or best[1] == candidate.setting.epochs


def test_augmentation_and_averaging_are_searched_and_stand_in_the_rows():
    beyond = {"augmentation": ["none", "flip"], "averaging": {"low": 0, "high": 0.8, "step": 0.2}}
    study = searching_study(space={"filters": [8, 16, 32], **beyond, "epochs": [6, 18]})
    search = begin_search(study)
    run_search(search)
    rows = list_candidates("run", search)
    assert {row.augmentation for row in rows} == {"none", "flip"}
    assert len({row.averaging for row in rows}) > 2
    assert {row.averaging for row in rows} <= {0.0, 0.2, 0.4, 0.6, 0.8}
    assert {each.origin for each in search.candidates} == {"sweep", "suggested"}
    assert [read_setting(row).hyperparameters for row in rows] == [
        each.setting.hyperparameters for each in search.candidates
    ]


def test_suggested_numbers_have_two_digits_and_stay_in_their_range():
    search = begin_search(searching_study())
    run_search(search)
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
