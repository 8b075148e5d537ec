"""What a run was asked to do, written when it starts: from it an interrupted run goes on."""

from datetime import datetime

from pydantic import Field

from study.fact import Fact

RUN_ID = r"^\d{8}T\d{6}Z-[a-z0-9][a-z0-9-]{0,39}-[0-9a-f]{4,16}$"
"""What a run's id looks like: when it started, its study, and a few random digits."""


class RunStart(Fact):
    """The parameters of a run, as it was started with first."""

    run_id: str = Field(pattern=RUN_ID)
    study: str
    exercises: tuple[int, ...] = ()
    lanes: int = 0
    lanes_per_gpu: int = 1
    fresh: bool = False
    data_folder: str = ""
    budget: str = ""
    started_at: datetime
    flow_run_id: str | None = None
    resumed: int = Field(0, ge=0, description="how often it has gone on after an interruption")
