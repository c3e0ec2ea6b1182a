"""Practice files of PyTorch: state dicts put together by hand, with the values of the Keras files.

Pickles and containers are those that PyTorch writes: of torch/serialization.py at 000a1a5 in five pickles, of
docs/source/notes/serialization.rst at 002da16 in a zip archive, and what came before both in a tar archive.
Values are the network's own, which is channels first: kernels (O, I, H, W) for cross-correlation, matrices
(O, I), slope and offset of batch normalisations folded into one.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.planning.folding import folded_values, scale_pairs
from converters.planning.structures import Structure, load_structure
from zoo.practice import values as drawn
from zoo.registry.records import Architecture, WeightsFile

Array = NDArray[Any]

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
PROTO, STOP = b"\x80\x02", b"."
_ZIP_HEADER, _ALIGNED = 30, 64
"""Bytes before the name of a zip archive's member, and what storages begin at multiples of."""

_TYPES = {"<f4": "Float", "<i8": "Long"}
_ROLES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_COUNT = "num_batches_tracked"


# Pieces of a pickle


def text(value: str | bytes) -> bytes:
    """Return the operation that puts a text."""
    data = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    """Return the operation that puts a whole number."""
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def tuple_of(*parts: bytes) -> bytes:
    """Return the operations that put a tuple."""
    return b"(" + b"".join(parts) + b"t"


