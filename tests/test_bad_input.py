"""Every bad input gets one message, exit code 2 and no traceback, and leaves nothing half-written."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.bad_input import CASES, FINE
from tests.bad_input.case import Case, Outcome, can_drop_privileges, run


def each_case(groups: Mapping[str, tuple[Case, ...]], code: int):
    cases = [(title, case) for title, group in groups.items() for case in group if case.code == code]
    return pytest.mark.parametrize(
        "case", [case for _, case in cases], ids=[f"{title}: {case.given}" for title, case in cases]
    )


@pytest.fixture
def outcome(case: Case, tmp_path: Path) -> Outcome:
    """What comes of a case."""
    if case.unprivileged and not can_drop_privileges():
        pytest.skip("permissions do not bind here: this is root without CAP_SETPCAP")
    return run(case, tmp_path)


@each_case(CASES, code=2)
def test_bad_input_is_answered_with_one_message_and_code_2_and_leaves_no_file(case: Case, outcome: Outcome):
    assert outcome.code == 2, outcome
    assert outcome.err.startswith("study: "), outcome.err
    assert "\nstudy: " not in outcome.err
    assert "Traceback" not in outcome.err
    assert all(len(line) < 1000 for line in outcome.err.splitlines())
    assert outcome.out == ""
    assert outcome.new_files == frozenset()


@each_case(CASES, code=1)
def test_a_damaged_training_is_found_and_named_with_exit_code_1(case: Case, outcome: Outcome):
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out.startswith("training ") and " results/trainings/" in outcome.out
    assert "1 kept training: 0 sound, 1 damaged" in outcome.out


@each_case(FINE, code=0)
def test_odd_input_that_can_be_answered_is_answered(case: Case, outcome: Outcome):
    assert (outcome.code, outcome.new_files) == (0, frozenset()), outcome
    assert outcome.out
    assert outcome.err == "" or outcome.err.startswith("WARNING: ")
