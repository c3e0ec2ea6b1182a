"""The weighted layers of the published graphs, and whether a file holds exactly those.

The data lies in this package, and in plug-ins: one JSON file for each graph, with shapes in tf form. A file
matches whatever its layout and dialect: shapes are compared in both layouts, arrays by role, layers by name.
Names that Keras numbers by itself (``convolution2d_7``) depend on what was built before, and Keras 0.x has
none at all, so these layers match in order, by kind and shape.
"""

from __future__ import annotations

import difflib
import json
import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from converters.arrays.form import Layout, Shape
from converters.arrays.moves import kernel_shape_first
from converters.boundary import guarded, paced
from converters.errors import FileFormatError, StructureMismatchError, UnknownNameError, counted
from converters.formats.description import Description
from converters.layers.model import Array, Layer, Part, own_name, plain_name
from converters.layers.names import automatic_stem, kind_of_name, own_role
from converters.layers.rules import FOREIGN, Rule
from converters.layers.table import rules_of
from converters.planning.elsewhere import RULES
from converters.planning.published import as_published, has_layers_of
from converters.planning.structure_files import OWN, structure_file, structure_files

Numbers = tuple[int, int]
"""Of layers that have arrays, and of arrays."""

NUMBERS = OWN.with_suffix(".json")
"""Where the numbers of all structures of this distribution are noted: these take longer to read than most
files. ``make applications`` writes it."""


@dataclass(frozen=True, kw_only=True)
class StructureLayer:
    """One layer of a published graph.

    Attributes:
        name: Its published name, with ``/`` where it has one.
        kind: Its class, in Keras 2's words if it has weights.
        arrays: The shape of each array in tf form, by role, in the order of the file; empty without weights.
        flatten: The (C, H, W) of the feature map that is flattened in front of it, or None.
    """

    name: str
    kind: str
    arrays: Mapping[str, Shape]
    flatten: Shape | None = None


