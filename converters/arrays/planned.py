"""One array of a conversion: what it was, what it becomes, and the pieces that lead from one to the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from converters.arrays import moves as kernels
from converters.arrays.form import Rows, Shape
from converters.arrays.moves import Piece, Values
from converters.arrays.rows import rows_text


class Made(Protocol):
    """An array of a new file, as far as it is known what it is made of: what all that are planned have."""

    @property
    def target_shape(self) -> Shape:
        """Its shape."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type, and that of its sources."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The datasets that it is made of."""

    @property
    def source_shapes(self) -> tuple[Shape, ...]:
        """The shape of each of them."""

    @property
    def exact(self) -> bool:
        """Whether values are only moved."""

    def pieces(self, sources: Mapping[str, Values], target: Values) -> Iterator[Piece]:
        """Yield what has to be copied, as views of the sources and the target."""


@dataclass(frozen=True, kw_only=True)
class PlannedArray:
    """One array of the file, and what becomes of it.

    Attributes:
        layer: The file's layer.
        kind: The kind of the layer that the array belongs to: where layers lie in layers, the inner one's.
        name: The array's name in the file.
        role: What it is to its layer, with its gate if it has one.
        path: The dataset's path.
        shape: Its shape in the file.
        target_shape: Its shape afterwards.
        dtype: Its type, which stays.
        before: The shape that its values are taken to have; None if that is ``shape``.
        order: Which axis of that comes where, or None if all stay.
        channels: ``"last"`` or ``"first"`` if it is the layout that moves the axes, else None.
        after: The shape of the result where that differs from ``target_shape`` in axes of one element, or in
            how the values are counted; else None.
        rotate: The axes of the result along which a kernel is reversed; empty if it is not.
        rows: The flattened maps whose rows move, or None.
        rows_to: ``"last"`` or ``"first"``: where the channels of the rows move, if they do.
        rows_axis: The axis that the rows lie along.
        function: The name of the arithmetic that every value goes through, or None. A ``sum`` is that of the
            two rows that the values make up, counted as ``before``.
        gates: The gates whose values are in cuDNN's order and are brought into that of Keras; 0 if none are.
        structure_layer: The published name of the layer, if the file holds a known structure.
    """

    layer: str
    kind: str
    name: str
    role: str
    path: str
    shape: Shape
    target_shape: Shape
    dtype: np.dtype[Any]
    before: Shape | None = None
    order: Shape | None = None
    after: Shape | None = None
    channels: str | None = None
    rotate: Shape = ()
    rows: Rows | None = None
    rows_to: str | None = None
    rows_axis: int = 0
    function: str | None = None
    gates: int = 0
    structure_layer: str | None = None

    @property
    def nbytes(self) -> int:
        """The bytes that its values take."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def sources(self) -> tuple[str, ...]:
        """The path of the dataset that is needed."""
        return (self.path,)

    @property
    def source_shapes(self) -> tuple[Shape, ...]:
        """The shape of each of :attr:`sources`."""
        return (self.shape,)

    @property
    def target_path(self) -> str:
        """The dataset's path in the new file, which is in the same dialect."""
        return self.path

    @property
    def exact(self) -> bool:
        """Whether every bit is only moved."""
        return self.function is None

    @property
    def moves(self) -> bool:
        """Whether any value moves."""
        return bool(self.order or self.rotate or self.rows or self.gates)

    @property
    def changes(self) -> bool:
        """Whether any value moves, or becomes another, or the shape does."""
        return self.moves or not self.exact or self.shape != self.target_shape

    @property
    def actions(self) -> tuple[str, ...]:
        """What happens, in words; empty if the array stays as it is."""
        words = []
        if self.order:
            words.append(f"channels {self.channels}" if self.channels else f"axes in order {self.order}")
        if self.rotate:
            words.append("rotate by 180 degrees")
        if self.rows:
            words.append(f"rows of {rows_text(self.rows)} to channels {self.rows_to}")
        if self.gates:
            words.append(f"{self.gates} gates from cuDNN's order")
        if self.function:
            words.append(self.function)
        return tuple(words)

    @property
    def counted(self) -> Shape:
        """The shape in which its values are counted."""
        return self.before or self.shape

    def moved(self, sizes: Shape) -> Shape:
        """Return one number for each axis in the order that the axes have afterwards."""
        if self.order is None or self.before is not None or self.after is not None:
            return tuple(sizes)
        return tuple(sizes[axis] for axis in self.order)

    def pieces(self, sources: Mapping[str, Values], target: Values) -> Iterator[Piece]:
        """Yield the pieces that make the new array.

        Args:
            sources: The old array under its path, contiguous.
            target: The new array, of shape ``target_shape``.
        """
        source = sources[self.path]
        if self.rows:
            yield from kernels.row_pieces(
                target,
                source.transpose(self.order) if self.order else source,
                self.rows,
                to_last=self.rows_to == "last",
                axis=self.rows_axis,
                function=self.function,
            )
        elif self.order or self.rotate:
            before = self.counted
            order = self.order or tuple(range(len(before)))
            after = self.after or tuple(before[axis] for axis in order)
            yield from kernels.moved_pieces(
                target,
                source,
                before=before,
                order=order,
                after=after,
                rotate=self.rotate,
                function=self.function,
            )
        elif self.gates:
            yield from kernels.gate_pieces(target, source, self.gates)
        elif self.function == "sum":
            first, *others = source.reshape(self.counted)
            yield Piece(target=target, source=first, others=tuple(others), function=self.function)
        else:
            yield Piece(target=target, source=source.reshape(self.target_shape), function=self.function)

    def apply(self, values: Values) -> Values:
        """Return the array as it will be, contiguous in memory.

        Args:
            values: The array as it is in the file.
        """
        if not self.changes:
            return np.ascontiguousarray(values)
        result = np.empty(self.target_shape, values.dtype)
        for piece in self.pieces({self.path: np.ascontiguousarray(values)}, result):
            piece.copy()
        return result


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of a new array: an array of the file, or a stretch of its last axis, where gates lie packed.

    Attributes:
        array: What becomes of the array as a whole.
        start: Where the stretch begins, or None for the whole array.
        stop: Where it ends.
    """

    array: PlannedArray
    start: int | None = None
    stop: int | None = None

    @property
    def taken(self) -> PlannedArray:
        """What becomes of the stretch."""
        if self.start is None or self.stop is None:
            return self.array
        array, width, last = self.array, self.stop - self.start, len(self.array.counted) - 1
        axis = array.order.index(last) if array.order else len(array.target_shape) - 1
        shape = (*array.counted[:-1], width)
        target = (*array.target_shape[:axis], width, *array.target_shape[axis + 1 :])
        gates = array.gates * width // array.counted[-1]
        before = shape if array.before else None
        return replace(array, shape=shape, before=before, target_shape=target, gates=gates)

    @property
    def width(self) -> int:
        """How much of the new array's last axis it fills."""
        shape = self.taken.target_shape
        return shape[-1] if shape else 1

    def whole(self, sources: Mapping[str, Values], target: Values) -> Values:
        """Return the share as one view of the shape of a new array, for arithmetic; in it nothing moves."""
        (piece,) = self.pieces(sources, target)
        return piece.source

    def pieces(self, sources: Mapping[str, Values], target: Values) -> Iterator[Piece]:
        """Yield the pieces that fill the share's place in the new array."""
        source = sources[self.array.path]
        counted = source if self.start is None else source.reshape(self.array.counted)
        cut = source if self.start is None else counted[..., self.start : self.stop]
        yield from self.taken.pieces({self.array.path: cut}, target)


