"""Read recipes from the published tables: rows asked for, what re-runs them, and what contradicts them."""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import ValidationError

from storage.tables import RunFrames, rows_of
from study.changes import NOT_RECORDED, Provenance, list_facts
from study.errors import InputError
from study.plan import Training
from study.replay import Readings, Recipe
from study.setting import Hyperparameters, Setting
from study.stopping import StopRule
from study.training_record import Source
from study.wording import count, plain, shortened, shown
from tasks.setting_of import read_setting

Row = Mapping[Any, Any]

_LISTED = 6
"""Rows that a message lists; a study may have hundreds."""


def name_trial(row: Row) -> str:
    """A row of `trials` as it is asked for: exercise, setting and repeat."""
    return f"{row['exercise']}/{row['setting']}/{row['repeat']}"


def choose_rows(
    trials: Sequence[Row], keys: Sequence[str], names: Sequence[str], number: int | None, seed: int
) -> list[Row]:
    """The completed rows asked for, each once, in the order of the table.

    Args:
        trials: The rows of one run.
        keys: Trainings, all of whose rows are chosen.
        names: Rows as `name_trial` names them; a key may stand for a name, and the other way round.
        number: How many rows to draw as well; None for none.
        seed: Of the draw: the same one draws the same rows.

    Raises:
        InputError: nothing is asked for, or what is not there or was not completed.
    """
    done = {name_trial(row): row for row in trials if row["status"] == "completed" and row["weights_sha256"]}
    if not (keys or names or number is not None):
        raise InputError(f"nothing to replay: give keys, --trial or --random N; {_list_some(done)}")
    known = {*done, *(row["key"] for row in done.values())}
    for asked in (*keys, *names):
        if asked not in known:
            raise InputError(f"{shown(asked)}: no completed trial of this run; {_list_some(done)}")
    chosen = {*keys, *names, *_draw(list(done), number, seed)}
    return [row for name, row in done.items() if name in chosen or row["key"] in chosen]


def read_recipes(rows: Sequence[Row], frames: RunFrames, runs: pd.DataFrame) -> list[Recipe]:
    """The recipes of completed rows of `trials`, and where the run's other tables contradict them.

    Args:
        rows: The rows.
        frames: The tables of their run.
        runs: The table `runs`: other runs may have trained what this one read.

    Raises:
        InputError: a column holds what no training could have had.
    """
    (run,) = rows_of(frames.run.to_frame().T)
    by_run = {str(row["run_id"]): row for row in rows_of(runs)}
    trainings = {str(row["key"]): row for row in rows_of(frames.trainings)}
    epochs: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows_of(frames.epochs.sort_values("epoch")):
        epochs[str(row["key"])].append(row)
    return [
        _read_recipe(
            row,
            run,
            run if row["trained_by"] is None else by_run.get(str(row["trained_by"]), {}),
            trainings.get(str(row["key"]), {}),
            epochs[str(row["key"])],
        )
        for row in rows
    ]


def _list_some(done: Mapping[str, Row]) -> str:
    """Some of what could be asked for, with the key of each."""
    listed = [f"{name} ({row['key']})" for name, row in done.items()]
    more = f" and {len(listed) - _LISTED:,} more" if len(listed) > _LISTED else ""
    return f"there are {', '.join(listed[:_LISTED])}{more}" if listed else "none was completed"


def _draw(names: Sequence[str], number: int | None, seed: int) -> list[str]:
    if number is None:
        return []
    if not 1 <= number <= len(names):
        raise InputError(
            f"--random: {number:,} is not allowed; the run has {count(len(names), 'completed trial')}"
        )
    return random.Random(seed).sample(names, number)


