"""Practice files: weights files to the last attribute as they were published, with practice values in them.

Keras wrote layer after layer and array after array; so do these functions, and hold one array at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from converters.layers.names import keras1_suffix, snake_case
from converters.layers.rules import Rule
from converters.layers.table import rules_of
from converters.planning.structures import Structure, StructureLayer, load_structure
from zoo.errors import ArgumentError
from zoo.practice import caffe, pytorch, values
from zoo.registry.records import Architecture, Dialect, Kernels, Layout, WeightsFile

# Where the models without their top ended, in the order of the file. No rule can tell: ResNet-50 kept its
# last pooling, Inception-V3 did not.
_LAST_WITHOUT_TOP = {
    "vgg16_blocks": "block5_pool",
    "vgg19_blocks": "block5_pool",
    "resnet50": "avg_pool",
    "inception_v3": "mixed10",
    "inception_v3_2017": "mixed10",
    "inception_v4": "merge_25",
    "inception_v4_noscale": "concatenate_25",
}

# The next two tables say what is peculiar about some files. Where a published size is known, the practice
# twin has it to the byte with this and not without. Keys are a structure and whether the file has its top.

_TENSORFLOW_SUFFIX = {
    ("vgg16_blocks", True): "_1:0",
    ("vgg16_blocks", False): "_1:0",
    ("vgg19_blocks", True): "_1:0",
    ("vgg19_blocks", False): "_1:0",
    ("resnet50", False): "_1:0",
    ("resnet101", True): "_1:0",
    ("resnet152", True): "_1:0",
    ("densenet121", True): "",
    ("densenet161", True): "",
    ("densenet169", True): "",
}
"""What TensorFlow added to the names of arrays in a Keras 1 file, where it was not ``:0``."""

_UNNAMED = {"LayerScale": "Variable"}
"""What TensorFlow calls an array that its layer gives no name."""

_WITHOUT_INPUT = {("vgg16_blocks", True), ("vgg16_blocks", False), ("vgg19_blocks", True)}
"""Files that do not list the input layer, as a ``Sequential`` model does not."""


@dataclass(frozen=True, kw_only=True)
class _Manner:
    """Who wrote a file and how the arrays lie in it."""

    dialect: Dialect
    layout: Layout
    kernels: Kernels
    suffix: str

    @property
    def backend(self) -> str:
        """The backend that writes such kernels."""
        return "theano" if self.kernels == "th" else "tensorflow"


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """A layer of the file and the layer of the graph's first structure whose values it holds."""

    listed: StructureLayer
    source: StructureLayer | None


def _write_caffe(record: WeightsFile, network: Architecture, path: Path) -> None:
    caffe.write_twin(network.graph_of(record.structure).structures[0], path)


_WRITERS = {"caffemodel": _write_caffe, "pytorch": pytorch.write_twin}
"""What writes the twin of another software's file, by its format: of a record, its network, to a path."""


def write(record: WeightsFile, architecture: Architecture, path: Path) -> None:
    """Write the practice twin of a published weights file.

    Args:
        record: The published file: structure, dialect, layout, kernels, with or without its top.
        architecture: The network it belongs to.
        path: The file to write; one that is there is replaced.

    Raises:
        ArgumentError: The record is without its top and no such file of its structure is known.
    """
    graph = architecture.graph_of(record.structure)
    if record.format is not None:
        _WRITERS[record.format](record, architecture, path)
        return
    layers = _paired(load_structure(record.structure), load_structure(graph.structures[0]))
    if not record.top:
        layers = _without_top(layers, record, graph.neck)
    if (record.structure, record.top) in _WITHOUT_INPUT:
        layers = [layer for layer in layers if layer.listed.kind != "InputLayer"]
    suffix = _suffix(record.structure, record.top, record.dialect, record.kernels)
    manner = _Manner(dialect=record.dialect, layout=record.layout, kernels=record.kernels, suffix=suffix)
    _write(path, graph.structures[0], layers, manner)


def write_published(name: str, path: Path, form: Layout = "th") -> None:
    """Write a network's file with its top in the names of its original definition, as Keras 1.2.2 saved it.

    Args:
        name: Name of an architecture; its first structure has the same name.
        path: The file to write; one that is there is replaced.
        form: ``th`` as published, or ``tf`` for the same values in TensorFlow's layout and kernels.
    """
    structure = load_structure(name)
    suffix = _suffix(name, True, "keras1", form)
    manner = _Manner(dialect="keras1", layout=form, kernels=form, suffix=suffix)
    _write(path, name, _paired(structure, structure), manner)


def _suffix(structure: str, top: bool, dialect: Dialect, kernels: Kernels) -> str:
    """Return what the backend added to the names of arrays; Theano added nothing."""
    if kernels == "th":
        return ""
    return ":0" if dialect == "keras2" else _TENSORFLOW_SUFFIX.get((structure, top), ":0")


def _paired(listed: Structure, first: Structure) -> list[_Layer]:
    weighted = (layer.name for layer in listed.weighted)
    sources = dict(zip(weighted, first.weighted, strict=True))
    return [_Layer(listed=layer, source=sources.get(layer.name)) for layer in listed.layers]


def _below_pooling(layers: list[_Layer], neck: Sequence[str]) -> list[_Layer]:
    """Return the layers that Keras' constructors draw without the top.

    They end in the last feature map, on which the layers of the neck stand then, with automatic names.
    """
    pooling = max(
        place for place, layer in enumerate(layers) if layer.listed.kind == "GlobalAveragePooling2D"
    )
    above = [layer for layer in layers[pooling:] if layer.listed.name in neck]
    renamed = [
        replace(layer, listed=replace(layer.listed, name=snake_case(layer.listed.kind))) for layer in above
    ]
    return layers[:pooling] + renamed


