"""One use of an old layer, and what draws today's layers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from converters.arrays.form import Layout, Shape
from converters.arrays.planned import Given, Output
from converters.arrays.rows import Flattened
from converters.layers.config import ORDERS, Setting
from converters.layers.model import Part
from converters.layers.names import kind_of_class
from converters.limits import clipped
from converters.upgrading.drawing import (
    Call,
    Drawing,
    Drawn,
    Masked,
    Value,
    Values,
    channels_last,
    straight,
    written,
)
from converters.upgrading.graph import Network, Node
from converters.upgrading.kept import WORKS_IN_TRAINING, kept
from converters.upgrading.origin import Origin
from converters.upgrading.own import Asked, Coming, Looked, OwnLayer
from converters.upgrading.refusing import Refused
from converters.upgrading.settings import MIXED, type_of
from converters.upgrading.store import Store
from converters.upgrading.today import ARRAYS, TODAY, Sizes

STEPWISE = ("SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional")
"""What goes through sequences step by step."""
# What takes a mask and does with it what older versions did, and what masks are made with.
_TAKES_MASK = frozenset((*STEPWISE, "Embedding"))
# What leaves masked steps out of what it gives, as older versions did.
_LEAVE_OUT = ("GlobalAveragePooling1D",)
_TELL_MASK = ("NotEqual", "Any", "ops.LogicalAnd")
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
        "leaky_relu",
        "mish",
    ]
)
"""What today's Keras calls by the same name as the older versions did, and computes as they did."""
HARD = "hard_sigmoid"
Activation: TypeAlias = str | Mapping[str, Any]
"""An activation by its name, or a function of somebody's own as today's configuration has it."""


def along_axis(name: Activation) -> bool:
    """Return whether an activation works, or may work, along the last axis, and not on each value alone."""
    return name == "softmax" or not isinstance(name, str)


Results: TypeAlias = Value | tuple[Value, ...]
"""What one use of an old layer gives: one value, or one for each of its results."""


def results_of(given: Results) -> tuple[Value, ...]:
    """Return the results of a use in their order."""
    return given if isinstance(given, tuple) else (given,)


