"""The arrays of an old model: which of its layers each belongs to, and what becomes of it today."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from converters.arrays.form import Form, Layout
from converters.arrays.moves import SCALED
from converters.arrays.planned import Output, PlannedArray, Share
from converters.arrays.rows import Flattened
from converters.boundary import paced
from converters.errors import ConversionError, FileFormatError, counted
from converters.formats.archive import open_archive
from converters.layers.model import Array, Layer, Part, own_name, plain_name
from converters.layers.names import kind_of_class
from converters.layers.table import KINDS, OTHER, Holds, holds
from converters.limits import clipped, too_many
from converters.planning.outputs import Writing, native_part, scaled_gates
from converters.planning.placing import Ends, place
from converters.upgrading.archived import archived_parts, groups_of
from converters.upgrading.graph import Network, Node
from converters.upgrading.holding import HOLDINGS, Holding, holdings_of, taken
from converters.upgrading.origin import Origin
from converters.upgrading.own import Asked
from converters.upgrading.refusing import Refused, refused


@dataclass(kw_only=True)
class Store:
    """The arrays of an old model.

    Attributes:
        origin: What the model is.
        asked: What the user says of single layers.
        parts: The arrays of each layer that has some, by the node (one part, or the two of a Bidirectional).
        dropped: The paths of those that no layer of today has a place for.
        anew: What the weights call each layer, where they number them otherwise than the configuration.
    """

    origin: Origin
    asked: Asked = field(default_factory=Asked)
    parts: dict[int, tuple[Part, ...]] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    anew: Mapping[str, str] = field(default_factory=dict)
    _groups: Mapping[int, str] = field(default_factory=dict)

    def assign(self, network: Network) -> Iterator[Refused]:
        """Match the layers of the file with those of the network, and yield what does not match.

        What lies in an archive is told by the order of the network's layers, and arrays that belong to none
        of them are found when all others are placed.
        """
        if self.origin.description.dialect == "keras3":
            description = self.origin.description
            self._groups, every = groups_of(network, description)
            found_parts = archived_parts(self._groups, every, description)
            self.parts.update((id(node), parts) for node, parts in found_parts)
            return
        nodes = [node for node in network.nodes if not node.made_up]
        layers = self.origin.description.layers
        by_name = {plain_name(layer.name): layer for layer in layers}
        in_order = len(nodes) == len(layers)
        self.anew = _counted_anew([plain_name(node.name) for node in nodes if node.named], list(by_name))
        for place_, node in enumerate(paced(nodes)):
            name = plain_name(node.name)
            found = by_name.pop(self.anew.get(name, name), None) if node.named else None
            if found is None and not node.named and in_order:
                found = by_name.pop(plain_name(layers[place_].name), None)
            try:
                self._give(node, found.parts if found else (), found)
            except Refused as refusal:
                yield refusal
        for layer in by_name.values():
            if layer.arrays:
                arrays = counted(len(layer.arrays), "array")
                belong = "belongs" if len(layer.arrays) == 1 else "belong"
                yield refused(f"{arrays} of the weights' layer {clipped(layer.name)} {belong} to none")

    def _give(self, node: Node, parts: Sequence[Part], layer: Layer | None) -> None:
        """Give a layer its arrays, and those in it theirs."""
        parts = self._without_held(node, parts)
        leaves = [
            (leaf, also) for leaf, also in _leaves(node) if kind_of_leaf(leaf) in KINDS or self._owned(leaf)
        ]
        if not leaves and node.network is None and node.inner is None:
            return  # drawing refuses a class that is not known, or finds arrays that are used nowhere
        if layer is not None and len(leaves) == 1:
            self._put(leaves[0][0], parts)
            return
        known = {own_name(part.name): part for part in parts}
        if len(known) < len(parts):
            raise node.refuse("two layers within it have arrays under one name")
        anew = _numbered_anew([name for leaf, _ in leaves for name in _names(leaf)], list(known))
        for leaf, also in leaves:
            names = [anew.get(name, name) for name in (*_names(leaf), *also)]
            self._put(leaf, [known.pop(name) for name in names if name in known])
        if known:
            raise node.refuse(f"arrays of {clipped(next(iter(known)))} belong to no layer within it")

    def _without_held(self, node: Node, parts: Sequence[Part]) -> Sequence[Part]:
        """Give the layers whose kinds have no record their arrays, and return what is left."""
        listed = [(leaf, also, held) for leaf, also in _leaves(node) if (held := holdings_of(leaf))]
        if not listed:
            return parts
        pool = [array for part in parts for array in part.arrays]
        for leaf, also, held in listed:
            # Names of arrays say in which layer they lie; those of a layer alone need not.
            names = {leaf.name, *also, *([leaf.inner.name] if leaf.inner else [])}
            own = pool if leaf is node else [array for array in pool if names & _words(array.name)]
            self._hold(leaf, held, own)
            pool = [array for array in pool if array.path not in self._paths(leaf)]
        kept = {array.path for array in pool}
        return [
            replace(part, arrays=found)
            for part in parts
            if (found := tuple(array for array in part.arrays if array.path in kept))
        ]

    def _hold(self, leaf: Node, held: Sequence[Holding], pool: Sequence[Array]) -> None:
        left = list(pool)
        parts = [
            Part(name=_held_name(leaf, part), kind=part.kind, arrays=taken(left, part.places))
            for part in held
        ]
        self.parts[id(leaf)] = tuple(part for part in parts if part.arrays)

    def _paths(self, leaf: Node) -> set[str]:
        return {array.path for part in self.parts.get(id(leaf), ()) for array in part.arrays}

    def _put(self, leaf: Node, parts: Sequence[Part]) -> None:
        kind = kind_of_leaf(leaf)
        for part in parts:
            if part.kind != kind and not self._owned(leaf):
                raise leaf.refuse(f"its arrays are those of a layer of kind {part.kind}")
        if leaf.inner is not None and parts and len(parts) != 2:
            raise leaf.refuse(f"it should hold two layers with arrays, not {len(parts)}")
        if parts:
            self.parts[id(leaf)] = tuple(parts)

    def _owned(self, node: Node) -> bool:
        return self.asked.layer(node.name, node.class_name) is not None

    def of(self, node: Node, *, needed: bool = True) -> tuple[Part, ...]:
        """Return the parts of a layer.

        Raises:
            Refused: If it needs arrays and the file has none for it.
        """
        found = self.parts.get(id(node), ())
        if needed and not found:
            raise node.refuse("the weights have no arrays for it")
        return found

    def arrays(
        self,
        part: Part,
        node: Node,
        *,
        layout: Layout,
        last: bool = False,
        rows: Flattened | None = None,
        scaled: str | bool = False,
    ) -> dict[str, Output]:
        """Return what becomes of the arrays of a layer, by their roles.

        Args:
            part: The layer's arrays.
            node: The layer.
            layout: The order of the maps that it works on.
            last: Whether those that are in the order of a map become channels last.
            rows: What its rows are, where they move.
            scaled: Whether all are multiplied by 1.2, or which gates are.
        """
        ends = self._ends(layout, last=last)
        kind = str(part.kind)
        known = KINDS[kind].arrays if kind != OTHER else [array.role for array in part.arrays]
        foreign = [array.name for array in part.arrays if array.role not in known]
        if foreign:
            raise node.refuse(f"its array {clipped(foreign[0])} is none that such a layer has")
        planned: dict[str, PlannedArray] = {}
        try:
            for array in part.arrays:
                planned[array.path] = place(
                    array, part, layer=part.name, ends=ends, kind=kind, flattened=rows, pair=None
                )
            own = native_part(part)
            writing = Writing(
                description=self.origin.description, planned=planned, scaled=frozenset(), kernels="tf"
            )
            found = {}
            for role, shares in writing.packed(own):
                found[role] = writing.output(
                    Layer(name=part.name, kind=kind, arrays=()),
                    own,
                    role,
                    _scaled(str(own.kind), shares, scaled),
                    name=role,
                    path=role,
                )
        except (ConversionError, KeyError, ValueError) as error:
            raise node.refuse(f"its arrays have no place ({str(error).rpartition(': ')[2]})") from error
        return found

    def as_they_are(self, node: Node) -> list[PlannedArray]:
        """Return the arrays of a layer in the file's order, to be passed on as they are."""
        return [
            PlannedArray(
                layer=node.name,
                kind=node.class_name,
                name=array.name,
                role=array.name,
                path=array.path,
                shape=array.shape,
                target_shape=array.shape,
                dtype=array.dtype,
            )
            for part in self.of(node, needed=False)
            for array in part.arrays
        ]

    def words(self, node: Node) -> str | None:
        """Return the words of a layer that lie in an archive beside its arrays, or None if there are none.

        Raises:
            FileFormatError: If those of all layers are too many, or damaged.
        """
        group = self._groups.get(id(node))
        return self._words.get(f"assets/{group}/vocabulary.txt") if group else None

    @cached_property
    def _words(self) -> Mapping[str, str]:
        description = self.origin.description
        if not description.whole_model:
            return {}
        with open_archive(description.path) as archive:
            places = [f"assets/{group}/vocabulary.txt" for group in self._groups.values()]
            found = sorted(set(archive.names).intersection(places))
            size, cap = sum(map(archive.size, found)), archive.limits.header_bytes
            if size > cap:
                text = f"the words of its layers take {too_many(size, cap, 'header_bytes')}"
                raise FileFormatError(f"{description.path}: {text}")
            return {place: archive.read_text(place) or "" for place in found}

    def instead(self, node: Node, parts: tuple[Part, ...]) -> None:
        """Say which parts are those of a layer that is drawn in another's place; others of it are dropped."""
        self.parts[id(node)] = parts

    def drop_part(self, part: Part) -> None:
        """Note that a part of a layer has no place today, which whoever calls tells the user."""
        self.dropped.update(array.path for array in part.arrays)

    def drop(self, outputs: Iterable[Output]) -> None:
        """Note that arrays have no place in any of today's layers, which whoever calls tells the user."""
        for output in outputs:
            self.dropped.update(output.sources)

    def unused(self, sources: Iterable[str]) -> list[str]:
        """Return the paths of arrays of the old file that are not among those that the new one is made of."""
        known = self.dropped.union(sources)
        return [
            array.path
            for layer in self.origin.description.layers
            for array in layer.arrays
            if array.path not in known
        ]

    def _ends(self, layout: Layout, *, last: bool) -> Ends:
        origin = self.origin
        source = Form(layout=layout, kernels=origin.kernels)
        return Ends(
            path=origin.description.path,
            source=source,
            target=Form(layout="tf" if last else layout, kernels="tf"),
            dialect=origin.description.dialect,
            new_dialect="keras3",
            flattens_last=False,
            new_flattens_last=False,
            squares=False,
            anew=True,
            old_1d=True if origin.description.dialect == "keras0" else None,
        )


