"""More than one device: two logical processors in a process of their own, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import zoo.finetuning.devices
from zoo.errors import ArgumentError

TRAIN = """
import json, sys
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
import zoo
from zoo.finetuning import devices

images = np.random.default_rng(1).normal(0, 5, (8, 32, 32, 3)).astype(np.float32)
labels = np.arange(8) % 3

def train(how, freeze, dropout):
    keras.utils.set_random_seed(5)
    with devices.scope(how):
        model = zoo.load(
            "resnet50", weights=None, num_classes=3, input_shape=(32, 32, 3), freeze=freeze, dropout=dropout
        )
        strategy = model.distribute_strategy
        losses = model.fit(images, labels, batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"]
    return (strategy.num_replicas_in_sync if strategy else 1), losses

RUNS = {
    "one": (None, "backbone", 0.0),
    "both": ("all", "backbone", 0.0),
    "first": (1, "backbone", 0.0),
    "all trained": (2, None, 0.3),
}
print(json.dumps({name: train(*RUNS[name]) for name in sys.argv[1:]}))
"""


def train(*runs: str) -> dict:
    """Return devices and losses of some runs, from a process that has two logical processors."""
    command = [sys.executable, "-c", TRAIN, *runs]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def all_trained() -> dict:
    """Return all of them."""
    return train("one", "both", "first", "all trained")


def test_losses_on_two_devices_are_those_on_one():
    """Without dropout and with batch normalisation frozen, within 1e-5."""
    trained = train("one", "both")
    devices, losses = trained["both"]
    assert devices == 2
    assert trained["one"][0] == 1
    assert losses == pytest.approx(trained["one"][1], rel=1e-5)
    assert losses[-1] < losses[0]


@pytest.mark.long
def test_a_number_of_devices(all_trained):
    """One of two is one."""
    assert all_trained["first"][0] == 1
    assert all_trained["first"][1] == pytest.approx(all_trained["one"][1], rel=1e-5)


@pytest.mark.long
def test_everything_trains_on_two_devices(all_trained):
    """With dropout and with batch normalisation that learns: other numbers, but finite ones.

    It is the second model of that process on the same two devices, of another size.
    """
    devices, losses = all_trained["all trained"]
    assert devices == 2
    assert all(0 < loss < 100 for loss in losses)


LOAD = """
import sys
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
import numpy as np
import zoo
from zoo.finetuning import devices

with devices.scope("all"):
    model = zoo.load("googlenet", weights=sys.argv[1], compile=False)
plain = zoo.load("googlenet", weights=sys.argv[1], compile=False)
for one, other in zip(model.weights, plain.weights, strict=True):
    assert np.array_equal(one.numpy(), other.numpy()), one.path
copies = [copy.numpy() for copy in model.weights[0].value.values]
assert len(copies) == 2 and np.array_equal(*copies)
"""


def test_every_device_has_the_files_weights(practice_file):
    """A weights file read under the strategy is the same on both devices."""
    subprocess.run([sys.executable, "-c", LOAD, str(practice_file("googlenet"))], check=True)


@pytest.mark.parametrize("value", [0, -1, 2, "some", True, 1.0])
def test_devices_that_there_are_not(value):
    """The message lists those there are; here it is one."""
    with pytest.raises(ArgumentError) as caught:
        zoo.finetuning.devices.scope(value)
    assert str(caught.value) == (
        f"devices={value!r}: must be 'all', None or a number from 1 to 1 (/device:CPU:0)"
    )
