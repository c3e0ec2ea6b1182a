"""Caffe's files: the layers of a network with their blobs (``.caffemodel``), or one blob (``.binaryproto``).

Both are messages of protobuf without any header. Layers are in their first form (field ``layers``, the kind a
number) or in their second (``layer``, the kind a text); blobs in either have four old numbers or a shape, and
their values packed or one by one, as float or double; NVIDIA's Caffe may keep them as bytes of a type that it
says, float16 among them. A blob's values are never copied: a packed one is a view of the file, and values one
by one are a view with steps.

Caffe's batch normalisation keeps sums: mean and variance are multiplied by the reciprocal of the factor
beside them before they are anybody's, in their own type, as Caffe itself does.

Source: src/caffe/proto/caffe.proto, src/caffe/blob.cpp (FromProto) and src/caffe/layers/batch_norm_layer.cpp,
BVLC/caffe at 9b89154; fields 10 and 12 of a blob: modules/dnn/src/caffe/opencv-caffe.proto of OpenCV 4.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from converters.arrays.form import Shape
from converters.errors import FileFormatError, counted
from converters.formats.caffe_inputs import DEPTHWISE, Given, Kind, inputs_of
from converters.formats.foreign import ForeignArray, ForeignLayer, ForeignSource, as_other
from converters.formats.protobuf import Field, Wire, WireType
from converters.hdf5.source import Stamp
from converters.layers.model import Array
from converters.layers.table import OTHER
from converters.limits import Limits, clipped, first_repeated

_MOST_AXES = 32
_LARGEST = 1 << 40
"""No axis is as long: products of those below it stay small."""


@dataclass(frozen=True, kw_only=True)
class _Fields:
    """The numbers of the fields of a layer, and of the messages in it that say more of it."""

    name: int
    type: int
    bottoms: int
    tops: int
    blobs: int
    concat: int
    convolution: int
    inner_product: int


_SECOND = _Fields(name=1, type=2, bottoms=3, tops=4, blobs=7, concat=104, convolution=106, inner_product=117)
_FIRST = _Fields(name=4, type=5, bottoms=2, tops=3, blobs=6, concat=9, convolution=10, inner_product=17)
_LAYERS, _LAYER = 2, 100
"""The fields of a network that hold layers of the first form and of the second."""
_OLDEST = 1
"""The field of a layer of the first form that holds one of the form before it."""
_GROUPS, _TRANSPOSED = 5, 6
"""The fields of a convolution that says its groups, and of an InnerProduct whose matrix is (I, O)."""
_JOINED = (1, 2)
"""The fields of a Concat that say along which axis, in the old form and in the new: channels by default."""
_NETWORK = {1: WireType.BYTES, 3: WireType.BYTES, 4: WireType.VARINT, 5: WireType.VARINT, 6: WireType.BYTES}
_NETWORK |= {7: WireType.VARINT, 8: WireType.BYTES, _LAYERS: WireType.BYTES, _LAYER: WireType.BYTES}
"""What a network's fields are, for the first look at a file."""
_OLD_AXES = (1, 2, 3, 4)
_DATA, _DIFF, _SHAPE, _DOUBLES, _DOUBLE_DIFF = 5, 6, 7, 8, 9
_RAW_TYPE, _RAW = 10, 12
_DTYPES: Mapping[int, np.dtype[Any]] = {_DATA: np.dtype("<f4"), _DOUBLES: np.dtype("<f8")}
_RAW_DTYPES = (np.dtype("<f8"), np.dtype("<f4"), np.dtype("<f2"))
"""The types of a blob's bytes, by their number in NVIDIA's Caffe, which has integers too."""
_FIXED = {4: WireType.FIXED32, 8: WireType.FIXED64}

# The numbers by which layers of the first form say what they are, as the second form says it.
_FIRST_TYPES = {
    3: "Concat",
    4: "Convolution",
    6: "Dropout",
    8: "Flatten",
    14: "InnerProduct",
    15: "LRN",
    17: "Pooling",
    18: "ReLU",
    19: "Sigmoid",
    20: "Softmax",
    22: "Split",
    23: "TanH",
    25: "Eltwise",
    39: "Deconvolution",
}


