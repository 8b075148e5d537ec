"""What a fact and the row that records it have in common."""

import math
from typing import Any

from storage.tables import Row


def columns_of(fact: object, row: type[Row]) -> dict[str, Any]:
    """Return the values of a fact that a row has columns for, by name; NaN, which is not known, as None."""
    values = {name: getattr(fact, name) for name in row.model_fields if hasattr(fact, name)}
    return {
        name: known_number(value) if isinstance(value, float) else value for name, value in values.items()
    }


def known_number(value: float) -> float | None:
    """Return a number, or None for NaN: it is not known."""
    return None if math.isnan(value) else value
