"""Drawing a whole network anew: use after use of its layers, each as soon as what feeds it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from converters.boundary import paced
from converters.layers.config import MAP_RANKS, ORDERS, Setting
from converters.layers.names import kind_of_class
from converters.layers.table import Gives, cell_of, flow_of
from converters.limits import clipped
from converters.upgrading.classes import NAME_IT, penalised
from converters.upgrading.drawing import Drawing, Value, channels_last, straight
from converters.upgrading.graph import Network, Node, Source
from converters.upgrading.own import Asked
from converters.upgrading.records import RECORDS, record_of
from converters.upgrading.refusing import Refusal, Refused, refused
from converters.upgrading.settings import said_of, whole
from converters.upgrading.store import Store
from converters.upgrading.today import Sizes
from converters.upgrading.use import Report, Results, Use, results_of


@dataclass(kw_only=True)
class Sketch:
    """The drawing of a model, with the models in it.

    Attributes:
        store: The arrays.
        report: What is told of its layers.
        asked: What the user says of single layers.
        refusals: What could not be drawn; what depends on it is left out and not looked at.
    """

    store: Store
    report: Report
    asked: Asked = field(default_factory=Asked)
    refusals: dict[Refusal, None] = field(default_factory=dict)

    def draw(self, network: Network, feeding: Sequence[Value] | None, name: str) -> Drawing:
        """Return a network, drawn.

        Args:
            network: The network.
            feeding: For a model within a model what flows into it; its inputs are like that.
            name: What it is called if it has no name.
        """
        drawing = Drawing(name=name.replace("/", "__"), chain=network.chain)
        values: dict[Source, Value] = {}
        given = dict(zip(network.inputs, feeding, strict=False)) if feeding is not None else {}
        if feeding is not None and len(feeding) != len(network.inputs):
            raise refused(
                f"{len(feeding)} values feed the model {name!r}, which has {len(network.inputs)} inputs"
            )
        for node, number in paced(_in_order(network)):
            feeds = node.uses[number]
            if kind_of_class(node.class_name) != "InputLayer" and not all(map(values.__contains__, feeds)):
                continue
            try:
                if kind_of_class(node.class_name) == "InputLayer":
                    source = Source(node.name, 0, 0)
                    results: Results = self._input(network, node, given.get(source), drawing)
                else:
                    coming = tuple(values[feed] for feed in feeds)
                    results = self.upgrade(self._use(node, coming, drawing, number))
            except Refused as refusal:
                self._note(refusal, drawing, node)
                continue
            use = number + _first_use(network, node)
            values |= {
                Source(node.name, use, place): value for place, value in enumerate(results_of(results))
            }
        self._finish(network, drawing, values)
        return drawing

    def upgrade(self, use: Use) -> Results:
        """Draw one use of a layer, once its settings are known by today's names."""
        own = self.asked.layer(use.node.name, use.node.class_name)
        if own is not None:
            self.report.classes[use.node.name] = use.node.class_name
            return use.draw_own(own)
        if use.node.network is not None:
            self.report.classes[use.node.name] = use.node.class_name
            return RECORDS["Model"].draw(use)
        found = record_of(use.node.class_name, use.origin)
        if found is None:
            raise use.refuse(UNKNOWN)

        self.report.classes[use.node.name] = use.node.class_name
        use.said = said_of(use.node, found.arguments, partial(self.report.drop, use.node.name))
        value = penalised(use, found.draw(use))
        use.tell_dropped()
        return value

    def _use(self, node: Node, values: tuple[Value, ...], drawing: Drawing, number: int = 0) -> Use:
        return Use(
            node=node,
            said={},
            values=values,
            drawing=drawing,
            store=self.store,
            report=self.report,
            sketch=self.draw,
            upgrade=self.upgrade,
            asked=self.asked,
            number=number,
        )

    def _note(self, refusal: Refused, drawing: Drawing, node: Node) -> None:
        found = refusal.refusal
        if found.why == STOPPED:
            return
        if not found.layer:
            found = Refusal(layer=node.name, class_name=node.class_name, why=found.why)
        self.refusals[found] = None

    def _input(self, network: Network, node: Node, given: Value | None, drawing: Drawing) -> Value:
        """Draw an input: of the shape of what flows in, or of what the configuration says."""
        name = node.name.replace("/", "__")
        said = node.settings.get("batch_input_shape") or node.settings.get("batch_shape")
        dtype = str(node.settings.get("input_dtype") or node.settings.get("dtype") or "float32")
        kind = dtype if dtype in _AS_THEY_ARE else "int32" if dtype.startswith("int") else "float32"
        if given is not None:
            return drawing.input(name, given.shape, kind, given.axes)
        shape = _shape_of(node, said or self._shape_by_arrays(network, node))
        axes = self._wanted(network, node, len(shape) - 1)
        turned: Sizes = (shape[0], *(shape[axis + 1] for axis in axes))
        return drawing.input(name, turned, kind, axes)

    def _shape_by_arrays(self, network: Network, node: Node) -> list[int | None] | None:
        """Return what comes into a Sequential that does not say it, as its first layer's arrays tell.

        Keras 2 allows that from 2.2 on; its kernels have their inputs before the last axis.
        """
        first = next((after for after in network.nodes if after.uses == ((Source(node.name, 0, 0),),)), None)
        parts = self.store.of(first, needed=False) if first is not None and node.made_up else ()
        kernel = parts[0].array("kernel") if parts else None
        if first is None or kernel is None or self.store.origin.keras1:
            return None
        kind = kind_of_class(first.class_name)
        free = [None] * (1 if kind == "Dense" else 2 if cell_of(kind) else len(kernel.shape) - 1)
        channels = kernel.shape[-2]
        if kind in ("Conv2D", "Conv3D") and _first(first, self.store.origin.layout or "tf"):
            return [None, channels, *free[1:]]
        return [*free, channels] if kind in _BY_ARRAYS else None

    def _wanted(self, network: Network, node: Node, rank: int) -> tuple[int, ...]:
        """Return how the axes of an input are to lie: as the first layer that works on maps takes them."""
        if not self.store.origin.turned:
            return straight(rank)
        found = preferred(network, Source(node.name, 0, 0), rank, self.store.origin.layout or "tf")
        return straight(rank) if found is None else found

    def _finish(self, network: Network, drawing: Drawing, values: Mapping[Source, Value]) -> None:
        order = {value.layer: value for value in drawing.inputs}
        listed = [order.get(source.layer.replace("/", "__")) for source in network.inputs]
        if not self.refusals and (None in listed or len(set(network.inputs)) != len(order)):
            self._refuse_inputs(network, set(order))
        drawing.inputs = [value for value in listed if value is not None]
        missing = [source for source in network.outputs if source not in values]
        if missing and not self.refusals:
            why = f"nothing leads to its output {clipped(missing[0].layer)}"
            self.refusals[Refusal(layer="", class_name="", why=why)] = None
        if missing or self.refusals:
            raise refused(STOPPED)
        keep = self.store.origin.turned
        for source in network.outputs:
            value = values[source]
            drawing.outputs.append(
                value if keep or value.axes == straight(value.rank) else self._back(value, drawing)
            )
        drawing.leave_out_unused()

    def _refuse_inputs(self, network: Network, drawn: set[str]) -> None:
        """Note that what a network calls its inputs are not just those that it has."""
        said = {source.layer.replace("/", "__") for source in network.inputs}
        name = next(iter(sorted(said ^ drawn)), "")
        what = "is not among its inputs" if name in drawn else "is no input"
        self.refusals[Refusal(layer="", class_name="", why=f"its layer {clipped(name)} {what}")] = None

    def _back(self, value: Value, drawing: Drawing) -> Value:
        node = Node(name=f"{value.layer}", class_name="Permute", settings={})
        return self._use(node, (value,), drawing).straight(value)


