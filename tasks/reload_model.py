"""Load exported files in a process that did not write them, and say what they make of the test images."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from study.wording import shortened
from tasks.preprocessing import scale_pixels
from tasks.quiet import silenced_stderr

BATCH = 1000
"""Images at once."""

Predict = Callable[[np.ndarray], np.ndarray]
"""Images (n, 28, 28, 1) float32 to class probabilities (n, 10)."""


class ReloadFailed(RuntimeError):
    """An exported file cannot be loaded or run."""


def reload_files(files: Sequence[Path], pixels: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Class probabilities (n, 10) of each file for raw pixels and for scaled ones, in a fresh process.

    Args:
        files: What was exported, by name.
        pixels: Images (n, 28, 28) uint8.

    Raises:
        ReloadFailed: a file cannot be loaded again, or not be run.
    """
    with tempfile.TemporaryDirectory() as scratch:
        given, answer = Path(scratch, "pixels.npy"), Path(scratch, "answer.npz")
        np.save(given, pixels)
        command = [sys.executable, "-m", "tasks.reload_model", *map(str, (given, answer, *files))]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise ReloadFailed(f"exit code {done.returncode}: {shortened(reason[0], 300)}")
        with np.load(answer) as found:
            return {file.name: (found[f"{file.name} raw"], found[f"{file.name} scaled"]) for file in files}


def predict_all(predict: Predict, inputs: np.ndarray) -> np.ndarray:
    """Class probabilities (n, 10) of inputs (n, 28, 28, 1), a bounded number of images at a time."""
    return np.concatenate(
        [np.asarray(predict(inputs[at : at + BATCH])) for at in range(0, len(inputs), BATCH)]
    )


def open_export(file: Path) -> Predict:
    """What predicts by an exported file, by its suffix; a SavedModel is a folder."""
    if file.suffix == ".tflite":
        return _open_litert(file)
    if file.is_dir():
        import tensorflow as tf

        loaded = tf.saved_model.load(str(file / "1"))
        return lambda inputs: np.asarray(loaded.serve(inputs))  # its variables live as long as it does
    import keras

    model: Any = keras.models.load_model(file, compile=False, safe_mode=True)
    return lambda inputs: np.asarray(model(inputs, training=False))


def _open_litert(file: Path) -> Predict:
    import warnings

    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it will move to a package of its own, which is not needed yet
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


def main(given: Path, answer: Path, files: Sequence[Path]) -> None:
    """Answer for every file."""
    from tasks.lane_process import die_with_starter

    die_with_starter()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced_stderr():
        import tensorflow  # noqa: F401 - its messages about the processor belong nowhere
    pixels = np.load(given)[..., np.newaxis]
    found: dict[str, Any] = {}
    for file in files:
        predict = open_export(file)
        found[f"{file.name} raw"] = predict_all(predict, pixels.astype(np.float32))
        found[f"{file.name} scaled"] = predict_all(predict, scale_pixels(pixels))
    np.savez(answer, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(each) for each in sys.argv[3:]])
