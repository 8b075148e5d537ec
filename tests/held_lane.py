"""`study lane` whose trainings do not begin while a file is there, so that no lane is too fast for a test."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from tasks import lane_nanny, run_training
from tasks.lane_process import report_progress

HOLD = "TEST_HOLD"
"""Environment variable with the file's path."""


def dask_setup(_worker: Any) -> None:
    """Make the trainings of a lane's process wait; Dask calls this by its name."""
    train = run_training.run_training

    def wait_and_train(*arguments: Any) -> run_training.Trained:
        while Path(os.environ[HOLD]).exists():
            report_progress()
            time.sleep(0.05)
        return train(*arguments)

    run_training.run_training = wait_and_train  # type: ignore[assignment]  # takes whatever that takes


if __name__ == "__main__":
    from flows.command_line import main

    lane_nanny.CONFIG["distributed.worker.preload"].append("tests.held_lane")
    sys.argv[1:1] = ["lane"]
    main()
