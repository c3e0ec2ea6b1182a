"""Operations of TensorFlow that tf.keras keeps as layers, and what of today's means the same.

``x + 1``, ``tf.concat([x, y], -1)`` or ``x[:, 0]`` on what layers give becomes a ``TFOpLambda`` or a
``SlicingOpLambda`` whose configuration names the function, and whose call says with what. To add one is to
add a record to :data:`OPERATIONS`: its arguments in order, and what draws it. What has a layer becomes that;
only the rest become operations of ``keras.ops``, which a configuration names by private modules.

The first axis is that of the batch, which every layer keeps: what works across it is refused. Numbers in a
call become numbers in the new configuration; no array of a file ever does, since none lies in a call.

Sources: call() and get_config() in tf_keras/src/layers/core/tf_op_layer.py, tf-keras 2.21; the functions
under tensorflow/python/ops; keras/src/ops/numpy.py, nn.py, math.py and core.py, Keras 3.15.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converters.limits import clipped, shown
from converters.upgrading.calls import Fed
from converters.upgrading.drawing import LAST, OPERATION, Value, straight
from converters.upgrading.refusing import Refused
from converters.upgrading.today import Sizes, merged_shape, product
from converters.upgrading.use import Results, Use


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What becomes of an operation.

    Attributes:
        takes: Its arguments in order.
        draw: Draws it and returns what it gives: one value, or several.
        needs: How many of them a call has to say.
    """

    takes: tuple[str, ...]
    draw: Callable[[Call], Results]
    needs: int = 1


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an operation.

    Attributes:
        use: The layer that it is.
        said: Its arguments by name: results of other layers, numbers, lists of either.
    """

    use: Use
    said: Mapping[str, Any]

    def value(self, name: str) -> Value:
        """Return a result that is an argument, as it stands in the old network."""
        found = self.said.get(name)
        if not isinstance(found, Fed):
            raise self.refuse(f"its argument {name} is no result of a layer")
        return self.use.straight(self.use.values[found.place])

    def values(self, name: str) -> list[Value]:
        """Return results that are an argument, a list."""
        found = self.said.get(name)
        listed: list[Any] = found if isinstance(found, list) else [found]
        if not all(isinstance(fed, Fed) for fed in listed):
            raise self.refuse(f"its argument {name} holds more than results of layers")
        return [self.use.straight(self.use.values[fed.place]) for fed in listed]

    def is_value(self, name: str) -> bool:
        """Return whether an argument is a result of a layer."""
        return isinstance(self.said.get(name), Fed)

    def number(self, name: str, default: float | None = None) -> float:
        """Return an argument that is a number."""
        found = self.said.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise self.refuse(f"its argument {name} is {_shown(found)}, not a number")
        return found

    def only(self, name: str, *allowed: object) -> None:
        """Raise unless an argument has one of the values that mean what is drawn."""
        if name in self.said and self.said[name] not in allowed:
            raise self.refuse(f"its argument {name} is {_shown(self.said[name])}")

    def refuse(self, why: str) -> Refused:
        """Return what to raise if it cannot be drawn."""
        return self.use.refuse(f"{self.use.node.settings.get('function')}: {why}")

    def op(self, name: str, *values: Value, shape: Sizes, suffix: str = "", **settings: Any) -> Value:  # noqa: ANN401
        """Draw an operation of ``keras.ops``; settings that are arguments are said in its call."""
        said = {key: value for key, value in settings.items() if key in _IN_CALLS}
        own = {key: value for key, value in settings.items() if key not in _IN_CALLS}
        return self.use.draw(
            f"{OPERATION}{name}",
            own,
            *values,
            call=said,
            shape=shape,
            suffix=suffix,
            axes=straight(len(shape) - 1),
        )

    def layer(self, name: str, *values: Value, suffix: str = "", **settings: Any) -> Value:  # noqa: ANN401
        """Draw a layer."""
        shape = settings.pop("shape", None)
        return self.use.draw(name, settings, *values, suffix=suffix, shape=shape)


_IN_CALLS = ("x1", "x2", "key")


def _shown(value: object) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else shown(value)


def operation(use: Use) -> Results:
    """Draw an operation.

    Raises:
        Refused: If it is not in the table, or is called in a way that has no meaning there.
    """
    symbol = str(use.said["function"])
    found = OPERATIONS.get(symbol)
    if found is None:
        raise use.refuse(f"{clipped(f'tf.{symbol}')} has nothing of today's that is known to mean the same")
    if len(use.node.calls) <= use.number:
        raise use.refuse("what it is called with is not said")
    if any(value.masked for value in use.values):
        raise use.refuse("masked steps flow into it, and operations carry no mask on")
    return found.draw(Call(use=use, said=_bound(use, found)))


def _bound(use: Use, found: Operation) -> dict[str, Any]:
    """Return the arguments of a call by name."""
    call = use.node.calls[use.number]
    said = {
        found.takes[0]: call.first,
        **{name: value for name, value in call.named.items() if name != "name"},
    }
    unknown = [name for name in said if name not in found.takes]
    lacking = [name for name in found.takes[: found.needs] if name not in said]
    symbol = use.said["function"]
    if unknown:
        raise use.refuse(f"{symbol}: its argument {clipped(unknown[0])} has no place")
    if lacking:
        raise use.refuse(f"{symbol}: the file does not say its argument {lacking[0]}")
    return said


# Arithmetic


def _listed(call: Call, name: str) -> list[float] | None:
    """Return an argument that is one number for each channel; None if it is none."""
    found = call.said.get(name)
    while isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    if not isinstance(found, list):
        return None
    if not found or not all(type(number) in (int, float) for number in found):
        raise call.refuse(f"its argument {name} is an array of several axes")
    return [float(number) for number in found]


def _rescaled(call: Call, value: Value, scale: Any, offset: Any, *, suffix: str = "") -> Value:  # noqa: ANN401
    for said in (scale, offset):
        if isinstance(said, list) and len(said) not in (1, value.shape[-1]):
            raise call.refuse(f"it has {len(said)} numbers for {value.shape[-1]} channels")
    return call.layer("Rescaling", value, scale=scale, offset=offset, suffix=suffix)


def _same_rank(call: Call, values: Sequence[Value]) -> Sizes:
    """Return the shape of what values of one rank give, each axis of one element stretched."""
    if len({value.rank for value in values}) > 1:
        raise call.refuse("results of different numbers of axes come together in it")
    return merged_shape([value.shape for value in values])


def _two(
    layer: str, op: str, by_number: Callable[[Call, Value, Any, bool], Value]
) -> Callable[[Call], Value]:
    """Return what draws an operation of two arguments: a layer, or by its rule where one is a number."""

    def draw(call: Call) -> Value:
        if call.is_value("x") and call.is_value("y"):
            values = [call.value("x"), call.value("y")]
            shape = _same_rank(call, values)
            if layer:
                return call.layer(layer, *values)
            return call.op(op, *values, shape=shape)
        first = call.is_value("x")
        value, name = call.value("x" if first else "y"), "y" if first else "x"
        listed = _listed(call, name)
        return by_number(call, value, call.number(name) if listed is None else listed, first)

    return draw


def _is_float(number: Any) -> bool:  # noqa: ANN401
    """Return whether a number tells that what it meets is of floats: TensorFlow mixes no types."""
    return isinstance(number, float | list)


def _negative(number: Any) -> Any:  # noqa: ANN401
    return [-item for item in number] if isinstance(number, list) else -number


def _plus(call: Call, value: Value, number: Any, _: bool) -> Value:  # noqa: ANN401
    if _is_float(number):
        return _rescaled(call, value, 1.0, number)
    return call.op("Add", value, x2=number, shape=value.shape)


def _minus(call: Call, value: Value, number: Any, first: bool) -> Value:  # noqa: ANN401
    if _is_float(number):
        return _rescaled(call, value, 1.0 if first else -1.0, _negative(number) if first else number)
    if first:
        return call.op("Subtract", value, x2=number, shape=value.shape)
    turned = call.op("Negative", value, shape=value.shape, suffix="_turned")
    return call.op("Add", turned, x2=number, shape=value.shape)


def _times(call: Call, value: Value, number: Any, _: bool) -> Value:  # noqa: ANN401
    if _is_float(number):
        return _rescaled(call, value, number, 0.0)
    return call.op("Multiply", value, x2=number, shape=value.shape)


def _over(call: Call, value: Value, number: Any, first: bool) -> Value:  # noqa: ANN401
    """Draw x / c; a quotient by each of several numbers is a product with what each goes into 1."""
    if not first:
        if isinstance(number, list):
            raise call.refuse("it divides several numbers")
        below = call.op("Reciprocal", value, shape=value.shape, suffix="_below")
        return _rescaled(call, below, float(number), 0.0)
    if isinstance(number, list):
        if 0.0 in number:
            raise call.refuse("it divides by zero")
        return _rescaled(call, value, [1.0 / item for item in number], 0.0)
    return call.op("Divide", value, x2=number, shape=value.shape)


def _by_op(op: str, *, swapped: str = "") -> Callable[[Call, Value, Any, bool], Value]:
    """Return what draws an operation of a result and a number as it is, or as its mirror image."""

    def draw(call: Call, value: Value, number: Any, first: bool) -> Value:  # noqa: ANN401
        if isinstance(number, list):
            raise call.refuse("it takes several numbers")
        name = op if first else swapped
        if not name:
            raise call.refuse("its first argument is a number")
        return call.op(name, value, x2=number, shape=value.shape)

    return draw


def _power(call: Call) -> Value:
    value, exponent = call.value("x"), call.number("y")
    if exponent == 2:
        return call.layer("Multiply", value, value)
    if exponent == 0.5:
        return call.op("Sqrt", value, shape=value.shape)
    return call.op("Power", value, x2=exponent, shape=value.shape)


def _sum_of(call: Call) -> Value:
    values = call.values("inputs")
    _same_rank(call, values)
    return values[0] if len(values) == 1 else call.layer("Add", *values)


def _squared(call: Call) -> Value:
    value = call.value("x")
    return call.layer("Multiply", value, value)


def _squared_difference(call: Call) -> Value:
    values = [call.value("x"), call.value("y")]
    _same_rank(call, values)
    change = call.layer("Subtract", *values, suffix="_change")
    return call.layer("Multiply", change, change)


def _each(op: str, argument: str = "x") -> Callable[[Call], Value]:
    """Return what draws an operation on each value."""

    def draw(call: Call) -> Value:
        value = call.value(argument)
        return call.op(op, value, shape=value.shape)

    return draw


def _activation(name: str, argument: str) -> Callable[[Call], Value]:
    def draw(call: Call) -> Value:
        return call.layer("Activation", call.value(argument), activation=name)

    return draw


def _gelu(call: Call) -> Value:
    value = call.value("features")
    if call.said.get("approximate"):
        return call.op("Gelu", value, shape=value.shape, approximate=True)
    return call.layer("Activation", value, activation="gelu")


def _swish(call: Call) -> Value:
    call.only("beta", 1, 1.0)
    return call.layer("Activation", call.value("features"), activation="swish")


def _leaky(call: Call) -> Value:
    return call.layer("LeakyReLU", call.value("features"), negative_slope=call.number("alpha", 0.2))


def _softmax(call: Call) -> Value:
    value = call.value("logits")
    (axis,) = _axes(call, value, call.said.get("axis", -1))
    return call.layer("Softmax", value, axis=axis)


def _clipped(call: Call) -> Value:
    value = call.value("t")
    low, high = call.number("clip_value_min"), call.number("clip_value_max")
    if low == 0 and isinstance(high, float):
        return call.layer("ReLU", value, max_value=high, negative_slope=0.0, threshold=0.0)
    above = call.op("Maximum", value, x2=low, shape=value.shape, suffix="_above")
    return call.op("Minimum", above, x2=high, shape=value.shape)


def _biased(call: Call) -> Value:
    call.only("data_format", "channels_last", "NHWC", "N...C")
    numbers = _listed(call, "bias")
    if numbers is None:
        raise call.refuse("its bias is not one number for each channel")
    return _rescaled(call, call.value("value"), 1.0, numbers)


def _chosen(call: Call) -> Value:
    """Draw a choice between two results, or a result and a number."""
    condition = call.value("condition")
    if call.is_value("x") and call.is_value("y"):
        values = [call.value("x"), call.value("y")]
        return call.op("Where", condition, *values, shape=_same_rank(call, [condition, *values]))
    if call.is_value("x"):
        value = call.value("x")
        return call.op(
            "Where", condition, value, x2=call.number("y"), shape=_same_rank(call, [condition, value])
        )
    value, number = call.value("y"), call.number("x")
    other = call.op("LogicalNot", condition, shape=condition.shape, suffix="_otherwise")
    return call.op("Where", other, value, x2=number, shape=_same_rank(call, [condition, value]))


_TYPES = ("float32", "int32", "int64", "bool")


def _cast(call: Call) -> Value:
    value, dtype = call.value("x"), call.said.get("dtype")
    if dtype not in _TYPES:
        raise call.refuse(f"its argument dtype is {_shown(dtype)}: only {', '.join(_TYPES)} are carried over")
    return call.op("Cast", value, shape=value.shape, dtype=dtype)


# Axes


def _axes(call: Call, value: Value, said: Any) -> list[int]:  # noqa: ANN401
    """Return axes of a value, counted from its start.

    Raises:
        Refused: If it has not got them, or one is that of the batch.
    """
    rank = value.rank + 1
    listed = said if isinstance(said, list) else [said]
    if not all(type(axis) is int and -rank <= axis < rank for axis in listed):
        raise call.refuse(f"its axis {_shown(said)} is none of {rank}")
    found = [axis % rank for axis in listed]
    if 0 in found:
        raise call.refuse("it works across the batch")
    return found


def _reduced(op: str) -> Callable[[Call], Value]:
    def draw(call: Call) -> Value:
        value = call.value("input_tensor")
        if call.said.get("axis") is None:
            raise call.refuse("it works across the batch")
        axes = _axes(call, value, call.said["axis"])
        return _reduce(call, op, value, axes, kept=bool(call.said.get("keepdims")))

    return draw


def _reduce(call: Call, op: str, value: Value, axes: Sequence[int], *, kept: bool, suffix: str = "") -> Value:
    sizes = [1 if at in axes else size for at, size in enumerate(value.shape) if kept or at not in axes]
    axis: Any = axes[0] if len(axes) == 1 else list(axes)
    return call.op(op, value, shape=tuple(sizes), axis=axis, keepdims=kept, suffix=suffix)


def _largest_place(call: Call) -> Value:
    value = call.value("input")
    (axis,) = _axes(call, value, call.said.get("axis", 0))
    return _reduce(call, "Argmax", value, [axis], kept=False)


def _norm(call: Call) -> Value:
    call.only("ord", "euclidean", 2)
    value = call.value("tensor")
    axes = _axes(call, value, call.said.get("axis", 0))
    square = call.layer("Multiply", value, value, suffix="_square")
    kept = bool(call.said.get("keepdims"))
    total = _reduce(call, "Sum", square, axes, kept=kept, suffix="_total")
    return call.op("Sqrt", total, shape=total.shape)


def _unit(call: Call) -> Value:
    call.only("epsilon", 1e-12)
    value = call.value("x")
    return call.layer("UnitNormalization", value, axis=_axes(call, value, call.said.get("axis", 0)))


def _cumulated(call: Call) -> Value:
    call.only("exclusive", False)
    call.only("reverse", False)
    value = call.value("x")
    (axis,) = _axes(call, value, call.said.get("axis", 0))
    return call.op("Cumsum", value, shape=value.shape, axis=axis)


# Shapes


def _in_shape(call: Call, value: Value, sizes: Sequence[int | None], *, suffix: str = "") -> Value:
    """Return a value's numbers as they lie in another shape, of which at most one size may be open."""
    if sum(size is None for size in sizes) > 1:
        raise call.refuse("several sizes of its result are open")
    target = [-1 if size is None else size for size in sizes]
    return call.layer("Reshape", value, target_shape=target, suffix=suffix, shape=(value.shape[0], *sizes))


