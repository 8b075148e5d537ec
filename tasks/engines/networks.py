"""Networks built with Keras: the lab's, a function of its input and hyperparameters, or one of one's own."""

import importlib
import importlib.util
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from study.errors import InputError
from study.fashion_mnist import FASHION_IMAGES
from study.image_facts import ImageFacts
from study.records import NetworkSize
from study.spec import LAB_PARAMETERS, Hyperparameters, NetworkFile, hash_sources, list_sources
from study.wording import shortened


def build_lab_network(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    filters: int = 32,
    kernel_size: int = 3,
    dense_units: int = 16,
    dropout: float = 0.0,
) -> keras.Model:
    """Build the network of the published protocol: one convolution, pooling, one hidden dense layer.

    Input (n, *input_shape) float32 in 0..1; output (n, classes) class probabilities.
    """
    he = {"activation": "relu", "kernel_initializer": "he_uniform"}
    layers = [
        keras.Input(input_shape),
        keras.layers.Conv2D(filters, kernel_size, **he),
        keras.layers.MaxPooling2D(2),
        *([keras.layers.Dropout(dropout)] if dropout > 0 else []),
        keras.layers.Flatten(),
        keras.layers.Dense(dense_units, **he),
        keras.layers.Dense(classes, activation="softmax"),
    ]
    return keras.Sequential(layers)


def build_network(
    hyperparameters: Hyperparameters, images: ImageFacts = FASHION_IMAGES, network: NetworkFile | None = None
) -> keras.Model:
    """Build the network of these hyperparameters for such images; its own initial weights are unseeded.

    Raises:
        InputError: a network of one's own has changed, or its function fails or makes no such network.
    """
    values: dict[str, Any] = dict(hyperparameters.values)
    if network is None:
        lab = {name: values[name] for name in LAB_PARAMETERS}
        return build_lab_network(images.shape, images.classes, **lab)
    taken = {name: values[name] for name in _load(network).__kwdefaults__ or {}}
    try:
        with _importing_from(network):
            model = _load(network)(images.shape, images.classes, **taken)
            return _checked(model, images)
    except Exception as error:
        arguments = ", ".join(f"{name}={value!r}" for name, value in taken.items())
        reason = shortened(f"{type(error).__name__}: {error}", 300)
        raise InputError(f"{network.name}, called with {arguments}: {reason}") from error


def count_size(model: keras.Model) -> NetworkSize:
    """Count a network's weights, its multiply-adds and the numbers that its layers put out, for one image.

    A kernel is used at each place of its layer's output: of a convolution each pixel, of a dense layer one.
    """
    layers = [each for each in _walk(model) if not getattr(each, "layers", None)]
    outputs = {id(each): _places(each) for each in layers}
    return NetworkSize(
        parameters=model.count_params(),
        multiply_adds=sum(
            math.prod(weight.shape) * places
            for each in layers
            for weight in each.weights
            if len(weight.shape) > 1
            for places, _ in [outputs[id(each)]]
        ),
        activations=sum(numbers for _, numbers in outputs.values()),
    )


def _walk(layer: Any) -> Iterator[Any]:
    yield layer
    for each in getattr(layer, "layers", ()):
        yield from _walk(each)


def _places(layer: Any) -> tuple[int, int]:
    """Return the places and the numbers of a layer's output; none for one that is called differently."""
    try:
        shape = [each or 1 for each in layer.output.shape[1:]]
    except (AttributeError, ValueError):  # used several times, or with several outputs
        return 1, 0
    return math.prod(shape[:-1]), math.prod(shape)


def _checked(model: Any, images: ImageFacts) -> keras.Model:
    """Return the model if it makes class probabilities of such images.

    Raises:
        TypeError, ValueError: it does not.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"it returned {type(model).__name__}, not a keras.Model")
    wanted, found = (None, images.classes), tuple(model.output_shape)
    if found != wanted:
        raise ValueError(f"its output has the shape {found}; needed is {wanted}")
    outputs = np.asarray(model(np.full((1, *images.shape), 0.5, np.float32), training=False))
    if outputs.min() < 0 or not np.allclose(outputs.sum(), 1, atol=1e-3):
        raise ValueError("its outputs are no probabilities; end with activation='softmax'")
    return model


@cache
def _load(network: NetworkFile) -> Callable[..., Any]:
    """Import the function, once a process.

    Raises:
        InputError: the study that names it is not at hand, or its text differs from what was planned.
    """
    path = Path(network.path)
    if not network.path:
        raise InputError(f"{network.name} is code beside a study; results hold its hash only: name the study")
    if not path.is_file():
        raise InputError(
            f"{network.name}: there is no file {path} on this machine; every lane needs it there"
        )
    if (found := hash_sources(path)) != network.sha256:
        raise InputError(
            f"{network.name}: {path}, with what it imports, has the SHA-256 {found[:12]}, expected is "
            f"{network.sha256[:12]}; run the study again"
        )
    try:
        with _importing_from(network):
            spec = importlib.util.spec_from_file_location(f"_network_{network.sha256}", path)
            if spec is None or spec.loader is None:
                raise ImportError(f"{path} cannot be imported")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return getattr(module, network.function)  # type: ignore[no-any-return]
    except InputError:
        raise
    except Exception as error:
        reason = shortened(f"{type(error).__name__}: {error}", 300)
        raise InputError(f"{network.name}: {path} cannot be imported: {reason}") from error


@contextmanager
def _importing_from(network: NetworkFile) -> Iterator[None]:
    """Let imports find the folder of the file inside the block; forget its modules, which may change.

    Raises:
        InputError: a module of the folder was imported that the hash does not cover.
    """
    folder, before = Path(network.path).parent, set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        new = {name: getattr(sys.modules[name], "__file__", None) for name in set(sys.modules) - before}
        own = {name: Path(file) for name, file in new.items() if file and _is_own(Path(file), folder)}
        for name in own:
            del sys.modules[name]
    hidden = sorted(set(own.values()) - set(list_sources(Path(network.path))))
    if hidden:
        raise InputError(
            f"{network.name} imports {hidden[0]}, which no import statement of {network.file} names; name it"
        )


def _is_own(file: Path, folder: Path) -> bool:
    return file.is_relative_to(folder) and "site-packages" not in file.parts
