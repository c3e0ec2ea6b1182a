"""Drawing a network with today's layers, and writing it down as today's Keras does.

A drawing grows call by call. Each call gives a value, which knows its shape and how its axes stand to those
of the old network's value: a map that was channels first is drawn channels last, and turned back where an old
layer needs it as it was.

Sources, in Keras 3.15: get_config() in keras/src/models/functional.py and sequential.py, map_graph() in
keras/src/ops/function.py for the order of layers, and _save_container_state() in
keras/src/saving/saving_lib.py for where their arrays lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from converters.arrays.form import Shape
from converters.arrays.moves import Piece
from converters.arrays.moves import Values as Array
from converters.arrays.planned import Made
from converters.boundary import paced
from converters.layers.names import snake_case3
from converters.layers.table import KINDS
from converters.upgrading.holding import UNTRAINED as HELD_UNTRAINED
from converters.upgrading.refusing import refused
from converters.upgrading.today import OLDEST, TODAY, Sizes, Version, since

OPERATION = "ops."
"""What the names of operations begin with that are drawn for operations, among the classes of today."""
LAST = "channels_last"
"""The order of all maps that are drawn."""


class Values(Made, Protocol):
    """An array that is planned, of which it is known how much room it takes."""

    @property
    def role(self) -> str:
        """What it is to its layer."""

    @property
    def nbytes(self) -> int:
        """The bytes that its values take."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """What a call gives.

    Attributes:
        layer: The layer that is called, by its name in the drawing.
        call: Which of its calls it is.
        shape: The shape of a batch.
        axes: For each axis but the batch's, which axis of the old network's value it is.
        result: Which of the results of that call it is.
        masked: What tells which steps of it are masked, if some may be.
    """

    layer: str
    call: int
    shape: Sizes
    axes: Shape
    result: int = 0
    masked: Masked | None = None

    @property
    def rank(self) -> int:
        """How many axes it has besides the batch's."""
        return len(self.axes)


@dataclass(frozen=True, kw_only=True)
class Masked:
    """What tells which steps of a sequence are masked: those that one of several values tells.

    Attributes:
        tellers: The words, or the vectors, that tell it, as they came into an Embedding or a Masking, each
            with the number that all of a masked step is.
        attached: Whether today's Keras knows it of the value; else it has to be handed on with it.
    """

    tellers: tuple[tuple[Value, float], ...]
    attached: bool = True


def straight(rank: int) -> Shape:
    """Return the axes of a value that stands as in the old network."""
    return tuple(range(rank))


def channels_last(rank: int) -> Shape:
    """Return the axes of a map that was channels first and is channels last."""
    return (*range(1, rank), 0)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a layer.

    Attributes:
        values: What is handed to it.
        listed: Whether that is one list, or each by itself.
        said: What is said besides.
        handed: Values that are handed to it by name, one or a list of them.
    """

    values: tuple[Value, ...]
    listed: bool
    said: Mapping[str, Any]
    handed: Mapping[str, Value | tuple[Value, ...]] = field(default_factory=dict)

    @property
    def fed(self) -> tuple[Value, ...]:
        """All values that it takes, as today's Keras counts them, those with names by the alphabet."""
        named = [self.handed[name] for name in sorted(self.handed)]
        lists = [value if isinstance(value, tuple) else (value,) for value in named]
        return (*self.values, *(value for values in lists for value in values))


