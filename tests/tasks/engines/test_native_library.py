"""The native library: compiled here, checked before use, refused with a reason, safe with wrong arrays."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from study.errors import InputError
from study.plan.cost import parameter_count
from study.spec.setting import Hyperparameters
from tasks.data.dataset import Dataset
from tasks.engines import native_library
from tasks.engines.engine import _why_not, choose_engine
from tasks.engines.native_library import (
    NativeLibrary,
    NativeUnavailable,
    find_compilers,
    library_path,
    open_native_library,
    prepare_native_library,
)
from tasks.engines.reference_step import drop_mask, train_step
from tasks.engines.seeds import draw_initial_weights
from tests.engines import needs_native

SHAPES = [
    Hyperparameters(filters=filters, kernel_size=kernel, dense_units=units, batch_size=batch, dropout=dropout)
    for filters, kernel, units, batch, dropout in (
        (1, 3, 1, 1, 0.0), (8, 3, 16, 32, 0.0), (33, 3, 64, 32, 0.3), (5, 5, 7, 13, 0.5), (2, 27, 3, 40, 0.0),
        (3, 1, 130, 5, 0.1), (16, 3, 200, 48, 0.0),
    )
]  # fmt: skip


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for compiled libraries in which there is none, and a choice that was not made yet."""
    monkeypatch.setattr(native_library, "FOLDER", tmp_path / "build")
    _why_not.cache_clear()
    yield tmp_path / "build"
    _why_not.cache_clear()


