"""The most one core computes: float32 GFLOP/s of a matrix product, and of a loop of multiply-adds in C.

Run it with `.venv/bin/python -m benchmarks.peak` (ten seconds): it prints both; the larger one is the peak
that the other benchmarks measure against. It counts CPU seconds, and the best of some
repeats. A multiply-add counts as two operations.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SIDE = 1536
"""Rows and columns of the matrices: they leave the caches, as a good product does not mind."""

REPEATS = 15
"""The best of so many counts: whatever else runs makes it slower, never faster."""

_SOURCE = Path(__file__).with_name("peak.c")
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")}


@dataclass(frozen=True)
class Peak:
    """GFLOP/s of one core, float32, by each way of measuring; None where there is no C compiler."""

    matrix_product: float
    multiply_add_loop: float | None

    @property
    def gflops(self) -> float:
        """The larger one."""
        return max(self.matrix_product, self.multiply_add_loop or 0.0)

    @property
    def words(self) -> str:
        """Both, in words."""
        loop = "no C compiler" if self.multiply_add_loop is None else f"{self.multiply_add_loop:.0f} GFLOP/s"
        return f"matrix product (NumPy) {self.matrix_product:.0f} GFLOP/s, multiply-add loop (C) {loop}"


def measure_peak() -> Peak:
    """Measure one core, in processes of their own: the threads of a linear algebra library are set at import.

    Raises:
        subprocess.CalledProcessError: one of them failed.
    """
    product = subprocess.run(
        [sys.executable, "-m", "benchmarks.peak", "--matrix-product"],
        cwd=_SOURCE.parents[1],
        env={**os.environ, **_ONE_THREAD},
        capture_output=True,
        text=True,
        check=True,
    )
    return Peak(float(product.stdout), _measure_loop())


def _measure_matrix_product() -> float:
    import numpy as np

    one, other = (np.random.default_rng(seed).random((SIDE, SIDE), np.float32) for seed in (1, 2))
    result, best = np.empty_like(one), float("inf")
    for _ in range(REPEATS):
        started = time.thread_time()
        np.matmul(one, other, out=result)
        best = min(best, time.thread_time() - started)
    return 2 * SIDE**3 / best / 1e9


def _measure_loop() -> float | None:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory(prefix="peak-") as folder:
        program = str(Path(folder, "peak"))
        flags = ["-O3", "-march=native", "-ffp-contract=fast"]
        built = subprocess.run(
            [compiler, *flags, "-o", program, str(_SOURCE)], capture_output=True, check=False
        )
        if built.returncode:
            return None
        done = subprocess.run([program, str(REPEATS)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--matrix-product", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().matrix_product:
        print(_measure_matrix_product())
        return
    peak = measure_peak()
    print(f"{peak.words}; one core's peak: {peak.gflops:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
