"""One step of training in NumPy and float64: slow and plain, to check the native engine."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from storage.trainings import Arrays
from study.fashion_mnist import IMAGE_SIDE
from study.spec import Hyperparameters
from tasks.data import PIXEL_MAXIMUM


def train_step(
    hyperparameters: Hyperparameters,
    weights: Arrays,
    momenta: Arrays,
    pixels: np.ndarray,
    labels: np.ndarray,
    mask: np.ndarray | None = None,
) -> float:
    """Train on one batch, changing weights and momenta; return the sum of its losses.

    Weights and momenta are six arrays of float64, as `draw_initial_weights` has them; pixels (n, 28, 28)
    uint8, labels (n,). The mask has the factors (n, units) of the pooled and flattened image: dropout's; None
    for none.
    """
    kernels, biases, dense, dense_biases, output, output_biases = weights
    kernel, count = hyperparameters.kernel_size, len(pixels)
    windows = _pool_windows(pixels / float(PIXEL_MAXIMUM), kernel)
    convolved = np.tensordot(windows, kernels[:, :, 0], 2)  # (n, rows, columns, 4, filters)
    winner = convolved.argmax(axis=3)  # the first of equal ones
    pooled = np.take_along_axis(convolved, winner[:, :, :, None], axis=3)[:, :, :, 0] + biases
    factors = 1.0 if mask is None else mask
    flattened = np.maximum(pooled, 0).reshape(count, -1) * factors
    hidden = np.maximum(flattened @ dense + dense_biases, 0)
    logits = hidden @ output + output_biases
    logits -= logits.max(axis=1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    at_logits = (np.exp(logs) - np.eye(logits.shape[1])[labels]) / count
    at_hidden = (at_logits @ output.T) * (hidden > 0)
    at_pooled = ((at_hidden @ dense.T) * factors).reshape(pooled.shape) * (pooled > 0)
    of_winner = np.eye(4)[winner]  # (n, rows, columns, filters, four)
    at_convolved = np.swapaxes(at_pooled[..., None] * of_winner, 3, 4)
    gradients = [
        np.tensordot(windows, at_convolved, ((0, 1, 2, 3), (0, 1, 2, 3)))[:, :, None],
        at_pooled.sum(axis=(0, 1, 2)),
        flattened.T @ at_hidden,
        at_hidden.sum(axis=0),
        hidden.T @ at_logits,
        at_logits.sum(axis=0),
    ]
    for weight, momentum, gradient in zip(weights, momenta, gradients, strict=True):
        momentum *= hyperparameters.momentum
        momentum -= hyperparameters.learning_rate * gradient
        weight += momentum
    return float(-logs[np.arange(count), labels].sum())


def drop_mask(
    hyperparameters: Hyperparameters, step: int, count: int, keys: tuple[int, int]
) -> np.ndarray | None:
    """Return dropout's factors (count, units) in a step (from 0) of the native engine; None without dropout.

    Each half of a word decides about one unit: Murmur3's finalizer (Appleby, public domain) of a counter,
    with a second key between its two products.
    """
    h = hyperparameters
    if not h.dropout:
        return None
    side = (IMAGE_SIDE - h.kernel_size + 1) // 2
    in_row = np.arange(h.filters * side)
    pairs_in_row = (h.filters * side + 1) // 2
    pair = (step * side + np.arange(side)[:, None]) * pairs_in_row + in_row // 2
    words = _hash(pair * h.batch_size + np.arange(count)[:, None, None], keys)
    halves = np.where(in_row % 2 == 0, words & 0xFFFF, words >> 16)
    kept = (halves >= round(h.dropout * 65536)).reshape(count, side, h.filters, side)
    return kept.transpose(0, 1, 3, 2).reshape(count, -1) / (1.0 - h.dropout)


def _hash(counters: np.ndarray, keys: tuple[int, int]) -> np.ndarray:
    words: np.ndarray = counters.astype(np.uint32) * np.uint32(0x9E3779B9) + np.uint32(keys[0])
    words = (words ^ (words >> np.uint32(16))) * np.uint32(0x85EBCA6B) ^ np.uint32(keys[1])
    words = (words ^ (words >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    mixed: np.ndarray = words ^ (words >> np.uint32(16))
    return mixed


def _pool_windows(images: np.ndarray, kernel: int) -> np.ndarray:
    """List the kernel's windows at the four positions of each pooled number: (n, rows, columns, 4, k, k)."""
    windows = sliding_window_view(images, (kernel, kernel), axis=(1, 2))
    side = windows.shape[1] // 2
    windows = windows[:, : 2 * side, : 2 * side].reshape(len(images), side, 2, side, 2, kernel, kernel)
    return windows.transpose(0, 1, 3, 2, 4, 5, 6).reshape(len(images), side, side, 4, kernel, kernel)