@dataclass(frozen=True, kw_only=True)
class Shape(Value):
    """The shape of a result, which flows into no layer: what is done with it is worked out.

    Attributes:
        sizes: The shape.
        place: Which of its sizes is taken; None if none is yet.
    """

    sizes: Sizes
    place: int | None = None


def _shape(call: Call) -> Value:
    sizes = call.value("input").shape
    return Shape(layer="", call=0, shape=(len(sizes),), axes=(), sizes=sizes)


def _size_of(call: Call, shape: Shape, said: Any) -> Value:  # noqa: ANN401
    place = said[0] if isinstance(said, list) and len(said) == 1 else said
    if shape.place is not None or type(place) is not int or not -len(shape.sizes) <= place < len(shape.sizes):
        raise call.refuse("more than one size of a shape is taken")
    return Shape(layer="", call=0, shape=(), axes=(), sizes=shape.sizes, place=place % len(shape.sizes))


_BATCH = -2
"""What stands in a shape for the size of the batch."""


def _told_size(call: Call, entry: Any) -> int:  # noqa: ANN401
    """Return a size in a shape: a number, or that of another result."""
    if type(entry) is int:
        return entry
    found = call.use.values[entry.place] if isinstance(entry, Fed) else None
    if not isinstance(found, Shape) or found.place is None:
        raise call.refuse("its shape is no list of numbers")
    size = found.sizes[found.place]
    if found.place == 0:
        return _BATCH
    if size is None:
        raise call.refuse("its shape has a size of another result that is open")
    return size