@dataclass(kw_only=True)
class Drawn:
    """A layer that is drawn.

    Attributes:
        name: Its name.
        class_name: Its class.
        settings: Its configuration.
        arrays: Its arrays, by their paths below its group.
        calls: Its calls in order.
        inside: What lies in it, if it is a model, or a wrapper around one.
        entry: The whole of what a configuration lists for it, if it is a class of somebody's own.
        shapes: What that gives.
        origin: The old layer that it is drawn for.
    """

    name: str
    class_name: str
    settings: Mapping[str, Any]
    arrays: Mapping[str, Values]
    calls: list[Call] = field(default_factory=list)
    inside: Drawing | None = None
    entry: Mapping[str, Any] | None = None
    shapes: tuple[Sizes, ...] = ()
    origin: str = ""

    @property
    def is_operation(self) -> bool:
        """Whether it is no layer, so that it has no group of its own, and no Sequential holds it."""
        return self.entry is None and self.class_name in TODAY and bool(TODAY[self.class_name].registered)

    @property
    def stem(self) -> str:
        """What such layers' groups of arrays are called after, the class that Keras makes of it."""
        model = self.inside if self.class_name == "Model" else None
        return snake_case3(model.class_name if model is not None else self.class_name)


@dataclass(kw_only=True)
class Drawing:
    """A network that is being drawn.

    Attributes:
        name: Its name.
        chain: Whether it was a Sequential, and becomes one if it is still a chain.
        layers: Its layers by their names.
        inputs: What comes in.
        outputs: What it gives.
    """

    name: str
    chain: bool
    layers: dict[str, Drawn] = field(default_factory=dict)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)

    def input(self, name: str, shape: Sizes, dtype: str, axes: Shape) -> Value:
        """Add an input and return what comes in."""
        settings = {"batch_shape": list(shape), "dtype": dtype, "sparse": False, "name": name}
        drawn = Drawn(
            name=self._free(name), class_name="InputLayer", settings=settings, arrays={}, origin=name
        )
        drawn.calls.append(Call(values=(), listed=False, said={}))
        self.layers[name] = drawn
        value = Value(layer=name, call=0, shape=shape, axes=axes)
        self.inputs.append(value)
        return value

    def add(self, drawn: Drawn) -> Drawn:
        """Add a layer that nothing feeds yet."""
        self.layers[self._free(drawn.name)] = drawn
        return drawn

    def _free(self, name: str) -> str:
        if name in self.layers:
            raise refused(f"two of its layers would be called {name!r}")
        return name

    def unused(self, name: str) -> str:
        """Return a name that no layer has yet, with a number if needed."""
        if name not in self.layers:
            return name
        number = 1
        while f"{name}_{number}" in self.layers:
            number += 1
        return f"{name}_{number}"

    @property
    def class_name(self) -> str:
        """``Sequential`` if it was one and is a chain, else ``Functional``."""
        return "Sequential" if self.chain and self._is_chain() else "Functional"

    def _is_chain(self) -> bool:
        if len(self.inputs) != 1 or len(self.outputs) != 1 or len(self.layers) < 2:
            return False
        before: str | None = None
        for name, drawn in self.layers.items():
            (call, *more) = drawn.calls
            told = more or call.said or call.handed or call.listed or drawn.is_operation
            if told or [value.layer for value in call.values] != ([] if before is None else [before]):
                return False
            before = name
        return before == self.outputs[0].layer

    def leave_out_unused(self) -> None:
        """Leave out operations that lead to no result, as the parts of a split that nobody takes."""
        _, found = self._walked()
        for name, drawn in list(self.layers.items()):
            if name not in found and drawn.class_name.startswith(OPERATION):
                del self.layers[name]

    def in_order(self) -> list[Drawn]:
        """Return the layers in the order in which Keras will list them, and number their groups.

        The deepest first, by the longest way to a result; of one depth as a walk back from the results comes
        upon them.

        Raises:
            Refused: If a layer leads to no result.
        """
        if self.class_name == "Sequential":
            return list(self.layers.values())
        finished, found = self._walked()
        depths = self._depths(finished)
        for name, drawn in self.layers.items():
            if name not in found and drawn.class_name != "InputLayer":
                raise refused(f"layer {drawn.origin or name!r} leads to none of the model's outputs")
        unconnected = {name: -1 for name in self.layers if name not in found}
        places = {**unconnected, **found}
        return sorted(
            self.layers.values(), key=lambda drawn: (-depths.get(drawn.name, 0), places[drawn.name])
        )

    def _walked(self) -> tuple[list[tuple[str, int]], dict[str, int]]:
        """Return all calls, each behind those that feed it, and when each layer was first come upon."""
        finished: dict[tuple[str, int], None] = {}
        found: dict[str, int] = {}
        for output in self.outputs:
            waiting = [((output.layer, output.call), False)]
            while waiting:
                call, done = waiting.pop()
                if done:
                    finished[call] = None
                elif call not in finished:
                    found.setdefault(call[0], len(found))
                    waiting.append((call, True))
                    fed = self.layers[call[0]].calls[call[1]].fed
                    waiting += [((value.layer, value.call), False) for value in reversed(fed)]
        return list(finished), found

    def _depths(self, finished: Sequence[tuple[str, int]]) -> dict[str, int]:
        depths: dict[tuple[str, int], int] = {}
        layers: dict[str, int] = {}
        for call in reversed(finished):
            depth = max(depths.get(call, 0), layers.get(call[0], 0))
            depths[call] = layers[call[0]] = depth
            for value in self.layers[call[0]].calls[call[1]].fed:
                source = (value.layer, value.call)
                depths[source] = max(depth + 1, depths.get(source, 0))
        return layers


