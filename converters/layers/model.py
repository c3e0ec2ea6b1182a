"""Layers and their arrays, and which inner layer each array of a wrapper or nested model belongs to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from converters.arrays.form import Shape
from converters.errors import ArgumentError
from converters.layers.config import named_entries, wrapped
from converters.layers.infer import TAKEN_FOR, by_bias, infer_kind, is_2d, numbered_layers
from converters.layers.names import (
    is_kind,
    kind_of_entry,
    kind_of_name,
    naming_of,
    own_role,
    snake_case3,
    split_kind,
    stem_of,
)
from converters.layers.network import LayerFacts, Network, PartFacts
from converters.layers.shapes import may_be_1d
from converters.layers.table import NATIVE, OTHER, WAYS, WRAPPERS, Holds, holds

_DIRECTIONS = ("forward_", "backward_")


@dataclass(frozen=True, kw_only=True)
class Array:
    """One array of a layer.

    Attributes:
        name: Its name as the file has it, ``conv1_W`` or ``param_0``.
        role: What it is to its layer (``kernel``, ``bias``, ...), or None if the name does not tell.
        path: The dataset's path in the file.
        shape: Its shape as stored.
        dtype: Its type as stored.
        owner: The layer it belongs to, as its name says; ``""`` if that tells nothing.
        gate: The gate of a recurrent layer that it belongs to, where each has arrays of its own.
        turned: Whether it is a matrix with its outputs first, (O, I), as those of Caffe and PyTorch are; one
            may lie in a file as the kernel (O, C, H, W) of a convolution that sees its whole map.
    """

    name: str
    role: str | None
    path: str
    shape: Shape
    dtype: np.dtype[Any]
    owner: str = ""
    gate: str | None = None
    turned: bool = False

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def rank(self) -> int:
        """The number of axes; a matrix may lie in a file as the kernel of a convolution."""
        return len(self.flat)

    @property
    def flat(self) -> Shape:
        """The shape; of a matrix with its outputs first these, and all of its inputs."""
        return (self.shape[0], math.prod(self.shape[1:])) if self.turned else self.shape

    @property
    def nbytes(self) -> int:
        """The bytes that the values take in memory."""
        return self.size * self.dtype.itemsize

    @property
    def full_role(self) -> str:
        """The role with its gate (``kernel_i``)."""
        return f"{self.role}_{self.gate}" if self.gate else str(self.role)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A layer without layers inside: a whole layer of the file, or one inside a wrapper or nested model.

    Attributes:
        name: Its name.
        kind: Its class in Keras 2's words, None if nothing tells it.
        arrays: Its arrays in the file's order.
        inferred: Whether only the arrays tell the kind.
        own_class: Of a layer of kind ``Other``, the name of its class where that is known.
    """

    name: str
    kind: str | None
    arrays: tuple[Array, ...]
    inferred: bool = False
    own_class: str | None = None

    def array(self, role: str) -> Array | None:
        """Return the array with a role, or None."""
        return next((array for array in self.arrays if array.role == role), None)

    @property
    def direction(self) -> str | None:
        """``forward`` or ``backward`` for one of the two layers of a Bidirectional, else None."""
        name = self.name.rpartition("/")[2]
        return next((word[:-1] for word in _DIRECTIONS if name.startswith(word)), None)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a file.

    Attributes:
        name: Its name.
        kind: Its class in Keras 2's words, None if nothing tells it.
        arrays: Its arrays in the file's order.
        parts: The layers that they belong to: itself alone, or those inside it.
    """

    name: str
    kind: str | None
    arrays: tuple[Array, ...]
    parts: tuple[Part, ...] = ()

    def array(self, role: str) -> Array | None:
        """Return the first array with a role, or None."""
        return next((array for array in self.arrays if array.role == role), None)


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A layer as it is read: ``kind`` where the dialect tells it, ``parts`` where it cuts them itself."""

    name: str
    arrays: tuple[Array, ...]
    kind: str | None = None
    parts: tuple[Part, ...] | None = None


