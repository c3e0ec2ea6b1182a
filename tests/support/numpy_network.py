"""Runs the sample networks in NumPy, channels last, from a configuration and arrays in the tf form.

It knows nothing of the converters: it reads files with h5py and lays out its arithmetic on its own, so that a
conversion is right when this gives the outputs that the original software computed.
"""

from __future__ import annotations

import itertools
import json
import re

import h5py
import numpy as np


def outputs(config_path, weights_path, inputs, rules):
    """Return the outputs of a network for inputs that are already channels last."""
    config = json.loads(config_path.read_text())
    with h5py.File(weights_path, "r") as file:
        weights = read_weights(file.get("model_weights", file))
    if config.get("name") == "Graph":
        return run_graph(config, weights, inputs, rules)
    if "class_name" not in config:
        return run_chain(keras0_layers(config), weights, inputs[0], rules)
    inner = config["config"]
    if config["class_name"] == "Sequential":
        layers = inner if isinstance(inner, list) else inner["layers"]
        return run_chain([(e["class_name"], e["config"]) for e in layers], weights, inputs[0], rules)
    return run_model(inner, weights, inputs, rules)


def read_weights(group):
    """Return the arrays of every layer, by name."""
    if "layer_names" in group.attrs:
        names = [name.decode() for name in group.attrs["layer_names"]]
        return {name: [group[name][w][()] for w in group[name].attrs["weight_names"]] for name in names}
    return {
        name: [layer[f"param_{k}"][()] for k in range(layer.attrs["nb_params"])]
        for name, layer in group.items()
    }


def keras0_layers(config):
    """Return the layers of a Keras 0.x Sequential, named as its file names them."""
    return [(e["name"], {**e, "name": f"layer_{k}"}) for k, e in enumerate(config["layers"])]


def run_graph(config, weights, inputs, rules):
    """Run the one Graph sample: a convolution, and two dense layers on it whose outputs are joined."""
    arrays = iter(weights["graph"])
    values = {"input": inputs[0]}
    for node in config["node_config"]:
        layer = config["nodes"][node["name"]]
        own = [next(arrays), next(arrays)] if layer["name"] != "Flatten" else []
        values[node["name"]] = apply(layer["name"], layer, own, [values[node["input"]]], rules)
    joined = [values[name] for name in config["output_config"][0]["inputs"]]
    return [np.concatenate(joined, -1)]


def run_chain(layers, weights, value, rules):
    """Run a Sequential."""
    for kind, config in layers:
        value = apply(kind, config, weights.get(config["name"], []), [value], rules)
    return [value]


def run_model(config, weights, inputs, rules):
    """Run a functional model."""
    values = {
        (name, node): value for (name, node, _), value in zip(config["input_layers"], inputs, strict=True)
    }
    for entry in config["layers"]:
        for number, use in enumerate(entry["inbound_nodes"]):
            feeding = [values[source[0], source[1]] for source in use]
            own = weights.get(entry["name"], [])
            values[entry["name"], number] = apply(entry["class_name"], entry["config"], own, feeding, rules)
    return [values[name, node] for name, node, _ in config["output_layers"]]


def apply(kind, config, arrays, inputs, rules):
    """Return what one layer makes of its inputs."""
    value = inputs[0]
    if re.match(r"(Atrous)?Conv(olution)?\dD$", kind):
        result = convolve(value, arrays, config)
    elif "Pooling" in kind:
        result = pool(kind, value, config)
    elif kind == "BatchNormalization":
        result = normalise(value, arrays, config, rules)
    elif kind in ("Dense", "TimeDistributedDense"):
        result = value @ arrays[0] + arrays[1]
    elif kind in ("Flatten", "Reshape"):
        result = value.reshape(len(value), -1)
    elif kind in ("Merge", "Concatenate", "Add"):
        result = merge(kind, inputs, config)
    else:
        result = RESHAPING.get(kind, lambda value, config: value)(value, config)
    return ACTIVATIONS[config.get("activation", "linear")](result)


