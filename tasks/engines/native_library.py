"""The native engine's library: compiled once for this processor, and checked before use."""

import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from study.fashion_mnist import IMAGE_SIDE
from study.plan import parameter_count
from study.spec import Hyperparameters
from study.wording import shortened
from tasks.engines.reference_step import drop_mask, train_step
from tasks.engines.seeds import draw_initial_weights

logger = logging.getLogger(__name__)

SOURCES = Path(__file__).with_name("native")
"""The compiled source: `engine.cpp`, which includes all the others."""

FOLDER = Path(__file__).resolve().parents[2] / "build"
"""Folder of compiled libraries, each named by its sources and processor."""

COMPILERS = ("c++", "g++", "clang++")

FLAGS = ("-std=c++20", "-O3", "-march=native", "-fPIC", "-shared", "-pthread")

STANDARDS = (FLAGS[0], "-std=c++2a")
"""C++20 by its name, and by that in earlier compilers."""

NEEDED, NEWER = "GCC 10, Clang 10 or later", "g++-12"

COMPILING_SECONDS = 120.0
"""Longest time to compile: it takes 2 s."""

TOLERANCE = 1e-4
"""Largest difference, relative to the largest number of an array, between the library and NumPy in float64.
Its arithmetic has seven digits; a wrong kernel is off by far more."""


class NativeUnavailable(Exception):
    """The native engine cannot be used here; the message says why."""


class NativeLibrary:
    """The library's functions, for arrays of NumPy."""

    def __init__(self, path: Path) -> None:
        try:
            library = ctypes.CDLL(str(path))
        except OSError as error:
            raise NativeUnavailable(f"{path} cannot be loaded: {error}") from error
        self._train, self._evaluate = library.train_epoch, library.evaluate
        library.compiler.restype = library.vectors.restype = ctypes.c_char_p
        self.compiler: str = library.compiler().decode()
        """Name and version of its compiler."""
        self.vectors: str = library.vectors().decode()
        """How many numbers its instructions add at once, and whether they fuse: both decide its bits."""

    def train_epoch(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        order: np.ndarray,
        hyperparameters: Hyperparameters,
        parameters: np.ndarray,
        momenta: np.ndarray,
        learning_rate: float,
        keys: tuple[int, int],
        threads: int = 1,
    ) -> tuple[float, int]:
        """Train on images in the given order; return the sum of their losses and the number of hits.

        Pixels (n, 28, 28) and labels (n,) are uint8, contiguous; `order` are indices (m,) int32. All
        parameters (p,) float32, one after the other in Keras's order, and their momenta alike change in
        place. Dropout's masks are drawn from two keys of 32 bits; the bits are the same for every number of
        threads.

        Raises:
            MemoryError: there is too little memory.
        """
        h = hyperparameters
        _check_sizes(h, parameters, momenta)
        return _sum_up(
            self._train,
            f"train {h}",
            *_images(pixels, labels, order),
            *(ctypes.c_int(each) for each in (h.filters, h.kernel_size, h.dense_units, h.batch_size)),
            _pointer(parameters, np.float32),
            _pointer(momenta, np.float32),
            *(ctypes.c_float(each) for each in (learning_rate, h.momentum, h.dropout)),
            *(ctypes.c_uint32(key) for key in keys),
            ctypes.c_int(threads),
        )

    def evaluate(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        order: np.ndarray,
        hyperparameters: Hyperparameters,
        parameters: np.ndarray,
        threads: int = 1,
    ) -> tuple[float, int]:
        """Evaluate images; arguments, result and errors are those of `train_epoch`."""
        h = hyperparameters
        _check_sizes(h, parameters)
        return _sum_up(
            self._evaluate,
            f"evaluate {h}",
            *_images(pixels, labels, order),
            *(ctypes.c_int(each) for each in (h.filters, h.kernel_size, h.dense_units)),
            _pointer(parameters, np.float32),
            ctypes.c_int(threads),
        )


def open_native_library() -> NativeLibrary:
    """Load the library that was compiled for this processor.

    Raises:
        NativeUnavailable: it was not compiled here, or cannot be loaded.
    """
    path = library_path()
    if not path.is_file():
        raise NativeUnavailable(f"{path.name} is not in {path.parent}")
    return NativeLibrary(path)


def prepare_native_library() -> Path:
    """Compile the library unless this processor's exists, check it, and return its path.

    Raises:
        NativeUnavailable: there is no compiler, it fails, or its library computes something else.
    """
    path = library_path()
    if not path.is_file():
        _compile(path)
    check_library(NativeLibrary(path))
    return path


def library_path() -> Path:
    """Return the path of this processor's library: named by source, flags and the processor's abilities."""
    sources = [path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]*"))]
    facts = [*sources, " ".join(FLAGS).encode(), platform.platform().encode(), _processor_facts()]
    digest = hashlib.sha256(b"\0".join(facts)).hexdigest()[:16]
    return FOLDER / f"native-engine-{digest}.so"


def check_library(library: NativeLibrary) -> None:
    """Compare two steps of training with NumPy's in float64, for all kinds of kernels, sizes and dropout.

    Raises:
        NativeUnavailable: they differ.
    """
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (30, 28, 28), np.uint8)
    labels = generator.integers(0, 10, 30, np.uint8)
    order = generator.permutation(30).astype(np.int32)
    for filters, kernel, units, dropout in (
        (3, 3, 5, 0.0),
        (17, 3, 66, 0.3),
        (2, 5, 16, 0.5),
        (2, 4, 3, 0.0),
    ):
        shape = Hyperparameters(
            filters=filters, kernel_size=kernel, dense_units=units, dropout=dropout, batch_size=19
        )
        _check_shape(library, shape, pixels, labels, order)


