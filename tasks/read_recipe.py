"""Read recipes from the published tables: every column that decides weights, and whether the tables agree."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import ValidationError

from storage.tables import RunFrames, rows_of
from study.errors import InputError
from study.plan import Source, Training
from study.recipe import Inputs, Readings, Recipe
from study.setting import Hyperparameters, Setting
from study.stopping import StopRule
from study.wording import plain, shortened, shown
from tasks.setting_of import read_setting

Row = Mapping[Any, Any]

_OF_RUN = ("protocol", "data_fingerprint", "engine")
"""Columns of `trials` that must be as in `runs`."""


@dataclass(frozen=True)
class Tables:
    """The tables that recipes are read from; a missing value is None."""

    run: Row
    runs: Mapping[str, Row]
    """Rows of `runs`, by id: others may have trained what this run read."""
    trainings: Mapping[str, Row]
    """By key."""
    epochs: Mapping[str, Sequence[Row]]
    """By key, the first epoch first."""


def read_tables(frames: RunFrames, runs: pd.DataFrame) -> Tables:
    """The tables of a run, and the row of each published run."""
    epochs: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows_of(frames.epochs.sort_values("epoch")):
        epochs[str(row["key"])].append(row)
    return Tables(
        rows_of(frames.run.to_frame().T)[0],
        {str(row["run_id"]): row for row in rows_of(runs)},
        {str(row["key"]): row for row in rows_of(frames.trainings)},
        epochs,
    )


def name_trial(row: Row) -> str:
    """A row of `trials` as it is asked for: exercise, setting and repeat."""
    return f"{row['exercise']}/{row['setting']}/{row['repeat']}"


def read_recipe(row: Row, tables: Tables) -> Recipe:
    """The recipe of a completed row of `trials`, and where the tables contradict it.

    Raises:
        InputError: a column holds what no training could have had.
    """
    try:
        setting = read_setting(row)
        versions = read_versions(row["versions"])
        training = Training(
            hyperparameters=setting.hyperparameters,
            seed=int(row["seed"]),
            source=_read_source(row, tables.run, versions),
            schedule_epochs=setting.schedule_epochs,
            rules=(StopRule(epochs=setting.epochs, patience=setting.patience),),
            label=f"{name_trial(row)} seed={row['seed']}",
        )
        recorded = Readings(**{name: row[name] for name in Readings.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        where, value = ".".join(map(str, first["loc"])), shown(first["input"])
        raise InputError(
            f"trial {name_trial(row)} of run {row['run_id']}: {where} is {value}: {first['msg']}; the row is "
            "not as a run publishes it, restore its file"
        ) from error
    return Recipe(
        trial=name_trial(row),
        key=str(row["key"]),
        training=training,
        recorded=recorded,
        inputs=_read_inputs(row, tables, versions),
        train_images=int(tables.run["train_images"]),
        test_images=int(tables.run["test_images"]),
        seconds=_read_seconds(row, tables.trainings.get(str(row["key"]), {})),
        faults=tuple(_list_faults(row, tables, setting, training)),
    )


def read_versions(text: str | None) -> dict[str, str]:
    """Library versions from the JSON of a row.

    Raises:
        InputError: it is no such JSON.
    """
    try:
        found = json.loads(text or "{}")
        return {str(name): str(version) for name, version in found.items()}
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"column 'versions' holds {shown(text)}, which is no JSON object: {shortened(str(error), 100)}; "
            "restore the table's file"
        ) from error


def _read_seconds(row: Row, training: Row) -> float:
    """What its training took; where this run trained it, with compiling and evaluation."""
    return max(float(row["training_seconds"] or 0.0), float(training.get("lane_seconds") or 0.0))


def _read_source(row: Row, run: Row, versions: Mapping[str, str]) -> Source:
    engine = row["engine"]
    return Source.model_validate(
        {
            "protocol": row["protocol"],
            "data": row["data_fingerprint"],
            "held_out_images": row["held_out_images"],
            "model": row["model_version"],
            "tensorflow": versions.get("tensorflow", "") if engine == "tensorflow" else "",
            "device": run["device"],
            "engine": engine,
        }
    )


def _read_inputs(row: Row, tables: Tables, versions: dict[str, str]) -> Inputs:
    """What was recorded of the training; of one that another run trained, what that run's row says."""
    trainer = tables.run if row["trained_by"] is None else tables.runs.get(str(row["trained_by"]), {})
    training = tables.trainings.get(str(row["key"]), {})
    dirty = trainer.get("git_dirty")
    return Inputs(
        data=row["data_fingerprint"],
        model=row["model_version"],
        engine=row["engine"],
        kind=tables.run["device"],
        versions=versions,
        device=row["device"],
        processor=training.get("processor") or trainer.get("processor"),
        git_commit=trainer.get("git_commit"),
        changes=trainer.get("git_diff_sha256") or (None if dirty is None else "yes" if dirty else "no"),
    )


def _list_faults(row: Row, tables: Tables, setting: Setting, training: Training) -> list[str]:
    """What the tables do not agree on, and whether the columns make the recorded key."""
    key = str(row["key"])
    faults = [*_unlike_training(row, tables.trainings.get(key), setting), *_unlike_run(row, tables.run)]
    if row["parameter"] in Setting.model_fields and row["value"] is not None:
        asked, used = float(row["value"]), getattr(setting, row["parameter"])
        if asked != used:
            faults.append(f"{row['parameter']} is {_shown(used)}, and the exercise's value {_shown(asked)}")
    faults += _unlike_epochs(row, tables.epochs.get(key, ()), training.rules[0])
    if training.key != key:
        faults.append(f"its columns make the key {training.key}, recorded is {key}")
    return faults


def _unlike_training(row: Row, recorded: Row | None, setting: Setting) -> list[str]:
    if recorded is None:
        return []
    there = read_setting({name: recorded[name] for name in Hyperparameters.model_fields})
    found = {"seed": (row["seed"], recorded["seed"])}
    found |= {name: (getattr(setting, name), getattr(there, name)) for name in Hyperparameters.model_fields}
    return _name_unlike(found, "trainings")


def _unlike_run(row: Row, run: Row) -> list[str]:
    return _name_unlike({name: (row[name], run[name]) for name in _OF_RUN}, "runs")


def _unlike_epochs(row: Row, epochs: Sequence[Row], rule: StopRule) -> list[str]:
    """Whether its rule stops where it says, and what stands there."""
    if not epochs:
        return []
    stop, said = rule.epochs_read([each["validation_loss"] for each in epochs]), int(row["epochs_run"])
    if stop != said:
        patience = "" if rule.patience is None else f" and patience {rule.patience}"
        found = "are too few" if stop is None else f"make it {stop}"
        return [f"epochs_run is {said}; with epochs {rule.epochs}{patience} the losses in `epochs` {found}"]
    names = [name for name in Readings.model_fields if name != "epochs_run"]
    return _name_unlike({name: (row[name], epochs[said - 1][name]) for name in names}, "epochs")


def _name_unlike(pairs: Mapping[str, tuple[Any, Any]], table: str) -> list[str]:
    return [
        f"{name} is {_shown(one)} in `trials` and {_shown(other)} in `{table}`"
        for name, (one, other) in pairs.items()
        if one != other
    ]


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"{value[:10]}…" if len(value) > 20 else value
    return plain(value)