def convolve(value, arrays, config):
    """Cross-correlate with a kernel (S..., I, O); same padding is Theano's, on both sides."""
    kernel = arrays[0]
    if kernel.ndim == 4 and value.ndim == 3:
        kernel = sequence_kernel(kernel, arrays[1].size)
    sizes = kernel.shape[:-2]
    strides = each(config.get("subsample", config.get("strides", config.get("subsample_length", 1))), sizes)
    rates = each(config.get("atrous_rate", config.get("dilation_rate", 1)), sizes)
    value = pad(value, [border(config, (s - 1) * r + 1) for s, r in zip(sizes, rates, strict=True)])
    space = [
        (n - (s - 1) * r - 1) // d + 1
        for n, s, r, d in zip(value.shape[1:-1], sizes, rates, strides, strict=True)
    ]
    result = np.zeros((len(value), *space, kernel.shape[-1]), np.float64)
    for place in itertools.product(*map(range, sizes)):
        cut = tuple(
            slice(p * r, p * r + (n - 1) * d + 1, d)
            for p, r, n, d in zip(place, rates, space, strides, strict=True)
        )
        result += value[(slice(None), *cut)] @ kernel[place].astype(np.float64)
    return result + (arrays[1] if len(arrays) > 1 else 0)


def sequence_kernel(kernel, outputs):
    """Return Keras 1's two ways to store a 1-D kernel as (L, I, O)."""
    if kernel.shape[1] == 1 and kernel.shape[3] == outputs:
        return kernel[:, 0]
    return kernel[:, :, :, 0].transpose(2, 1, 0)


def border(config, reach):
    """Return the padding on either side."""
    mode = config.get("border_mode", config.get("padding"))
    return {"valid": (0, 0), "same": (reach // 2, (reach - 1) // 2), "causal": (reach - 1, 0)}[mode]


def pad(value, borders):
    """Return an array with zeros around its space."""
    return np.pad(value.astype(np.float64), [(0, 0), *borders, (0, 0)])


def each(value, sizes):
    """Return one number for each spatial axis."""
    return [value] * len(sizes) if isinstance(value, int) else list(value)


def pool(kind, value, config):
    """Pool without padding, or over all of space."""
    axes = tuple(range(1, value.ndim - 1))
    if kind.startswith("Global"):
        return value.mean(axes)
    sizes = each(config["pool_size"], axes)
    windows = np.lib.stride_tricks.sliding_window_view(value, sizes, axes)
    windows = windows[(slice(None), *(slice(None, None, stride) for stride in each(config["strides"], axes)))]
    return windows.max(tuple(range(value.ndim, windows.ndim)))


def normalise(value, arrays, config, rules):
    """Normalise with the running statistics; in Keras 1's modes 1 and 2 with a sample's or the batch's."""
    mode = config.get("mode", 0)
    scale, center = config.get("scale", True), config.get("center", True)
    arrays = list(arrays)
    gamma = arrays.pop(0) if scale else 1.0
    beta = arrays.pop(0) if center else 0.0
    mean, variance = arrays
    if mode == 1:
        deviation = np.sqrt(value.var(-1, keepdims=True) + config["epsilon"])
        return gamma * (value - value.mean(-1, keepdims=True)) / (deviation + config["epsilon"]) + beta
    if mode == 2:
        return gamma * (value - value.mean(0)) / np.sqrt(value.var(0) + config["epsilon"]) + beta
    return gamma * (value - mean) / rules["deviation"](variance.astype(np.float64), config["epsilon"]) + beta


def merge(kind, inputs, config):
    """Add, multiply or join."""
    mode = config.get("mode", {"Add": "sum", "Concatenate": "concat"}.get(kind))
    if mode == "concat":
        return np.concatenate(inputs, -1)
    return sum(inputs) if mode == "sum" else np.prod(inputs, 0)


def zero_pad(value, config):
    """Pad by a number for each axis, or two."""
    sides = each(config["padding"], value.shape[1:-1])
    return pad(value, [tuple(side) if isinstance(side, list) else (side, side) for side in sides])


def crop(value, config):
    """Cut off a border."""
    cuts = [
        slice(low, size - high)
        for (low, high), size in zip(config["cropping"], value.shape[1:-1], strict=True)
    ]
    return value[(slice(None), *cuts)]


def upsample(value, config):
    """Repeat every value along both spatial axes."""
    for axis, factor in enumerate(config["size"], 1):
        value = value.repeat(factor, axis)
    return value


def softmax(value):
    """Return probabilities along the last axis."""
    power = np.exp(value - value.max(-1, keepdims=True))
    return power / power.sum(-1, keepdims=True)


RESHAPING = {"ZeroPadding2D": zero_pad, "Cropping2D": crop, "UpSampling2D": upsample}
ACTIVATIONS = {
    "linear": lambda value: value,
    "relu": lambda value: np.maximum(value, 0),
    "tanh": np.tanh,
    "softmax": softmax,
}
