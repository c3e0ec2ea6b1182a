"""Old arithmetic, composed of today's layers: each composition with its derivation.

Where two are the same for the sizes at hand, the plain layer is drawn. Theano's side of each is as
keras/backend/theano_backend.py of Keras 1.2.2, 2.0.5 and 2.2.4 has it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from converters.arrays.planned import Enlarged, Output
from converters.arrays.rows import Flattened
from converters.limits import shown
from converters.upgrading.drawing import LAST, Value, Values, straight
from converters.upgrading.settings import Argument, sizes
from converters.upgrading.use import ACTIVATIONS, HARD, Use

LOWEST = -3.4028234663852886e38
"""The lowest finite float32: what no largest value is made of. JSON has no infinity."""
Border = tuple[int, int]


def theano_border(reach: int) -> Border:
    """Return what Theano pads in front and behind, so that a window sees as much on either side.

    Border mode ``half`` pads reach // 2 on both sides; of an even window the last result is cut off, which
    leaves (reach - 1) // 2 behind.
    """
    return reach // 2, (reach - 1) // 2


def padded(
    use: Use, value: Value, *, kernel: Sequence[int], strides: Sequence[int], rates: Sequence[int]
) -> tuple[Value, str]:
    """Return what a convolution is to take, and how it is to pad.

    TensorFlow pads as much as the last window lacks, half of it in front, rounded down: with stride 1 this is
    (reach - 1) // 2 in front and reach // 2 behind, Theano's for an odd reach. Everything else of Theano's
    takes a layer that pads, before a convolution that does not.
    """
    padding = str(use.said["padding"])
    if padding not in ("valid", "same", "causal"):
        raise use.refuse(f"its padding is {shown(padding)}")
    reaches = [(size - 1) * rate + 1 for size, rate in zip(kernel, rates, strict=True)]
    if padding != "same" or not use.origin.theano:
        return value, padding
    if all(reach == 1 or (reach % 2 and stride == 1) for reach, stride in zip(reaches, strides, strict=True)):
        return value, padding
    borders = [theano_border(reach) for reach in reaches]
    use.tell(f"padded by {_shown(borders)} before it, as Theano pads on both sides")
    return bordered(use, value, borders), "valid"


def bordered(use: Use, value: Value, borders: Sequence[Border]) -> Value:
    """Return a map or a sequence with zeros around it."""
    sides = [list(side) for side in borders]
    settings: dict[str, Any] = {"padding": sides[0] if len(sides) == 1 else sides}
    settings |= {} if len(sides) == 1 else {"data_format": LAST}
    return use.draw(f"ZeroPadding{len(sides)}D", settings, value, suffix="_padding")


def cropped(use: Use, value: Value, borders: Sequence[Border]) -> Value:
    """Return a map or a sequence without its borders."""
    sides = [list(side) for side in borders]
    if not any(map(any, sides)):
        return value
    settings: dict[str, Any] = {"cropping": sides[0] if len(sides) == 1 else sides}
    settings |= {} if len(sides) == 1 else {"data_format": LAST}
    return use.draw(f"Cropping{len(sides)}D", settings, value, suffix="_cropping")


def _shown(borders: Sequence[Border]) -> str:
    return " x ".join(f"{front}+{behind}" for front, behind in borders)


def _space(value: Value) -> list[int | None]:
    return list(value.shape[1:-1])


def transposed(
    use: Use, class_name: str, settings: Mapping[str, Any], value: Value, arrays: Mapping[str, Output]
) -> Value:
    """Draw a transposed convolution.

    It gives (n - 1) s + k places; Theano's `same` takes n s of them from place k // 2 on, and `valid`, which
    Keras says is of size n s + max(k - s, 0), those from the first on. Where Keras 1 says the size itself, it
    is that. So: the whole, cut. Bias and activation work on each place and may come first. Where places
    behind the last are asked for, Theano has zeros there: a kernel with zeros at its far end gives them.
    """
    padding = use.said["padding"]
    if padding not in ("same", "valid"):
        raise use.refuse(f"its padding is {shown(padding)}")
    kernel, strides = settings["kernel_size"], settings["strides"]
    wanted = _said_size(use)
    space = _space(value)
    if not use.origin.theano:
        return _as_tensorflow(use, class_name, settings, value, arrays, wanted=wanted)
    borders, enlarged = [], []
    for place, (size, stride, n) in enumerate(zip(kernel, strides, space, strict=True)):
        start = size // 2 if padding == "same" else 0
        told = wanted[place] if wanted else None
        if told is not None and n is None:
            raise use.refuse("it says its output_shape, and its input's size is open")
        # All sizes as what is added to n s.
        grows = (
            told - int(n or 0) * stride
            if told is not None
            else 0
            if padding == "same"
            else max(size - stride, 0)
        )
        larger = max(size, start + grows + stride)
        enlarged.append(larger)
        borders.append((start, max(larger - stride, 0) - start - grows))
    too_large = any(more > size + s for more, size, s in zip(enlarged, kernel, strides, strict=True))
    if too_large or any(behind < 0 for _, behind in borders):
        raise use.refuse(f"its output_shape {use.said['output_shape']} is none that its strides give")
    if any(map(any, borders)) or enlarged != kernel:
        use.tell(f"computed as a whole, and {_shown(borders)} cut off, as Theano does")
    own = {**settings, "kernel_size": enlarged, "padding": "valid"}
    named = use.numbered({**arrays, "kernel": _enlarged(arrays["kernel"], enlarged, kernel)}, *arrays)
    result = use.draw(class_name, own, value, arrays=named, axes=value.axes)
    return cropped(use, result, borders)


def _as_tensorflow(
    use: Use,
    class_name: str,
    settings: Mapping[str, Any],
    value: Value,
    arrays: Mapping[str, Output],
    *,
    wanted: Sequence[int | None] | None,
) -> Value:
    result = use.draw(
        class_name,
        {**settings, "padding": use.said["padding"]},
        value,
        arrays=use.numbered(arrays, *arrays),
        axes=value.axes,
    )
    gives = _space(result)
    if wanted and any(n is not None and n != m for n, m in zip(wanted, gives, strict=True)):
        raise use.refuse(f"its output_shape {use.said['output_shape']} is not what today's layer gives")
    return result


def _said_size(use: Use) -> list[int | None] | None:
    """Return the size that Keras 1 says of a transposed convolution's result."""
    said = use.said["output_shape"]
    if said is None:
        return None
    if not isinstance(said, list) or len(said) != len(use.value.shape):
        raise use.refuse("its output_shape is not the shape of a batch")
    return list(said[2:] if use.layout == "th" else said[1:-1])


