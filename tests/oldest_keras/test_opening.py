"""Every sample's new file, opened by the version of Keras that it is said to need.

Run by ``make test-oldest-keras``, once for each version that :mod:`converters.upgrading.today` and
:mod:`converters.upgrading.optimizers` name; not part of the ordinary run, which has today's Keras.
"""

from __future__ import annotations

import json

import h5py
import keras
import numpy as np
import pytest

from converters import plan_upgrade, upgrade_file
from converters.upgrading.optimizers import versions
from tests.support.upgrading import MODELS, chain, layer, source_of, worst, write_model

# What older versions say of newer versions of what they run on.
pytestmark = pytest.mark.filterwarnings("ignore")
INSTALLED = keras.__version__


def numbers(version):
    """Return a version as numbers."""
    return tuple(map(int, version.split(".")))


def test_the_version_is_one_that_is_named():
    """Another would tell nothing of what is printed."""
    assert numbers(INSTALLED) in versions()


@pytest.mark.parametrize("sample", MODELS)
def test_a_model_opens_from_the_version_on_that_it_needs(sample, tmp_path):
    """With what was recorded, within 1e-5 of the largest output; one that needs a later one is not opened."""
    if numbers(plan_upgrade(source_of(sample)).needs) <= numbers(INSTALLED):
        done = upgrade_file(source_of(sample), tmp_path / "new.keras", verify=False)
        assert worst(done.target, sample)[0] < 1e-5


POOL = {"border_mode": "same", "dim_ordering": "th", "strides": [1, 1]}
PLAIN = layer("MaxPooling2D", "plain", pool_size=[1, 1], **POOL)
OPERATIONS = {
    "LRN": layer("LRN", "other", alpha=0.1, k=1, beta=0.75, n=5),
    "MaxPooling2D": layer("MaxPooling2D", "other", pool_size=[2, 2], **POOL),
}
"""Layers that are composed with operations, of which no sample is."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_open_from_the_version_on_that_is_printed(name, tmp_path):
    """And not before: the number is no larger than it has to be."""
    config = chain(PLAIN, OPERATIONS[name], shape=(3, 5, 6))
    path = write_model(tmp_path / "old.h5", config, version="1.2.2")
    done = upgrade_file(path, tmp_path / "new.keras", backend="theano")
    if numbers(done.upgrade.needs) <= numbers(INSTALLED):
        assert keras.models.load_model(done.target).output_shape == (None, 3, 5, 6)
    else:
        with pytest.raises(TypeError):
            keras.models.load_model(done.target)


@pytest.mark.parametrize("name", ["Adam", "Nadam", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax"])
def test_a_state_is_read_by_the_version_that_is_printed(name, tmp_path):
    """Array for array: each slot is a number of its own."""
    config = chain(layer("Dense", units=2, activation="linear"), shape=(3,))
    arrays = {"layer": {"layer/kernel:0": np.ones((3, 2), "f4"), "layer/bias:0": np.ones(2, "f4")}}
    path = write_model(tmp_path / "old.h5", config, arrays)
    slots = 1 if name in ("SGD", "RMSprop", "Adagrad") else 2
    momentum = {"momentum": 0.5} if name == "SGD" else {}
    said = {"optimizer_config": {"class_name": name, "config": {"lr": 0.5, **momentum}}, "loss": "mse"}
    state = [np.int64(3)]
    state += [np.full(s, 10 * n + len(s), "f4") for n in range(slots) for s in ((3, 2), (2,))]
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = np.bytes_(json.dumps(said).encode())
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = [str(number).encode() for number in range(len(state))]
        for number, values in enumerate(state):
            group[str(number)] = values
    done = upgrade_file(path, tmp_path / "new.keras")
    if numbers(done.upgrade.needs) <= numbers(INSTALLED):
        optimizer = keras.models.load_model(done.target).optimizer
        assert int(np.asarray(optimizer.iterations)) == 3
        found = sorted(float(np.asarray(v).reshape(-1)[0]) for v in optimizer.variables if len(v.shape))
        assert found == sorted(float(values.reshape(-1)[0]) for values in state[1:])
