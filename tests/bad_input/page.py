"""The page of bad inputs and their messages, as Markdown."""

from collections.abc import Callable
from pathlib import Path

from tests.bad_input import FINE, GROUPS, Group
from tests.bad_input.case import PROJECT, Case, Outcome
from tests.bad_input.parameters import REFUSED

PAGE = PROJECT / "docs" / "bad-input.md"

WRITE_AGAIN = "run `.venv/bin/python -m tests.bad_input` to write it again"

HEAD = f"""\
# Bad input and what it is answered with

<!-- Made by the tests: {WRITE_AGAIN}. -->

Every input below is tried by the tests (`tests/test_bad_input.py`) through the real command line. Each gets
one message on standard error that says what is wrong, with which value, and what is allowed; exit code 2; no
traceback (`study --debug …` shows one); and leaves no file behind. What is very long is cut off with "…".

A full disk is told in the same way. What no one foresaw is one message too, with exit code 1.
"""

PARAMETERS = """
## Parameters of a run in Prefect's UI or API

The run is not created; the server answers with status 409 (`tests/test_flows_serve.py` asks a real one).

| given | reason |
| --- | --- |
"""

OutcomeOf = Callable[[Case], Outcome]


def write_page(outcome_of: OutcomeOf, path: Path = PAGE) -> None:
    """Write the page from what comes of every case."""
    path.write_text(draw_page(outcome_of), encoding="utf-8")


def draw_page(outcome_of: OutcomeOf) -> str:
    """The page from what comes of every case."""
    parameters = [f"| {given}: `{values}` | {_code(reason)} |" for given, values, reason in REFUSED]
    groups = [_draw_group(group, "message", outcome_of) for group in GROUPS]
    odd = [_draw_group(group, "begins", outcome_of) for group in FINE]
    return HEAD + "".join(groups) + PARAMETERS + "\n".join(parameters) + "\n" + "".join(odd)


def _draw_group(group: Group, column: str, outcome_of: OutcomeOf) -> str:
    says = f"{group.says}\n\n" if group.says else ""
    rows = [_draw_row(case, outcome_of(case)) for case in group.cases]
    return (
        f"\n## {group.title}\n\n{says}| given | {column} | exit code |\n| --- | --- | ---: |\n{''.join(rows)}"
    )


def _draw_row(case: Case, outcome: Outcome) -> str:
    if outcome.code != case.code:
        raise AssertionError(f"{case.given}: exit code {outcome.code}, expected {case.code}: {outcome.err}")
    # Of a refusal the message; of an answer, or of what `cache verify` found, its first line.
    said = outcome.err if outcome.code == 2 else (outcome.err or outcome.out).splitlines()[0].strip()
    return f"| {case.given} | {_code(said)} | {outcome.code} |\n"


def _code(text: str) -> str:
    lines = [line.replace("|", "\\|") for line in text.splitlines()]
    return "<br>".join(f"`` {line} ``" if "`" in line else f"`{line}`" for line in lines)
