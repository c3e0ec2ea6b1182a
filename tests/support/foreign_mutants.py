"""Files of Caffe and PyTorch with some bytes changed, and what a reader that trusts them makes of them.

A case is a number: the same number gives the same file. Whatever our reader takes must be what the other one,
which believes every length and knows no rules, reads from the same bytes; or it must be refused.
"""

from __future__ import annotations

import io
import pickle
import random
import tarfile
import zipfile

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tests.support import caffe_files, pytorch_files
from tests.support.caffe_files import Layer
from tests.support.mutator import EXTREMES


def _drawn(chance, *shape):
    return np.array([chance.gauss(0, 1) for _ in range(int(np.prod(shape)))], "f4").reshape(shape)


def caffe_original(chance):
    """Return the bytes of a small network of Caffe's, in one of its forms."""
    first, old = chance.random() < 0.3, chance.random() < 0.5
    layers = [
        Layer("conv1", "Convolution", [_drawn(chance, 4, 3, 3, 3), _drawn(chance, 4)], groups=2),
        Layer("fc6", "InnerProduct", [_drawn(chance, 5, 16), _drawn(chance, 5)]),
    ]
    if not first:
        norm = [_drawn(chance, 4), _drawn(chance, 4), np.array([chance.choice((0, 1, 8))], "f4")]
        layers += [
            Layer("bn", "BatchNorm", norm, bottom="conv1", top="conv1"),
            Layer("scale", "Scale", [_drawn(chance, 4), _drawn(chance, 4)], bottom="conv1"),
            Layer("odd", "Odd", [_drawn(chance, 2, 3).astype("f8")]),
        ]
    packed = chance.random() < 0.7
    return caffe_files.network(layers, first=first, old=old, packed=packed)


def mutated(number, original):
    """Return a file with some bytes changed.

    Args:
        number: The case.
        original: Gives the bytes of a file, of a source of chance.
    """
    chance = random.Random(number)
    data = bytearray(original(chance))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        chance.choice(_MUTATIONS)(data, chance)
        if not data:
            return b"\0"
    return bytes(data)


def _place(data, chance):
    # Most of what can be broken stands at the beginning, before the values of the first large array.
    return chance.randrange(min(len(data), 200) if chance.random() < 0.4 else len(data))


def _flip(data, chance):
    data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _replace(data, chance):
    data[_place(data, chance)] = chance.randrange(256)


def _extreme(data, chance):
    at, width = _place(data, chance), chance.choice((1, 2, 4, 8))
    data[at : at + width] = (chance.choice(EXTREMES) & (1 << 8 * width) - 1).to_bytes(width, "little")


def _cut(data, chance):
    at = _place(data, chance)
    del data[at : at + chance.randrange(1, 64)]


def _repeat(data, chance):
    begin, at = _place(data, chance), _place(data, chance)
    data[at:at] = data[begin : begin + chance.randrange(1, 64)]


def _shorten(data, chance):
    del data[_place(data, chance) :]


_MUTATIONS = (_flip, _flip, _replace, _extreme, _cut, _repeat, _shorten)


# Caffe's files as a trusting reader takes them


def _message(data):
    """Return the fields of a message: number, and value as a number or as bytes."""
    at, fields = 0, []
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 3:
            at = _behind_group(data, at, number)
            continue
        else:
            size = {1: 8, 5: 4}.get(wire)
            if size is None:
                size, at = _varint(data, at)
            value, at = bytes(data[at : at + size]), at + size
        fields.append((number, wire, value))
    return fields


def _behind_group(data, at, number):
    open_groups = [number]
    while open_groups:
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 3:
            open_groups.append(tag >> 3)
        elif wire == 4:
            open_groups.pop()
        elif wire == 0:
            _, at = _varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(wire)
            if size is None:
                size, at = _varint(data, at)
            at += size
    return at


def _varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def caffe_arrays(data):
    """Return the values of the blobs of each layer, by its name, as one vector each."""
    found = {}
    for number, _, layer in _message(data):
        if number not in (2, 100):
            continue
        names, blobs = (1, 7) if number == 100 else (4, 6)
        fields = _message(layer)
        name = b"".join(value for key, _, value in fields if key == names).decode()
        vectors = [_vector(value) for key, _, value in fields if key == blobs]
        if vectors:
            found[name] = vectors
    return found


def _vector(blob):
    fields = _message(blob)
    for number, code in ((5, "<f4"), (8, "<f8")):
        data = b"".join(value for key, _, value in fields if key == number)
        if data:
            return np.frombuffer(data, code)
    return np.empty(0, "f4")


# PyTorch's files


