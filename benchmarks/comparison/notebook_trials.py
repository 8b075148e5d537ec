"""The notebook loop of a whole study: as `notebook_loop`, but the time of each trial is kept as it ends.

With a number of epochs, a trial is trained for no more than those, and the time of its last one kept as well.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import keras

from benchmarks.comparison.keras_training import build_model, fit, load_images
from benchmarks.comparison.trial_log import START_UP, TrialTime, append_to_log
from benchmarks.comparison.workload import Workload


def seconds_since_start() -> float:
    """How long ago this process was started: `starttime` of /proc/self/stat, in ticks, see proc(5)."""
    ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Train every setting of the workload named first; append to the log named second; third: most epochs."""
    workload, log, most = Workload.read(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
    images = load_images(workload)
    append_to_log(log, [TrialTime(START_UP, seconds_since_start(), time.process_time(), 0, 0.0)])
    for setting in workload.settings:
        cut = setting.epochs > most
        asked = replace(setting, epochs=most, patience=None) if cut else setting
        ends = [(time.perf_counter(), time.process_time())]
        watch = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_, ends=ends: ends.append((time.perf_counter(), time.process_time()))
        )
        answer = fit(build_model(asked), asked, images, [watch])
        ends.append((time.perf_counter(), time.process_time()))
        wall, cpu = (last - first for first, last in zip(ends[0], ends[-1], strict=True))
        epoch = (last - first for first, last in zip(ends[-3], ends[-2], strict=True))
        append_to_log(log, [TrialTime(setting.name, wall, cpu, answer.epochs, answer.accuracy, cut, *epoch)])
        print(f"{setting.name}: {wall:.1f} s, {answer.epochs} epochs, {answer.accuracy:.2%}", flush=True)


if __name__ == "__main__":
    main()
