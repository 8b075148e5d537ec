"""What the report says of the optimum: the answer, and the tables of the finals and of the search."""

import math
from typing import Any

import pandas as pd

from storage.tables import RunFrames
from study.conclusions import (
    Answer,
    SearchCost,
    answer_optimum,
    describe_search,
)
from study.spec import Study, rungs_to
from study.status import CandidateState
from study.wording import MISSING, listing, percent, plain, points, probability
from tasks.optimum import finals_of
from tasks.report.settings import Table, title_of
from tasks.tables import read_candidates, read_setting


def answer_search(study: Study, frames: RunFrames) -> Answer:
    """Return the answer to the optimum exercise, with the cost of its search, if it searched."""
    trials: list[dict[Any, Any]] = frames.trials.to_dict("records")
    number = study.optimum.number if study.optimum else 0
    own = [row for row in trials if row["exercise"] == number]
    augmented = {str(row["setting"]) for row in own if read_setting(row).augmentation != "none"}
    answer = answer_optimum(
        finals_of(study, trials), read_candidates(number, trials), study.protocol, augmented
    )
    cost = cost_of_search(study, frames)
    if cost is None:
        return answer
    limit = (
        "Each configuration of the search was trained with one seed: its reading is one draw, and the best "
        "of many are lucky ones. Only the fresh seeds say what a finalist is worth."
    )
    return Answer(answer.headline, (*answer.details, describe_search(cost)), (*answer.limits, limit))


def cost_of_search(study: Study, frames: RunFrames) -> SearchCost | None:
    """Add up the trainings of the run's search; None if it did not search."""
    if study.optimum is None or study.optimum.search is None or frames.search.empty:
        return None
    own = frames.search[frames.search["origin"] == "suggested"]
    return SearchCost(
        trainings=len(own),
        stopped=int(own["state"].isin([CandidateState.STOPPED, CandidateState.DIVERGED]).sum()),
        free=len(frames.search) - len(own),
        epochs=int(own["epochs_trained"].sum()),
        seconds=float(own["training_seconds"].sum()),
    )


def tabulate_finals(finals: pd.DataFrame) -> Table | None:
    """Return a row for each candidate compared with the kept one; None if none could be compared."""
    rows = finals.to_dict("records")
    if not any(row["gain"] == row["gain"] for row in rows):
        return None
    header = ("Kept against", "Gain, points", "95% interval", "p, Holm", "Parameters", "Multiply-adds")
    notes = (
        "Gain: test accuracy of the kept candidate less this one's, means over the same seeds. Marked: the "
        "kept one, and those that cannot be told from it, of which the one of fewest multiply-adds is the "
        "cheapest.",
    )
    cells = tuple(
        (
            f"{row['setting']} (kept)" if row["kept"] else str(row["setting"]),
            points(row["gain"]),
            MISSING if math.isnan(row["low"]) else f"{points(row['low'])} to {points(row['high'])}",
            probability(row["adjusted_p_value"]).replace("below ", "< "),
            f"{int(row['parameters']):,}",
            f"{int(row['multiply_adds']):,}",
        )
        for row in rows
    )
    marked = frozenset(place for place, row in enumerate(rows) if row["as_good"])
    return Table("The kept candidate against the others", header, cells, notes, marked)


def tabulate_search(study: Study, search: pd.DataFrame) -> Table | None:
    """Return a row for each candidate of the search, the best on validation first; None without a search."""
    if study.optimum is None or study.optimum.search is None or search.empty:
        return None
    names = [name for name in study.optimum.search.space if name != "epochs"]
    ordered = search.sort_values("validation_accuracy", ascending=False, kind="stable", na_position="last")
    rows = ordered.to_dict("records")
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
    marked = frozenset(place for place, row in enumerate(rows) if isinstance(row["finalist"], str))
    return Table("Every candidate", header, tuple(_candidate(row, names) for row in rows), notes, marked)


def _candidate(row: Any, names: list[str]) -> tuple[str, ...]:
    origin = ", of a sweep" if row["origin"] == "sweep" else ""
    finalist = f": {row['finalist']}" if isinstance(row["finalist"], str) else ""
    return (
        f"{row['candidate']}{origin}{finalist}",
        *(plain(row[name]) for name in names),
        MISSING if pd.isna(row["epochs"]) else str(int(row["epochs"])),
        percent(row["validation_accuracy"], sign=False),
        str(int(row["epochs_trained"])),
        str(row["state"]),
        f"{row['training_seconds']:,.1f}",
    )
