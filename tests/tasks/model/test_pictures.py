"""Prediction on a person's own pictures: reading, preparing, loading the model, classifying."""

import os
import re
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from study.errors import InputError
from study.fashion_mnist import CLASS_NAMES
from tasks.data.dataset import load_dataset, scale_pixels
from tasks.model.classify import Classifier, Unreadable, load_model
from tasks.model.pictures import prepare_image, read_image

# Keras 3.15 itself calls np.array on a TensorFlow variable, which NumPy 2 deprecates, when it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def classify(model, paths):
    return Classifier(model).classify(paths)


def write_image(path, image, *options):
    assert cv2.imwrite(str(path), image, *options)
    return path


def make_garment(height=28, width=28, background=0, garment=200):
    image = np.full((height, width), background, dtype=np.uint8)
    image[height // 4 : -(height // 4), width // 4 : -(width // 4)] = garment
    return image


def save_model(path, outputs=10, input_shape=(28, 28, 1), activation="softmax"):
    import keras

    layers = [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(outputs, activation)]
    model = keras.Sequential(layers)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.save(path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(save_model(tmp_path_factory.mktemp("models") / "model.keras"))


@pytest.fixture(scope="module")
def real_images():
    images, _ = load_dataset().test()
    return images


# Scaling: the one place of the normalisation.


def test_scaling_divides_by_255_in_single_precision_and_keeps_the_shape():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    scaled = scale_pixels(levels)
    assert scaled.dtype == np.float32
    assert scaled.shape == levels.shape
    assert np.array_equal(scaled, levels / np.float32(255))
    assert (scaled.min(), scaled.max()) == (0, 1)


# Reading.


def test_grey_and_colour_pictures_are_read_as_they_are(tmp_path):
    grey = make_garment(30, 20)
    colour = np.dstack([grey, grey // 2, grey // 3])
    assert np.array_equal(read_image(write_image(tmp_path / "grey.png", grey)), grey)
    assert np.array_equal(read_image(write_image(tmp_path / "colour.png", colour)), colour)


def test_a_picture_of_one_pixel_can_be_read_and_prepared(tmp_path):
    path = write_image(tmp_path / "dot.png", np.full((1, 1), 255, dtype=np.uint8))
    prepared = prepare_image(read_image(path))
    assert prepared.inverted
    assert prepared.pixels.shape == (28, 28, 1)
    assert not prepared.pixels.any()


def test_16_bit_pixels_are_scaled_to_8_bit(tmp_path):
    path = write_image(tmp_path / "deep.png", np.array([[0, 257, 65535]], dtype=np.uint16))
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.tolist() == [[0, 1, 255]]


def test_floating_point_pixels_are_clipped_to_0_1_and_scaled_to_8_bit(tmp_path):
    path = write_image(tmp_path / "light.tiff", np.array([[-1, 0.2, 1, 7, np.nan]], dtype=np.float32))
    assert read_image(path).tolist() == [[0, 51, 255, 255, 0]]


def test_32_bit_integer_pixels_are_refused(tmp_path):
    path = write_image(tmp_path / "wide.tiff", np.zeros((4, 4), dtype=np.int32))
    with pytest.raises(InputError, match=r"wide.tiff: the pixels are int32; 8-bit, 16-bit and float images"):
        read_image(path)


@pytest.mark.parametrize(("garment", "background"), [(0, 255), (90, 255), (160, 0), (255, 0)])
def test_a_cut_out_garment_is_laid_on_the_background_it_stands_out_from(tmp_path, garment, background):
    cut_out = np.full((20, 20, 4), garment, dtype=np.uint8)
    cut_out[..., 3] = make_garment(20, 20, background=0, garment=255)
    image = read_image(write_image(tmp_path / "cut-out.png", cut_out))
    assert image.shape == (20, 20, 3)
    assert (image[0, 0] == background).all()
    assert (image[10, 10] == garment).all()


def test_half_transparent_pixels_are_mixed_with_the_background(tmp_path):
    path = write_image(tmp_path / "half.png", np.array([[[0, 0, 0, 255], [0, 0, 0, 51]]], dtype=np.uint8))
    assert read_image(path)[0, :, 0].tolist() == [0, 204]


def test_a_fully_transparent_picture_is_white(tmp_path):
    path = write_image(tmp_path / "nothing.png", np.zeros((3, 3, 4), dtype=np.uint8))
    assert (read_image(path) == 255).all()


def test_16_bit_transparency_is_read_like_8_bit(tmp_path):
    deep = np.array([[[65535, 65535, 65535, 65535], [0, 0, 0, 0]]], dtype=np.uint16)
    image = read_image(write_image(tmp_path / "deep-alpha.png", deep))
    assert image[0, :, 0].tolist() == [255, 0]


def test_a_photograph_is_turned_as_its_orientation_tag_says(tmp_path):
    path = write_image(tmp_path / "photo.jpg", np.zeros((16, 32), dtype=np.uint8))
    tag = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    plain = path.read_bytes()
    path.write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(tag) + 2) + tag + plain[2:])
    assert read_image(path).shape == (32, 16)


def test_a_file_name_beyond_ascii_is_read(tmp_path):
    assert read_image(write_image(tmp_path / "blåbær été 靴.png", make_garment())).shape == (28, 28)


def test_a_missing_file_is_named(tmp_path):
    expected = f"^{re.escape(str(tmp_path / 'gone.png'))}: no such file; give an image file$"
    with pytest.raises(InputError, match=expected):
        read_image(tmp_path / "gone.png")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r": this is a folder; give an image file$"):
        read_image(tmp_path)


def test_an_impossible_file_name_is_refused(tmp_path):
    with pytest.raises(InputError, match=r": cannot be read \(File name too long\); give an image file$"):
        read_image(tmp_path / ("x" * 300))


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match=r"empty.png: the file is empty; give an image file$"):
        read_image(tmp_path / "empty.png")


