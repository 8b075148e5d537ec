"""What it costs to serve trainings, and what each part that serves them bears: measured constants."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Part(StrEnum):
    """What trainings wait for, beside each other."""

    LANES = "lanes"
    FLOW = "flow's process"
    PLACES = "places in flight"
    SCHEDULER = "Dask's scheduler"
    STORE = "results"
    SERVER = "Prefect's server"


@dataclass(frozen=True)
class Serving:
    """Seconds that each part spends on what it serves, one thing at a time, in order of arrival."""

    task_run_seconds: float = 0.0
    """Of the flow's interpreter for each task run: Prefect's engine, its events, the tally."""
    training_seconds: float = 0.0
    """Of the flow's interpreter for each training: looking it up, giving it to a lane, writing it."""
    lane_share: float = 0.0
    """The part of `training_seconds` in which the lane is held and waits, of 1."""
    epoch_seconds: float = 0.0
    """Of the flow's interpreter for each epoch: that the lane gets on, and what it logs."""
    byte_seconds: float = 0.0
    """Of the flow's interpreter for each byte of a result: taken, hashed, written."""
    places: int | None = None
    """Units that one flow keeps in flight at most; None for any number."""
    scheduler_seconds: float = 0.0
    """Of Dask's scheduler for each training."""
    scheduler_byte_seconds: float = 0.0
    """Of Dask's scheduler for each byte of a result, which it passes on."""
    heartbeat_seconds: float = 0.0
    """Of Dask's scheduler for each heartbeat of a lane."""
    write_wait_seconds: float = 0.0
    """From giving a training's files to the store until they are kept; many are written at once."""
    store_seconds: float = 0.0
    """Of what the store bears, for each training: its requests, of so many a second."""
    server_seconds: float = 0.0
    """Of Prefect's server for each task run; nothing waits for it, what it does not bear comes late."""
    spare: int = 2
    """Units in flight beyond one a lane."""

    def heartbeat_share(self, lanes: int) -> float:
        """The part of the scheduler's time, of 1, that so many idle lanes take."""
        return self.heartbeat_seconds * lanes / heartbeat_interval(lanes)

    def scheduler_seconds_on(self, lanes: int) -> float:
        """Seconds of the scheduler for each training, slowed down by the lanes' heartbeats."""
        free = 1.0 - self.heartbeat_share(lanes)
        return self.scheduler_seconds / free if free > 0 else float("inf")

    def places_on(self, lanes: int) -> int:
        """Units in flight at most on so many lanes."""
        wanted = lanes + self.spare
        return wanted if self.places is None else min(wanted, self.places)

    def for_trainings(self, size: float, epochs: float) -> "Serving":
        """The same for trainings of so many bytes and epochs on average, as if that were each one's."""
        own = self.byte_seconds * size + self.epoch_seconds * epochs
        further = self.scheduler_byte_seconds * size
        return replace(
            self, training_seconds=self.training_seconds + own, epoch_seconds=0.0, byte_seconds=0.0,
            scheduler_seconds=self.scheduler_seconds + further, scheduler_byte_seconds=0.0,
        )  # fmt: skip

    def amortised(self, trainings: float) -> "Serving":
        """The same where so many trainings share a task run, as if each were one by itself."""
        own = self.task_run_seconds / trainings
        training = self.training_seconds + own
        held = self.lane_share * self.training_seconds
        return replace(
            self, task_run_seconds=0.0, training_seconds=training,
            lane_share=held / training if training else 0.0, server_seconds=self.server_seconds / trainings,
        )  # fmt: skip

    def with_lanes_here(self) -> "Serving":
        """The same with lanes of the flow's own machine: the scheduler is a part of the flow's process."""
        training = self.training_seconds + self.scheduler_seconds
        held = self.lane_share * self.training_seconds + self.scheduler_seconds
        return replace(
            self, training_seconds=training, lane_share=held / training if training else 0.0,
            scheduler_seconds=0.0, heartbeat_seconds=0.0,
        )  # fmt: skip


def heartbeat_interval(lanes: int) -> float:
    """Seconds between two heartbeats of a lane, as `distributed.scheduler.heartbeat_interval` has them.

    The more lanes, the rarer: together they send 200 a second at most.
    """
    if lanes <= 10:
        return 0.5
    if lanes < 50:
        return 1.0
    return 2.0 if lanes < 200 else lanes / 200 + 1


FLOW_PLACES = 1000
"""Threads that wait in one flow's process (`flows/run_study.py`): task runs in flight at most."""

# Processor seconds on one core of a 2-core virtual machine, of Prefect 3.8 with a server on SQLite and Dask
# 2026; how each was measured, and what stands behind it, is told in docs/scale.md.
ON_DISK = Serving(
    task_run_seconds=0.0087,
    training_seconds=0.0075,
    lane_share=0.49,
    epoch_seconds=0.00045,
    byte_seconds=4.0e-9,
    places=FLOW_PLACES,
    scheduler_seconds=0.0020,
    scheduler_byte_seconds=0.8e-9,
    heartbeat_seconds=0.0003,
    write_wait_seconds=0.010,
    store_seconds=3 / 1380,
    server_seconds=0.022,
)
"""Results on a disk, which kept 1,380 files a second (three of a training, each synced), of 16 threads."""

S3_WRITES, S3_READS = 3500, 5500
"""Requests a second that one partitioned prefix of Amazon S3 bears at least: PUT, COPY, POST and DELETE; GET
and HEAD, with which listings are counted here. "Best practices design patterns: optimizing Amazon S3
performance", Amazon S3 User Guide."""

TRAINING_WRITES, TRAINING_READS = 5, 9
"""Requests for a training of which one epoch's weights are kept, counted: three files and two of a lease are
written; nine are listings and HEAD."""

ON_OBJECT_STORE = replace(
    ON_DISK,
    training_seconds=ON_DISK.training_seconds + 0.0267,
    lane_share=ON_DISK.lane_share * ON_DISK.training_seconds / (ON_DISK.training_seconds + 0.0267),
    write_wait_seconds=0.1,
    store_seconds=max(TRAINING_WRITES / S3_WRITES, TRAINING_READS / S3_READS),
)
"""Results in one prefix of an object store: its requests take the flow's process 26.7 ms more a training."""
