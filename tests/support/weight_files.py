"""Writes small weights files in the forms that Keras 0.x, 1 and 2 gave them."""

from __future__ import annotations

import shutil

import h5py
import numpy as np

# What is said of a Keras 1 file's kernels where nothing but its names tells them.
BY_NAMES = (
    "the kernels are taken to be stored as Theano does (th): none of its arrays' names ends in :0;"
    " if somebody turned them, say --from-kernels tf"
)
# The same in Python, of whatever converts; `zoo.load` has another name for it.
BY_NAMES_IN_PYTHON = BY_NAMES.replace("--from-kernels tf", "from_kernels='tf'")


def names(values):
    """Return names as Keras stores them: fixed-length bytes, or nothing at all as an empty float64 array."""
    return np.array([value.encode() for value in values]) if values else np.array([])


def write_named(path, layers, **attributes):
    """Write a Keras 1 or 2 file: layers maps a layer's name to its arrays by their full names."""
    with h5py.File(path, "w") as file:
        fill_named(file, layers)
        for name, value in attributes.items():
            file.attrs[name] = value
    return path


def fill_named(group, layers):
    """Fill a group as ``save_weights`` does."""
    group.attrs["layer_names"] = names(list(layers))
    for name, arrays in layers.items():
        layer = group.create_group(name)
        layer.attrs["weight_names"] = names(list(arrays))
        for array, values in arrays.items():
            layer.create_dataset(array, data=values)


def write_numbered(path, layers):
    """Write a Keras 0.x Sequential: layers is a list of lists of arrays."""
    with h5py.File(path, "w") as file:
        file.attrs["nb_layers"] = len(layers)
        for number, arrays in enumerate(layers):
            layer = file.create_group(f"layer_{number}")
            layer.attrs["nb_params"] = len(arrays)
            for index, values in enumerate(arrays):
                layer.create_dataset(f"param_{index}", data=values)
    return path


def counted(*shape, dtype="float32"):
    """Return an array of that shape whose values are all different."""
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def keras1(**shapes):
    """Return Keras 1 layers of counted values: ``conv1=(8, 3, 3, 3)`` is a kernel with its bias."""
    layers = {}
    for name, shape in shapes.items():
        layers[name] = {}
        if shape:
            units = shape[0] if len(shape) > 2 else shape[-1]
            layers[name] = {f"{name}_W": counted(*shape), f"{name}_b": counted(units)}
    return layers


def rewritten(source, target, rename, turn=lambda values: values):
    """Copy a file with other names for its arrays, and other values."""
    shutil.copy(source, target)
    with h5py.File(target, "r+") as file:
        top = file.get("model_weights", file)
        for layer in top.attrs["layer_names"]:
            group = top[layer]
            listed = [name.decode() for name in group.attrs["weight_names"]]
            found = {rename(name): turn(group[name][()]) for name in listed}
            for name in listed:
                del group[name]
            for name, values in found.items():
                group.create_dataset(name, data=values)
            group.attrs["weight_names"] = names(list(found))
    return target


def without_record(path):
    """Remove what a conversion left in a file."""
    with h5py.File(path, "r+") as file:
        for name in [name for name in file.attrs if name.startswith("zoo_")]:
            del file.attrs[name]
    return path


SUFFIXES = {
    "keras1": {
        "kernel": "_W",
        "bias": "_b",
        "moving_mean": "_running_mean",
        "moving_variance": "_running_std",
    },
    "tensorflow": {
        "kernel": "_W_1:0",
        "bias": "_b_1:0",
        "gamma": "_gamma_1:0",
        "beta": "_beta_1:0",
        "moving_mean": "_running_mean_1:0",
        "moving_variance": "_running_std_1:0",
    },
    "keras2": {
        role: f"/{role}:0" for role in ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
    },
}


def write_empty(path, structure, *, layout="th", style="keras1", rename=str, attributes=None):
    """Write a file with the layers of a published graph; its arrays have shapes but take no room."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = names([rename(layer.name) for layer in structure.layers])
        for key, value in (attributes or {}).items():
            file.attrs[key] = value
        for layer in structure.layers:
            name = rename(layer.name)
            group = file.create_group(name)
            full = {role: name + SUFFIXES[style].get(role, f"_{role}") for role in layer.arrays}
            group.attrs["weight_names"] = names(list(full.values()))
            for role, shape in layer.arrays.items():
                hole(group, full[role], stored(shape, layout))
    return path


def write_empty_numbered(path, structure, *, layout="th"):
    """Write the same as a Keras 0.x file."""
    with h5py.File(path, "w") as file:
        file.attrs["nb_layers"] = len(structure.layers)
        for number, layer in enumerate(structure.layers):
            group = file.create_group(f"layer_{number}")
            group.attrs["nb_params"] = len(layer.arrays)
            for index, shape in enumerate(layer.arrays.values()):
                hole(group, f"param_{index}", stored(shape, layout))
    return path


def hole(group, name, shape):
    """Create a dataset that has its place in the file, where it takes no room on the disk."""
    space, plist = h5py.h5s.create_simple(shape), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    parent = group.require_group(name.rpartition("/")[0]) if "/" in name else group
    h5py.h5d.create(parent.id, name.rpartition("/")[2].encode(), h5py.h5t.IEEE_F32LE, space, plist)


def stored(shape, layout):
    """Return the shape that an array of the tf form has in a layout."""
    return (shape[3], shape[2], shape[0], shape[1]) if layout == "th" and len(shape) == 4 else shape


def arrays(path):
    """Return every array of an HDF5 file by its path."""
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
        )
    return found
