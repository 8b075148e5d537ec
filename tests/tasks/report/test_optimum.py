"""What the report says of the optimum."""

from tasks.report.optimum import answer_search, cost_of_search, tabulate_finals, tabulate_search
from tests.frames import make_study
from tests.searches import searched_frames, searching_study

STUDY = searching_study(trainings=40)
FRAMES = searched_frames()


def test_the_answer_tells_the_gain_the_search_and_its_limits():
    answer = answer_search(STUDY, FRAMES)
    text = " ".join((*answer.details, *answer.limits))
    assert "was kept on validation accuracy" in answer.headline
    assert "on 'published'" in text
    assert "on 'baseline'" in text
    assert "The search tried 40 configurations, besides 2 settings of the sweeps, which were free" in text
    assert "Only the fresh seeds say what a finalist is worth." in text


def test_the_cost_counts_what_the_search_itself_trained():
    cost = cost_of_search(STUDY, FRAMES)
    own = FRAMES.search[FRAMES.search["origin"] == "suggested"]
    assert (cost.trainings, cost.free) == (40, 2)
    assert cost.epochs == own["epochs_trained"].sum()
    assert cost.seconds == own["training_seconds"].sum()
    assert cost.stopped == (own["state"] != "completed").sum() > 0


def test_every_candidate_of_the_finals_is_a_row_and_those_as_good_are_marked():
    table = tabulate_finals(FRAMES.finals)
    assert [row[0].removesuffix(" (kept)") for row in table.rows] == list(FRAMES.finals["setting"])
    assert len(table.marked) == FRAMES.finals["as_good"].sum()
    assert sum(row[0].endswith("(kept)") for row in table.rows) == 1


def test_every_candidate_of_the_search_is_a_row_the_best_first():
    table = tabulate_search(STUDY, FRAMES.search)
    assert len(table.rows) == 42
    place = table.header.index("Validation, %")
    readings = [float(row[place]) for row in table.rows]
    assert readings == sorted(readings, reverse=True)
    assert "after 3 and 9 epochs" in table.notes[0]
    assert any(row[0].endswith(": finalist 1") for row in table.rows)


def test_a_study_without_a_search_has_neither_cost_nor_table():
    study = make_study()
    frames = searched_frames()
    assert cost_of_search(study, frames) is None
    assert tabulate_search(study, frames.search) is None
    assert tabulate_finals(frames.finals.head(0)) is None
