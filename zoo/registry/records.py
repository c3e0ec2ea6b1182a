"""What a registry says, as frozen records.

The records hold facts only. How they are read and checked is in :mod:`zoo.registry`. One registry is shared
by all who ask for it, so nothing in it can be changed: records are frozen, lists are tuples, mappings
:class:`ReadOnly`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Layout = Literal["th", "tf"]
Kernels = Literal["th", "tf"]
Dialect = Literal["keras0", "keras1", "keras2"]
Grade = Literal["A", "B", "C", "D", "practice"]
ChannelOrder = Literal["rgb", "bgr"]


class ReadOnly(dict[_Key, _Value]):
    """A dict that refuses every change; it can be copied, pickled and written as JSON like any other.

    ``dict(one)`` is a copy that can be changed.
    """

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        """Refuse.

        Raises:
            TypeError: Always.
        """
        raise TypeError("the registry is read-only: dict(...) makes a copy that can be changed")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[ReadOnly[_Key, _Value]], tuple[dict[_Key, _Value]]]:
        """Say how a copy is made: at once, not entry by entry."""
        return type(self), (dict(self),)


def read_only(value: Any) -> Any:  # noqa: ANN401 - whatever a registry file can hold
    """Return mappings and lists, and all such in them, in forms that cannot be changed."""
    if isinstance(value, Mapping):
        return ReadOnly({key: read_only(one) for key, one in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(read_only(one) for one in value)
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """One published digest of a weights file.

    Attributes:
        algorithm: ``sha256``, ``md5``, ``git-blob-sha1`` or ``cksum`` (POSIX, not cryptographic).
        value: Lower-case hexadecimal; decimal for ``cksum``.
        grade: How well the value is attested: A by whoever serves this very URL, B by two independent copies,
            C by one copy, D not cryptographic, practice for files drawn by :mod:`zoo.practice`.
        source: Where the value is stated.
    """

    algorithm: str
    value: str
    grade: Grade
    source: str

    def __str__(self) -> str:
        """Return the digest as it stands in a registry, for example ``md5:a7b3…``."""
        return f"{self.algorithm}:{self.value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """What was done to the images that a weights set was trained on.

    An image with values 0 to 255 becomes ``(image - mean) * scale``, channel by channel, after its channels
    were put in ``channel_order``.

    Attributes:
        name: Name of the recipe, for example ``caffe``.
        channel_order: Order of the channels that the network expects.
        mean: Three values on the scale 0 to 255, in ``channel_order``.
        scale: Three factors, in ``channel_order``.
        source: Where the recipe is stated.
    """

    name: str
    channel_order: ChannelOrder
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassIndex:
    """A file that names the classes: ``{"0": ["n01440764", "tench"], ...}``."""

    name: str
    classes: int
    bytes: int
    digests: tuple[Digest, ...]
    urls: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """The images a network was published for and the smallest side it takes without its top, in pixels."""

    height: int
    width: int
    channels: int
    min_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """One classifier of a network.

    Attributes:
        name: Name of the softmax output.
        layer: Published name of its dense layer. Where it equals ``name`` the softmax is that layer's
            activation; otherwise the softmax is a layer of its own, called ``name``.
    """

    name: str
    layer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """One network as a family's builder draws it.

    Attributes:
        name: Name of the graph, unique within its architecture.
        structures: Names of the structures that weights files of this graph may have. The first one names the
            layers of the Keras model; the others list the same weighted layers in the same order under
            other names.
        config: The numbers that the family's builder needs.
        batch_norm_epsilon: Added to the variance; ``None`` without batch normalisation. Weights
            files do not hold it.
        heads: The classifiers; the last one is the main one.
        top: Published names of the weighted layers that a file without the top lacks.
    """

    name: str
    structures: tuple[str, ...]
    config: Mapping[str, Any]
    batch_norm_epsilon: float | None
    heads: tuple[Head, ...]
    top: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsFile:
    """One published file of a weights set.

    Attributes:
        id: Name of the file, unique in the registry.
        set: The weights set it belongs to, for example ``imagenet``.
        structure: Name of the structure that says which layers it holds.
        top: Whether it holds the classifier.
        layout: ``th`` channels first, ``tf`` channels last.
        kernels: ``th`` rotated for true convolution, ``tf`` as they are for cross-correlation.
        dialect: Who wrote the HDF5.
        filename: The name under which it was published; not unique.
        bytes: Its size, where it is known.
        digests: Published digests, possibly none.
        urls: Where it can be had, to be tried in this order.
        licence: Licence of the weights.
        source: Where they come from.
    """

    id: str
    set: str
    structure: str
    top: bool
    layout: Layout
    kernels: Kernels
    dialect: Dialect
    filename: str
    bytes: int | None
    digests: tuple[Digest, ...]
    urls: tuple[str, ...]
    licence: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """Published single-crop error on the ImageNet validation set, in per cent, and where it is stated.

    The top-1 error is ``None`` where only the top-5 error was published.
    """

    top1_error_percent: float | None
    top5_error_percent: float
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """The publication that introduced a network."""

    title: str
    year: int
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """One network as published, with everything needed to fetch, convert, build and feed it.

    Attributes:
        name: Name in the registry, for example ``densenet161``.
        title: Name in print, for example ``DenseNet-161``.
        family: The builder that draws it.
        paper: Where it was introduced.
        input: The images it was published for.
        classes: Outputs of each published head.
        class_index: Name of the file that names the classes.
        class_offset: Outputs before the first class of ``class_index``: 1 for Inception-V4, whose output 0 is
            the background.
        preprocessing: What its images must go through.
        accuracy: Published errors of the weights set ``imagenet``.
        graphs: By name; the first one is the published graph of the weights set ``imagenet``.
        weights: Every published file.
    """

    name: str
    title: str
    family: str
    paper: Paper
    input: Input
    classes: int
    class_index: str
    class_offset: int
    preprocessing: Preprocessing
    accuracy: Accuracy
    graphs: Mapping[str, Graph]
    weights: tuple[WeightsFile, ...]

    @property
    def default_graph(self) -> Graph:
        """The published graph of the weights set ``imagenet``."""
        return next(iter(self.graphs.values()))

    @property
    def weights_sets(self) -> tuple[str, ...]:
        """Names of the weights sets, in the registry's order."""
        return tuple(dict.fromkeys(file.set for file in self.weights))

    def graph_of(self, structure: str) -> Graph:
        """Return the graph whose weights files may have this structure.

        Raises:
            KeyError: No graph of this architecture has the structure; a validated registry never asks.
        """
        for graph in self.graphs.values():
            if structure in graph.structures:
                return graph
        raise KeyError(structure)


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """Everything that ``registry.yaml`` and its overlays say, by name."""

    architectures: Mapping[str, Architecture]
    class_indexes: Mapping[str, ClassIndex]
    preprocessing: Mapping[str, Preprocessing]
