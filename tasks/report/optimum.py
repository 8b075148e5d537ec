"""What the report says of the optimum: the answer, and the tables of the finals and of the search."""

from collections.abc import Sequence
from typing import Any

from storage.tables import FinalRow, RunTables, SearchRow
from study.conclusions import Answer, Candidates, SearchCost, answer_optimum, describe_search
from study.spec import OptimumExercise, Study, rungs_to
from study.status import CandidateState, Status
from study.wording import MISSING, listing, percent, plain, points, points_interval
from tasks.optimum import finals_of
from tasks.report.settings import Table, p_value, title_of
from tasks.tables import kept_candidate, read_candidates, read_curve, read_searched, read_setting


def answer_search(exercise: OptimumExercise, study: Study, tables: RunTables) -> Answer:
    """Return the answer to the optimum exercise, with the cost of its search, if it searched."""
    trials = [row for row in tables.trials if row.exercise == exercise.number]
    kept = kept_candidate(study, trials)
    done = [row for row in trials if row.setting == kept and row.status == Status.COMPLETED]
    found = Candidates(
        read_candidates(exercise.number, trials, study.data.images.classes),
        {row.setting: read_setting(row) for row in trials},
        read_curve(done, tables.epochs),
    )
    answer = answer_optimum(study, finals_of(study, trials), found)
    cost = cost_of_search(tables.search)
    if cost is None:
        return answer
    limit = (
        "Each configuration of the search was trained with one seed: its reading is one draw, and the best "
        "of many are lucky ones. Only the fresh seeds say what a finalist is worth."
    )
    return Answer(answer.headline, (*answer.details, describe_search(cost)), (*answer.limits, limit))


def cost_of_search(search: Sequence[SearchRow]) -> SearchCost | None:
    """Add up the trainings of the run's search; None if it did not search."""
    if not search:
        return None
    own = [row for row in search if row.origin == "suggested"]
    return SearchCost(
        trainings=len(own),
        stopped=sum(row.state in (CandidateState.STOPPED, CandidateState.DIVERGED) for row in own),
        free=len(search) - len(own),
        epochs=sum(row.epochs_trained for row in own),
        seconds=sum(row.training_seconds for row in own),
    )


def tabulate_finals(finals: Sequence[FinalRow]) -> Table | None:
    """Return a row for each candidate compared with the kept one; None if none could be compared."""
    if not any(row.gain is not None for row in finals):
        return None
    header = ("Kept against", "Gain, points", "95% interval", "p, corrected", "Parameters", "Multiply-adds")
    notes = (
        "Gain: test accuracy of the kept candidate less this one's, means over the same seeds; intervals and "
        "p are corrected for the number of candidates. Marked: the kept one, and those not significantly "
        "different from it.",
    )
    cells = tuple(
        (
            f"{row.setting} (kept)" if row.kept else row.setting,
            points(row.gain),
            points_interval(row.low, row.high),
            p_value(row.adjusted_p_value),
            f"{row.parameters:,}",
            f"{row.multiply_adds:,}",
        )
        for row in finals
    )
    marked = frozenset(place for place, row in enumerate(finals) if row.as_good)
    return Table("The kept candidate against the others", header, cells, notes, marked)


def tabulate_search(study: Study, search: Sequence[SearchRow]) -> Table | None:
    """Return a row for each candidate of the search, the best on validation first; None without a search."""
    if study.optimum is None or study.optimum.search is None or not search:
        return None
    declared = study.optimum.search
    names = [name for name in declared.space if name != "epochs"]
    rows = sorted(search, key=lambda row: row.validation_accuracy or -1, reverse=True)
    measures = ("Epochs", "Validation, %", "Trained, epochs", "Ended", "Time, s")
    header = ("Candidate", *map(title_of, names), *measures)
    rungs = rungs_to(study.optimum.search.budgets(study.baseline)[-1])[:-1]
    asked = (
        f" when it was not among the best third after {listing(list(map(str, rungs)))} epochs"
        if rungs
        else ""
    )
    notes = (
        "Validation: of one training, at the number of epochs that reads best. Ended: completed, or stopped"
        f"{asked}. Marked: the finalists.",
    )
    cells = tuple(_candidate(row, read_searched(row, declared), names) for row in rows)
    marked = frozenset(place for place, row in enumerate(rows) if row.finalist is not None)
    return Table("Every candidate", header, cells, notes, marked)


def _candidate(row: SearchRow, searched: dict[str, Any], names: list[str]) -> tuple[str, ...]:
    origin = ", of a sweep" if row.origin == "sweep" else ""
    finalist = "" if row.finalist is None else f": {row.finalist}"
    return (
        f"{row.candidate}{origin}{finalist}",
        *(plain(searched[name]) if name in searched else MISSING for name in names),
        MISSING if row.epochs is None else str(row.epochs),
        percent(row.validation_accuracy, sign=False),
        str(row.epochs_trained),
        row.state,
        f"{row.training_seconds:,.1f}",
    )