def _enlarged(output: Values, sizes_: Sequence[int], kernel: Sequence[int]) -> Values:
    """Return a kernel with zeros at its far end; the axes of space are the first."""
    if list(sizes_) == list(kernel):
        return output
    assert isinstance(output, Output)
    shape = (*sizes_, *output.target_shape[len(sizes_) :])
    return Enlarged(output=output, target_shape=shape)


def conv_lstm(
    use: Use,
    class_name: str,
    settings: Mapping[str, Any],
    value: Value,
    arrays: Mapping[str, Output],
    *,
    axes: Sequence[int],
    handed: Mapping[str, Value | tuple[Value, ...]],
) -> tuple[Value, ...]:
    """Draw a convolutional LSTM.

    Its recurrent convolution pads so that maps keep their size, and the kernels of both are of one size. For
    an odd size Theano pads as TensorFlow does. For an even size k it pads k // 2 in front and k // 2 - 1
    behind: with a column of zeros at the far end, a kernel of the odd size k + 1 pads k // 2 on both sides
    and sees the same.
    """
    kernel, padding = list(settings["kernel_size"]), use.said["padding"]
    even = any(size % 2 == 0 for size in kernel)
    stepped = any(stride != 1 for stride in settings["strides"])
    if padding not in ("same", "valid") or (use.origin.theano and (even or stepped) and padding != "same"):
        raise use.refuse(f"its padding is {shown(padding)}, its kernel {kernel}")
    if use.origin.theano and stepped:
        raise use.refuse("it pads on both sides and takes steps larger than one")
    larger = [size + 1 - size % 2 for size in kernel] if use.origin.theano else kernel
    if larger != kernel:
        use.tell("its kernels have zeros at their far end, so that they see on both sides what Theano's saw")
    named = {
        role: _enlarged(output, larger, kernel) if role != "bias" else output
        for role, output in arrays.items()
    }
    own = {**settings, "kernel_size": larger, "padding": padding}
    roles = use.numbered(named, *arrays, place="cell/vars")
    return use.draw_all(class_name, own, value, arrays=roles, axes=tuple(axes), handed=handed)


