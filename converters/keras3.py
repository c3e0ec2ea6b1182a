"""The files of Keras 3: ``layers/conv2d/vars/0`` and so on, without a name for any array.

Groups are called after the classes of layers, numbered where a class comes again (``conv2d``, ``conv2d_1``),
in the order of the model's layers; ``vars`` holds a layer's arrays by number, and its attribute ``name`` the
layer's name. Inside wrappers lie ``layer``, or ``forward_layer`` and ``backward_layer``, inside recurrent
layers ``cell``, and inside models ``layers`` again.

Source: _save_state() and _save_container_state() in keras/src/saving/saving_lib.py, Keras 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from converters.hdf5 import Node
from converters.kinds import kind_of_group
from converters.parts import Array, Part, Raw
from converters.rules import RULES

_RECURRENT = frozenset({"SimpleRNN", "LSTM", "GRU", "ConvLSTM2D"})


def cell_path(kind: str) -> str:
    """Return where below its group a layer keeps its arrays: a recurrent one in its cell."""
    return "cell/vars" if kind in _RECURRENT else "vars"


def keras3_layers(weights: Node) -> Iterator[Raw]:
    """Yield the layers of a file of Keras 3, classes in alphabetical order, each class in the model's order.

    Args:
        weights: The file's root.

    Raises:
        FileFormatError: If a group does not hold what Keras puts there.
    """
    top = "layers" if weights.has("layers") else "_layer_checkpoint_dependencies"
    for name in sorted(weights.group(top).children(), key=_natural):
        group = weights.group(f"{top}/{name}")
        parts = tuple(_parts(group, name))
        yield Raw(
            name=_layer_name(group, name),
            arrays=tuple(array for part in parts for array in part.arrays),
            kind=kind_of_group(name),
            parts=parts or None,
        )


def _parts(group: Node, name: str) -> Iterator[Part]:
    """Yield the layers with arrays at and below a group that is called after a class."""
    yield from _parts_of_kind(group, _layer_name(group, name), kind_of_group(name))
    for inner in ("layer", "forward_layer", "backward_layer"):
        if group.has(inner):
            # Only the inner layer's own name, if Keras gave it, tells its kind.
            below = group.group(inner)
            own = _layer_name(below, inner)
            stem = own.removeprefix("forward_").removeprefix("backward_")
            yield from _parts_of_kind(below, own, kind_of_group(stem))


def _parts_of_kind(group: Node, name: str, kind: str | None) -> Iterator[Part]:
    for place in ("vars", "cell/vars"):
        if group.has(place.partition("/")[0]) and (arrays := tuple(_arrays(group, place, kind))):
            yield Part(name=name, kind=kind, arrays=arrays)
    if group.has("layers"):
        below = group.group("layers")
        for child in sorted(below.children(), key=_natural):
            yield from _parts(below.group(child), child)


def _arrays(group: Node, place: str, kind: str | None) -> Iterator[Array]:
    variables = group.group(place)
    names = sorted(variables.children(), key=_natural)
    datasets = [variables.dataset(name) for name in names]
    ranks = [len(dataset.shape) for dataset in datasets]
    for name, dataset, role in zip(names, datasets, _roles(kind, place, ranks), strict=True):
        path = f"{variables.name}/{name}"
        yield Array(name=path, role=role, path=path, shape=tuple(dataset.shape), dtype=dataset.dtype)


def _roles(kind: str | None, place: str, ranks: Sequence[int]) -> tuple[str | None, ...]:
    """Return the roles of arrays of a kind: Keras keeps them in the order of the table."""
    roles: tuple[str | None, ...] = tuple(RULES.get(str(kind), {}))
    if kind is None and place == "cell/vars":
        roles = tuple(RULES["LSTM"])
    elif kind is None and len(ranks) == 2 and ranks[0] > ranks[1] == 1:
        roles = ("kernel", "bias")
    # Two of its arrays may be missing, and three arrays do not say which one is.
    elif kind == "BatchNormalization" and len(ranks) < len(roles):
        roles = ("moving_mean", "moving_variance") if len(ranks) == 2 else ()
    return (*roles, *(None,) * len(ranks))[: len(ranks)]


def _layer_name(group: Node, name: str) -> str:
    if not group.has("vars"):
        return name
    return group.group("vars").text("name") or name


def _natural(name: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*?)_?(\d+)", name)
    return (found.group(1), int(found.group(2))) if found else (name, 0)
