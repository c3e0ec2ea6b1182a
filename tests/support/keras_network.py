"""Draws the networks of Keras 0.3, 1 and 2, as they ran on Theano, with the layers of today's Keras.

Everything is channels last here; whoever runs a channels-first network turns its inputs and outputs. One old
layer becomes one layer of the same class name, so that today's files of weights fit by their own rules. Where
Theano computed something else than today's layers do (it pads symmetrically, its hard sigmoid is another, its
batch normalisation had other formulas), a subclass of the same name does as Theano did.
"""

from __future__ import annotations

import itertools
import math

import keras
from keras import layers, ops

OUTSIDE_TODAY = (
    "LocallyConnected1D",
    "LocallyConnected2D",
    "Highway",
    "MaxoutDense",
    "SReLU",
    "ParametricSoftplus",
)


def build(config, *, version, last, shapes=None, today=False):
    """Return the network that a configuration describes, channels last.

    Args:
        config: What ``to_json`` gave, as objects.
        version: The version of Keras that gave it, as numbers.
        last: Whether it is channels last itself.
        shapes: For a PReLU whose configuration lacks its shared axes, the shape of its array, channels last.
        today: Whether the gates of recurrent layers have today's hard sigmoid.
    """
    drawing = Drawing(version=version, last=last, shapes=shapes or {}, today=today)
    return drawing.network(modern(config))


def modern(config):
    """Return a configuration in the form of Keras 1 and 2."""
    if config.get("class_name"):
        return config
    if config["name"] == "Sequential":
        return {
            "class_name": "Sequential",
            "config": [old_layer(layer, f"layer_{n}") for n, layer in enumerate(config["layers"])],
        }
    return old_graph(config)


def old_layer(config, name):
    """Return a layer of Keras 0.3 in the form of Keras 1."""
    settings = {**config, "name": name}
    if "input_shape" in config:
        settings["batch_input_shape"] = [None, *config["input_shape"]]
    return {"class_name": config["name"], "config": settings}


def old_graph(config):
    """Return a Graph of Keras 0.3 in the form of Keras 1's Model."""
    entries = [
        {"name": entry["name"], "class_name": "InputLayer", "inbound_nodes": [],
         "config": {"name": entry["name"], "batch_input_shape": [None, *entry["input_shape"]]}}
        for entry in config["input_config"]
    ]  # fmt: skip
    for node in config["node_config"]:
        sources = [node["input"]] if node["input"] else node["inputs"]
        entry = old_layer(config["nodes"][node["name"]], node["name"])
        entries.append(
            {**entry, "name": node["name"], "inbound_nodes": [[[source, 0, 0] for source in sources]]}
        )
    for output in config["output_config"]:
        entries.append(
            {"name": output["name"], "class_name": "Merge",
             "config": {"name": output["name"], "mode": output["merge_mode"], "concat_axis": -1},
             "inbound_nodes": [[[source, 0, 0] for source in output["inputs"]]]}
        )  # fmt: skip
    inner = {
        "name": "graph",
        "layers": entries,
        "input_layers": [[name, 0, 0] for name in config["input_order"]],
        "output_layers": [[name, 0, 0] for name in config["output_order"]],
    }
    return {"class_name": "Model", "config": inner}


def turned(shape, last):
    """Return the shape of one sample, channels last: sequences of maps keep their time in front."""
    if last or len(shape) < 3:
        return tuple(shape)
    return (*shape[1:], shape[0])


