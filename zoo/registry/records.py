"""What a registry says, as frozen records.

Each field of a record is one key of a registry file and is said once, in its line: ``Annotated[type, kind,
meaning]``, with ``= default`` where the key may be left out. Checks, JSON Schema and ``zoo show`` follow from
that line. A key that is added later has a default, so that the overlays that people have stay valid.

The records hold facts only. How they are read is in :mod:`zoo.registry`. One registry is shared by all who
ask for it, so nothing in it can be changed: records are frozen, lists are tuples, mappings :class:`ReadOnly`.
"""

# No `from __future__ import annotations` here: the annotations are read.

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, NoReturn, Self, TypeVar, get_args

from converters.errors import counted
from converters.formats.table import FORMATS
from zoo.errors import ArgumentError
from zoo.registry.families import FamilyName
from zoo.registry.fields import (
    Anything,
    Choice,
    Flag,
    Key,
    ListOf,
    MapOf,
    Maybe,
    Record,
    Whole,
    form_of,
    keys_of,
)
from zoo.registry.formulas import formula
from zoo.registry.kinds import (
    COUNT,
    FILENAME,
    FRACTION,
    LAYER,
    NAME,
    PATH,
    PER_CENT,
    PER_CHANNEL_MEAN,
    PER_CHANNEL_SCALE,
    SHA256,
    TEXT,
    URL,
    DigestText,
)
from zoo.registry.tables import facts_table

DEFAULT_SET = "imagenet"
"""The weights set that is meant where nothing is said of it."""

WHOLE_MODEL = "whole_model"
"""What the registry says in place of a family where a file holds its network with its weights."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

FORMATS_OF_OTHERS = tuple(name for name, found in FORMATS.items() if found.foreign)
"""The formats of other software's files."""

Layout = Literal["th", "tf"]
Kernels = Literal["th", "tf"]
Dialect = Literal["keras0", "keras1", "keras2", "keras3", "foreign"]
Grade = Literal["A", "B", "C", "D", "proven", "seen", "practice"]
ChannelOrder = Literal["rgb", "bgr"]
Interpolation = Literal["bilinear", "bicubic"]
Claim = Literal["stated", "common ancestor", "inferred"]


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

    def __reduce__(self) -> tuple[type[Self], tuple[dict[_Key, _Value]]]:
        """Say how a copy is made: at once, not entry by entry."""
        return type(self), (dict(self),)