def _reshaped(call: Call) -> Value:
    value, said = call.value("tensor"), call.said.get("shape")
    if not isinstance(said, list) or not said:
        raise call.refuse("its shape is no list of numbers")
    batch, *sizes = (_told_size(call, entry) for entry in said)
    count = product(value.shape[1:])
    rest = math.prod(size for size in sizes if size != -1)
    told = batch == _BATCH or (batch == value.shape[0] and batch != -1)
    if min([*sizes, 1]) < -1 or not (told or (batch == -1 and -1 not in sizes and count == rest)):
        raise call.refuse(f"whether its shape {_shown(said)} keeps the batch apart is not told")
    free = count // rest if count is not None and rest else None
    return _in_shape(call, value, [free if size == -1 else size for size in sizes])


def _squeezed(call: Call) -> Value:
    value, said = call.value("input"), call.said.get("axis")
    ones = [at for at, size in enumerate(value.shape) if size == 1 and at]
    axes = _axes(call, value, said) if said not in (None, []) else ones
    if said in (None, []) and None in value.shape[1:]:
        raise call.refuse("it leaves out all axes of one element, and sizes are open")
    if any(value.shape[axis] != 1 for axis in axes):
        raise call.refuse("it leaves out an axis that has not one element")
    return _in_shape(call, value, [size for at, size in enumerate(value.shape) if at and at not in axes])