class Drawing:
    """One network being drawn: which Keras it is from, and its layout."""

    def __init__(self, *, version, last, shapes, today):
        self.today = today
        self.version = version
        self.last = last
        self.shapes = shapes
        self.temporal = False

    def network(self, config):
        """Return the network."""
        self.temporal = "ConvLSTM2D" in str(config) or "TimeDistributed'" in str(config)
        if config["class_name"] == "Sequential":
            return self.chain(config)
        return self.model(config["config"])

    def input(self, shape, config):
        """Return an input of a batch's shape, channels last."""
        sample = shape[1:]
        if self.temporal and len(sample) > 2:
            sample = (sample[0], *turned(sample[1:], self.last))
        else:
            sample = turned(sample, self.last)
        words = str(config.get("input_dtype", config.get("dtype", ""))).startswith("int")
        return keras.Input(sample, dtype="int32" if words or config.get("embedding") else "float32")

    def chain(self, config):
        """Return a Sequential; one that begins by merging others becomes a functional model."""
        entries = entries_of(config)
        first = entries[0]
        if first["class_name"] == "Merge":
            branches = [self.chain_ends(branch) for branch in first["config"]["layers"]]
            value = merged(first["config"], [end for _, end in branches])
            for entry in entries[1:]:
                value = self.layer(entry)(value)
            return keras.Model([start for start, _ in branches], value)
        start, end = self.chain_ends(config)
        return keras.Model(start, end)

    def chain_ends(self, config):
        """Return the input and the output of a chain of layers."""
        entries = entries_of(config)
        start = value = self.input(first_shape(config), first_settings(entries[0]))
        for entry in entries:
            value = self.layer(entry)(value)
        return start, value

    def model(self, config):
        """Return a functional model."""
        values, drawn = {}, {}
        for entry in config["layers"]:
            name = entry["name"]
            if entry["class_name"] == "InputLayer":
                values[name, 0] = self.input(entry["config"]["batch_input_shape"], entry["config"])
                continue
            for number, use in enumerate(entry["inbound_nodes"]):
                feeding = [values[source[0], source[1]] for source in use]
                if entry["class_name"] in MERGES:
                    values[name, number] = merged({**entry["config"], "class": entry["class_name"]}, feeding)
                    continue
                drawn.setdefault(name, None)
                drawn[name] = drawn[name] or self.layer(entry)
                # The first use of a model within a model is its own making, where it is not listed as a use.
                first = int(entry["class_name"] in ("Model", "Sequential"))
                values[name, number + first] = drawn[name](feeding[0])
        ends = [
            [values[name, node] for name, node, _ in config[key]] for key in ("input_layers", "output_layers")
        ]
        return keras.Model(*(end if len(end) > 1 else end[0] for end in ends))

    def layer(self, entry):
        """Return the layer of today for an old one."""
        kind, config = entry["class_name"], entry["config"]
        if kind == "Sequential":
            inner = [self.layer(below) for below in entries_of(entry)]
            start = self.input(first_shape(entry), first_settings(entries_of(entry)[0]))
            return keras.Sequential([start, *inner])
        if kind == "Model":
            return self.model(config)
        if kind == "TimeDistributed":
            return layers.TimeDistributed(self.layer(config["layer"]))
        if kind == "Bidirectional":
            return layers.Bidirectional(self.layer(config["layer"]), merge_mode=config["merge_mode"])
        return MAKERS[kind](config, self)


def entries_of(config):
    """Return the layers of a Sequential."""
    inner = config["config"]
    return inner if isinstance(inner, list) else inner["layers"]


def first_shape(config):
    """Return the shape of a batch that a chain takes."""
    first = entries_of(config)[0]
    if first["class_name"] == "Sequential":
        return first_shape(first)
    return first["config"].get("batch_input_shape") or first["config"]["batch_shape"]


def first_settings(entry):
    """Return the settings of the first layer, and whether it takes words."""
    config = entry["config"] if isinstance(entry["config"], dict) else {}
    return {**config, "embedding": entry["class_name"] == "Embedding"}


MERGES = ("Merge", "Add", "Concatenate", "Multiply")


def merged(config, values):
    """Join several values; maps are joined along their channels, which are last here."""
    mode = config.get("mode") or {"Add": "sum", "Concatenate": "concat", "Multiply": "mul"}[config["class"]]
    if len(values) == 1:
        return values[0]
    return {
        "concat": layers.Concatenate(axis=-1),
        "sum": layers.Add(),
        "mul": layers.Multiply(),
    }[mode](values)


def get(config, *names, default=None):
    """Return a setting under the name of any version."""
    return next((config[name] for name in names if config.get(name) is not None), default)


@keras.saving.register_keras_serializable("theano", "theano_hard_sigmoid")
def hard_sigmoid(x):
    """Theano's hard sigmoid."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def activation(config, *names):
    """Return an activation by its name, as Theano computes it."""
    name = get(config, *(names or ("activation",)), default="linear")
    return hard_sigmoid if name == "hard_sigmoid" else name


def gate_activation(config, drawing):
    """Return what the gates of a recurrent layer go through, as Theano computes it or as today."""
    names = ("recurrent_activation", "inner_activation")
    return get(config, *names) if drawing.today else activation(config, *names)


def each(value, count):
    """Return one number for each spatial axis."""
    return (value,) * count if isinstance(value, int) else tuple(value)


def kernel_sizes(config):
    """Return the sizes of a convolution's window."""
    if "kernel_size" in config:
        return each(config["kernel_size"], 1)
    old = ("filter_length", "nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3")
    return tuple(config[name] for name in old if name in config)


