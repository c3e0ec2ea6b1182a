"""Containers of plain arrays: what a new one says of its arrays, and which layers those of a file belong to.

A description, as JSON, lists the layers in order with their kinds, and for each array its name, the kind of
its layer and its role. Beside it stands the record of a conversion. A file without a description is read by
its arrays' names: ``conv1/kernel`` is the kernel of a layer ``conv1``, laid out as Keras 2 and 3 do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, cast

from converters.arrays.form import Form, Kernels, Layout
from converters.errors import FileFormatError
from converters.formats.contents import Contents
from converters.formats.source import DESCRIPTION
from converters.hdf5.metadata import DatasetInfo
from converters.hdf5.source import Node
from converters.layers.model import Array, Part, Raw, named_array, plain_name
from converters.layers.network import LayerFacts, Network
from converters.layers.table import NATIVE
from converters.limits import check_name, clipped, first_repeated, load_json

_FIRST_TODAY = "3"
"""The version of Keras that all its files of the dialect ``keras3`` have at least."""


def described_text(contents: Contents) -> str:
    """Return, as JSON, what the arrays are: layers in order, their kinds, and the array for each role.

    Args:
        contents: A plan whose outputs are plain arrays.
    """
    description = contents.description
    layers: dict[str, dict[str, Any]] = {}
    for layer in description.layers:
        layers[layer.name] = {
            "name": layer.name,
            "kind": NATIVE.get(str(layer.kind), layer.kind),
            "arrays": [],
        }
    for output in contents.outputs:
        entry = {"name": output.name, "kind": output.kind, "role": output.role}
        layers[output.layer]["arrays"].append(entry)
    return json.dumps(
        {
            "dialect": description.dialect,
            "keras_version": description.keras_version,
            "layout": contents.target.layout,
            "kernels": contents.target.kernels,
            **({} if description.ordered else {"ordered": False}),
            "layers": list(layers.values()),
        },
        separators=(",", ":"),
    )


@dataclass(frozen=True, kw_only=True)
class _ToldArray:
    """One array of a description."""

    name: str
    kind: str | None
    role: str

    @property
    def owner(self) -> str:
        """What stands in front of its role in its name."""
        return self.name.removesuffix(f"/{self.role}")


@dataclass(frozen=True, kw_only=True)
class _ToldLayer:
    """One layer of a description."""

    name: str
    kind: str | None
    arrays: tuple[_ToldArray, ...]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the description in a container says.

    Attributes:
        layers: All layers.
        version: The version of Keras that wrote the weights first, or None.
        form: Layout and kernels, or None.
        ordered: Whether the layers are in the network's order.
    """

    layers: tuple[_ToldLayer, ...]
    version: str | None
    form: Form | None
    ordered: bool


def read_told(top: Node) -> Told | None:
    """Return what a container's description says, or None if there is none.

    Args:
        top: The group of all arrays.

    Raises:
        FileFormatError: If it is damaged, or its arrays are not those of the file.
    """
    text = top.text(DESCRIPTION)
    if text is None or not text.lstrip().startswith("{"):  # a text of somebody else's, for people
        return None
    what = f"{top.file}: {DESCRIPTION!r}"
    found = load_json(text, what, top.limits)
    listed = found.get("layers")
    if not isinstance(listed, list):
        raise FileFormatError(f"{what} does not list layers")
    layers = tuple(_layer(entry, what) for entry in listed)
    _check_arrays(layers, top, what)
    version = _optional(found, "keras_version", what)
    return Told(
        layers=layers,
        version=_FIRST_TODAY if version is None and found.get("dialect") == "keras3" else version,
        form=_form(found, what),
        ordered=found.get("ordered") is not False,
    )


def _form(found: Mapping[str, Any], what: str) -> Form | None:
    said = found.get("layout"), found.get("kernels")
    if said == (None, None):
        return None
    if not all(value in ("th", "tf") for value in said):
        raise FileFormatError(f"{what} says layout {said[0]!r} and kernels {said[1]!r}, not th or tf")
    return Form(layout=cast(Layout, said[0]), kernels=cast(Kernels, said[1]))


