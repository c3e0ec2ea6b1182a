"""Writing the HDF5 files of Keras 1, 2 and 3: groups and names, room for every array, at last the record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from h5py import h5d, h5s, h5t

from converters.errors import ConversionError
from converters.formats.contents import Arrays, Contents, Extent, Extents, NewArray
from converters.hdf5.writer import creation, write_text

# What a new file says wrote it: the last version of its dialect on Theano and TensorFlow.
KERAS2_VERSION = "2.2.4"
_BACKENDS = {"th": "theano", "tf": "tensorflow"}
# HDF5 keeps an attribute below 64 KiB; Keras splits longer lists of names, from 2.0.9 on.
_ATTRIBUTE_LIMIT = 64512


def create(contents: Contents, path: Path, texts: Mapping[str, str]) -> Extents:
    """Make the new file, with room for every array.

    Args:
        contents: A plan for another dialect.
        path: The file; what is there is replaced.
        texts: More attributes for the root.

    Returns:
        Where each array of the plan's outputs lies, by its path in the new file.

    Raises:
        ConversionError: If the dialect cannot hold what is to be written.
    """
    make = create_keras3 if contents.to == "keras3" else _create_named
    return make(contents, path, texts)


def finish(contents: Contents, path: Path, record: Mapping[str, str]) -> None:
    """Write the record of the conversion.

    Args:
        contents: The contents.
        path: The file that :func:`create` made.
        record: The record's texts by their names.
    """
    with h5py.File(path, "r+") as file:
        for name, text in record.items():
            write_text(file.id, name, text)


def _create_named(contents: Contents, path: Path, texts: Mapping[str, str]) -> Extents:
    """Make a file of Keras 1 or 2: a group for each layer, and lists of names in attributes."""
    names: dict[str, list[str]] = {layer.name: [] for layer in contents.description.layers}
    for output in contents.outputs:
        names[output.layer].append(output.name)
    with h5py.File(path, "w") as file:
        _write_names(file, "layer_names", list(names), contents)
        for name, text in {**_root_texts(contents), **texts}.items():
            file.attrs[name] = np.bytes_(text.encode())
        for layer, arrays in names.items():
            _write_names(file.require_group(layer), "weight_names", arrays, contents)
        return _room(file, contents)


def _root_texts(contents: Contents) -> dict[str, str]:
    if contents.to == "keras1":
        return {}
    return {"backend": _BACKENDS[contents.target.kernels], "keras_version": KERAS2_VERSION}


def _write_names(group: h5py.Group, attribute: str, names: list[str], contents: Contents) -> None:
    """Write a list of names as Keras does: fixed-length bytes, an empty array of numbers if there is none."""
    values = np.array([name.encode() for name in names]) if names else np.array([])
    chunks = -(-values.nbytes // _ATTRIBUTE_LIMIT)
    if chunks <= 1:
        group.attrs[attribute] = values
        return
    if contents.to == "keras1":
        raise ConversionError(
            f"{contents.path}: {len(names)} names are more than Keras 1 can keep in one attribute"
        )
    for number, chunk in enumerate(np.array_split(values, chunks)):
        group.attrs[f"{attribute}{number}"] = chunk


def create_keras3(contents: Arrays, path: Path, texts: Mapping[str, str]) -> Extents:
    """Make a .weights.h5 file of Keras 3: a group ``vars`` for each layer, which knows the layer's name.

    Args:
        contents: The arrays of the file, in its places.
        path: The file; what is there is replaced.
        texts: More attributes for the root.
    """
    with h5py.File(path, "w") as file:
        for name, text in texts.items():
            file.attrs[name] = text
        # The model's own: it has no arrays, but before 3.8 Keras opens no file without the group.
        file.require_group("vars")
        for output in contents.outputs:
            top = "/".join(output.target_path.partition("/vars/")[0].split("/")[:2])
            own = output.target_path.rpartition("/vars/")[0].removesuffix("/cell")
            _name(file, own, output.owner.rpartition("/")[2] if own != top else output.layer)
            _name(file, top, output.layer)
        return _room(file, contents)


def _name(file: h5py.File, group: str, name: str) -> None:
    """Note a layer's name where Keras does; ``/`` in it is ``__`` there."""
    file.require_group(f"{group}/vars").attrs["name"] = name.replace("/", "__")


def _room(file: h5py.File, contents: Arrays) -> Extents:
    """Lay out every array, contiguous and allocated at once, and return where each lies."""
    datasets = {output.target_path: _dataset(file, output) for output in contents.outputs}
    file.flush()
    return {
        output.target_path: Extent(
            offset=datasets[output.target_path].get_offset() or 0,
            shape=output.target_shape,
            dtype=output.dtype,
        )
        for output in contents.outputs
    }


def _dataset(file: h5py.File, output: NewArray) -> h5d.DatasetID:
    parent, _, name = output.target_path.rpartition("/")
    settings = creation()
    settings.set_layout(h5d.CONTIGUOUS)
    settings.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    settings.set_fill_time(h5d.FILL_TIME_NEVER)
    space = h5s.create_simple(output.target_shape) if output.target_shape else h5s.create(h5s.SCALAR)
    group = file.require_group(parent).id
    return h5d.create(group, name.encode(), h5t.py_create(output.dtype), space, dcpl=settings)