def _check_shape(
    library: NativeLibrary, shape: Hyperparameters, pixels: np.ndarray, labels: np.ndarray, order: np.ndarray
) -> None:
    weights = draw_initial_weights(shape, seed=1)
    untrained, expected = ([each.astype(np.float64) for each in weights] for _ in range(2))
    expected_momenta = [np.zeros_like(each) for each in expected]
    expected_untrained = train_step(
        shape, untrained, [np.zeros_like(each) for each in untrained], pixels[order], labels[order]
    )
    loss, keys = 0.0, (11, 12)
    for step, at in enumerate(range(0, len(order), shape.batch_size)):
        chosen = order[at : at + shape.batch_size]
        mask = drop_mask(shape, step, len(chosen), keys)
        loss += train_step(shape, expected, expected_momenta, pixels[chosen], labels[chosen], mask)
    parameters = np.concatenate([each.ravel() for each in weights])
    momenta = np.zeros_like(parameters)
    untrained_loss, _ = library.evaluate(pixels, labels, order, shape, parameters)
    found_loss, _ = library.train_epoch(
        pixels, labels, order, shape, parameters, momenta, shape.learning_rate, keys
    )
    pairs = [
        (np.array([untrained_loss]), np.array([expected_untrained])),
        (np.array([found_loss]), np.array([loss])),
        (parameters, np.concatenate([each.ravel() for each in expected])),
        (momenta, np.concatenate([each.ravel() for each in expected_momenta])),
    ]
    for found, right in pairs:
        difference = float(np.abs(found - right).max() / np.abs(right).max())
        if not difference <= TOLERANCE:
            raise NativeUnavailable(
                f"its self-check failed: {difference:.1e} away from NumPy, at most {TOLERANCE:.0e} is allowed"
            )


def _compile(path: Path) -> None:
    reasons = []
    try:
        path.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            made = Path(scratch, path.name)
            for compiler, standard in product(find_compilers(), STANDARDS):
                command = [*compiler, standard, *FLAGS[1:], str(SOURCES / "engine.cpp"), "-o", str(made)]
                done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILING_SECONDS)
                if done.returncode == 0:
                    made.replace(path)
                    logger.info("compiled the native engine for this processor: %s", path)
                    return
                said = (done.stderr.strip().splitlines() or ["no message"])[0]
                reasons.append(f"{compiler[0]} could not compile it: {shortened(said, 200)}")
    except (OSError, subprocess.SubprocessError) as error:
        raise NativeUnavailable(f"it could not be compiled: {error}") from error
    raise NativeUnavailable(f"{reasons[0]}; it needs {NEEDED}, and CXX={NEWER} names another compiler")


def find_compilers() -> list[list[str]]:
    """Find the C++ compilers, each with its first arguments: `$CXX` alone if set, else all of the system.

    Raises:
        NativeUnavailable: there is none, or `$CXX` cannot be used.
    """
    given = os.environ.get("CXX", "")
    try:
        asked = shlex.split(given)
    except ValueError as error:
        raise NativeUnavailable(f"CXX is {given!r}, which is no command: {error}") from error
    if asked and not shutil.which(asked[0]):
        raise NativeUnavailable(f"CXX is {given!r}, and there is no program {asked[0]!r}")
    found = [asked] if asked else [[name] for name in COMPILERS if shutil.which(name)]
    if not found:
        raise NativeUnavailable(f"there is no C++ compiler (looked for {', '.join(COMPILERS)} and $CXX)")
    return found


def _processor_facts() -> bytes:
    """Return the facts that decide which instructions run here: other machines' libraries may not."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return platform.processor().encode()
    names = (b"model name", b"flags", b"Features", b"CPU part")
    return b"\n".join(sorted({line for line in lines if line.startswith(names)}))


def _sum_up(function: Any, what: str, *arguments: Any) -> tuple[float, int]:
    """Call the library; its functions' last arguments receive the sum of losses and the count of hits."""
    loss, correct = ctypes.c_double(), ctypes.c_int64()
    if function(*arguments, ctypes.byref(loss), ctypes.byref(correct)):
        raise MemoryError(f"too little memory to {what}")
    return loss.value, correct.value


def _check_sizes(h: Hyperparameters, *arrays: np.ndarray) -> None:
    """Check arguments: wrong ones would read or write other memory there."""
    expected = parameter_count(h)
    for array in arrays:
        if array.shape != (expected,):
            raise ValueError(f"an array of shape {array.shape}; {h} has {expected} parameters")


def _images(pixels: np.ndarray, labels: np.ndarray, order: np.ndarray) -> tuple[Any, ...]:
    if pixels.shape != (len(labels), IMAGE_SIDE, IMAGE_SIDE):
        raise ValueError(f"images of shape {pixels.shape} and {len(labels)} labels")
    if len(order) and not 0 <= int(order.min()) <= int(order.max()) < len(labels):
        raise ValueError(f"indices {order.min()} to {order.max()} of {len(pixels)} images")
    arrays = (_pointer(pixels, np.uint8), _pointer(labels, np.uint8), _pointer(order, np.int32))
    return (*arrays, ctypes.c_int64(len(order)))


def _pointer(array: np.ndarray, kind: type[np.generic]) -> ctypes.c_void_p:
    if array.dtype != kind or not array.flags.c_contiguous:
        raise ValueError(f"an array of {array.dtype}; a contiguous one of {np.dtype(kind)} is needed")
    return ctypes.c_void_p(array.ctypes.data)
