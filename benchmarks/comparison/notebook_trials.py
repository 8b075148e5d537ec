"""The notebook loop of a whole study: as `notebook_loop`, but the time of each trial is kept as it ends."""

import os
import sys
import time
from pathlib import Path

from benchmarks.comparison.keras_training import build_model, fit, load_images
from benchmarks.comparison.trial_log import START_UP, TrialTime, append_to_log
from benchmarks.comparison.workload import Workload


def seconds_since_start() -> float:
    """How long ago this process was started: `starttime` of /proc/self/stat, in ticks, see proc(5)."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Train every setting of the workload named first; append to the log named second."""
    workload, log = Workload.read(Path(sys.argv[1])), Path(sys.argv[2])
    images = load_images(workload)
    append_to_log(log, [TrialTime(START_UP, seconds_since_start(), time.process_time(), 0, 0.0)])
    for setting in workload.settings:
        wall, cpu = time.perf_counter(), time.process_time()
        answer = fit(build_model(setting), setting, images)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        append_to_log(log, [TrialTime(setting.name, wall, cpu, answer.epochs, answer.accuracy)])
        print(f"{setting.name}: {wall:.1f} s, {answer.epochs} epochs, {answer.accuracy:.2%}", flush=True)


if __name__ == "__main__":
    main()