def draw_images(count: int, side: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Images of random pixels and random labels."""
    generator = np.random.default_rng(5)
    pixels = generator.integers(0, 256, (count, side, side), np.uint8)
    return pixels, generator.integers(0, 10, count, np.uint8)


def compare_step(shape: Hyperparameters, pixels: np.ndarray, labels: np.ndarray) -> float:
    """The largest difference of a step's gradients from NumPy's in float64, relative to the largest one."""
    shape = shape.model_copy(update={"momentum": 0.0, "learning_rate": 1.0})
    weights, keys = draw_initial_weights(shape, seed=2), (3, 4)
    parameters = np.concatenate([each.ravel() for each in weights])
    momenta = np.zeros_like(parameters)
    order = np.arange(len(labels), dtype=np.int32)
    loss, _ = open_native_library().train_epoch(pixels, labels, order, shape, parameters, momenta, 1.0, keys)
    exact = [each.astype(np.float64) for each in weights]
    exact_momenta = [np.zeros_like(each) for each in exact]
    mask = drop_mask(shape, 0, len(labels), keys)
    assert loss == pytest.approx(train_step(shape, exact, exact_momenta, pixels, labels, mask), rel=1e-5)
    ends = np.cumsum([each.size for each in weights])[:-1]
    pairs = zip(np.split(momenta, ends), exact_momenta, strict=True)
    return max(
        float(np.abs(found.reshape(right.shape) - right).max() / max(np.abs(right).max(), 1e-30))
        for found, right in pairs
    )


@needs_native
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_equal_float64s_on_random_images(shape: Hyperparameters):
    assert compare_step(shape, *draw_images(shape.batch_size)) < 1e-4


@needs_native
def test_of_equal_winners_the_first_gets_the_gradient():
    # A kernel that sees only its corner pixel: all four numbers of a pool are equal, what is around not.
    shape = Hyperparameters(filters=1, kernel_size=3, dense_units=4, batch_size=8)
    weights = draw_initial_weights(shape, seed=2)
    weights[0][:] = 0.0
    weights[0][0, 0] = 1.0
    coarse, labels = draw_images(8, side=14)
    pixels = np.ascontiguousarray(coarse.repeat(2, axis=1).repeat(2, axis=2))
    parameters = np.concatenate([each.ravel() for each in weights])
    momenta, order = np.zeros_like(parameters), np.arange(8, dtype=np.int32)
    open_native_library().train_epoch(pixels, labels, order, shape, parameters, momenta, 0.01, (0, 0))
    exact_momenta = [np.zeros(each.shape) for each in weights]
    train_step(shape, [each.astype(float) for each in weights], exact_momenta, pixels, labels)
    np.testing.assert_allclose(momenta[:9].reshape(3, 3), exact_momenta[0][..., 0, 0], rtol=1e-4)
    seen = exact_momenta[0][..., 0, 0]
    assert seen[0, 0] == pytest.approx(seen[0, 1])  # the first winner's right neighbour is its equal...
    assert seen[0, 0] != pytest.approx(seen[0, 2])  # ...the one after that is not


@needs_native
def test_gradients_equal_float64s_on_real_batches_but_for_winners_that_nearly_tie(dataset: Dataset):
    images, labels = dataset.train()
    shape = Hyperparameters(filters=32, dense_units=16)
    worst = [
        compare_step(
            shape, np.ascontiguousarray(images[at : at + 32]), np.ascontiguousarray(labels[at : at + 32])
        )
        for at in range(0, 640, 32)
    ]
    # Seven digits cannot tell the larger of two nearly equal numbers: another pixel gets the gradient.
    assert np.median(worst) < 1e-5
    assert max(worst) < 1e-2


@needs_native
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_number_of_threads_computes_the_same_bits(shape: Hyperparameters):
    (pixels, labels), order = draw_images(100), np.random.default_rng(5).permutation(100).astype(np.int32)
    library, found = open_native_library(), set()
    for threads in (1, 2, 3, 13, 20):
        parameters = np.concatenate([each.ravel() for each in draw_initial_weights(shape, seed=3)])
        momenta = np.zeros_like(parameters)
        trained = library.train_epoch(
            pixels, labels, order, shape, parameters, momenta, 0.01, (5, 6), threads
        )
        scored = library.evaluate(pixels, labels, order, shape, parameters, threads)
        found.add((trained, scored, parameters.tobytes(), momenta.tobytes()))
    assert len(found) == 1


@needs_native
def test_the_check_refuses_a_library_that_computes_something_else(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wrong = Path(shutil.copytree(native_library.SOURCES, tmp_path / "wrong"), "network.h")
    source = wrong.read_text(encoding="utf-8")
    wrong.write_text(source.replace("(lower, upper)", "(lower, upper + 0.01f)"), encoding="utf-8")
    assert wrong.read_text(encoding="utf-8") != source
    monkeypatch.setattr(native_library, "SOURCES", wrong.parent)
    with pytest.raises(NativeUnavailable, match=r"its self-check failed: .+ away from NumPy"):
        prepare_native_library()


@needs_native
def test_the_library_is_compiled_once_and_says_by_what(elsewhere: Path):
    path = prepare_native_library()
    before = path.stat()
    assert prepare_native_library() == path == library_path()
    assert path.stat().st_ino == before.st_ino
    assert NativeLibrary(path).compiler[0].isalpha()
    assert re.fullmatch(r"(4|8|16) numbers(, fused)?", NativeLibrary(path).vectors)
    assert [each.name for each in elsewhere.iterdir()] == [path.name]


def test_without_a_compiler_tensorflow_trains_and_a_line_says_so(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("PATH", str(elsewhere))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(NativeUnavailable):
        find_compilers()
    assert choose_engine("auto", "CPU") == "tensorflow"
    assert caplog.text.count("there is no C++ compiler") == 1
    with pytest.raises(InputError, match=r"--engine: native cannot be used here: there is no C\+\+ compiler"):
        choose_engine("native", "CPU")


def test_a_compiler_that_fails_is_quoted(elsewhere: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CXX", shutil.which("false") or "false")
    with pytest.raises(InputError, match=r"false could not compile it: no message"):
        choose_engine("native", "CPU")


def test_an_older_compiler_knows_the_standard_by_its_earlier_name_and_the_next_one_is_tried(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, real = tmp_path / "bin", shutil.which("c++")
    folder.mkdir()
    old = '#!/bin/sh\ncase "$*" in *c++20*) echo "unrecognized option \'-std=c++20\'" >&2; exit 1;; esac\n'
    (folder / "c++").write_text("#!/bin/sh\nexit 1\n")
    (folder / "g++").write_text(f'{old}exec "{real}" "$@"\n')
    for each in folder.iterdir():
        each.chmod(0o755)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert prepare_native_library().exists()
    monkeypatch.setenv("CXX", str(folder / "c++"))
    library_path().unlink()
    with pytest.raises(NativeUnavailable, match=r"no message; it needs GCC 10, Clang 10 or later, and CXX="):
        prepare_native_library()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("/opt/none/g++ -m64", "CXX is '/opt/none/g++ -m64', and there is no program '/opt/none/g++'"),
        ('"g++', "CXX is '\"g++', which is no command: No closing quotation"),
    ],
)
def test_a_compiler_that_is_named_wrongly_is_the_reason(
    given: str, reason: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CXX", given)
    with pytest.raises(NativeUnavailable) as refused:
        prepare_native_library()
    assert str(refused.value) == reason


def test_a_file_that_is_no_library_is_refused(elsewhere: Path):
    library_path().parent.mkdir()
    library_path().write_text("no library")
    assert choose_engine("auto", "CPU") == "tensorflow"
    with pytest.raises(NativeUnavailable, match="cannot be loaded"):
        open_native_library()


def test_a_library_that_was_not_compiled_is_missed_by_name(elsewhere: Path):
    with pytest.raises(NativeUnavailable, match=r"native-engine-[0-9a-f]{16}\.so is not in .+build"):
        open_native_library()


def test_gpus_are_left_to_tensorflow():
    assert choose_engine("auto", "GPU") == choose_engine("tensorflow", "CPU") == "tensorflow"
    with pytest.raises(InputError, match="it trains on CPU cores, and the lanes are on a GPU"):
        choose_engine("native", "GPU")


@needs_native
def test_arrays_that_do_not_fit_are_refused_before_memory_is_touched():
    library, shape = open_native_library(), Hyperparameters(filters=2, dense_units=3)
    pixels, labels = np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.uint8)
    order, good = np.arange(4, dtype=np.int32), np.zeros(parameter_count(shape), np.float32)
    cases = [
        ("images of shape", (pixels[:3], labels, order, shape, good)),
        ("indices 0 to 4 of 4 images", (pixels, labels, np.array([0, 4], np.int32), shape, good)),
        ("indices -1 to 0", (pixels, labels, np.array([0, -1], np.int32), shape, good)),
        ("has 1077 parameters", (pixels, labels, order, shape, good[:-1])),
        ("a contiguous one of float32", (pixels, labels, order, shape, good.astype(np.float64))),
        ("a contiguous one of int32", (pixels, labels, order.astype(np.int64), shape, good)),
        ("a contiguous one of uint8", (pixels, labels[::-1], order, shape, good)),
    ]
    for message, arguments in cases:
        with pytest.raises(ValueError, match=message):
            library.evaluate(*arguments)
    library.evaluate(pixels, labels, order, shape, good)


@needs_native
def test_too_little_memory_raises_and_ends_no_process():
    script = (
        "import resource, numpy as np\n"
        "from study.plan.cost import parameter_count\n"
        "from study.spec.setting import Hyperparameters\n"
        "from tasks.engines.native_library import open_native_library\n"
        "library, shape = open_native_library(), Hyperparameters(filters=64, dense_units=512)\n"
        "parameters = np.zeros(parameter_count(shape), np.float32)\n"
        "pixels, labels = np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8)\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 5_000_000,) * 2)\n"
        "try:\n"
        "    library.evaluate(pixels, labels, np.zeros(1, np.int32), shape, parameters)\n"
        "except MemoryError as error:\n"
        "    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.startswith("too little memory to evaluate filters=64")
