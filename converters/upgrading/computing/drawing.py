"""Drawing what an expression computes: numbers are computed, each step on values becomes today's layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from converters.upgrading.computing.expressions import (
    Call,
    Constant,
    Input,
    Item,
    NotRecognisedError,
    Operation,
    Reference,
    Several,
    Slice,
    Tree,
    written,
)
from converters.upgrading.computing.instructions import Unpacked
from converters.upgrading.drawing import LAST, Value, straight
from converters.upgrading.today import Sizes
from converters.upgrading.use import Use

Found: TypeAlias = Any
"""A value of the network, a number, a text, None, ``...``, a slice, a type by its name, or a list of such."""


@dataclass(frozen=True)
class Named:
    """A function or a type, by its full name."""

    name: str


@dataclass(kw_only=True)
class Sheet:
    """What is drawn for one use of a layer that computes an expression.

    Attributes:
        use: The use.
        called: Draws the call of a function: by its name, what is given, and what is given by name.
        count: How many parts of it have been drawn.
        known: What has been drawn, by the expression.
    """

    use: Use
    called: Callable[[Sheet, str, Sequence[Found], Mapping[str, Found], str], Found]
    count: int = 0
    known: dict[int, Found] = field(default_factory=dict)

    def found(self, tree: Tree, suffix: str | None = None) -> Found:
        """Return what an expression gives: what is used twice is drawn once.

        Args:
            tree: The expression.
            suffix: What is put behind the layer's name for the last layer of it; by default a number.

        Raises:
            NotRecognisedError: If it cannot be drawn.
        """
        if id(tree) not in self.known:
            own = suffix if suffix is not None else self._numbered(tree)
            self.known[id(tree)] = _KINDS[type(tree)](self, tree, own)
        return self.known[id(tree)]

    def _numbered(self, tree: Tree) -> str:
        if isinstance(tree, Operation | Item | Call):
            self.count += 1
        return f"_part_{self.count}"

    def constant(self, tree: Constant, _: str) -> Found:
        """Return a constant."""
        return tree.value

    def input(self, *_: Any) -> Found:  # noqa: ANN401 - the same for every input
        """Return what comes in: one value, or a list."""
        values = [self.use.straight(value) for value in self.use.values]
        return values if len(values) > 1 else values[0]

    def reference(self, tree: Reference, _: str) -> Found:
        """Return a type, or a function."""
        return Named(tree.path)

    def several(self, tree: Several, _: str) -> Found:
        """Return a list."""
        return [self.found(item) for item in tree.items]

    def slice(self, tree: Slice, _: str) -> Found:
        """Return a slice: of whole numbers."""
        ends = [self.found(end) for end in (tree.start, tree.stop, tree.step)]
        if any(end is not None and type(end) is not int for end in ends):
            raise NotRecognisedError("it cuts at what is no number")
        return slice(*ends)

    def item(self, tree: Item, suffix: str) -> Found:
        """Return one of a list, or draw a cut."""
        of, key = self.found(tree.of), self.found(tree.key)
        if isinstance(of, list):
            whole = not isinstance(tree, Unpacked) or tree.count == len(of)
            if type(key) is not int or not -len(of) <= key < len(of) or not whole:
                raise NotRecognisedError(f"{len(of)} values come in, and it takes {written(tree)}")
            return of[key]
        if not isinstance(of, Value) or isinstance(tree, Unpacked):
            raise NotRecognisedError("it takes an item of what is no list")
        return cut(self, of, key if isinstance(key, list) else [key], suffix)

    def operation(self, tree: Operation, suffix: str) -> Found:
        """Compute with numbers, or draw arithmetic."""
        operands = [self.found(operand) for operand in tree.operands]
        if not any(isinstance(operand, Value) for operand in operands):
            return _computed(tree.symbol, operands)
        if len(operands) == 1:
            return scaled(self, operands[0], -1.0, 0.0, suffix)
        return ARITHMETIC["/" if tree.symbol == "div" else tree.symbol](
            self, operands[0], operands[1], suffix
        )

    def call(self, tree: Call, suffix: str) -> Found:
        """Draw what a function gives."""
        function = self.found(tree.function)
        if not isinstance(function, Named):
            raise NotRecognisedError("it calls what is no function")
        given = [self.found(value) for value in tree.given]
        named = {name: self.found(value) for name, value in tree.named.items()}
        return self.called(self, function.name, given, named, suffix)

    def draw(
        self,
        class_name: str,
        settings: Mapping[str, Any],
        *values: Value,
        suffix: str,
        call: Mapping[str, Any] | None = None,
    ) -> Value:
        """Draw one of today's layers; its axes stand as those of the old network's value."""
        result = self.use.draw(class_name, settings, *values, suffix=suffix, call=call)
        return replace(result, axes=straight(result.rank))


_KINDS: Mapping[type, Callable[[Sheet, Any, str], Found]] = {
    Constant: Sheet.constant,
    Input: Sheet.input,
    Reference: Sheet.reference,
    Several: Sheet.several,
    Slice: Sheet.slice,
    Item: Sheet.item,
    Unpacked: Sheet.item,
    Operation: Sheet.operation,
    Call: Sheet.call,
}


# Numbers

_LARGEST = 1e30


def _computed(symbol: str, operands: Sequence[Found]) -> float:
    """Return what arithmetic on numbers gives."""
    if not all(type(operand) in (int, float) and abs(operand) < _LARGEST for operand in operands):
        raise NotRecognisedError(f"it computes {symbol} of what are no numbers")
    if len(operands) == 1:
        return -operands[0]  # type: ignore[no-any-return]
    first, second = operands
    whole = all(type(operand) is int for operand in operands)
    try:
        if symbol == "**":
            value = float(first) ** second if abs(second) <= 16 else math.nan
        elif symbol == "div" and whole:
            return int(first // second)
        else:
            value = {"+": first + second, "-": first - second, "*": first * second}.get(symbol)
            value = first / second if value is None else value
    except (ArithmeticError, ValueError) as error:
        raise NotRecognisedError(f"it computes {symbol} of numbers that have none") from error
    if isinstance(value, complex) or not math.isfinite(value):
        raise NotRecognisedError(f"it computes {symbol} of numbers that have none")
    return int(value) if whole and symbol != "/" and value == int(value) else value


def number(found: Found) -> float:
    """Return a number.

    Raises:
        NotRecognisedError: If it is none.
    """
    if type(found) not in (int, float) or not math.isfinite(found) or abs(found) > _LARGEST:
        raise NotRecognisedError("it takes a number that is none")
    value: float = found
    return value


# Arithmetic


def value_of(found: Found) -> Value:
    """Return a value of the network.

    Raises:
        NotRecognisedError: If it is anything else.
    """
    if not isinstance(found, Value):
        raise NotRecognisedError("it takes a value that is none")
    return found


def scaled(sheet: Sheet, value: Value, scale: float, offset: float, suffix: str) -> Value:
    """Draw x a + b."""
    settings = {"scale": float(scale), "offset": float(offset)}
    return sheet.draw("Rescaling", settings, value, suffix=suffix)


def joined(sheet: Sheet, class_name: str, first: Value, second: Value, suffix: str) -> Value:
    """Draw what two values give, element by element: with a layer where they have axes, else an operation."""
    if first.rank != second.rank:
        raise NotRecognisedError(f"it joins values of {first.rank} and {second.rank} axes")
    for one, other in zip(first.shape[1:], second.shape[1:], strict=True):
        if one != other and 1 not in (one, other):
            raise NotRecognisedError(f"it joins values of {first.shape[1:]} and {second.shape[1:]}")
    name = class_name if first.rank or class_name == "Divide" else f"ops.{class_name}"
    return sheet.draw(name, {}, first, second, suffix=suffix)


def _sum(sheet: Sheet, first: Found, second: Found, suffix: str) -> Value:
    if isinstance(first, Value) and isinstance(second, Value):
        return joined(sheet, "Add", first, second, suffix)
    value, other = (first, second) if isinstance(first, Value) else (second, first)
    return scaled(sheet, value_of(value), 1.0, number(other), suffix)


def _difference(sheet: Sheet, first: Found, second: Found, suffix: str) -> Value:
    if isinstance(first, Value) and isinstance(second, Value):
        return joined(sheet, "Subtract", first, second, suffix)
    if isinstance(first, Value):
        return scaled(sheet, first, 1.0, -number(second), suffix)
    return scaled(sheet, value_of(second), -1.0, number(first), suffix)


def _product(sheet: Sheet, first: Found, second: Found, suffix: str) -> Value:
    if isinstance(first, Value) and isinstance(second, Value):
        return joined(sheet, "Multiply", first, second, suffix)
    value, other = (first, second) if isinstance(first, Value) else (second, first)
    return scaled(sheet, value_of(value), number(other), 0.0, suffix)


def _quotient(sheet: Sheet, first: Found, second: Found, suffix: str) -> Value:
    if isinstance(first, Value) and isinstance(second, Value):
        return joined(sheet, "Divide", first, second, suffix)
    if isinstance(first, Value):
        if not number(second):
            raise NotRecognisedError("it divides by zero")
        return scaled(sheet, first, 1.0 / number(second), 0.0, suffix)
    once = sheet.draw("Reciprocal", {}, value_of(second), suffix=f"{suffix}_reciprocal")
    return scaled(sheet, once, number(first), 0.0, suffix)


def power(sheet: Sheet, first: Found, second: Found, suffix: str) -> Value:
    """Draw x ** n."""
    value, exponent = value_of(first), number(second)
    if exponent == 2:
        return joined(sheet, "Multiply", value, value, suffix)
    if exponent == 0.5:
        return sheet.draw("Sqrt", {}, value, suffix=suffix)
    return sheet.draw("Power", {}, value, suffix=suffix, call={"x2": exponent})


ARITHMETIC: Mapping[str, Callable[[Sheet, Found, Found, str], Value]] = {
    "+": _sum,
    "-": _difference,
    "*": _product,
    "/": _quotient,
    "**": power,
}
"""What each symbol draws of which one operand at least is a value."""


# Shapes


def reshaped(sheet: Sheet, value: Value, sizes: Sequence[int | None], suffix: str) -> Value:
    """Draw the same values, as they lie, in another shape, of which one size at most is open."""
    if sum(size is None for size in sizes) > 1:
        raise NotRecognisedError("several sizes of what it computes are open")
    target = [-1 if size is None else size for size in sizes]
    return sheet.draw("Reshape", {"target_shape": target}, value, suffix=suffix)


def axis_of(value: Value, found: Found, *, more: int = 0) -> int:
    """Return an axis from the front, counted with the batch's, which it may not be.

    Args:
        value: The value.
        found: What is said.
        more: How many axes are added to those of the value.
    """
    rank = value.rank + 1 + more
    if type(found) is not int or not -rank <= found < rank or found % rank == 0:
        raise NotRecognisedError(f"it works along axis {found!r} of {rank}")
    return found % rank


def expanded(sheet: Sheet, value: Value, axis: int, suffix: str) -> Value:
    """Draw a value with one axis more."""
    sizes = (*value.shape[1:axis], 1, *value.shape[axis:])
    if sum(size is None for size in sizes) > 1:
        return sheet.draw("ExpandDims", {"axis": axis}, value, suffix=suffix)
    return reshaped(sheet, value, sizes, suffix)


def squeezed(sheet: Sheet, value: Value, axis: int, suffix: str) -> Value:
    """Draw a value without an axis, of one element."""
    if value.shape[axis] != 1:
        raise NotRecognisedError(f"it leaves out an axis of {value.shape[axis]} elements")
    sizes = (*value.shape[1:axis], *value.shape[axis + 1 :])
    if sum(size is None for size in sizes) > 1:
        return sheet.draw("Squeeze", {"axis": axis}, value, suffix=suffix)
    return reshaped(sheet, value, sizes, suffix)


_Step: TypeAlias = Callable[..., Value]


def cut(sheet: Sheet, value: Value, keys: Sequence[Found], suffix: str) -> Value:
    """Draw ``x[:, 1:3, ..., 0]``: all samples, and of some axes a stretch, each n-th, or one place."""
    whole = slice(None)
    count = sum(key is not Ellipsis and key is not None for key in keys)
    if sum(key is Ellipsis for key in keys) > 1 or count > value.rank + 1:
        raise NotRecognisedError("it takes items of more axes than there are")
    at = next((place for place, key in enumerate(keys) if key is Ellipsis), len(keys))
    full = [*keys[:at], *[whole] * (value.rank + 1 - count), *keys[at + 1 :]]
    if full[0] != whole:
        raise NotRecognisedError("it takes single samples")
    steps: list[_Step] = []
    single = []
    for axis, key in enumerate(full):
        if key is None:
            steps.append(partial(expanded, sheet, axis=axis))
        elif type(key) is int and value.shape[axis - sum(one is None for one in full[:axis])] is None:
            steps.append(partial(_taken, sheet, axis=axis, place=key))
            single.append(axis)
        elif key != whole:
            added = sum(one is None for one in full[:axis])
            steps += _cuts(sheet, axis, key, value.shape[axis - added])
            single += [] if isinstance(key, slice) else [axis]
    steps += [partial(squeezed, sheet, axis=axis) for axis in reversed(single)]
    for place, step in enumerate(steps):
        value = step(value=value, suffix=suffix if place == len(steps) - 1 else f"{suffix}_{place}")
    return value


def _cuts(sheet: Sheet, axis: int, key: Found, size: int | None) -> list[_Step]:
    """Return what draws a cut along one axis, which is left even if a single place is taken."""
    if type(key) is int:
        key = slice(key, key + 1 or None)
    if not isinstance(key, slice):
        raise NotRecognisedError("it takes items at what is no place")
    if (key.start, key.stop, key.step) == (None, None, -1):
        return [partial(flipped, sheet, axis=axis)]
    steps: list[_Step] = []
    ends = _ends(key, size)
    if any(ends):
        steps.append(partial(_cropped, sheet, axis=axis, ends=ends))
    if key.step not in (None, 1):
        if key.step < 1:
            raise NotRecognisedError("it goes backwards through a stretch")
        steps.append(partial(_thinned, sheet, axis=axis, step=key.step))
    return steps


def _ends(key: slice, size: int | None) -> tuple[int, int]:
    """Return how many places a slice leaves out in front and behind."""
    start, stop = key.start or 0, key.stop
    if size is not None:
        first, last, _ = slice(start, stop).indices(size)
        if first >= last:
            raise NotRecognisedError("it takes no place of an axis")
        return first, size - last
    if start < 0 or (stop is not None and stop >= 0):
        raise NotRecognisedError("it takes places of an axis whose size is open")
    return start, -(stop or 0)


def _as_three(value: Value, axis: int) -> tuple[Sizes, tuple[int | None, ...]]:
    """Return a shape of three axes, the second of which is one of a value's; and that value's sizes."""
    sizes = value.shape[1:]
    before, behind = sizes[: axis - 1], sizes[axis:]
    if None in before or None in behind or (sizes[axis - 1] is None and value.rank != 2):
        raise NotRecognisedError("it takes places where sizes are open")
    count = math.prod(size for size in before if size), math.prod(size for size in behind if size)
    return (count[0], sizes[axis - 1], count[1]), sizes


def _on_three(
    sheet: Sheet, value: Value, axis: int, suffix: str, draw: Callable[[Value, str], Value]
) -> Value:
    """Draw what a layer for maps does along one axis of any value: as the columns of one."""
    three, sizes = _as_three(value, axis)
    as_map = three == sizes
    mapped = value if as_map else reshaped(sheet, value, three, f"{suffix}_map")
    done = draw(mapped, suffix if as_map else f"{suffix}_columns")
    if as_map:
        return done
    return reshaped(sheet, done, (*sizes[: axis - 1], done.shape[2], *sizes[axis:]), suffix)


_FARTHEST = 1 << 30


def _taken(sheet: Sheet, value: Value, suffix: str, *, axis: int, place: int) -> Value:
    """Draw one place of an axis whose size is open, and leave the axis."""
    if abs(place) > _FARTHEST:
        raise NotRecognisedError("it takes a place that no axis has")
    once = sheet.draw("Take", {"axis": axis}, value, suffix=f"{suffix}_place", call={"indices": place})
    return expanded(sheet, once, axis, suffix)


def _cropped(sheet: Sheet, value: Value, suffix: str, *, axis: int, ends: tuple[int, int]) -> Value:
    if value.rank == 2 and axis == 1:
        return sheet.draw("Cropping1D", {"cropping": list(ends)}, value, suffix=suffix)
    settings = {"cropping": [[0, 0], list(ends)], "data_format": LAST}

    def draw(mapped: Value, name: str) -> Value:
        return sheet.draw("Cropping2D", settings, mapped, suffix=name)

    return _on_three(sheet, value, axis, suffix, draw)


def _thinned(sheet: Sheet, value: Value, suffix: str, *, axis: int, step: int) -> Value:
    settings = {"pool_size": [1, 1], "strides": [1, step], "padding": "valid", "data_format": LAST}

    def draw(mapped: Value, name: str) -> Value:
        return sheet.draw("MaxPooling2D", settings, mapped, suffix=name)

    return _on_three(sheet, value, axis, suffix, draw)


def flipped(sheet: Sheet, value: Value, axis: int, suffix: str) -> Value:
    """Draw a value backwards along an axis."""
    return sheet.draw("Flip", {"axis": axis}, value, suffix=suffix)