def least_version(drawing: Drawing) -> Version:
    """Return the first version of Keras that opens a network."""
    inside = [least_version(drawn.inside) for drawn in drawing.layers.values() if drawn.inside is not None]
    ours = [drawn for drawn in paced(drawing.layers.values()) if drawn.entry is None]
    return max((OLDEST, *inside, *(since(drawn.class_name, drawn.settings) for drawn in ours)))


def configuration(drawing: Drawing) -> dict[str, Any]:
    """Return a network as the ``config.json`` of today's Keras has it."""
    class_name = drawing.class_name
    module = "keras" if class_name == "Sequential" else "keras.src.models.functional"
    registered = None if class_name == "Sequential" else class_name
    return {
        "module": module,
        "class_name": class_name,
        "config": _sequential(drawing) if class_name == "Sequential" else _functional(drawing),
        "registered_name": registered,
    }


def _sequential(drawing: Drawing) -> dict[str, Any]:
    layers = [_layer(drawn) for drawn in drawing.in_order()]
    return {"name": drawing.name, "trainable": True, "dtype": "float32", "layers": layers}


def _functional(drawing: Drawing) -> dict[str, Any]:
    layers = [
        {**_layer(drawn), "name": drawn.name, "inbound_nodes": _nodes(drawn)}
        for drawn in paced(drawing.in_order())
    ]
    return {
        "name": drawing.name,
        "trainable": True,
        "layers": layers,
        "input_layers": _listed([_end(drawing, value) for value in drawing.inputs]),
        "output_layers": _listed([_end(drawing, value) for value in drawing.outputs]),
    }


def _listed(ends: list[list[Any]]) -> list[Any]:
    """Return the ends of a network; a single one stands without a list around it."""
    return ends[0] if len(ends) == 1 else ends


def _end(drawing: Drawing, value: Value) -> list[Any]:
    """Return a result as the ends of a network name it, where a model's own making is its first use."""
    drawn = drawing.layers[value.layer]
    made = drawn.stem == "functional" and (drawn.inside is not None or drawn.entry is not None)
    return [value.layer, value.call + int(made), value.result]


def _layer(drawn: Drawn) -> dict[str, Any]:
    if drawn.entry is not None:
        return dict(drawn.entry)
    if drawn.inside is not None and drawn.class_name == "Model":
        return configuration(drawn.inside)
    if drawn.inside is not None:
        settings = {**drawn.settings, "layer": configuration(drawn.inside)}
        return written(drawn.class_name, settings)
    return written(drawn.class_name, drawn.settings)


