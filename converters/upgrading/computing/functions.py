"""The functions that a Lambda may call: one record for each, in one table.

To add one is to add a record to :data:`FUNCTIONS`: its names, its arguments, and what draws it. Functions of
Keras' backend are called ``K.``; under the same names they lie in ``keras.backend`` and ``tf.keras.backend``.

Sources: keras/backend/tensorflow_backend.py and theano_backend.py, Keras 1.2.2 and 2.2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converters.upgrading import products
from converters.upgrading.computing.drawing import (
    ARITHMETIC,
    Found,
    Named,
    Sheet,
    axis_of,
    expanded,
    flipped,
    joined,
    number,
    power,
    reshaped,
    scaled,
    squeezed,
    value_of,
)
from converters.upgrading.computing.expressions import NotRecognisedError
from converters.upgrading.drawing import Value

Given = Mapping[str, Found]
"""What a function is given, by the names of its arguments."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function.

    Attributes:
        names: What it is called: a name under ``K.`` or ``tf.``.
        arguments: Its arguments in their order, each with the other names that a version or TensorFlow has
            for it behind ``|``.
        defaults: What they are if they are not given.
        draw: Draws it; the last thing that is drawn has the suffix.
    """

    names: tuple[str, ...]
    arguments: tuple[str, ...]
    draw: Callable[[Sheet, Given, str], Found]
    defaults: Mapping[str, Any]


def _function(
    names: str,
    arguments: str,
    draw: Callable[[Sheet, Given, str], Found],
    **defaults: Any,  # noqa: ANN401
) -> Function:
    return Function(
        names=tuple(names.split()), arguments=tuple(arguments.split()), draw=draw, defaults=defaults
    )


# Of one value


def _layer(class_name: str, **settings: Any) -> Callable[[Sheet, Given, str], Value]:  # noqa: ANN401
    def draw(sheet: Sheet, given: Given, suffix: str) -> Value:
        return sheet.draw(class_name, settings, value_of(given["x"]), suffix=suffix)

    return draw


def _activation(name: str) -> Callable[[Sheet, Given, str], Value]:
    return _layer("Activation", activation=name)


def _identity(sheet: Sheet, given: Given, suffix: str) -> Found:
    return given["x"]


def _cast(sheet: Sheet, given: Given, suffix: str) -> Found:
    wanted = given["dtype"].name if isinstance(given["dtype"], Named) else given["dtype"]
    if wanted not in ("float32", "tf.float32"):
        raise NotRecognisedError("it makes values of another type")
    return given["x"]


def _square(sheet: Sheet, given: Given, suffix: str) -> Value:
    return power(sheet, given["x"], 2, suffix)


def _root(sheet: Sheet, given: Given, suffix: str) -> Value:
    """Draw Keras' root, which takes what is negative for zero."""
    positive = sheet.draw(
        "Activation", {"activation": "relu"}, value_of(given["x"]), suffix=f"{suffix}_positive"
    )
    return sheet.draw("Sqrt", {}, positive, suffix=suffix)


def _negative(sheet: Sheet, given: Given, suffix: str) -> Value:
    return scaled(sheet, value_of(given["x"]), -1.0, 0.0, suffix)


def _softmax(sheet: Sheet, given: Given, suffix: str) -> Value:
    value = value_of(given["x"])
    return sheet.draw("Softmax", {"axis": axis_of(value, given["axis"])}, value, suffix=suffix)


def _hard_sigmoid(sheet: Sheet, given: Given, suffix: str) -> Value:
    """Draw clip(0.2 x + 0.5), today's hard sigmoid of 1.2 x."""
    steep = scaled(sheet, value_of(given["x"]), 1.2, 0.0, f"{suffix}_scaled")
    return sheet.draw("Activation", {"activation": "hard_sigmoid"}, steep, suffix=suffix)


def _relu(sheet: Sheet, given: Given, suffix: str) -> Value:
    most = given["max_value"]
    settings = {
        "negative_slope": number(given["alpha"]),
        "threshold": 0.0,
        "max_value": most if most is None else number(most),
    }
    return sheet.draw("ReLU", settings, value_of(given["x"]), suffix=suffix)


# Along axes


def _reduced(class_name: str) -> Callable[[Sheet, Given, str], Value]:
    def draw(sheet: Sheet, given: Given, suffix: str) -> Value:
        value, said = value_of(given["x"]), given["axis"]
        if said is None or said == []:
            raise NotRecognisedError("it joins all samples")
        axes = [axis_of(value, axis) for axis in (said if isinstance(said, list) else [said])]
        settings = {"axis": axes[0] if len(axes) == 1 else sorted(axes), "keepdims": bool(given["keepdims"])}
        return sheet.draw(class_name, settings, value, suffix=suffix)

    return draw