def _without_top(layers: list[_Layer], record: WeightsFile, neck: Sequence[str]) -> list[_Layer]:
    if load_structure(record.structure).in_order:
        return _below_pooling(layers, neck)
    last = _LAST_WITHOUT_TOP.get(record.structure)
    if last is None:
        message = f"{record.id}: no file without its top is known for structure {record.structure}"
        raise ArgumentError(f"{message}; there is one for {', '.join(sorted(_LAST_WITHOUT_TOP))}")
    names = [layer.listed.name for layer in layers]
    return layers[: names.index(last) + 1]


def _write(path: Path, graph: str, layers: list[_Layer], manner: _Manner) -> None:
    with h5py.File(path, "w") as file:
        if manner.dialect == "keras0":
            _write_unnamed(file, graph, layers, manner)
        else:
            _write_named(file, graph, layers, manner)


def _write_unnamed(file: h5py.File, graph: str, layers: list[_Layer], manner: _Manner) -> None:
    file.attrs["nb_layers"] = len(layers)
    for place, layer in enumerate(layers):
        group = file.create_group(f"layer_{place}")
        group.attrs["nb_params"] = len(layer.listed.arrays)
        for index, role in enumerate(layer.listed.arrays):
            _set_array(group, f"param_{index}", _stored(graph, layer, role, manner))


def _write_named(file: h5py.File, graph: str, layers: list[_Layer], manner: _Manner) -> None:
    groups = _in_groups(layers, load_structure(graph).inside)
    _set_attribute(file, "layer_names", _byte_strings(groups))
    if manner.dialect == "keras2":
        _set_attribute(file, "backend", manner.backend.encode())
        _set_attribute(file, "keras_version", b"2.0.5")
    for group_name, held in groups.items():
        group = file.create_group(group_name)
        arrays = [(layer, role) for layer in held for role in layer.listed.arrays]
        names = [_array_name(layer.listed, role, manner) for layer, role in arrays]
        _set_attribute(group, "weight_names", _byte_strings(names))
        for name, (layer, role) in zip(names, arrays, strict=True):
            _set_array(group, name, _stored(graph, layer, role, manner))


def _in_groups(layers: Iterable[_Layer], inside: Mapping[str, Sequence[str]]) -> dict[str, list[_Layer]]:
    """Return layers by the group that holds them: one of their own, or that of the layer they lie in."""
    holder = {name: group for group, names in inside.items() for name in names}
    groups: dict[str, list[_Layer]] = {}
    for layer in layers:
        groups.setdefault(holder.get(layer.listed.name, layer.listed.name), []).append(layer)
    return groups


def _set_array(group: h5py.Group, name: str, array: NDArray[Any]) -> None:
    # First the dataset, then its name, then its values: so the h5py of the time laid out the file.
    dataset = group.create_dataset(None, array.shape, array.dtype)
    group[name] = dataset
    dataset[...] = array


def _array_name(layer: StructureLayer, role: str, manner: _Manner) -> str:
    if layer.kind in _UNNAMED:
        return f"{_UNNAMED[layer.kind]}{manner.suffix}"
    if manner.dialect == "keras2":
        return f"{layer.name}/{role}{manner.suffix}"
    return f"{layer.name}{keras1_suffix(layer.kind, role, None)}{manner.suffix}"


def _byte_strings(names: Iterable[str]) -> NDArray[Any]:
    # Fixed-length byte strings, or float64 where there are none: NumPy's view of a list is what was stored.
    return np.array([name.encode() for name in names])


def _set_attribute(group: h5py.Group, name: str, value: NDArray[Any] | bytes) -> None:
    # The h5py of the time gave an attribute a temporary name of 32 characters first. The room that this took
    # in the file stayed taken, and without it the files are smaller than the published ones.
    temporary = "0" * 32
    group.attrs[temporary] = value
    h5py.h5a.rename(group.id, temporary.encode(), name.encode())


def _stored(graph: str, layer: _Layer, role: str, manner: _Manner) -> NDArray[Any]:
    """Return an array as this manner of file holds it."""
    assert layer.source is not None
    drawn = values.array(graph, layer.source, role)
    if drawn.ndim == 4:
        moved = rules_of(layer.source.kind)[role] in (Rule.CONVOLUTION, Rule.DEPTHWISE)
        return _stored_convolution(drawn, manner) if moved else drawn
    if role == "count":
        return drawn.astype(np.int64)
    if role == "kernel" and layer.listed.flatten is not None and manner.layout == "tf":
        return _rows_channels_last(drawn, layer.listed.flatten)
    return drawn


def _stored_convolution(kernel: values.Float32, manner: _Manner) -> values.Float32:
    """Take a kernel (O, I, H, W) of a true convolution to the file's layout and kernels."""
    if manner.kernels == "tf":
        kernel = kernel[:, :, ::-1, ::-1]
    if manner.layout == "tf" or manner.dialect == "keras2":
        kernel = kernel.transpose(2, 3, 1, 0)
    return np.ascontiguousarray(kernel)


def _rows_channels_last(kernel: values.Float32, flatten: tuple[int, ...]) -> values.Float32:
    """Take rows in the order (C, H, W) to the order (H, W, C)."""
    return kernel.reshape(*flatten, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)