@dataclass(frozen=True, kw_only=True)
class Output:
    """One array of a new file in another dialect.

    Attributes:
        layer: The layer that it belongs to, by the old file's name.
        owner: The layer inside that one, where there is one; else the same.
        kind: That layer's kind.
        role: What it is to its layer.
        name: Its name in the new file, as attributes there list it.
        target_path: Where it lies in the new file.
        target_shape: Its shape.
        dtype: Its type.
        shares: The arrays that it is made of, side by side along the last axis.
        function: The name of the arithmetic that makes the array of its shares, each of its shape, instead.
    """

    layer: str
    owner: str
    kind: str
    role: str
    name: str
    target_path: str
    target_shape: Shape
    dtype: np.dtype[Any]
    shares: tuple[Share, ...]
    function: str | None = None

    def computed(self, function: str) -> Output:
        """Return the same array, of which every value goes through some arithmetic, by its name."""
        shares = [replace(share, array=replace(share.array, function=function)) for share in self.shares]
        return replace(self, shares=tuple(shares))

    @property
    def nbytes(self) -> int:
        """The bytes that its values take."""
        return math.prod(self.target_shape) * self.dtype.itemsize

    @property
    def sources(self) -> tuple[str, ...]:
        """The paths of the datasets that are needed, each once."""
        return tuple(dict.fromkeys(share.array.path for share in self.shares))

    @property
    def source_shapes(self) -> tuple[Shape, ...]:
        """The shape of each of :attr:`sources`."""
        shapes = {share.array.path: share.array.shape for share in self.shares}
        return tuple(shapes.values())

    @property
    def exact(self) -> bool:
        """Whether every bit is only moved."""
        return self.function is None and all(share.array.exact for share in self.shares)

    def pieces(self, sources: Mapping[str, Values], target: Values) -> Iterator[Piece]:
        """Yield the pieces that make the new array.

        Args:
            sources: The old arrays under their paths, contiguous.
            target: The new array, of shape ``target_shape``.
        """
        if self.function is not None:
            first, *others = [share.whole(sources, target) for share in self.shares]
            yield Piece(target=target, source=first, others=tuple(others), function=self.function)
            return
        at = 0
        for share in self.shares:
            room = target if len(self.shares) == 1 else target[..., at : at + share.width]
            yield from share.pieces(sources, room)
            at += share.width

    def apply(self, sources: Mapping[str, Values]) -> Values:
        """Return the new array.

        Args:
            sources: The old arrays under their paths.
        """
        result = np.empty(self.target_shape, self.dtype)
        contiguous = {path: np.ascontiguousarray(sources[path]) for path in self.sources}
        for piece in self.pieces(contiguous, result):
            piece.copy()
        return result