class LayerKinds:
    """What the user, a model's configuration and the record of a conversion say of layers.

    The user counts more than the configuration, and that more than the record.
    """

    def __init__(
        self,
        user: Mapping[str, str] | None,
        config: Mapping[str, Any] | None,
        network: Network | None = None,
    ) -> None:
        self._kinds: dict[str, str] = {}
        self._inner: dict[str, str] = {}
        self._parts: dict[tuple[str, str], PartFacts] = {}
        self._classes: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self.user = dict(user or {})
        for layer in network.layers if network else ():
            self._put_facts(layer)
        for name, kind, inner in _classes(config):
            self._put(name, kind, inner)
            own_class = self._classes[plain_name(name)] = kind.rpartition(">")[2]
            self._groups |= {} if is_kind(kind) else {snake_case3(own_class): kind}
        for name, text in self.user.items():
            self._put(name, *split_kind(text, name))

    def _put(self, name: str, kind: str, inner: str | None) -> None:
        self._kinds[plain_name(name)] = kind
        if inner:
            self._inner[plain_name(name)] = inner

    def _put_facts(self, layer: LayerFacts) -> None:
        only = layer.parts[0] if len(layer.parts) == 1 else None
        if layer.kind is not None and only is not None:
            self._put(layer.name, layer.kind, only.own_class if layer.kind == OTHER else only.kind)
        elif layer.kind is not None:
            self._put(layer.name, layer.kind, None)
        for part in layer.parts:
            self._parts[plain_name(layer.name), own_name(part.name)] = part

    def of(self, name: str) -> str | None:
        """Return the kind that is said of a layer, or that its automatic name tells."""
        return self._kinds.get(plain_name(name)) or kind_of_name(name)

    def of_owner(self, name: str) -> str | None:
        """Return the same of a layer within another, by the name that its arrays have.

        TensorFlow 1 numbered a name anew that its graph had already: ``up_1_4`` is ``up_1`` once more. Layers
        that are none within another have names of their own: ``fc_1`` is not ``fc``.
        """
        return self.of(name) or self._kinds.get(re.sub(r"_\d+$", "", plain_name(name)))

    def of_group(self, name: str) -> str | None:
        """Return the class of one's own in the configuration that Keras 3 calls a group after."""
        return self._groups.get(stem_of(name))

    def own_class(self, name: str) -> str | None:
        """Return the class of a layer of kind ``Other``, as the user or the configuration tells it."""
        plain = plain_name(name)
        said = self._inner.get(plain) if self._kinds.get(plain) == OTHER else None
        return said or self._classes.get(plain)

    def inside(self, name: str) -> str | None:
        """Return the kind of the layer in a wrapper."""
        found = self._inner.get(plain_name(name))
        return None if found in WRAPPERS else found

    def part(self, layer: str, name: str) -> PartFacts | None:
        """Return what the record says of a layer inside a layer, or of the layer itself."""
        return self._parts.get((plain_name(layer), own_name(name)))

    def is_doubtful(self, layer: str, name: str) -> bool:
        """Return whether a kind in the record was taken from shapes that another kind shares."""
        facts = self.part(layer, name)
        said = {plain_name(layer), own_name(name)} & {plain_name(known) for known in self.user}
        return facts is not None and facts.doubtful and not said

    def check(self, path: object, layers: Sequence[Layer]) -> None:
        """Raise if the user names a layer that the file lacks.

        Raises:
            ArgumentError: With the name.
        """
        names = {layer.name for layer in layers}.union(part.name for layer in layers for part in layer.parts)
        known = {plain_name(name) for name in names}
        if unknown := [name for name in self.user if plain_name(name) not in known]:
            raise ArgumentError(f"{path}: --layer names {unknown[0]!r}, but no layer has that name")


def plain_name(name: str) -> str:
    """Return a layer's published name for either way to write it: ``__`` stands for ``/`` in Keras models."""
    return name.replace("__", "/")


def own_name(name: str) -> str:
    """Return a layer's name without those of the layers that it lies in."""
    return plain_name(name).rpartition("/")[2]


def _classes(config: object) -> Iterator[tuple[str, str, str | None]]:
    """Yield name, kind and the kind inside it of every layer of a configuration."""
    for name, entry, own in named_entries(config):
        inner = wrapped(own)
        yield name, kind_of_entry(entry), None if inner is None else kind_of_entry(inner)


def layer_of(raw: Raw, kinds: LayerKinds, dialect: str) -> Layer:
    """Return a layer with its kind and its parts.

    Args:
        raw: The layer as it was read.
        kinds: What is said of layers' kinds.
        dialect: The file's dialect.
    """
    kind = kinds.of(raw.name) or (dialect == "keras3" and kinds.of_group(raw.name)) or raw.kind
    if not raw.arrays:
        return Layer(name=raw.name, kind=kind, arrays=())
    parts = raw.parts if raw.parts and kind != OTHER else _cut(raw, kind, kinds)
    if kind is None and len(parts) == 2 and [part.direction for part in parts] == ["forward", "backward"]:
        kind = WAYS
    found = tuple(
        _with_facts(_with_kind(part, raw.name, kind, kinds, dialect), raw.name, kinds) for part in parts
    )
    own = kind is None and len(found) == 1 and is_own(raw.arrays[0].owner, raw.name)
    if own or kind in NATIVE.keys() | NATIVE.values():
        kind = found[0].kind
    arrays = {array.path: array for part in found for array in part.arrays}
    return Layer(
        name=raw.name, kind=kind, arrays=tuple(arrays[array.path] for array in raw.arrays), parts=found
    )


