"""The exported model: the same in every format and however it is fed, and the lab's snippet works on it."""

import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from itertools import islice
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from storage.results import Results, open_results
from storage.tables.rows_of_work import TrialRow
from study.conclusions.chosen_model import ChosenModel
from study.image_facts import ImageFacts
from study.plan.plan import Training
from study.records.record import Source, StopRule
from study.spec.exercises import ModelExercise
from study.spec.setting import Setting
from tasks.data.dataset import Dataset
from tasks.lanes.local import InProcessLane
from tasks.lanes.process import LanesClosed
from tasks.model import export
from tasks.model.card import render_card, tabulate_classes
from tasks.model.classify import Classifier, Prediction
from tasks.model.export import (
    count_confident,
    count_confusion,
    export_model,
    find_confused_pairs,
    keep_files,
    read_files,
    save_and_check,
)
from tasks.model.given_model import InputScale, load_model
from tasks.training.one_training import run_training
from tests.engines import ENGINE
from tests.rows import make_chosen_model
from tests.small_run import changed, make_tables

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, .h5

SETTING = Setting(filters=4, dense_units=16, dropout=0.2, epochs=3)
EXERCISE = ModelExercise(number=8, kind="model", title="t", question="q")
FILES = [
    "Fashion_MNIST_model.h5", "Fashion_MNIST_model.keras", "Fashion_MNIST_model",
    "Fashion_MNIST_model.tflite",
]  # fmt: skip

SNIPPET = """
import sys
import cv2, keras, numpy as np
model = keras.models.load_model(sys.argv[1])
image = cv2.resize(cv2.imread(sys.argv[2], cv2.IMREAD_GRAYSCALE), (28, 28))
for_model = np.expand_dims(image, 0)
if "channel" in sys.argv[3]:
    for_model = np.expand_dims(for_model, -1)
if "scaled" in sys.argv[3]:
    for_model = for_model / 255.0
print(model.predict(for_model, verbose=0).argmax())
"""
"""The lab's: resize, expand_dims, predict; some copies add the channel's axis, some divide by 255."""


OLDER = """
import importlib, sys, warnings
import numpy as np
keras, given = importlib.import_module(sys.argv[1]), np.load(sys.argv[2])
warnings.simplefilter("error", UserWarning)
print(keras.__version__)
for file in sys.argv[3:]:
    print(keras.models.load_model(file).evaluate(given["images"], given["labels"], verbose=0)[1])
"""
"""Open files with another version of Keras and print the accuracy that each evaluates."""


def make_trial(dataset: Dataset, held_out: int = 0) -> TrialRow:
    return changed(
        make_tables().trials[0],
        **SETTING.model_dump(),
        key="0123456789abcdef",
        epochs_run=3,
        held_out_images=held_out,
        protocol="held-out" if held_out else "lab",
        git_commit=None,
        data_fingerprint=dataset.fingerprint,
    )