def _layer(entry: object, what: str) -> _ToldLayer:
    arrays = entry.get("arrays") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(arrays, list):
        raise FileFormatError(f"{what} has a layer that is none")
    return _ToldLayer(
        name=_name(entry, "name", what),
        kind=_optional(entry, "kind", what),
        arrays=tuple(_array(array, what) for array in arrays),
    )


def _array(entry: object, what: str) -> _ToldArray:
    if not isinstance(entry, dict):
        raise FileFormatError(f"{what} has an array that is none")
    return _ToldArray(
        name=_name(entry, "name", what),
        kind=_optional(entry, "kind", what),
        role=_name(entry, "role", what),
    )


def _name(entry: Mapping[str, Any], key: str, what: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise FileFormatError(f"{what}: {key!r} is {clipped(str(value))}, not text")
    return check_name(value, what)


def _optional(entry: Mapping[str, Any], key: str, what: str) -> str | None:
    return None if entry.get(key) is None else _name(entry, key, what)


def _check_arrays(layers: Iterable[_ToldLayer], top: Node, what: str) -> None:
    """Raise unless every array of the file belongs to one layer, and every name is that of one thing."""
    names = [array.name for layer in layers for array in layer.arrays]
    for listed in (names, [layer.name for layer in layers]):
        if (twice := first_repeated(listed)) is not None:
            raise FileFormatError(f"{what} lists {clipped(twice)} twice")
    if missing := [name for name in names if not top.has(name)]:
        raise FileFormatError(f"{what} lists {clipped(missing[0])}, which the file lacks")
    known = frozenset(names)
    if left := [name for name in top.children() if name not in known]:
        raise FileFormatError(f"{what} does not list {clipped(left[0])}, which the file holds")


def plain_layers(top: Node, told: Told | None, network: Network | None) -> list[Raw]:
    """Return the layers of a container of plain arrays.

    Args:
        top: The group of all arrays.
        told: What its description says, if it has one.
        network: What the record says of the network: it alone knows what a layer inside a layer is called.

    Raises:
        FileFormatError: If there is no description, and the name of an array does not tell its layer.
    """
    if told is None:
        return list(_by_names(top))
    facts = {plain_name(layer.name): layer for layer in (network.layers if network else ())}
    return [_raw(top, layer, facts.get(plain_name(layer.name))) for layer in told.layers]


def _raw(top: Node, layer: _ToldLayer, facts: LayerFacts | None) -> Raw:
    parts = tuple(_parts(top, layer))
    if facts is not None and len(parts) == len(facts.parts) == 1:
        parts = (replace(parts[0], name=facts.parts[0].name),)
    arrays = tuple(array for part in parts for array in part.arrays)
    return Raw(name=layer.name, arrays=arrays, kind=layer.kind, parts=parts or None)


def _parts(top: Node, layer: _ToldLayer) -> Iterator[Part]:
    for owner, listed in groupby(layer.arrays, key=lambda array: array.owner):
        told = tuple(listed)
        arrays = tuple(
            Array(
                name=array.name,
                role=array.role,
                path=array.name,
                shape=found.shape,
                dtype=found.dtype,
                owner=owner,
            )
            for array in told
            if isinstance(found := top.info.children[array.name], DatasetInfo)
        )
        yield Part(name=owner, kind=told[0].kind, arrays=arrays)


def _by_names(top: Node) -> Iterator[Raw]:
    """Yield the layers that the names of arrays tell, in the order in which the file has them."""
    layers: dict[str, list[Array]] = {}
    for name, found in top.info.children.items():
        layer, _, _ = name.rpartition("/")
        if not layer or not isinstance(found, DatasetInfo):
            text = "has no description of its layers, and the name does not tell one"
            advice = "call its arrays LAYER/ROLE, such as conv1/kernel and conv1/bias, in Keras' layout"
            raise FileFormatError(f"{top.file}: array {clipped(name)}: the file {text}; {advice}")
        array = named_array(name, name, found.shape, found.dtype)
        layers.setdefault(layer, []).append(replace(array, owner=layer))
    for layer, arrays in layers.items():
        # Some writers sort names; a layer's rank is that of its first array, which no bias is.
        yield Raw(name=layer, arrays=tuple(sorted(arrays, key=lambda array: "bias" in str(array.role))))