def name(module: str, called: str) -> bytes:
    """Return the operation that puts a class or function."""
    return f"c{module}\n{called}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    """Return the operations that call a function."""
    return function + tuple_of(*arguments) + b"R"


ORDERED = call(name("collections", "OrderedDict"))
REBUILD = name("torch._utils", "_rebuild_tensor_v2")


def dict_of(pairs: Iterable[tuple[str, bytes]], start: bytes = ORDERED) -> bytes:
    """Return the operations that put a dict."""
    entries = b"".join(text(key) + value for key, value in pairs)
    return start + b"(" + entries + b"u" if entries else start


def persistent(kind: str, key: str, count: int, *more: bytes, location: str = "cpu") -> bytes:
    """Return the operations that put a storage."""
    told = (text("storage"), name("torch", f"{kind}Storage"), text(key), text(location), number(count))
    return tuple_of(*told, *more) + b"Q"


def rebuilt(
    storage: bytes, offset: int, sizes: Iterable[int], strides: Iterable[int], function: bytes = REBUILD
) -> bytes:
    """Return the operations that put a tensor."""
    shape, steps = tuple_of(*map(number, sizes)), tuple_of(*map(number, strides))
    more = (b"\x89", ORDERED) if function == REBUILD else ()
    return call(function, storage, number(offset), shape, steps, *more)


def pickle(body: bytes) -> bytes:
    """Return a whole pickle."""
    return PROTO + body + STOP


SYSTEM = dict_of([("little_endian", b"\x88"), ("protocol_version", number(1001))], start=b"}")


# The network's values as PyTorch has them


def write_twin(record: WeightsFile, network: Architecture, path: Path) -> None:
    """Write the practice twin of a network's published file.

    Args:
        record: The published file: its name tells the container, and whose names the layers have.
        network: The network that it belongs to.
        path: The file to write; one that is there is replaced.
    """
    structure = load_structure(network.graph_of(record.structure).structures[0])
    images = network.with_images_of(record.set)
    # A network that was trained on RGB has the channels of the first kernel in that order.
    flipped = images.recipe.channel_order != network.recipe.channel_order
    write, names, counts = _container(record, structure)
    write(path, _Tensors(structure, names, flipped=flipped, counts=counts))


class _Tensors:
    """The tensors of a network by their names: how they look, then their values one by one."""

    def __init__(
        self, structure: Structure, names: Mapping[str, str], *, flipped: bool, counts: bool
    ) -> None:
        self._structure = structure
        self._layers = {layer.name: layer for layer in structure.weighted}
        self._norms = {layer.name for layer in structure.weighted if layer.kind == "BatchNormalization"}
        self._scales = scale_pairs(structure)
        self._names = names
        self._first = next(iter(names)) if flipped else None
        self._counts = counts
        self._made = {key: (shape, dtype) for key, shape, dtype in self._looks()}

    def looks(self) -> Mapping[str, tuple[tuple[int, ...], str]]:
        """Return shape and type of each."""
        return self._made

    def values(self) -> Iterator[Array]:
        """Yield the values of each."""
        for layer, elsewhere in self._names.items():
            for role in self._roles(layer):
                yield self._value(layer, elsewhere, role)
            if self._counted(layer):
                yield np.zeros((), "<i8")

    def _looks(self) -> Iterator[tuple[str, tuple[int, ...], str]]:
        for layer, elsewhere in self._names.items():
            for role in self._roles(layer):
                shape = self._with_background(
                    layer, self._layers[layer].arrays.get(role) or self._slope(layer)
                )
                yield f"{elsewhere}.{_ROLES[role]}", self._shape(layer, elsewhere, shape), "<f4"
            if self._counted(layer):
                yield f"{elsewhere}.{_COUNT}", (), "<i8"

    def _roles(self, layer: str) -> list[str]:
        # A batch normalisation follows each convolution of a ResNet, so these have no bias.
        found = self._layers[layer]
        bare = found.kind == "Conv2D" and bool(self._norms)
        kept = [role for role in found.arrays if not (bare and role == "bias")]
        # PyTorch's normalisations have a slope where the network has none: ones.
        return ["gamma", *kept] if layer in self._norms and "gamma" not in kept else kept

    def _slope(self, layer: str) -> tuple[int, ...]:
        return self._layers[layer].arrays["moving_mean"]

    def _with_background(self, layer: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return a shape in Keras' order, of the classifier with the class that the network lacks."""
        is_classifier = self._structure.background and layer == self._structure.weighted[-1].name
        return (*shape[:-1], shape[-1] + 1) if is_classifier else shape

    def _counted(self, layer: str) -> bool:
        return self._counts and layer in self._norms

    def _shape(self, layer: str, elsewhere: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) == 1:
            return shape
        first = (shape[-1], shape[-2], *shape[:-2])
        if elsewhere.startswith("pre_logits."):  # timm's matrices there are convolutions that see their map
            return (shape[-1], *(self._layers[layer].flatten or (shape[0], 1, 1)))
        return first

    def _value(self, layer: str, elsewhere: str, role: str) -> Array:
        found = self._stored(layer, role)
        if found.ndim == 4:
            found = found[:, :, ::-1, ::-1]
            found = found[:, ::-1] if layer == self._first else found
        elif found.ndim == 2:
            found = found.T
        shape = self._made[f"{elsewhere}.{_ROLES[role]}"][0]
        if shape[0] == len(found) + 1:  # the class that the network lacks comes first
            found = np.concatenate([found[-1:] + 1, found])
        return np.ascontiguousarray(found, "<f4").reshape(shape)

    def _stored(self, layer: str, role: str) -> Array:
        def read(of: str, what: str) -> Array:
            return drawn.array(self._structure.name, self._layers[of], what)

        if role not in self._layers[layer].arrays:
            return np.ones(self._slope(layer), "f4")
        scale = self._scales.get(layer)
        if scale is None or role not in ("gamma", "beta"):
            return read(layer, role)
        return folded_values(role, layer, scale, read)


# Containers


def _write_zip(path: Path, tensors: _Tensors) -> None:
    """Write a zip archive, as PyTorch does from 1.6 on."""
    with zipfile.ZipFile(path, "w") as archive:
        _add(archive, "archive/data.pkl", pickle(_state_dict(tensors)))
        _add(archive, "archive/byteorder", b"little")
        for key, value in enumerate(tensors.values()):
            _add(archive, f"archive/data/{key}", value.tobytes())
        _add(archive, "archive/version", b"3\n")


def _add(archive: zipfile.ZipFile, called: str, data: bytes) -> None:
    info = zipfile.ZipInfo(called)
    assert archive.fp is not None
    begin = archive.fp.tell() + _ZIP_HEADER + len(called) + 4
    padding = -begin % _ALIGNED
    info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
    archive.writestr(info, data)