def is_own(owner: str, layer: str) -> bool:
    """Return whether arrays are a layer's own, by the owner that their names say.

    A model that is a class of its own (tf.keras) puts its name before those of its layers:
    ``le_net/conv2d/kernel:0`` belongs to ``conv2d``. A graph of TensorFlow 1 has each name once: of a model
    that was made twice in it, ``tower_1/kernel:0`` belongs to ``tower``.

    Args:
        owner: What stands before an array's role in its name; ``""`` if nothing does.
        layer: The layer that holds it.
    """
    return not owner or re.fullmatch(rf"(.*/)?{re.escape(layer)}(_\d+)?", owner, re.DOTALL) is not None


def _cut(raw: Raw, kind: str | None, kinds: LayerKinds) -> tuple[Part, ...]:
    """Group a layer's arrays by the layer that their names say, where it has layers inside."""
    owned: dict[str, list[Array]] = {}
    for array in raw.arrays:
        owned.setdefault(array.owner, []).append(array)
    if len(owned) == 1 or (kind is not None and kind not in WRAPPERS):
        return tuple(_ways(Part(name=raw.name, kind=None, arrays=raw.arrays), kind, kinds))
    parts = (Part(name=owner or raw.name, kind=None, arrays=tuple(arrays)) for owner, arrays in owned.items())
    return tuple(way for part in parts for way in _ways(part, None, kinds))


def _ways(part: Part, kind: str | None, kinds: LayerKinds) -> Iterator[Part]:
    """Yield a part, or the two ways of a Bidirectional whose arrays' names do not say which is whose.

    Keras 2.0.0 to 2.0.4 calls the forward layer's ``bidirectional_1/kernel:0`` and the backward layer's
    ``bidirectional_1/kernel_1:0``; from 2.0.5 on each has a name of its own between the two.
    """
    owner = part.arrays[0].owner
    said = (kind, kinds.of_owner(owner), kinds.of_owner(owner.rpartition("/")[2]))
    halves = two_ways(part.arrays) if Holds.WAYS in map(holds, said) else None
    if halves is None:
        yield part
        return
    for way, arrays in zip(_DIRECTIONS, halves, strict=True):
        yield Part(name=f"{owner}/{way}layer", kind=None, arrays=arrays)


def two_ways(arrays: tuple[Array, ...]) -> tuple[tuple[Array, ...], tuple[Array, ...]] | None:
    """Return the arrays of two recurrent layers that lie one after the other, or None if they do not."""
    half = len(arrays) // 2
    first, second = arrays[:half], arrays[half:]
    alike = [(array.role, array.shape) for array in first] == [(array.role, array.shape) for array in second]
    return (first, second) if alike and "recurrent_kernel" in {array.role for array in first} else None


def _with_facts(part: Part, layer: str, kinds: LayerKinds) -> Part:
    """Return a layer in a layer under the name that the record has for it, and with the record's doubts."""
    facts = kinds.part(layer, part.name)
    if facts is None:
        return part
    return replace(part, name=facts.name, inferred=kinds.is_doubtful(layer, part.name))


def _with_kind(part: Part, layer: str, kind: str | None, kinds: LayerKinds, dialect: str) -> Part:
    """Return a layer in a layer with its kind: as it is said, or else as its arrays tell."""
    own = kind if kind is not None and kind not in WRAPPERS else None
    said = own or _said_inside(part, layer, kinds, dialect)
    if said == OTHER:
        names = (layer if kind == OTHER else _owner(part), _base(part))
        facts = kinds.part(layer, part.name)
        own_class = next(filter(None, map(kinds.own_class, names)), facts.own_class if facts else None)
        return as_other(part, own_class, facts.roles if facts else None)
    found = _by_arrays(part, said, dialect)
    arrays = tuple(replace(array, role=own_role(found, array.role)) for array in part.arrays)
    inferred = said is None or (part.kind is not None and own is None)
    return Part(name=part.name, kind=found, arrays=arrays, inferred=inferred)


def _owner(part: Part) -> str:
    """Return the layer that a part's arrays belong to by their names."""
    return part.arrays[0].owner or part.name


def _base(part: Part) -> str:
    """Return the same without the layers that it lies in and the way of a Bidirectional."""
    base = _owner(part).rpartition("/")[2]
    for word in _DIRECTIONS:
        base = base.removeprefix(word)
    return base


