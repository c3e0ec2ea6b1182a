"""What becomes of each class of layer of Keras 0.3 to 2: one record for each, in one table.

To add a class is to add a record to :data:`UPGRADES`: what its settings were called and what they were where
a version did not write them, and the function that draws today's layers for it. Compositions, where one old
layer takes several of today's, stand in :mod:`converters.upgrading.compose` with their derivations.

Sources: the __init__(), call() and get_config() methods of the layers under keras/layers in Keras 0.3.3,
1.0.7, 1.2.2, 2.0.5 and 2.2.4, and under keras/src/layers in Keras 3.15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from converters.arrays.moves import WIDENED, WIDENED_ROOT
from converters.arrays.planned import Output
from converters.layers.config import MAP_RANKS, Setting
from converters.layers.names import kind_of_class
from converters.layers.table import CUDNN, GATED
from converters.limits import shown
from converters.upgrading import compose, products
from converters.upgrading.computing.layer import computed
from converters.upgrading.drawing import LAST, Value, channels_last, straight, written
from converters.upgrading.kept import activity
from converters.upgrading.settings import Argument, said_of, sizes
from converters.upgrading.today import STATES
from converters.upgrading.use import (
    ACTIVATIONS,
    HARD,
    OWN,
    SEVERAL_SIZES,
    Activation,
    Results,
    Timewise,
    Use,
    along_axis,
    results_of,
)


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """What becomes of a class.

    Attributes:
        draw: Draws one use of such a layer and returns what it gives.
        arguments: Its settings, by the names under which they are asked for.
    """

    draw: Callable[[Use], Results]
    arguments: Mapping[str, Argument] = field(default_factory=dict)


def arg(*called: str | tuple[str, ...], **more: Any) -> Argument:  # noqa: ANN401 - what Argument takes
    """Return a setting."""
    return Argument(called=called, **more)


NAME_IT = "if it is yours, name it (--custom, custom_objects=)"
"""What to do about what is not Keras' own."""
_ACTIVATION = arg("activation", default="linear")
_BIAS = arg("use_bias", "bias", default=True)
_ORDER = arg("data_format", "dim_ordering", default=None)
_PADDING = arg("padding", "border_mode")
_KEEPDIMS = arg("keepdims", default=False)


def activation_of(use: Use, name: str = "activation") -> Activation:
    """Return an activation that today's Keras has under the same name, or that the user says.

    Raises:
        Refused: If it is another, or a function of somebody's own.
    """
    said = use.said[name]
    if isinstance(said, str) and (own := use.asked.function(said)) is not None:
        use.report.owned.setdefault(use.node.name, OWN.format(f"function {said}"))
        return own
    if not isinstance(said, str) or said not in ACTIVATIONS:
        raise use.refuse(f"its {name} {shown(said)} is none that Keras had; {NAME_IT}")
    return said


def space_of(use: Use, value: Value) -> int:
    """Return how many axes of space a layer works on, by its class, once its input has as many."""
    kind = kind_of_class(use.node.class_name)
    count = int(kind[-2]) if kind[-2:] in (*MAP_RANKS, "1D") else int(kind.removesuffix("Transpose")[-2])
    if value.rank != count + 1:
        raise use.refuse(f"it takes {count + 1} axes, and {value.rank} come in")
    return count


def each(use: Use, name: str, count: int) -> list[int]:
    """Return a setting as one number for each axis of space."""
    found = sizes(use.said[name], count)
    if found is None or min(found) < 0:
        raise use.refuse(f"its {name} {use.said[name]!r} is not one number for each of {count} axes")
    return found


# Convolutions


def _linear_or_scaled(use: Use) -> tuple[Activation, bool]:
    """Return the activation of a layer, and whether its arrays are to be multiplied by 1.2 for it.

    clip(0.2 z + 0.5), the older hard sigmoid, is today's, clip(z / 6 + 0.5), of 1.2 z.
    """
    name = activation_of(use)
    if name == HARD:
        use.tell(
            "its arrays are multiplied by 1.2, so that today's hard_sigmoid gives what the older one gave"
        )
    return name, name == HARD


def _after(use: Use, name: Activation, value: Value) -> tuple[Activation, bool]:
    """Return the activation to draw in a layer, and whether it takes a layer of its own behind it.

    A softmax runs along the old network's last axis, which in a turned map is another.
    """
    own = along_axis(name) and value.axes != straight(value.rank)
    return ("linear", True) if own else (name, False)


def _convolution(class_name: str) -> Callable[[Use], Value]:
    def draw(use: Use) -> Value:
        count = space_of(use, use.value)
        value = use.mapped(use.value)
        name, scaled = _linear_or_scaled(use)
        depthwise = class_name != f"Conv{count}D"
        groups = use.said["groups"]
        if groups != 1 and (depthwise or use.origin.theano):
            raise use.refuse(f"its setting groups is {groups!r}")
        if depthwise and scaled:
            raise use.refuse("its activation is hard_sigmoid")
        function, behind = _after(use, name, value)
        rates = each(use, "dilation_rate", count)
        kernel, strides = each(use, "kernel_size", count), each(use, "strides", count)
        value, padding = compose.padded(use, value, kernel=kernel, strides=strides, rates=rates)
        settings = {
            "kernel_size": kernel,
            "strides": strides,
            "padding": padding,
            "data_format": LAST,
            "dilation_rate": rates,
            "activation": function,
            "use_bias": use.said["use_bias"],
        }
        settings |= {key: use.said[key] for key in ("filters", "depth_multiplier") if key in use.said}
        settings |= {"groups": groups} if groups != 1 else {}
        arrays = use.arrays(scaled=scaled)
        roles = ["depthwise_kernel"] if depthwise else ["kernel"]
        roles += ["pointwise_kernel"] if class_name.startswith("Separable") else []
        roles += ["bias"] if use.said["use_bias"] else []
        result = use.draw(class_name, settings, value, arrays=use.numbered(arrays, *roles), axes=value.axes)
        return use.activated(result, name, suffix="_activation") if behind else result

    return draw