@dataclass(frozen=True)
class Structure:
    """A published graph: its layers in file order, those without weights too.

    Attributes:
        name: Its name.
        parameters: The number of values in all arrays.
        layers: Its layers.
        drawn_before: Where Keras lists the layers of the drawn network in another order than the file has
            them: layers, each with the one that it comes right before.
        in_order: Whether a file's layers are told by their order, where their names are others.
        inside: Layers that a file holds within another one, by the name of that.
        known_as: What layers with arrays are called in files of other software, by whose, by their own names.
        left_behind: What the names of layers begin with that such files have besides: heads for training.
        background: Whether such files may have a class before the first, which stands for none.
    """

    name: str
    parameters: int
    layers: tuple[StructureLayer, ...]
    drawn_before: Mapping[str, str] = field(default_factory=dict)
    in_order: bool = False
    inside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    known_as: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    left_behind: tuple[str, ...] = ()
    background: bool = False

    @cached_property
    def weighted(self) -> tuple[StructureLayer, ...]:
        """The layers that have arrays, in file order."""
        return tuple(layer for layer in self.layers if layer.arrays)

    @cached_property
    def drawn(self) -> tuple[StructureLayer, ...]:
        """The layers that have arrays, in the order in which Keras lists those of the drawn network."""
        order = list(self.weighted)
        for name, following in self.drawn_before.items():
            places = {layer.name: layer for layer in order}
            if name in places and following in places:
                order.remove(places[name])
                order.insert(order.index(places[following]), places[name])
        return tuple(order)

    @cached_property
    def array_count(self) -> int:
        """The number of arrays of all layers."""
        return sum(len(layer.arrays) for layer in self.layers)

    @property
    def numbers(self) -> Numbers:
        """The number of layers that have arrays, and of arrays."""
        return len(self.weighted), self.array_count

    def without(self, names: Collection[str]) -> Structure:
        """Return the graph without some layers, as files without the classifier have it.

        Args:
            names: Names of layers, with ``/`` or ``__``.

        Raises:
            UnknownNameError: If the graph has no such layer.
        """
        left_out = {plain_name(name) for name in names}
        known = {plain_name(layer.name) for layer in self.layers}
        if unknown := sorted(left_out - known):
            raise UnknownNameError(f"structure {self.name} has no layer {unknown[0]!r}")
        kept = tuple(layer for layer in self.layers if plain_name(layer.name) not in left_out)
        gone = sum(
            math.prod(shape)
            for layer in self.layers
            if plain_name(layer.name) in left_out
            for shape in layer.arrays.values()
        )
        return replace(self, layers=kept, parameters=self.parameters - gone)

    def with_classes(self, names: Collection[str], classes: int) -> Structure:
        """Return the graph with classifiers of another number of classes.

        Args:
            names: Names of the classifiers, with ``/`` or ``__``; what is not there is left out.
            classes: How many they have.
        """
        wanted = {plain_name(name) for name in names}

        def sized(layer: StructureLayer) -> StructureLayer:
            arrays = {role: (*shape[:-1], classes) for role, shape in layer.arrays.items()}
            return replace(layer, arrays=arrays) if plain_name(layer.name) in wanted else layer

        layers = tuple(map(sized, self.layers))
        parameters = sum(math.prod(shape) for layer in layers for shape in layer.arrays.values())
        return replace(self, layers=layers, parameters=parameters, background=False)

    @cached_property
    def scales(self) -> tuple[StructureLayer, ...]:
        """The ``Scale`` layers, in file order."""
        return tuple(layer for layer in self.layers if layer.kind == "Scale")

    def folded(self) -> Structure:
        """Return the graph without its ``Scale`` layers, as it is drawn (``planning.folding``)."""
        return self.without([layer.name for layer in self.scales])

    def without_dense(self) -> Structure:
        """Return the graph without its dense layers: without its top, for all that a conversion needs."""
        return self.without([layer.name for layer in self.weighted if layer.kind == "Dense"])

    @cached_property
    def variants(self) -> tuple[Structure, ...]:
        """The graph as files hold it: whole, without its dense layers, and both with ``Scale`` folded."""
        tops = (self, self.without_dense())
        return tuple(variant for top in tops for variant in ((top, top.folded()) if self.scales else (top,)))


@dataclass(frozen=True, kw_only=True)
class MatchedLayer:
    """A layer of a file, and the layer of the graph that it is.

    Attributes:
        index: The place of the graph's layer among its weighted layers.
        expected: The graph's layer.
        layer: The file's layer.
        arrays: The file's arrays by role, in the graph's order of roles.
    """

    index: int
    expected: StructureLayer
    layer: Layer
    arrays: Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Match:
    """A file paired with a structure.

    Attributes:
        structure: The structure.
        layers: One entry for each weighted layer, in the structure's order.
        layout: What the shapes tell: ``th``, ``tf``, or None where they fit both.
        listed: All layers of the file, and the roles of their arrays, as the structure has them.
        dropped: What is left out of layers, in words, by their names: nothing that changes an output.
    """

    structure: Structure
    layers: tuple[MatchedLayer, ...]
    layout: Layout | None
    listed: tuple[Layer, ...]
    dropped: Mapping[str, str] = field(default_factory=dict)

    def by_layer(self) -> dict[str, MatchedLayer]:
        """Return the pairs by the name of the file's layer."""
        return {pair.layer.name: pair for pair in self.layers}


def structure_names() -> list[str]:
    """Return the names of all structures in alphabetical order, reading none of them."""
    return list(structure_files())


def known_structures() -> Iterator[Structure]:
    """Yield all structures in alphabetical order, those of plug-ins too, each read when its turn comes."""
    yield from (_known_structure(path) for paths in structure_files().values() for path in paths)


