"""Parameters of a run in Prefect's UI or API that the flow does not have, or not so."""

from typing import Any

REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    (
        "a parameter that the flow has not",
        {"lans": 4},
        "Validation failed. Failure reason: Additional properties are not allowed ('lans' was unexpected)",
    ),
    (
        "a text for a number",
        {"lanes": "four"},
        "Validation failed for field 'lanes'. Failure reason: 'four' is not of type 'integer'",
    ),
    (
        "a number for a list",
        {"exercises": 2},
        "Validation failed for field 'exercises'. Failure reason: 2 is not of type 'array'",
    ),
    (
        "a text in a list of numbers",
        {"exercises": [2, "x"]},
        "Validation failed for field 'exercises[1]'. Failure reason: 'x' is not of type 'integer'",
    ),
)
"""What is wrong, the parameters, and the reason the server gives with status 409."""
