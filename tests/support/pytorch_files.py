"""PyTorch's files in its three forms, and any pickle that can be thought of: what the practice files lack."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.practice.pytorch import (
    MAGIC,
    ORDERED,
    PROTO,
    REBUILD,
    STOP,
    SYSTEM,
    call,
    dict_of,
    name,
    number,
    persistent,
    pickle,
    rebuilt,
    text,
    tuple_of,
)

__all__ = [
    "MAGIC",
    "ORDERED",
    "PROTO",
    "REBUILD",
    "STOP",
    "SYSTEM",
    "TYPES",
    "Pickled",
    "Storage",
    "Tensor",
    "add",
    "call",
    "dict_of",
    "legacy_bytes",
    "name",
    "number",
    "persistent",
    "pickle",
    "rebuilt",
    "tar_bytes",
    "tensor",
    "text",
    "tuple_of",
    "write",
    "zip_bytes",
]

TYPES = {
    "<f8": "Double",
    "<f4": "Float",
    "<f2": "Half",
    "bfloat16": "BFloat16",
    "<i8": "Long",
    "<i4": "Int",
    "<i2": "Short",
    "|i1": "Char",
    "|u1": "Byte",
    "|b1": "Bool",
}


@dataclass
class Storage:
    """Values that tensors lie in: a vector, and the type that the file says it has."""

    values: np.ndarray
    stored: str = ""

    @property
    def type(self):
        """What the file calls its type."""
        return TYPES[self.stored or self.values.dtype.str]

    @property
    def data(self):
        """Its bytes."""
        return self.values.tobytes()


@dataclass
class Tensor:
    """A tensor in a storage, by its sizes and strides in values."""

    storage: Storage
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0


def tensor(array, stored=""):
    """Return an array as a tensor with a storage of its own."""
    array = np.ascontiguousarray(array)
    strides = tuple(int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim))
    return Tensor(Storage(array.reshape(-1), stored), array.shape, strides)


class Pickled:
    """A state dict as a pickle, and its storages by their keys."""

    def __init__(self, tensors, more=()):
        """Take tensors by their names; ``more`` are arguments of each storage besides."""
        self.storages = {}
        keys = {}
        entries = []
        for called, value in tensors.items():
            if isinstance(value, bytes):
                entries.append((called, value))
                continue
            key = keys.setdefault(id(value.storage), str(len(keys)))
            self.storages[key] = value.storage
            held = persistent(value.storage.type, key, len(value.storage.values), *more)
            entries.append((called, rebuilt(held, value.offset, value.sizes, value.strides)))
        self.body = dict_of(entries)


# The three forms


def zip_bytes(body, storages, *, top="archive", members=(), method=zipfile.ZIP_STORED, order=b"little"):
    """Return a zip archive with a pickle and storages, given as bytes or as storages.

    Args:
        body: The pickle, without its beginning and its end.
        storages: By their keys.
        top: The folder.
        members: More members: name and bytes.
        method: How storages are compressed.
        order: What it says of the order of bytes.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{top}/data.pkl", pickle(body))
        if order:
            archive.writestr(f"{top}/byteorder", order)
        for key, storage in storages.items():
            data = storage if isinstance(storage, bytes) else storage.data
            archive.writestr(f"{top}/data/{key}", data, compress_type=method)
        archive.writestr(f"{top}/version", b"3\n")
        for called, data in members:
            archive.writestr(called, data)
    return stream.getvalue()


def legacy_bytes(body, storages, *, keys=None, system=SYSTEM, protocol=1001, lengths=None):
    """Return five pickles one behind the other, then the storages."""
    keys = list(storages) if keys is None else keys
    made = MAGIC + pickle(number(protocol)) + pickle(system) + pickle(body)
    made += pickle(b"](" + b"".join(map(text, keys)) + b"e")
    for key in keys:
        storage = storages[key]
        count = (lengths or {}).get(key, len(storage.values))
        made += struct.pack("<q", count) + storage.data
    return made


def tar_bytes(tensors, *, system=SYSTEM, members=None, body=None):
    """Return a tar archive as PyTorch wrote it in the beginning.

    Args:
        tensors: Tensors by their names.
        system: What it says of the machine.
        members: Bytes of members in the place of those that would be.
        body: Another pickle of the object.
    """
    storages = {id(value.storage): value.storage for value in tensors.values()}
    numbers = {identity: at for at, identity in enumerate(storages, 100)}
    held = pickle(number(len(storages)))
    for identity, storage in storages.items():
        kind = name("torch", f"{storage.type}Storage")
        held += pickle(tuple_of(number(numbers[identity]), text("cpu"), kind))
        held += struct.pack("<q", len(storage.values)) + storage.data
    held += pickle(b"]")
    listed = pickle(number(len(tensors)))
    for at, value in enumerate(tensors.values(), 500):
        kind = name("torch", f"{value.storage.type}Tensor")
        listed += pickle(tuple_of(number(at), number(numbers[id(value.storage)]), kind))
        axes = len(value.sizes)
        listed += struct.pack(f"<2i{2 * axes + 1}q", axes, 0, *value.sizes, *value.strides, value.offset)
    entries = [(called, text(str(at)) + b"Q") for at, called in enumerate(tensors, 500)]
    parts = {
        "sys_info": pickle(system),
        "pickle": pickle(dict_of(entries)) if body is None else pickle(body),
        "storages": held,
        "tensors": listed,
    } | (members or {})
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for called, data in parts.items():
            add(archive, called, data)
    return stream.getvalue()


def add(archive, called, data, kind=tarfile.REGTYPE, target=""):
    """Add a member to a tar archive, with a time that needs a header of its own."""
    info = tarfile.TarInfo(called)
    info.type, info.linkname, info.mtime = kind, target, 1.5
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    archive.addfile(info, io.BytesIO(data))


def write(path: Path, tensors, form="zip", *, wrap=None):
    """Write tensors by their names in one of the forms: zip, legacy, tar."""
    if form == "tar":
        path.write_bytes(tar_bytes(tensors))
        return path
    made = Pickled(tensors, more=(b"N",) if form == "legacy" else ())
    body = wrap(made.body) if wrap else made.body
    forms = {"zip": zip_bytes, "legacy": legacy_bytes}
    path.write_bytes(forms[form](body, made.storages))
    return path
