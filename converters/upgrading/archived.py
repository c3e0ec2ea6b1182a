"""Which arrays of an archive that tf.keras wrote belong to which layer.

Groups are called after classes and numbered within each model, whatever the layers' names are: ``dense`` is
the first dense layer of the model, not the one with that name. So only the model's configuration tells whose
they are, which lists layers in the order in which they were saved. Keras 2.12 comes upon each layer with
arrays twice, and counts it twice: its second dense layer is ``dense_2``.

Sources: _save_container_state() in tf_keras/src/saving/saving_lib.py, tf-keras 2.21; the same in
keras/saving/saving_lib.py, and _layer_checkpoint_dependencies() in keras/engine/functional.py, Keras 2.12.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from converters.boundary import paced
from converters.formats.description import Description
from converters.layers.infer import roles_by_number
from converters.layers.model import Array, Part
from converters.layers.names import kind_of_class, snake_case3
from converters.layers.table import KINDS, WAYS, cell_of
from converters.upgrading.graph import Network, Node
from converters.upgrading.holding import Holding, has_array, holdings_of

TWICE = "_layer_checkpoint_dependencies"
"""What Keras 2.12 calls the group of a model's layers, in which those with arrays are counted twice."""


def archived_parts(
    groups: Mapping[int, str], nodes: Iterable[Node], description: Description
) -> Iterator[tuple[Node, tuple[Part, ...]]]:
    """Yield each layer that has arrays of its own, with its parts.

    Args:
        groups: What :func:`groups_of` gives.
        nodes: The layers of the model, and those in them.
        description: The archive.
    """
    arrays = _arrays(description)
    by_group: defaultdict[str, list[Array]] = defaultdict(list)
    for array in arrays.values():
        by_group[array.path.rpartition("/")[0]].append(array)
    for node in paced(nodes):
        parts = tuple(part for part in _parts(node, groups[id(node)], arrays, by_group) if part.arrays)
        if parts:
            yield node, parts


def groups_of(network: Network, description: Description) -> tuple[Mapping[int, str], Sequence[Node]]:
    """Return the group of each layer of a model, by the layer's node, and all nodes."""
    arrays = _arrays(description)
    top = next(iter(arrays), "layers").partition("/")[0]
    filled = {
        "/".join(words[:count])
        for path in arrays
        if (words := path.split("/"))
        for count in range(len(words))
    }
    found = tuple(paced(_groups(network, top, filled)))
    return {id(node): group for node, group in found}, [node for node, _ in found]


def _arrays(description: Description) -> dict[str, Array]:
    return {array.path: array for layer in description.layers for array in layer.arrays}


def _groups(network: Network, top: str, filled: Collection[str]) -> Iterator[tuple[Node, str]]:
    """Yield each layer of a model with its group, and those in it with theirs."""
    numbers: Counter[str] = Counter()
    for node in network.nodes:
        if node.made_up:
            continue
        stem = snake_case3(node.class_name.rpartition(">")[2])
        group = f"{top}/{stem}" + (f"_{numbers[stem]}" if numbers[stem] else "")
        numbers[stem] += 2 if top.endswith(TWICE) and group in filled else 1
        yield from _within(node, group, filled)


def _within(node: Node, group: str, filled: Collection[str]) -> Iterator[tuple[Node, str]]:
    yield node, group
    if node.network is not None:
        yield from _groups(node.network, f"{group}/{group.partition('/')[0]}", filled)
    elif node.inner is not None and node.class_name != WAYS:
        yield from _within(node.inner, f"{group}/layer", filled)


def _parts(
    node: Node, group: str, arrays: Mapping[str, Array], by_group: Mapping[str, Sequence[Array]]
) -> Iterator[Part]:
    """Yield the parts of a layer; of a Bidirectional, those of the two in it."""
    held = holdings_of(node)
    if held is not None:
        yield from (_held(part, node, group, arrays) for part in held)
        return
    kind = kind_of_class((node.inner or node).class_name)
    if kind not in KINDS or (node.inner is not None and node.class_name != WAYS):
        return
    ways = ("",) if node.inner is None else ("forward", "backward")
    for way in ways:
        place = f"{group}/{way}_layer" if way else group
        listed = by_group.get(f"{place}/{'cell/vars' if cell_of(kind) else 'vars'}", ())
        yield Part(name=_name(node, way), kind=kind, arrays=_numbered(kind, node.inner or node, listed))


def _held(part: Holding, node: Node, group: str, arrays: Mapping[str, Array]) -> Part:
    found = [
        replace(arrays[path], role=place.role, gate=None)
        for place in part.places
        if (path := f"{group}/{place.archived}") in arrays
    ]
    return Part(name=_name(node, part.direction or ""), kind=part.kind, arrays=tuple(found))


def _name(node: Node, way: str) -> str:
    return f"{way}_{node.inner.name}" if way and node.inner is not None else node.name


def _numbered(kind: str, node: Node, arrays: Sequence[Array]) -> tuple[Array, ...]:
    """Return arrays in the order of their numbers, which is that of the kind's record, with their roles.

    Where a layer may lack several, its settings say which it has.
    """
    ordered = sorted(arrays, key=lambda array: (len(array.path), array.path))
    ranks = [len(array.shape) for array in ordered]
    said = [role for role in KINDS[kind].arrays if has_array(node, role)]
    roles: Sequence[str | None] = roles_by_number(kind, ranks, in_cell=bool(cell_of(kind)))
    roles = said if len(said) == len(ordered) else roles
    return tuple(replace(array, role=role, gate=None) for array, role in zip(ordered, roles, strict=True))
