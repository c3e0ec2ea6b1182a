"""A network as an older version of Keras described it: its layers, what feeds them, what lies in them.

Sequential or Functional, with models and wrappers in them: all become nodes that name what feeds them, so
that whoever draws the network need not know in which form it was written down.

Sources: get_config() and from_config() of Sequential and Container in keras/models.py and
keras/engine/topology.py, Keras 1.2.2, of Network in keras/engine/network.py, Keras 2.2.4, and of Functional
in tensorflow/python/keras/engine/functional.py, TensorFlow 2.4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from converters.boundary import paced
from converters.layers.config import ORDER_KEYS, Config, Setting, is_layer, layers_of, name_of_entry, wrapped
from converters.layers.names import kind_of_class
from converters.limits import clipped
from converters.upgrading.calls import CALLED, Called, read_call, says_nothing
from converters.upgrading.refusing import Refused, refused

SEQUENTIAL = ("Sequential",)
FUNCTIONAL = ("Model", "Functional")


class Source(NamedTuple):
    """One result of one use of a layer."""

    layer: str
    use: int
    result: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One layer.

    Attributes:
        name: Its name; of a model without one (a Sequential within a Sequential), where it stands.
        named: Whether the configuration says the name.
        class_name: Its class, as the configuration calls it.
        settings: Its configuration.
        uses: What feeds each of its uses.
        network: What lies in it, if it is a model.
        inner: The layer in it, if it is a wrapper.
        made_up: Whether no configuration lists it: the input of a Sequential.
        calls: What each use says besides, of the classes of :data:`converters.upgrading.calls.CALLED`.
    """

    name: str
    class_name: str
    settings: Mapping[str, Setting]
    uses: tuple[tuple[Source, ...], ...] = ()
    named: bool = True
    network: Network | None = None
    inner: Node | None = None
    made_up: bool = False
    calls: tuple[Called, ...] = ()

    @property
    def order(self) -> Setting:
        """The order of its maps as it says it itself; None if it says none, or that it is the model's."""
        said = next((self.settings[key] for key in ORDER_KEYS if self.settings.get(key)), None)
        return None if said == "default" else said

    @property
    def frozen(self) -> bool:
        """Whether it says that training does not change it."""
        return self.settings.get("trainable") is False

    def refuse(self, why: str) -> Refused:
        """Return what to raise if the layer cannot be drawn."""
        return refused(why, layer=self.name, class_name=self.class_name)


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A network, or a model within one.

    Attributes:
        name: Its name; empty if it has none.
        nodes: Its layers in the configuration's order.
        inputs: The results that come in from outside.
        outputs: The results that it gives.
        chain: Whether it is a Sequential.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[Source, ...]
    outputs: tuple[Source, ...]
    chain: bool

    @cached_property
    def consumers(self) -> Mapping[Source, Sequence[Node]]:
        """The layers that each result in it feeds, once for each time that they are fed by it."""
        found: defaultdict[Source, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for feed in (feed for use in node.uses for feed in use):
                found[feed].append(node)
        return found

    @cached_property
    def counted_from_zero(self) -> frozenset[str]:
        """The models in it whose uses are counted from 0; elsewhere the first is a model's own making."""
        feeds = [feed for node in self.nodes for use in node.uses for feed in use]
        return frozenset(feed.layer for feed in (*feeds, *self.outputs) if not feed.use)


def modern(config: Config) -> Config:
    """Return the configuration of a Sequential of Keras 0 in the form of Keras 1; any other as it is.

    Its layers have no names but those of their groups in the weights' file: ``layer_0`` and so on.
    """
    layers = config.get("layers")
    if config.get("name") != "Sequential" or "class_name" in config or not isinstance(layers, list):
        return config
    return {
        "class_name": "Sequential",
        "config": [_modern_layer(entry, f"layer_{number}") for number, entry in enumerate(layers)],
        "keras_version": KERAS0,
    }


KERAS0 = "0.3.3"
"""The version that a configuration without any is taken for, if it has the form of Keras 0: the last."""


def _modern_layer(entry: Setting, name: str) -> Config:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise refused(f"its layer {name!r} has no class")
    settings = {**entry, "name": name}
    shape = settings.pop("input_shape", None)
    if isinstance(shape, list):
        settings["batch_input_shape"] = [None, *shape]
    return {"class_name": entry["name"], "config": settings}


def read_network(config: Config) -> Network:
    """Return the network that a configuration describes.

    Args:
        config: What ``to_json`` of Keras 1 or 2 gave, or the attribute ``model_config``, as objects.

    Raises:
        Refused: If it is a class of somebody's own, or says what feeds a layer in a form that is not known.
    """
    class_name = str(config.get("class_name"))
    if class_name in SEQUENTIAL:
        return _Chain(config).network()
    if class_name in FUNCTIONAL:
        return _functional(config)
    raise refused(f"the model is of class {clipped(class_name)}, which only its own code can draw")


def _functional(config: Config) -> Network:
    inner = config["config"]
    if not isinstance(inner, Mapping):
        raise refused("the model lists no inputs and outputs")
    nodes = tuple(paced(map(_listed, layers_of(config))))
    return Network(
        name=str(inner.get("name") or ""),
        nodes=nodes,
        inputs=tuple(_ends(inner.get("input_layers"), "input_layers")),
        outputs=tuple(_ends(inner.get("output_layers"), "output_layers")),
        chain=False,
    )


def _listed(entry: Config) -> Node:
    node = _node(entry, name_of_entry(entry) or "")
    uses = entry.get("inbound_nodes") or ([[]] if entry["class_name"] == "InputLayer" else [])
    if node.class_name in CALLED and isinstance(uses, list):
        return _called(node, uses)
    found = tuple(tuple(_sources(use, node)) for use in uses)
    return replace(node, uses=found)


def _called(node: Node, uses: list[Setting]) -> Node:
    """Return a layer with what it is called with, of which results of others may be any part."""
    calls = [read_call(use) for use in uses]
    known = tuple(call for call in calls if call is not None)
    if len(known) < len(calls):
        raise node.refuse("what feeds it is written in a form that is not known")
    found = tuple(tuple(Source(*source) for source in call.sources) for call in known)
    return replace(node, uses=found, calls=known)


def _node(entry: Config, name: str) -> Node:
    """Return a layer that nothing feeds yet, with what lies in it."""
    class_name, settings = str(entry["class_name"]), entry["config"]
    own = settings if isinstance(settings, Mapping) else {}
    below = wrapped(own)
    return Node(
        name=name,
        class_name=class_name,
        settings=own,
        named=name_of_entry(entry) is not None,
        network=read_network(entry) if class_name in (*SEQUENTIAL, *FUNCTIONAL) else None,
        inner=None if below is None else _node(below, name_of_entry(below) or f"{name}_layer"),
    )


def _sources(use: Setting, node: Node) -> Iterator[Source]:
    """Yield what feeds one use of a layer: results, each with what is said besides.

    Raises:
        Refused: If a result is passed in another way than as one of a list.
    """
    if not isinstance(use, list):
        raise node.refuse("its inputs are written in the form of Keras 3")
    for source in use:
        if not isinstance(source, list) or len(source) < 3 or not isinstance(source[0], str):
            raise node.refuse("what feeds it is written in a form that is not known")
        said = source[3] if len(source) > 3 and isinstance(source[3], Mapping) else {}
        states = said.get(STATES)
        told = [
            name
            for name, value in said.items()
            if not says_nothing(value) and (name != STATES or not isinstance(states, list))
        ]
        if told:
            raise node.refuse(f"it is called with {clipped(told[0])}, which is not carried over")
        if not all(map(_counts, source[1:3])):
            raise node.refuse("what feeds it is written in a form that is not known")
        yield Source(source[0], int(source[1]), int(source[2]))
        # Keras 2 lists what a recurrent layer begins with as further inputs; by name it means the same.
        yield from _sources(_triples(states or []), node)


def _triples(states: Setting) -> Setting:
    """Return the states that a call names as a list of results, without what else is said of each."""
    listed = [states] if isinstance(states, list) and states and isinstance(states[0], str) else states
    return [state[:3] if isinstance(state, list) else state for state in listed]


STATES = "initial_state"
"""What a call of a recurrent layer says besides its inputs: the states that it begins with."""


def _ends(listed: Setting, what: str) -> Iterator[Source]:
    """Yield the results at an end of a network; tf.keras writes a single one without a list around it."""
    ends = [listed] if isinstance(listed, list) and listed and isinstance(listed[0], str) else listed
    if not isinstance(ends, list) or not ends:
        raise refused(f"the model says in no known form which its {what} are")
    for end in ends:
        if not isinstance(end, list) or len(end) != 3 or not isinstance(end[0], str):
            raise refused(f"the model says in no known form which its {what} are")
        if not all(map(_counts, end[1:])):
            raise refused(f"the model says in no known form which its {what} are")
        yield Source(end[0], int(end[1]), int(end[2]))


def _counts(value: Setting) -> bool:
    """Return whether a value counts uses or results."""
    return type(value) is int and 0 <= value < 1 << 31


class _Chain:
    """A Sequential that is being read: each layer is fed by the one before it.

    In Keras 1 it may begin with a Merge that holds other models; their layers are listed in its place then.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._nodes: list[Node] = []
        self._inputs: list[Source] = []

    def network(self) -> Network:
        """Return the network."""
        end = self._entries(self._config)
        if end is None:
            raise refused("the model has no layers")
        inner = self._config["config"]
        name = inner.get("name") if isinstance(inner, Mapping) else None
        return Network(
            name=str(name or ""),
            nodes=tuple(self._nodes),
            inputs=tuple(self._inputs),
            outputs=(end,),
            chain=True,
        )

    def _entries(self, config: Config) -> Source | None:
        """Add the layers of a Sequential and return what the last of them gives."""
        end: Source | None = None
        for place, entry in enumerate(paced(layers_of(config))):
            if end is None:
                end = self._first(entry)
                if entry["class_name"] == "InputLayer" or _branches(entry):
                    continue
            end = self._append(entry, place, (end,))
        return end

    def _first(self, entry: Config) -> Source:
        """Add what feeds the first layer, or takes its place: an input, or the models that a Merge joins."""
        branches = _branches(entry)
        if branches:
            ends = tuple(self._branch(branch) for branch in branches)
            return self._append(entry, len(self._nodes), ends)
        name = name_of_entry(entry) or f"{len(self._nodes)}"
        listed = entry["class_name"] == "InputLayer"
        shape = input_shape(entry) or self._shape_of_model()
        node = Node(
            name=name if listed else f"{name}_input",
            class_name="InputLayer",
            settings=entry["config"]
            if listed
            else {"batch_input_shape": shape, "input_dtype": input_dtype(entry)},
            uses=((),),
            made_up=not listed,
        )
        self._nodes.append(node)
        self._inputs.append(Source(node.name, 0, 0))
        return self._inputs[-1]

    def _shape_of_model(self) -> Setting:
        inner = self._config["config"]
        return inner.get("build_input_shape") if isinstance(inner, Mapping) else None

    def _branch(self, entry: Config) -> Source:
        end = self._entries(entry) if entry["class_name"] in SEQUENTIAL else None
        if end is None:
            raise refused(
                "it joins what is no Sequential",
                layer=name_of_entry(entry) or "",
                class_name=str(entry["class_name"]),
            )
        return end

    def _append(self, entry: Config, place: int, feeding: tuple[Source, ...]) -> Source:
        node = replace(_node(entry, name_of_entry(entry) or f"model_at_{place}"), uses=(feeding,))
        self._nodes.append(node)
        return Source(node.name, 1 if node.network else 0, 0)


def _branches(entry: Config) -> Sequence[Config]:
    """Return the models that a Merge at the head of a Sequential holds."""
    inner = entry["config"]
    listed = inner.get("layers") if isinstance(inner, Mapping) else None
    if entry["class_name"] != "Merge" or not isinstance(listed, list):
        return ()
    return [branch for branch in listed if is_layer(branch)]


def input_shape(entry: Config) -> Setting:
    """Return the shape of a batch that the first layer of a Sequential says, or that lies in it."""
    inner = entry["config"]
    if isinstance(inner, Mapping):
        said = inner.get("batch_input_shape") or inner.get("batch_shape")
        if said:
            return said
    layers = layers_of(entry)
    return input_shape(layers[0]) if layers else None


def input_dtype(entry: Config) -> str:
    """Return the type of what comes in: integers for an Embedding."""
    inner = entry["config"]
    said = inner.get("input_dtype") or inner.get("dtype") if isinstance(inner, Mapping) else None
    layers = layers_of(entry)
    if layers:
        return input_dtype(layers[0])
    words = kind_of_class(str(entry["class_name"])) == "Embedding"
    return "int32" if words or str(said).startswith("int") else "float32"