def _numbers(description: Description) -> tuple[Numbers, Numbers]:
    """Return how many layers and arrays a file has, and the same with layers within others for themselves."""
    held = description.weighted
    arrays = sum(len(layer.arrays) for layer in held)
    return (len(held), arrays), (sum(len(layer.parts) for layer in held), arrays)


def _likely(description: Description, numbers: tuple[Numbers, Numbers]) -> Iterator[Structure]:
    """Yield the structures that a file can be by its numbers, in alphabetical order; they alone are read."""
    noted = _noted_numbers()
    for name, paths in structure_files().items():
        for path in paths:
            own = noted.get(name) if path.parent == OWN else None
            if own is None or _may_be(description, numbers, own):
                yield _known_structure(path)


def _may_be(description: Description, numbers: tuple[Numbers, Numbers], own: frozenset[Numbers]) -> bool:
    """Tell whether a file can be a structure by the numbers of its variants."""
    if description.dialect == FOREIGN:  # such files may have more: heads for training, what counts batches
        return min(own)[0] <= numbers[0][0]
    return not own.isdisjoint(numbers)


@cache
def _noted_numbers() -> Mapping[str, frozenset[Numbers]]:
    """Return the numbers of each structure that comes with this distribution, those of its variants."""
    text = NUMBERS.read_text(encoding="utf-8")
    return {name: frozenset(map(tuple, found)) for name, found in json.loads(text).items()}