def _l2_normalize(sheet: Sheet, given: Given, suffix: str) -> Value:
    value = value_of(given["x"])
    return products.l2_normalized(sheet.use, value, axis_of(value, given["axis"]), suffix=suffix)


def _tf_l2_normalize(sheet: Sheet, given: Given, suffix: str) -> Value:
    value, floor = value_of(given["x"]), number(given["epsilon"])
    return products.l2_normalized(sheet.use, value, axis_of(value, given["axis"]), suffix=suffix, floor=floor)


def _norm(sheet: Sheet, given: Given, suffix: str) -> Value:
    if given["ord"] not in ("euclidean", 2):
        raise NotRecognisedError("it measures otherwise than with squares")
    squares = power(sheet, given["x"], 2, f"{suffix}_square")
    total = _reduced("Sum")(sheet, {**given, "x": squares}, f"{suffix}_sum")
    return sheet.draw("Sqrt", {}, total, suffix=suffix)


def _reversed(sheet: Sheet, given: Given, suffix: str) -> Value:
    value, said = value_of(given["x"]), given["axes"]
    axes = said if isinstance(said, list) else [said]
    for place, axis in enumerate(axes):
        last = place == len(axes) - 1
        value = flipped(sheet, value, axis_of(value, axis), suffix if last else f"{suffix}_{place}")
    return value


# Shapes


def _expand_dims(sheet: Sheet, given: Given, suffix: str) -> Value:
    value = value_of(given["x"])
    return expanded(sheet, value, axis_of(value, given["axis"], more=1), suffix)


def _squeeze(sheet: Sheet, given: Given, suffix: str) -> Value:
    value, said = value_of(given["x"]), given["axis"]
    axis = said[0] if isinstance(said, list) and len(said) == 1 else said
    if sheet.use.origin.theano and type(axis) is int and axis < 0:
        raise NotRecognisedError("Theano leaves out no axis that is counted from the end")
    return squeezed(sheet, value, axis_of(value, axis), suffix)


def _reshape(sheet: Sheet, given: Given, suffix: str) -> Value:
    """Draw a shape of which the first size is the batch's, which is to be the old one."""
    value, shape = value_of(given["x"]), given["shape"]
    known = isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape[1:])
    sizes = [size for size in value.shape[1:] if size is not None]
    if not known or not shape or shape[0] != -1 or len(sizes) != value.rank:
        raise NotRecognisedError("it makes values of a shape that nothing says")
    if _product(shape[1:]) != _product(sizes):
        raise NotRecognisedError("it makes one sample of several, or several of one")
    return reshaped(sheet, value, shape[1:], suffix)


def _product(sizes: Sequence[int]) -> int:
    found = 1
    for size in sizes:
        found *= size
    return found


def _permute(sheet: Sheet, given: Given, suffix: str) -> Value:
    value, order = value_of(given["x"]), given["pattern"]
    if (
        not isinstance(order, list)
        or order[:1] != [0]
        or sorted(map(str, order)) != sorted(map(str, range(value.rank + 1)))
    ):
        raise NotRecognisedError("it moves the samples' axis, or names no axis or one twice")
    return sheet.draw("Permute", {"dims": order[1:]}, value, suffix=suffix)


def _repeat(sheet: Sheet, given: Given, suffix: str) -> Value:
    value, count = value_of(given["x"]), given["n"]
    if value.rank != 1 or type(count) is not int or not 0 < count < 1 << 20:
        raise NotRecognisedError("it repeats what is no vector")
    return sheet.draw("RepeatVector", {"n": count}, value, suffix=suffix)


def _batch_flatten(sheet: Sheet, given: Given, suffix: str) -> Value:
    return sheet.draw("Flatten", {"data_format": "channels_last"}, value_of(given["x"]), suffix=suffix)


# Of several values


def _values(found: Found) -> list[Value]:
    if not isinstance(found, list) or len(found) < 2:
        raise NotRecognisedError("it joins what is no list of values")
    values = [value_of(value) for value in found]
    if len({value.rank for value in values}) > 1:
        raise NotRecognisedError("it joins values of several numbers of axes")
    return values


def _concatenate(sheet: Sheet, given: Given, suffix: str) -> Value:
    values = _values(given["tensors"])
    axis = axis_of(values[0], given["axis"])
    rests = {(*value.shape[1:axis], *value.shape[axis + 1 :]) for value in values}
    if len(rests) > 1:
        raise NotRecognisedError("it joins values of several sizes")
    return sheet.draw("Concatenate", {"axis": axis}, *values, suffix=suffix)