@dataclass(frozen=True, kw_only=True)
class Enlarged:
    """An array of a new file in a larger shape, with zeros at the far ends, or counted by other axes.

    Attributes:
        output: The array.
        target_shape: Its new shape: for each axis at least as long, or another with as many values.
    """

    output: Output
    target_shape: Shape

    @property
    def layer(self) -> str:
        """The layer that it belongs to."""
        return self.output.layer

    @property
    def name(self) -> str:
        """Its name in that layer."""
        return self.output.name

    @property
    def role(self) -> str:
        """What it is to that layer."""
        return self.output.role

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""
        return self.output.dtype

    @property
    def sources(self) -> tuple[str, ...]:
        """The paths of the datasets that are needed."""
        return self.output.sources

    @property
    def source_shapes(self) -> tuple[Shape, ...]:
        """The shape of each of :attr:`sources`."""
        return self.output.source_shapes

    @property
    def exact(self) -> bool:
        """Whether every bit is only moved."""
        return self.output.exact

    @property
    def nbytes(self) -> int:
        """The bytes that its values take."""
        return math.prod(self.target_shape) * self.dtype.itemsize

    def pieces(self, sources: Mapping[str, Values], target: Values) -> Iterator[Piece]:
        """Yield the pieces that make the new array; see :meth:`Output.pieces`."""
        shape = self.output.target_shape
        if math.prod(shape) == math.prod(self.target_shape):
            yield from self.output.pieces(sources, target.reshape(shape))
            return
        yield from self.output.pieces(sources, target[tuple(map(slice, shape))])
        nothing = np.zeros((1,) * target.ndim, self.dtype)
        for axis, size in enumerate(shape):
            # What lies behind the old end of this axis, and before that of those in front of it.
            rest = target[(*(slice(n) for n in shape[:axis]), slice(size, None))]
            if rest.size:
                yield Piece(target=rest, source=np.broadcast_to(nothing, rest.shape))


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """An array of a new file that the old one has none for: its values are given.

    Attributes:
        values: They.
        role: What it is to its layer.
    """

    values: Values
    role: str

    @property
    def target_shape(self) -> Shape:
        """Its shape."""
        return tuple(self.values.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""
        return self.values.dtype

    @property
    def sources(self) -> tuple[str, ...]:
        """No path."""
        return ()

    @property
    def source_shapes(self) -> tuple[Shape, ...]:
        """No shape."""
        return ()

    @property
    def exact(self) -> bool:
        """Whether values are only moved."""
        return True

    @property
    def nbytes(self) -> int:
        """The bytes that its values take."""
        return self.values.nbytes

    def pieces(self, sources: Mapping[str, Values], target: Values) -> Iterator[Piece]:
        """Yield the one piece that makes the array."""
        del sources
        yield Piece(target=target, source=self.values)


def constant(value: float, shape: Shape, dtype: np.dtype[Any], role: str) -> Given:
    """Return an array of a new file that is one number all over; it takes no room before it is written."""
    return Given(values=np.broadcast_to(np.array(value, dtype), shape), role=role)