def _read_recipe(row: Row, run: Row, trainer: Row, training: Row, epochs: Sequence[Row]) -> Recipe:
    try:
        setting, provenance = read_setting(row), _read_provenance(row, run, trainer, training)
        source = _read_source(row, provenance)
        recipe = Recipe(
            trial=name_trial(row),
            key=row["key"],
            training=Training(
                hyperparameters=setting.hyperparameters,
                seed=row["seed"],
                source=source,
                schedule_epochs=setting.schedule_epochs,
                rules=(StopRule(epochs=setting.epochs, patience=setting.patience),),
                label=f"{name_trial(row)} seed={row['seed']}",
            ),
            recorded=Readings(**{name: row[name] for name in Readings.model_fields}),
            inputs={
                **list_facts(provenance),
                "model version": source.model,
                "device": row["device"] or NOT_RECORDED,
            },
            train_images=run["train_images"],
            test_images=run["test_images"],
            seconds=max(row["training_seconds"] or 0.0, training.get("lane_seconds") or 0.0),
        )
    except ValueError as error:
        raise InputError(
            f"trial {name_trial(row)} of run {row['run_id']}: {_explain(error)}; the row is not as a run "
            "publishes it, restore its file"
        ) from error
    faults = [
        *_name_unlike(row, training, "trainings", ("seed", *Hyperparameters.model_fields)),
        *_name_unlike(row, run, "runs", ("protocol", "data_fingerprint", "engine")),
        *_unlike_value(row, setting),
        *_unlike_epochs(row, epochs, recipe.training.rules[0]),
    ]
    if recipe.training.key != recipe.key:
        faults.append(f"its columns make the key {recipe.training.key}, recorded is {recipe.key}")
    return recipe.model_copy(update={"faults": tuple(faults)})


def _explain(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return shortened(str(error), 200)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))} is {shown(first['input'])}: {first['msg']}"


def _read_provenance(row: Row, run: Row, trainer: Row, training: Row) -> Provenance:
    """What was recorded of the training; of one that another run trained, what that run's row says."""
    return Provenance.model_validate(
        {
            **{name: trainer.get(name) for name in Provenance.model_fields},
            "versions": json.loads(row["versions"]),
            "data_fingerprint": row["data_fingerprint"],
            "device": run["device"],
            "engine": row["engine"],
            "processor": training.get("processor") or trainer.get("processor"),
            "study_definition": "{}",
        }
    )


def _read_source(row: Row, provenance: Provenance) -> Source:
    is_tensorflow = provenance.engine == "tensorflow"
    return Source.model_validate(
        {
            "protocol": row["protocol"],
            "data": provenance.data_fingerprint,
            "held_out_images": row["held_out_images"],
            "model": row["model_version"],
            "tensorflow": provenance.versions.get("tensorflow", "") if is_tensorflow else "",
            "device": provenance.device,
            "engine": provenance.engine,
        }
    )


def _unlike_value(row: Row, setting: Setting) -> list[str]:
    if row["parameter"] not in Setting.model_fields or row["value"] is None:
        return []
    asked, used = row["value"], getattr(setting, row["parameter"])
    if asked == used:
        return []
    return [f"{row['parameter']} is {_brief(used)}, and the exercise's value {_brief(asked)}"]


def _unlike_epochs(row: Row, epochs: Sequence[Row], rule: StopRule) -> list[str]:
    """Whether its rule stops where it says, and what stands there."""
    if not epochs:
        return []
    stop, said = rule.epochs_read([each["validation_loss"] for each in epochs]), int(row["epochs_run"])
    if stop == said:
        return _name_unlike(row, epochs[said - 1], "epochs", Readings.model_fields)
    patience = "" if rule.patience is None else f" and patience {rule.patience}"
    found = "are too few" if stop is None else f"make it {stop}"
    return [f"epochs_run is {said}; with epochs {rule.epochs}{patience} the losses in `epochs` {found}"]


def _name_unlike(row: Row, other: Row, table: str, names: Iterable[str]) -> list[str]:
    return [
        f"{name} is {_brief(row[name])} in `trials` and {_brief(other[name])} in `{table}`"
        for name in names
        if name in other and row[name] != other[name]
    ]


def _brief(value: Any) -> str:
    if isinstance(value, int | float):
        return plain(value)
    return f"{value[:10]}…" if isinstance(value, str) and len(value) > 20 else str(value)
