"""Rows chosen by key, by name and at random, and what cannot be chosen."""

import pytest

from study.errors import InputError
from tasks.choose_rows import choose_rows
from tasks.read_recipe import name_trial

ROWS = [
    {
        "exercise": 2, "setting": f"filters={filters}", "repeat": repeat, "key": f"key{filters}{repeat}",
        "status": "completed", "weights_sha256": "a", "reason": None,
    }
    for filters in (2, 4, 8)
    for repeat in (1, 2)
]  # fmt: skip
ROWS.append({**ROWS[0], "exercise": 4, "setting": "epochs=1"})
ROWS.append({**ROWS[1], "setting": "filters=9", "key": "dead", "status": "failed", "weights_sha256": None,
             "reason": "lane died"})  # fmt: skip


def names(rows: list) -> list[str]:
    return [name_trial(row) for row in rows]


def test_a_key_chooses_every_row_that_reads_it():
    assert names(choose_rows(ROWS, ["key21"], (), None, 0)) == ["2/filters=2/1", "4/epochs=1/1"]


def test_a_row_that_is_asked_for_twice_comes_once_and_in_the_tables_order():
    chosen = choose_rows(ROWS, ["key42"], ["2/filters=4/2", "2/filters=2/1"], None, 0)
    assert names(chosen) == ["2/filters=2/1", "2/filters=4/2"]


def test_a_seed_draws_the_same_rows_again_and_another_one_others():
    draws = [names(choose_rows(ROWS, (), (), 3, seed)) for seed in (1, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len({tuple(each) for each in draws}) > 1
    assert all(len(set(each)) == 3 for each in draws)


def test_no_failed_row_is_drawn():
    assert "2/filters=9/2" not in names(choose_rows(ROWS, (), (), 7, 0))


@pytest.mark.parametrize(
    ("keys", "trials", "number", "message"),
    [
        ((), (), None, "nothing to replay: give keys, --trial or --random N; there are 2/filters=2/1"),
        (["nokey"], (), None, "key 'nokey': no trial of this run reads it; there are .* and 1 more"),
        (["dead"], (), None, "key dead: trial 2/filters=9/2 failed and read nothing .*lane died"),
        ((), ["filters=2"], None, "--trial: 'filters=2' is not EXERCISE/SETTING/REPEAT"),
        ((), ["2/filters=2/3"], None, "--trial: this run has no '2/filters=2/3'; there are"),
        ((), ["2/filters=9/2"], None, "--trial: trial 2/filters=9/2 failed and read nothing"),
        ((), (), 0, "--random: 0 is not allowed; the run has 7 completed trials"),
        ((), (), 8, "--random: 8 is not allowed; the run has 7 completed trials"),
    ],
)
def test_what_cannot_be_chosen_is_answered_with_what_can(keys, trials, number, message):
    with pytest.raises(InputError, match=message):
        choose_rows(ROWS, keys, trials, number, 0)
