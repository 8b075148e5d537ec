"""What a fact and the row that records it have in common."""

from typing import Any

from storage.tables import Row, null_if_nan
from study.spec import Hyperparameters, Study


def columns_of(fact: object, row: type[Row]) -> dict[str, Any]:
    """Return the values of a fact that a row has columns for, by name; NaN, which is not known, as None."""
    values = {name: getattr(fact, name) for name in row.model_fields if hasattr(fact, name)}
    return {name: null_if_nan(value) if isinstance(value, float) else value for name, value in values.items()}


def hyperparameter_columns(hyperparameters: Hyperparameters, study: Study) -> dict[str, Any]:
    """Return the columns of hyperparameters, or of a setting: 0 for those that the study's network lacks."""
    missing = study.model.missing if study.model else ()
    return hyperparameters.model_dump() | dict.fromkeys(missing, 0)