def _said_inside(part: Part, layer: str, kinds: LayerKinds, dialect: str) -> str | None:
    """Return the kind that is said of a layer in a layer, or that its name tells; None if nothing does."""
    facts = kinds.part(layer, part.name) if part.name != layer else None
    said = part.kind or kinds.inside(layer) or (facts.kind if facts else None)
    owner, base = _owner(part), _base(part)
    if said is not None or owner == layer:
        return said
    of = kinds.of if is_own(owner, layer) else kinds.of_owner
    found = of(owner) or of(base) or (kinds.of_group(base) if dialect == "keras3" else None)
    return None if found in WRAPPERS else found


def _by_arrays(part: Part, said: str | None, dialect: str) -> str | None:
    """Return the kind that arrays tell, where they have roles of their own; else the one that is said."""
    shapes = {array.full_role: array.shape for array in part.arrays}
    if dialect == "keras0" or len(shapes) < len(part.arrays) or not all(array.role for array in part.arrays):
        return said
    return by_bias(said, shapes, dialect) if said else infer_kind(shapes, dialect)


def as_other(part: Part, own_class: str | None = None, roles: Sequence[str] | None = None) -> Part:
    """Return a layer of which nothing is known: the roles of its arrays are their own names.

    Args:
        part: The layer.
        own_class: The name of its class, if that is known.
        roles: What its arrays were called before a conversion, if its record tells.
    """
    names: list[str] = list(roles) if roles is not None and len(roles) == len(part.arrays) else []
    for array in part.arrays[len(names) :]:
        short = _own_name(array, part.name)
        names.append(short if short not in names else f"{short}_{len(names)}")
    arrays = tuple(
        replace(array, role=name, gate=None) for array, name in zip(part.arrays, names, strict=True)
    )
    return Part(name=part.name, kind=OTHER, arrays=arrays, own_class=own_class)


def _own_name(array: Array, layer: str) -> str:
    """Return an array's name without its layer's name and TensorFlow's number of an output."""
    if array.name == array.path and not array.owner:
        # Keras 3's arrays have no names: what lies below the layer's group, layers/NAME/vars/0.
        return "/".join(word for word in array.path.split("/")[2:] if word != "vars") or array.name
    name = re.sub(r":\d+$", "", array.name)
    return next((name[len(start) :] for start in (f"{layer}/", f"{layer}_") if name.startswith(start)), name)


def settled(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return layers with what only all of them together tell.

    A kernel of Keras 0 or 1 with one spatial axis of size one may be a 1-D or a 2-D convolution's. Beside
    kernels that can only be 2-D ones, it is one of those.
    """
    if not any(is_2d(part.kind) for layer in layers for part in layer.parts):
        return tuple(layers)
    return tuple(_settled(layer) for layer in layers)


def _settled(layer: Layer) -> Layer:
    parts = tuple(
        replace(part, kind=TAKEN_FOR, inferred=True) if part.kind is None and _one_way(part) else part
        for part in layer.parts
    )
    own = layer.kind is None and len(parts) == 1 and is_own(layer.arrays[0].owner, layer.name)
    return replace(layer, parts=parts, kind=parts[0].kind if own else layer.kind)


def _one_way(part: Part) -> bool:
    kernel, bias = part.array("kernel"), part.array("bias")
    return bool(kernel and bias and len(part.arrays) == 2 and may_be_1d(kernel.shape, bias.shape))


def numbered_parts(name: str, arrays: Sequence[Array], *, several: bool) -> tuple[Part, ...]:
    """Return the layers that arrays without names belong to, with their roles.

    Args:
        name: The layer's name; if there are several, each is called by its first array besides.
        arrays: All arrays of a layer, or of a Graph, of Keras 0.x.
        several: Whether they are known to be those of several layers.
    """
    parts: list[Part] = []
    start = 0
    for kind, places in numbered_layers([array.shape for array in arrays], several=several):
        stop = start + len(places) if places else len(arrays)
        named = [
            replace(array, role=role, gate=gate)
            for array, (role, gate) in zip(arrays[start:stop], places, strict=False)
        ] or list(arrays[start:stop])
        parts.append(Part(name=f"{name}/{arrays[start].name}", kind=kind, arrays=tuple(named)))
        start = stop
    return tuple(parts) if several or len(parts) != 1 else (replace(parts[0], name=name),)


def named_array(name: str, path: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Return an array with what its name tells."""
    naming = naming_of(name)
    return Array(
        name=name,
        role=naming.role,
        path=path,
        shape=shape,
        dtype=dtype,
        owner=naming.owner,
        gate=naming.gate,
    )