def _expanded(call: Call) -> Value:
    value = call.value("input")
    return _in_shape(call, value, _with_axis(call, value, call.said.get("axis")))


def _with_axis(call: Call, value: Value, axis: Any) -> list[int | None]:  # noqa: ANN401
    """Return a value's shape without its batch, with one more axis of one element."""
    rank = value.rank + 2
    if type(axis) is not int or not -rank <= axis < rank or axis % rank == 0:
        raise call.refuse(f"its axis is {_shown(axis)}")
    sizes = list(value.shape[1:])
    sizes.insert(axis % rank - 1, 1)
    return sizes


def _transposed(call: Call) -> Value:
    value, order = call.value("a"), call.said.get("perm")
    call.only("conjugate", False)
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(map(str, range(value.rank + 1))):
        raise call.refuse(f"its perm is {_shown(order)}")
    if order[0] != 0:
        raise call.refuse("it works across the batch")
    return call.layer("Permute", value, dims=order[1:])


def _concatenated(call: Call) -> Value:
    values = call.values("values")
    if len({value.rank for value in values}) > 1:
        raise call.refuse("results of different numbers of axes come together in it")
    (axis,) = _axes(call, values[0], call.said.get("axis"))
    return values[0] if len(values) == 1 else call.layer("Concatenate", *values, axis=axis)