def _stack(sheet: Sheet, given: Given, suffix: str) -> Value:
    """Draw values one behind the other along an axis of their own."""
    values = _values(given["x"])
    axis = axis_of(values[0], given["axis"], more=1)
    if len({value.shape for value in values}) > 1:
        raise NotRecognisedError("it joins values of several sizes")
    apart = [expanded(sheet, value, axis, f"{suffix}_{place}") for place, value in enumerate(values)]
    return sheet.draw("Concatenate", {"axis": axis}, *apart, suffix=suffix)


def _batch_dot(sheet: Sheet, given: Given, suffix: str) -> Value:
    first, second, said = value_of(given["x"]), value_of(given["y"]), given["axes"]
    axes = [said, said] if type(said) is int else said
    if not isinstance(axes, list) or len(axes) != 2 or any(type(axis) is not int for axis in axes):
        raise NotRecognisedError("it sums along axes that nothing says")
    if min(axes) < 1:
        raise NotRecognisedError("it sums along axes counted from the end")
    return products.dot(sheet.use, first, second, (axes[0], axes[1]), suffix=suffix)


def _operator(symbol: str) -> Callable[[Sheet, Given, str], Value]:
    def draw(sheet: Sheet, given: Given, suffix: str) -> Value:
        return ARITHMETIC[symbol](sheet, given["x"], given["y"], suffix)

    return draw


def _bounded(class_name: str) -> Callable[[Sheet, Given, str], Value]:
    """Return what draws the larger, or the smaller, of two: of values, or of one and a number."""

    def draw(sheet: Sheet, given: Given, suffix: str) -> Value:
        first, second = given["x"], given["y"]
        if isinstance(first, Value) and isinstance(second, Value):
            return joined(sheet, class_name, first, second, suffix)
        value, least = (first, second) if isinstance(first, Value) else (second, first)
        return sheet.draw(
            f"ops.{class_name}", {}, value_of(value), suffix=suffix, call={"x2": float(number(least))}
        )

    return draw


def _clip(sheet: Sheet, given: Given, suffix: str) -> Value:
    least, most = given["min_value"], given["max_value"]
    above = _bounded("Maximum")(sheet, {"x": given["x"], "y": number(least)}, f"{suffix}_above")
    return _bounded("Minimum")(sheet, {"x": above, "y": number(most)}, suffix)


def _said(value: Found) -> Callable[[Sheet, Given, str], Found]:
    return lambda sheet, given, suffix: value