_KERNEL = arg(
    "kernel_size", "filter_length", ("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")
)
_CONV = {
    "filters": arg("filters", "nb_filter"),
    "kernel_size": _KERNEL,
    "strides": arg("strides", "subsample", "subsample_length", default=1),
    "padding": _PADDING,
    "dilation_rate": arg("dilation_rate", "atrous_rate", default=1),
    "activation": _ACTIVATION,
    "use_bias": _BIAS,
    "order": _ORDER,
    "groups": arg("groups", default=1),
}
_SEPARABLE = {**_CONV, "depth_multiplier": arg("depth_multiplier", default=1)}
_DEPTHWISE = {name: argument for name, argument in _SEPARABLE.items() if name != "filters"} | {
    "ignored": arg("filters", "rank", default=None)
}
_TRANSPOSED = {
    **_CONV,
    "dilation_rate": arg("dilation_rate", default=1, only=(1, [1], [1, 1], [1, 1, 1])),
    "output_padding": arg("output_padding", default=None, only=(None,)),
    "output_shape": arg("output_shape", default=None),
}


def _transposed(class_name: str) -> Callable[[Use], Value]:
    def draw(use: Use) -> Value:
        count = space_of(use, use.value)
        value = use.mapped(use.value)
        name, scaled = _linear_or_scaled(use)
        function, behind = _after(use, name, value)
        settings = {
            "filters": use.said["filters"],
            "kernel_size": each(use, "kernel_size", count),
            "strides": each(use, "strides", count),
            "data_format": LAST,
            "activation": function,
            "use_bias": use.said["use_bias"],
        }
        arrays = use.arrays(scaled=scaled)
        use.numbered(arrays, "kernel", *(["bias"] if use.said["use_bias"] else []))
        result = compose.transposed(use, class_name, settings, value, arrays)
        return use.activated(result, name, suffix="_activation") if behind else result

    return draw


def _conv_lstm(use: Use) -> Results:
    class_name, (coming, *states) = use.node.class_name, use.values
    count = int(class_name[-2])
    if coming.rank != count + 2:
        raise use.refuse(f"it takes sequences of maps, and {coming.rank} axes come in")
    value = use.mapped(coming, before=1)
    settings = {
        "filters": use.said["filters"],
        "kernel_size": each(use, "kernel_size", count),
        "strides": each(use, "strides", count),
        "data_format": LAST,
        **_recurrent_settings(use),
    }
    del settings["units"], settings["unroll"]
    if any(map(along_axis, (settings["activation"], settings["recurrent_activation"]))):
        raise use.refuse("its activation is softmax, or a function of somebody's own")
    arrays = use.arrays(scaled=gates_scaled(use))
    use.numbered(arrays, *_recurrent_roles(use))
    once = tuple(axis - 1 for axis in value.axes[1:])
    handed = _begun(use, [use.mapped(state) for state in states], STATES[class_name], rank=count + 1)
    axes = value.axes if use.said["return_sequences"] else once
    results = compose.conv_lstm(use, class_name, settings, value, arrays, axes=axes, handed=handed)
    return (results[0], *(replace(state, axes=once) for state in results[1:]))


# Pooling, borders, sizes


def _pooling(class_name: str) -> Callable[[Use], Value]:
    def draw(use: Use) -> Value:
        count = space_of(use, use.value)
        value = use.mapped(use.value)
        pool = each(use, "pool_size", count)
        strides = each(use, "strides", count) if use.said["strides"] is not None else pool
        settings = {"pool_size": pool, "strides": strides, "data_format": LAST}
        if use.said["padding"] == "valid":
            return use.draw(class_name, {**settings, "padding": "valid"}, value)
        if use.said["padding"] != "same":
            raise use.refuse(f"its padding is {shown(use.said['padding'])}")
        if not use.origin.theano:
            return use.draw(class_name, {**settings, "padding": "same"}, value)
        return compose.pooled(use, class_name, settings, value)

    return draw


_POOL = {
    "pool_size": arg("pool_size", "pool_length"),
    "strides": arg("strides", "stride", default=None),
    "padding": _PADDING,
    "order": _ORDER,
}


def _global(class_name: str) -> Callable[[Use], Value]:
    def draw(use: Use) -> Value:
        space_of(use, use.value)
        value = use.mapped(use.value)
        if use.said["keepdims"]:
            return use.draw(class_name, {"data_format": LAST, "keepdims": True}, value, axes=value.axes)
        return use.draw(class_name, {"data_format": LAST}, value, axes=(0,))

    return draw


def _bordered(class_name: str, key: str) -> Callable[[Use], Value]:
    def draw(use: Use) -> Value:
        count = space_of(use, use.value)
        value = use.mapped(use.value)
        sides = border(use, key, count)
        if count == 1:
            return use.draw(class_name, {key: sides[0]}, use.straight(use.value))
        return use.draw(class_name, {key: sides, "data_format": LAST}, value)

    return draw


_NAMED_BORDERS = (("left_pad", "right_pad"), ("top_pad", "bottom_pad", "left_pad", "right_pad"))


def border(use: Use, key: str, count: int) -> list[list[int]]:
    """Return a border as Keras 2 writes it, in front and behind along each axis: n, (n, m), ((n, n), (m, m)).

    Keras 1 has (n, n, m, m) and, by name, a mapping besides; a 1-D layer's (n, m) are its two ends.
    """
    said = use.said[key]
    if isinstance(said, Mapping):
        names = _NAMED_BORDERS[count - 1] if count < 3 else ()
        said = [said.get(name, 0) for name in names]
    if isinstance(said, int):
        said = [said] * count
    if isinstance(said, list) and len(said) == 2 * count:
        said = [said[at : at + 2] for at in range(0, len(said), 2)]
    sides = [side if isinstance(side, list) else [side, side] for side in said or ()]
    if len(sides) != count or any(not isinstance(n, int) or n < 0 for side in sides for n in side):
        raise use.refuse(f"its {key} {use.said[key]!r} is no border of {count} axes")
    return sides


INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
"""How values between others are taken, under the same names today."""


def _upsampling(class_name: str) -> Callable[[Use], Value]:
    def draw(use: Use) -> Value:
        count = space_of(use, use.value)
        value = use.mapped(use.value)
        factors = each(use, "size", count)
        how = use.said["interpolation"]
        if how != "nearest" and not (how in INTERPOLATIONS and count == 2 and use.origin.version >= (2, 4)):
            # Before TensorFlow's resizing of 2020, values between others were taken at other places.
            raise use.refuse(f"its interpolation is {shown(how)}")
        if count == 1:
            return use.draw(class_name, {"size": factors[0]}, use.straight(use.value))
        more = {} if count == 3 else {"interpolation": how}
        return use.draw(class_name, {"size": factors, "data_format": LAST, **more}, value)

    return draw


# Dense layers and what works on each value


def _dense(use: Use) -> Value:
    value = use.straight(use.value)
    name, scaled = _linear_or_scaled(use)
    arrays = use.arrays(scaled=scaled)
    settings = {"units": use.said["units"], "activation": name, "use_bias": use.said["use_bias"]}
    roles = ["kernel", "bias"] if use.said["use_bias"] else ["kernel"]
    return use.draw("Dense", settings, value, arrays=use.numbered(arrays, *roles))


def _activation(use: Use) -> Value:
    name, value = activation_of(use), use.value
    if name == HARD:
        use.tell("its input is multiplied by 1.2, so that today's hard_sigmoid gives what the older one gave")
        value = use.draw("Rescaling", {"scale": 1.2, "offset": 0.0}, value, suffix="_scaled")
    return use.activated(value, name)


def _same(class_name: str, *names: str) -> Callable[[Use], Value]:
    """Return what draws a layer that works on each value, with the settings that it has under their names."""

    def draw(use: Use) -> Value:
        return use.draw(class_name, {name: use.said[name] for name in names}, use.value)

    return draw


def _number(*called: str, default: float | None = None) -> Argument:
    return arg(*called) if default is None else arg(*called, default=default)


def _dropout(use: Use) -> Value:
    """Draw a Dropout, which may drop whole samples or maps: its noise then has axes of size 1."""
    shape, value = use.said["noise_shape"], use.value
    if shape is None:
        return use.draw("Dropout", {"rate": use.said["rate"]}, value)
    # A size other than 1 and the input's own (None) fits one size of input alone.
    known = isinstance(shape, list) and len(shape) == value.rank + 1
    if not known or not all(size is None or (type(size) is int and size == 1) for size in shape):
        raise use.refuse(f"its setting noise_shape is {shown(shape)}")
    settings = {"rate": use.said["rate"], "noise_shape": shape}
    return use.draw("Dropout", settings, use.straight(value))


def _spatial_dropout(class_name: str) -> Callable[[Use], Value]:
    def draw(use: Use) -> Value:
        space_of(use, use.value)
        # tf.keras does not write down its order, which counts in training alone.
        told = use.said["order"] or use.origin.layout
        value = use.mapped(use.value) if told else use.straight(use.value)
        settings = {"rate": use.said["rate"]} | ({} if class_name.endswith("1D") else {"data_format": LAST})
        return use.draw(class_name, settings, value)

    return draw


def _regularization(use: Use) -> Value:
    """Draw a layer that passes on what comes in, at a price: see :func:`penalised`."""
    said = {name: use.said[name] for name in ("l1", "l2")}
    if not use.origin.tf_keras:
        for name in [name for name, amount in said.items() if amount]:
            use.report.drop(use.node.name, name)
            said[name] = 0.0
    return use.draw("ActivityRegularization", said, use.value)


def penalised(use: Use, value: Results) -> Results:
    """Return what a layer gives, at a price for its values if the layer says one.

    Keras 1 and 2 add the price up over a batch. tf.keras divides it by the number of its samples, and so does
    today's Keras (from 3.14 on): only that of tf.keras is carried over.
    """
    price, (first, *others) = activity(use.node), results_of(value)
    elsewhere = use.timewise is not None or others or not use.origin.tf_keras
    if price is None or (price and elsewhere):
        return value
    use.report.carry(use.node.name, ("activity_regularizer",))
    if not price:
        return value
    return use.draw("ActivityRegularization", {"l1": 0.0, "l2": 0.0, **price}, first, suffix="_activity")


def _softmax(use: Use) -> Value:
    if use.value.masked:
        raise use.refuse("masked steps flow into it, which today's Keras leaves out of the sum")
    axis = use.said["axis"]
    if not isinstance(axis, int):
        raise use.refuse("it runs along several axes")
    return use.draw("Softmax", {"axis": moved_axis(use, use.value, axis)}, use.value)


def moved_axis(use: Use, value: Value, axis: Setting) -> int:
    """Return where an axis of the old network's value lies in what is drawn."""
    rank = value.rank + 1
    if not isinstance(axis, int) or not -rank <= axis < rank or axis % rank == 0:
        raise use.refuse(f"it has no axis {axis!r}")
    place = value.axes.index(axis % rank - 1) + 1
    return -1 if place == value.rank and axis < 0 else place


def _relu(use: Use) -> Value:
    names = ("max_value", "negative_slope", "threshold")
    return use.draw("ReLU", {name: use.said[name] for name in names}, use.value)


def _rescaling(use: Use) -> Value:
    """Draw x a + b; where these are lists, one number for each channel, the last axis."""
    scale, offset = (use.said[name] for name in ("factor", "offset"))
    listed = [said for said in (scale, offset) if isinstance(said, list)]
    value = use.straight(use.value) if listed else use.value
    if any(len(said) != value.shape[-1] for said in listed):
        raise use.refuse(f"it has not one number for each of {value.shape[-1]} channels")
    return use.draw("Rescaling", {"scale": scale, "offset": offset}, value)


