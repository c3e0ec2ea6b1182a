"""What a weights file holds, whoever wrote it: layers in order, their arrays, names and shapes.

Three dialects are read. Keras 0.x: ``nb_layers`` and ``layer_K/param_N`` without any names, or one group
``graph``. Keras 1: ``layer_names`` and ``weight_names``, arrays called ``conv1_W`` (``conv1_W:0`` on
TensorFlow). Keras 2: the same with ``conv1/kernel:0`` and the root attributes ``backend`` and
``keras_version``. In files of whole models the same lies under ``model_weights``. Objects are found by these
attributes, never by walking, since a ``/`` in a name makes groups within groups. No array is read here.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from converters.errors import FileFormatError
from converters.hdf5 import Node, open_untrusted, root
from converters.layouts import Shape
from converters.record import ConversionRecord, read_record
from converters.rules import infer_kind, kind_of_class, kind_of_name

Dialect = Literal["keras0", "keras1", "keras2"]

# Array names of Keras 1 end in one of these, followed on TensorFlow by _1 (a second graph) and :0.
_KERAS1_ROLES = {
    "W": "kernel",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}
_KERAS1_NAME = re.compile(r"(?:^|[_/])(W|b|gamma|beta|running_mean|running_std)(?:_\d+)?(?::\d+)?$")
_KERAS2_NAME = re.compile(
    r"/(kernel|bias|gamma|beta|moving_mean|moving_variance|embeddings)(?:_\d+)?(?::\d+)?$"
)
_BATCH_NORMALIZATION = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclass(frozen=True, kw_only=True)
class Array:
    """One array of a layer.

    Attributes:
        name: Its name as the file has it, ``conv1_W`` or ``param_0``.
        role: What it is to its layer (``kernel``, ``bias``, ...), or None if the name does not tell.
        path: The dataset's path in the file.
        shape: Its shape as stored.
        dtype: Its type as stored.
    """

    name: str
    role: str | None
    path: str
    shape: Shape
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that the values take in memory."""
        return self.size * self.dtype.itemsize


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a file: ``kind`` is its class in Keras 2's words, None if nothing tells it."""

    name: str
    kind: str | None
    arrays: tuple[Array, ...]

    def array(self, role: str) -> Array | None:
        """Return the array with a role, or None."""
        return next((array for array in self.arrays if array.role == role), None)


@dataclass(frozen=True, kw_only=True)
class Description:
    """A weights file, as far as it can be known without reading an array.

    Attributes:
        path: The file.
        dialect: Who wrote it.
        keras_version: As the file says it, or None.
        backend: The ``backend`` attribute of Keras 2, or None.
        root: The group the weights lie in: ``""``, or ``"model_weights"`` in a file of a whole model.
        layers: All layers in the file's order, those without arrays too.
        model_config: The whole model's configuration, or None.
        config_text: The same as the file has it.
        record: What an earlier conversion wrote into the file, or None.
        whole_model: Whether the file holds a whole model.
        optimizer: Whether it holds the state of an optimizer.
        nbytes: The file's size in bytes.
    """

    path: Path
    dialect: Dialect
    keras_version: str | None
    backend: str | None
    root: str
    layers: tuple[Layer, ...]
    model_config: Mapping[str, Any] | None = field(repr=False)
    config_text: str | None = field(repr=False)
    record: ConversionRecord | None
    whole_model: bool
    optimizer: bool
    nbytes: int

    @property
    def weighted(self) -> tuple[Layer, ...]:
        """The layers that have arrays."""
        return tuple(layer for layer in self.layers if layer.arrays)

    @property
    def parameters(self) -> int:
        """The number of values in all arrays."""
        return sum(array.size for layer in self.layers for array in layer.arrays)

    @property
    def version(self) -> tuple[int, ...]:
        """The Keras version as numbers, ``(2, 2, 4)`` for ``2.2.4-tf``; empty if the file does not say."""
        return tuple(int(number) for number in re.findall(r"\d+", self.keras_version or "")[:3])


def describe(path: str | os.PathLike[str]) -> Description:
    """Describe a weights file of Keras 0.x, 1 or 2 without reading its arrays.

    Args:
        path: The file.

    Returns:
        Its layers, arrays and attributes.

    Raises:
        FileFormatError: If it is not such a file; the message says what it is, or what is missing.
    """
    with open_untrusted(path) as file:
        try:
            return _describe(root(file), Path(path))
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise FileFormatError(f"{path}: damaged, its contents cannot be listed ({error})") from error


def _describe(top: Node, path: Path) -> Description:
    inside = "model_weights" if top.has("model_weights") and top.names("layer_names") is None else ""
    weights = top.group(inside) if inside else top
    config = _model_config(top)
    version = top.text("keras_version") or weights.text("keras_version")
    backend = top.text("backend") or weights.text("backend")
    dialect, named = _layers(weights, version, backend)
    return Description(
        path=path,
        dialect=dialect,
        keras_version=version,
        backend=backend,
        root=inside,
        layers=_with_kinds(named, dialect, config),
        model_config=config,
        config_text=None if config is None else top.text("model_config"),
        record=read_record(top),
        whole_model=bool(inside),
        optimizer=top.has("optimizer_weights"),
        nbytes=path.stat().st_size,
    )


