"""What a fact and the row that records it have in common."""

import json
from typing import Any

from storage.tables import Row, null_if_nan
from study.spec import Hyperparameters, Study


def columns_of(fact: object, row: type[Row]) -> dict[str, Any]:
    """Return the values of a fact that a row has columns for, by name; NaN, which is not known, as None."""
    values = {name: getattr(fact, name) for name in row.model_fields if hasattr(fact, name)}
    return {name: null_if_nan(value) if isinstance(value, float) else value for name, value in values.items()}


def hyperparameter_columns(hyperparameters: Hyperparameters, study: Study) -> dict[str, Any]:
    """Return the columns of hyperparameters, or of a setting: 0 for those that the study's network lacks."""
    if study.model is None:
        return hyperparameters.model_dump()
    own = json.dumps(dict(hyperparameters.network_parameters))
    return hyperparameters.model_dump() | dict.fromkeys(study.model.missing, 0) | {"network_parameters": own}
