"""Measure how much faster one training is where several threads share its work.

Run it with `.venv/bin/python -m benchmarks.threads` on an idle machine (a minute on two cores). Each number
of threads trains the same part of an epoch on the real images, in turn; the fastest of three rounds counts.
It prints seconds of an epoch, the speed-up, and what each further thread added: `thread_gain` of the native
engine in `study/plan/cost.py`.
"""

import time

from benchmarks.engine import IMAGES, SHAPES
from study.spec.setting import Hyperparameters
from tasks.data.dataset import load_dataset
from tasks.engines.engine import choose_engine
from tasks.engines.native_engine import NativeEngine
from tasks.lanes.devices import CPU_COUNT, Device

IMAGES_TRAINED = 6_000
ROUNDS = 3


def measure(shape: Hyperparameters, threads: int) -> float:
    """Wall seconds of an epoch of 60,000 images, from training on a tenth."""
    engine = NativeEngine()
    images = engine.place(*load_dataset().train())
    trainer, _ = engine.open_trainer(shape, threads)
    trainer.start(seed=1)
    trainer.train_epoch(images, 1, 1, 0.01, IMAGES_TRAINED)
    started = time.perf_counter()
    trainer.train_epoch(images, 1, 2, 0.01, IMAGES_TRAINED)
    return (time.perf_counter() - started) * IMAGES / IMAGES_TRAINED


def main() -> None:
    """Measure every shape on one thread and on as many as there are cores."""
    choose_engine("native", Device("CPU").kind)
    numbers = sorted({1, 2, CPU_COUNT} & set(range(1, CPU_COUNT + 1)))
    print(
        "filters/units    " + "".join(f"{number:>4} thread(s)" for number in numbers) + "   speed-up   gain"
    )
    for name, (filters, units) in {**SHAPES, "64/512": (64, 512)}.items():
        shape = Hyperparameters(filters=filters, dense_units=units)
        rounds = [[measure(shape, number) for number in numbers] for _ in range(ROUNDS)]
        best = [min(times) for times in zip(*rounds, strict=True)]
        speedup = best[0] / best[-1]
        gain = (speedup - 1) / max(numbers[-1] - 1, 1)
        print(f"{name:<16}" + "".join(f"{each:12.2f} s" for each in best) + f"{speedup:10.2f} {gain:6.2f}")


if __name__ == "__main__":
    main()