def numbers_text(structures: Iterable[Structure]) -> str:
    """Return what :data:`NUMBERS` holds of some structures."""
    found = {one.name: sorted({variant.numbers for variant in one.variants}) for one in structures}
    lines = (f"{json.dumps(name)}: {json.dumps(own)}" for name, own in found.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load_structure(source: str | os.PathLike[str]) -> Structure:
    """Read a structure.

    Args:
        source: Its name (``densenet161``), or the path of a JSON file of the same form.

    Raises:
        UnknownNameError: If no structure has that name; the nearest ones are listed.
        RegistryError: If several have it.
        FileFormatError: If the file is not a structure.
    """
    path = Path(source)
    if path.suffix == ".json":
        return _read_structure(path)
    known = structure_file(str(source))
    if known is None:
        raise UnknownNameError(_unknown(str(source), structure_names()))
    return _known_structure(known)


@cache
def _known_structure(path: Path) -> Structure:
    return _read_structure(path)


def _read_structure(path: Path) -> Structure:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        layers = tuple(_layer(entry) for entry in data["layers"])
        return Structure(
            name=data["name"],
            parameters=data["parameters"],
            layers=layers,
            drawn_before=data.get("drawn_before", {}),
            in_order=data.get("in_order", False),
            inside=data.get("inside", {}),
            known_as={whose: _names(layers, told) for whose, told in data.get("known_as", {}).items()},
            left_behind=tuple(data.get("left_behind", ())),
            background=data.get("background", False),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{path}: not a structure ({error!r})") from error


def _names(layers: Sequence[StructureLayer], told: str | Sequence[str]) -> dict[str, str]:
    """Return what layers are called elsewhere, by their own names.

    Args:
        layers: The layers of a graph.
        told: A rule of :data:`converters.planning.elsewhere.RULES`, or the names in order; those of Scale
            layers are left out where normalisation and scale are one layer there.
    """
    weighted = [layer for layer in layers if layer.arrays]
    if isinstance(told, str):
        return {layer.name: name for layer in weighted if (name := RULES[told](layer.name)) is not None}
    if len(told) < len(weighted):
        weighted = [layer for layer in weighted if layer.kind != "Scale"]
    return {layer.name: name for layer, name in zip(weighted, told, strict=True)}


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        return f"no structure is called {name!r}; did you mean {', '.join(near)}?"
    return f"no structure is called {name!r}, and none of the {len(known)} is near; `zoo list` shows networks"


def _layer(entry: Mapping[str, Any]) -> StructureLayer:
    flatten = entry.get("flatten")
    return StructureLayer(
        name=entry["name"],
        kind=entry["kind"],
        arrays={role: tuple(shape) for role, shape in entry.get("arrays", {}).items()},
        flatten=tuple(flatten) if flatten else None,
    )


def match(description: Description, structure: Structure, *, named: bool = False) -> Match:
    """Pair a file's layers and arrays with those of a structure.

    Args:
        description: The file.
        structure: What it should hold.
        named: Whether names alone count, whatever the structure says: of a file that may be anything, order
            and shapes are no proof.

    Returns:
        The pairs, and the layout that the shapes tell.

    Raises:
        StructureMismatchError: If a layer or array is missing, left over, misnamed or of another shape; one
            line with the file, the layer and both shapes.
    """
    with guarded(description.path):
        if description.dialect == FOREIGN:
            description = as_published(description, structure, named=named)
        listed = _unpacked(description, structure)
        in_order = structure.in_order and not named and (listed.ordered or listed.dialect != FOREIGN)
        paired = paced(_paired_layers(listed, structure, in_order=in_order))
        pairs = [_paired_arrays(listed, structure, *pair) for pair in paired]
        layout = _layout(listed, structure, pairs)
        told = _as_told(listed.layers, pairs)
        return Match(
            structure=structure,
            layers=tuple(pairs),
            layout=layout,
            listed=told,
            dropped=description.dropped,
        )


def _unpacked(description: Description, structure: Structure) -> Description:
    """Return a file whose layers within others stand on their own, where the structure lists them so."""
    if not structure.inside:
        return description
    layers: list[Layer] = []
    for layer in description.layers:
        parts = {own_name(part.name): part for part in layer.parts}
        if tuple(parts) == tuple(structure.inside.get(plain_name(layer.name), ())):
            layers += [
                Layer(name=name, kind=part.kind, arrays=part.arrays, parts=(replace(part, name=name),))
                for name, part in parts.items()
            ]
        else:
            layers.append(layer)
    return replace(description, layers=tuple(layers))


def _as_told(layers: Iterable[Layer], pairs: Iterable[MatchedLayer]) -> tuple[Layer, ...]:
    """Return the layers of a file as they were paired."""
    paired = {pair.layer.name: pair.layer for pair in pairs}
    return tuple(paired.get(layer.name, layer) for layer in layers)


def recognise(
    description: Description, structures: Iterable[Structure] | None = None
) -> tuple[Structure, Match] | None:
    """Return the first structure that a file holds, whole or without its dense or its Scale layers.

    Args:
        description: The file.
        structures: The candidates; by default :func:`known_structures`, of which those alone are read that
            have as many layers and arrays.

    Returns:
        The structure (without those layers that the file lacks) and the pairs, or None.
    """
    numbers = _numbers(description)
    for structure in _likely(description, numbers) if structures is None else structures:
        for candidate in structure.variants:
            if description.dialect == FOREIGN:
                fits = has_layers_of(description, candidate, named=True)
            else:
                fits = candidate.numbers == numbers[bool(candidate.inside)]
            if not fits:
                continue
            try:
                return candidate, match(description, candidate, named=True)
            except StructureMismatchError:
                continue
    return None


_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "inception_v3": ("inception_v3_2017",),
    "inception_v4": ("inception_v4_noscale",),
    "vgg16": ("vgg16_blocks",),
    "vgg19": ("vgg19_blocks",),
}
"""Structures that go by a network's name too: other names for its layers, or another graph of its."""


def find_structure(description: Description, name: str) -> tuple[Structure, Match]:
    """Return the structure of an architecture that a file holds, under any of the names its layers go by.

    Args:
        description: The file.
        name: An architecture's or structure's name; ``vgg16`` covers ``vgg16_blocks`` too.

    Raises:
        UnknownNameError: If there is no such structure.
        StructureMismatchError: If the file holds none of them; the message is about the first.
    """
    first = load_structure(name)
    others = _OTHER_NAMES.get(name, ())
    found = recognise(description, [first, *map(load_structure, others)])
    return found if found else (first, match(description, first))


def _paired_layers(
    description: Description, structure: Structure, *, in_order: bool
) -> list[tuple[int, StructureLayer, Layer]]:
    if in_order and not _holds_names(description, structure):
        return _all_in_order(description, structure)
    named: list[tuple[int, StructureLayer]] = []
    numbered: list[tuple[int, StructureLayer]] = []
    for index, layer in enumerate(structure.weighted):
        ordered = description.dialect == "keras0" or automatic_stem(layer.name)
        (numbered if ordered else named).append((index, layer))
    found = {plain_name(layer.name): layer for layer in description.weighted}
    pairs = []
    for index, layer in named:
        if plain_name(layer.name) not in found:
            spare = set(found) - {plain_name(other.name) for other in structure.layers}
            text = f"layer {layer.name!r} is missing ({_shapes(layer)}){_near(layer.name, spare)}"
            raise _mismatch(description, text, structure)
        pairs.append((index, layer, found.pop(plain_name(layer.name))))
    pairs += _in_order(description, structure, numbered, list(found.values()))
    return sorted(pairs, key=lambda pair: pair[0])


def _holds_names(description: Description, structure: Structure) -> bool:
    """Tell whether a file has a layer of each name that somebody chose."""
    held = {plain_name(layer.name) for layer in description.weighted}
    chosen = {plain_name(layer.name) for layer in structure.weighted if not automatic_stem(layer.name)}
    return chosen <= held


def _all_in_order(description: Description, structure: Structure) -> list[tuple[int, StructureLayer, Layer]]:
    held, wanted = description.weighted, structure.weighted
    if len(held) != len(wanted):
        text = f"has {counted(len(held), 'layer')} with weights, expected {len(wanted)}"
        raise _mismatch(description, text, structure)
    return [(index, *pair) for index, pair in enumerate(zip(wanted, held, strict=True))]


def _in_order(
    description: Description,
    structure: Structure,
    expected: list[tuple[int, StructureLayer]],
    found: list[Layer],
) -> Iterator[tuple[int, StructureLayer, Layer]]:
    for (index, wanted), layer in zip(expected, found, strict=False):
        _check_kind(description, structure, wanted, layer)
        yield index, wanted, layer
    if len(expected) > len(found):
        wanted = expected[len(found)][1]
        raise _mismatch(description, f"layer {wanted.name!r} is missing ({_shapes(wanted)})", structure)
    if len(found) > len(expected):
        extra = found[len(expected)]
        shapes = ", ".join(f"{array.role or array.name} {array.shape}" for array in extra.arrays)
        raise _mismatch(description, f"layer {extra.name!r} ({shapes}) does not belong there", structure)


def _check_kind(description: Description, structure: Structure, wanted: StructureLayer, layer: Layer) -> None:
    """Raise unless a layer may stand where the structure has one with an automatic name."""
    numbered = description.dialect == "keras0" or automatic_stem(layer.name)
    if numbered and (layer.kind == wanted.kind or _same_roles(wanted, layer)):
        return
    text = f"layer {layer.name!r} ({layer.kind or 'of unknown kind'}) stands where {wanted.name!r}"
    raise _mismatch(description, f"{text} ({wanted.kind}) is expected ({_shapes(wanted)})", structure)


def _same_roles(wanted: StructureLayer, layer: Layer) -> bool:
    return kind_of_name(layer.name) is None and set(wanted.arrays) == {array.role for array in layer.arrays}


def _paired_arrays(
    description: Description, structure: Structure, index: int, wanted: StructureLayer, layer: Layer
) -> MatchedLayer:
    layer = _in_words(wanted, layer)
    roles = [array.role for array in layer.arrays]
    if sorted(map(str, roles)) != sorted(wanted.arrays):
        has = ", ".join(f"{array.role or array.name} {array.shape}" for array in layer.arrays)
        text = f"layer {layer.name!r} has the arrays {has or 'none'}, expected {_shapes(wanted)}"
        raise _mismatch(description, text, structure)
    arrays = {role: array for role in wanted.arrays if (array := layer.array(role)) is not None}
    for role, array in arrays.items():
        shapes = possible_shapes(description, wanted.kind, role, wanted.arrays[role])
        if array.flat not in shapes.values():
            either = " (tf) or ".join(map(str, shapes.values())) + (" (th)" if len(shapes) > 1 else "")
            text = f"layer {layer.name!r}: {role} has shape {array.shape}, expected {either}"
            raise _mismatch(description, text, structure)
    return MatchedLayer(index=index, expected=wanted, layer=layer, arrays=arrays)


def _in_words(wanted: StructureLayer, layer: Layer) -> Layer:
    """Return a layer whose arrays have the roles that a structure has for them, where its file has others."""
    told = [array.role for array in layer.arrays]
    roles = [own_role(wanted.kind, role) for role in told]
    if not any(told) and len(told) == len(wanted.arrays):
        roles = list(wanted.arrays)
    if roles == told or sorted(map(str, roles)) != sorted(wanted.arrays):
        return layer
    pairs = zip(layer.arrays, roles, strict=True)
    arrays = tuple(replace(array, role=role) for array, role in pairs)
    part = Part(name=layer.name, kind=wanted.kind, arrays=arrays)
    return replace(layer, kind=wanted.kind, arrays=arrays, parts=(part,))


def possible_shapes(description: Description, kind: str, role: str, shape: Shape) -> dict[Layout, Shape]:
    """Return the shapes that an array may have in a file, by layout.

    Args:
        description: The file; Keras 2 has one shape for both layouts, Caffe and PyTorch have their own.
        kind: The layer's kind.
        role: The array's role.
        shape: The array's shape in tf form.
    """
    rule = rules_of(kind).get(role)
    if description.dialect == FOREIGN and (rule is Rule.CONVOLUTION or len(shape) == 2):
        return {"th": kernel_shape_first(shape)}
    if description.dialect in ("keras0", "keras1") and rule is Rule.CONVOLUTION:
        return {"tf": shape, "th": kernel_shape_first(shape)}
    return {"tf": shape}


def _layout(description: Description, structure: Structure, pairs: list[MatchedLayer]) -> Layout | None:
    told: dict[Layout, MatchedLayer] = {}
    for pair in pairs:
        for role, array in pair.arrays.items():
            shapes = possible_shapes(description, pair.expected.kind, role, pair.expected.arrays[role])
            fitting = [layout for layout, shape in shapes.items() if shape == array.shape]
            if len(shapes) == 2 and len(fitting) == 1:
                told.setdefault(fitting[0], pair)
    if len(told) == 2:
        ends = " but ".join(f"layer {pair.layer.name!r} in {layout} layout" for layout, pair in told.items())
        raise _mismatch(description, f"has {ends}", structure)
    return next(iter(told), None)


def _shapes(layer: StructureLayer) -> str:
    return ", ".join(f"{role} {shape}" for role, shape in layer.arrays.items())


_LONG, _MANY = 80, 200


def _near(name: str, spare: Collection[str]) -> str:
    # Each comparison takes the product of the lengths: long names, and many, are not worth it.
    likely = sorted(other for other in spare if len(other) <= _LONG and abs(len(other) - len(name)) <= 4)
    near = difflib.get_close_matches(plain_name(name), likely[:_MANY], n=1, cutoff=0.8)
    return f"; there is a layer {near[0]!r}" if near else ""


def _mismatch(description: Description, text: str, structure: Structure) -> StructureMismatchError:
    return StructureMismatchError(f"{description.path}: not the layers of {structure.name}: {text}")