def _thresholded(use: Use) -> Value:
    """Draw x where x > theta, else 0: today's ReLU with a threshold compares in the same way."""
    return use.draw("ReLU", {"threshold": use.said["theta"]}, use.value)


def _prelu(use: Use) -> Value:
    value, last = use.by_place()
    arrays = use.arrays(last=last)
    (alpha,) = arrays.values()
    shape = alpha.target_shape
    shared = [axis for axis, size in enumerate(shape, 1) if size == 1 and value.shape[axis] != 1]
    if len(shape) != value.rank or any(
        size not in (1, value.shape[axis]) for axis, size in enumerate(shape, 1) if axis not in shared
    ):
        raise use.refuse(f"its array {shape} is not of the shape of what comes in, {value.shape[1:]}")
    settings = {"shared_axes": shared or None}
    return use.draw("PReLU", settings, value, arrays=use.numbered(arrays, "alpha"), axes=value.axes)


def _epsilon_outside(use: Use) -> bool:
    """Return whether a version added epsilon to the deviation, not to the variance.

    All up to 1.0.5 in call() of keras/layers/normalization.py; 1.0.6 and 1.0.7 on Theano, in
    batch_normalization() of keras/backend/theano_backend.py.
    """
    version = use.origin.version
    return version < (1, 0, 8) and (use.origin.theano or version < (1, 0, 6))


def _widened(use: Use, arrays: Mapping[str, Output], epsilon: float) -> dict[str, Output]:
    """Return arrays with variances v that give, with epsilon^2 added, the square of deviation and epsilon.

    (d + e)^2 is d^2 + 2 d e, and e^2. Up to 1.0.6 the file holds deviations, from 1.0.7 on variances.
    """
    use.tell("its variances are recomputed, since epsilon was added to the deviation, not to the variance")
    how = WIDENED if use.origin.version < (1, 0, 7) else WIDENED_ROOT
    variance = arrays["moving_variance"].computed(f"{how} {epsilon!r}")
    return {**arrays, "moving_variance": variance}


def _batch_normalization(use: Use) -> Value:
    mode, value, epsilon = use.said["mode"], use.value, use.said["epsilon"]
    if mode not in (0, 1, 2):
        raise use.refuse(f"its mode is {shown(mode)}")
    outside = _epsilon_outside(use)
    axis = use.said["axis"]
    if isinstance(axis, list) and len(axis) == 1:
        axis = axis[0]
    roles = [role for role, key in (("gamma", "scale"), ("beta", "center")) if use.said[key]]
    arrays = use.arrays()
    use.numbered(arrays, *roles, "moving_mean", "moving_variance")
    if mode == 1:
        return compose.normalized_by_sample(use, arrays)
    moved = moved_axis(use, value, axis)
    if mode == 2:
        return compose.normalized_by_batch(use, arrays, moved, outside=outside)
    if outside:
        arrays, epsilon = _widened(use, arrays, epsilon), epsilon**2
    named = use.numbered(arrays, *roles, "moving_mean", "moving_variance")
    settings = {
        "axis": moved,
        "epsilon": epsilon,
        "center": use.said["center"],
        "scale": use.said["scale"],
        "momentum": use.node.settings.get("momentum", 0.99),
    }
    return use.draw("BatchNormalization", settings, value, arrays=named)


# Shapes


def _flatten(use: Use) -> Value:
    """Draw a Flatten: values as they lie, but from Keras 2.2 on channels last if it says channels first."""
    value = use.value
    first = use.said["data_format"] == "channels_first" and value.rank > 1
    value = use.turned(value, channels_last(value.rank)) if first else use.straight(value)
    return use.draw("Flatten", {"data_format": LAST}, value, axes=(0,))


def _reshape(use: Use) -> Value:
    value = use.straight(use.value)
    target = use.said["target_shape"]
    if not isinstance(target, list) or any(not isinstance(size, int) for size in target):
        raise use.refuse("its target_shape is no list of sizes")
    return use.draw("Reshape", {"target_shape": target}, value, axes=straight(len(target)))


def _permute(use: Use) -> Value:
    value, dims = use.straight(use.value), use.said["dims"]
    if not isinstance(dims, list) or sorted(dims, key=str) != list(range(1, value.rank + 1)):
        raise use.refuse(f"its dims {dims!r} do not name each of {value.rank} axes once")
    return use.draw("Permute", {"dims": dims}, value, axes=straight(value.rank))


def _repeat(use: Use) -> Value:
    if use.value.rank != 1:
        raise use.refuse("it takes vectors")
    return use.draw("RepeatVector", {"n": use.said["n"]}, use.value, axes=(0, 1))


def _embedding(use: Use) -> Value:
    arrays = use.numbered(use.arrays(), "embeddings")
    settings = {name: use.said[name] for name in ("input_dim", "output_dim", "mask_zero")}
    return use.draw("Embedding", settings, use.straight(use.value), arrays=arrays)


# Recurrent layers


def _recurrent_settings(use: Use) -> dict[str, Any]:
    """Return the settings that all recurrent layers have."""
    names = ("units", "return_sequences", "go_backwards", "stateful", "unroll")
    settings = {name: use.said[name] for name in names if name in use.said} | {
        "use_bias": use.said["use_bias"]
    }
    settings = {"units": None, "unroll": False, **settings}
    settings |= {name: use.said[name] for name in ("dropout", "recurrent_dropout")}
    settings |= {"return_state": True} if use.said["return_state"] else {}
    settings["activation"] = activation_of(use)
    if "recurrent_activation" in use.said:
        settings["recurrent_activation"] = activation_of(use, "recurrent_activation")
    if "reset_after" in use.said:
        settings["reset_after"] = use.said["reset_after"]
    if use.said["stateful"] and use.values[0].shape[0] is None:
        raise use.refuse("it is stateful, and the size of its batches is open")
    return settings