def _stacked(call: Call) -> Value:
    """Draw values side by side along a new axis: each with that axis, and joined along it."""
    values = call.values("values")
    if len({value.shape for value in values}) > 1:
        raise call.refuse("results of different shapes come together in it")
    sizes = _with_axis(call, values[0], call.said.get("axis", 0))
    made = [
        _in_shape(call, value, sizes, suffix=f"_of_{number}" if len(values) > 1 else "")
        for number, value in enumerate(values)
    ]
    axis = call.said["axis"] % (values[0].rank + 2)
    return made[0] if len(made) == 1 else call.layer("Concatenate", *made, axis=axis)


def _tiled(call: Call) -> Value:
    value, times = call.value("input"), call.said.get("multiples")
    if (
        not isinstance(times, list)
        or len(times) != len(value.shape)
        or not all(type(n) is int for n in times)
    ):
        raise call.refuse("its multiples are no list of numbers")
    if times[0] != 1 or min(times) < 1:
        raise call.refuse("it works across the batch")
    shape = tuple(None if size is None else size * n for size, n in zip(value.shape, times, strict=True))
    return call.op("Tile", value, shape=shape, repeats=times)


def _padded(call: Call) -> Value:
    """Draw zeros around a sequence or a map, by the layer that does it."""
    call.only("mode", "CONSTANT", "constant")
    call.only("constant_values", 0, 0.0)
    value, sides = call.value("tensor"), call.said.get("paddings")
    if not isinstance(sides, list) or len(sides) != len(value.shape) or not all(map(_is_side, sides)):
        raise call.refuse("its paddings are no list of numbers")
    if any(sides[0]) or any(sides[-1]) or value.rank not in (2, 3, 4):
        raise call.refuse("it pads the batch, or the channels")
    inner = sides[1:-1]
    settings = {"padding": inner[0]} if len(inner) == 1 else {"padding": inner, "data_format": LAST}
    return call.layer(f"ZeroPadding{len(inner)}D", value, **settings)


def _is_side(side: object) -> bool:
    return isinstance(side, list) and len(side) == 2 and all(type(n) is int and n >= 0 for n in side)


