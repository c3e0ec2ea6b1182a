"""Products of two values, sample by sample: what NumPy computes."""

from __future__ import annotations

import numpy as np
import pytest

from converters import plan_upgrade
from tests.support.upgrading import functional, layer, opened, write_model

chance = np.random.default_rng(3)
LETTERS = "bcdef"


def product(a, b, axes):
    """Return the sum over one axis of each."""
    first = list(LETTERS[: a.ndim])
    second = ["b", *"xyz"[: b.ndim - 1]]
    second[axes[1]] = first[axes[0]]
    left = [letter for place, letter in enumerate(first) if place != axes[0]]
    right = [letter for place, letter in enumerate(second) if place not in (0, axes[1])]
    found = np.einsum(f"{''.join(first)},{''.join(second)}->{''.join([*left, *right])}", a, b)
    return found if found.ndim > 1 else found[:, None]


def unit(x, axis, floor=0.0):
    """Return vectors divided by their lengths."""
    return x / np.sqrt(np.maximum((x**2).sum(axis, keepdims=True), floor))


def joined(path, entry, shapes, version="2.2.4", backend="tensorflow"):
    """Write a model that joins values."""
    names = "ab"[: len(shapes)]
    inputs = [
        [layer("InputLayer", name, batch_input_shape=[None, *shape])]
        for name, shape in zip(names, shapes, strict=True)
    ]
    config = functional([*inputs, [entry, list(names)]], names, ["layer"])
    return write_model(path, config, version=version, backend=backend)


V, W, S, T = (4,), (4,), (3, 4), (5, 4)
PAIRS = [
    (V, W, 1, (1, 1)),
    (V, W, -1, (1, 1)),
    (S, T, 2, (2, 2)),
    (S, T, [2, -1], (2, 2)),
    (S, (4, 5), [2, 1], (2, 1)),
    ((4, 3), (4, 5), 1, (1, 1)),
    (V, T, [1, 2], (1, 2)),
    (S, W, [2, 1], (2, 1)),
]
"""The shapes of both, the axes that are said, and those that are meant."""


@pytest.mark.parametrize(("class_name", "version"), [("Dot", "2.2.4"), ("Merge", "1.2.2")])
@pytest.mark.parametrize(("first", "second", "said", "axes"), PAIRS)
def test_a_product_is_summed_along_one_axis_of_each(  # noqa: PLR0917
    first, second, said, axes, class_name, version, tmp_path
):
    """As a layer of its own, and as a mode of a merge."""
    settings = (
        {"axes": said, "normalize": False} if class_name == "Dot" else {"mode": "dot", "dot_axes": said}
    )
    path = joined(tmp_path / "old.h5", layer(class_name, **settings), (first, second), version)
    a, b = (chance.normal(size=(2, *shape)).astype("float32") for shape in (first, second))
    result = np.asarray(opened(path, tmp_path / "new.keras")([a, b]))
    wanted = product(a, b, axes)
    assert result.shape == wanted.shape
    assert np.abs(result - wanted).max() < 1e-5


@pytest.mark.parametrize(
    ("version", "backend", "floor"),
    [("2.2.4", "tensorflow", 1e-12), ("2.2.4", "theano", 1e-7), ("2.0.5", "theano", 1e-12)],
)
def test_lengths_are_no_less_than_a_version_took_for_zero(version, backend, floor, tmp_path):
    """Short vectors tell which."""
    entry = layer("Dot", axes=[2, 1], normalize=True)
    path = joined(tmp_path / "old.h5", entry, (S, (4, 5)), version, backend)
    a, b = chance.normal(size=(2, 3, 4)).astype("float32"), chance.normal(size=(2, 4, 5)).astype("float32")
    a[0, 0] *= 1e-4
    a[1, 1] *= 1e-7
    a[1, 2] = 0
    result = np.asarray(opened(path, tmp_path / "new.keras")([a, b]))
    assert np.abs(result - product(unit(a, 2, floor), unit(b, 1, floor), (2, 1))).max() < 1e-5


@pytest.mark.parametrize("backend", ["theano", "tensorflow"])
def test_the_cosine_of_two_vectors(backend, tmp_path):
    """A merge gave it an axis more; of vectors without length it is zero."""
    entry = layer("Merge", mode="cos", dot_axes=-1)
    path = joined(tmp_path / "old.h5", entry, (V, W), "1.2.2", backend)
    a, b = chance.normal(size=(2, 3, 4)).astype("float32")
    a[1] = 0
    wanted = (a * b).sum(1) / np.maximum(np.sqrt((a * a).sum(1) * (b * b).sum(1)), 1e-7)
    result = np.asarray(opened(path, tmp_path / "new.keras")([a, b]))
    assert np.abs(result - wanted[:, None, None]).max() < 1e-6


REFUSED = [
    (layer("Dot", axes=3), ((2, 3, 4), (2, 3, 4)), "2.2.4", "it multiplies what is no vector and no matrix"),
    (layer("Dot", axes=0), (V, W), "2.2.4", "its axes [0, 0] are none of the values'"),
    (layer("Dot", axes=2), (V, T), "2.2.4", "its axes [2, 2] are none of the values'"),
    (layer("Dot", axes=1), (V, (3,)), "2.2.4", "the axes [1, 1] that it sums along are of several sizes"),
    (layer("Dot", axes=[1, 2, 3]), (V, W), "2.2.4", "2 values feed it, and it sums along a list of 3"),
    (layer("Dot", axes=1), (V,), "2.2.4", "1 values feed it, and it sums along 1"),
    (layer("Dot", axes=1, normalize=True), (V, W), "2.0.7",
     "which lengths this version took for zero is not known"),
    (layer("Merge", mode="cos", dot_axes=[2, 2]), (S, T), "1.2.2", "it compares what is no vector"),
    (layer("Merge", mode="dot", dot_axes=-1), (V, W), "1.0.7",
     "which axes are meant by negative ones is not known in this version"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "shapes", "version", "why"), REFUSED)
def test_other_products_are_refused(entry, shapes, version, why, tmp_path):
    """By axes and version."""
    (refusal,) = plan_upgrade(joined(tmp_path / "old.h5", entry, shapes, version, "theano")).refusals
    assert refusal.why == why


def test_values_with_maps_are_multiplied_as_they_stood(tmp_path):
    """Those that were channels first, and were turned, too."""
    nodes = [
        [layer("InputLayer", "a", batch_input_shape=[None, 2, 3, 4])],
        [layer("ZeroPadding2D", "pad", padding=[0, 0], data_format="channels_first"), ["a"]],
        [layer("Reshape", "flat", target_shape=[6, 4]), ["pad"]],
        [layer("Dot", "dot", axes=[2, 2], normalize=False), ["flat", "flat"]],
    ]
    path = write_model(tmp_path / "old.h5", functional(nodes, ["a"], ["dot"]))
    x = chance.normal(size=(2, 2, 3, 4)).astype("float32")
    rows = x.reshape(2, 6, 4)
    result = np.asarray(opened(path, tmp_path / "new.keras")(x))
    assert np.abs(result - np.einsum("bic,bjc->bij", rows, rows)).max() < 1e-5
