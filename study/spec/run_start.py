"""The options and the saved start of a run, from which an interrupted run can be resumed."""

import re
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field

from study.errors import InputError
from study.fact import Fact
from study.spec.study_file import list_exercise_numbers, list_studies

PORT = 8786
"""Dask's own default."""

SCHEDULER_PATTERN = r"^((tcp|tls)://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:\d{1,5})?$"


def read_scheduler(text: str) -> str:
    """Return an address in Dask's form: protocol, host and port.

    Raises:
        InputError: it is not an address.
    """
    match = re.fullmatch(SCHEDULER_PATTERN, text)
    if match is None or not 0 < int((match[4] or f":{PORT}")[1:]) < 65_536:
        raise InputError(
            f"--scheduler: {text!r} is not an address; give one such as tls://host:{PORT} or tcp://host:{PORT}"
        )
    return f"{match[1] or 'tcp://'}{match[3]}{match[4] or f':{PORT}'}"


def split_address(scheduler: str) -> tuple[str, int]:
    """Return host and port of an address that was read."""
    host, _, port = scheduler.partition("://")[2].rpartition(":")
    return host.strip("[]"), int(port)


RUN_ID = r"^\d{8}T\d{6}Z-[a-z0-9][a-z0-9-]{0,39}-[0-9a-f]{4,16}$"
"""The form of a run's id: its start time, its study, and a few random digits."""


MAX_LANES = 1000
"""The most lanes of one machine: far more than its devices, far fewer than would exhaust its memory."""

AS_WRITTEN: Final = "as the study says"
"""Stands for the protocol that the study names."""

TIME_PATTERN = r"^((\d{1,9}(\.\d{1,9})?[smhd])+)?$"
"""A time such as 90s, 10m, 1h30m or 30d, or nothing."""


def _offer_studies(schema: dict[str, Any]) -> None:
    schema["enum"] = list_studies()


def _offer_exercises(schema: dict[str, Any]) -> None:
    numbers = list_exercise_numbers()
    schema["items"] = {"type": "integer", "enum": numbers}
    schema["uniqueItems"] = True


class RunOptions(Fact):
    """The request of a run: which study, which part of it, how, and on which machine.

    Deploying the flow makes the dropdowns of Prefect's form from the files in `studies/`; elsewhere any study
    is accepted, and a wrong one is refused when it is read.
    """

    study: str = Field(
        "lab",
        title="Study",
        description="The studies in the folder studies/, as it was at the last deploy.",
        json_schema_extra=_offer_studies,
    )
    study_file: str = Field(
        "",
        title="Study file",
        description="Path of a YAML file on the worker's machine, instead of a study of the list.",
    )
    exercises: tuple[int, ...] = Field(
        (),
        title="Exercises",
        description="Which of the study's exercises to run; none means all. The optimum (7 in the lab study) "
        "combines the sweeps that are chosen with it, the model (8) needs the optimum.",
        json_schema_extra=_offer_exercises,
    )
    repeats: int = Field(
        0,
        ge=0,
        le=1000,
        title="Repeats",
        description="Trials of each setting of a sweep, each with a seed of its own; 0: as the study says.",
    )
    protocol: Literal["as the study says", "lab", "held-out"] = Field(
        AS_WRITTEN,
        title="Protocol",
        description="lab: all training images, the test images are the validation data, as in the published "
        "readings. held-out: a part of the training images validates, test images choose nothing.",
    )
    fresh: bool = Field(
        False,
        title="Train everything fresh",
        description="Off: finished trainings of earlier runs are read. On: everything is trained again and "
        "compared with the earlier nights.",
    )
    lanes: int = Field(
        0,
        ge=0,
        le=MAX_LANES,
        title="Lanes",
        description="Worker processes that train; 0: one for each GPU, or each CPU core where there is none.",
    )
    engine: Literal["auto", "tensorflow", "native"] = Field(
        "auto",
        title="Engine",
        description="native: compiled for this machine's processor, several times faster on CPU cores. "
        "tensorflow: pure TensorFlow, on GPUs too. auto: native where it can be used.",
    )
    lanes_per_gpu: int = Field(1, ge=1, le=MAX_LANES, title="Lanes on each GPU")
    scheduler: str = Field(
        "",
        title="Scheduler",
        description="Address of a Dask scheduler whose lanes train, such as tls://host:8786; empty: this "
        "machine's lanes.",
        json_schema_extra={"pattern": f"({SCHEDULER_PATTERN})|^$"},
    )
    lane_timeout: str = Field(
        "10m",
        title="Lane timeout",
        description="With a scheduler: how long the run waits while no lane is there.",
        json_schema_extra={"pattern": TIME_PATTERN},
    )
    budget: str = Field(
        "",
        title="Budget",
        description="Refuse a run that is predicted to take longer, such as 10m or 1h30m; empty: no limit.",
        json_schema_extra={"pattern": TIME_PATTERN},  # for the form; the reader's own message is clearer
    )
    data_folder: str = Field(
        "",
        title="Data folder",
        description="Folder with the dataset's four files; empty: the first source that has it.",
    )

    @property
    def source(self) -> str:
        """Return the study's name, or the path of its file."""
        return self.study_file or self.study


class RunStart(RunOptions):
    """The parameters of a run, as it was started with first."""

    run_id: str = Field(pattern=RUN_ID)
    started_at: datetime
    flow_run_id: str | None = None
    resumed: int = Field(0, ge=0, description="how often it resumed after an interruption")