def _multiplied(call: Call) -> Value:
    """Draw a product of matrices, each transposed by a layer if that is said."""
    for name in ("adjoint_a", "adjoint_b", "a_is_sparse", "b_is_sparse"):
        call.only(name, False)
    first, second = (
        _flipped(call, call.value(name), suffix=f"_{name}")
        if call.said.get(f"transpose_{name}")
        else call.value(name)
        for name in ("a", "b")
    )
    if first.rank != second.rank or first.rank < 2:
        raise call.refuse("results of different numbers of axes come together in it")
    before = merged_shape([first.shape[:-2], second.shape[:-2]])
    return call.op("Matmul", first, second, shape=(*before, first.shape[-2], second.shape[-1]))


def _flipped(call: Call, value: Value, *, suffix: str) -> Value:
    if value.rank < 2:
        raise call.refuse("it works across the batch")
    dims = [*range(1, value.rank - 1), value.rank, value.rank - 1]
    return call.layer("Permute", value, dims=dims, suffix=suffix)


def _resized(call: Call) -> Value:
    value, size = call.value("images"), call.said.get("size")
    call.only("preserve_aspect_ratio", False)
    call.only("antialias", False)
    method = call.said.get("method", "bilinear")
    if method not in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
        raise call.refuse(f"its argument method is {_shown(method)}")
    if (
        value.rank != 3
        or not isinstance(size, list)
        or len(size) != 2
        or not all(type(n) is int for n in size)
    ):
        raise call.refuse("it takes no maps, or its size is no list of two numbers")
    settings = {"height": size[0], "width": size[1], "interpolation": method, "data_format": LAST}
    shape = (value.shape[0], *size, value.shape[-1])
    return call.layer("Resizing", value, shape=shape, crop_to_aspect_ratio=False, **settings)


def _same(argument: str) -> Callable[[Call], Value]:
    def draw(call: Call) -> Value:
        return call.layer("Identity", call.value(argument))

    return draw


# Slices

ELLIPSIS = {"class_name": "__ellipsis__"}
_WHOLE: dict[str, None] = {"start": None, "stop": None, "step": None}


def _sliced(call: Call) -> Value:
    """Draw x[...]: the same places, told as today's operation is told them."""
    value, said = call.value("tensor"), call.said.get("slice_spec")
    if isinstance(value, Shape):
        return _size_of(call, value, said)
    listed = _spread(call, said if isinstance(said, list) else [said], value)
    if listed[0] != _WHOLE:
        raise call.refuse("it works across the batch")
    shape: list[int | None] = []
    axis = 0
    for entry in listed:
        if entry is None:
            shape.append(1)
            continue
        shape += _left(call, entry, value.shape[axis])
        axis += 1
    return call.op("GetItem", value, key=[_told(entry) for entry in listed], shape=tuple(shape))


def _spread(call: Call, entries: Sequence[Any], value: Value) -> list[Any]:
    """Return one entry for each axis of a value, and None for each new axis."""
    axes = sum(entry is not None and entry != ELLIPSIS for entry in entries)
    missing = len(value.shape) - axes
    if missing < 0:
        raise call.refuse("it names more axes than there are")
    found: list[Any] = []
    for entry in entries:
        found += [_WHOLE] * missing if entry == ELLIPSIS else [entry]
    if ELLIPSIS not in entries:
        found += [_WHOLE] * missing
    return [_as_slice(entry) for entry in found]


def _as_slice(entry: Any) -> Any:  # noqa: ANN401
    if not isinstance(entry, Mapping) or "start" not in entry:
        return entry
    found = {name: entry.get(name) for name in _WHOLE}
    return _WHOLE if found in (_WHOLE, {**_WHOLE, "step": 1}) else found


def _left(call: Call, entry: Any, size: int | None) -> list[int | None]:  # noqa: ANN401
    """Return the size that an axis has behind a slice; none if a number takes one place of it."""
    if type(entry) is int:
        if size is not None and not -size <= entry < size:
            raise call.refuse(f"it takes place {entry} of {size}")
        return []
    if not isinstance(entry, Mapping) or not all(n is None or type(n) is int for n in entry.values()):
        raise call.refuse("its places are not numbers")
    if entry["step"] == 0:
        raise call.refuse("its step is 0")
    if size is None:
        return [None]
    count = len(range(*slice(entry["start"], entry["stop"], entry["step"]).indices(size)))
    if not count:
        raise call.refuse("it leaves nothing of an axis")
    return [count]


def _told(entry: Any) -> Any:  # noqa: ANN401
    """Return a place as a configuration of today's tells it."""
    return {"class_name": "__slice__", "config": dict(entry)} if isinstance(entry, Mapping) else entry