@dataclass(frozen=True, kw_only=True)
class _Blob:
    """An array of a layer: its shape, and where its values lie."""

    shape: Shape
    dtype: np.dtype[Any]
    offset: int
    step: int

    def array(self, name: str, shape: Shape, times: float | None = None) -> ForeignArray:
        """Return it as an array of the file, counted by other axes."""
        side_by_side = self.step == self.dtype.itemsize
        counts = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        steps = None if side_by_side else tuple(self.step * count for count in counts)
        return ForeignArray(
            name=name,
            shape=shape,
            dtype=self.dtype if times is None else self.computed,
            held=self.dtype,
            offset=self.offset,
            steps=steps,
            times=times,
        )

    @property
    def computed(self) -> np.dtype[Any]:
        """The type that its values are multiplied in: sums of many batches may not fit into float16."""
        return max(self.dtype, _DTYPES[_DATA], key=lambda dtype: dtype.itemsize)


@dataclass(kw_only=True)
class _Message:
    """A layer as its message has it."""

    name: str = ""
    type: str = ""
    bottoms: list[str] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)
    blobs: list[_Blob] = field(default_factory=list)
    groups: int = 1
    transposed: bool = False
    joins_channels: bool = True
    takes: Given = field(default_factory=Given)

    @property
    def outputs(self) -> int:
        """How many channels or outputs its first blob gives; 0 if it has none that tells."""
        shape = self.blobs[0].shape if self.blobs else ()
        if self.type == "InnerProduct" and len(shape) > 1:
            return shape[-1 if self.transposed else -2]
        if self.type == "Deconvolution" and len(shape) > 1:
            return shape[1] * self.groups
        return shape[0] if len(shape) > 2 else 0

    @property
    def map_before(self) -> int | None:
        """The channels of the map that its rows may come from, 0 if they are not known; None if of none."""
        shape = self.blobs[0].shape if self.blobs else ()
        rows = shape[-2 if self.transposed else -1] if self.type == "InnerProduct" and len(shape) > 1 else 0
        # A map of one place has one row for each channel, however it is laid out.
        none = self.takes.kind is Kind.OUTPUTS or (rows > 0 and rows == self.takes.size)
        return None if none else self.takes.size


def recognise(head: bytes) -> bool:
    """Return whether a file begins as a network of Caffe's does up to its first layer, or as a blob."""
    return _begins(head, _is_network) or _begins(head, _is_blob)


_Test = Callable[[int, int], bool | None]


def _is_network(number: int, code: int) -> bool | None:
    """Return whether a field tells a network: one of its layers does, another field of it leaves it open."""
    return False if _NETWORK.get(number) != code else True if number in (_LAYERS, _LAYER) else None


def _is_blob(number: int, code: int) -> bool | None:
    if number in _OLD_AXES:
        return None if code == WireType.VARINT else False
    if number in (_DATA, _SHAPE, _DOUBLES):
        return code in (WireType.BYTES, _FIXED[4 if number == _DATA else 8])
    return False


def _begins(head: bytes, tells: _Test) -> bool:
    """Return whether the fields that a file begins with tell that it is of a kind."""
    at = 0
    while at < len(head):
        tag, at = _varint(head, at)
        if (found := tells(tag >> 3, tag & 7)) is not None:
            return found and at < len(head)
        value, at = _varint(head, at)
        at += value if tag & 7 == WireType.BYTES else 0
    return False