def written(class_name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer as a configuration lists it."""
    today = TODAY[class_name]
    return {
        "module": today.module,
        "class_name": today.registered or class_name,
        "config": dict(settings),
        "registered_name": today.registered,
    }


def _nodes(drawn: Drawn) -> list[dict[str, Any]]:
    if drawn.class_name == "InputLayer":
        return []
    return [
        {"args": [tensors] if call.listed else tensors, "kwargs": {**call.said, **_handed(call)}}
        for call in drawn.calls
        for tensors in ([_tensor(value) for value in call.values],)
    ]


def _handed(call: Call) -> dict[str, Any]:
    """Return the values that are handed to a layer by name."""
    return {
        name: [_tensor(one) for one in value] if isinstance(value, tuple) else _tensor(value)
        for name, value in call.handed.items()
    }


def _tensor(value: Value) -> dict[str, Any]:
    history = [value.layer, value.call, value.result]
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": list(value.shape), "dtype": "float32", "keras_history": history},
    }


@dataclass(frozen=True, kw_only=True)
class Placed:
    """An array of the new file: what :class:`converters.writing.copying.Target` is.

    Attributes:
        target_path: Where it lies.
        values: What is planned for it.
        layer: The layer of the whole model that it belongs to, or lies in.
        owner: The layer that it belongs to.
        trained: Whether today's Keras changes it in training.
        origin: The old layer that it is drawn for.
        own: Whether that layer is of a class of somebody's own.
    """

    target_path: str
    values: Values
    layer: str
    owner: str
    trained: bool = False
    origin: str = ""
    own: bool = False

    @property
    def name(self) -> str:
        """Its number among the arrays of its layer."""
        return self.target_path.rpartition("/")[2]

    @property
    def target_shape(self) -> Shape:
        """Its shape."""
        return self.values.target_shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""
        return self.values.dtype

    @property
    def sources(self) -> tuple[str, ...]:
        """The datasets that it is made of."""
        return self.values.sources

    @property
    def source_shapes(self) -> tuple[Shape, ...]:
        """The shape of each of them."""
        return self.values.source_shapes

    @property
    def exact(self) -> bool:
        """Whether values are only moved."""
        return self.values.exact

    @property
    def nbytes(self) -> int:
        """The bytes that its values take."""
        return self.values.nbytes

    def pieces(self, sources: Mapping[str, Array], target: Array) -> Iterator[Piece]:
        """Yield what has to be copied, as views of the sources and the target."""
        return self.values.pieces(sources, target)


def placed(drawing: Drawing, group: str = "layers", top: str | None = None) -> Iterator[Placed]:
    """Yield every array of a drawing with its path: groups are called after classes, and numbered.

    Operations are no layers: they have no group.
    """
    numbers: Counter[str] = Counter()
    for drawn in paced(drawing.in_order()):
        if drawn.is_operation:
            continue
        inside, stem = drawn.inside, drawn.stem
        own = f"{group}/{stem}" + (f"_{numbers[stem]}" if numbers[stem] else "")
        numbers[stem] += 1
        name = top or drawn.name
        if inside is not None:
            below = f"{own}/layers" if drawn.class_name == "Model" else f"{own}/layer/layers"
            yield from placed(inside, below, name)
        frozen = _is_frozen(drawn)
        for path, values in drawn.arrays.items():
            yield Placed(
                target_path=f"{own}/{path}",
                values=values,
                layer=name,
                owner=drawn.name,
                trained=not frozen and values.role not in UNTRAINED,
                origin=drawn.origin,
                own=drawn.entry is not None,
            )


UNTRAINED = HELD_UNTRAINED.union(
    role for kind in KINDS.values() for role, found in kind.arrays.items() if not found.trained
)
"""The roles of arrays that training changes otherwise than by an optimizer."""


def _is_frozen(drawn: Drawn) -> bool:
    """Return whether a layer, or the one in a wrapper, says that it is not trained."""
    inner = drawn.settings.get("layer")
    within = inner["config"] if isinstance(inner, Mapping) else {}
    return drawn.settings.get("trainable") is False or within.get("trainable") is False