def gates_scaled(use: Use) -> str | bool:
    """Return which gates are multiplied by 1.2, because they go through the older hard sigmoid.

    A GRU's last gate and all of a SimpleRNN go through the activation once, so that they can be multiplied
    too; an LSTM's activation is that of its state as well, which no array can be multiplied for.
    """
    kind = kind_of_class((use.node.inner or use.node).class_name)
    kind = "ConvLSTM2D" if kind.startswith("ConvLSTM") else kind
    if kind in CUDNN:
        return ""
    own: bool = use.said["activation"] == HARD
    gates = GATED.get(kind)
    if gates is None:
        if own:
            use.tell(_GATES_TOLD)
        return own
    scaled = gates.recurrent if use.said["recurrent_activation"] == HARD else ""
    if own and kind != "GRU":
        raise use.refuse(
            "its activation is hard_sigmoid, which its state goes through: no scaling gives that"
        )
    if own and use.said["reset_after"]:
        raise use.refuse("its activation is hard_sigmoid, with reset_after")
    scaled += "h" if own else ""
    if scaled:
        use.tell(_GATES_TOLD)
    return scaled


_GATES_TOLD = "gates are multiplied by 1.2, so that today's hard_sigmoid gives what the older one gave"


def _recurrent_roles(use: Use) -> list[str]:
    return ["kernel", "recurrent_kernel", *(["bias"] if use.said["use_bias"] else [])]


def _recurrent(class_name: str) -> Callable[[Use], Results]:
    def draw(use: Use) -> Results:
        value, *states = sequence(use)
        settings = _recurrent_settings(use)
        arrays = use.numbered(use.arrays(scaled=gates_scaled(use)), *_recurrent_roles(use), place="cell/vars")
        rank = 2 if use.said["return_sequences"] else 1
        handed = _begun(use, states, STATES[class_name])
        check_first_steps(use, use.said)
        repeats = _repeats_state(use, use.said)
        more = {"return_state": True} if repeats and states else {}
        results = use.draw_all(
            class_name, settings | more, value, arrays=arrays, axes=straight(rank), handed=handed
        )
        if not repeats or not states:
            return results
        given = results if use.said["return_state"] else results[:1]
        if not use.said["return_sequences"]:
            return (results[1], *given[1:])
        return (compose.with_first_state(use, results[0], states[0]), *given[1:])

    return draw


def _repeats_state(use: Use, said: Mapping[str, Setting]) -> bool:
    """Return whether masked steps give a layer's state, and not the step before.

    That is the same but for the first steps: rnn() in keras/backend/tensorflow_backend.py, Keras 1.1 to 2.3,
    gives the state there that the layer begins with, and zeros if its steps are drawn one by one.
    """
    older = not (use.origin.tf_keras or use.origin.theano)
    return older and use.values[0].masked is not None and not said["unroll"]


def check_first_steps(use: Use, said: Mapping[str, Setting]) -> None:
    """Raise for a stateful layer whose first steps may be masked, where those gave its state.

    Raises:
        Refused: If it is one: today's gives zeros there.
    """
    if said["stateful"] and _repeats_state(use, said):
        raise use.refuse("it is stateful, and masked steps flow into it, of which the first may be some")


def sequence(use: Use) -> tuple[Value, ...]:
    """Return a sequence of vectors, and the states that a layer begins with, if it is handed any."""
    value = use.straight(use.values[0])
    if value.rank != 2:
        raise use.refuse(f"it takes sequences of vectors, and {value.rank} axes come in")
    return (value, *(use.straight(state) for state in use.values[1:]))


def _begun(
    use: Use, states: Sequence[Value], count: int, *, rank: int = 1
) -> Mapping[str, Value | tuple[Value, ...]]:
    """Return the states that a layer begins with as they are handed to it: as many as it keeps, or none.

    Raises:
        Refused: If there are more or fewer.
    """
    if not states:
        return {}
    if len(states) != count or any(state.rank != rank for state in states):
        ranks = ", ".join(str(state.rank) for state in states)
        raise use.refuse(f"it keeps {count} states, and is handed {len(states)} (axes: {ranks})")
    return {"initial_state": tuple(states)}


def _bidirectional(use: Use) -> Results:
    inner = use.node.inner
    kind = kind_of_class(inner.class_name) if inner else ""
    class_name = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}.get(kind, kind)
    if inner is None or class_name not in ("LSTM", "GRU", "SimpleRNN"):
        raise use.refuse(f"it goes both ways through a {kind or 'model'}")
    said = said_of(inner, UPGRADES[inner.class_name].arguments, partial(use.report.drop, inner.name))
    below = replace(use, node=inner, said=said)
    value, *states = sequence(use)
    handed = _begun(use, states, 2 * STATES[class_name])
    check_first_steps(use, below.said)
    if states and _repeats_state(use, below.said):
        raise use.refuse("it is handed states and masked steps, and its first steps may be masked")
    settings, scaled = _recurrent_settings(below), gates_scaled(below)
    arrays: dict[str, Any] = {}
    if len(use.parts()) != 2:
        raise use.refuse("the weights have not the arrays of two layers for it")
    for part, way in zip(use.parts(), ("forward", "backward"), strict=True):
        if part.direction not in (None, way):
            raise use.refuse("its two layers are not called forward and backward")
        found = use.store.arrays(part, use.node, layout=use.layout, scaled=scaled)
        place = f"{way}_layer/cell/vars"
        arrays |= below.numbered(found, *_recurrent_roles(below), place=place)
    name = inner.name.replace("/", "__")
    settings = {"name": name, "dtype": use.dtype_of(inner), **settings, **below.kept(class_name, arrays)}
    if use.node.frozen or inner.frozen:
        settings["trainable"] = False  # today's wrapper does not freeze what lies in it
    layer = written(class_name, settings)
    below.tell_dropped()
    mode = use.said["merge_mode"]
    if below.said["return_sequences"] and value.masked and not use.origin.zeroes_masked:
        return compose.both_ways(use, layer, mode, value, arrays, states=states)
    rank = 2 if below.said["return_sequences"] else 1
    return use.draw_all(
        "Bidirectional",
        {"layer": layer, "merge_mode": mode},
        value,
        arrays=arrays,
        axes=straight(rank),
        handed=handed,
    )