@dataclass(kw_only=True)
class Report:
    """What is told of a layer: what was composed for it, what was left out, what is not as it was.

    Attributes:
        composed: For each old layer that takes more than one of today's, or scaled arrays, how.
        dropped: Settings that were left out, by layer.
        mixed: The first layer of each type that computes with fewer bits than float32 has.
        classes: The class of each old layer that was looked at.
        drawn: The classes of today's layers that were drawn for it.
        published: The first layer of each class that was taken for that of the published networks.
        owned: For each old layer that is drawn with what is the user's own, what that is.
        carried: Settings that work in training alone and are carried over, by layer.
    """

    mixed: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    drawn: dict[str, list[str]] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)
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
        asked: What the user says of single layers.
        timewise: For what lies in a TimeDistributed, what that does.
        number: Which use of the layer it is.
    """

    node: Node
    said: Mapping[str, Setting]
    values: tuple[Value, ...]
    drawing: Drawing
    store: Store
    report: Report
    sketch: Callable[[Network, Sequence[Value], str], Drawing]
    upgrade: Callable[[Use], Results]
    asked: Asked
    timewise: Timewise | None = None
    number: int = 0

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
    def dtype(self) -> str:
        """The type of what is drawn: float32, or that of a layer that computes with fewer bits."""
        said = type_of(self.node)
        if said not in MIXED:
            return "float32"
        self.report.mixed.setdefault(str(said), self.node.name)
        return str(said)

    def dtype_of(self, inner: Node) -> str:
        """Return the type of a layer that lies in this one, which may say its own."""
        return self.dtype if type_of(inner) is None else replace(self, node=inner).dtype

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
        shape: Sizes | None = None,
    ) -> Value:
        """Draw one of today's layers and return the first thing that it gives; see :meth:`draw_all`."""
        drawn = self.draw_all(
            class_name,
            settings,
            *values,
            suffix=suffix,
            arrays=arrays,
            axes=axes,
            call=call,
            inside=inside,
            shape=shape,
        )
        return drawn[0]

    def draw_all(
        self,
        class_name: str,
        settings: Mapping[str, Any],
        *values: Value,
        suffix: str = "",
        arrays: Mapping[str, Values] | None = None,
        axes: Shape | None = None,
        call: Mapping[str, Any] | None = None,
        handed: Mapping[str, Value | tuple[Value, ...]] | None = None,
        inside: Drawing | None = None,
        shape: Sizes | None = None,
    ) -> tuple[Value, ...]:
        """Draw one of today's layers, or one more call of it if the old layer is used again.

        Args:
            class_name: Its class.
            settings: Its configuration, but for its name and type.
            values: What feeds it.
            suffix: What is put behind the old layer's name for its own; empty for the layer that counts.
            arrays: Its arrays, by their paths below its group.
            axes: How the axes of what it gives first stand to those of the old value; by default as its
                first input's.
            call: What is said in the call besides.
            handed: Values that are handed to it by name.
            inside: The model in it.
            shape: What it gives (at each step, in a TimeDistributed), if its settings do not tell it.

        Returns:
            All that the layer gives.
        """
        if not all(value.layer for value in values):
            raise self.refuse("the shape of a result flows into it")
        masked = self._masked(class_name, settings, values)
        name, found = f"{self.name}{suffix}", dict(arrays or {})
        own = name if self.timewise is None else f"{self.node.name}{suffix}".replace("/", "__")
        full = self._own(own, class_name, trained=bool(found)) | dict(settings)
        full |= self.kept(class_name, found)
        self._check_arrays(class_name, full, values, found)
        outer = self.timewise
        if outer is not None and _is_operation(class_name):
            raise self.refuse("it lies in a TimeDistributed, which holds no operation")
        if outer is not None:
            values = tuple(outer.whole(value) for value in values)
            found = {f"layer/{path}": array for path, array in found.items()}
            full = {"name": name, "dtype": self.dtype, "layer": written(class_name, full)}
            class_name = "TimeDistributed"
            shape = (shape[0], outer.steps, *shape[1:]) if shape else None
        drawn = self._drawn(name, class_name, full, found, inside)
        listed = len(values) > 1 and not _takes_apart(class_name)
        named = self._handed(class_name, handed or {}, values)
        drawn.calls.append(Call(values=values, listed=listed, said=dict(call or {}), handed=named))
        results = _given(drawn, [shape] if shape else self._shapes(drawn, values))
        if masked is not None:
            results = [
                replace(value, masked=masked) if _passes_on(class_name, settings, value.result) else value
                for value in results
            ]
        first = results[0] if outer is None else outer.once(results[0])
        wanted = axes if axes is not None else self._same_axes(values, first)
        return (replace(first, axes=wanted), *results[1:])

    def _handed(
        self, class_name: str, handed: Mapping[str, Value | tuple[Value, ...]], values: Sequence[Value]
    ) -> Mapping[str, Value | tuple[Value, ...]]:
        """Return what is handed to a layer by name: with the mask, where today's Keras would not find it.

        Of a layer that takes states, too, it looks for none of the sequence: Layer.__call__ in
        keras/src/layers/layer.py.
        """
        masked = values[0].masked if values and class_name in (*STEPWISE, *_LEAVE_OUT) else None
        if masked is None or (masked.attached and not handed):
            return handed
        return {**handed, "mask": self.mask(masked)}

    def draw_own(self, own: OwnLayer) -> tuple[Value, ...]:
        """Draw a layer of somebody's own, or what takes this layer's place.

        Raises:
            Refused: If there can be none, or its arrays are not those that it has today.
        """
        values, outer = tuple(self.straight(value) for value in self.values), self.timewise
        masked = next((value.masked for value in values if value.masked), None)
        if masked is not None and not (masked.attached and outer is None):
            raise self.refuse("masked steps flow into it, which today's Keras does not know of")
        looked, found = self._looked(own, values)
        self.report.owned.setdefault(self.node.name, _told_of(looked))
        if outer is not None:
            values = tuple(outer.whole(value) for value in values)
            found = {f"layer/{path}": array for path, array in found.items()}
            settings = {"name": self.name, "dtype": "float32", "layer": dict(looked.entry)}
            looked = replace(looked, entry=written("TimeDistributed", settings))
        drawn = self._drawn(self.name, str(looked.entry["class_name"]), {}, found, looked=looked)
        drawn.calls.append(Call(values=values, listed=len(values) > 1, said={}))
        given = _given(drawn, looked.shapes)
        if outer is not None:
            steps = [replace(one, shape=(one.shape[0], outer.steps, *one.shape[1:])) for one in given]
            return tuple(outer.once(replace(one, axes=straight(len(one.shape) - 1))) for one in steps)
        return tuple(replace(value, masked=masked if looked.masked else None) for value in given)

    def _looked(self, own: OwnLayer, values: Sequence[Value]) -> tuple[Looked, dict[str, Values]]:
        """Return what a layer of somebody's own is today, and its arrays by their paths below its group."""
        arrays = self.store.as_they_are(self.node)
        coming = Coming(
            name=self.node.name.replace("/", "__"),
            settings=self.node.settings,
            shapes=tuple(value.shape for value in values),
            masked=any(value.masked for value in values),
            arrays=tuple(array.shape for array in arrays),
            stepwise=self.timewise is not None,
        )
        try:
            looked = own.look(coming)
        except ValueError as error:
            raise self.refuse(" ".join(str(error).split())[:_LONGEST]) from error
        if len(looked.arrays) != len(arrays):
            raise self.refuse(f"it has {len(looked.arrays)} arrays today, and {len(arrays)} in the file")
        found: dict[str, Values] = dict(zip(looked.arrays, arrays, strict=True))
        return looked, found | {path: Given(values=one, role=path) for path, one in looked.given.items()}

    def mask(self, masked: Masked) -> Value:
        """Draw what is true for each step that is not masked."""
        first, *others = (
            self._told(value, by, f"_{place}" if place else "")
            for place, (value, by) in enumerate(masked.tellers)
        )
        for place, other in enumerate(others):
            shape = first.shape
            first = self.draw("ops.LogicalAnd", {}, first, other, suffix=f"_both_{place}", shape=shape)
        return first

    def _told(self, value: Value, by: float, suffix: str) -> Value:
        differs = self.draw("NotEqual", {}, value, suffix=f"_told{suffix}", call={"x2": by})
        if value.rank < 2:
            return differs
        along = {"axis": -1, "keepdims": False}
        return self.draw("Any", along, differs, suffix=f"_mask{suffix}", axes=straight(1))

    def joined_mask(self) -> Masked | None:
        """Return what tells the masked steps of what several values are joined to.

        A step is masked if it is in one of them: compute_mask() in keras/layers/merge.py, Keras 2.2.4.
        Today's Keras masks what is so in all, and nothing if one has no mask at all.
        """
        found = [value.masked for value in self.values if value.masked]
        if not found:
            return None
        tellers = tuple(dict.fromkeys(teller for masked in found for teller in masked.tellers))
        same = len(found) == len(self.values) and all(masked.tellers == tellers for masked in found)
        return Masked(tellers=tellers, attached=same and all(masked.attached for masked in found))

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

    def _shapes(self, drawn: Drawn, values: Sequence[Value]) -> list[Sizes]:
        """Return the shapes of what a layer gives.

        Raises:
            Refused: If nothing would be left.
        """
        if drawn.inside is None:
            today, coming = TODAY[drawn.class_name], [value.shape for value in values]
            shapes = [today.shape(drawn.settings, coming), *today.further(drawn.settings, coming)]
        else:
            before = values[0].shape[:1] if drawn.class_name == "Model" else values[0].shape[:2]
            shapes = [(*before, *output.shape[1:]) for output in drawn.inside.outputs]
        for shape in shapes:
            if any(size is not None and size < 1 for size in shape):
                raise self.refuse(f"it would give a result of shape {shape}")
        return shapes

    def _same_axes(self, values: Sequence[Value], result: Value) -> Shape:
        first = values[0] if values else None
        if self.timewise is not None and first is not None:
            first = self.timewise.once(first)
        return first.axes if first is not None and first.rank == result.rank else straight(result.rank)

    def _own(self, name: str, class_name: str, *, trained: bool) -> dict[str, Any]:
        """Return what each layer's configuration begins with; operations have a name alone."""
        if _is_operation(class_name):
            return {"name": name}
        frozen = self.node.frozen or (self.timewise is not None and self.timewise.node.frozen)
        return {"name": name, "dtype": self.dtype} | ({"trainable": False} if trained and frozen else {})

    def _drawn(
        self,
        name: str,
        class_name: str,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Values],
        inside: Drawing | None = None,
        *,
        looked: Looked | None = None,
    ) -> Drawn:
        known = self.drawing.layers.get(name)
        if known is None or known.origin != self.node.name:
            drawn = Drawn(
                name=name,
                class_name=class_name,
                settings=settings,
                arrays=arrays,
                inside=inside,
                entry=looked.entry if looked is not None else None,
                shapes=looked.shapes if looked is not None else (),
                origin=self.node.name,
            )
            self.report.drawn.setdefault(self.node.name, []).append(class_name)
            return self.drawing.add(drawn)
        entry = looked.entry["config"] if looked is not None else settings
        own = known.entry["config"] if known.entry is not None else known.settings
        if own != entry or known.class_name != class_name:
            raise self.refuse(SEVERAL_SIZES)
        return known

    def _masked(self, class_name: str, settings: Mapping[str, Any], values: Sequence[Value]) -> Masked | None:
        """Return what tells the masked steps of what a layer gives.

        Raises:
            Refused: If it gets some, and would not do with them what the old layer did.
        """
        makes = class_name == "Masking" or bool(settings.get("mask_zero"))
        if self.timewise is not None:
            self._check_mask_within(class_name, values, makes=makes)
        if makes:
            return Masked(tellers=((values[0], settings.get("mask_value", 0)),))
        found = next((value.masked for value in values if value.masked), None)
        if found is None or class_name in _TELL_MASK:
            return None
        if class_name in _LEAVE_OUT and self.timewise is None:
            return None
        if class_name in STEPWISE:
            return found if _steps_of(class_name, settings)["return_sequences"] else None
        if class_name not in _TAKES_MASK and (class_name not in TODAY or not TODAY[class_name].passes_mask):
            raise self.refuse("masked steps flow into it, and it is drawn with layers that carry no mask on")
        return found

    def _check_mask_within(self, class_name: str, values: Sequence[Value], *, makes: bool) -> None:
        """Raise if what lies in a TimeDistributed makes a mask, or goes step by step through masked steps.

        Older versions joined the masks of all steps to one, or handed each its share, or did neither; today's
        passes on none that is made in it: TimeDistributed in keras/src/layers/rnn/time_distributed.py.
        """
        if makes:
            raise self.refuse(
                "it tells masked steps in a TimeDistributed, which passes no mask of it on today"
            )
        if class_name in STEPWISE and any(value.masked for value in values):
            raise self.refuse("it lies in a TimeDistributed, and masked steps flow into it")

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
        if self.origin.layout is None and self.node.order is None and value.rank - before > 2:
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

    def activated(self, value: Value, name: Activation, *, suffix: str = "") -> Value:
        """Return a value behind an activation of its own layer."""
        if along_axis(name):
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