def test_a_file_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "notes.png").write_text("not pixels")
    with pytest.raises(
        InputError, match=r"notes.png: not an image that OpenCV can read, or a damaged one; give a"
    ):
        read_image(tmp_path / "notes.png")


def test_a_picture_cut_off_half_way_is_refused(tmp_path):
    noise = np.random.default_rng(3).integers(0, 256, (64, 64), dtype=np.uint8)
    path = write_image(tmp_path / "half.png", noise)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"half.png: not an image that OpenCV can read, or a damaged one"):
        read_image(path)


@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_cut_short_is_refused(tmp_path, progressive):
    noise = np.random.default_rng(1).integers(0, 255, (200, 200), np.uint8)
    path = write_image(tmp_path / "half.jpg", noise, [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputError, match=r"half.jpg: not an image that OpenCV can read, or a damaged one"):
        read_image(path)


def test_a_picture_over_opencvs_pixel_limit_is_refused(tmp_path):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0))
    path = tmp_path / "huge.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    )
    with pytest.raises(
        InputError, match=r"huge.png: OpenCV refuses this image \(.+\); give a smaller PNG or JPEG file$"
    ):
        read_image(path)


# Preparing.


def test_a_training_image_passes_through_unchanged():
    image = make_garment()
    prepared = prepare_image(image)
    assert not prepared.inverted
    assert prepared.pixels.dtype == np.float32
    assert np.array_equal(prepared.pixels[..., 0], scale_pixels(image))


def test_a_training_image_saved_in_colour_passes_through_unchanged():
    image = np.arange(784, dtype=np.uint8).reshape(28, 28)
    image[:2] = image[-2:] = 0
    prepared = prepare_image(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    assert np.array_equal(prepared.pixels[..., 0], scale_pixels(image))


def test_a_picture_on_white_is_inverted():
    prepared = prepare_image(255 - make_garment())
    assert prepared.inverted
    assert np.array_equal(prepared.pixels[..., 0], scale_pixels(make_garment()))


@pytest.mark.parametrize(("level", "inverted"), [(127, False), (128, True)])
def test_a_background_above_middle_grey_counts_as_light(level, inverted):
    assert prepare_image(make_garment(60, 60, background=level)).inverted is inverted


def test_no_real_test_image_is_taken_for_one_on_a_light_background(real_images):
    assert len(real_images) == 10_000
    assert sum(prepare_image(image).inverted for image in real_images) == 0


def test_every_real_test_image_in_negative_is_inverted_back_bit_for_bit(real_images):
    for image in real_images[:1000]:
        assert np.array_equal(prepare_image(255 - image).pixels[..., 0], scale_pixels(image))


def test_a_garment_that_touches_every_edge_of_a_white_page_is_still_inverted():
    page = np.full((140, 140), 255, dtype=np.uint8)
    page[12:-12], page[:, 12:-12] = 0, 0
    assert prepare_image(page).inverted


@pytest.mark.parametrize("shape", [(280, 140), (20, 10)], ids=["shrunk", "enlarged"])
def test_a_tall_picture_keeps_its_proportions_and_is_centred(shape):
    pixels = prepare_image(make_garment(*shape)).pixels[..., 0]
    garment = pixels > 0.4
    assert np.ptp(np.flatnonzero(garment.any(axis=1))) + 1 == 28, "what is plain above and below is trimmed"
    assert np.ptp(np.flatnonzero(garment.any(axis=0))) + 1 == pytest.approx(15.5, abs=2)
    assert not pixels[:, :5].any()
    assert not pixels[:, 23:].any()


def test_a_wide_picture_is_padded_with_its_own_background():
    prepared = prepare_image(make_garment(40, 80, background=235, garment=10))
    assert np.array_equal(prepared.pixels[[0, -1]], np.full((2, 28, 1), np.float32(20) / np.float32(255)))


@pytest.mark.parametrize("place", [(0, 0), (300, 40), (90, 500)])
def test_where_a_garment_lies_on_a_plain_page_and_how_small_it_is_does_not_matter(place):
    garment = np.full((224, 224), 60, np.uint8)
    garment[:112, :70] = garment[:112, -70:] = 255  # narrow above, wide below
    page = np.full((700, 800), 255, np.uint8)
    page[place[0] : place[0] + 224, place[1] : place[1] + 224] = garment
    alone, placed = (prepare_image(each).pixels for each in (garment, page))
    assert np.abs(alone - placed).mean() < 0.04
    assert placed[14:, :, 0].mean() > 0.7


def test_specks_do_not_count_as_the_garment():
    page = np.full((560, 560), 255, np.uint8)
    page[200:400, 200:400] = 60
    speckled = page.copy()
    speckled[10, 10] = speckled[550, 20] = 0
    assert np.array_equal(prepare_image(page).pixels, prepare_image(speckled).pixels)


def test_a_picture_that_is_nothing_but_background_is_left_whole():
    assert not prepare_image(np.full((300, 200), 255, np.uint8)).pixels.any()


@pytest.mark.parametrize("shape", [(1, 300_000), (300_000, 1), (1, 2), (27, 29)])
def test_a_picture_of_any_shape_becomes_28_by_28(shape):
    prepared = prepare_image(np.full(shape, 40, dtype=np.uint8))
    assert np.array_equal(prepared.pixels, np.full((28, 28, 1), np.float32(40) / np.float32(255)))


# Loading the model.


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_model_gives_the_same_probabilities_after_loading(tmp_path, name):
    model = load_model(save_model(tmp_path / name))
    picture = write_image(tmp_path / "boot.png", make_garment())
    assert classify(model, [picture]) == classify(load_model(tmp_path / name), [picture])
    assert not model.compiled


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"gone.keras: no such file; give a .keras or .h5 file, such as a run exports$"
    ):
        load_model(tmp_path / "gone.keras")


