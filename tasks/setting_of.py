"""The setting that a row of a table names."""

from collections.abc import Mapping
from typing import Any

from study.setting import Setting


def read_setting(row: Mapping[Any, Any]) -> Setting:
    """The setting of a row of `trials` or `search`; a parameter without a value is at its default.

    Raises:
        ValidationError: a value is none that its parameter may have.
    """
    values = {name: row[name] for name in Setting.model_fields if name in row}
    # A value that is not itself is pandas' missing number.
    return Setting.model_validate(
        {name: value for name, value in values.items() if value is not None and value == value}
    )