@pytest.fixture(scope="module")
def weights(dataset: Dataset):
    source = Source(
        protocol="lab", data=dataset.fingerprint, held_out_images=0, model="2", tensorflow="",
        device="CPU", engine=ENGINE,
    )  # fmt: skip
    training = Training(
        hyperparameters=SETTING.hyperparameters, seed=1, source=source, rules=(StopRule(epochs=3),), label="t"
    )
    return run_training(training, dataset, "r").weights[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Results(tmp_path_factory.mktemp("export")).model("r")


@pytest.fixture(scope="module")
def model(dataset: Dataset, weights, folder: Path) -> ChosenModel:
    chosen, files = save_and_check(make_trial(dataset), weights, EXERCISE, dataset)
    keep_files(files, folder)
    return chosen


def test_every_format_loads_in_a_fresh_process_and_is_the_same_model_fed_raw_or_scaled(model: ChosenModel):
    assert [each.name for each in model.saved] == list(model.files) == FILES
    assert model.files_agree
    for each in model.saved:
        assert (each.same_classes, each.images) == (200, 200)
        assert each.largest_difference <= 1e-4
        assert each.size_bytes > 10_000
    assert [each.largest_difference for each in model.saved[:3]] == [0, 0, 0], "but for LiteRT, bit for bit"


def test_the_saved_model_is_compiled_and_evaluates_raw_and_scaled_images(
    model: ChosenModel, dataset: Dataset, folder: Path
):
    import keras

    images, labels = map(np.asarray, dataset.test())
    for name in FILES[:2]:
        loaded = keras.models.load_model(folder / name)
        assert float(loaded.optimizer.learning_rate) == pytest.approx(SETTING.learning_rate)
        for pixels in (images, images / 255):
            accuracy = loaded.evaluate(pixels, labels, verbose=0)[1]
            assert accuracy == pytest.approx(model.reloaded_test_accuracy)


def test_saved_files_describe_nothing_that_older_keras_does_not_know(model: ChosenModel, folder: Path):
    with zipfile.ZipFile(folder / FILES[1]) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    arguments = {name for layer in layers for name in layer["config"]}
    assert not arguments & {"optional", "quantization_config", "kernel_regularizer", "trainable"}
    he_uniform = next(each for each in layers if each["class_name"] == "Conv2D")["config"][
        "kernel_initializer"
    ]
    assert (he_uniform["class_name"], he_uniform["config"]) == ("HeUniform", {})
    with h5py.File(folder / FILES[0]) as opened:
        first = json.loads(opened.attrs["model_config"])["config"]["layers"][0]
    assert first["config"]["batch_input_shape"] == [None, 28, 28, 1], "as Keras 2 calls it"


@pytest.mark.slow
@pytest.mark.parametrize(
    "library",
    ["keras==3.3.3", "keras==3.8.0", "keras==3.12.0", f"tf_keras=={metadata.version('tensorflow')[:4]}.*"],
)
def test_older_versions_of_keras_open_and_evaluate_the_files(
    model: ChosenModel, dataset: Dataset, folder: Path, tmp_path: Path, library: str
):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path, library]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot install {library}, is a package registry reachable? {done.stderr[-300:]}")
    name, _, version = library.partition("==")
    images, labels = dataset.test()
    np.savez(tmp_path / "given.npz", images=images, labels=labels)
    files = [folder / each for each in (FILES[:2] if name == "keras" else FILES[:1])]
    done = subprocess.run(
        [sys.executable, "-c", OLDER, name, tmp_path / "given.npz", *files],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found, *accuracies = done.stdout.split()
    assert found.startswith(version.removesuffix("*"))
    assert list(map(float, accuracies)) == pytest.approx([model.reloaded_test_accuracy] * len(files))


def test_the_saved_model_scores_what_the_trained_one_does(model: ChosenModel, dataset: Dataset):
    counts = np.array(model.confusion)
    assert model.reloaded_test_accuracy == pytest.approx(np.trace(counts) / counts.sum())
    assert counts.sum() == dataset.test_count


def test_a_model_that_an_earlier_run_has_saved_is_copied_and_any_other_is_not(
    model: ChosenModel, folder: Path, weights, dataset: Dataset, tmp_path: Path, monkeypatch
):
    results, chosen = open_results(tmp_path / "results"), make_trial(dataset)
    monkeypatch.setattr(export, "obtain_weights", lambda *_: weights)
    lanes = InProcessLane()
    monkeypatch.setattr(lanes, "run", lambda *_: (model, read_files([folder / name for name in model.files])))
    saved = export_model.fn(chosen, EXERCISE, dataset, results, lanes, "20260301")

    def refuse(*_: object) -> None:
        raise LanesClosed("no lane is needed")

    monkeypatch.setattr(lanes, "run", refuse)
    assert export_model.fn(chosen, EXERCISE, dataset, results, lanes, "20260302") == saved
    one, other = (results.model(each) for each in ("20260301", "20260302"))
    for name in (*read_files([one / each for each in model.files]), "model.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    monkeypatch.setattr(export, "obtain_weights", lambda *_: [each + 1 for each in weights])
    with pytest.raises(LanesClosed):
        export_model.fn(chosen, EXERCISE, dataset, results, lanes, "20260303")


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["plain", "channel", "scaled", "channel scaled"])
def test_the_labs_snippet_works_on_the_h5_file(
    model: ChosenModel, dataset: Dataset, folder: Path, tmp_path: Path, variant: str
):
    pixels, _ = dataset.test()
    picture = tmp_path / "new.png"
    cv2.imwrite(str(picture), np.asarray(pixels[0]))
    done = subprocess.run(
        [sys.executable, "-c", SNIPPET, folder / FILES[0], picture, variant],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == int(np.argmax(model.new_image.probabilities))


def test_the_temperature_is_of_held_out_images_or_of_the_test_s_halves_each_for_the_other(
    model: ChosenModel, dataset: Dataset, weights
):
    held, _ = save_and_check(make_trial(dataset, 128), weights, EXERCISE, dataset)
    assert model.calibration is not None and held.calibration is not None
    assert "each half judged by the other's" in model.calibration.fitted_on
    assert held.calibration.fitted_on == "the validation images"
    assert (model.calibration.images, held.calibration.images) == (200, 128)


def test_confident_images_are_counted_apart_from_the_others():
    softened = np.array([[0.95, 0.05], [0.65, 0.35], [0.45, 0.55]])
    counted = {each.least: each for each in count_confident(softened, np.array([0, 1, 1]))}
    assert (counted[0.6].sure, counted[0.6].sure_right) == (2, 1)
    assert (counted[0.6].unsure, counted[0.6].unsure_right) == (1, 1)
    assert counted[0.5].unsure == 0


def test_the_card_says_what_the_model_is_how_good_and_how_it_was_made_and_chosen(
    model: ChosenModel, dataset: Dataset
):
    card = render_card(model, make_trial(dataset), 640)
    assert f"**Test accuracy: {100 * model.reloaded_test_accuracy:.2f}% of 200 test images" in card
    assert "key 0123456789abcdef" in card
    assert "the test images too, so the accuracy above tends to be high (protocol lab)" in card
    assert "3 epochs on 640 images, seed 1" in card
    assert "Ankle boot" in card
    for file in FILES:
        assert f"| {file} |" in card
    assert "nan" not in card
    held = render_card(model, make_trial(dataset, 128), 640)
    assert "3 epochs on 512 images, seed 1" in held
    assert "the 128 held-out training images (protocol held-out)" in held


def test_recall_and_precision_are_of_each_class():
    rows = {name: cells for name, *cells in tabulate_classes(make_chosen_model())}
    assert rows["Shirt"][:2] == ["1,000", "76.50"]
    assert rows["Shirt"][2] == f"{100 * 765 / (106 + 2 + 65 + 22 + 62 + 765 + 3):.2f}"


COLOUR = ImageFacts(height=8, width=10, channels=3, class_names=("cat", "dog", "bird"))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras, of the input of an .h5 file
def test_a_model_for_other_images_scales_them_as_a_whole_and_carries_their_classes(tmp_path: Path):
    from tasks.engines.networks import build_network
    from tasks.model.build import build_exported_model, write_files

    core = build_network(SETTING.hyperparameters, COLOUR)
    model = build_exported_model(core, SETTING.hyperparameters, COLOUR)
    raw = np.random.default_rng(0).integers(2, 256, (5, 8, 10, 3)).astype(np.float32)
    raw[..., 2] = 1  # a dark channel of raw pixels looks like a scaled one
    expected = np.asarray(core(raw / np.float32(255)))
    assert np.array_equal(np.asarray(model(raw)), expected)
    assert np.array_equal(np.asarray(model(raw / np.float32(255))), expected)
    for file in islice(write_files(model, tmp_path, "pets", COLOUR), 2):
        loaded = load_model(file)
        assert (loaded.images, loaded.shape, loaded.scale) == (COLOUR, COLOUR.shape, InputScale.RAW)
        picture = tmp_path / "picture.png"
        assert cv2.imwrite(str(picture), raw[0][..., ::-1].astype(np.uint8))
        (found,) = Classifier(loaded, images=loaded.images).classify([picture])
        assert isinstance(found, Prediction)
        assert found.class_name == COLOUR.class_names[int(expected[0].argmax())]
        assert np.allclose(found.probabilities, expected[0], atol=1e-6)


def test_the_card_of_a_model_for_other_images_names_them():
    chosen = make_chosen_model().model_copy(
        update={
            "images": COLOUR,
            "confusion": ((1, 0, 0), (0, 2, 0), (1, 0, 3)),
            "files": ("pets.h5", "pets.keras"),
        }
    )
    card = render_card(chosen, changed(make_tables().trials[0], versions=None), 100, "pets")
    assert card.startswith("# Model card: a small convolutional network for pets")
    assert "a softmax over 3 classes, for\ncolour pictures of 8 x 10 pixels" in card
    assert "the probabilities of cat, dog, bird, in this order" in card
    assert 'load_model("pets.h5")' in card
    assert "reshape(1, 8, 10, 3)" in card
    assert "clothing" not in card


# The classes confused most often.

SHIRT, TOP, COAT, BAG = 6, 0, 4, 8


def _outputs(*said: tuple[int, float]) -> np.ndarray:
    """Probabilities of a class for each image, the rest spread over the others."""
    outputs = np.empty((len(said), 10))
    for row, (predicted, probability) in zip(outputs, said, strict=True):
        row[:] = (1 - probability) / 9
        row[predicted] = probability
    return outputs


def test_pairs_have_a_direction_and_come_by_their_number_of_images():
    labels = np.array([SHIRT, SHIRT, SHIRT, TOP, TOP, COAT, BAG])
    outputs = _outputs(
        (TOP, 0.6), (TOP, 0.9), (SHIRT, 0.8), (SHIRT, 0.7), (TOP, 0.9), (SHIRT, 0.5), (BAG, 0.9)
    )
    pairs = find_confused_pairs(labels, outputs)
    assert [(each.true_class, each.predicted_class, each.images, each.of) for each in pairs] == [
        ("Shirt", "T-shirt/top", 2, 3),
        ("T-shirt/top", "Shirt", 1, 2),
        ("Coat", "Shirt", 1, 1),
    ]
    assert pairs[0].examples == (1, 0)  # the more surely wrong first


def test_at_most_four_pairs_and_six_examples_are_kept_and_of_a_model_without_mistakes_none():
    labels = np.repeat(np.arange(10), 8)
    outputs = _outputs(*(((label + 1) % 10, 0.9) for label in labels))
    pairs = find_confused_pairs(labels, outputs)
    assert [each.true_class for each in pairs] == ["T-shirt/top", "Trouser", "Pullover", "Dress"]
    assert [each.examples for each in pairs[:2]] == [tuple(range(6)), tuple(range(8, 14))]
    assert all(each.images == 8 for each in pairs)
    right = _outputs(*((label, 0.9) for label in labels))
    assert find_confused_pairs(labels, right) == ()


def test_the_pairs_are_those_of_the_confusion_matrix():
    rng = np.random.default_rng(1)
    labels, outputs = rng.integers(0, 10, 500), rng.dirichlet(np.ones(10), 500)
    counts = np.array(count_confusion(labels, outputs.argmax(axis=1)))
    assert counts.sum() == 500
    np.fill_diagonal(counts, 0)
    assert [each.images for each in find_confused_pairs(labels, outputs)] == sorted(counts.ravel())[:-5:-1]