_AS_THEY_ARE = ("string", "bool", "int8", "int16", "int64", "uint8", "uint16")
"""Types of what comes in that operations may work on, and that stay."""
_BY_ARRAYS = ("Dense", "SimpleRNN", "LSTM", "GRU", "Conv1D", "Conv2D", "Conv3D")
UNKNOWN = f"its class is none of Keras' own that is known here; {NAME_IT}"
STOPPED = "what lies in it cannot be drawn"
"""The reason for a model in which a layer has a reason of its own."""


def _shape_of(node: Node, said: Setting) -> Sizes:
    shape = whole(said)
    if not isinstance(shape, list) or not shape:
        raise node.refuse("nothing says what shape comes in")
    return tuple(shape)


def _in_order(network: Network) -> Iterator[tuple[Node, int]]:
    """Yield every use of a layer, once all that feeds it has been yielded; what waits in vain is left out.

    Uses of one layer come in their own order, since each is one more call of it.
    """
    uses = [(node, number) for node in network.nodes for number in range(len(node.uses))]
    firsts = {node.name: _first_use(network, node) for node in network.nodes}
    known = {(node.name, number + firsts[node.name]): place for place, (node, number) in enumerate(uses)}
    waiting: list[int] = []
    fed: list[list[int]] = [[] for _ in uses]
    for place, (node, number) in enumerate(uses):
        sources = {(feed.layer, feed.use) for feed in node.uses[number]}
        before = {known.get(source, -1) for source in sources}
        if number:
            before.add(place - 1)
        waiting.append(len(before))
        for source in before - {-1}:
            fed[source].append(place)
    ready = [place for place, count in enumerate(waiting) if not count]
    while ready:
        following = []
        for place in ready:
            yield uses[place]
            for after in fed[place]:
                waiting[after] -= 1
                following += [] if waiting[after] else [after]
        ready = sorted(following)


