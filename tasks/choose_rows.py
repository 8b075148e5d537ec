"""Choose rows of the table `trials`: by key, by exercise, setting and repeat, or at random."""

import random
import re
from collections.abc import Callable, Sequence

from study.errors import InputError
from study.wording import count, shown
from tasks.read_recipe import Row, name_trial

_LISTED = 6
"""Rows that a message lists; a study may have hundreds."""

_TRIAL = re.compile(r"(\d{1,3})/(.+)/(\d{1,6})")


def choose_rows(
    trials: Sequence[Row], keys: Sequence[str], names: Sequence[str], number: int | None, seed: int
) -> list[Row]:
    """The rows asked for, each once, in the order of the table.

    Args:
        trials: The rows of one run.
        keys: Trainings, all of whose completed rows are chosen.
        names: Rows as `name_trial` names them.
        number: How many completed rows to draw as well; None for none.
        seed: Of the draw: the same one draws the same rows.

    Raises:
        InputError: nothing is asked for, or what is not there, or a row that failed and read nothing.
    """
    if not (keys or names or number is not None):
        raise InputError(f"nothing to replay: give keys, --trial or --random N; {_list_some(trials)}")
    places = {name_trial(row): at for at, row in enumerate(trials)}
    chosen = [at for key in keys for at in _find_key(trials, key)]
    chosen += [_find_trial(trials, places, name) for name in names]
    chosen += _draw(trials, number, seed)
    return [trials[at] for at in sorted(set(chosen))]


def _find_key(trials: Sequence[Row], key: str) -> list[int]:
    rows = _where(trials, lambda row: row["key"] == key)
    if not rows:
        raise InputError(f"key {shown(key)}: no trial of this run reads it; {_list_some(trials)}")
    done = [at for at in rows if _is_completed(trials[at])]
    if not done:
        raise InputError(f"key {key}: {_describe_failure(trials[rows[0]])}; {_list_some(trials)}")
    return done


def _find_trial(trials: Sequence[Row], places: dict[str, int], name: str) -> int:
    parts = _TRIAL.fullmatch(name)
    if parts is None:
        raise InputError(f"--trial: {shown(name)} is not EXERCISE/SETTING/REPEAT; {_list_some(trials)}")
    exercise, setting, repeat = parts.groups()
    at = places.get(f"{int(exercise)}/{setting}/{int(repeat)}")
    if at is None:
        raise InputError(f"--trial: this run has no {shown(name)}; {_list_some(trials)}")
    if not _is_completed(trials[at]):
        raise InputError(f"--trial: {_describe_failure(trials[at])}; {_list_some(trials)}")
    return at


def _draw(trials: Sequence[Row], number: int | None, seed: int) -> list[int]:
    if number is None:
        return []
    done = _where(trials, _is_completed)
    if not 1 <= number <= len(done):
        raise InputError(
            f"--random: {number:,} is not allowed; the run has {count(len(done), 'completed trial')}"
        )
    return random.Random(seed).sample(done, number)


def _is_completed(row: Row) -> bool:
    return row["status"] == "completed" and row["weights_sha256"] is not None


def _describe_failure(row: Row) -> str:
    return f"trial {name_trial(row)} failed and read nothing to compare with ({row['reason']})"


def _list_some(trials: Sequence[Row]) -> str:
    """Some of what could be asked for, with the key of each."""
    done = [f"{name_trial(trials[at])} ({trials[at]['key']})" for at in _where(trials, _is_completed)]
    if not done:
        return "no trial of this run was completed"
    more = f" and {len(done) - _LISTED:,} more" if len(done) > _LISTED else ""
    return f"there are {', '.join(done[:_LISTED])}{more}"


def _where(trials: Sequence[Row], is_wanted: Callable[[Row], bool]) -> list[int]:
    return [at for at, row in enumerate(trials) if is_wanted(row)]