def both_ways(
    use: Use,
    layer: Mapping[str, Any],
    mode: str | None,
    value: Value,
    arrays: Mapping[str, Output],
    *,
    states: Sequence[Value],
) -> tuple[Value, ...]:
    """Draw a Bidirectional that gives sequences, of which some steps are masked.

    Today's gives zeros for those; older ones gave what the step before gave, as each of their two layers
    does today by itself. So: the two of them, the second turned back in time, and joined. What turns it
    passes on no mask, so that whoever needs it behind is handed it.
    """
    if use.timewise is not None:
        raise use.refuse("it lies in a TimeDistributed")
    use.tell("a layer for each way, so that masked steps repeat the one before, not zeros")
    class_name, settings = layer["class_name"], layer["config"]
    half = len(states) // 2
    given = []
    for number, way in enumerate(("forward", "backward")):
        begun = tuple(states[number * half : (number + 1) * half])
        start = f"{way}_layer/"
        own = {path.removeprefix(start): array for path, array in arrays.items() if path.startswith(start)}
        back = bool(settings["go_backwards"]) != bool(number)
        told = {name: said for name, said in settings.items() if name not in ("name", "dtype")}
        given.append(
            use.draw_all(
                class_name,
                {**told, "go_backwards": back},
                value,
                suffix=f"_{way}",
                arrays=own,
                handed={"initial_state": begun} if begun else {},
            )
        )
    (ahead, *first), (behind, *second) = given
    turned = use.draw("Flip", {"axis": 1}, replace(behind, masked=None), suffix="_turned", axes=behind.axes)
    masked = None if value.masked is None else replace(value.masked, attached=False)
    ways = [replace(ahead, masked=None), turned]
    if mode is not None:
        along = {"axis": -1} if mode == "concat" else {}
        ways = [use.draw(_JOINING[mode], along, *ways, axes=ahead.axes)]
    return (*(replace(way, masked=masked) for way in ways), *first, *second)


def with_first_state(use: Use, steps: Value, state: Value) -> Value:
    """Draw steps of which those before the first that is not masked give the state that the layer began with.

    Today's are zeros there. They are those up to which none is counted that is not masked: 1 - count is 1
    there, and not above 0 from then on. So: steps + relu(1 - count) state.
    """
    if use.timewise is not None or steps.masked is None:
        raise use.refuse("it lies in a TimeDistributed")
    use.tell("steps before the first that is not masked give the state that it begins with, not zeros")
    mask = use.mask(steps.masked)
    if use.said["go_backwards"]:
        mask = use.draw("Flip", {"axis": 1}, mask, suffix="_mask_turned")
    number = use.draw("ops.Cast", {"dtype": "float32"}, mask, suffix="_mask_number", shape=mask.shape)
    count = use.draw("ops.Cumsum", {"axis": 1}, number, suffix="_mask_count", shape=mask.shape)
    left = use.draw("Rescaling", {"scale": -1.0, "offset": 1.0}, count, suffix="_mask_left")
    first = use.draw("Activation", {"activation": "relu"}, left, suffix="_first")
    column = use.draw("Reshape", {"target_shape": [-1, 1]}, first, suffix="_first_column", axes=(0, 1))
    row = use.draw("Reshape", {"target_shape": [1, state.shape[1]]}, state, suffix="_state_row", axes=(0, 1))
    share = use.draw("ops.Multiply", {}, column, row, suffix="_first_state")
    plain = replace(steps, masked=None)
    result = use.draw("ops.Add", {}, plain, share, suffix="_steps", axes=steps.axes)
    return replace(result, masked=replace(steps.masked, attached=False))


_JOINING = {"concat": "ops.Concatenate", "sum": "Add", "mul": "ops.Multiply", "ave": "Average"}
"""What joins two ways; the layers that join do something with masks, see :data:`WITHOUT_MASK`."""
WITHOUT_MASK = {"Multiply": "ops.Multiply", "Concatenate": "ops.Concatenate"}
"""Operations that stand for layers where steps are masked.

The layer that multiplies takes what is masked for ones; the one that puts values side by side does the same
with their masks, by an operation in the graph whose name may be that of a layer.
"""


# Pooling


