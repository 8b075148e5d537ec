"""Parameters of a run in Prefect's UI or API that the flow does not have, or not so."""

from typing import Any

_FIELD = "Validation failed for field 'run.{}'. Failure reason: {}"

REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    (
        "a parameter that the flow has not",
        {"study": "lab"},
        "Validation failed. Failure reason: Additional properties are not allowed ('study' was unexpected)",
    ),
    (
        "a field that a run has not",
        {"run": {"lans": 4}},
        "Validation failed for field 'run'. Failure reason: "
        "Additional properties are not allowed ('lans' was unexpected)",
    ),
    (
        "a text for a number",
        {"run": {"lanes": "four"}},
        _FIELD.format("lanes", "'four' is not of type 'integer'"),
    ),
    ("lanes below none", {"run": {"lanes": -1}}, _FIELD.format("lanes", "-1 is less than the minimum of 0")),
    (
        "a number for a list",
        {"run": {"exercises": 2}},
        _FIELD.format("exercises", "2 is not of type 'array'"),
    ),
    (
        "an exercise that no study has",
        {"run": {"exercises": [2, 99]}},
        _FIELD.format("exercises[1]", "99 is not one of [1, 2, 3, 4, 5, 6, 7, 8]"),
    ),
    (
        "an exercise twice",
        {"run": {"exercises": [2, 2]}},
        _FIELD.format("exercises", "[2, 2] has non-unique elements"),
    ),
    (
        "a study that is not in the list",
        {"run": {"study": "labb"}},
        _FIELD.format("study", "'labb' is not one of ['lab', 'optimum', 'rigorous', 'smoke']"),
    ),
    (
        "no such protocol",
        {"run": {"protocol": "held"}},
        _FIELD.format("protocol", "'held' is not one of ['as the study says', 'lab', 'held-out']"),
    ),
)
"""What is wrong, the parameters, and the reason the server gives with status 409."""
