"""PyTorch's files: state dicts, read without PyTorch and without running a pickle.

Layers are told by the names of arrays: what stands before the last dot is a layer's name, and what stands
behind it says which array it is. What a layer is, is told by which arrays it has and by their shapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from converters.arrays.form import Shape
from converters.boundary import paced
from converters.errors import FileFormatError, counted
from converters.formats.archive import first_member, is_torch
from converters.formats.foreign import ForeignArray, ForeignLayer, ForeignSource
from converters.formats.pickles import called
from converters.formats.pytorch_containers import (
    BFLOAT16,
    LEGACY,
    Held,
    Placed,
    is_tar,
    read_held,
)
from converters.hdf5.source import Stamp
from converters.layers.model import Array
from converters.layers.table import OTHER
from converters.limits import Limits, clipped, too_many

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "params")
"""What checkpoints call the state dict in them."""
_PARALLEL = "module."
"""What torch.nn.DataParallel puts in front of every name."""
_COUNT = "num_batches_tracked"
_ALONE = "module"
"""What a layer is called that is the whole module, whose arrays have no dot in their names."""
_MOST_AXES = 32
_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
_KERNEL = {"weight": "kernel", "bias": "bias"}
_CONVOLUTIONS = {3: ("Conv1D", None), 4: ("Conv2D", "Conv2DTranspose"), 5: ("Conv3D", "Conv3DTranspose")}
"""What a kernel is by its axes: with its outputs first, and with them second."""


def recognise(head: bytes) -> bool:
    """Return whether a file begins as one of PyTorch's three forms does."""
    return head.startswith(LEGACY) or is_tar(head) or is_torch(first_member(head))


def read(path: Path, stream: IO[bytes], limits: Limits, known: Stamp | None) -> ForeignSource:
    """Read what a file says of its arrays; no value of one.

    Args:
        path: Its name, for messages.
        stream: The file; it belongs to what is returned.
        limits: Caps.
        known: Of no use here.

    Raises:
        FileFormatError: If it is damaged, wants what no state dict needs, or holds none.
    """
    held = read_held(path, stream, limits, stream.read(4096))
    reading = _Reading(path, held, limits)
    return source_of(path, stream, limits, reading.arrays, reading.notes, ordered=True)


def source_of(
    path: Path,
    stream: IO[bytes],
    limits: Limits,
    arrays: Mapping[str, ForeignArray],
    notes: Iterable[str],
    *,
    ordered: bool,
) -> ForeignSource:
    """Return a state dict as a source, whatever container it lies in.

    Args:
        path: The file's name, for messages.
        stream: The file; it belongs to what is returned.
        limits: Caps.
        arrays: Where its tensors lie, by their names; those that count batches may be among them.
        notes: What was left out, one sentence each.
        ordered: Whether they come in the network's order.

    Raises:
        FileFormatError: If a tensor breaks a rule.
    """
    start = _PARALLEL if all(name.startswith(_PARALLEL) for name in arrays) else ""
    listed = {name: array for name, array in arrays.items() if name.rpartition(".")[2] != _COUNT}
    listed = {
        name.removeprefix(start): replace(array, name=name.removeprefix(start))
        for name, array in listed.items()
    }
    counts = len(arrays) - len(listed)
    behind = [f"{counts} {_COUNT} stay behind: no layer of Keras counts batches"] if counts else []
    return ForeignSource(
        path,
        stream,
        limits,
        name="pytorch",
        arrays=listed.values(),
        layers=list(_layers(listed)),
        notes=(*behind, *notes),
        ordered=ordered,
    )


def is_state_dict(names: Iterable[str]) -> bool:
    """Return whether arrays are called as those of a state dict are: by layers with dots, then a role."""
    return any(name.rpartition(".")[2] == "weight" and "/" not in name for name in names)


def _left_behind(others: Sequence[str]) -> str:
    entries = counted(len(others), "entry", "is no tensor", "are no tensors")
    return f"{entries} ({others[0]!r} first) and {'stays' if len(others) == 1 else 'stay'} behind"