_X = "x|input|tensor|input_tensor|features|a|value|logits|values|inputs"
_AXIS = "axis|axes|dim|reduction_indices"
_KEEPDIMS = "keepdims|keep_dims"
_ALL = {"axis": None, "keepdims": False}
_ALONG = f"{_X} {_AXIS} {_KEEPDIMS}"
FUNCTIONS: tuple[Function, ...] = (
    _function("K.abs tf.abs tf.math.abs", _X, _layer("Absolute")),
    _function("K.square tf.square tf.math.square", _X, _square),
    _function("K.sqrt", _X, _root),
    _function("tf.sqrt tf.math.sqrt", _X, _layer("Sqrt")),
    _function("K.exp tf.exp tf.math.exp", _X, _activation("exponential")),
    _function("K.log tf.log tf.math.log", _X, _layer("Log")),
    _function("K.sign tf.sign tf.math.sign", _X, _layer("Sign")),
    _function("tf.negative tf.math.negative", _X, _negative),
    _function("K.pow tf.pow tf.math.pow", "x a|y", lambda s, g, n: power(s, g["x"], g["a"], n)),
    _function("K.clip tf.clip_by_value",
              f"{_X}|t min_value|clip_value_min max_value|clip_value_max", _clip),
    _function("K.tanh tf.tanh tf.nn.tanh tf.math.tanh", _X, _activation("tanh")),
    _function("K.sigmoid tf.sigmoid tf.nn.sigmoid tf.math.sigmoid", _X, _activation("sigmoid")),
    _function("K.softplus tf.nn.softplus", _X, _activation("softplus")),
    _function("K.softsign tf.nn.softsign", _X, _activation("softsign")),
    _function("K.hard_sigmoid", _X, _hard_sigmoid),
    _function("K.relu", f"{_X} alpha max_value", _relu, alpha=0.0, max_value=None),
    _function("tf.nn.relu", _X, _activation("relu")),
    _function("tf.nn.relu6", _X, _activation("relu6")),
    _function("K.softmax tf.nn.softmax", f"{_X} {_AXIS}", _softmax, axis=-1),
    _function("K.identity tf.identity", _X, _identity),
    _function("K.cast tf.cast", f"{_X} dtype", _cast),
    _function("tf.to_float", _X, _identity),
    _function("K.sum tf.reduce_sum tf.math.reduce_sum", _ALONG, _reduced("Sum"), **_ALL),
    _function("K.mean tf.reduce_mean tf.math.reduce_mean", _ALONG, _reduced("Mean"), **_ALL),
    _function("K.max tf.reduce_max tf.math.reduce_max", _ALONG, _reduced("Max"), **_ALL),
    _function("K.min tf.reduce_min tf.math.reduce_min", _ALONG, _reduced("Min"), **_ALL),
    _function("K.prod tf.reduce_prod tf.math.reduce_prod", _ALONG, _reduced("Prod"), **_ALL),
    _function("K.l2_normalize", f"{_X} {_AXIS}", _l2_normalize, axis=None),
    _function("tf.nn.l2_normalize tf.math.l2_normalize tf.linalg.l2_normalize",
              f"{_X} {_AXIS} epsilon", _tf_l2_normalize, axis=None, epsilon=1e-12),
    _function("tf.norm tf.linalg.norm", f"{_X} ord {_AXIS} {_KEEPDIMS}", _norm,
              ord="euclidean", axis=None, keepdims=False),
    _function("K.reverse tf.reverse", f"{_X} axes|axis", _reversed),
    _function("K.expand_dims tf.expand_dims", f"{_X} {_AXIS}", _expand_dims, axis=-1),
    _function("K.squeeze tf.squeeze", f"{_X} {_AXIS}|squeeze_dims", _squeeze),
    _function("K.reshape tf.reshape", f"{_X} shape", _reshape),
    _function("K.permute_dimensions tf.transpose", f"{_X} pattern|perm", _permute),
    _function("K.repeat", f"{_X} n", _repeat),
    _function("K.batch_flatten", _X, _batch_flatten),
    _function("K.concatenate tf.concat", f"tensors|values {_AXIS}", _concatenate, axis=-1),
    _function("K.stack tf.stack", f"{_X} {_AXIS}", _stack, axis=0),
    _function("K.batch_dot", f"{_X} y axes", _batch_dot),
    _function("K.maximum tf.maximum tf.math.maximum", f"{_X} y", _bounded("Maximum")),
    _function("K.minimum tf.minimum tf.math.minimum", f"{_X} y", _bounded("Minimum")),
    _function("tf.add tf.math.add", f"{_X} y", _operator("+")),
    _function("tf.subtract tf.math.subtract", f"{_X} y", _operator("-")),
    _function("tf.multiply tf.math.multiply", f"{_X} y", _operator("*")),
    _function("tf.divide tf.truediv tf.math.divide tf.math.truediv", f"{_X} y", _operator("/")),
    _function("K.epsilon", "", _said(products.EPSILON)),
    _function("K.floatx", "", _said("float32")),
)  # fmt: skip
"""Every function that is known."""
_BY_NAME: Mapping[str, Function] = {name: function for function in FUNCTIONS for name in function.names}
_HOMES = (
    ("tensorflow.", "tf."),
    ("tf.compat.v1.", "tf."),
    ("tf.keras.backend.", "K."),
    ("keras.backend.", "K."),
    ("backend.", "K."),
)


def called(sheet: Sheet, name: str, given: Sequence[Found], named: Mapping[str, Found], suffix: str) -> Found:
    """Draw the call of a function.

    Raises:
        NotRecognisedError: If it is none that is known, or is given what it is not known with.
    """
    own = name
    for start, home in _HOMES:
        own = home + own.removeprefix(start) if own.startswith(start) else own
    function = _BY_NAME.get(own)
    if function is None:
        raise NotRecognisedError(f"it calls {name}, which is none that is known")
    return function.draw(sheet, _given(function, own, given, named), suffix)


def _given(function: Function, name: str, given: Sequence[Found], named: Mapping[str, Found]) -> Given:
    """Return what a function is given by the names of its arguments."""
    arguments = [argument.split("|") for argument in function.arguments]
    if len(given) > len(arguments):
        raise NotRecognisedError(f"it gives {name} {len(given)} values")
    found = {names[0]: value for names, value in zip(arguments, given, strict=False)}
    # What an operation is called counts for nothing.
    for key, value in named.items():
        names = next((names for names in arguments if key in names), None)
        if names is None and key != "name":
            raise NotRecognisedError(f"it gives {name} {key!r}")
        if names is not None:
            found[names[0]] = value
    missing = [names[0] for names in arguments if names[0] not in found and names[0] not in function.defaults]
    if missing:
        raise NotRecognisedError(f"it gives {name} no {missing[0]}")
    return {**function.defaults, **found}
