"""Classifiers of a user's own in a weights file: of another size than the published ones, or other layers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from converters.formats.description import Description
from converters.layers.config import named_entries
from converters.layers.model import Layer, plain_name
from converters.planning.structures import Structure, StructureLayer, load_structure
from zoo.registry.records import Graph


@dataclass(frozen=True, kw_only=True)
class OwnHead:
    """What stands above the last feature map in a file, if it is not what was published.

    Attributes:
        layers: Names of the layers, as the file has them.
        classes: How many the classifiers have.
        fits: Whether they are the published layers but for the number of classes, so that they can be read.
        activation: What the last one ends in, where the file is a whole model and says it.
    """

    layers: tuple[str, ...]
    classes: int
    fits: bool
    activation: str | None = None


def own_heads(description: Description, graph: Graph) -> Iterator[tuple[Structure, Description, OwnHead]]:
    """Yield what a file may hold beside the layers below a graph's classifiers.

    Args:
        description: The file.
        graph: The graph.

    Yields:
        A structure, the file with those layers alone that are to match it, and what its classifiers are.
    """
    heads = {plain_name(head.layer) for head in graph.heads}
    dense = [
        layer
        for layer in description.weighted
        if _is_dense(layer) or (plain_name(layer.name) in heads and _is_pointwise(layer))
    ]
    for classes in sorted({_width(layer) for layer in dense}):
        head = OwnHead(
            layers=tuple(plain_name(layer.name) for layer in dense if _width(layer) == classes),
            classes=classes,
            fits=True,
            activation=_activation(description, graph),
        )
        for structure in map(load_structure, graph.structures):
            resized = _resized(
                structure, layers_of([one.layer for one in graph.heads], graph, structure), classes
            )
            for held in (resized, *without_auxiliary(graph, resized)):
                yield from ((form, description, head) for form in _forms(held))
    if dense:
        kept = replace(description, layers=tuple(one for one in description.layers if one not in dense))
        names = tuple(plain_name(layer.name) for layer in dense)
        head = OwnHead(layers=names, classes=_width(dense[-1]), fits=False)
        for structure in map(load_structure, graph.structures):
            below = structure.without(layers_of(graph.top, graph, structure))
            yield from ((form, kept, head) for form in _forms(below))


def layers_of(names: Collection[str], graph: Graph, structure: Structure) -> list[str]:
    """Return what a structure calls layers, given by the names that the graph's first structure has for them.

    Args:
        names: With ``/`` or ``__``.
        graph: The graph.
        structure: One of its structures, whole; weighted layers have the same order in all of them.
    """
    wanted = {plain_name(name) for name in names}
    published = load_structure(graph.structures[0]).weighted
    places = [place for place, layer in enumerate(published) if plain_name(layer.name) in wanted]
    return [structure.weighted[place].name for place in places]


def without_auxiliary(graph: Graph, structure: Structure) -> tuple[Structure, ...]:
    """Return a structure without its auxiliary classifiers, if it has any."""
    if len(graph.heads) == 1:
        return ()
    main = plain_name(graph.heads[-1].layer)
    names = [name for name in graph.top if plain_name(name) != main]
    return (structure.without(layers_of(names, graph, structure)),)


def _forms(structure: Structure) -> tuple[Structure, ...]:
    return (structure, structure.folded()) if structure.scales else (structure,)


def _is_dense(layer: Layer) -> bool:
    kernel = layer.array("kernel")
    return kernel is not None and len(kernel.shape) == 2 and len(layer.arrays) <= 2


def _is_pointwise(layer: Layer) -> bool:
    """Tell whether a layer is a 1x1 convolution, which may be a classifier as well."""
    kernel = layer.array("kernel")
    return kernel is not None and len(kernel.shape) == 4 and kernel.shape[:2] == (1, 1)


def _width(layer: Layer) -> int:
    kernel = layer.array("kernel")
    return int(kernel.shape[-1]) if kernel is not None else 0


def _resized(structure: Structure, names: Collection[str], classes: int) -> Structure:
    """Return a structure whose classifiers have another number of classes."""

    def sized(layer: StructureLayer) -> StructureLayer:
        arrays = {role: (*shape[:-1], classes) for role, shape in layer.arrays.items()}
        return replace(layer, arrays=arrays) if layer.name in names else layer

    return replace(structure, layers=tuple(map(sized, structure.layers)))


def _activation(description: Description, graph: Graph) -> str | None:
    """Return what a whole model's main classifier ends in, as its configuration says."""
    for name, _, own in named_entries(description.model_config):
        if plain_name(name) == plain_name(graph.heads[-1].name):
            said = own.get("activation")
            return said if isinstance(said, str) else None
    return None
