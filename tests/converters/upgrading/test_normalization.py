"""BatchNormalization of the first versions, which added epsilon in other places: what NumPy computes."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from converters import plan_upgrade
from tests.support.upgrading import chain, layer, opened, write_model

chance = np.random.default_rng(5)
SIZE, EPSILON = 4, 0.1
"""So large an epsilon tells where it is added."""


def written(path, version, backend, **settings):
    """Write a model of one normalisation, and return its path and arrays."""
    entry = layer("BatchNormalization", epsilon=EPSILON, **{"mode": 0, "axis": -1} | settings)
    gamma, beta, mean = chance.normal(size=(3, SIZE)).astype("float32")
    spread = chance.uniform(0.1, 2, SIZE).astype("float32")
    spread[0] = 0
    names = ("gamma", "beta", "running_mean", "running_std")
    arrays = {f"layer_{name}": array for name, array in zip(names, (gamma, beta, mean, spread), strict=True)}
    write_model(path, chain(entry, shape=(SIZE,)), {"layer": arrays}, version=version)
    return path, {"keras_version": None, "backend": backend}, (gamma, beta, mean, spread)


def deviation(spread):
    """Return what was divided by where the file holds deviations."""
    return spread + EPSILON


def root(spread):
    """Return what was divided by where it holds variances, and epsilon was added to their roots."""
    return np.sqrt(spread) + EPSILON


def today(spread):
    """Return what is divided by today."""
    return np.sqrt(spread + EPSILON)


CASES = [
    ("1.0.0", "theano", deviation),
    ("1.0.5", "tensorflow", deviation),
    ("1.0.6", "theano", deviation),
    ("1.0.6", "tensorflow", today),
    ("1.0.7", "theano", root),
    ("1.0.7", "tensorflow", today),
    ("1.0.8", "theano", today),
]
"""A version, on what it ran, and what it divided by."""


@pytest.mark.parametrize(("version", "backend", "divisor"), CASES)
def test_what_is_divided_by_is_what_a_version_divided_by(version, backend, divisor, tmp_path):
    """Read back and compared as any recomputed array is; a deviation of zero, too."""
    path, said, (gamma, beta, mean, spread) = written(tmp_path / "old.h5", version, backend)
    x = chance.normal(size=(3, SIZE)).astype("float32")
    result = np.asarray(opened(path, tmp_path / "new.keras", **said, verify=True)(x))
    wanted = gamma * (x - mean) / divisor(spread) + beta
    assert np.abs(result - wanted).max() < 1e-5
    told = bool(plan_upgrade(path, **said).notes)
    assert told == (divisor is not today)


@pytest.mark.parametrize(("version", "inner"), [("1.0.4", 0), ("1.0.5", EPSILON), ("1.2.2", EPSILON)])
def test_by_sample(version, inner, tmp_path):
    """Epsilon is added to the deviation, and from 1.0.5 on to the variance, too."""
    path, said, (gamma, beta, _, _) = written(tmp_path / "old.h5", version, "theano", mode=1)
    x = chance.normal(size=(3, SIZE)).astype("float32")
    result = np.asarray(opened(path, tmp_path / "new.keras", **said)(x))
    spread = np.sqrt(x.var(-1, keepdims=True) + inner) + EPSILON
    assert np.abs(result - (gamma * (x - x.mean(-1, keepdims=True)) / spread + beta)).max() < 1e-5


@pytest.mark.parametrize(
    ("version", "backend", "inside", "outside"),
    [
        ("1.0.5", "tensorflow", EPSILON, EPSILON),
        ("1.0.6", "theano", EPSILON, EPSILON),
        ("1.0.7", "theano", 0, EPSILON),
        ("1.0.7", "tensorflow", EPSILON, 0),
        ("1.0.8", "theano", EPSILON, 0),
    ],
)
def test_by_the_batch_at_hand(version, backend, inside, outside, tmp_path):
    """Epsilon is added to the variance, to the deviation, or to both."""
    path, said, (gamma, beta, _, _) = written(tmp_path / "old.h5", version, backend, mode=2)
    x = chance.normal(size=(5, SIZE)).astype("float32")
    result = np.asarray(opened(path, tmp_path / "new.keras", **said)(x))
    wanted = gamma * (x - x.mean(0)) / (np.sqrt(x.var(0) + inside) + outside) + beta
    assert np.abs(result - wanted).max() < 1e-5


def test_arrays_of_eight_bytes_are_recomputed_as_such(tmp_path):
    """And of four bytes with more than their own precision."""
    path, said, arrays = written(tmp_path / "old.h5", "1.0.6", "theano")
    with h5py.File(path, "r+") as file:
        group = file["model_weights/layer"]
        for name in list(group):
            values = group[name][()].astype("float64")
            del group[name]
            group[name] = values
    x = chance.normal(size=(3, SIZE)).astype("float32")
    gamma, beta, mean, spread = arrays
    result = np.asarray(opened(path, tmp_path / "new.keras", **said)(x))
    assert np.abs(result - (gamma * (x - mean) / deviation(spread) + beta)).max() < 1e-5
