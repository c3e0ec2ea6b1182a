"""One use of an old layer, and what draws today's layers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from converters.arrays.form import Layout, Shape
from converters.arrays.planned import Output
from converters.arrays.rows import Flattened
from converters.layers.config import ORDER_KEYS, ORDERS, Setting
from converters.layers.model import Part
from converters.layers.names import kind_of_class
from converters.limits import clipped
from converters.upgrading.drawing import Call, Drawing, Drawn, Value, Values, channels_last, straight, written
from converters.upgrading.graph import Network, Node
from converters.upgrading.kept import WORKS_IN_TRAINING, kept
from converters.upgrading.origin import Origin
from converters.upgrading.refusing import Refused
from converters.upgrading.store import Store
from converters.upgrading.today import ARRAYS, TODAY, Sizes

_STEPWISE = ("SimpleRNN", "LSTM", "GRU", "Bidirectional")
# What takes a mask and does with it what older versions did.
_TAKES_MASK = frozenset((*_STEPWISE, "Embedding"))
ACTIVATIONS = frozenset(
    [
        "linear",
        "relu",
        "tanh",
        "sigmoid",
        "hard_sigmoid",
        "softmax",
        "softplus",
        "softsign",
        "elu",
        "selu",
        "exponential",
        "swish",
        "gelu",
        "relu6",
        "mish",
    ]
)
"""What today's Keras calls by the same name as the older versions did, and computes as they did."""
HARD = "hard_sigmoid"


@dataclass(kw_only=True)
class Report:
    """What is told of a layer: what was composed for it, what was left out, what is not as it was.

    Attributes:
        composed: For each old layer that takes more than one of today's, or scaled arrays, how.
        dropped: Settings that were left out, by layer.
        classes: The class of each old layer that was looked at.
        drawn: The classes of today's layers that were drawn for it.
        published: The first layer of each class that was taken for that of the published networks.
        carried: Settings that work in training alone and are carried over, by layer.
    """

    classes: dict[str, str] = field(default_factory=dict)
    drawn: dict[str, list[str]] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    composed: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    carried: dict[str, set[str]] = field(default_factory=dict)

    def drop(self, layer: str, setting: str) -> None:
        """Note that a setting is left out."""
        dropped = self.dropped.setdefault(layer, [])
        dropped += [setting] if setting not in dropped else []

    def carry(self, layer: str, settings: Iterable[str]) -> None:
        """Note that a setting is carried over, under whatever name the layer has it."""
        self.carried.setdefault(layer, set()).update(settings)