def _told_of(looked: Looked) -> str:
    """Return what is told of what the user says of a layer."""
    if str(looked.entry["module"]).partition(".")[0] == "keras":
        return f"replaced by what was given for it, a {looked.entry['class_name']}"
    return OWN.format(f"class {looked.entry['class_name']}")


SEVERAL_SIZES = "it is used on inputs of several sizes, for which it would be drawn differently"
OWN = "the user's own {}, without which the new file does not open"
_LONGEST = 400
"""How much of what the user's own code says is shown."""


def _given(drawn: Drawn, shapes: Sequence[Sizes]) -> list[Value]:
    """Return what the last call of a layer gives."""
    return [
        Value(
            layer=drawn.name,
            call=len(drawn.calls) - 1,
            result=number,
            shape=shape,
            axes=straight(len(shape) - 1),
        )
        for number, shape in enumerate(shapes)
    ]


def _steps_of(class_name: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a recurrent layer, or of the one that goes both ways."""
    own: Mapping[str, Any] = settings["layer"]["config"] if class_name == "Bidirectional" else settings
    return own


def _passes_on(class_name: str, settings: Mapping[str, Any], number: int) -> bool:
    """Return whether a result of a layer is a sequence, and no state: sequences alone have masked steps."""
    if class_name not in STEPWISE:
        return True
    return number < (2 if class_name == "Bidirectional" and settings["merge_mode"] is None else 1)


def _is_operation(class_name: str) -> bool:
    return class_name in TODAY and TODAY[class_name].registered is not None


def _takes_apart(class_name: str) -> bool:
    """Return whether several values are handed to a layer each by itself, and not in a list."""
    own = _is_operation(class_name) and class_name not in _TAKE_LIST
    return own or (class_name in TODAY and TODAY[class_name].apart)


_TAKE_LIST = ("ops.Concatenate",)


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
