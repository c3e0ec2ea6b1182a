"""The files of Keras 3: ``layers/conv2d/vars/0`` and so on, without a name for any array.

Groups are called after the classes of layers, numbered where a class comes again (``conv2d``, ``conv2d_1``),
in the order of the model's layers; ``vars`` holds a layer's arrays by number, and its attribute ``name`` the
layer's name. Inside wrappers lie ``layer``, or ``forward_layer`` and ``backward_layer``, inside recurrent
layers ``cell``, and inside models ``layers`` again.

The groups are read in alphabetical order, so nothing in a ``.weights.h5`` tells whether a convolution comes
before or behind a dense layer. A ``.keras`` archive has the order in its configuration.

Source: _save_state() and _save_container_state() in keras/src/saving/saving_lib.py, Keras 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from converters.hdf5.metadata import DatasetInfo
from converters.hdf5.source import Node
from converters.layers.config import Order
from converters.layers.infer import roles_by_number
from converters.layers.model import Array, LayerKinds, Part, Raw, own_name, plain_name
from converters.layers.names import kind_of_group
from converters.layers.table import cell_of


def cell_path(kind: str) -> str:
    """Return where below its group a layer keeps its arrays: a recurrent one in its cell."""
    return "cell/vars" if cell_of(kind) else "vars"


def keras3_layers(weights: Node, kinds: LayerKinds) -> Iterator[Raw]:
    """Yield the layers of a file of Keras 3, classes in alphabetical order, each class in the model's order.

    Args:
        weights: The file's root.
        kinds: What is said of its layers.

    Raises:
        FileFormatError: If a group does not hold what Keras puts there.
    """
    top = "layers" if weights.has("layers") else "_layer_checkpoint_dependencies"
    for name in sorted(weights.group(top).children(), key=_natural):
        group = weights.group(f"{top}/{name}")
        known = tuple(_parts(group, name, kinds))
        parts = (*known, *_unread(group, _layer_name(group, name), known))
        yield Raw(
            name=_layer_name(group, name),
            arrays=tuple(array for part in parts for array in part.arrays),
            kind=kind_of_group(name),
            parts=parts or None,
        )


def _parts(group: Node, name: str, kinds: LayerKinds, layer: str = "") -> Iterator[Part]:
    """Yield the layers with arrays at and below a group that is called after a class."""
    own = _layer_name(group, name)
    layer = layer or own
    yield from _parts_of_kind(group, own, kind_of_group(name), kinds, layer)
    for inner in ("layer", "forward_layer", "backward_layer"):
        if group.has(inner):
            # Only the inner layer's own name, if Keras gave it, tells its kind.
            below = group.group(inner)
            name = _layer_name(below, inner)
            stem = name.removeprefix("forward_").removeprefix("backward_")
            yield from _parts_of_kind(below, name, kinds.inside(own) or kind_of_group(stem), kinds, layer)


def _parts_of_kind(group: Node, name: str, kind: str | None, kinds: LayerKinds, layer: str) -> Iterator[Part]:
    facts = kinds.part(layer, name)
    kind = kind or (facts.kind if facts else None)
    for place in ("vars", "cell/vars"):
        if not group.has(place.partition("/")[0]):
            continue
        if arrays := tuple(_arrays(group, place, kind, facts.roles if facts else None)):
            yield Part(name=name, kind=kind, arrays=arrays)
    if group.has("layers"):
        below = group.group("layers")
        for child in sorted(below.children(), key=_natural):
            yield from _parts(below.group(child), child, kinds, layer)


def _unread(group: Node, name: str, known: Sequence[Part]) -> Iterator[Part]:
    """Yield what lies below a layer in no place that is known: layers that it holds under names of its own.

    What a random generator is at is no weight.
    """
    read = {array.path for part in known for array in part.arrays}
    arrays = tuple(
        Array(name=path, role=None, path=path, shape=tuple(dataset.shape), dtype=dataset.dtype)
        for path, dataset in _datasets(group)
        if path not in read
    )
    if arrays:
        yield Part(
            name=name if not known else f"{name}/{arrays[0].path.split('/')[2]}", kind=None, arrays=arrays
        )


def _datasets(group: Node) -> Iterator[tuple[str, DatasetInfo]]:
    for child in sorted(group.children(), key=_natural):
        if not group.is_group(child):
            yield f"{group.name}/{child}", group.dataset(child)
        elif child != "seed_generator":
            yield from _datasets(group.group(child))


def _arrays(group: Node, place: str, kind: str | None, roles: Sequence[str] | None) -> Iterator[Array]:
    variables = group.group(place)
    names = sorted(variables.children(), key=_natural)
    datasets = [variables.dataset(name) for name in names]
    ranks = [len(dataset.shape) for dataset in datasets]
    known = roles is not None and len(roles) == len(names)
    numbered = roles_by_number(kind, ranks, in_cell=place == "cell/vars")
    found = roles if roles is not None and known else numbered
    for name, dataset, role in zip(names, datasets, found, strict=True):
        path = f"{variables.name}/{name}"
        yield Array(name=path, role=role, path=path, shape=tuple(dataset.shape), dtype=dataset.dtype)


def _layer_name(group: Node, name: str) -> str:
    if not group.has("vars"):
        return name
    return group.group("vars").text("name") or name


def _natural(name: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*?)_?(\d+)", name)
    return (found.group(1), int(found.group(2))) if found else (name, 0)


def in_order(layers: Sequence[Raw], order: Order) -> list[Raw] | None:
    """Return layers in a network's order, or None if that does not have them all.

    Args:
        layers: The layers of a file of Keras 3.
        order: The order; names that the file has not are of no matter, nor are layers
            without arrays that it lacks.
    """
    places = {plain_name(name): place for place, name in enumerate(order)}
    inside = {plain_name(name): [own_name(part) for part in parts] for name, parts in order.items()}
    ordered = []
    for layer in layers:
        found = _with_order(layer, inside.get(plain_name(layer.name)))
        if found is not None:
            ordered.append(found)
        elif layer.arrays:
            return None
    return sorted(ordered, key=lambda layer: places[plain_name(layer.name)])


def _with_order(layer: Raw, inside: Sequence[str] | None) -> Raw | None:
    """Return a layer with the layers inside it in their order, or None if that is not told."""
    if inside is None:
        return None
    # The two of a Bidirectional have an order of their own.
    if len(layer.parts or ()) < 2 or all(part.direction for part in layer.parts or ()):
        return layer
    places = {name: place for place, name in enumerate(inside)}
    if any(own_name(part.name) not in places for part in layer.parts or ()):
        return None
    parts = tuple(sorted(layer.parts or (), key=lambda part: places[own_name(part.name)]))
    return replace(layer, parts=parts, arrays=tuple(array for part in parts for array in part.arrays))


def is_in_order(layers: Sequence[Raw]) -> bool:
    """Return whether a file of Keras 3 tells the order of its layers: where all are of one class."""
    stems = {_natural(layer.arrays[0].path.split("/")[1])[0] for layer in layers if layer.arrays}
    inside = [part for layer in layers if len(layer.parts or ()) > 1 for part in layer.parts or ()]
    return len(stems) < 2 and all(part.direction for part in inside)