@dataclass(kw_only=True)
class Use:
    """One use of an old layer.

    Attributes:
        node: The layer.
        said: Its settings, under the names that they have in :data:`converters.upgrading.classes.UPGRADES`.
        values: What comes in.
        drawing: What is drawn into.
        store: The arrays.
        report: What is told.
        sketch: Draws the network of a layer that holds one.
        upgrade: Draws a layer that lies in this one.
        timewise: For what lies in a TimeDistributed, what that does.
    """

    node: Node
    said: Mapping[str, Setting]
    values: tuple[Value, ...]
    drawing: Drawing
    store: Store
    report: Report
    sketch: Callable[[Network, Sequence[Value], str], Drawing]
    upgrade: Callable[[Use], Value]
    timewise: Timewise | None = None

    @property
    def origin(self) -> Origin:
        """What the model is."""
        return self.store.origin

    @property
    def value(self) -> Value:
        """The one value that comes in.

        Raises:
            Refused: If there are several.
        """
        if len(self.values) != 1:
            raise self.refuse(f"{len(self.values)} values feed it, which is not carried over")
        return self.values[0]

    @property
    def name(self) -> str:
        """Its name, as today's Keras allows it: without ``/``."""
        return (self.timewise.node if self.timewise else self.node).name.replace("/", "__")

    @property
    def layout(self) -> Layout:
        """The order of the maps that it works on, which it says itself or shares with its model."""
        said = self.node.order
        if said is None:
            # What works on sequences has no order but where it says one.
            return "tf" if kind_of_class(self.node.class_name).endswith("1D") else self.origin.layout or "tf"
        found: list[Layout] = [layout for layout, names in ORDERS.items() if said in names]
        if not found:
            raise self.refuse(f"it says the order {clipped(str(said))}")
        return found[0]

    def refuse(self, why: str) -> Refused:
        """Return what to raise if the layer cannot be drawn."""
        return self.node.refuse(why)

    def tell_dropped(self) -> None:
        """Note which settings that work in training alone are left out, once a layer is drawn."""
        carried = self.report.carried.get(self.node.name, set())
        for key, value in self.node.settings.items():
            if WORKS_IN_TRAINING.fullmatch(key) and value is not None and key not in carried:
                self.report.drop(self.node.name, key)

    def tell(self, how: str) -> None:
        """Note how the layer is composed."""
        self.report.composed[self.node.name] = how

    # Drawing

    def draw(
        self,
        class_name: str,
        settings: Mapping[str, Any],
        *values: Value,
        suffix: str = "",
        arrays: Mapping[str, Values] | None = None,
        axes: Shape | None = None,
        call: Mapping[str, Any] | None = None,
        inside: Drawing | None = None,
    ) -> Value:
        """Draw one of today's layers, or one more call of it if the old layer is used again.

        Args:
            class_name: Its class.
            settings: Its configuration, but for its name and type.
            values: What feeds it.
            suffix: What is put behind the old layer's name for its own; empty for the layer that counts.
            arrays: Its arrays, by their paths below its group.
            axes: How the axes of what it gives stand to those of the old value; by default as its first
                input's.
            call: What is said in the call besides.
            inside: The model in it.
        """
        masked = self._masked(class_name, settings, values)
        name, found = f"{self.name}{suffix}", dict(arrays or {})
        own = name if self.timewise is None else f"{self.node.name}{suffix}".replace("/", "__")
        full = self._own(own, class_name, trained=bool(found)) | dict(settings)
        full |= self.kept(class_name, found)
        self._check_arrays(class_name, full, values, found)
        outer = self.timewise
        if outer is not None:
            values = tuple(outer.whole(value) for value in values)
            found = {f"layer/{path}": array for path, array in found.items()}
            full = {"name": name, "dtype": "float32", "layer": written(class_name, full)}
            class_name = "TimeDistributed"
        drawn = self._drawn(name, class_name, full, found, inside)
        listed = len(values) > 1 and not _is_operation(class_name)
        drawn.calls.append(Call(values=values, listed=listed, said=dict(call or {})))
        shape = self._shape(drawn, values)
        result = Value(
            layer=name, call=len(drawn.calls) - 1, shape=shape, axes=straight(len(shape) - 1), masked=masked
        )
        if outer is not None:
            result = outer.once(result)
        wanted = axes if axes is not None else self._same_axes(values, result)
        return replace(result, axes=wanted)

    def kept(self, class_name: str, arrays: Mapping[str, Values]) -> dict[str, Any]:
        """Return the settings of a layer that work on its arrays in training alone and are carried over."""
        found = {}
        for keys, name, setting in kept(self.node, class_name, arrays):
            self.report.carry(self.node.name, keys)
            found[name] = setting
        return found

    def _check_arrays(
        self,
        class_name: str,
        settings: Mapping[str, Any],
        values: Sequence[Value],
        arrays: Mapping[str, Values],
    ) -> None:
        """Raise unless the arrays of a layer have the shapes that today's Keras will make it with."""
        if not arrays or class_name not in ARRAYS:
            return
        wanted = ARRAYS[class_name](settings, values[0].shape)
        if any(size is None for shape in wanted for size in shape):
            raise self.refuse("it has arrays for a size of its input that is open")
        for array, shape in zip(arrays.values(), wanted, strict=False):
            if array.target_shape != shape:
                raise self.refuse(f"its array {array.target_shape} should be {shape}")

    def _shape(self, drawn: Drawn, values: Sequence[Value]) -> Sizes:
        """Return the shape that a layer gives.

        Raises:
            Refused: If nothing would be left.
        """
        shape: Sizes
        if drawn.inside is None:
            shape = TODAY[drawn.class_name].shape(drawn.settings, [value.shape for value in values])
        else:
            before = values[0].shape[:1] if drawn.class_name == "Model" else values[0].shape[:2]
            shape = (*before, *drawn.inside.outputs[0].shape[1:])
        if any(size is not None and size < 1 for size in shape):
            raise self.refuse(f"it would give a result of shape {shape}")
        return shape

    def _same_axes(self, values: Sequence[Value], result: Value) -> Shape:
        first = values[0] if values else None
        if self.timewise is not None and first is not None:
            first = self.timewise.once(first)
        return first.axes if first is not None and first.rank == result.rank else straight(result.rank)

    def _own(self, name: str, class_name: str, *, trained: bool) -> dict[str, Any]:
        """Return what each layer's configuration begins with; operations have a name alone."""
        if _is_operation(class_name):
            return {"name": name}
        frozen = trained and self.node.settings.get("trainable") is False
        return {"name": name, "dtype": "float32"} | ({"trainable": False} if frozen else {})

    def _drawn(
        self,
        name: str,
        class_name: str,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Values],
        inside: Drawing | None,
    ) -> Drawn:
        known = self.drawing.layers.get(name)
        if known is None or known.origin != self.node.name:
            drawn = Drawn(
                name=name,
                class_name=class_name,
                settings=settings,
                arrays=arrays,
                inside=inside,
                origin=self.node.name,
            )
            self.report.drawn.setdefault(self.node.name, []).append(class_name)
            return self.drawing.add(drawn)
        if known.settings != settings or known.class_name != class_name:
            raise self.refuse(
                "it is used on inputs of several sizes, for which it would be drawn differently"
            )
        return known

    def _masked(self, class_name: str, settings: Mapping[str, Any], values: Sequence[Value]) -> bool:
        if class_name == "Masking" or settings.get("mask_zero"):
            return True
        if not any(value.masked for value in values):
            return False
        if class_name in _STEPWISE:
            if class_name == "Bidirectional" and settings["layer"]["config"]["return_sequences"]:
                raise self.refuse("it gives sequences of masked steps, which today's Keras sets to zero")
            return bool(settings.get("return_sequences"))
        if class_name not in _TAKES_MASK and (class_name not in TODAY or not TODAY[class_name].passes_mask):
            raise self.refuse("masked steps flow into it, and it is drawn with layers that carry no mask on")
        return True

    # Axes

    def turned(self, value: Value, axes: Shape) -> Value:
        """Return a value with its axes in another order, which takes a Permute unless it has it already."""
        if value.axes == axes:
            return value
        if value.masked:
            raise self.refuse("masked steps flow into it, and their axes would have to be turned")
        dims = [value.axes.index(axis) + 1 for axis in axes]
        name = self.drawing.unused(f"{self.name}_axes")
        return self.draw("Permute", {"dims": dims}, value, suffix=name.removeprefix(self.name), axes=axes)

    def straight(self, value: Value) -> Value:
        """Return a value as it stands in the old network."""
        return self.turned(value, straight(value.rank))

    def mapped(self, value: Value, *, before: int = 0) -> Value:
        """Return a map as today's layers take it here: channels last, whatever the old layer's order.

        TensorFlow convolves channels first on no CPU, and on no device faster.

        Args:
            value: The map.
            before: How many axes stand before those of the map: one for sequences of maps.
        """
        said = any(self.node.settings.get(key) for key in ORDER_KEYS)
        if self.origin.layout is None and not said and value.rank - before > 2:
            raise self.refuse("nothing says in which order its maps are")
        if self.layout == "tf":
            return self.straight(value)
        inner = channels_last(value.rank - before)
        return self.turned(value, (*range(before), *(axis + before for axis in inner)))

    def by_place(self) -> tuple[Value, bool]:
        """Return what comes in for a layer with arrays of its shape, and whether these are turned."""
        value = self.value
        if self.layout == "th" and value.rank > 1 and value.axes == channels_last(value.rank):
            return value, True
        return self.straight(value), False

    def aligned(self) -> tuple[Value, ...]:
        """Return what comes in with the axes of all in one order."""
        turned = [value.axes for value in self.values if value.axes != straight(value.rank)]
        axes = turned[0] if turned else None
        return tuple(
            self.turned(value, axes) if axes is not None and len(axes) == value.rank else self.straight(value)
            for value in self.values
        )

    def activated(self, value: Value, name: str, *, suffix: str = "") -> Value:
        """Return a value behind an activation of its own layer."""
        if name == "softmax":
            value = self.straight(value)
        return self.draw("Activation", {"activation": name}, value, suffix=suffix)

    # Arrays

    def parts(self) -> tuple[Part, ...]:
        """Return the layer's arrays: one part, or the two of a Bidirectional."""
        return self.store.of(self.node)

    def arrays(
        self, *, last: bool = False, rows: Flattened | None = None, scaled: str | bool = False
    ) -> dict[str, Output]:
        """Return what becomes of the layer's arrays, by their roles; see :meth:`Store.arrays`."""
        (part,) = self.parts()
        return self.store.arrays(part, self.node, layout=self.layout, last=last, rows=rows, scaled=scaled)

    def numbered(self, arrays: Mapping[str, Values], *roles: str, place: str = "vars") -> dict[str, Values]:
        """Return arrays by their paths below the layer's group, in the order of today's layer.

        Args:
            arrays: The arrays by their roles.
            roles: The roles that the layer must have, and no others.
            place: Where they lie.
        """
        if set(arrays) != set(roles):
            raise self.refuse(f"its arrays should be {', '.join(roles)}, and are {', '.join(arrays)}")
        return {f"{place}/{number}": arrays[role] for number, role in enumerate(roles)}


def _is_operation(class_name: str) -> bool:
    return class_name in TODAY and TODAY[class_name].registered is not None


@dataclass(frozen=True, kw_only=True)
class Timewise:
    """What a TimeDistributed does: what lies in it sees one step at a time.

    Attributes:
        node: The wrapper.
        steps: The number of steps.
    """

    node: Node
    steps: int | None

    def once(self, value: Value) -> Value:
        """Return a sequence as one step of it."""
        axes = tuple(axis - 1 for axis in value.axes[1:])
        return replace(value, shape=(value.shape[0], *value.shape[2:]), axes=axes)

    def whole(self, value: Value) -> Value:
        """Return one step as the sequence."""
        shape: Sizes = (value.shape[0], self.steps, *value.shape[1:])
        return replace(value, shape=shape, axes=(0, *(axis + 1 for axis in value.axes)))
