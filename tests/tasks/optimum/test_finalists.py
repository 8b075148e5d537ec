"""Who goes on to the finals: the best on validation, and a cheap one that comes near."""

from study.plan.cost import multiply_adds
from tasks.optimum.search import FRUGAL_MARGIN, choose_finalists, list_candidates, name_finalists
from tests.searches import begin_search, run_search, searching_study


def finished(**search: object):
    ended = begin_search(searching_study(**search))
    run_search(ended)
    return ended


def test_the_finalists_are_the_best_on_validation_at_the_epochs_that_read_best():
    search = finished()
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
    search = finished(finalists=1)
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
    search = finished()
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
    search = finished()
    rows = list_candidates("r", search)
    assert [row.candidate for row in rows] == list(range(1, 23))
    assert {row.finalist for row in rows} >= {"finalist 1", "finalist 2", None}
    assert {(row.seed, row.exercise) for row in rows} == {(search.study.seed, 7)}