def _time_distributed(use: Use) -> Value:
    inner, value = use.node.inner, use.value
    if inner is None:
        raise use.refuse("it holds no layer")
    if value.rank < 2:
        raise use.refuse("it takes sequences")
    if value.axes[0] != 0:
        value = use.straight(value)
    timewise = Timewise(node=use.node, steps=value.shape[1])
    if use.timewise is not None:
        raise use.refuse("it lies in another TimeDistributed")
    if inner.network is not None:
        drawing = use.sketch(inner.network, [timewise.once(value)], use.name)
        if len(drawing.outputs) > 1:
            raise use.refuse(f"the model in it gives {len(drawing.outputs)} values")
        (end,) = drawing.outputs
        axes = (0, *(axis + 1 for axis in end.axes))
        wanted = (0, *(axis + 1 for axis in drawing.inputs[0].axes))
        return use.draw("TimeDistributed", {}, use.turned(value, wanted), inside=drawing, axes=axes)
    below = replace(use, node=inner, said={}, values=(timewise.once(value),), timewise=timewise)
    result, *more = results_of(use.upgrade(below))
    if more:
        raise use.refuse(f"the layer in it gives {len(more) + 1} values")
    return timewise.whole(result)


# Merging


def _merged(class_name: str) -> Callable[[Use], Value]:
    def draw(use: Use) -> Value:
        if len(use.values) < 2:
            raise use.refuse("a single value feeds it")
        if len({value.rank for value in use.values}) > 1:
            raise use.refuse("what it joins has different numbers of axes")
        return _joined(use, class_name, {}, use.aligned())

    return draw


def _joined(use: Use, class_name: str, settings: Mapping[str, Any], values: Sequence[Value]) -> Value:
    """Draw what joins several values, with the mask that older versions gave it."""
    masked = use.joined_mask()
    if masked is not None and class_name in compose.WITHOUT_MASK:
        class_name, masked = compose.WITHOUT_MASK[class_name], replace(masked, attached=False)
    plain = [replace(value, masked=None) for value in values]
    result = use.draw(class_name, settings, *plain, axes=values[0].axes)
    return replace(result, masked=masked)


def _concatenated(use: Use) -> Value:
    if len(use.values) < 2 or len({value.rank for value in use.values}) > 1:
        raise use.refuse("what it joins has different numbers of axes")
    values = use.aligned()
    axis = moved_axis(use, values[0], use.said["axis"])
    if any(value.masked for value in values) and (values[0].rank != 2 or axis == 1):
        raise use.refuse("masked steps flow into it, and it joins them along another axis than the last")
    return _joined(use, "Concatenate", {"axis": axis}, values)


_MODES: Mapping[str, Callable[[Use], Value]] = {
    "sum": _merged("Add"),
    "mul": _merged("Multiply"),
    "ave": _merged("Average"),
    "max": _merged("Maximum"),
    "concat": _concatenated,
    "dot": products.merged,
    "cos": products.cosine,
}


def _merge(use: Use) -> Value:
    mode = use.said["mode"]
    if not isinstance(mode, str) or mode not in _MODES or use.said["mode_type"] not in (None, "raw"):
        raise use.refuse(f"its mode {shown(mode)} is not one of {', '.join(_MODES)}")
    return _MODES[mode](use)


def _model(use: Use) -> Results:
    network = use.node.network
    assert network is not None
    known = use.drawing.layers.get(use.name)
    drawing = (
        known.inside if known is not None and known.inside else use.sketch(network, use.values, use.name)
    )
    if len(drawing.inputs) != len(use.values):
        raise use.refuse(f"{len(use.values)} values feed it, and it has {len(drawing.inputs)} inputs")
    if any(value.masked for value in use.values):
        raise use.refuse("masked steps flow into it")
    values = [use.turned(value, own.axes) for value, own in zip(use.values, drawing.inputs, strict=True)]
    if not all(map(_fits, values, drawing.inputs)):
        raise use.refuse(SEVERAL_SIZES)
    if any(end.masked for end in drawing.outputs):
        raise use.refuse("masked steps flow out of it")
    results = use.draw_all("Model", {}, *values, inside=drawing)
    return tuple(replace(value, axes=end.axes) for value, end in zip(results, drawing.outputs, strict=True))


def _fits(value: Value, own: Value) -> bool:
    """Return whether a value is of the size of an input, which is that of what flowed in first."""
    return all(size in (None, found) for found, size in zip(value.shape, own.shape, strict=True))


# Layers that the published networks define for themselves: a class of one's own is taken for that of the same
# name and settings, and that is said.


def _published(draw: Callable[[Use], Value]) -> Callable[[Use], Value]:
    def drawn(use: Use) -> Value:
        use.report.published.setdefault(use.node.class_name, use.node.name)
        return draw(use)

    return drawn


def _pool_helper(use: Use) -> Value:
    """Draw x[:, :, 1:, 1:] of maps that are channels first."""
    if use.value.rank != 3 or use.layout != "th":
        raise use.refuse("it takes maps that are channels first")
    settings = {"cropping": [[1, 0], [1, 0]], "data_format": LAST}
    return use.draw("Cropping2D", settings, use.mapped(use.value))


def _scale(use: Use) -> Value:
    return compose.scale(use, use.value, moved_axis(use, use.value, use.said["axis"]))


