"""Layers and their arrays, and which inner layer each array of a wrapper or nested model belongs to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from converters.errors import ArgumentError
from converters.kinds import (
    MODELS,
    WRAPPERS,
    infer_kind,
    kind_of_class,
    kind_of_name,
    may_be_1d,
    split_kind,
)
from converters.layouts import Shape
from converters.roles import naming_of, numbered_layers, own_role

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
    """

    name: str
    role: str | None
    path: str
    shape: Shape
    dtype: np.dtype[Any]
    owner: str = ""
    gate: str | None = None

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

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
    """

    name: str
    kind: str | None
    arrays: tuple[Array, ...]
    inferred: bool = False

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
    """What the user and a model's configuration say of layers' kinds."""

    def __init__(self, user: Mapping[str, str] | None, config: Mapping[str, Any] | None) -> None:
        self._kinds: dict[str, str] = {}
        self._inner: dict[str, str] = {}
        self.user = dict(user or {})
        for name, kind, inner in _classes(config):
            self._put(name, kind, inner)
        for name, text in self.user.items():
            self._put(name, *split_kind(text, name))

    def _put(self, name: str, kind: str, inner: str | None) -> None:
        self._kinds[name] = kind
        if inner:
            self._inner[name] = inner

    def of(self, name: str) -> str | None:
        """Return the kind that is said of a layer, or that its automatic name tells."""
        return self._kinds.get(name) or kind_of_name(name)

    def inside(self, name: str) -> str | None:
        """Return the kind of the layer in a wrapper."""
        return self._inner.get(name)

    def check(self, path: object, layers: Sequence[Layer]) -> None:
        """Raise if the user names a layer that the file lacks.

        Raises:
            ArgumentError: With the name.
        """
        names = {layer.name for layer in layers}.union(part.name for layer in layers for part in layer.parts)
        if unknown := [name for name in self.user if name not in names]:
            raise ArgumentError(f"{path}: --layer names {unknown[0]!r}, but no layer has that name")


def _classes(config: object) -> Iterator[tuple[str, str, str | None]]:
    """Yield name, kind and the kind inside it of every layer of a configuration."""
    if isinstance(config, Mapping):
        inner = config.get("config")
        if isinstance(inner, Mapping) and isinstance(inner.get("name"), str) and "class_name" in config:
            wrapped = inner.get("layer")
            known = isinstance(wrapped, Mapping) and "class_name" in wrapped
            kind = kind_of_class(str(wrapped["class_name"])) if known else None  # type: ignore[index]
            yield inner["name"], kind_of_class(str(config["class_name"])), kind
        for value in config.values():
            yield from _classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _classes(value)


def layer_of(raw: Raw, kinds: LayerKinds, dialect: str) -> Layer:
    """Return a layer with its kind and its parts.

    Args:
        raw: The layer as it was read.
        kinds: What is said of layers' kinds.
        dialect: The file's dialect.
    """
    kind = kinds.of(raw.name) or raw.kind
    if not raw.arrays:
        return Layer(name=raw.name, kind=kind, arrays=())
    parts = raw.parts or _cut(raw, kind)
    if kind is None and len(parts) == 2 and [part.direction for part in parts] == ["forward", "backward"]:
        kind = "Bidirectional"
    found = tuple(_with_kind(part, raw.name, kind, kinds, dialect) for part in parts)
    if kind is None and len(found) == 1 and raw.arrays[0].owner in ("", raw.name):
        kind = found[0].kind
    arrays = {array.path: array for part in found for array in part.arrays}
    return Layer(
        name=raw.name, kind=kind, arrays=tuple(arrays[array.path] for array in raw.arrays), parts=found
    )


def _cut(raw: Raw, kind: str | None) -> tuple[Part, ...]:
    """Group a layer's arrays by the layer that their names say, where it has layers inside."""
    owned: dict[str, list[Array]] = {}
    for array in raw.arrays:
        owned.setdefault(array.owner, []).append(array)
    if len(owned) == 1 or (kind is not None and kind not in WRAPPERS):
        return (Part(name=raw.name, kind=None, arrays=raw.arrays),)
    return tuple(
        Part(name=owner or raw.name, kind=None, arrays=tuple(arrays)) for owner, arrays in owned.items()
    )


def _with_kind(part: Part, layer: str, kind: str | None, kinds: LayerKinds, dialect: str) -> Part:
    owner = part.arrays[0].owner or part.name
    base = owner.rpartition("/")[2]
    for word in _DIRECTIONS:
        base = base.removeprefix(word)
    own = kind if kind is not None and kind not in WRAPPERS else None
    found = own or part.kind or (kinds.inside(layer) if kind not in MODELS else None)
    if found is None and owner != layer:
        found = kinds.of(owner) or kinds.of(base)
        found = None if found in WRAPPERS else found
    known = found is not None
    if not known and dialect != "keras0" and all(array.role for array in part.arrays):
        shapes = {array.full_role: array.shape for array in part.arrays}
        found = infer_kind(shapes, dialect) if len(shapes) == len(part.arrays) else None
    arrays = tuple(replace(array, role=own_role(found, array.role)) for array in part.arrays)
    inferred = not known or (part.kind is not None and own is None)
    return Part(name=part.name, kind=found, arrays=arrays, inferred=inferred)


def settled(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return layers with what only all of them together tell.

    A kernel of Keras 0 or 1 with one spatial axis of size one may be a 1-D or a 2-D convolution's. Beside
    kernels that can only be 2-D ones, it is one of those.
    """
    if not any(part.kind in ("Conv2D", "Conv2DTranspose") for layer in layers for part in layer.parts):
        return tuple(layers)
    return tuple(_settled(layer) for layer in layers)


def _settled(layer: Layer) -> Layer:
    parts = tuple(
        replace(part, kind="Conv2D", inferred=True) if part.kind is None and _one_way(part) else part
        for part in layer.parts
    )
    own = layer.kind is None and len(parts) == 1 and layer.arrays[0].owner in ("", layer.name)
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
