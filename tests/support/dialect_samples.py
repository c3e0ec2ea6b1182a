"""The small networks that the original software wrote: where they are, and what their weights do not tell."""

from __future__ import annotations

import json

import numpy as np

from converters import convert_file
from converters.formats.dialects import describe
from tests.support.long import long_but
from tests.support.paths import DIALECTS

DATA = DIALECTS
SAMPLES = sorted(path.relative_to(DATA).as_posix().removesuffix(".json") for path in DATA.glob("*/*.json"))
# The feature map in front of a dense or recurrent layer, or that there is none; the window of a locally
# connected layer. By sample, or by writer and sample.
FLATTEN = {
    "graph": {"graph/param_2": (4, 4, 5), "graph/param_4": (4, 4, 5)},
    "vgg_like": {"layer_9": (6, 4, 4)},
    "vgg_like_bn": {"layer_10": (6, 4, 4)},
    "vgg_like_prelu": {"layer_10": (6, 4, 4)},
    "conv2d_flatten_dense_dense": {"dense_1": (6, 3, 4)},
    "compiled_adam_one_step": {"dense_1": (4, 4, 5)},
    "functional_slash": {"fc": (8, 6, 5)},
    "merge_two_inputs": {"out": ((4, 4, 5), (6,)), "dvec": None, "skip": None},
    "permute_reshape_dense": {"dense_1": None},
    "prelu_full": {"dense_1": (4, 7, 8)},
    "prelu_shared": {"dense_1": (4, 7, 8)},
    "nested_model": {"outer_fc": (2, 4, 5)},
    "nested_sequential": {"ofc": (3, 5, 6)},
    "timedist_conv2d": {"lstm_1": (3, 4, 6)},
    "keras122 local2d": {"locallyconnected2d_1": (2, 3, 2)},
    "keras107 local2d": {"locallyconnected2d_1": (2, 3, 2)},
    "keras108 local2d": {"locallyconnected2d_1": (2, 3, 2)},
    "local2d": {"locally_connected2d_1": (2, 3, 2)},
}
# Kinds of layers that neither names nor arrays tell.
LAYERS = {
    "keras033 conv1d": {"layer_0": "Conv1D"},
    "nested_model": {"inner_model": "Model"},
    "nested_sequential": {"inner_seq": "Sequential"},
}


def in_each_run(names):
    """Return parameters of a test, samples or files of samples: those long that a later one is like.

    In each run there is one sample of each network for Keras 0 and 1, and one for Keras 2: the last that was
    written, channels first if there is one. What all the samples become is compared to the byte in each run,
    by test_conversion_digests.
    """
    last = {}
    for name in sorted(names, key=lambda name: (not is_last(name), name)):
        last[_network(name)] = name
    return long_but(last.values(), names)


def _network(name):
    writer, _, network = name.partition("/")
    return writer.startswith("keras2"), network


def of_sample(table, sample):
    """Return a table's entry for a sample, or None."""
    writer, name = sample.split("_")[0], sample.partition("/")[2]
    return table.get(f"{writer} {name}", table.get(name))


def is_last(sample):
    """Return whether a sample is channels last."""
    return "_cl/" in sample


def told(sample):
    """Return what a user has to say to convert a sample's weights to TensorFlow's form."""
    facts = {"flatten": of_sample(FLATTEN, sample), "layers": of_sample(LAYERS, sample)}
    if is_last(sample):
        return {**facts, "from_layout": "tf", "to_layout": "tf", "to_kernels": "tf"}
    return {**facts, "direction": "th-to-tf"}


def to_keras3(source, target, sample, **changes):
    """Convert a sample's weights to a file of Keras 3."""
    return convert_file(source, target, to="keras3", **{**told(sample), **changes})


def recorded(sample):
    """Return the inputs and the outputs that the original software recorded, channels last."""
    with np.load(DATA / f"{sample}.npz") as data:
        arrays = {name: data[name] for name in data}
    config = (DATA / f"{sample}.json").read_text()
    inputs = [channels_last(arrays[name], sample, config) for name in sorted(arrays) if name[0] == "x"]
    return inputs, [channels_last(arrays[name], sample, config) for name in sorted(arrays) if name[0] == "y"]


def channels_last(array, sample, config):
    """Return a batch of maps, or of sequences of maps, with the channels last."""
    if is_last(sample) or array.ndim < 4:
        return array
    temporal = array.ndim == 5 and ("ConvLSTM2D" in config or '"TimeDistributed"' in config)
    return np.moveaxis(array, 2 if temporal else 1, -1)


def network(sample, *, today=False):
    """Return the sample's network, drawn with today's layers, if asked with today's hard sigmoid in gates."""
    config = json.loads((DATA / f"{sample}.json").read_text())
    digits = sample.split("_")[0].removeprefix("keras")
    version = tuple(map(int, digits))
    from tests.support import keras_network  # only now: it imports TensorFlow

    shapes = shared_axes(sample)
    return keras_network.build(config, version=version, last=is_last(sample), shapes=shapes, today=today)


def shared_axes(sample):
    """Return the shape of each PReLU's array, channels last."""
    parts = describe(DATA / f"{sample}.weights.h5").parts
    shapes = {part.name: part.arrays[0].shape for part in parts if part.kind == "PReLU"}
    return {
        name: shape if is_last(sample) or len(shape) < 3 else (*shape[1:], shape[0])
        for name, shape in shapes.items()
    }


def worst(sample, weights, *, today=False):
    """Return how far a network with these weights is from what was recorded, relative to the largest output.

    Args:
        sample: The sample.
        weights: A file of weights that Keras 3 reads.
        today: Whether the network's gates have today's hard sigmoid.
    """
    model = network(sample, today=today)
    model.load_weights(weights)
    inputs, outputs = recorded(sample)
    given = model(inputs if len(inputs) > 1 else inputs[0])
    given = given if isinstance(given, list | tuple) else [given]
    assert [np.shape(value) for value in given] == [value.shape for value in outputs]
    return max(
        float(np.abs(np.asarray(value) - wanted).max() / np.abs(wanted).max())
        for value, wanted in zip(given, outputs, strict=True)
    )