def torch_tensors(chance):
    """Return tensors by their names: of all types, with strides, some in one storage."""
    shared = pytorch_files.Storage(_drawn(chance, 24))
    return {
        "conv.weight": pytorch_files.tensor(_drawn(chance, 4, 3, 1, 1)),
        "conv.bias": pytorch_files.tensor(_drawn(chance, 4).astype("f2")),
        "fc.weight": pytorch_files.Tensor(shared, (4, 3), (1, 4), 2),
        "fc.bias": pytorch_files.Tensor(shared, (4,), (5,), 1),
        "wide.weight": pytorch_files.tensor(np.arange(6, dtype="u2"), "bfloat16"),
        "many.scale": pytorch_files.tensor(np.arange(chance.randrange(1, 9))),
    }


def torch_original(chance):
    """Return the bytes of a state dict, in one of the three forms."""
    tensors = torch_tensors(chance)
    form = chance.choice(("zip", "legacy", "tar"))
    if form == "tar":
        return pytorch_files.tar_bytes(tensors)
    made = pytorch_files.Pickled(tensors, more=(b"N",) if form == "legacy" else ())
    forms = {"zip": pytorch_files.zip_bytes, "legacy": pytorch_files.legacy_bytes}
    return forms[form](made.body, made.storages)


class _Trusting(pickle.Unpickler):
    """Python's own machine, with names that stand for what they are here."""

    def find_class(self, module, name):
        """Return what stands for a name."""
        if name == "OrderedDict":
            return dict
        if name.startswith("_rebuild_tensor"):
            return lambda *arguments: ("tensor", *arguments[:4])
        return name

    def persistent_load(self, told):
        """Return what is told of a storage."""
        return told


def torch_arrays(data):
    """Return the tensors of a file by their names, as a reader that trusts it takes them."""
    if data.startswith(pytorch_files.MAGIC):
        return _of_legacy(io.BytesIO(data))
    return _of_tar(data) if data[257:262] == b"ustar" else _of_zip(data)


def _of_zip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        top = archive.namelist()[0].partition("/")[0]
        told = _Trusting(io.BytesIO(archive.read(f"{top}/data.pkl"))).load()
        # Whoever maps a storage does not hold it against its checksum.
        held = {key: _stored(archive, data, f"{top}/data/{key}") for key in map(str, range(9))}
    return {name: _viewed(value, held[value[1][2]], value[1][1]) for name, value in told.items()}


def _stored(archive, data, name):
    if name not in archive.namelist():
        return b""
    info = archive.getinfo(name)
    sizes = np.frombuffer(data[info.header_offset + 26 : info.header_offset + 30], "<u2")
    start = info.header_offset + 30 + int(sizes.sum())
    return data[start : start + info.file_size]


def _of_legacy(stream):
    _, _, _, told, keys = (_Trusting(stream).load() for _ in range(5))
    types = {value[1][2]: value[1][1] for value in told.values()}
    held = {}
    for key in keys:
        count = int(np.frombuffer(stream.read(8), "<q")[0])
        held[key] = stream.read(count * np.dtype(_code(types[key])).itemsize)
    return {name: _viewed(value, held[value[1][2]], value[1][1]) for name, value in told.items()}


def _of_tar(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        parts = {name: io.BytesIO(archive.extractfile(name).read()) for name in archive.getnames()}
    stream, held = parts["storages"], {}
    for _ in range(_Trusting(stream).load()):
        key, _, kind = _Trusting(stream).load()
        count = int(np.frombuffer(stream.read(8), "<q")[0])
        held[key] = kind, stream.read(count * np.dtype(_code(kind)).itemsize)
    stream, tensors = parts["tensors"], {}
    for _ in range(_Trusting(stream).load()):
        key, storage, _ = _Trusting(stream).load()
        axes = int(np.frombuffer(stream.read(8), "<i4")[0])
        numbers = [int(one) for one in np.frombuffer(stream.read(16 * axes + 8), "<q")]
        told = ("tensor", None, numbers[-1], numbers[:axes], numbers[axes:-1])
        tensors[str(key)] = _viewed(told, held[storage][1], held[storage][0])
    return {name: tensors[key] for name, key in _Trusting(parts["pickle"]).load().items()}


def _code(kind):
    name = kind.removesuffix("Storage")
    code = next(code for code, called in pytorch_files.TYPES.items() if called == name)
    return "<u2" if code == "bfloat16" else code


def _viewed(told, data, kind):
    _, _, offset, sizes, strides = told
    values = np.frombuffer(data, _code(kind))[offset:]
    view = as_strided(values, tuple(sizes), tuple(step * values.itemsize for step in strides))
    if kind.startswith("BFloat16"):
        return (view.astype("<u4") << 16).view("<f4")
    return view