def _leaves(node: Node, also: tuple[str, ...] = ()) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """Yield the layers that have arrays of their own in a layer: itself, or those in it.

    Each with the names of what wraps it, under which Keras 2 calls its arrays.
    """
    if node.network is not None:
        for below in node.network.nodes:
            yield from _leaves(below)
    elif node.inner is not None and not _is_leaf(node):
        yield from _leaves(node.inner, (*also, plain_name(node.name)))
    else:
        yield node, also


def _words(name: str) -> set[str]:
    """Return the names of the layers that an array lies in, as its name has them."""
    return {word.removeprefix("forward_").removeprefix("backward_") for word in name.split("/")}


def _held_name(leaf: Node, part: Holding) -> str:
    return (
        leaf.name if part.direction is None or leaf.inner is None else f"{part.direction}_{leaf.inner.name}"
    )


def _is_leaf(node: Node) -> bool:
    """Return whether the arrays of what a layer holds are taken together with its own."""
    return node.class_name in HOLDINGS or holds(kind_of_class(node.class_name)) is Holds.WAYS


def _names(leaf: Node) -> list[str]:
    """Return the names under which a layer's arrays lie within others; a Bidirectional has two layers."""
    if leaf.inner is None:
        return [plain_name(leaf.name)]
    own = plain_name(leaf.inner.name)
    return [f"forward_{own}", f"backward_{own}"]