def pooled(use: Use, class_name: str, settings: Mapping[str, Any], value: Value) -> Value:
    """Draw a pooling that pads as Theano does.

    It pads k - 2 (odd k above 1) or k - 1 on both sides and takes the first ceil(n / s) results. What is
    padded counts for nothing, but in the means of Keras 2.0.
    """
    pool, strides = settings["pool_size"], settings["strides"]
    fronts = [size - 2 if size > 2 and size % 2 else size - 1 for size in pool]
    counts = class_name.startswith("Average") and use.origin.version[:2] == (2, 0)
    if class_name.startswith("Average") and (2, 1) <= use.origin.version < (2, 2, 4) and any(fronts):
        raise use.refuse("whether this version's means count what is padded is not known")
    space = _space(value)
    if counts:
        return _with_border(use, class_name, settings, value, fronts)
    if all(map(_alike, space, pool, strides, fronts)):
        return use.draw(class_name, {**settings, "padding": "same"}, value)
    if all(front == (size - 1) // 2 for front, size in zip(fronts, pool, strict=True)):
        return _thinned(use, class_name, settings, value)
    if class_name.startswith("Max"):
        return _with_border(use, class_name, settings, value, fronts, fill=LOWEST)
    raise use.refuse(f"its windows of {pool} are padded on both sides, which no mean of today's leaves out")


def _alike(size: int | None, pool: int, stride: int, front: int) -> bool:
    """Return whether TensorFlow pads as much in front, half of what the last window lacks, rounded down."""
    if size is None:
        return pool == 1 or (stride == 1 and front == (pool - 1) // 2)
    return max((-(-size // stride) - 1) * stride + pool - size, 0) // 2 == front


def _thinned(use: Use, class_name: str, settings: Mapping[str, Any], value: Value) -> Value:
    """Draw a pooling with stride 1, padded as much on both sides, of which every s-th result is taken.

    TensorFlow's `same` with stride 1 pads (k - 1) // 2 in front: Theano's for windows of three. The window
    that begins at place j s - (k - 1) // 2 is its result number j s.
    """
    use.tell("pooled at each place and then thinned, as Theano pads on both sides")
    count = len(settings["pool_size"])
    ones = [1] * count
    every = use.draw(class_name, {**settings, "strides": ones, "padding": "same"}, value)
    thin = {"pool_size": ones, "strides": settings["strides"], "data_format": LAST, "padding": "valid"}
    return use.draw(f"MaxPooling{count}D", thin, every, suffix="_thinned")


def _with_border(
    use: Use,
    class_name: str,
    settings: Mapping[str, Any],
    value: Value,
    fronts: Sequence[int],
    *,
    fill: float = 0.0,
) -> Value:
    """Draw a border of one value, and a pooling that does not pad, of which the first results are taken."""
    space = _space(value)
    borders, cuts = [], []
    for n, pool, stride, front in zip(space, settings["pool_size"], settings["strides"], fronts, strict=True):
        if n is None:
            raise use.refuse("it is padded on both sides, and its input's size is open")
        wanted = -(-n // stride)
        behind = max((wanted - 1) * stride + pool - front - n, 0)
        borders.append((front, behind))
        cuts.append((0, (n + front + behind - pool) // stride + 1 - wanted))
    use.tell(f"padded by {_shown(borders)} before it, as Theano pads on both sides")
    if fill:
        around = [(0, 0), *borders, (0, 0)]
        if use.timewise is not None:
            raise use.refuse("it lies in a TimeDistributed, which holds no operation")
        widths = {"pad_width": [list(side) for side in around], "mode": "constant"}
        value = use.draw("Pad", widths, value, suffix="_padding", call={"constant_values": fill})
    else:
        value = bordered(use, value, borders)
    result = use.draw(class_name, {**settings, "padding": "valid"}, value)
    return cropped(use, result, cuts)


# Layers that today's Keras has no more


def einsum(
    use: Use,
    equation: str,
    shape: Sequence[int | None],
    value: Value,
    arrays: Mapping[str, Values],
    *,
    suffix: str = "",
    bias: str | None = None,
    activation: str = "linear",
    axes: Sequence[int] | None = None,
) -> Value:
    """Draw a layer that multiplies by an array, and adds one, in any arrangement of axes."""
    settings = {
        "equation": equation,
        "output_shape": list(shape),
        "activation": activation,
        "bias_axes": bias,
    }
    return use.draw(
        "EinsumDense",
        settings,
        value,
        arrays=arrays,
        suffix=suffix,
        axes=None if axes is None else tuple(axes),
    )


def normalized_by_sample(use: Use, arrays: Mapping[str, Output]) -> Value:
    """Draw mode 1 of a BatchNormalization: (x - m) / (sqrt(v + e) + e), m and v along the last axis.

    Up to Keras 1.0.4 it was (x - m) / (sqrt(v) + e), in call() of keras/layers/normalization.py. Today's
    LayerNormalization adds e once, so this takes operations.
    """
    inside = use.origin.version >= (1, 0, 5)
    use.tell(f"{_told(inside=inside, outside=True)}, of operations, without its running statistics")
    return _normalized(use, use.straight(use.value), arrays, along=-1, inside=inside, outside=True)


def _told(*, inside: bool, outside: bool) -> str:
    root = f"sqrt(variance{' + epsilon' if inside else ''})"
    return f"(x - mean) / {f'({root} + epsilon)' if outside else root}"


def normalized_by_batch(use: Use, arrays: Mapping[str, Output], axis: int, *, outside: bool) -> Value:
    """Draw mode 2 of a BatchNormalization: (x - m) / sqrt(v + e), m and v of the batch at hand.

    Where e was added to the deviation it was so besides, up to Keras 1.0.6: normalize_batch_in_training() in
    keras/backend/theano_backend.py.

    A BatchNormalization that is called as in training would do, but a model that is asked for predictions
    calls all its layers as in inference, whatever was said of one call: operation_fn() in
    keras/src/models/functional.py of Keras 3.15.

    Args:
        use: The layer's use.
        arrays: Its arrays.
        axis: The axis of the drawn value, counted with the batch, that each parameter belongs to.
        outside: Whether epsilon is added to the deviation.
    """
    inside = not outside or use.origin.version < (1, 0, 7)
    use.tell(f"{_told(inside=inside, outside=outside)} of the batch at hand, of operations")
    axis %= use.value.rank + 1
    axes = list(use.value.axes)
    value = use.turned(use.value, (*axes[: axis - 1], *axes[axis:], axes[axis - 1]))
    return _normalized(use, value, arrays, along=list(range(value.rank)), inside=inside, outside=outside)


def _normalized(
    use: Use,
    value: Value,
    arrays: Mapping[str, Output],
    *,
    along: int | list[int],
    inside: bool,
    outside: bool,
) -> Value:
    """Draw a normalisation with the statistics along some axes, and a factor and a summand along the last.

    The running statistics that the layer has all the same are used by no one.
    """
    kept = {role: output for role, output in arrays.items() if role in ("gamma", "beta")}
    if set(kept) != {"gamma", "beta"} or use.timewise is not None:
        raise use.refuse(f"its mode is {use.said['mode']}, in a TimeDistributed or without gamma and beta")
    if any(output.target_shape != value.shape[-1:] for output in kept.values()):
        raise use.refuse(f"its arrays are not one number for each of {value.shape[-1]}")
    use.store.drop(output for role, output in arrays.items() if role not in kept)
    means = {"axis": along, "keepdims": True}
    more = {"scale": 1.0, "offset": use.said["epsilon"]}
    mean = use.draw("Mean", means, value, suffix="_mean", axes=value.axes)
    # The layer that subtracts takes the one row of a batch's mean for the size of all batches.
    centred = use.draw("ops.Subtract", {}, value, mean, suffix="_centred")
    square = use.draw("Multiply", {}, centred, centred, suffix="_square")
    variance = use.draw("Mean", means, square, suffix="_variance", axes=value.axes)
    if inside:
        variance = use.draw("Rescaling", more, variance, suffix="_positive")
    deviation = use.draw("Sqrt", {}, variance, suffix="_root")
    if outside:
        deviation = use.draw("Rescaling", more, deviation, suffix="_deviation")
    quotient = use.draw("Divide", {}, centred, deviation, suffix="_quotient", axes=value.axes)
    places, shape = _places(value), _known_or_open(use, value)
    equation = f"b{places},{places[-1]}->b{places}"
    return einsum(use, equation, shape, quotient, use.numbered(kept, "gamma", "beta"), bias=places[-1])


def highway(use: Use) -> Value:
    """Draw t h + (1 - t) x, with t = sigmoid(x Wc + bc) and h = f(x W + b), as x + t (h - x)."""
    value = use.value
    if value.rank != 1 or value.shape[1] is None:
        raise use.refuse("it takes vectors of known size")
    name = activation_of(use)
    if name == HARD:
        raise use.refuse("its activation is hard_sigmoid")
    found = use.arrays()
    roles = ["kernel", "carry_kernel", *(["bias", "carry_bias"] if use.said["use_bias"] else [])]
    use.numbered(found, *roles)
    use.tell("x + t (h - x), of two Dense layers t and h")
    dense = {"units": value.shape[1], "use_bias": use.said["use_bias"]}

    def of(start: str) -> dict[str, Values]:
        own = [role for role in roles if role.startswith("carry_") == bool(start)]
        return {f"vars/{number}": found[role] for number, role in enumerate(own)}

    gate = use.draw("Dense", {**dense, "activation": "sigmoid"}, value, suffix="_carry", arrays=of("carry_"))
    hidden = use.draw("Dense", {**dense, "activation": name}, value, arrays=of(""))
    change = use.draw("Subtract", {}, hidden, value, suffix="_change")
    share = use.draw("Multiply", {}, gate, change, suffix="_share")
    return use.draw("Add", {}, value, share, suffix="_sum")


def activation_of(use: Use) -> str:
    """Return an activation that today's Keras has under the same name."""
    said = use.said["activation"]
    if not isinstance(said, str) or said not in ACTIVATIONS:
        raise use.refuse("its activation is none that Keras had")
    return said


def maxout(use: Use) -> Value:
    """Draw max over k of (x W[k] + b[k]): all k at once, and the largest along their axis."""
    value, features, units = use.value, use.said["features"], use.said["units"]
    if value.rank != 1:
        raise use.refuse("it takes vectors")
    roles = ["kernel", *(["bias"] if use.said["use_bias"] else [])]
    arrays = use.numbered(use.arrays(), *roles)
    use.tell("an EinsumDense of all features, and the largest of them")
    bias = "fu" if use.said["use_bias"] else None
    every = einsum(use, "bi,fiu->bfu", [features, units], value, arrays, bias=bias, axes=(0, 1))
    largest = {"data_format": LAST}
    return use.draw("GlobalMaxPooling1D", largest, every, suffix="_largest", axes=(0,))


def _places(value: Value) -> str:
    return "cdefgh"[: value.rank]


def _known(use: Use, value: Value) -> list[int]:
    sizes_ = [size for size in value.shape[1:] if size is not None]
    if len(sizes_) != value.rank or value.rank > 4:
        raise use.refuse("it has a parameter for each place, and its input's size is open")
    return sizes_


def softplus(use: Use) -> Value:
    """Draw a softplus whose input and output are multiplied, by alpha and beta of each place."""
    value, last = use.by_place()
    found, shape, places = use.arrays(last=last), _known(use, value), _places(value)
    use.numbered(found, "alpha", "beta")
    _check_places(use, found, shape)
    use.tell("a softplus between two EinsumDense layers that multiply each place")
    equation = f"b{places},{places}->b{places}"
    steep = einsum(
        use, equation, shape, value, {"vars/0": found["beta"]}, suffix="_beta", activation="softplus"
    )
    return einsum(use, equation, shape, steep, {"vars/0": found["alpha"]})


def _check_places(use: Use, arrays: Mapping[str, Output], shape: Sequence[int]) -> None:
    for output in arrays.values():
        if list(output.target_shape) != list(shape):
            raise use.refuse(
                f"its array {output.target_shape} is not of the shape of what comes in, {tuple(shape)}"
            )


def srelu(use: Use) -> Value:
    """Draw an SReLU: l + min(p, t) + a relu(d - t), with d = x - l and p = d where d > 0, else c d.

    Its arrays are l = t_left, c = a_left, t = |t_right| and a = a_right, one value for each place. Each is
    the one row of an Embedding that is asked for row 0: so it stays an array of a layer, and is a value that
    layers add and multiply. What is more: p = relu(d) - c relu(-d), and |t| the larger of t and -t.
    """
    value, last = use.by_place()
    found, shape = use.arrays(last=last), _known(use, value)
    use.numbered(found, *_SRELU)
    _check_places(use, found, shape)
    if use.timewise is not None:
        raise use.refuse("it lies in a TimeDistributed")
    use.tell("joined from its lines, each of its arrays the one row of an Embedding")
    row = _row_zero(use, value, math.prod(shape))
    left, slope, right, outer = (_as_value(use, found[role], row, shape, value) for role in _SRELU)
    inner = use.draw("Subtract", {}, value, left, suffix="_inner")
    above = use.draw("Activation", {"activation": "relu"}, inner, suffix="_above")
    turned = use.draw("Rescaling", _MINUS, inner, suffix="_turned")
    below = use.draw("Activation", {"activation": "relu"}, turned, suffix="_below")
    lower = use.draw("Multiply", {}, slope, below, suffix="_lower")
    middle = use.draw("Subtract", {}, above, lower, suffix="_middle")
    threshold = use.draw(
        "Maximum", {}, right, use.draw("Rescaling", _MINUS, right, suffix="_minus"), suffix="_threshold"
    )
    inside = use.draw("Minimum", {}, middle, threshold, suffix="_inside")
    beyond = use.draw("Subtract", {}, inner, threshold, suffix="_beyond")
    rest = use.draw("Activation", {"activation": "relu"}, beyond, suffix="_rest")
    upper = use.draw("Multiply", {}, outer, rest, suffix="_upper")
    return use.draw("Add", {}, left, inside, upper, axes=value.axes)


_SRELU = ("t_left", "a_left", "t_right", "a_right")
_MINUS = {"scale": -1.0, "offset": 0.0}


def _row_zero(use: Use, value: Value, count: int) -> Value:
    """Return the number of an Embedding's one row, for each image: 0 times the largest of its values."""
    flat = use.draw("Reshape", {"target_shape": [count, 1]}, value, suffix="_flat", axes=(0, 1))
    largest = use.draw("GlobalMaxPooling1D", {"data_format": LAST}, flat, suffix="_largest", axes=(0,))
    return use.draw("Rescaling", {"scale": 0.0, "offset": 0.0}, largest, suffix="_row")


def _as_value(use: Use, array: Output, row: Value, shape: Sequence[int], like: Value) -> Value:
    """Return an array as a value: the one row of an Embedding."""
    count = math.prod(shape)
    settings = {"input_dim": 1, "output_dim": count, "mask_zero": False}
    arrays: dict[str, Values] = {"vars/0": Enlarged(output=array, target_shape=(1, count))}
    found = use.draw("Embedding", settings, row, suffix=f"_{array.role}", arrays=arrays, axes=(0, 1))
    return use.draw(
        "Reshape", {"target_shape": list(shape)}, found, suffix=f"_{array.role}_places", axes=like.axes
    )


def scale(use: Use, value: Value, axis: int) -> Value:
    """Draw x g + b along one axis, as the published networks' Scale does."""
    found = use.arrays()
    roles = ("gamma", "beta") if "beta" in found else ("gamma",)
    arrays: dict[str, Values] = dict(use.numbered(found, *roles))
    places, shape = _places(value), _known_or_open(use, value)
    along = places[axis - 1 if axis > 0 else axis]
    if "beta" in found:
        # An EinsumDense has an axis of one element in its bias for each axis behind.
        behind = value.rank - 1 - places.index(along)
        bent = (*found["beta"].target_shape, *(1,) * behind)
        arrays["vars/1"] = Enlarged(output=found["beta"], target_shape=bent)
    bias = along if "beta" in found else None
    return einsum(use, f"b{places},{along}->b{places}", shape, value, arrays, bias=bias, axes=value.axes)


def _known_or_open(use: Use, value: Value) -> list[int | None]:
    if value.rank > 6:
        raise use.refuse("it has too many axes")
    return list(value.shape[1:])


def local_response(use: Use) -> Value:
    """Draw x / (k + alpha m) ^ beta, m the mean of the squares of n channels, zeros beyond the ends.

    A mean over neighbouring channels is that of windows over an axis of space, once the channels lie along
    one; y ^ -beta is the exponential of -beta log y.
    """
    if use.value.rank != 3 or use.timewise is not None:
        raise use.refuse("it takes maps")
    value, count = use.mapped(use.value), use.said["n"]
    shape = _known(use, value)
    use.tell("x / (k + alpha mean) ^ beta over neighbouring channels")
    flat = [shape[0] * shape[1], shape[2], 1]
    square = use.draw("Multiply", {}, value, value, suffix="_square")
    listed = use.draw("Reshape", {"target_shape": flat}, square, suffix="_listed", axes=straight(3))
    around = bordered(use, listed, [(0, 0), (count // 2, count - 1 - count // 2)])
    window = {"pool_size": [1, count], "strides": [1, 1], "padding": "valid", "data_format": LAST}
    mean = use.draw("AveragePooling2D", window, around, suffix="_mean")
    mapped = use.draw("Reshape", {"target_shape": shape}, mean, suffix="_map", axes=value.axes)
    larger = {"scale": use.said["alpha"], "offset": use.said["k"]}
    base = use.draw("Rescaling", larger, mapped, suffix="_base")
    logarithm = use.draw("Log", {}, base, suffix="_log")
    power = use.draw("Rescaling", {"scale": -use.said["beta"], "offset": 0.0}, logarithm, suffix="_power")
    factor = use.draw("Activation", {"activation": "exponential"}, power, suffix="_factor")
    return use.draw("Multiply", {}, value, factor)


LOCAL: Mapping[str, Argument] = {
    "filters": Argument(called=("filters", "nb_filter")),
    "kernel_size": Argument(called=("kernel_size", "filter_length", ("nb_row", "nb_col"))),
    "strides": Argument(called=("strides", "subsample", "subsample_length"), default=1),
    "padding": Argument(called=("padding", "border_mode"), only=("valid",)),
    "order": Argument(called=("data_format", "dim_ordering"), default=None),
    "activation": Argument(called=("activation",), default="linear"),
    "use_bias": Argument(called=("use_bias", "bias"), default=True),
    "implementation": Argument(called=("implementation",), default=1, only=(1,)),
}


def local_1d(use: Use) -> Value:
    """Draw a convolution with a kernel for each place: see :func:`_local`."""
    value = use.straight(use.value)
    if value.rank != 2 or use.said["order"] not in (None, "channels_last"):
        raise use.refuse("it takes sequences of vectors")
    return _local(use, value, use.arrays())


def local_2d(use: Use) -> Value:
    """Draw the same over two axes; its windows become channels last if they were not."""
    if use.value.rank != 3:
        raise use.refuse(f"it takes maps, and {use.value.rank} axes come in")
    value = use.mapped(use.value)
    channels = value.shape[-1]
    kernel = sizes(use.said["kernel_size"], 2)
    if kernel is None or channels is None:
        raise use.refuse("its kernel_size is not one number for each of 2 axes")
    rows = Flattened(rows=((channels, *kernel),), source="model_config")
    turned = use.layout == "th"
    return _local(use, value, use.arrays(last=turned, rows=rows if turned else None))


def _local(use: Use, value: Value, found: Mapping[str, Output]) -> Value:
    """Draw a convolution with a kernel of its own at each place.

    The value at offset o of all windows is the input cropped by o in front and by the rest behind, every s-th
    of it. These, side by side along the channels, are all windows, offsets before channels, as the kernels
    have them; an EinsumDense multiplies each by the kernel of its place.
    """
    space = [size for size in value.shape[1:-1] if size is not None]
    kernel, strides = sizes(use.said["kernel_size"], len(space)), sizes(use.said["strides"], len(space))
    channels, name = value.shape[-1], activation_of(use)
    if kernel is None or strides is None or channels is None or len(space) != value.rank - 1:
        raise use.refuse("its window is not one number for each axis, or its input's size is open")
    if math.prod(kernel) > _MOST_OFFSETS:
        raise use.refuse(f"its window has {math.prod(kernel)} places, which would take as many layers")
    if name == HARD or (name == "softmax" and use.layout == "th" and len(space) > 1):
        raise use.refuse(f"its activation is {name}")
    places = [(n - k) // s + 1 for n, k, s in zip(space, kernel, strides, strict=True)]
    roles = ["kernel", *(["bias"] if use.said["use_bias"] else [])]
    arrays = use.numbered({**found}, *roles)
    wanted = (math.prod(places), math.prod(kernel) * channels, use.said["filters"])
    if found["kernel"].target_shape != wanted:
        raise use.refuse(f"its kernel {found['kernel'].target_shape} should be {wanted}")
    use.tell(f"{math.prod(kernel)} croppings side by side, and an EinsumDense with a kernel for each place")
    windows = _windows(use, value, kernel, strides, space)
    count, filters = math.prod(places), use.said["filters"]
    if len(places) == 1:
        bias = "pf" if use.said["use_bias"] else None
        return einsum(
            use,
            "bpk,pkf->bpf",
            [count, filters],
            windows,
            arrays,
            bias=bias,
            activation=name,
            axes=value.axes,
        )
    # The bias lies (rows, columns, filters), the kernels by places in one row: two axes or one are the same
    # values in the same order.
    flat = {"target_shape": [count, wanted[1]]}
    listed = use.draw("Reshape", flat, windows, suffix="_windows", axes=(0, 1))
    named = {path: _flat(values, count) if path == "vars/1" else values for path, values in arrays.items()}
    bias = "pf" if use.said["use_bias"] else None
    made = einsum(
        use, "bpk,pkf->bpf", [count, filters], listed, named, bias=bias, activation=name, axes=(0, 1)
    )
    return use.draw("Reshape", {"target_shape": [*places, filters]}, made, suffix="_map", axes=value.axes)


_MOST_OFFSETS = 1024


def _windows(
    use: Use, value: Value, kernel: Sequence[int], strides: Sequence[int], space: Sequence[int]
) -> Value:
    """Return the windows of a map, one at each place, offsets before channels."""
    found = []
    for number in range(math.prod(kernel)):
        offset = [number] if len(kernel) == 1 else list(divmod(number, kernel[1]))
        sides = [[at, size - 1 - at] for at, size in zip(offset, kernel, strict=True)]
        settings: dict[str, Any] = {"cropping": sides[0] if len(sides) == 1 else sides}
        settings |= {} if len(sides) == 1 else {"data_format": LAST}
        cut = use.draw(f"Cropping{len(sides)}D", settings, value, suffix=f"_at_{number}")
        if any(stride > 1 for stride in strides):
            thin = {
                "pool_size": [1] * len(sides),
                "strides": list(strides),
                "padding": "valid",
                "data_format": LAST,
            }
            cut = use.draw(f"MaxPooling{len(sides)}D", thin, cut, suffix=f"_at_{number}_thinned")
        found.append(cut)
    if len(found) == 1:
        return found[0]
    return use.draw("Concatenate", {"axis": -1}, *found, suffix="_side_by_side", axes=value.axes)


def _flat(values: Values, count: int) -> Values:
    """Return an array whose first axes count places as one with a single axis for them."""
    assert isinstance(values, Output)
    return Enlarged(output=values, target_shape=(count, values.target_shape[-1]))
