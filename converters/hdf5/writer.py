"""Writing what :mod:`converters.hdf5.metadata` describes into new HDF5 files: types, attributes, datasets.

Only files of our own are touched here. Types are built anew from what is known of them, never handed on as
bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5s, h5t, h5z

from converters.hdf5.metadata import AttributeInfo, DatasetInfo, FilterInfo, Shape, TypeInfo

# A group or dataset, as the low-level interface knows it.
Object: TypeAlias = h5g.GroupID | h5d.DatasetID


def creation() -> h5py.h5p.PropDCID:
    """Return how a dataset is made: without the second, so that the same input gives the same file."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_obj_track_times(False)
    return plist


@lru_cache(maxsize=256)
def hdf5_type(info: TypeInfo) -> h5t.TypeID:
    """Return the HDF5 type that a record describes, equal to the one that it was read from."""
    if info.kind == "string":
        return _text_type(info)
    number = h5t.py_create(np.dtype(info.code))
    if info.kind != "enum":
        return number
    found = h5t.enum_create(number)
    for name, value in info.members:
        found.enum_insert(name.encode(), value)
    return found


def _text_type(info: TypeInfo) -> h5t.TypeID:
    found = h5t.C_S1.copy()
    found.set_size(h5t.VARIABLE if info.variable else info.size)
    found.set_strpad((h5t.STR_NULLTERM, h5t.STR_NULLPAD, h5t.STR_SPACEPAD)[info.padding])
    found.set_cset((h5t.CSET_ASCII, h5t.CSET_UTF8)[info.cset])
    return found


def _space(shape: Shape | None) -> h5s.SpaceID:
    if shape is None:
        return h5s.create(h5s.NULL)
    return h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)


def write_attributes(
    target: Object, attributes: Mapping[str, AttributeInfo], skip: frozenset[str] = frozenset()
) -> None:
    """Write an object's attributes as they were, types and padding of strings included.

    Args:
        target: Low-level object to write to.
        attributes: By name.
        skip: Names to leave out.
    """
    for name, attribute in attributes.items():
        if name not in skip:
            write_attribute(target, attribute)


def write_attribute(target: Object, attribute: AttributeInfo) -> None:
    """Write one attribute, bit for bit.

    Args:
        target: Low-level object to write to.
        attribute: What to write.
    """
    kind = hdf5_type(attribute.type)
    created = h5a.create(target, attribute.name.encode(), kind, _space(attribute.shape))
    if attribute.shape is None or 0 in attribute.shape:
        return
    if isinstance(attribute.data, tuple):
        values = np.array([item or b"" for item in attribute.data], dtype=object)
        created.write(values.reshape(attribute.shape).astype(h5py.string_dtype()))
        return
    # The bytes as they lie in the file: no conversion, so nothing that a conversion could change.
    values = np.frombuffer(attribute.data, dtype=f"V{attribute.type.size}").reshape(attribute.shape)
    created.write(values, mtype=kind)


def write_text(target: Object, name: str, text: str, like: AttributeInfo | None = None) -> None:
    """Write a text attribute, of the same HDF5 type as another one where there is one.

    Args:
        target: Low-level object to write to.
        name: The attribute's name.
        text: Its value.
        like: The attribute that this one stands for, or None.
    """
    space = h5s.create(h5s.SCALAR)
    kind = like.type if like is not None and like.type.kind == "string" else None
    if kind is not None and not kind.variable:
        data = text.encode()
        found = hdf5_type(kind).copy()
        found.set_size(max(len(data), 1))
        h5a.create(target, name.encode(), found, space).write(np.array(data, dtype=f"S{max(len(data), 1)}"))
        return
    dtype = h5py.string_dtype()
    found = hdf5_type(kind) if kind is not None else h5t.py_create(dtype, logical=True)
    h5a.create(target, name.encode(), found, space).write(np.array(text, dtype=dtype))


def create_dataset(
    group: h5g.GroupID,
    name: bytes,
    info: DatasetInfo,
    shape: Shape | None = None,
    axes: Callable[[tuple[Any, ...]], tuple[Any, ...]] = tuple,
) -> h5d.DatasetID:
    """Create a dataset that is stored as another one is: type, layout, chunks, filters, fill value.

    A contiguous one has its place in the file at once, so that its offset is known, and holds nothing yet.

    Args:
        group: Where to create it.
        name: Its name in the group.
        info: The other one.
        shape: Its shape, if that is another.
        axes: Puts one item for each axis (chunks, limits of growth) into the new order.
    """
    sizes = info.shape if shape is None else shape
    # Only a chunked dataset can grow.
    growth = axes(info.maxshape) if info.layout == "chunked" else sizes
    limits = tuple(h5s.UNLIMITED if limit is None else limit for limit in growth)
    space = h5s.create_simple(sizes, limits) if sizes else h5s.create(h5s.SCALAR)
    plain = info.layout == "contiguous" and info.fill is None
    plist = _contiguous() if plain else _creation(info, axes)
    return h5d.create(group, name, hdf5_type(info.type), space, dcpl=plist)


@lru_cache(maxsize=1)
def _contiguous() -> h5py.h5p.PropDCID:
    plist = creation()
    plist.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5d.FILL_TIME_NEVER)
    return plist


def _creation(info: DatasetInfo, axes: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> h5py.h5p.PropDCID:
    plist = creation()
    if info.fill is not None:
        plist.set_fill_value(np.frombuffer(info.fill, dtype=info.dtype))
    if info.layout == "contiguous":
        plist.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        plist.set_fill_time(h5d.FILL_TIME_NEVER)
    elif info.layout == "compact":
        plist.set_layout(h5d.COMPACT)
    else:
        plist.set_chunk(axes(info.chunks or ()))
        for step in info.filters:
            _add_filter(plist, step)
    return plist


def _add_filter(plist: h5py.h5p.PropDCID, step: FilterInfo) -> None:
    """Add a step of packing with the parameters of the user's own; the others are worked out anew."""
    values = step.values
    if step.id == h5z.FILTER_DEFLATE:
        plist.set_deflate(values[0])
    elif step.id == h5z.FILTER_SHUFFLE:
        plist.set_shuffle()
    elif step.id == h5z.FILTER_FLETCHER32:
        plist.set_fletcher32()
    elif step.id == h5z.FILTER_SZIP:
        plist.set_szip(values[0] & (h5z.SZIP_EC_OPTION_MASK | h5z.SZIP_NN_OPTION_MASK), values[1])
    else:
        plist.set_filter(step.id, h5z.FLAG_OPTIONAL, ())