_RECURRENT = {
    "units": arg("units", "output_dim"),
    "activation": _ACTIVATION,
    "use_bias": _BIAS,
    "return_sequences": arg("return_sequences", default=False),
    "return_state": arg("return_state", default=False),
    "go_backwards": arg("go_backwards", default=False),
    "stateful": arg("stateful", default=False),
    "unroll": arg("unroll", default=False),
    "dropout": arg("dropout", "dropout_W", default=0.0),
    "recurrent_dropout": arg("recurrent_dropout", "dropout_U", default=0.0),
    "time_major": arg("time_major", default=False, only=(False,)),
    "zero_output_for_mask": arg("zero_output_for_mask", default=False, only=(False,)),
    "truncate_gradient": arg("truncate_gradient", default=-1),
}
_GATED = {**_RECURRENT, "recurrent_activation": arg("recurrent_activation", "inner_activation")}
_CUDNN = {
    **_RECURRENT,
    "activation": arg("activation", default="tanh", only=("tanh",)),
    "recurrent_activation": arg("recurrent_activation", default="sigmoid", only=("sigmoid",)),
}


_CODE = {
    name: arg(name, default=None)
    for name in (
        *("function", "function_type", "module", "output_shape", "output_shape_type", "output_shape_module"),
        *("arguments", "mask", "mask_type"),
    )
}


def _all(upgrade: Upgrade, *names: str) -> dict[str, Upgrade]:
    return dict.fromkeys(names, upgrade)


