"""Classifying pictures: the model, their order, copies with the answer."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from study.conclusions.chosen_model import Calibration, soften
from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES
from tasks.data.dataset import load_dataset, scale_pixels
from tasks.model import export as reload_model
from tasks.model.classify import (
    LONGEST,
    SHORTEST,
    Classifier,
    Prediction,
    Unreadable,
    draw_overlay,
    find_calibration,
    find_unreadable,
    load_model,
    write_overlay,
)
from tests.rows import make_chosen_model

# Keras 3.15 itself calls np.array on a TensorFlow variable, which NumPy 2 deprecates, when it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def by_brightness(pixels: np.ndarray, training: bool) -> np.ndarray:
    """A model that tells the brightest pixel: class 0 from 0, class 9 from 255, with 90%."""
    assert not training
    outputs = np.full((len(pixels), 10), 0.1 / 9)
    outputs[np.arange(len(pixels)), np.rint(pixels.max(axis=(1, 2, 3)) * 9).astype(int)] = 0.9
    return outputs


def write(path: Path, level: int) -> Path:
    image = np.zeros((28, 28), np.uint8)
    image[10:20, 10:20] = level
    cv2.imwrite(str(path), image)
    return path


def save_model(path: Path, outputs: int = 10, input_shape: tuple[int, int, int] = (28, 28, 1)) -> Path:
    import keras

    layers = [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(outputs, "softmax")]
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.save(path)
    return path


# Loading the model.


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_model_gives_the_same_probabilities_after_loading(tmp_path: Path, name: str):
    model = load_model(save_model(tmp_path / name))
    picture = write(tmp_path / "boot.png", 255)
    first, again = (Classifier(each).classify([picture]) for each in (model, load_model(tmp_path / name)))
    assert first == again
    assert not model.compiled


@pytest.mark.parametrize("name", ["notes.keras", "notes.h5", "notes.txt"])
def test_a_file_that_is_no_model_or_not_there_is_refused(tmp_path: Path, name: str):
    wanted = "give a .keras or .h5 file, such as a run exports$"
    with pytest.raises(InputError, match=f"{name}: no such file; {wanted}"):
        load_model(tmp_path / name)
    (tmp_path / name).write_text("no weights")
    with pytest.raises(InputError, match=f"{name}: not a Keras model; {wanted}"):
        load_model(tmp_path / name)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_model_cut_off_half_way_is_refused(tmp_path: Path, name: str):
    path = save_model(tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=f"{name}: Keras cannot load this model: "):
        load_model(path)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            {"input_shape": (32, 32, 3)},
            r"takes input of shape \(None, 32, 32, 3\); \(None, 28, 28, 1\) is needed$",
        ),
        ({"outputs": 3}, r"gives output of shape \(None, 3\); \(None, 10\) is needed$"),
    ],
)
def test_a_model_for_other_images_or_classes_is_refused(tmp_path: Path, model: dict[str, Any], expected: str):
    path = save_model(tmp_path / "other.keras", **model)
    with pytest.raises(InputError, match=expected):
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


# Classifying.


def test_pictures_are_classified_in_the_order_given_with_what_the_model_says(tmp_path: Path):
    model = load_model(save_model(tmp_path / "model.keras"))
    images = load_dataset().test()[0][:5]
    paths = [tmp_path / f"{place}.png" for place in range(6)]
    for path, image in zip(paths, [*images, 255 - images[0]], strict=True):
        cv2.imwrite(str(path), image)
    found = [each for each in Classifier(model).classify(paths) if isinstance(each, Prediction)]
    expected = np.asarray(model(scale_pixels(images)[..., np.newaxis], training=False))
    assert [each.path for each in found] == paths
    assert np.allclose([each.probabilities for each in found[:5]], expected, atol=1e-6)
    assert [each.class_index for each in found[:5]] == expected.argmax(axis=1).tolist()
    assert all(each.class_name == CLASS_NAMES[each.class_index] for each in found)
    assert [each.inverted for each in found] == [False] * 5 + [True]
    assert found[5].probabilities == pytest.approx(found[0].probabilities, abs=1e-6)


@pytest.mark.parametrize("output", [0.5, -0.1], ids=["sigmoid", "linear"])
def test_a_model_without_softmax_is_refused(tmp_path: Path, output: float):
    outputs = np.array([[output, *[(1 - abs(output)) / 8] * 8, abs(output)]])
    with pytest.raises(InputError, match=r"these are not probabilities; its last layer must be a softmax$"):
        Classifier(lambda pixels, training: outputs).classify([write(tmp_path / "boot.png", 255)])


def test_pictures_of_several_batches_come_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reload_model, "BATCH", 4)
    paths = [write(tmp_path / f"{level}.png", round(level * 255 / 9)) for level in range(10)]
    found = Classifier(by_brightness).classify(paths)
    assert [each.path for each in found] == paths
    assert [each.class_index for each in found if isinstance(each, Prediction)] == list(range(10))


def test_an_unreadable_picture_loses_no_other_and_says_nothing_more(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    good, bad = write(tmp_path / "good.png", 255), write(tmp_path / "bad.png", 255)
    bad.write_bytes(bad.read_bytes()[:60])
    found = Classifier(by_brightness).classify([bad, good])
    assert isinstance(found[0], Unreadable)
    assert "bad.png: not an image that OpenCV can read" in found[0].reason
    assert isinstance(found[1], Prediction)
    assert find_unreadable([bad, good]) == []
    assert find_unreadable([bad, bad]) == [found[0], found[0]]
    assert capfd.readouterr().err == ""


def test_probabilities_are_softened_by_the_temperature(tmp_path: Path):
    calibration = Calibration(temperature=2, fitted_on="x", images=1, error_before=0, error_after=0)
    (found,) = Classifier(by_brightness, calibration).classify([write(tmp_path / "boot.png", 255)])
    assert isinstance(found, Prediction)
    expected = soften(by_brightness(np.ones((1, 28, 28, 1)), training=False), 2)[0]
    assert found.probabilities == pytest.approx(expected)
    assert found.probability < 0.9
    assert found.class_index == 9


# Copies of pictures with the answer drawn under them.


def predict(path: Path, shape: tuple[int, ...], probability: float = 0.9) -> Prediction:
    cv2.imwrite(str(path), np.full(shape, 90, np.uint8))
    rest = (1 - probability) / 9
    return Prediction(path, 9, "Ankle boot", (rest,) * 9 + (probability,), False)


@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (3000, 1500, 3), (20, 2000), (2000, 20)])
def test_a_picture_of_any_shape_gets_a_readable_copy(tmp_path: Path, shape: tuple[int, ...]):
    drawn = draw_overlay(predict(tmp_path / "boot.png", shape), 0.6)
    height, width = drawn.shape[:2]
    assert width >= SHORTEST
    assert max(height, width) <= LONGEST + 80
    band = drawn[-28:]
    assert (band > 200).any(), "words are light"
    assert (band[:, -6:] < 60).all(), "words end before the edge"


def test_what_is_not_sure_has_a_band_more_and_another_colour(tmp_path: Path):
    prediction = predict(tmp_path / "boot.png", (28, 28), 0.5)
    sure, unsure = (draw_overlay(prediction, each).astype(int) for each in (0.4, 0.6))
    assert len(unsure) > len(sure)
    assert (unsure[-50:, :, 2] > unsure[-50:, :, 0] + 150).any(), "orange"
    assert not (sure[-28:, :, 2] > sure[-28:, :, 0] + 150).any()


def test_what_is_not_one_garment_is_not_sure_however_probable(tmp_path: Path):
    sheet = np.zeros((100, 220), np.uint8)
    sheet[10:90, 10:90] = sheet[10:90, 130:210] = 255
    cv2.imwrite(str(tmp_path / "two.png"), sheet)
    (found,) = Classifier(by_brightness).classify([tmp_path / "two.png"])
    assert isinstance(found, Prediction) and found.probability == 0.9
    assert found.find_doubt(0.6) == "several separate things"
    assert predict(tmp_path / "boot.png", (28, 28), 0.5).find_doubt(0.6) == "below 60%"
    assert predict(tmp_path / "boot.png", (28, 28), 0.5).find_doubt(0.5) == ""


def test_a_name_of_wide_letters_gets_a_copy(tmp_path: Path):
    prediction = predict(tmp_path / f"{'靴' * 80}.png", (28, 28))
    assert write_overlay(prediction, 1, tmp_path / "answers", 0.6, ()).exists()


def test_the_number_keeps_equal_names_apart_and_odd_ones_become_plain(tmp_path: Path):
    (tmp_path / "a").mkdir()
    first, second = predict(tmp_path / "x y.png", (28, 28)), predict(tmp_path / "a" / "x y.png", (28, 28))
    folder = tmp_path / "answers"
    paths = [write_overlay(each, place, folder, 0.6, ()) for place, each in enumerate((first, second), 1)]
    assert [each.name for each in paths] == ["00001-x_y.png", "00002-x_y.png"]
    assert all(cv2.imread(str(each)) is not None for each in paths)


def test_an_original_is_never_written_over(tmp_path: Path):
    original = write(tmp_path / "00001-boot.png", 200)
    before = original.read_bytes()
    with pytest.raises(InputError, match=r"--overlay .*: 00001-boot.png there is a picture to classify"):
        write_overlay(predict(tmp_path / "boot.png", (28, 28)), 1, tmp_path, 0.6, {original.absolute()})
    assert original.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--overlay .*file: cannot be written \(.*\); give a folder"):
        write_overlay(predict(tmp_path / "boot.png", (28, 28)), 1, tmp_path / "file", 0.6, ())
