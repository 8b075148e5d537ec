"""The report's tables of how settings compare: every pair, and the times they take."""

from typing import Any

import pandas as pd

from study.exercises import SweepExercise
from study.stopping import CONVERGENCE_PATIENCE
from study.wording import MISSING, count, percent, plain, points, probability
from tasks.report_tables import Table, count_trials


def tabulate_pairs(exercise: SweepExercise, comparisons: pd.DataFrame) -> Table | None:
    """One row for each pair of settings, those that differ marked; None if no pair could be compared.

    Args:
        exercise: The sweep.
        comparisons: Its rows of the `comparisons` table.
    """
    records = comparisons.to_dict("records")
    if not records:
        return None
    is_paired = records[0]["test"] == "paired t"
    header = (
        *("Pair", "Difference, points", "95% interval", "p", "p, Holm", "Hedges' g (95%)"),
        *(() if is_paired else ("p, paired",)),
        *("Seen 80%, points", "Repeats needed"),
    )
    test = "The paired t test over equal seeds" if is_paired else "Welch's t test"
    notes = [
        f"{test}, second setting less the first. The intervals hold for all {count(len(records), 'pair')} "
        "at once (Bonferroni); the p values of Holm are corrected for as many. Marked: different at 5%.",
        "Seen 80%: the difference that so many repeats find four times in five. Repeats needed: of each "
        "setting, to find the observed difference as often, if it is real.",
    ]
    if not is_paired:
        notes.append(
            "p, paired: over seeds that both settings share. It sees more where a seed moves both alike, "
            "but is not what we chose to go by, and decides nothing."
        )
    rows = tuple(_pair(row, is_paired) for row in records)
    marked = frozenset(place for place, row in enumerate(records) if row["differs"])
    return Table(f"Exercise {exercise.number}, every pair", header, rows, tuple(notes), marked)


def tabulate_times(exercise: SweepExercise, summary: pd.DataFrame) -> Table:
    """One row for each setting: epochs, time of an epoch, convergence and the target, with what was censored.

    Args:
        exercise: The sweep.
        summary: Its rows of the `summary` table.
    """
    records = summary.to_dict("records")
    targets = summary["target_accuracy"].dropna()
    target = "the target" if targets.empty else percent(targets.iloc[0]).replace(".00", "")
    header = (
        exercise.parameter.replace("_", " ").capitalize(),
        *("n", "Epochs run", "An epoch, s", "Training, s", "Converged", "after epochs", "after s"),
        *(f"Reached {target}", "after epochs", "after s"),
    )
    notes = (
        "Epochs and seconds of training are means. Converged: validation loss was lowest and then not lower "
        f"for {CONVERGENCE_PATIENCE} epochs. Reached: validation accuracy of {target}. After: medians, where "
        "trials that did not get there count as censored (Kaplan and Meier); none where too few did. Seconds "
        f"are of training steps only, on {_machine(summary)}.",
    )
    return Table(f"Exercise {exercise.number}, time", header, tuple(map(_times, records)), notes)


def _pair(row: Any, is_paired: bool) -> tuple[str, ...]:
    low, high = points(row["low"]), points(row["high"])
    needed = row["repeats_needed"]
    return (
        f"{plain(row['first_value'])}\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}{plain(row['second_value'])}",
        points(row["difference"]),
        MISSING if low == MISSING else f"{low} to {high}",
        _p(row["p_value"]),
        _p(row["adjusted_p_value"]),
        _effect(row),
        *(() if is_paired else (_p(row["paired_p_value"]),)),
        percent(row["detectable_difference"], sign=False),
        MISSING if pd.isna(needed) else f"{int(needed):,}",
    )


def _effect(row: Any) -> str:
    if pd.isna(row["effect_size"]):
        return MISSING
    return f"{row['effect_size']:.1f} ({row['effect_low']:.1f} to {row['effect_high']:.1f})".replace("-", "−")


def _times(row: Any) -> tuple[str, ...]:
    trials = int(row["trials"])
    return (
        plain(row["value"]),
        count_trials(row),
        _decimal(row["mean_epochs_run"]),
        _decimal(row["mean_epoch_seconds"], 2),
        _decimal(row["mean_training_seconds"]),
        f"{row['converged_trials']} of {trials}" if trials else MISSING,
        _decimal(row["kaplan_meier_convergence_epoch"]),
        _decimal(row["kaplan_meier_convergence_seconds"]),
        f"{row['target_trials']} of {trials}" if trials else MISSING,
        _decimal(row["kaplan_meier_target_epoch"]),
        _decimal(row["kaplan_meier_target_seconds"]),
    )


def _machine(summary: pd.DataFrame) -> str:
    devices, engines = summary["device"].dropna().unique(), summary["engine"].unique()
    device = ", ".join(devices) or "a device not recorded"
    return f"{device} by the {engines[0]} engine" if len(engines) else device


def _decimal(number: float, places: int = 1) -> str:
    return MISSING if pd.isna(number) else f"{number:,.{places}f}"


def _p(value: float) -> str:
    return probability(value).replace("below ", "< ")  # in a table each character counts
