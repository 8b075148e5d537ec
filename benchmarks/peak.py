"""The most one core computes: float32 GFLOP/s of a matrix product, and of a loop of multiply-adds in C.

The larger one is the peak that `benchmarks.engine` measures against. It counts CPU seconds, and the best of
some repeats. A multiply-add counts as two operations.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIDE = 1536
"""Rows and columns of the matrices: they leave the caches, as a good product does not mind."""

REPEATS = 15
"""The best of so many counts: whatever else runs makes it slower, never faster."""

_SOURCE = Path(__file__).with_name("peak.c")
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")}


def measure_peak() -> float:
    """Measure one core, in processes of their own: the threads of a linear algebra library are set at import.

    Raises:
        subprocess.CalledProcessError: one of them failed.
    """
    product = subprocess.run(
        [sys.executable, "-m", "benchmarks.peak"],
        cwd=_SOURCE.parents[1],
        env={**os.environ, **_ONE_THREAD},
        capture_output=True,
        text=True,
        check=True,
    )
    return max(float(product.stdout), _measure_loop())


def _measure_matrix_product() -> float:
    import numpy as np

    one, other = (np.random.default_rng(seed).random((SIDE, SIDE), np.float32) for seed in (1, 2))
    result, best = np.empty_like(one), float("inf")
    for _ in range(REPEATS):
        started = time.thread_time()
        np.matmul(one, other, out=result)
        best = min(best, time.thread_time() - started)
    return 2 * SIDE**3 / best / 1e9


def _measure_loop() -> float:
    """Zero where there is no C compiler, or none for this processor."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return 0.0
    with tempfile.TemporaryDirectory(prefix="peak-") as folder:
        program = str(Path(folder, "peak"))
        flags = ["-O3", "-march=native", "-ffp-contract=fast"]
        built = subprocess.run(
            [compiler, *flags, "-o", program, str(_SOURCE)], capture_output=True, check=False
        )
        if built.returncode:
            return 0.0
        done = subprocess.run([program, str(REPEATS)], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    print(_measure_matrix_product())