def border(mode, reach):
    """Return Theano's padding in front and behind."""
    return {"valid": (0, 0), "same": (reach // 2, (reach - 1) // 2), "causal": (reach - 1, 0)}[mode]


def padded(x, borders, value=0.0):
    """Return maps with a border."""
    return ops.pad(x, [(0, 0), *borders, (0, 0)], constant_values=value) if any(map(any, borders)) else x


class Followed:
    """A layer whose output's shape is what its call gives, whatever its class says."""

    def compute_output_spec(self, *args, **kwargs):
        """Return the output's shape."""
        return keras.Operation.compute_output_spec(self, *args, **kwargs)


class Padded(Followed):
    """A convolution that pads as Theano does, and then does not pad."""

    def call(self, inputs, **kwargs):
        """Return the convolution."""
        return super().call(padded(inputs, self.borders), **kwargs)


def convolution(base):
    """Return what makes a convolution of a class of today."""
    kind = type(base.__name__, (Padded, base), {})

    def make(config, drawing):
        sizes = kernel_sizes(config)
        count = len(sizes)
        rates = each(get(config, "dilation_rate", "atrous_rate", default=1), count)
        strides = each(get(config, "strides", "subsample", "subsample_length", default=1), count)
        mode = get(config, "padding", "border_mode", default="valid")
        settings = {"depth_multiplier": config["depth_multiplier"]} if "depth_multiplier" in config else {}
        if get(config, "filters", "nb_filter") is not None and "Depthwise" not in base.__name__:
            settings["filters"] = get(config, "filters", "nb_filter")
        made = kind(
            kernel_size=sizes,
            strides=strides[0] if "Separable" in base.__name__ or "Depthwise" in base.__name__ else strides,
            dilation_rate=rates,
            activation=activation(config),
            use_bias=get(config, "use_bias", "bias", default=True),
            **settings,
        )
        made.borders = [border(mode, (s - 1) * r + 1) for s, r in zip(sizes, rates, strict=True)]
        return made

    return make


class Transposed(Followed):
    """A transposed convolution whose result is cut as Theano cuts it, and then gets its bias."""

    def call(self, inputs):
        """Return the convolution."""
        whole = ops.conv_transpose(inputs, self.kernel, self.strides, padding="valid")
        sizes = [
            n * s + (max(k - s, 0) if self.border == "valid" else 0)
            for n, s, k in zip(inputs.shape[1:-1], self.strides, self.kernel_size, strict=True)
        ]
        starts = [0 if self.border == "valid" else k // 2 for k in self.kernel_size]
        missing = [
            max(start + size - have, 0)
            for start, size, have in zip(starts, sizes, whole.shape[1:-1], strict=True)
        ]
        whole = padded(whole, [(0, more) for more in missing])
        cut = tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
        result = whole[(slice(None), *cut)]
        return self.activation(result + self.bias if self.use_bias else result)


def transposed(base):
    """Return what makes a transposed convolution of a class of today."""
    kind = type(base.__name__, (Transposed, base), {})

    def make(config, drawing):
        sizes = kernel_sizes(config)
        made = kind(
            get(config, "filters", "nb_filter"),
            sizes,
            strides=each(get(config, "strides", "subsample"), len(sizes)),
            activation=activation(config),
            use_bias=get(config, "use_bias", "bias", default=True),
        )
        made.border = get(config, "padding", "border_mode")
        return made

    return make


class Pooling(Followed, layers.Layer):
    """Pooling with Theano's padding, which takes no part in the result."""

    def __init__(self, config, drawing, *, kind):
        super().__init__()
        self.kind = kind
        # Keras 2.0 counts the padding as zeros.
        self.counts_padding = drawing.version[:2] == (2, 0)
        self.sizes = config["pool_size"]
        self.strides = config["strides"] or config["pool_size"]
        self.mode = get(config, "padding", "border_mode")

    def call(self, inputs):
        """Return the largest or the mean of each window."""
        if self.mode == "valid":
            return self.pooled(inputs, self.kind)
        sides = [size - 2 if size > 2 and size % 2 else size - 1 for size in self.sizes]
        lowest = -math.inf if self.kind == "max" else 0.0
        result = self.pooled(padded(inputs, [(side, side) for side in sides], lowest), self.kind)
        if self.kind == "average" and not self.counts_padding:
            counted = padded(ops.ones_like(inputs), [(side, side) for side in sides])
            result = result / self.pooled(counted, self.kind)
        wanted = [-(-n // s) for n, s in zip(inputs.shape[1:-1], self.strides, strict=True)]
        return result[(slice(None), *(slice(0, n) for n in wanted))]

    def pooled(self, values, kind):
        """Return the pooling without padding."""
        pool = ops.max_pool if kind == "max" else ops.average_pool
        return pool(values, tuple(self.sizes), tuple(self.strides), padding="valid")


class BatchNormalization(layers.BatchNormalization):
    """Batch normalisation as each version computed it."""

    def call(self, inputs, training=None, mask=None):
        """Return what is normalised with the running statistics, or in modes 1 and 2 with the inputs' own."""
        gamma = self.gamma if self.scale else 1.0
        beta = self.beta if self.center else 0.0
        if self.mode == 1:
            deviation = ops.std(inputs, -1, keepdims=True)
            variance = ops.square(deviation)
            centred = inputs - ops.mean(inputs, -1, keepdims=True)
            return gamma * centred / (ops.sqrt(variance + self.epsilon) + self.epsilon) + beta
        if self.mode == 2:
            centred = inputs - ops.mean(inputs, 0)
            return gamma * centred / ops.sqrt(ops.var(inputs, 0) + self.epsilon) + beta
        deviation = (
            ops.sqrt(self.moving_variance) + self.epsilon
            if self.outside
            else ops.sqrt(self.moving_variance + self.epsilon)
        )
        return gamma * (inputs - self.moving_mean) / deviation + beta


def batch_normalization(config, drawing):
    """Return a batch normalisation; up to 1.0.7 epsilon was added outside the root."""
    made = BatchNormalization(
        axis=-1,
        epsilon=config["epsilon"],
        scale=config.get("scale", True),
        center=config.get("center", True),
    )
    made.mode, made.outside = config.get("mode", 0), drawing.version <= (1, 0, 7)
    return made


def recurrent(base):
    """Return what makes a recurrent layer of a class of today."""

    def make(config, drawing):
        settings = {}
        if base is not layers.SimpleRNN:
            settings["recurrent_activation"] = gate_activation(config, drawing)
        if base is layers.GRU:
            settings["reset_after"] = config.get("reset_after", False)
        return base(
            get(config, "units", "output_dim"),
            activation=activation(config),
            return_sequences=config["return_sequences"],
            go_backwards=config["go_backwards"],
            use_bias=config.get("use_bias", True),
            **settings,
        )

    return make


def conv_lstm(config, drawing):
    """Return a convolutional LSTM whose two convolutions pad as Theano does."""
    sizes = kernel_sizes(config)
    mode = get(config, "padding", "border_mode")
    made = layers.ConvLSTM2D(
        get(config, "filters", "nb_filter"),
        sizes,
        strides=each(get(config, "strides", "subsample", default=1), 2),
        padding=mode,
        activation=activation(config),
        recurrent_activation=gate_activation(config, drawing),
        return_sequences=config["return_sequences"],
    )

    def convolve(x, kernel, bias=None, mode="same", strides=(1, 1)):
        x = padded(x, [border(mode, size) for size in sizes])
        result = ops.conv(x, kernel, strides=strides, padding="valid")
        return result if bias is None else result + bias

    made.cell.input_conv = lambda x, w, b=None, padding="valid": convolve(x, w, b, mode, made.cell.strides)
    made.cell.recurrent_conv = convolve
    return made


class LocallyConnected1D(Followed, layers.Layer):
    """A convolution over one dimension with a kernel of its own at each place."""

    def __init__(self, config):
        super().__init__()
        self.filters = get(config, "filters", "nb_filter")
        (self.length,) = kernel_sizes(config)
        (self.stride,) = each(get(config, "strides", "subsample_length", default=1), 1)
        self.function = keras.activations.get(activation(config))

    def build(self, shape):
        """Create the arrays."""
        places = (shape[1] - self.length) // self.stride + 1
        self.kernel = self.add_weight(shape=(places, self.length * shape[2], self.filters))
        self.bias = self.add_weight(shape=(places, self.filters))

    def call(self, x):
        """Return the result at every place."""
        starts = [place * self.stride for place in range(self.kernel.shape[0])]
        windows = [ops.reshape(x[:, at : at + self.length], (-1, self.kernel.shape[1])) for at in starts]
        return self.function(ops.einsum("bpk,pkf->bpf", ops.stack(windows, 1), self.kernel) + self.bias)


class LocallyConnected2D(Followed, layers.Layer):
    """The same over two dimensions."""

    def __init__(self, config):
        super().__init__()
        self.filters = get(config, "filters", "nb_filter")
        self.sizes = kernel_sizes(config)
        self.strides = each(get(config, "strides", "subsample", default=1), 2)
        self.function = keras.activations.get(activation(config))

    def build(self, shape):
        """Create the arrays."""
        self.space = [(n - k) // s + 1 for n, k, s in zip(shape[1:3], self.sizes, self.strides, strict=True)]
        window = math.prod(self.sizes) * shape[3]
        self.kernel = self.add_weight(shape=(math.prod(self.space), window, self.filters))
        self.bias = self.add_weight(shape=(*self.space, self.filters))

    def call(self, x):
        """Return the result at every place."""
        (height, width), (down, right) = self.sizes, self.strides
        windows = [
            ops.reshape(
                x[:, row * down : row * down + height, column * right : column * right + width],
                (-1, self.kernel.shape[1]),
            )
            for row, column in itertools.product(*map(range, self.space))
        ]
        result = ops.einsum("bpk,pkf->bpf", ops.stack(windows, 1), self.kernel)
        return self.function(ops.reshape(result, (-1, *self.space, self.filters)) + self.bias)


class MaxoutDense(Followed, layers.Layer):
    """The largest of several dense layers."""

    def __init__(self, config):
        super().__init__()
        self.features, self.units = config["nb_feature"], config["output_dim"]

    def build(self, shape):
        """Create the arrays."""
        self.kernel = self.add_weight(shape=(self.features, shape[-1], self.units))
        self.bias = self.add_weight(shape=(self.features, self.units))

    def call(self, x):
        """Return the largest feature of each unit."""
        return ops.max(ops.einsum("bi,fiu->bfu", x, self.kernel) + self.bias, 1)


class Highway(Followed, layers.Layer):
    """A dense layer with a gate that lets its input pass."""

    def __init__(self, config):
        super().__init__()
        self.function = keras.activations.get(activation(config))

    def build(self, shape):
        """Create the arrays, in the order of Keras 1.2.2."""
        units = shape[-1]
        self.kernel = self.add_weight(shape=(units, units))
        self.carry_kernel = self.add_weight(shape=(units, units))
        self.bias = self.add_weight(shape=(units,))
        self.carry_bias = self.add_weight(shape=(units,))

    def call(self, x):
        """Return the mixture of the layer and its input."""
        gate = ops.sigmoid(ops.matmul(x, self.carry_kernel) + self.carry_bias)
        return self.function(ops.matmul(x, self.kernel) + self.bias) * gate + (1 - gate) * x


class SReLU(Followed, layers.Layer):
    """The S-shaped rectified linear unit."""

    def __init__(self, config):
        super().__init__()

    def build(self, shape):
        """Create the arrays."""
        self.t_left, self.a_left, self.t_right, self.a_right = (
            self.add_weight(shape=shape[1:]) for _ in range(4)
        )

    def call(self, x):
        """Return three lines, joined."""
        t_right = self.t_left + ops.abs(self.t_right)
        inner = x - self.t_left
        left = ops.minimum(ops.where(inner > 0, inner, self.a_left * inner), t_right - self.t_left)
        return self.t_left + left + ops.relu(x - t_right) * self.a_right


class ParametricSoftplus(Followed, layers.Layer):
    """A softplus with two parameters for each place."""

    def __init__(self, config):
        super().__init__()

    def build(self, shape):
        """Create the arrays."""
        self.alpha = self.add_weight(shape=shape[1:])
        self.beta = self.add_weight(shape=shape[1:])

    def call(self, x):
        """Return the softplus."""
        return ops.softplus(self.beta * x) * self.alpha


class Turned(Followed, layers.Layer):
    """Permutes or reshapes what was channels first."""

    def __init__(self, config, *, last):
        super().__init__()
        self.dims, self.target = config.get("dims"), config.get("target_shape")
        self.first = not last

    def call(self, x):
        """Return the values in the order that the old network gave them."""
        if self.dims:
            x = ops.moveaxis(x, -1, 1) if self.first and len(x.shape) > 3 else x
            return ops.transpose(x, (0, *self.dims))
        return ops.reshape(x, (-1, *(math.prod(x.shape[1:]) if n == -1 else n for n in self.target)))


def prelu(config, drawing):
    """Return a PReLU; which axes it shares is not in every configuration."""
    shape = drawing.shapes.get(config["name"])
    shared = [at for at, size in enumerate(shape, 1) if size == 1] if shape else None
    return layers.PReLU(shared_axes=shared)


def dense(config, drawing):
    """Return a dense layer."""
    return layers.Dense(
        get(config, "units", "output_dim"),
        activation=activation(config),
        use_bias=get(config, "use_bias", "bias", default=True),
    )


def embedding(config, drawing):
    """Return an embedding."""
    return layers.Embedding(config["input_dim"], config["output_dim"], mask_zero=config["mask_zero"])


def pairs(value):
    """Return two numbers for each spatial axis."""
    return tuple((side, side) if isinstance(side, int) else tuple(side) for side in value)


MAKERS = {
    **dict.fromkeys(("Convolution1D", "AtrousConvolution1D", "Conv1D"), convolution(layers.Conv1D)),
    **dict.fromkeys(("Convolution2D", "AtrousConvolution2D", "Conv2D"), convolution(layers.Conv2D)),
    **dict.fromkeys(("Convolution3D", "Conv3D"), convolution(layers.Conv3D)),
    **dict.fromkeys(("Deconvolution2D", "Conv2DTranspose"), transposed(layers.Conv2DTranspose)),
    "Conv3DTranspose": transposed(layers.Conv3DTranspose),
    "SeparableConv1D": convolution(layers.SeparableConv1D),
    **dict.fromkeys(("SeparableConv2D", "SeparableConvolution2D"), convolution(layers.SeparableConv2D)),
    "DepthwiseConv2D": convolution(layers.DepthwiseConv2D),
    "LocallyConnected1D": lambda config, drawing: LocallyConnected1D(config),
    "LocallyConnected2D": lambda config, drawing: LocallyConnected2D(config),
    "MaxPooling1D": lambda config, drawing: Pooling(config, drawing, kind="max"),
    **dict.fromkeys(
        ("MaxPooling2D", "MaxPooling3D"), lambda config, drawing: Pooling(config, drawing, kind="max")
    ),
    **dict.fromkeys(
        ("AveragePooling2D", "AveragePooling3D"),
        lambda config, drawing: Pooling(config, drawing, kind="average"),
    ),
    "GlobalAveragePooling2D": lambda config, drawing: layers.GlobalAveragePooling2D(),
    "GlobalMaxPooling2D": lambda config, drawing: layers.GlobalMaxPooling2D(),
    "ZeroPadding2D": lambda config, drawing: layers.ZeroPadding2D(pairs(config["padding"])),
    "Cropping2D": lambda config, drawing: layers.Cropping2D(pairs(config["cropping"])),
    "UpSampling2D": lambda config, drawing: layers.UpSampling2D(tuple(config["size"])),
    "BatchNormalization": batch_normalization,
    "PReLU": prelu,
    "SReLU": lambda config, drawing: SReLU(config),
    "ParametricSoftplus": lambda config, drawing: ParametricSoftplus(config),
    "Dense": dense,
    "TimeDistributedDense": dense,
    "MaxoutDense": lambda config, drawing: MaxoutDense(config),
    "Highway": lambda config, drawing: Highway(config),
    "Embedding": embedding,
    "SimpleRNN": recurrent(layers.SimpleRNN),
    "LSTM": recurrent(layers.LSTM),
    "GRU": recurrent(layers.GRU),
    "ConvLSTM2D": conv_lstm,
    "Activation": lambda config, drawing: layers.Activation(activation(config)),
    "Dropout": lambda config, drawing: layers.Dropout(get(config, "rate", "p")),
    "Flatten": lambda config, drawing: layers.Flatten(),
    "Permute": lambda config, drawing: Turned(config, last=drawing.last),
    "Reshape": lambda config, drawing: Turned(config, last=drawing.last),
}
