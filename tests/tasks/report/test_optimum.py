"""What the report says of the optimum."""

import re

from study.status import CandidateState
from study.wording import MISSING
from tasks.report.optimum import answer_search, cost_of_search, tabulate_finals, tabulate_search
from tests.rows import make_study
from tests.searches import CONDITIONAL, searched_tables, searching_study
from tests.small_run import changed

STUDY = searching_study(trainings=40)
TABLES = searched_tables()


def test_the_answer_tells_the_gain_the_search_and_its_limits():
    answer = answer_search(STUDY.optimum, STUDY, TABLES)
    text = " ".join((*answer.details, *answer.limits))
    assert re.match(r"Best of \d candidates: \d+ filters, kernel 3 x 3 \(not varied\), ", answer.headline)
    assert "on 'published'" in text
    assert "on 'baseline'" in text
    assert "The search tried 40 configurations, besides 2 settings of the sweeps, which were free" in text
    assert "Only the fresh seeds say what a finalist is worth." in text


def test_the_cost_counts_what_the_search_itself_trained():
    cost = cost_of_search(TABLES.search)
    own = [row for row in TABLES.search if row.origin == "suggested"]
    assert (cost.trainings, cost.free) == (40, 2)
    assert cost.epochs == sum(row.epochs_trained for row in own)
    assert cost.seconds == sum(row.training_seconds for row in own)
    assert cost.stopped == sum(row.state != CandidateState.COMPLETED for row in own) > 0


def test_every_candidate_of_the_finals_is_a_row_and_those_as_good_are_marked():
    table = tabulate_finals(TABLES.finals)
    assert [row[0].removesuffix(" (kept)") for row in table.rows] == [row.setting for row in TABLES.finals]
    assert len(table.marked) == sum(row.as_good for row in TABLES.finals)
    assert sum(row[0].endswith("(kept)") for row in table.rows) == 1


def test_every_candidate_of_the_search_is_a_row_the_best_first():
    table = tabulate_search(STUDY, TABLES.search)
    assert len(table.rows) == 42
    place = table.header.index("Validation, %")
    readings = [float(row[place]) for row in table.rows]
    assert readings == sorted(readings, reverse=True)
    assert "after 3 and 9 epochs" in table.notes[0]
    assert any(row[0].endswith(": finalist 1") for row in table.rows)


def test_a_study_without_a_search_has_neither_cost_nor_table():
    assert cost_of_search([]) is None
    assert tabulate_search(make_study(), TABLES.search) is None
    assert tabulate_finals([]) is None


def test_the_table_leaves_out_what_was_not_searched_in_a_candidate():
    study = searching_study(sweeps=False, space=CONDITIONAL)
    rows = [
        changed(row, candidate=place, optimizer=name, momentum=0.7, weight_decay=0.1)
        for place, (row, name) in enumerate(zip(TABLES.search, ("sgd", "adam"), strict=False))
    ]
    table = tabulate_search(study, rows)
    assert table is not None
    cells = {row[0].partition(",")[0].partition(":")[0]: row[1:4] for row in table.rows}
    assert cells == {"0": ("0.7", "sgd", MISSING), "1": (MISSING, "adam", "0.1")}