def _first_use(network: Network, node: Node) -> int:
    """Return the number of a layer's first use: 1 for models, whose own making counts as one."""
    if node.network is None:
        return 0
    return 0 if node.name in network.counted_from_zero else 1


def preferred(network: Network, source: Source, rank: int, layout: str) -> tuple[int, ...] | None:
    """Return how a map that flows from a source is to lie where it becomes channels last.

    Returns:
        None if no layer that works on maps takes it, or the first that does is channels last.
    """
    waiting, seen = [source], {source}
    while waiting:
        following = []
        for node in paced(node for feed in waiting for node in network.consumers.get(feed, ())):
            found = _takes(node, rank, layout)
            if found is not None:
                return found
            if flow_of(kind_of_class(node.class_name)).gives in _PASSING:
                following += [Source(node.name, number, 0) for number in range(len(node.uses))]
        waiting = [feed for feed in dict.fromkeys(following) if feed not in seen]
        seen.update(waiting)
    return None


_PASSING = (Gives.INPUT, Gives.MERGED, Gives.JOINED, Gives.MERGE)


def _takes(node: Node, rank: int, layout: str) -> tuple[int, ...] | None:
    kind = kind_of_class(node.class_name)
    if kind == "ConvLSTM2D" and rank == 4 and _first(node, layout):
        return (0, 2, 3, 1)
    if kind == "TimeDistributed" and node.inner is not None:
        inner = _takes(node.inner, rank - 1, layout)
        return None if inner is None else (0, *(axis + 1 for axis in inner))
    if node.network is not None:
        return preferred(node.network, node.network.inputs[0], rank, layout)
    space = kind.removesuffix("Transpose")[-2:]
    if MAP_RANKS.get(space) == rank and kind != "ConvLSTM2D" and _first(node, layout):
        return channels_last(rank)
    return None


def _first(node: Node, layout: str) -> bool:
    return layout == "th" if node.order is None else node.order in ORDERS["th"]