def _numbered_anew(names: Sequence[str], found: Sequence[str]) -> dict[str, str]:
    """Return the names of layers' arrays in the file, where those of the layers were numbered anew.

    A graph of TensorFlow 1 has each name once: the layers of a network that was made in it twice are
    ``dense_2_1`` where they were ``dense_2``. They stay in their order.
    """
    if len(names) != len(found) or set(found) <= set(names):
        return {}
    both = list(zip(names, found, strict=True))
    anew = all(re.fullmatch(rf"{re.escape(name)}(_\d+)?", other) for name, other in both)
    return dict(both) if anew else {}


def _counted_anew(names: Sequence[str], found: Sequence[str]) -> dict[str, str]:
    """Return what the weights call layers that were numbered in another session: ``dense_9`` for ``dense_1``.

    Keras loads weights by the order of all layers, whatever they are called. Here they have to be of the same
    names but for their numbers, too.
    """
    if len(names) != len(found) or set(names) == set(found):
        return {}
    both = list(zip(names, found, strict=True))
    return dict(both) if all(_uncounted(name) == _uncounted(other) for name, other in both) else {}


def _uncounted(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def kind_of_leaf(leaf: Node) -> str:
    """Return the kind of the layer that arrays belong to: of a Bidirectional, that of what goes both ways."""
    return kind_of_class((leaf.inner or leaf).class_name)


def _scaled(kind: str, shares: Sequence[Share], scaled: str | bool) -> list[Share]:
    if isinstance(scaled, str):
        return scaled_gates(kind, list(shares), scaled) if scaled else list(shares)
    return [
        replace(share, array=replace(share.array, function=SCALED)) if scaled else share for share in shares
    ]