def _write_legacy(path: Path, tensors: _Tensors) -> None:
    """Write five pickles and the storages behind them, as PyTorch did before 1.6."""
    keys = [str(key) for key in range(len(tensors.looks()))]
    with path.open("wb") as stream:
        stream.write(MAGIC + pickle(number(1001)) + pickle(SYSTEM))
        stream.write(pickle(_state_dict(tensors, b"N")))
        stream.write(pickle(b"](" + b"".join(map(text, keys)) + b"e"))
        for value in tensors.values():
            stream.write(struct.pack("<q", value.size))
            stream.write(value.tobytes())


def _state_dict(tensors: _Tensors, *more: bytes) -> bytes:
    entries = []
    for key, (called, (shape, dtype)) in enumerate(tensors.looks().items()):
        count = int(np.prod(shape))
        storage = persistent(_TYPES[dtype], str(key), count, *more)
        strides = (int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
        entries.append((called, rebuilt(storage, 0, shape, strides)))
    return dict_of(entries)


def _write_tar(path: Path, tensors: _Tensors) -> None:
    """Write a tar archive, as PyTorch did in the beginning; it is made in memory."""
    looks = tensors.looks()
    held, listed = pickle(number(len(looks))), pickle(number(len(looks)))
    stored = [held]
    for key, ((shape, dtype), value) in enumerate(zip(looks.values(), tensors.values(), strict=True)):
        kind = _TYPES[dtype]
        stored.append(pickle(tuple_of(number(key), text("cpu"), name("torch", f"{kind}Storage"))))
        stored += [struct.pack("<q", value.size), value.tobytes()]
        listed += pickle(tuple_of(number(key), number(key), name("torch", f"{kind}Tensor")))
        strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
        listed += struct.pack(f"<2i{2 * len(shape) + 1}q", len(shape), 0, *shape, *strides, 0)
    entries = [(called, text(str(key)) + b"Q") for key, called in enumerate(looks)]
    parts = {
        "sys_info": pickle(SYSTEM),
        "pickle": pickle(dict_of(entries)),
        "storages": b"".join((*stored, pickle(b"]"))),
        "tensors": listed,
    }
    with tarfile.open(path, mode="w:", format=tarfile.GNU_FORMAT) as archive:
        for called, data in parts.items():
            info = tarfile.TarInfo(called)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def _write_safetensors(path: Path, tensors: _Tensors) -> None:
    """Write a safetensors file as the safetensors library does for PyTorch."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for called, (shape, dtype) in tensors.looks().items():
        end = at + int(np.prod(shape)) * np.dtype(dtype).itemsize
        kind = {"<f4": "F32", "<i8": "I64"}[dtype]
        entries[called] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    header = json.dumps(entries, separators=(",", ":")).encode()
    header = header.ljust(len(header) + -len(header) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        for value in tensors.values():
            stream.write(value.tobytes())


_OF_2017 = ("vgg16-397923af.pth", "vgg19-dcbb9e9d.pth", "inceptionv4-8e4777a0.pth")
_TARS = ("resnet50-19c8e357.pth", "resnet152-b121ed2d.pth")
_WHOSE = {True: ("timm", "torchvision"), False: ("torchvision, as published", "torchvision")}
"""Whose names a safetensors file has, and any other, first those that are looked for first."""


def _container(record: WeightsFile, structure: Structure) -> tuple[Any, Mapping[str, str], bool]:
    """Return what writes a file's container, what its layers are called, and whether batches are counted.

    Files that were saved before 2018 count none: num_batches_tracked came with PyTorch 0.4.1.
    """
    plain = record.filename.endswith(".safetensors")
    whose = (*_WHOSE[plain], "torchvision and timm", "timm")
    names = next(structure.known_as[one] for one in whose if one in structure.known_as)
    if plain:
        return _write_safetensors, names, True
    if record.filename in _TARS:
        return _write_tar, names, False
    old = record.filename in _OF_2017 or "torchvision, as published" in structure.known_as
    return (_write_legacy, names, False) if old else (_write_zip, names, True)