class _Reading:
    """The arrays of a state dict, where they lie in the file.

    Attributes:
        arrays: They, by their names.
        notes: What was left out, one sentence each.
    """

    def __init__(self, path: Path, held: Held, limits: Limits) -> None:
        self.notes: list[str] = []
        self.arrays: dict[str, ForeignArray] = {}
        self._path = path
        self._held = held
        self._limits = limits
        state = self._state(held.told)
        placed = self._placed(state)
        if len(placed) > limits.objects:
            raise FileFormatError(f"{path}: more than {limits.objects} tensors (limit objects)")
        for name, found in paced(placed.items()):
            self.arrays[name] = self._array(name, found)

    def _state(self, told: Any) -> dict[Any, Any]:  # noqa: ANN401 - whatever a pickle holds
        """Return the state dict: what the file holds, or what a checkpoint calls so."""
        names = [name for name in _WRAPPERS if type(told) is dict and self._holds_tensors(told.get(name))]
        if not names and self._holds_tensors(told):
            return dict(told)
        if not names:
            raise FileFormatError(
                f"{self._path}: it holds {_called(told)}, and no state dict of tensors by name"
            )
        rest = [str(key) for key in told if key != names[0]]
        if rest:
            self.notes.append(
                f"a checkpoint, of which {names[0]!r} is read: "
                f"{', '.join(map(clipped, rest[:5]))}{' and more' if len(rest) > 5 else ''} stay behind"
            )
        return dict(told[names[0]])

    def _holds_tensors(self, told: Any) -> bool:  # noqa: ANN401 - whatever a pickle holds
        return type(told) is dict and any(self._held.place(value) is not None for value in told.values())

    def _placed(self, state: Mapping[Any, Any]) -> dict[str, Placed]:
        """Return the tensors of a state dict; what is none stays behind."""
        found: dict[str, Placed] = {}
        others = []
        for name, value in state.items():
            placed = self._held.place(value)
            if type(name) is not str:
                raise FileFormatError(f"{self._path}: a tensor has the name {clipped(str(name))}, no text")
            if placed is None:
                others.append(name)
            else:
                found[name] = placed
        if others:
            self.notes.append(_left_behind(others))
        return found

    def _array(self, name: str, placed: Placed) -> ForeignArray:
        """Return where a tensor lies: within its storage, and no larger than that may give."""
        storage, tensor = placed.storage, placed.tensor
        what = f"{self._path}: tensor {clipped(name)}"
        count = math.prod(tensor.sizes)
        if len(tensor.sizes) > _MOST_AXES:
            raise FileFormatError(f"{what} has {len(tensor.sizes)} axes; more than {_MOST_AXES} are not read")
        reach = _reach(tensor.sizes, tensor.strides)
        if count and tensor.offset + reach > storage.count:
            text = f"reaches to value {tensor.offset + reach} of a storage of {storage.count}"
            raise FileFormatError(f"{what}: {tensor.sizes} in strides of {tensor.strides} {text}")
        size, held = storage.itemsize, storage.count * storage.itemsize
        if count * size > self._limits.ratio * max(held, 1):
            text = f"is made of a storage of {held} bytes and takes"
            raise FileFormatError(
                f"{what} {text} {too_many(count * size, self._limits.ratio * held, 'ratio')}"
            )
        whole = tensor.strides == _strides(tensor.sizes) or count <= 1
        wide = storage.stored == BFLOAT16
        return ForeignArray(
            name=name,
            shape=tensor.sizes,
            dtype=np.dtype("<f4" if wide else storage.stored),
            offset=storage.offset + tensor.offset * size,
            steps=None if whole else tuple(stride * size for stride in tensor.strides),
            bfloat16=wide,
        )


def _called(told: Any) -> str:  # noqa: ANN401 - whatever a pickle holds
    """Return what a file holds, with the first names in it if it is a dict."""
    names = [clipped(str(key)) for key in list(told)[:5]] if type(told) is dict else []
    return f"a dict of {', '.join(names)}" if names else called(told)


def _strides(sizes: Shape) -> Shape:
    """Return the strides of values that lie side by side."""
    return tuple(math.prod(sizes[axis + 1 :]) for axis in range(len(sizes)))


def _reach(sizes: Shape, strides: Shape) -> int:
    return sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True)) + 1


# From names to layers


def _layers(arrays: Mapping[str, ForeignArray]) -> Iterator[ForeignLayer]:
    """Yield the layers that the names of arrays tell, in the order in which their first arrays come."""
    listed: dict[str, dict[str, ForeignArray]] = {}
    taken = any(name.rpartition(".")[0] == _ALONE for name in arrays)
    for name, array in arrays.items():
        owner, dot, role = name.rpartition(".")
        if not dot:
            owner, role = (_ALONE, name) if name in _NORM and not taken else (name, name)
        listed.setdefault(owner, {})[role] = array
    for owner, held in listed.items():
        yield _layer(owner, held)


def _layer(name: str, held: Mapping[str, ForeignArray]) -> ForeignLayer:
    """Return a layer, as far as the names and the shapes of its arrays tell what it is."""
    kind, roles, doubtful = _kind(held)
    if kind is None:
        # A user may say what it is, and then their order counts: it must not be that of the container.
        known = [role for role in _NORM if role in held]
        return ForeignLayer(
            name=name,
            kind=OTHER,
            arrays=tuple(_told(name, role, held[role]) for role in dict.fromkeys((*known, *held))),
        )
    arrays = [_told(name, roles[role], held[role]) for role in roles if role in held]
    if kind == "Dense":
        arrays[0] = replace(arrays[0], turned=True)
    return ForeignLayer(name=name, kind=kind, arrays=tuple(arrays), inferred=doubtful)


def _told(layer: str, role: str, array: ForeignArray) -> Array:
    return Array(
        name=array.name, role=role, path=array.name, shape=array.shape, dtype=array.dtype, owner=layer
    )


def _kind(held: Mapping[str, ForeignArray]) -> tuple[str | None, Mapping[str, str], bool]:
    """Return what a layer is, the roles of its arrays, and whether another kind looks alike."""
    roles, shapes = held.keys(), {role: array.shape for role, array in held.items()}
    if {"running_mean", "running_var"} <= roles <= _NORM.keys():
        alike = len(set(shapes.values())) == 1 and len(shapes["running_mean"]) == 1
        return ("BatchNormalization" if alike else None), _NORM, False
    if not {"weight"} <= roles <= _KERNEL.keys():
        return None, {}, False
    kernel, bias = shapes["weight"], shapes.get("bias")
    if len(kernel) == 2:
        return ("Dense" if bias in (None, kernel[:1]) else None), _KERNEL, bias is None
    first, second = _CONVOLUTIONS.get(len(kernel), (None, None))
    if bias in (None, kernel[:1]):
        return first, _KERNEL, second is not None and (bias is None or kernel[0] == kernel[1])
    return (second if bias == kernel[1:2] else None), _KERNEL, False
