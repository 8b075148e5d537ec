"""The exported form of a trained network."""

import inspect
import json
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras

from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.spec import Hyperparameters
from tasks.data import PIXEL_MAXIMUM
from tasks.engines import make_optimizer
from tasks.model.export import IMAGE_FACTS

SHARPNESS = 1e6
"""Steepness of "above 1" from 0 to 1: raw pixels are whole numbers, and 2 is far beyond the slope."""

FORMATS = {
    ".h5": "Keras HDF5 (the lab's)",
    ".keras": "Keras",
    "": "TensorFlow SavedModel",
    ".tflite": "LiteRT (TensorFlow Lite)",
}
"""The format of each suffix; a SavedModel is a folder with a version folder, as TensorFlow Serving needs."""


def build_exported_model(
    core: keras.Model,
    hyperparameters: Hyperparameters,
    images: ImageFacts = FASHION_IMAGES,
    is_lab: bool = True,
) -> keras.Model:
    """The trained model behind its preprocessing, compiled: `evaluate` takes images and classes (n,).

    The lab's is a chain of layers; a network of one's own is a layer of it, whole.

    Input (n, height, width, channels), or (n, height, width) if grey, pixels 0..255 or scaled to 0..1; output
    (n, classes), their probabilities, equal bit for bit to those of `build_network` fed scaled pixels.
    """
    image = keras.Input(images.shape, name="image")
    outputs = _scale(image)
    for layer in core.layers if is_lab else [core]:
        outputs = layer(outputs)
    model = keras.Model(image, outputs, name="fashion_mnist" if images == FASHION_IMAGES else "images")
    model.compile(
        optimizer=make_optimizer(hyperparameters),
        loss="sparse_categorical_crossentropy",
        # Not "accuracy": Keras 2 takes that, in a loaded model, for the one of labels in ten columns.
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    model.optimizer.build(model.trainable_variables)  # Keras warns, when it loads a file, of those missing
    return model


def write_files(
    model: keras.Model, scratch: Path, name: str, images: ImageFacts = FASHION_IMAGES
) -> Iterator[Path]:
    """Write the model in each format of `FORMATS` to a folder on this machine; yield each path once written.

    Keras writes to no other, and not atomically. Older versions of Keras open the `.keras` and `.h5` files,
    too, and Keras 2 (up to TensorFlow 2.15) the `.h5` file: their descriptions are written again for these.
    The `.keras` and the `.h5` file carry the facts of other images than Fashion-MNIST's, `IMAGE_FACTS`.
    """
    carried = None if images == FASHION_IMAGES else images.model_dump_json()
    logging.getLogger("absl").setLevel(logging.ERROR)  # Keras calls .h5 legacy; the lab requires it
    modern, legacy, folder, lite = (
        scratch / f"{name}{suffix}" for suffix in (".keras", ".h5", "", ".tflite")
    )
    model.save(modern)
    description = _rewrite_keras(modern, carried)
    model.save(legacy, include_optimizer=False)
    _rewrite_h5(legacy, description, carried)
    yield legacy
    yield modern
    model.export(folder / "1", format="tf_saved_model", verbose=False)
    yield folder
    model.export(lite, format="litert", verbose=False)
    yield lite


def _scale(image: keras.KerasTensor) -> keras.KerasTensor:
    layers = keras.layers
    height, width, channels = image.shape[1:]
    # One brightest pixel an image, not one a channel: a dark channel of raw pixels is not a scaled one.
    flat = image if channels == 1 else layers.Reshape((height, width * channels, 1), name="flat")(image)
    brightest = layers.GlobalMaxPooling2D(keepdims=True, name="brightest")(flat)
    above = layers.Rescaling(SHARPNESS, -SHARPNESS, name="above_one")(brightest)
    is_raw = layers.ReLU(max_value=1.0, name="is_raw")(above)
    is_scaled = layers.Rescaling(-1.0, 1.0, name="is_scaled")(is_raw)
    divided = layers.Normalization(
        axis=None, mean=0.0, variance=PIXEL_MAXIMUM**2, name="divided_by_255"
    )(image)  # fmt: skip
    raw = layers.Multiply(name="raw")([divided, is_raw])
    scaled = layers.Multiply(name="scaled")([image, is_scaled])
    pixels: keras.KerasTensor = layers.Add(name="pixels")([raw, scaled])
    return pixels


Description = dict[str, Any]
"""A model or a part of it as Keras writes it: `{"class_name": …, "config": {argument: value}, …}`."""


def _rewrite_keras(file: Path, carried: str | None) -> Description:
    """Describe the model in a `.keras` file by what differs from Keras's defaults; return the description."""
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    description: Description = _without_defaults(json.loads(contents["config.json"]))
    for end in ("input_layers", "output_layers"):  # Keras up to 3.4 needs lists of them
        description["config"][end] = [description["config"][end]]
    contents["config.json"] = json.dumps(description).encode()
    if carried is not None:
        contents[f"{IMAGE_FACTS}.json"] = carried.encode()
    # The optimizer's momenta are zeros, as large as the model: compressed, they take no space.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return description


def _without_defaults(described: Any) -> Any:
    """Leave out arguments that have their default: Keras refuses those that a newer version has added."""
    if isinstance(described, list):
        return [_without_defaults(each) for each in described]
    if not isinstance(described, dict):
        return described
    if described.get("class_name") == "DTypePolicy":
        return described["config"]["name"]
    found = {name: _without_defaults(value) for name, value in described.items()}
    if "class_name" in found:
        defaults = _list_defaults(found["class_name"])
        found["config"] = {
            name: value
            for name, value in found["config"].items()
            if not (name in defaults and _is_default(value, defaults[name]))
        }
    return found


def _is_default(value: Any, default: Any) -> bool:
    return value == default or (default is None and value is False)


def _list_defaults(class_name: str) -> dict[str, Any]:
    """Map the arguments of a class of Keras, and of its bases, to their defaults."""
    rooms = (keras.layers, keras.initializers, keras.optimizers, keras.metrics)
    classes = [base for room in rooms for base in getattr(getattr(room, class_name, None), "__mro__", ())]
    arguments = [each for base in classes for each in inspect.signature(base.__init__).parameters.values()]
    return {each.name: each.default for each in reversed(arguments)}


def _rewrite_h5(file: Path, description: Description, carried: str | None) -> None:
    """Describe the model in an `.h5` file as Keras 2 did, which Keras 3 reads as well."""
    layers = [_describe_for_keras_2(each) for each in description["config"]["layers"]]
    model = {"class_name": "Functional", "config": {**description["config"], "layers": layers}}
    compiled = dict(description["compile_config"])
    training = {"optimizer_config": compiled.pop("optimizer"), **compiled}
    with h5py.File(file, "r+") as opened:
        opened.attrs["model_config"] = json.dumps(model)
        opened.attrs["training_config"] = json.dumps(training)
        if carried is not None:
            opened.attrs[IMAGE_FACTS] = carried


def _describe_for_keras_2(layer: Description) -> Description:
    config = dict(layer["config"])
    if "batch_shape" in config:
        config["batch_input_shape"] = config.pop("batch_shape")
    inputs = [_list_inputs(each) for each in layer["inbound_nodes"]]
    named = {name: layer[name] for name in ("class_name", "name")}
    return {**named, "config": config, "inbound_nodes": inputs}


def _list_inputs(node: Description) -> list[list[Any]]:
    """List layer, node, tensor and keywords of each input of a call."""
    (inputs,) = node["args"]
    return [
        [*each["config"]["keras_history"], node["kwargs"]]
        for each in (inputs if isinstance(inputs, list) else [inputs])
    ]