def read_only(value: Any) -> Any:  # noqa: ANN401 - whatever a registry file can hold
    """Return mappings and lists, and all such in them, in forms that cannot be changed."""
    if isinstance(value, Mapping):
        return ReadOnly({key: read_only(one) for key, one in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(read_only(one) for one in value)
    return value


def writable(value: Any) -> Any:  # noqa: ANN401 - whatever a registry file can hold
    """Return mappings and lists, and all such in them, as YAML has them: what :func:`read_only` is given."""
    if isinstance(value, Mapping):
        return {key: writable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [writable(one) for one in value]
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """One published digest of a weights file.

    Attributes:
        algorithm: ``sha256``, ``sha384``, ``sha1``, ``md5``, ``git-blob-sha1``, ``cksum`` (POSIX, not
            cryptographic) or ``sha256-prefix8`` (its first eight digits).
        value: Lower-case hexadecimal; decimal for ``cksum``.
    """

    algorithm: str
    value: str
    grade: Annotated[
        Grade,
        Choice(get_args(Grade)),
        "A: stated by whoever serves this URL; B: by two independent copies; C: by one copy; D: not"
        " cryptographic, or too short to be; proven: computed from a file whose values were compared with its"
        " authors' own; seen: computed from a file that somebody had; practice: a file of the practice zoo",
    ]
    source: Annotated[str, TEXT, "Where the value is stated"]

    def __str__(self) -> str:
        """Return the digest as it stands in a registry, for example ``md5:a7b3…``."""
        return f"{self.algorithm}:{self.value}"


def _make_digest(*, digest: tuple[str, str], grade: Grade, source: str) -> Digest:
    algorithm, value = digest
    return Digest(algorithm=algorithm, value=value, grade=grade, source=source)


_DIGEST_TEXT = Key(
    DigestText(),
    "sha256, sha384, sha1, md5, git-blob-sha1, cksum (POSIX) or sha256-prefix8 (the first 8 digits), a colon,"
    " the published value",
)
DIGEST = Record(_make_digest, {"digest": _DIGEST_TEXT, **keys_of(Digest, ("algorithm", "value"))})
"""A file writes algorithm and value as one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """What was done to the images that a weights set was trained on.

    An image with values 0 to 255 becomes ``(image - mean) * scale``, channel by channel, after its channels
    were put in ``channel_order``.

    Attributes:
        name: Name of the recipe, for example ``caffe``.
    """

    name: str
    channel_order: Annotated[
        ChannelOrder, Choice(get_args(ChannelOrder)), "Order of the channels that the network expects"
    ]
    mean: Annotated[
        tuple[float, float, float],
        PER_CHANNEL_MEAN,
        "Subtracted first, scale 0 to 255, in this order of channels",
    ]
    scale: Annotated[
        tuple[float, float, float],
        PER_CHANNEL_SCALE,
        "Multiplied afterwards, in this order of channels",
    ]
    source: Annotated[str, TEXT, "Where the recipe is stated"]

    @property
    def in_words(self) -> str:
        """Return what it is in one line, such as ``inception: RGB, x / 127.5 - 1``."""
        return f"{self.name}: {self.channel_order.upper()}, {formula(self.mean, self.scale)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassIndex:
    """A file that names the classes: ``{"0": ["n01440764", "tench"], ...}``."""

    name: str
    classes: Annotated[int, COUNT, "Number of classes that it names"]
    bytes: Annotated[int, COUNT, "Exact size"]
    digests: Annotated[tuple[Digest, ...], ListOf(DIGEST, 1), "Published digests"]
    urls: Annotated[tuple[str, ...], ListOf(URL, 1), "Where it can be had, tried in this order"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """The images a network was published for and the smallest side it takes without its top, in pixels."""

    height: Annotated[int, COUNT, "Height of the published input, in pixels"]
    width: Annotated[int, COUNT, "Width of the published input, in pixels"]
    channels: Annotated[int, COUNT, "Channels of the published input"]
    min_size: Annotated[int, COUNT, "Smallest side that the network takes without its top, in pixels"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """One classifier of a network.

    Where ``layer`` equals ``name`` the softmax is that layer's activation; otherwise it is a layer of its
    own, called ``name``.
    """

    name: Annotated[str, LAYER, "Name of the softmax output"]
    layer: Annotated[str, LAYER, "Published name of its dense layer, or 1x1 convolution"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """One network as a family's builder draws it.

    Weights files do not hold the epsilon of batch normalisation.

    Attributes:
        name: Name of the graph, unique within its architecture.
    """

    name: str
    structures: Annotated[
        tuple[str, ...],
        ListOf(NAME, 1),
        "Structures: the first names the model's layers, others are other names for them",
    ]
    config: Annotated[Mapping[str, Any], Anything(), "The numbers that the family's builder needs"]
    batch_norm_epsilon: Annotated[
        float | None, Maybe(FRACTION), "Added to the variance; null without batch normalisation"
    ]
    heads: Annotated[tuple[Head, ...], ListOf(form_of(Head), 1), "The classifiers; the last is the main one"]
    top: Annotated[tuple[str, ...], ListOf(LAYER, 1), "Weighted layers that a file without the top lacks"]
    neck: Annotated[
        tuple[str, ...],
        ListOf(LAYER),
        "Weighted layers above the last feature map that a file without the top has all the same",
    ] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedProof:
    """That somebody compared a weights file with its authors' own, value by value, and says so."""

    origin: Annotated[str, NAME, "Id of the authors' file"]
    sha256: Annotated[str, SHA256, "Digest of the file that was compared"]
    origin_sha256: Annotated[str, SHA256, "Digest of the authors' file"]
    proven: Annotated[bool, Flag(), "The verdict: whether all values are equal, as they are or after a rule"]
    by: Annotated[str, TEXT, "Who compared them"]
    date: Annotated[str, TEXT, "When"]

    def __str__(self) -> str:
        """Return it in one line."""
        verdict = "equal to" if self.proven else "differs from"
        return f"{self.date}, by {self.by}: {verdict} {self.origin} (sha256:{self.origin_sha256})"


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsFile:
    """One published file of a weights set."""

    id: Annotated[str, NAME, "Name of this file, unique in the registry; part of its name in the cache"]
    set: Annotated[
        str, NAME, "Weights set that it belongs to: imagenet, or a name of its own for other values"
    ]
    structure: Annotated[
        str,
        NAME,
        "Structure that lists its layers, a file of converters/planning/structures; of a whole model none",
    ] = ""
    top: Annotated[bool, Flag(), "Whether it holds the classifier"]
    layout: Annotated[Layout, Choice(get_args(Layout)), "th: channels first, tf: channels last"]
    kernels: Annotated[
        Kernels,
        Choice(get_args(Kernels)),
        "th: rotated for true convolution, tf: for cross-correlation",
    ]
    dialect: Annotated[
        Dialect,
        Choice(get_args(Dialect)),
        "Generation of Keras that wrote the HDF5; foreign: other software, whose format is said",
    ]
    format: Annotated[
        str | None,
        Maybe(Choice(FORMATS_OF_OTHERS)),
        "Other software's format that it is in; null for Keras' own",
    ] = None
    filename: Annotated[str, FILENAME, "Name under which it was published; not unique"]
    bytes: Annotated[int | None, Maybe(COUNT), "Exact size, null if nobody states it"] = None
    digests: Annotated[
        tuple[Digest, ...], ListOf(DIGEST), "Published digests; every one of them is checked"
    ] = ()
    urls: Annotated[
        tuple[str, ...],
        ListOf(URL, 1),
        "Where it can be had, tried in this order; may be left out where a path says it",
    ] = ()
    path: Annotated[
        str | None, Maybe(PATH), "Where it lies on this machine; its sha256 must be among the digests"
    ] = None
    licence: Annotated[str, TEXT, "Licence of the weights"]
    source: Annotated[str, TEXT, "Where the weights come from"]
    proofs: Annotated[
        tuple[StatedProof, ...],
        ListOf(form_of(StatedProof)),
        "Who compared it with its authors' own file, and what came of it",
    ] = ()

    @property
    def is_archive(self) -> bool:
        """Whether it is an archive of Keras 3, and not HDF5."""
        return self.filename.endswith(".keras")

    @property
    def is_hdf5(self) -> bool:
        """Whether it is HDF5, as all but archives and other software's files are."""
        return self.format is None and not self.is_archive

    @property
    def published_as(self) -> tuple[object, ...]:
        """What two entries have in common that are of the same published file, in two weights sets."""
        return (self.urls, self.digests, self.bytes, self.filename) if self.urls else (self.id,)

    @property
    def written_by(self) -> str:
        """What tells how it is laid out, the generation of Keras that wrote it or the format."""
        return self.format or self.dialect


NOT_STATED = "not stated"
"""What stands in the place of a number that nobody has published."""


def percent(value: float | None) -> str:
    """Return a published share as people read it."""
    return NOT_STATED if value is None else f"{value} %"


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """Published single-crop error on the ImageNet validation set, in per cent, and where it is stated."""

    top1_error_percent: Annotated[float | None, Maybe(PER_CENT), "Top-1 error, null where it is not stated"]
    top5_error_percent: Annotated[float | None, Maybe(PER_CENT), "Top-5 error, null where it is not stated"]
    source: Annotated[str, TEXT, "Where the errors are stated"]

    def __str__(self) -> str:
        """Return both errors, in per cent."""
        return f"top-1 {percent(self.top1_error_percent)}, top-5 {percent(self.top5_error_percent)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsSet:
    """What tells a weights set from the others of its network; ``None`` is what nobody states.

    Layers, names and shapes are the same for all sets of a graph. Licence and bytes are the files' own.

    Attributes:
        name: Name of the set, for example ``imagenet``.
    """

    name: str
    accuracy: Annotated[
        Accuracy | None,
        Maybe(form_of(Accuracy)),
        "Published error of these weights; for the set imagenet the network's own, where it is left out",
    ] = None
    recipe: Annotated[str | None, Maybe(TEXT), "How they were trained"] = None
    origin: Annotated[str | None, Maybe(TEXT), "Who trained them, and in what software"] = None
    input: Annotated[
        Input | None, Maybe(form_of(Input)), "The images they were trained on, where not the network's"
    ] = None
    preprocessing: Annotated[
        Preprocessing | None,
        Maybe(NAME),
        "Which of the recipes its images must go through, where not the network's",
    ] = None
    resize: Annotated[
        int | None,
        Maybe(COUNT),
        "Shorter side in pixels to which images were scaled before their centre was cut out, for the error",
    ] = None
    interpolation: Annotated[
        Interpolation | None, Maybe(Choice(get_args(Interpolation))), "How they were scaled"
    ] = None
    source: Annotated[str | None, Maybe(TEXT), "Where this is stated"] = None
    batch_norm_epsilon: Annotated[
        float | None, Maybe(FRACTION), "Added to the variance, where it is not the graph's"
    ] = None
    config: Annotated[
        Mapping[str, Any],
        Anything(),
        "Numbers of the builder that are not the graph's: what it was trained with",
    ] = field(default_factory=ReadOnly)
    same_values_as: Annotated[
        str | None, Maybe(NAME), "The weights set that was converted from this one, the author's own"
    ] = None
    claim: Annotated[
        Claim | None,
        Maybe(Choice(get_args(Claim))),
        "How it is known to hold the same values: stated of these files, of what both come from, or inferred",
    ] = None
    stated_by: Annotated[str | None, Maybe(TEXT), "Who says so, and where"] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """The publication that introduced a network."""

    title: Annotated[str, TEXT, "Title of the paper"]
    year: Annotated[int, Whole(1900, 2100), "Year in which it appeared"]
    url: Annotated[str, URL, "Where it can be read"]


NOT_KNOWN = "not known"
"""What stands in the place of a fact that nobody has stated."""


def _unsaid(name: str, what: str, option: str, key: str) -> str:
    """Return what to tell whoever needs a fact of a user's own network that was never said."""
    return (
        f"{name}: its {what} not known; add it again with {option}"
        f" (zoo registry add FILE --name {name} --replace {option}), or write {key} into its entry"
    )


_A_LINE = 80
"""Letters of a line on a screen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """One network as published, with everything needed to fetch, convert, build and feed it.

    A file names its recipe; the record holds the recipe itself. Inception-V4 has a ``class_offset`` of 1: its
    output 0 is the background.

    Attributes:
        name: Name in the registry, for example ``densenet161``.
    """

    name: str
    title: Annotated[str, TEXT, "Name in print"]
    family: Annotated[
        str,
        FamilyName(WHOLE_MODEL),
        f"The builder that draws it; {WHOLE_MODEL}: none, its file holds the network too",
    ]
    paper: Annotated[Paper | None, Maybe(form_of(Paper)), "Where the network was introduced, if anywhere"] = (
        None
    )
    input: Annotated[Input, form_of(Input), "The images it was published for"]
    classes: Annotated[int, COUNT, "Outputs of each published head"]
    class_index: Annotated[
        str | None,
        Maybe(NAME),
        "Which of class_indexes names the classes; none where class_names does, or nobody",
    ] = None
    class_offset: Annotated[int, Whole(0), "Outputs before the first class of the index"] = 0
    class_names: Annotated[
        tuple[str, ...],
        ListOf(TEXT),
        "Names of the classes, in the order of the outputs, where no index has them",
    ] = ()
    preprocessing: Annotated[
        Preprocessing | None, Maybe(NAME), "Which of the recipes its images must go through, if that is known"
    ] = None
    accuracy: Annotated[
        Accuracy | None,
        Maybe(form_of(Accuracy)),
        "Published error of the weights set imagenet on the ImageNet validation set, one crop",
    ] = None
    parameters: Annotated[
        int | None, Maybe(COUNT), "Values in all arrays, where they are not those of its first structure"
    ] = None
    own_heads: Annotated[
        bool, Flag(), "Whether its heads have another number of classes than those of its structures"
    ] = False
    graphs: Annotated[
        Mapping[str, Graph],
        MapOf(form_of(Graph, named=True), NAME),
        "The networks of this name; the first is that of the set imagenet; a whole model has none",
    ] = field(default_factory=ReadOnly)
    weights: Annotated[
        tuple[WeightsFile, ...],
        ListOf(form_of(WeightsFile)),
        "Every published file, best first among those of the same form",
    ]
    sets: Annotated[
        Mapping[str, WeightsSet],
        MapOf(form_of(WeightsSet, named=True), NAME),
        "What tells the weights sets apart, by name; nothing need be said of one",
    ] = field(default_factory=ReadOnly)
    differs_from: Annotated[
        Mapping[str, str],
        MapOf(TEXT, NAME),
        "Networks that are taken for this one, by name, and what is otherwise here",
    ] = field(default_factory=ReadOnly)
    left_out: Annotated[
        Mapping[str, str],
        MapOf(TEXT, NAME),
        "Weights sets that others have under its name and that are not here, and why",
    ] = field(default_factory=ReadOnly)

    def __repr__(self) -> str:
        """Return what it is, in one line; each attribute can be looked at."""
        what = f"{self._shape}, {counted(self.classes, 'class')}, {counted(len(self.weights), 'file')}"
        line = f"<{self.title} ({self.name}): {what}>"
        return line if len(line) <= _A_LINE else f"<{self.name}: {what}>"

    def __str__(self) -> str:
        """Return the facts that matter to whoever uses it, a line each."""
        indent = f"\n{'':<15}"
        return "\n".join(f"{name:<15}{indent.join(value.splitlines())}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return facts_table(self.title, self._facts())

    @property
    def _shape(self) -> str:
        return f"{self.input.height} × {self.input.width} × {self.input.channels}"

    def _facts(self) -> list[tuple[str, str]]:
        recipe, errors, paper = self.preprocessing, self.accuracy, self.paper
        told = {
            "name": self.name,
            "network": f"{self.title}, family {self.family}",
            "paper": f"{paper.title} ({paper.year})\n{paper.url}" if paper else None,
            "input": self._shape,
            "preprocessing": recipe.in_words if recipe else NOT_KNOWN,
            "classes": f"{self.classes:,}",
            "error": str(errors) if errors else None,
            "weights sets": ", ".join(self.weights_sets),
            "weights files": "\n".join(file.id for file in self.weights),
        }
        return [(label, text) for label, text in told.items() if text is not None]

    @property
    def recipe(self) -> Preprocessing:
        """What its images must go through, for whoever cannot do without.

        Raises:
            ArgumentError: Nobody has said it.
        """
        if self.preprocessing is None:
            raise ArgumentError(
                _unsaid(self.name, "preprocessing is", "--preprocessing NAME", "preprocessing")
            )
        return self.preprocessing

    @property
    def default_graph(self) -> Graph:
        """The published graph of the weights set ``imagenet``.

        Raises:
            ArgumentError: It is a whole model, whose network is known to its file alone.
        """
        for graph in self.graphs.values():
            return graph
        reason = "its network is known to its file alone, and this needs one that zoo draws by itself"
        raise ArgumentError(f"{self.name}: is a whole model: {reason}")

    def check_named(self) -> None:
        """Check that its classes have names.

        Raises:
            ArgumentError: Nobody has said them.
        """
        if self.class_index is None and not self.class_names:
            raise ArgumentError(_unsaid(self.name, "classes' names are", "--classes FILE", "class_names"))

    def entries_of(self, file: WeightsFile) -> list[WeightsFile]:
        """Return all entries of the published file that one is of, in the registry's order."""
        return [one for one in self.weights if one.published_as == file.published_as]

    @property
    def weights_sets(self) -> tuple[str, ...]:
        """Names of the weights sets, in the registry's order."""
        return tuple(dict.fromkeys(file.set for file in self.weights))

    def set_of(self, name: str) -> str:
        """Return the weights set that a name stands for.

        ``imagenet``, which is meant where nothing is said, is the first set of a network that has none of
        this name: one that a user added.
        """
        if name == DEFAULT_SET and self.weights and name not in self.weights_sets:
            return self.weights_sets[0]
        return name

    def why_not(self, weights_set: str) -> str:
        """Return why a weights set that others have is not here, behind a semicolon, if somebody says so."""
        reason = self.left_out.get(weights_set)
        return f"; {weights_set!r} is left out: {reason}" if reason else ""

    def about(self, weights_set: str) -> WeightsSet:
        """Return what is known of a weights set; of one that nothing is said of, its name alone."""
        said = self.sets.get(weights_set) or WeightsSet(name=weights_set)
        if said.accuracy is None and weights_set == "imagenet":
            return replace(said, accuracy=self.accuracy)
        return said

    def input_of(self, weights_set: str | None) -> Input:
        """Return the images that a weights set was trained on; those of the network for no set."""
        return (self.about(weights_set).input if weights_set else None) or self.input

    def with_images_of(self, weights: object) -> Self:
        """Return the network with the images that a weights set was trained on; itself for anything else.

        Their size is the set's, and so is the recipe that they go through.
        """
        name = self.set_of(weights) if isinstance(weights, str) else None
        if name is None or name not in self.sets:
            return self
        recipe = self.sets[name].preprocessing or self.preprocessing
        return replace(self, input=self.input_of(name), preprocessing=recipe)

    def graph_of(self, structure: str) -> Graph:
        """Return the graph whose weights files may have this structure.

        Raises:
            KeyError: No graph of this architecture has the structure; a validated registry never asks.
        """
        for graph in self.graphs.values():
            if structure in graph.structures:
                return graph
        raise KeyError(structure)

    def graph_for(self, weights_set: str) -> Graph:
        """Return the graph that a weights set was trained with: that of its files, with numbers of its own.

        Raises:
            KeyError: There is no such set.
        """
        for file in self.weights:
            if file.set == weights_set:
                graph, said = self.graph_of(file.structure), self.about(weights_set)
                numbers = ReadOnly({**graph.config, **said.config})
                epsilon = said.batch_norm_epsilon
                if epsilon is None:
                    epsilon = graph.batch_norm_epsilon
                return replace(graph, config=numbers, batch_norm_epsilon=epsilon)
        raise KeyError(weights_set)

    def origins_of(self, weights_set: str) -> tuple[WeightsSet, ...]:
        """Return the sets of which somebody says that this one was converted from them."""
        return tuple(said for said in self.sets.values() if said.same_values_as == weights_set)


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """Everything that ``registry.yaml`` and its overlays say, by name.

    Attributes:
        files: Every weights file by its id, with the network that it belongs to.
    """

    class_indexes: Annotated[
        Mapping[str, ClassIndex],
        MapOf(form_of(ClassIndex, named=True), NAME),
        "Files that name the classes",
    ]
    preprocessing: Annotated[
        Mapping[str, Preprocessing],
        MapOf(form_of(Preprocessing, named=True), NAME),
        "Recipes: (image - mean) * scale, channel by channel",
    ]
    architectures: Annotated[
        Mapping[str, Architecture],
        MapOf(Record(dict, keys_of(Architecture, ("name",)), named=True), NAME),
        "The networks",
    ]
    files: Mapping[str, tuple[Architecture, WeightsFile]] = field(repr=False, compare=False)
