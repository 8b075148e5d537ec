"""Load saved models again, in fresh processes, and predict with them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np

from study.wording import shortened
from tasks.data import scale_pixels, with_channels
from tasks.engines import silenced_stderr

BATCH = 1000
"""Images predicted at once."""

SCALED_IMAGES = 1000
"""The number of test images that each file is also given as scaled pixels."""

Predict = Callable[[np.ndarray], np.ndarray]
"""Images (n, height, width, channels) float32 to class probabilities (n, classes)."""


class ReloadFailed(RuntimeError):
    """An exported file cannot be loaded or run."""


class FreshProcesses:
    """Two processes that load TensorFlow as they start, and then each file as soon as it is written.

    Two, because a lane and what it starts have one thread each. They end with the block.
    """

    def __init__(self, pixels: np.ndarray) -> None:
        """Start them; pixels, uint8 as in the dataset, are what files are to predict."""
        self._stack = ExitStack()
        self._scratch = Path(self._stack.enter_context(TemporaryDirectory()))
        np.save(self._scratch / "pixels.npy", pixels)
        self._processes = [self._stack.enter_context(_start(self._scratch)) for _ in range(2)]
        self._files: list[Path] = []

    def __enter__(self) -> Self:
        """Return itself: the processes run already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes and remove their folder."""
        self._stack.close()

    def load(self, file: Path) -> None:
        """Let the next of the processes load a file."""
        with suppress(BrokenPipeError):  # the process has failed; `outputs` says why
            print(file, file=self._processes[len(self._files) % 2].stdin, flush=True)
        self._files.append(file)

    def outputs(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return by file name the probabilities (n, classes) of raw and of `SCALED_IMAGES` scaled pixels.

        Raises:
            ReloadFailed: a file cannot be loaded again, or not be run.
        """
        for process in self._processes:
            _, errors = process.communicate()
            if process.returncode != 0:
                reason = errors.strip().splitlines()[-1:] or ["no message"]
                raise ReloadFailed(f"exit code {process.returncode}: {shortened(reason[0], 300)}")
        answers = [(file.name, np.load(_answer(self._scratch, file))) for file in self._files]
        return {name: (answer["raw"], answer["scaled"]) for name, answer in answers}


@contextmanager
def _start(scratch: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tasks.model.reload", str(scratch)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # nothing, once it has ended


def _answer(scratch: Path, file: Path) -> Path:
    return scratch / f"{file.name}.npz"


def predict_all(predict: Predict, inputs: np.ndarray) -> np.ndarray:
    """Predict class probabilities (n, classes) of inputs (n, ...), a bounded number at a time."""
    return np.concatenate(
        [np.asarray(predict(inputs[at : at + BATCH])) for at in range(0, len(inputs), BATCH)]
    )


def open_export(file: Path) -> Predict:
    """Load an exported file's predictor, by its suffix; a SavedModel is a folder."""
    if file.suffix == ".tflite":
        return _open_litert(file)
    if file.is_dir():
        import tensorflow as tf

        loaded = tf.saved_model.load(str(file / "1"))
        return lambda inputs: np.asarray(loaded.serve(inputs))  # keeps `loaded`, and so its variables, alive
    import keras

    model: Any = keras.models.load_model(file, compile=False, safe_mode=True)
    return lambda inputs: np.asarray(model(inputs, training=False))


def _open_litert(file: Path) -> Predict:
    import warnings

    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will move to its own package, which is not needed yet
        interpreter = tf.lite.Interpreter(model_path=str(file), num_threads=1)
    (entry,), (end,) = interpreter.get_input_details(), interpreter.get_output_details()

    def predict(inputs: np.ndarray) -> np.ndarray:
        interpreter.resize_tensor_input(entry["index"], inputs.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], inputs)
        interpreter.invoke()
        outputs: np.ndarray = interpreter.get_tensor(end["index"])
        return outputs

    return predict


def main(scratch: Path) -> None:
    """Load TensorFlow, then predict with each file that standard input names, a line each."""
    from tasks.lanes import die_with_starter

    die_with_starter()
    with silenced_stderr():
        import tensorflow  # noqa: F401 - its messages about the processor are noise
    pixels = with_channels(np.load(scratch / "pixels.npy"))
    for line in sys.stdin:
        file = Path(line.rstrip("\n"))
        predict = open_export(file)
        raw = predict_all(predict, pixels.astype(np.float32))
        scaled = predict_all(predict, scale_pixels(pixels[:SCALED_IMAGES]))
        np.savez(_answer(scratch, file), raw=raw, scaled=scaled)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