def _varint(head: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(head):
        value |= (head[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if head[at - 1] < 0x80 or shift > 63:
            break
    return value, at


def read(path: Path, stream: IO[bytes], limits: Limits, known: Stamp | None) -> ForeignSource:
    """Read what a file says of its layers and blobs; no value but the factors of batch normalisations.

    Args:
        path: Its name, for messages.
        stream: The file; it belongs to what is returned.
        limits: Caps.
        known: Of no use here.

    Raises:
        FileFormatError: If it breaks a rule; says at which byte, and what is wrong there.
    """
    wire = Wire(path, stream.fileno(), limits)
    if _begins(stream.read(4096), _is_blob):
        return _one_blob(wire, stream)
    messages = list(_messages(wire))
    _check_names(wire, messages)
    for message, taken in zip(messages, inputs_of(messages), strict=True):
        message.takes = taken
    reading = _Reading(wire)
    layers = [reading.layer(message) for message in messages if message.blobs]
    if not layers:
        raise FileFormatError(f"{path}: a network of Caffe's without any weights in it")
    return ForeignSource(
        path,
        stream,
        limits,
        name="caffemodel",
        arrays=reading.arrays,
        layers=layers,
        folds=_folds(messages),
        inputs={message.name: message.map_before for message in messages if message.blobs},
        notes=_notes(messages, reading.factors),
    )


def _one_blob(wire: Wire, stream: IO[bytes]) -> ForeignSource:
    blob = _blob(wire, 0, wire.size, "the blob")
    reading = _Reading(wire)
    layer = reading.other(_Message(name="blob", type="Blob", blobs=[blob]))
    return ForeignSource(
        wire.path,
        stream,
        wire.limits,
        name="binaryproto",
        arrays=reading.arrays,
        layers=[layer],
        notes=(),
    )


# From bytes to messages


def _messages(wire: Wire) -> Iterator[_Message]:
    """Yield the layers of a network, those without blobs too."""
    forms = {_LAYER: _SECOND, _LAYERS: _FIRST}
    found: int | None = None
    count = 0
    for part in wire.fields(0, wire.size, "the network"):
        if part.number not in forms:
            continue
        what = f"layer {count}"
        wire.check(part, WireType.BYTES, what)
        if found not in (None, part.number):
            raise wire.refusal(part.at, "the network has layers of both forms, of which Caffe reads one")
        found, count = part.number, count + 1
        if count > wire.limits.objects:
            raise wire.refusal(part.at, f"more than {wire.limits.objects} layers (limit objects)")
        yield _message(wire, part, forms[part.number], what)


def _message(wire: Wire, whole: Field, numbers: _Fields, what: str) -> _Message:
    message = _Message()
    seen: set[int] = set()
    for part in wire.fields(whole.start, whole.end, what):
        if part.number in (numbers.name, numbers.type):
            if part.number in seen:
                raise wire.refusal(part.at, f"{what} says field {part.number} twice")
            seen.add(part.number)
        if part.number == numbers.name:
            message.name = wire.text(part, f"the name of {what}")
            what = f"{what} ({clipped(message.name)})"
        elif part.number == numbers.type:
            message.type = _type(wire, part, numbers, what)
        elif part.number == numbers.bottoms:
            message.bottoms.append(wire.text(part, f"an input of {what}"))
        elif part.number == numbers.tops:
            message.tops.append(wire.text(part, f"an output of {what}"))
        elif part.number == numbers.blobs:
            message.blobs.append(_inner_blob(wire, part, f"blob {len(message.blobs)} of {what}"))
        elif part.number == numbers.concat:
            message.joins_channels = all(_setting(wire, part, axis, what, 1) == 1 for axis in _JOINED)
        elif part.number == numbers.convolution:
            message.groups = _setting(wire, part, _GROUPS, what, 0) or 1
        elif part.number == numbers.inner_product:
            message.transposed = bool(_setting(wire, part, _TRANSPOSED, what, 0))
        elif part.number == _OLDEST and numbers is _FIRST:
            text = "is of the form before V1; Caffe's upgrade_net_proto_binary brings it up to date"
            raise wire.refusal(part.at, f"{what} {text}")
    return message


def _type(wire: Wire, part: Field, numbers: _Fields, what: str) -> str:
    if numbers is _SECOND:
        return wire.text(part, f"the type of {what}")
    wire.check(part, WireType.VARINT, f"the type of {what}")
    return _FIRST_TYPES.get(part.value, f"V1Type{part.value}")


def _setting(wire: Wire, whole: Field, number: int, what: str, default: int) -> int:
    """Return a number in a message that says more of a layer."""
    wire.check(whole, WireType.BYTES, f"field {whole.number} of {what}")
    found = default
    for part in wire.fields(whole.start, whole.end, f"field {whole.number} of {what}"):
        if part.number == number:
            wire.check(part, WireType.VARINT, f"field {number} in field {whole.number} of {what}")
            found = part.value
    return found


def _inner_blob(wire: Wire, part: Field, what: str) -> _Blob:
    wire.check(part, WireType.BYTES, what)
    return _blob(wire, part.start, part.end, what)


def _blob(wire: Wire, start: int, end: int, what: str) -> _Blob:
    """Return a blob, whose shape is that of as many values as it has.

    Raises:
        FileFormatError: If it is not; names the shape and both numbers.
    """
    old: dict[int, int] = {}
    shape: Shape | None = None
    data: _Data | None = None
    raw_type = 0
    for part in wire.fields(start, end, what):
        if part.number in _OLD_AXES:
            wire.check(part, WireType.VARINT, f"an axis of {what}")
            old[part.number] = part.value
        elif part.number == _SHAPE:
            if shape is not None:
                raise wire.refusal(part.at, f"{what} says its shape twice")
            shape = _axes(wire, part, what)
        elif part.number == _RAW_TYPE:
            wire.check(part, WireType.VARINT, f"the type of {what}")
            raw_type = part.value
        elif part.number in (_DATA, _DOUBLES, _RAW):
            if data is not None:
                raise wire.refusal(part.at, f"{what} holds its values in more than one piece")
            data = _data(wire, part, end, what)
        elif part.number in (_DIFF, _DOUBLE_DIFF) and part.wire is not WireType.BYTES:
            wire.run(part, end, f"the gradient of {what}")
    # Caffe's rule: the old numbers count if one of them is there.
    axes = tuple(old.get(number, 0) for number in _OLD_AXES) if old else shape or ()
    if data is not None and data.part.number == _RAW:
        data = _raw(wire, data.part, raw_type, what)
    return _placed(wire, start, axes, data, what)


def _axes(wire: Wire, part: Field, what: str) -> Shape:
    wire.check(part, WireType.BYTES, f"the shape of {what}")
    axes: list[int] = []
    for axis in wire.fields(part.start, part.end, f"the shape of {what}"):
        if axis.number != 1:
            continue
        for size in wire.varints(axis, f"the shape of {what}"):
            axes.append(size)
            if len(axes) > _MOST_AXES:
                raise wire.refusal(axis.at, f"{what} has more than {_MOST_AXES} axes")
    return tuple(axes)


@dataclass(frozen=True, kw_only=True)
class _Data:
    """The field that the values of a blob begin with: their type, how many there are, bytes to the next."""

    part: Field
    dtype: np.dtype[Any]
    count: int
    step: int


def _data(wire: Wire, part: Field, end: int, what: str) -> _Data:
    """Return what a field of values says: packed or one by one; of bytes the type stands elsewhere."""
    dtype = _DTYPES.get(part.number, np.dtype("u1"))
    if part.wire is WireType.BYTES:
        return _packed(wire, part, dtype, what)
    wire.check(part, _FIXED.get(dtype.itemsize, WireType.BYTES), f"the data of {what}")
    count = wire.run(part, end, f"the data of {what}")
    return _Data(part=part, dtype=dtype, count=count, step=part.end - part.at)


def _raw(wire: Wire, part: Field, raw_type: int, what: str) -> _Data:
    """Return what a field of bytes says, whose type is known by now."""
    if raw_type >= len(_RAW_DTYPES):
        text = f"{what} keeps values of type {raw_type}; read are double (0), float (1) and float16 (2)"
        raise wire.refusal(part.at, text)
    return _packed(wire, part, _RAW_DTYPES[raw_type], what)


def _packed(wire: Wire, part: Field, dtype: np.dtype[Any], what: str) -> _Data:
    length, size = part.end - part.start, dtype.itemsize
    if length % size:
        raise wire.refusal(part.at, f"the data of {what} takes {length} bytes, not values of {size}")
    return _Data(part=part, dtype=dtype, count=length // size, step=size)


def _placed(wire: Wire, at: int, axes: Shape, data: _Data | None, what: str) -> _Blob:
    # Negative numbers are those of 64 bits whose first is set.
    if wrong := [size for size in axes if size >= _LARGEST]:
        size = wrong[0] - (1 << 64) if wrong[0] >> 63 else wrong[0]
        raise wire.refusal(at, f"{what} has an axis of {size}")
    held, declared = data.count if data else 0, math.prod(axes)
    if held != declared:
        raise wire.refusal(at, f"{what} declares {axes}, so {declared} values, and holds {held}")
    if data is None:
        return _Blob(shape=axes, dtype=_DTYPES[_DATA], offset=at, step=4)
    return _Blob(shape=axes, dtype=data.dtype, offset=data.part.start, step=data.step)


# From messages to layers


def _check_names(wire: Wire, messages: Iterable[_Message]) -> None:
    names = [message.name for message in messages if message.blobs]
    if (twice := first_repeated(names)) is not None:
        raise FileFormatError(f"{wire.path}: two layers with weights are called {clipped(twice)}")


def _folds(messages: Sequence[_Message]) -> dict[str, str]:
    """Return each Scale or Bias that alone works on what a batch normalisation gives, with its name."""
    found: dict[str, str] = {}
    takers: Counter[str] = Counter()
    makers: dict[str, _Message] = {}
    before: _Message | None = None
    for message in messages:
        taken = [makers.get(bottom) for bottom in message.bottoms] or [before]
        norms = [maker.name for maker in taken if maker and maker.type == "BatchNorm"]
        takers.update(norms)
        if message.type in ("Scale", "Bias") and message.blobs and len(taken) == len(norms) == 1:
            found[message.name] = norms[0]
        makers |= dict.fromkeys(message.tops, message)
        before = message
    return {name: norm for name, norm in found.items() if takers[norm] == 1}


_GROUPED = (
    (False, "convolutions", "the layers of Keras must have them too (groups=)"),
    (True, "transposed convolutions", "no layer of Keras has them: yours has to take the kernel apart"),
)


def _notes(messages: Iterable[_Message], factors: Mapping[str, float]) -> Iterator[str]:
    if factors:
        name, factor = next(iter(factors.items()))
        keep = counted(len(factors), "batch normalisation", "keeps", "keep")
        text = f"{keep} sums ({name!r} first, factor {factor:g})"
        yield f"{text}: mean and variance are divided by their factors, as Caffe does"
    grouped = [message for message in messages if message.groups > 1 and message.blobs]
    for transposed, what, advice in _GROUPED:
        if found := [message for message in grouped if (message.type == "Deconvolution") is transposed]:
            text = f"{len(found)} {what} have groups ({found[0].name!r} first, {found[0].groups})"
            yield f"{text}: {advice}"


class _Reading:
    """What becomes of the layers of a file.

    Attributes:
        arrays: Their arrays, where they lie in the file.
        factors: The factors of batch normalisations that are not 1, by the layers' names.
    """

    def __init__(self, wire: Wire) -> None:
        self.arrays: list[ForeignArray] = []
        self.factors: dict[str, float] = {}
        self._wire = wire

    def layer(self, message: _Message) -> ForeignLayer:
        """Return a layer by what its type says; by its own name where its blobs are not those of that."""
        make = _MAKERS.get(message.type)
        return (make(self, message) if make else None) or self.other(message)

    def other(self, message: _Message) -> ForeignLayer:
        """Return a layer of which nothing is known."""
        arrays = [
            self._array(message, f"blob_{number}", blob, blob.shape)
            for number, blob in enumerate(message.blobs)
        ]
        return as_other(ForeignLayer(name=message.name, kind=OTHER, arrays=tuple(arrays)), message.type)

    def convolution(self, message: _Message) -> ForeignLayer | None:
        """Return a convolution: a kernel (O, I / groups, H, W) and a bias."""
        kinds = {3: "Conv1D", 4: "Conv2D", 5: "Conv3D"}
        return self._with_bias(message, kinds.get(len(message.blobs[0].shape)), axis=0)

    def deconvolution(self, message: _Message) -> ForeignLayer | None:
        """Return a transposed convolution: a kernel (I, O / groups, H, W) and a bias."""
        kinds = {4: "Conv2DTranspose", 5: "Conv3DTranspose"}
        return self._with_bias(message, kinds.get(len(message.blobs[0].shape)), axis=1)

    def inner_product(self, message: _Message) -> ForeignLayer | None:
        """Return a dense layer: a matrix (O, I), in the old form (1, 1, O, I), and a bias."""
        first = message.blobs[0]
        *ones, outputs, inputs = first.shape if len(first.shape) > 1 else (0, 0, 0)
        if math.prod(ones) != 1:
            return None
        counted = replace(first, shape=(outputs, inputs))
        return self._with_bias(
            replace(message, blobs=[counted, *message.blobs[1:]]),
            "Dense",
            axis=1 if message.transposed else 0,
            turned=not message.transposed,
        )

    def embed(self, message: _Message) -> ForeignLayer | None:
        """Return an embedding: a matrix (words, units); one with a bias is none of Keras'."""
        (first, *others) = message.blobs
        if others or len(first.shape) != 2:
            return None
        return self._layer(message, "Embedding", {"embeddings": (first, first.shape)})

    def batch_norm(self, message: _Message) -> ForeignLayer | None:
        """Return a batch normalisation: mean and variance, each times the same factor, and that."""
        vectors = _vectors(message.blobs)
        if vectors is None or len(vectors) != 3 or vectors[0] != vectors[1] or vectors[2] != (1,):
            return None
        mean, variance, _ = message.blobs
        times = self._times(message)
        return ForeignLayer(
            name=message.name,
            kind="BatchNormalization",
            arrays=tuple(
                self._array(message, role, blob, vectors[0], times)
                for role, blob in (("moving_mean", mean), ("moving_variance", variance))
            ),
        )

    def scale(self, message: _Message) -> ForeignLayer | None:
        """Return a slope for each channel, and an offset."""
        vectors = _vectors(message.blobs)
        if vectors is None or len(vectors) > 2 or len(set(vectors)) > 1:
            return None
        if len(message.bottoms) > 1:  # the second input is the slope, and the one blob is the offset
            return None
        pairs = zip(("gamma", "beta"), message.blobs, strict=False)
        return self._layer(message, "Scale", {role: (blob, vectors[0]) for role, blob in pairs})

    def bias(self, message: _Message) -> ForeignLayer | None:
        """Return an offset for each channel: a Scale whose slope is one."""
        vectors = _vectors(message.blobs)
        if vectors is None or len(vectors) != 1:
            return None
        blob = message.blobs[0]
        name = f"{message.name}/gamma"
        self.arrays.append(ForeignArray(name=name, shape=vectors[0], dtype=blob.dtype, offset=None, made=1.0))
        slope = Array(
            name=name, role="gamma", path=name, shape=vectors[0], dtype=blob.dtype, owner=message.name
        )
        layer = self._layer(message, "Scale", {"beta": (blob, vectors[0])})
        return replace(layer, arrays=(slope, *layer.arrays))

    def prelu(self, message: _Message) -> ForeignLayer | None:
        """Return a PReLU: a slope for each channel or one for all, on a map as Keras shares it: (C, 1, 1)."""
        vectors = _vectors(message.blobs)
        if vectors is None or len(vectors) != 1:
            return None
        shape = (*vectors[0], 1, 1) if message.takes.kind is Kind.MAP else vectors[0]
        return self._layer(message, "PReLU", {"alpha": (message.blobs[0], shape)})

    def _with_bias(
        self, message: _Message, kind: str | None, *, axis: int, turned: bool = False
    ) -> ForeignLayer | None:
        kernel, *biases = message.blobs
        vectors = _vectors(biases)
        if kind is None or vectors is None or len(vectors) > 1:
            return None
        # Of a transposed convolution with groups the kernel does not tell how many outputs there are.
        outputs = kernel.shape[axis] * (message.groups if axis and not turned else 1)
        if vectors and vectors[0] != (outputs,):
            return None
        arrays = {"kernel": (kernel, kernel.shape)}
        arrays |= {"bias": (biases[0], vectors[0])} if biases else {}
        return self._layer(message, kind, arrays, turned=turned)

    def _layer(
        self, message: _Message, kind: str, blobs: Mapping[str, tuple[_Blob, Shape]], *, turned: bool = False
    ) -> ForeignLayer:
        arrays = [self._array(message, role, blob, shape) for role, (blob, shape) in blobs.items()]
        if turned:
            arrays[0] = replace(arrays[0], turned=True)
        return ForeignLayer(name=message.name, kind=kind, arrays=tuple(arrays))

    def _array(
        self, message: _Message, role: str, blob: _Blob, shape: Shape, times: float | None = None
    ) -> Array:
        name = f"{message.name}/{role}"
        self.arrays.append(blob.array(name, shape, times))
        dtype = self.arrays[-1].dtype
        return Array(name=name, role=role, path=name, shape=shape, dtype=dtype, owner=message.name)

    def _times(self, message: _Message) -> float | None:
        """Return what mean and variance are multiplied by; None for 1.

        Raises:
            FileFormatError: If their factor is no number.
        """
        blob = message.blobs[2]
        factor = self._wire.number(blob.offset, blob.dtype)
        if not math.isfinite(factor):
            text = f"the factor of layer {clipped(message.name)} is {factor}"
            raise self._wire.refusal(blob.offset, text)
        if factor == 1:
            return None
        self.factors[message.name] = factor
        number = blob.computed.type
        return float(number(1) / number(factor)) if factor else 0.0


def _vectors(blobs: Sequence[_Blob]) -> list[Shape] | None:
    """Return the shapes of vectors, which in the old form have four axes, three of them of one element."""
    found: list[Shape] = []
    for blob in blobs:
        count = math.prod(blob.shape)
        if not count or max(blob.shape, default=0) != count:
            return None
        found.append((count,))
    return found


_MAKERS: Mapping[str, Callable[[_Reading, _Message], ForeignLayer | None]] = {
    **dict.fromkeys(("Convolution", *DEPTHWISE), _Reading.convolution),
    "Deconvolution": _Reading.deconvolution,
    "InnerProduct": _Reading.inner_product,
    "Embed": _Reading.embed,
    "BatchNorm": _Reading.batch_norm,
    "Scale": _Reading.scale,
    "Bias": _Reading.bias,
    "PReLU": _Reading.prelu,
}