UPGRADES: Mapping[str, Upgrade] = {
    **_all(
        Upgrade(draw=_convolution("Conv1D"), arguments=_CONV),
        "Conv1D",
        "Convolution1D",
        "AtrousConvolution1D",
    ),
    **_all(
        Upgrade(draw=_convolution("Conv2D"), arguments=_CONV),
        "Conv2D",
        "Convolution2D",
        "AtrousConvolution2D",
    ),
    **_all(Upgrade(draw=_convolution("Conv3D"), arguments=_CONV), "Conv3D", "Convolution3D"),
    "Conv1DTranspose": Upgrade(draw=_transposed("Conv1DTranspose"), arguments=_TRANSPOSED),
    **_all(
        Upgrade(draw=_transposed("Conv2DTranspose"), arguments=_TRANSPOSED),
        "Conv2DTranspose",
        "Convolution2DTranspose",
        "Deconvolution2D",
    ),
    **_all(
        Upgrade(draw=_transposed("Conv3DTranspose"), arguments=_TRANSPOSED),
        "Conv3DTranspose",
        "Deconvolution3D",
    ),
    **_all(
        Upgrade(draw=_convolution("SeparableConv1D"), arguments=_SEPARABLE),
        "SeparableConv1D",
        "SeparableConvolution1D",
    ),
    **_all(
        Upgrade(draw=_convolution("SeparableConv2D"), arguments=_SEPARABLE),
        "SeparableConv2D",
        "SeparableConvolution2D",
    ),
    "DepthwiseConv1D": Upgrade(draw=_convolution("DepthwiseConv1D"), arguments=_DEPTHWISE),
    "DepthwiseConv2D": Upgrade(draw=_convolution("DepthwiseConv2D"), arguments=_DEPTHWISE),
    "LocallyConnected1D": Upgrade(draw=compose.local_1d, arguments=compose.LOCAL),
    "LocallyConnected2D": Upgrade(draw=compose.local_2d, arguments=compose.LOCAL),
    **{
        f"{what}Pooling{axes}D": Upgrade(draw=_pooling(f"{what}Pooling{axes}D"), arguments=_POOL)
        for what in ("Max", "Average")
        for axes in (1, 2, 3)
    },
    **{
        f"Global{what}Pooling{axes}D": Upgrade(
            draw=_global(f"Global{what}Pooling{axes}D"), arguments={"order": _ORDER, "keepdims": _KEEPDIMS}
        )
        for what in ("Max", "Average")
        for axes in (1, 2, 3)
    },
    **{
        f"ZeroPadding{axes}D": Upgrade(
            draw=_bordered(f"ZeroPadding{axes}D", "padding"),
            arguments={"padding": arg("padding"), "order": _ORDER},
        )
        for axes in (1, 2, 3)
    },
    **{
        f"Cropping{axes}D": Upgrade(
            draw=_bordered(f"Cropping{axes}D", "cropping"),
            arguments={"cropping": arg("cropping"), "order": _ORDER},
        )
        for axes in (1, 2, 3)
    },
    **{
        f"UpSampling{axes}D": Upgrade(
            draw=_upsampling(f"UpSampling{axes}D"),
            arguments={
                "size": arg("size", "length"),
                "order": _ORDER,
                "interpolation": arg("interpolation", default="nearest"),
            },
        )
        for axes in (1, 2, 3)
    },
    **_all(
        Upgrade(
            draw=_dense,
            arguments={"units": arg("units", "output_dim"), "activation": _ACTIVATION, "use_bias": _BIAS},
        ),
        "Dense",
        "TimeDistributedDense",
    ),
    "Highway": Upgrade(draw=compose.highway, arguments={"activation": _ACTIVATION, "use_bias": _BIAS}),
    "MaxoutDense": Upgrade(
        draw=compose.maxout,
        arguments={"units": arg("output_dim"), "features": arg("nb_feature"), "use_bias": _BIAS},
    ),
    "Activation": Upgrade(draw=_activation, arguments={"activation": arg("activation")}),
    "Softmax": Upgrade(draw=_softmax, arguments={"axis": arg("axis", default=-1)}),
    "ReLU": Upgrade(
        draw=_relu,
        arguments={
            "max_value": arg("max_value", default=None),
            "negative_slope": arg("negative_slope", default=0.0),
            "threshold": arg("threshold", default=0.0),
        },
    ),
    "LeakyReLU": Upgrade(
        draw=_same("LeakyReLU", "negative_slope"),
        arguments={"negative_slope": arg("negative_slope", "alpha")},
    ),
    "ELU": Upgrade(draw=_same("ELU", "alpha"), arguments={"alpha": arg("alpha", default=1.0)}),
    "ThresholdedReLU": Upgrade(draw=_thresholded, arguments={"theta": arg("theta")}),
    "PReLU": Upgrade(draw=_prelu, arguments={"shared_axes": arg("shared_axes", default=None)}),
    "SReLU": Upgrade(draw=compose.srelu, arguments={"shared_axes": arg("shared_axes", default=None)}),
    "ParametricSoftplus": Upgrade(
        draw=compose.softplus, arguments={"shared_axes": arg("shared_axes", default=None)}
    ),
    "BatchNormalization": Upgrade(
        draw=_batch_normalization,
        arguments={
            "axis": arg("axis", default=-1),
            "epsilon": arg("epsilon"),
            "mode": arg("mode", default=0),
            "scale": arg("scale", default=True),
            "center": arg("center", default=True),
        },
    ),
    "Dropout": Upgrade(
        draw=_dropout,
        arguments={"rate": arg("rate", "p"), "noise_shape": arg("noise_shape", default=None)},
    ),
    **{
        f"SpatialDropout{axes}D": Upgrade(
            draw=_spatial_dropout(f"SpatialDropout{axes}D"),
            arguments={
                "rate": arg("rate", "p"),
                "order": _ORDER,
                "noise_shape": arg("noise_shape", default=None, only=(None,)),
            },
        )
        for axes in (1, 2, 3)
    },
    "GaussianDropout": Upgrade(draw=_same("GaussianDropout", "rate"), arguments={"rate": arg("rate", "p")}),
    "GaussianNoise": Upgrade(
        draw=_same("GaussianNoise", "stddev"), arguments={"stddev": arg("stddev", "sigma")}
    ),
    "AlphaDropout": Upgrade(
        draw=_same("AlphaDropout", "rate"),
        arguments={"rate": arg("rate"), "noise_shape": arg("noise_shape", default=None, only=(None,))},
    ),
    "ActivityRegularization": Upgrade(
        draw=_regularization, arguments={"l1": arg("l1", default=0.0), "l2": arg("l2", default=0.0)}
    ),
    "Rescaling": Upgrade(
        draw=_rescaling,
        arguments={"factor": arg("scale"), "offset": arg("offset", default=0.0)},
    ),
    "Masking": Upgrade(
        draw=_same("Masking", "mask_value"), arguments={"mask_value": arg("mask_value", default=0.0)}
    ),
    "Flatten": Upgrade(draw=_flatten, arguments={"data_format": arg("data_format", default=None)}),
    "Reshape": Upgrade(draw=_reshape, arguments={"target_shape": arg("target_shape", "dims")}),
    "Permute": Upgrade(draw=_permute, arguments={"dims": arg("dims")}),
    "RepeatVector": Upgrade(draw=_repeat, arguments={"n": arg("n")}),
    "Embedding": Upgrade(
        draw=_embedding,
        arguments={
            "input_dim": arg("input_dim"),
            "output_dim": arg("output_dim"),
            "mask_zero": arg("mask_zero", default=False),
        },
    ),
    "SimpleRNN": Upgrade(draw=_recurrent("SimpleRNN"), arguments=_RECURRENT),
    "LSTM": Upgrade(draw=_recurrent("LSTM"), arguments=_GATED),
    "GRU": Upgrade(
        draw=_recurrent("GRU"), arguments={**_GATED, "reset_after": arg("reset_after", default=False)}
    ),
    "CuDNNLSTM": Upgrade(draw=_recurrent("LSTM"), arguments=_CUDNN),
    "CuDNNGRU": Upgrade(
        draw=_recurrent("GRU"), arguments={**_CUDNN, "reset_after": arg("reset_after", default=True)}
    ),
    **_all(
        Upgrade(
            draw=_conv_lstm,
            arguments={
                **{name: found for name, found in _GATED.items() if name not in ("units", "unroll")},
                "filters": arg("filters", "nb_filter"),
                "kernel_size": _KERNEL,
                "strides": arg("strides", "subsample", default=1),
                "padding": _PADDING,
                "order": _ORDER,
                "dilation_rate": arg("dilation_rate", default=1, only=(1, [1], [1, 1], [1, 1, 1])),
                "unroll": arg("unroll", default=False),
            },
        ),
        "ConvLSTM1D",
        "ConvLSTM2D",
        "ConvLSTM3D",
    ),
    "Bidirectional": Upgrade(
        draw=_bidirectional,
        arguments={
            "merge_mode": arg("merge_mode", default=None, only=("concat", "sum", "mul", "ave", None)),
            "layer": arg("layer"),
            "backward_layer": arg("backward_layer", default=None, only=(None,)),
        },
    ),
    "TimeDistributed": Upgrade(draw=_time_distributed, arguments={"layer": arg("layer")}),
    "Merge": Upgrade(
        draw=_merge,
        arguments={
            "mode": arg("mode"),
            "mode_type": arg("mode_type", default=None),
            "axis": arg("concat_axis", default=-1),
            "axes": arg("dot_axes", default=-1),
            "output_shape": arg("output_shape", default=None),
            "output_shape_type": arg("output_shape_type", default=None),
            "output_mask": arg("output_mask", default=None),
            "output_mask_type": arg("output_mask_type", default=None),
            "arguments": arg("arguments", default=None),
            "layers": arg("layers", default=None),
            "node_indices": arg("node_indices", default=None),
            "tensor_indices": arg("tensor_indices", default=None),
        },
    ),
    **{
        name: Upgrade(draw=_merged(name))
        for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    },
    "Dot": Upgrade(
        draw=products.dotted,
        arguments={"axes": arg("axes"), "normalize": arg("normalize", default=False)},
    ),
    "Concatenate": Upgrade(draw=_concatenated, arguments={"axis": arg("axis", default=-1)}),
    "Scale": Upgrade(draw=_published(_scale), arguments={"axis": arg("axis", default=-1)}),
    "PoolHelper": Upgrade(draw=_published(_pool_helper)),
    "LRN": Upgrade(
        draw=_published(compose.local_response),
        arguments={name: arg(name) for name in ("alpha", "k", "beta", "n")},
    ),
    "Lambda": Upgrade(draw=computed, arguments=_CODE),
    "Model": Upgrade(draw=_model),
}
"""What becomes of each class, under every name that a version gave it."""
