"""What a fact and the row that records it have in common."""

from typing import Any

from storage.tables import Row, null_if_nan


def columns_of(fact: object, row: type[Row]) -> dict[str, Any]:
    """Return the values of a fact that a row has columns for, by name; NaN, which is not known, as None."""
    values = {name: getattr(fact, name) for name in row.model_fields if hasattr(fact, name)}
    return {name: null_if_nan(value) if isinstance(value, float) else value for name, value in values.items()}