@pytest.mark.parametrize("name", ["notes.keras", "notes.h5", "notes.txt"])
def test_a_file_that_is_no_model_is_refused(tmp_path, name):
    (tmp_path / name).write_text("no weights")
    with pytest.raises(InputError, match=f"{name}: not a Keras model; give a .keras or .h5 file"):
        load_model(tmp_path / name)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_model_cut_off_half_way_is_refused(tmp_path, name):
    path = save_model(tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=f"{name}: Keras cannot load this model: "):
        load_model(path)


def test_a_model_that_carries_code_is_refused(tmp_path):
    import keras

    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Lambda(lambda x: x[:, :10])]
    keras.Sequential(layers).save(tmp_path / "code.keras")
    with pytest.raises(InputError, match=r"code.keras: Keras cannot load this model: .*`Lambda` layer"):
        load_model(tmp_path / "code.keras")


def test_a_model_for_other_images_is_refused(tmp_path):
    path = save_model(tmp_path / "colour.keras", input_shape=(32, 32, 3))
    expected = r"takes input of shape \(None, 32, 32, 3\); \(None, 28, 28, 1\) is needed$"
    with pytest.raises(InputError, match=expected):
        load_model(path)


def test_a_model_of_other_classes_is_refused(tmp_path):
    path = save_model(tmp_path / "three.keras", outputs=3)
    with pytest.raises(InputError, match=r"gives output of shape \(None, 3\); \(None, 10\) is needed$"):
        load_model(path)


# Classifying.


def test_pictures_are_classified_in_the_order_given(tmp_path, model, real_images):
    images = real_images[:5]
    paths = [write_image(tmp_path / f"{place}.png", image) for place, image in enumerate(images)]
    paths.append(write_image(tmp_path / "negative.png", 255 - images[0]))
    predictions = classify(model, paths)
    expected = np.asarray(model(scale_pixels(images)[..., np.newaxis], training=False))
    assert [prediction.path for prediction in predictions] == paths
    assert np.allclose([prediction.probabilities for prediction in predictions[:5]], expected, atol=1e-6)
    assert [prediction.class_index for prediction in predictions[:5]] == expected.argmax(axis=1).tolist()
    assert all(prediction.class_name == CLASS_NAMES[prediction.class_index] for prediction in predictions)
    assert [prediction.inverted for prediction in predictions] == [False] * 5 + [True]
    assert predictions[5].probabilities == pytest.approx(predictions[0].probabilities, abs=1e-6)


def test_no_pictures_give_no_predictions(model):
    assert classify(model, []) == []


def test_one_bad_picture_among_good_ones_is_named_and_the_others_are_classified(tmp_path, model):
    good = write_image(tmp_path / "good.png", make_garment())
    first, bad, last = classify(model, [good, tmp_path / "bad.png", good])
    assert bad == Unreadable(
        tmp_path / "bad.png", f"{tmp_path / 'bad.png'}: no such file; give an image file"
    )
    assert first == last
    assert first.probabilities == pytest.approx(classify(model, [good])[0].probabilities, abs=1e-6)


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_a_model_without_softmax_is_refused(tmp_path, activation):
    model = load_model(save_model(tmp_path / "scores.keras", activation=activation))
    picture = write_image(tmp_path / "boot.png", make_garment())
    with pytest.raises(InputError, match=r"these are not probabilities; its last layer must be a softmax$"):
        classify(model, [picture])


def test_reading_pictures_does_not_import_tensorflow():
    code = "import sys, tasks.model.pictures; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0