def _layers(weights: Node, version: str | None, backend: str | None) -> tuple[Dialect, list[_Raw]]:
    names = weights.names("layer_names")
    if names is not None:
        _refuse_twice(names, "layer", weights)
        raw = [_Raw(name=name, arrays=tuple(_named_arrays(weights, name))) for name in names]
        return _named_dialect(version, backend, raw), raw
    count = weights.attribute("nb_layers")
    if isinstance(count, int):
        return "keras0", [_numbered_layer(weights, f"layer_{number}") for number in range(count)]
    if weights.has("graph"):
        return "keras0", _graph_layers(_numbered_layer(weights, "graph"))
    raise FileFormatError(f"{weights.file}: not a Keras weights file: {_what_instead(weights)}")


def _what_instead(weights: Node) -> str:
    children = weights.children()
    if "layers" in children or "_layer_checkpoint_dependencies" in children:
        return "it looks like a .weights.h5 file of Keras 3, which is not read"
    shown = ", ".join(map(repr, children[:5])) or "nothing"
    return f"it has neither layer_names nor nb_layers (it holds {shown})"


@dataclass(frozen=True, kw_only=True)
class _Raw:
    """A layer as it is read, before its kind is known."""

    name: str
    arrays: tuple[Array, ...]


def _named_arrays(weights: Node, layer: str) -> Iterator[Array]:
    group = weights.group(layer)
    names = group.names("weight_names")
    if names is None:
        raise FileFormatError(f"{weights.file}: layer {layer!r} has no attribute 'weight_names'")
    _refuse_twice(names, f"array of layer {layer!r}", weights)
    for name in names:
        yield _array(group, name, role_of(name))


def _numbered_layer(weights: Node, name: str) -> _Raw:
    group = weights.group(name)
    count = group.attribute("nb_params")
    if not isinstance(count, int):
        raise FileFormatError(f"{weights.file}: layer {name!r} has no attribute 'nb_params'")
    arrays = [_array(group, f"param_{number}", None) for number in range(count)]
    return _Raw(name=name, arrays=tuple(_with_roles(arrays)))


def _graph_layers(group: _Raw) -> list[_Raw]:
    """Cut the one group of a Graph into layers: a matrix or kernel begins one, its vectors follow."""
    layers: list[list[Array]] = []
    for array in group.arrays:
        if len(array.shape) > 1 or not layers:
            layers.append([])
        layers[-1].append(array)
    return [
        _Raw(name=f"{group.name}/{arrays[0].name}", arrays=tuple(_with_roles(arrays))) for arrays in layers
    ]


def _array(group: Node, name: str, role: str | None) -> Array:
    dataset = group.dataset(name)
    path = f"{group.name}/{name}".lstrip("/")
    return Array(name=name, role=role, path=path, shape=tuple(dataset.shape), dtype=dataset.dtype)


def _with_roles(arrays: Sequence[Array]) -> list[Array]:
    """Give the nameless arrays of a Keras 0.x layer their roles, by number and rank."""
    ranks = [len(array.shape) for array in arrays]
    roles: tuple[str | None, ...] = (None,) * len(arrays)
    if ranks == [1, 1, 1, 1]:
        roles = _BATCH_NORMALIZATION
    elif ranks == [1, 1]:
        roles = ("gamma", "beta")
    elif ranks[:1] in ([2], [4], [5]) and ranks[1:] in ([], [1]):
        roles = ("kernel", "bias")[: len(arrays)]
    return [replace(array, role=role) for array, role in zip(arrays, roles, strict=True)]


def role_of(name: str) -> str | None:
    """Return the role that an array's name tells, or None.

    Args:
        name: For instance ``conv1_W``, ``conv1_W_1:0`` or ``conv1/kernel:0``.
    """
    if found := _KERAS2_NAME.search(name):
        return found.group(1)
    if found := _KERAS1_NAME.search(name):
        return _KERAS1_ROLES[found.group(1)]
    return None


def _named_dialect(version: str | None, backend: str | None, layers: Sequence[_Raw]) -> Dialect:
    if version is not None:
        return "keras1" if version.startswith("1.") else "keras2"
    names = (array.name for layer in layers for array in layer.arrays)
    return "keras2" if backend or any(_KERAS2_NAME.search(name) for name in names) else "keras1"


def _with_kinds(
    layers: Sequence[_Raw], dialect: Dialect, config: Mapping[str, Any] | None
) -> tuple[Layer, ...]:
    classes = dict(class_names(config)) if config else {}
    found = []
    for layer in layers:
        kind = classes.get(layer.name) or kind_of_name(layer.name)
        if kind is None and layer.arrays:
            kind = infer_kind({array.role: array.shape for array in layer.arrays}, len(layer.arrays), dialect)
        found.append(Layer(name=layer.name, kind=kind, arrays=layer.arrays))
    return tuple(found)


def class_names(config: object) -> Iterator[tuple[str, str]]:
    """Yield the name and kind of every layer of a model's configuration, those of nested models too."""
    if isinstance(config, Mapping):
        inner = config.get("config")
        if isinstance(inner, Mapping) and isinstance(inner.get("name"), str) and "class_name" in config:
            yield inner["name"], kind_of_class(str(config["class_name"]))
        for value in config.values():
            yield from class_names(value)
    elif isinstance(config, list):
        for value in config:
            yield from class_names(value)


def _model_config(top: Node) -> Mapping[str, Any] | None:
    text = top.text("model_config")
    if text is None:
        return None
    try:
        config = json.loads(text)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{top.file}: attribute 'model_config' is not JSON ({error})") from error
    return config if isinstance(config, dict) else None


def _refuse_twice(names: Sequence[str], what: str, weights: Node) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise FileFormatError(f"{weights.file}: {what} {twice!r} is listed twice")