def _incomplete(call: Call) -> Value:
    """Refuse what takes several results by their places: tf.keras writes down the first argument alone."""
    raise call.refuse("the file does not say what it is called with")


def _old(operation: Operation, *names: str) -> dict[str, Operation]:
    """Return an operation under its name, and under that which TensorFlow 1 has for it."""
    return {f"{start}{name}": operation for name in names for start in ("", "compat.v1.")}


def _split(call: Call) -> tuple[Value, ...]:
    """Draw the parts of a value along an axis: each what lies between two places."""
    value, said = call.value("value"), call.said.get("num_or_size_splits")
    call.only("num")
    (axis,) = _axes(call, value, call.said.get("axis", 0))
    size = value.shape[axis]
    if type(said) is int and size is not None and 0 < said <= size and size % said == 0:
        said = [size // said] * said
    if not isinstance(said, list) or not all(type(n) is int and n > 0 for n in said) or sum(said) != size:
        raise call.refuse(f"its parts are {_shown(said)} of {size}")
    ends = [sum(said[: at + 1]) for at in range(len(said))]
    return tuple(
        _part(call, value, axis, {"start": end - n, "stop": end, "step": None}, number)
        for number, (n, end) in enumerate(zip(said, ends, strict=True))
    )


def _unstacked(call: Call) -> tuple[Value, ...]:
    """Draw the places of a value along an axis, each without that axis."""
    value = call.value("value")
    (axis,) = _axes(call, value, call.said.get("axis", 0))
    size = value.shape[axis]
    if size is None or size > _MOST_PARTS:
        raise call.refuse(f"it has {size or 'an open number of'} parts")
    return tuple(_part(call, value, axis, place, place) for place in range(size))


_MOST_PARTS = 1024


def _part(call: Call, value: Value, axis: int, place: Any, number: int) -> Value:  # noqa: ANN401
    key = [_WHOLE] * axis + [place]
    shape = (*value.shape[:axis], *_left(call, place, value.shape[axis]), *value.shape[axis + 1 :])
    suffix = f"_part_{number}" if number else ""
    return call.op("GetItem", value, key=[_told(entry) for entry in key], shape=shape, suffix=suffix)


_XY = ("x", "y")
_REDUCES = ("input_tensor", "axis", "keepdims")


def _pair(draw: Callable[[Call], Value]) -> Operation:
    return Operation(takes=_XY, draw=draw, needs=2)


def _compared(op: str, mirrored: str) -> Operation:
    return _pair(_two("", op, _by_op(op, swapped=mirrored)))


OPERATIONS: Mapping[str, Operation] = {
    **dict.fromkeys(("__operators__.add", "math.add"), _pair(_two("Add", "", _plus))),
    **dict.fromkeys(("math.subtract", "__operators__.sub"), _pair(_two("Subtract", "", _minus))),
    **dict.fromkeys(("math.multiply", "__operators__.mul"), _pair(_two("Multiply", "", _times))),
    **dict.fromkeys(("math.truediv", "math.divide"), _pair(_two("", "Divide", _over))),
    "math.maximum": _pair(_two("Maximum", "", _by_op("Maximum", swapped="Maximum"))),
    "math.minimum": _pair(_two("Minimum", "", _by_op("Minimum", swapped="Minimum"))),
    **dict.fromkeys(
        ("math.floordiv", "compat.v1.floor_div"), _pair(_two("", "FloorDivide", _by_op("FloorDivide")))
    ),
    "math.floormod": _pair(_two("", "Mod", _by_op("Mod"))),
    "math.pow": _pair(_power),
    "math.squared_difference": _pair(_squared_difference),
    "math.greater": _compared("Greater", "Less"),
    "math.greater_equal": _compared("GreaterEqual", "LessEqual"),
    "math.less": _compared("Less", "Greater"),
    "math.less_equal": _compared("LessEqual", "GreaterEqual"),
    **dict.fromkeys(("math.equal", "__operators__.eq"), _compared("Equal", "Equal")),
    **dict.fromkeys(("math.not_equal", "__operators__.ne"), _compared("NotEqual", "NotEqual")),
    "math.logical_and": _pair(_two("", "LogicalAnd", _by_op(""))),
    "math.logical_or": _pair(_two("", "LogicalOr", _by_op(""))),
    "math.logical_not": Operation(takes=("x",), draw=_each("LogicalNot")),
    "where": Operation(takes=("condition", "x", "y"), draw=_chosen, needs=3),
    "math.add_n": Operation(takes=("inputs",), draw=_sum_of),
    "math.square": Operation(takes=("x",), draw=_squared),
    **{
        f"math.{symbol}": Operation(takes=("x",), draw=_each(op))
        for symbol, op in (
            ("abs", "Absolute"),
            ("negative", "Negative"),
            ("sqrt", "Sqrt"),
            ("rsqrt", "Rsqrt"),
            ("log", "Log"),
            ("log1p", "Log1p"),
            ("expm1", "Expm1"),
            ("sign", "Sign"),
            ("floor", "Floor"),
            ("ceil", "Ceil"),
            ("sin", "Sin"),
            ("cos", "Cos"),
            ("reciprocal", "Reciprocal"),
            ("erf", "Erf"),
        )
    },
    "math.exp": Operation(takes=("x",), draw=_activation("exponential", "x")),
    "math.sigmoid": Operation(takes=("x",), draw=_activation("sigmoid", "x")),
    "math.tanh": Operation(takes=("x",), draw=_activation("tanh", "x")),
    "math.softplus": Operation(takes=("features",), draw=_activation("softplus", "features")),
    **{
        f"nn.{name}": Operation(takes=("features",), draw=_activation(name, "features"))
        for name in ("relu", "relu6", "elu", "selu", "softsign")
    },
    "nn.gelu": Operation(takes=("features", "approximate"), draw=_gelu),
    **dict.fromkeys(("nn.silu", "nn.swish"), Operation(takes=("features", "beta"), draw=_swish)),
    "nn.leaky_relu": Operation(takes=("features", "alpha"), draw=_leaky),
    "nn.softmax": Operation(takes=("logits", "axis"), draw=_softmax),
    "nn.bias_add": Operation(takes=("value", "bias", "data_format"), draw=_biased, needs=2),
    "clip_by_value": Operation(takes=("t", "clip_value_min", "clip_value_max"), draw=_clipped, needs=3),
    "cast": Operation(takes=("x", "dtype"), draw=_cast, needs=2),
    **{
        f"math.reduce_{symbol}": Operation(takes=_REDUCES, draw=_reduced(op))
        for symbol, op in (
            ("mean", "Mean"),
            ("sum", "Sum"),
            ("max", "Max"),
            ("min", "Min"),
            ("prod", "Prod"),
            ("variance", "Var"),
            ("std", "Std"),
        )
    },
    "math.argmax": Operation(takes=("input", "axis", "output_type"), draw=_largest_place),
    **_old(Operation(takes=("tensor", "ord", "axis", "keepdims"), draw=_norm), "norm"),
    "math.l2_normalize": Operation(takes=("x", "axis", "epsilon"), draw=_unit),
    "math.cumsum": Operation(takes=("x", "axis", "exclusive", "reverse"), draw=_cumulated),
    "reshape": Operation(takes=("tensor", "shape"), draw=_reshaped, needs=2),
    **_old(Operation(takes=("input", "out_type"), draw=_shape), "shape"),
    **_old(Operation(takes=("input", "axis"), draw=_squeezed), "squeeze"),
    **_old(Operation(takes=("input", "axis"), draw=_expanded, needs=2), "expand_dims"),
    **_old(Operation(takes=("a", "perm", "conjugate"), draw=_transposed, needs=2), "transpose"),
    "concat": Operation(takes=("values", "axis"), draw=_concatenated, needs=2),
    "stack": Operation(takes=("values", "axis"), draw=_stacked),
    "tile": Operation(takes=("input", "multiples"), draw=_tiled, needs=2),
    **_old(Operation(takes=("tensor", "paddings", "mode", "constant_values"), draw=_padded, needs=2), "pad"),
    "einsum": Operation(takes=("equation", "inputs"), draw=_incomplete),
    "linalg.matmul": Operation(
        takes=(
            *("a", "b", "transpose_a", "transpose_b", "adjoint_a", "adjoint_b"),
            *("a_is_sparse", "b_is_sparse", "output_type"),
        ),
        draw=_multiplied,
        needs=2,
    ),
    "image.resize": Operation(
        takes=("images", "size", "method", "preserve_aspect_ratio", "antialias"), draw=_resized, needs=2
    ),
    "identity": Operation(takes=("input",), draw=_same("input")),
    "stop_gradient": Operation(takes=("input",), draw=_each("StopGradient", "input")),
    "split": Operation(takes=("value", "num_or_size_splits", "axis", "num"), draw=_split, needs=2),
    "unstack": Operation(takes=("value", "num", "axis"), draw=_unstacked),
    "__operators__.getitem": Operation(takes=("tensor", "slice_spec"), draw=_sliced, needs=2),
}
"""What becomes of each operation, by TensorFlow's name for it."""
