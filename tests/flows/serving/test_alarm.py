"""What raises an alarm; and its command: it gets the message, and what goes wrong with it is said."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent

from flows.serving.alarm import MADE_UP, alarms, run_command


def test_the_users_command_gets_the_message_on_standard_input(tmp_path: Path):
    heard = tmp_path / "it is heard"
    assert run_command(f"tee '{heard}'", "lab drifted $(touch no); größer\n") is None
    assert heard.read_text(encoding="utf-8") == "lab drifted $(touch no); größer\n"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (
            f"{sys.executable} -c 'print(\"no mail today\"); raise SystemExit(4)'",
            "failed with exit code 4: no mail today",
        ),
        ("no-such-program --at all", "cannot be run: .*No such file"),
        ("mail -s 'half a quote", "cannot be run: No closing quotation"),
    ],
)
def test_a_command_that_fails_is_told(command: str, problem: str):
    assert re.search(problem, str(run_command(command, "message")))


def test_a_command_that_reads_nothing_and_says_much_is_no_trouble():
    assert run_command(f"{sys.executable} -c 'print(\"word \" * 100000)'", "long " * 100_000) is None


@pytest.mark.parametrize(
    ("kind", "name", "message", "raised"),
    [
        ("FAILED", "Failed", "", True),
        ("FAILED", "Stopped early", "", True),
        ("CRASHED", "Crashed", "", True),
        ("CANCELLED", "Skipped", "due at 02:00, 3 h late", True),
        ("CANCELLED", "Skipped", f"{MADE_UP} of 2026-03-02 02:00 UTC: of the runs", False),
        ("CANCELLED", "Cancelled", "by a person", False),
        ("COMPLETED", "Completed", "", False),
    ],
)
def test_a_night_that_did_not_do_its_work_raises_an_alarm_unless_a_person_cancelled_it(
    kind: str, name: str, message: str, raised: bool
):
    _, not_done, *_ = alarms(uuid4())
    event = ReceivedEvent(
        occurred=datetime.now(UTC),
        event=f"prefect.flow-run.{name}",
        resource={
            "prefect.resource.id": f"prefect.flow-run.{uuid4()}",
            "prefect.state-type": kind,
            "prefect.state-name": name,
            "prefect.state-message": message,
        },
        # of a deployment that a person has deleted meanwhile
        related=[{"prefect.resource.id": "prefect.tag.nightly", "prefect.resource.role": "tag"}],
        id=uuid4(),
    )
    trigger = EventTrigger.model_validate(not_done.trigger.model_dump())
    assert (trigger.covers(event) and trigger.expects(event.event)) is raised
