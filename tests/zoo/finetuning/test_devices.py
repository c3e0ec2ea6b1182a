"""More than one device: two logical processors in a process of their own, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo.finetuning.devices
from zoo.errors import ArgumentError

SCRIPT = """
import json, sys
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
import zoo
from zoo.finetuning import devices

network, weights, *names = sys.argv[1:]
images = np.random.default_rng(1).normal(0, 5, (8, 32, 32, 3)).astype(np.float32)
labels = np.arange(8) % 3
options = {"weights": None, "num_classes": 3, "input_shape": (32, 32, 3)}
if network == "googlenet":
    options["aux_heads"] = False  # they take large images alone

def train(how, freeze, dropout):
    keras.utils.set_random_seed(5)
    with devices.scope(how):
        model = zoo.load(network, freeze=freeze, dropout=dropout, **options)
        for layer in model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = dropout  # GoogLeNet has some of its own
        strategy = model.distribute_strategy
        losses = model.fit(images, labels, batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"]
    return (strategy.num_replicas_in_sync if strategy else 1), losses

def load():
    with devices.scope("all"):
        model = zoo.load(network, weights=weights, compile=False)
    plain = zoo.load(network, weights=weights, compile=False)
    pairs = zip(model.weights, plain.weights, strict=True)
    copies = [copy.numpy().tolist() for copy in model.weights[0].value.values]
    return [one.path for one, other in pairs if not np.array_equal(one.numpy(), other.numpy())], copies

PARTS = {
    "one": lambda: train(None, "backbone", 0.0),
    "both": lambda: train("all", "backbone", 0.0),
    "first": lambda: train(1, "backbone", 0.0),
    "all trained": lambda: train(2, None, 0.3),
    "loaded": load,
}
print(json.dumps({name: PARTS[name]() for name in names}))
"""


def found(network: str, weights: Path, *parts: str) -> dict:
    """Return what parts of the script give, from a process that has two logical processors."""
    command = [sys.executable, "-c", SCRIPT, network, str(weights), *parts]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def small(practice_file) -> dict:
    """Return what a small network does, which has no batch normalisation."""
    return found("googlenet", practice_file("googlenet"), "one", "both")


@pytest.fixture(scope="module")
def loaded(practice_file) -> list:
    """Return what there is of a weights file on two devices."""
    return found("googlenet", practice_file("googlenet"), "loaded")["loaded"]


@pytest.fixture(scope="module")
def large(practice_file) -> dict:
    """Return what a large network does."""
    return found("resnet50", practice_file("resnet50"), "one", "both", "first", "all trained")


@pytest.mark.long  # test_several_devices trains a network of three layers so in every run
@pytest.mark.parametrize("network", ["small", "large"])
def test_losses_on_two_devices_are_those_on_one(network, request):
    """Without dropout and with batch normalisation frozen, within 1e-5."""
    trained = request.getfixturevalue(network)
    devices, losses = trained["both"]
    assert devices == 2
    assert trained["one"][0] == 1
    assert losses == pytest.approx(trained["one"][1], rel=1e-5)
    assert losses[-1] < losses[0]


@pytest.mark.long
def test_a_number_of_devices(large):
    """One of two is one."""
    assert large["first"][0] == 1
    assert large["first"][1] == pytest.approx(large["one"][1], rel=1e-5)


@pytest.mark.long
def test_everything_trains_on_two_devices(large):
    """With dropout and with batch normalisation that learns: other numbers, but finite ones.

    It is the second model of that process on the same two devices, of another size.
    """
    devices, losses = large["all trained"]
    assert devices == 2
    assert all(0 < loss < 100 for loss in losses)


@pytest.mark.long
def test_every_device_has_the_files_weights(loaded):
    """A weights file read under the strategy is the same on both devices."""
    differing, copies = loaded
    assert differing == []
    assert len(copies) == 2
    assert copies[0] == copies[1]


@pytest.mark.parametrize("value", [0, -1, 2, "some", True, 1.0])
def test_devices_that_there_are_not(value):
    """The message lists those there are; here it is one."""
    with pytest.raises(ArgumentError) as caught:
        zoo.finetuning.devices.scope(value)
    assert str(caught.value) == (
        f"devices={value!r}: must be 'all', None or a number from 1 to 1 (/device:CPU:0)"
    )
