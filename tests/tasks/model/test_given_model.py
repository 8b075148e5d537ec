"""The model given to `predict`: known by its content, or named; fed as it was trained; its calibration."""

import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from study.conclusions.chosen_model import Calibration
from study.errors import InputError
from tasks.data.dataset import load_dataset, scale_pixels
from tasks.model.given_model import InputScale, find_calibration, find_model, load_model
from tests.rows import make_chosen_model

# Keras 3.15 itself calls np.array on a TensorFlow variable, which NumPy 2 deprecates, when it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def save_model(path: Path, outputs: int = 10, input_shape: tuple[int, ...] = (28, 28, 1)) -> Path:
    import keras

    layers = [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(outputs, "softmax")]
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.save(path)
    return path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model in both formats."""
    folder = tmp_path_factory.mktemp("saved")
    for suffix in (".keras", ".h5"):
        save_model(folder / f"sound{suffix}")
    return folder


# Known by content.


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", ["a.keras", "b.h5", "c.hdf5", "D.H5", "E.KERAS", "f"])
def test_a_model_is_known_by_its_content_whatever_its_name(
    saved: Path, tmp_path: Path, suffix: str, name: str
):
    path = Path(shutil.copyfile(saved / f"sound{suffix}", tmp_path / name))
    assert find_model(path) == path
    model = load_model(path, InputScale.UNIT)
    assert not model.model.compiled
    assert model(np.ones((2, 28, 28, 1), np.float32)).sum(axis=1) == pytest.approx(1)


def test_the_folder_of_a_run_stands_for_its_model_and_so_does_an_unpacked_file(saved: Path, tmp_path: Path):
    path = tmp_path / "run" / "model" / "Fashion_MNIST_model.keras"
    path.parent.mkdir(parents=True)
    shutil.copyfile(saved / "sound.keras", path)
    assert find_model(tmp_path / "run") == find_model(path.parent) == path
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert load_model(find_model(tmp_path / "unpacked")).shape == (28, 28, 1)


def _write_weights(path: Path) -> None:
    with h5py.File(path, "w") as opened:
        opened.create_group("layers/dense/vars")


def _write_archive(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")


def _write_saved_model(path: Path) -> None:
    (path / "1").mkdir(parents=True)
    (path / "1" / "saved_model.pb").touch()


NO_MODELS = {
    "model.weights.h5": (_write_weights, "a file of weights, without the model"),
    "data.h5": (lambda path: h5py.File(path, "w").close(), "an HDF5 file without a model"),
    "Fashion_MNIST_model": (_write_saved_model, "a TensorFlow SavedModel"),
    "run": (lambda path: path.mkdir(), "a folder without a Keras model"),
    "model.tflite": (lambda path: path.write_bytes(b"\x1c\0\0\0TFL3\0"), "a LiteRT "),
    "model.pt": (lambda path: _write_archive(path, "archive/data.pkl"), "a PyTorch model"),
    "photos.zip": (lambda path: _write_archive(path, "boot.png"), "a zip archive without a Keras model"),
    "model.pkl": (lambda path: path.write_bytes(b"\x80\x04K\x01."), "a Python pickle"),
    "boot.png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), "a picture; the model comes first"),
    "model.h5": (lambda path: path.write_text("\n<!DOCTYPE html>"), "a web page"),
    "pointer": (lambda path: path.write_text("version https://git-lfs…"), "a Git LFS pointer"),
    "notes.txt": (lambda path: path.write_text("no weights"), "not a Keras model"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_MODELS)
def test_what_is_no_model_is_named_and_the_model_beside_it_is_proposed(tmp_path: Path, name: str):
    write, kind = NO_MODELS[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: this is {kind}.*; give a .keras or .h5 file, such as"):
        find_model(tmp_path / name)
    (tmp_path / "model.keras").touch()
    (tmp_path / "another.keras").touch()
    proposed = "model" if name.startswith("model.") else "another"
    with pytest.raises(InputError, match=f"; give {tmp_path / proposed}.keras$"):
        find_model(tmp_path / name)


def test_a_missing_file_and_several_models_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"gone\.keras: no such file; give a \.keras or \.h5 file, such as"):
        find_model(tmp_path / "gone.keras")
    for name in ("a.keras", "b.keras"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"this is a folder with several Keras models; give .*a\.keras$"):
        find_model(tmp_path)


@pytest.mark.parametrize("name", ["sound.keras", "sound.h5"])
def test_a_model_cut_off_half_way_is_refused(saved: Path, tmp_path: Path, name: str):
    content = (saved / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=f"{name}: Keras cannot load this model: it is cut short or damaged"):
        find_model(tmp_path / name)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"input_shape": (32, 32, 3)}, r"takes input of shape \(None, 32, 32, 3\); \(None, 28, 28, 1\) or "),
        ({"outputs": 3}, r"gives output of shape \(None, 3\); \(None, 10\) is needed$"),
    ],
)
def test_a_model_for_other_images_or_classes_is_refused(tmp_path: Path, model: dict[str, Any], expected: str):
    path = save_model(tmp_path / "other.keras", **model)
    with pytest.raises(InputError, match=expected):
        load_model(path)


# Fed as it was trained.


@pytest.fixture(scope="module")
def centroids() -> tuple[np.ndarray, np.ndarray]:
    """Weights of one layer that finds the nearest class: right on 67% of images in 0..1, not 0..255."""
    images, labels = load_dataset().first(5000, 1).train()
    flat = scale_pixels(images).reshape(-1, 784)
    means = np.stack([flat[labels == each].mean(axis=0) for each in range(10)])
    return means.T / 50, -(means**2).sum(axis=1) / 100


def bring(
    path: Path, weights: Any, shape: Any = (28, 28, 1), end: str | None = None, scales: bool = False
) -> Path:
    """A model as people bring it: of some shape, with some last layer; it may scale its input itself."""
    import keras

    scaling = [keras.layers.Rescaling(1 / 255)] if scales else []
    layers = [*scaling, keras.layers.Flatten(), keras.layers.Dense(10, end)]
    model = keras.Sequential([keras.Input(shape), *layers])
    model.set_weights(weights)
    model.save(path)
    return path


@pytest.mark.parametrize(
    ("shape", "end", "scales", "outputs"),
    [
        ((28, 28, 1), "softmax", False, ""),
        ((28, 28), None, False, "so a softmax was added"),
        ((784,), "softmax", True, ""),
        ((1, 28, 28), None, True, "so a softmax was added"),
        ((28, 28, 1), "sigmoid", False, "so they were divided by their sum"),
    ],
)
def test_a_model_of_any_shape_scale_and_end_is_right_about_known_images(
    tmp_path: Path, centroids, shape: tuple[int, ...], end: str | None, scales: bool, outputs: str
):
    model = load_model(bring(tmp_path / "brought.keras", centroids, shape, end, scales))
    assert model.scale == ("0-255" if scales else "0-1")
    assert ") of 500 test images are then right, " in model.reason
    assert model.outputs.endswith(outputs)
    images, labels = load_dataset().test()
    found = model(scale_pixels(images[:300])[..., np.newaxis])
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found >= 0).all()
    assert (found.argmax(axis=1) == labels[:300]).mean() > 0.6


def test_of_two_scales_that_are_as_often_right_the_one_that_is_not_too_sure_is_taken(
    tmp_path: Path, centroids
):
    path = bring(tmp_path / "brought.keras", (50 * centroids[0], np.zeros(10)), (784,), "softmax")
    model = load_model(path)
    (unit, _), (raw, _) = (part.split(" (loss ") for part in model.reason.split("right, "))
    assert (model.scale, unit) == ("0-1", raw)


@pytest.mark.parametrize("scales", [False, True])
def test_without_test_images_its_layers_decide_and_a_given_scale_always(
    tmp_path: Path, centroids, scales: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = bring(tmp_path / "brought.keras", centroids, scales=scales)
    model = load_model(path)
    assert model.scale == ("0-255" if scales else "0-1")
    assert "no test images are cached" in model.reason
    assert model.outputs.endswith("so a softmax was added")
    given = load_model(path, InputScale.RAW)
    assert (given.scale, given.reason) == ("0-255", "")


def test_a_model_without_finite_outputs_is_refused(tmp_path: Path, centroids):
    path = bring(tmp_path / "broken.keras", (centroids[0], np.full(10, np.nan)))
    with pytest.raises(
        InputError, match="the model cannot be run on pictures: its outputs are no finite numbers"
    ):
        load_model(path)


# Its calibration.


CALIBRATION = Calibration(temperature=1.5, fitted_on="x", images=10, error_before=0.1, error_after=0.01)


def describe(folder: Path, **changes: object) -> Path:
    chosen = make_chosen_model().model_copy(update={"calibration": CALIBRATION, **changes})
    (folder / "model.json").write_text(chosen.model_dump_json())
    return folder / "Fashion_MNIST_model.keras"


def test_the_calibration_of_an_exported_file_is_found_beside_it(tmp_path: Path):
    assert find_calibration(describe(tmp_path)) == CALIBRATION


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: None, "there is no model.json next to"),
        (lambda folder: describe(folder, files=("other.keras",)), "describes other files, other.keras"),
        (lambda folder: describe(folder, calibration=None), "was written before models were calibrated"),
        (lambda folder: (folder / "model.json").write_text("{"), "does not describe an exported model"),
        (lambda folder: (folder / "model.json").mkdir(), "this is a folder"),
    ],
)
def test_where_there_is_none_it_says_why(tmp_path: Path, write, message: str):
    write(tmp_path)
    assert message in str(find_calibration(tmp_path / "Fashion_MNIST_model.keras"))
