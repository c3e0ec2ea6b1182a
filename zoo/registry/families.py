"""Families of networks: one record for everything that the members of one have in common.

A new family is an entry in :data:`FAMILIES` and the module that its builder is in, or the entry point of a
plug-in. The registry checks the numbers of a network by its family's record, and nothing here imports Keras:
a builder is named, and imported on use. So is the record of a plug-in's family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any, Literal

from converters.planning import plugins
from converters.planning.plugins import EntryPoint, entry_points
from zoo.errors import RegistryError
from zoo.registry.fields import Choice, Flag, Key, Kind, ListOf, MapOf, Mistake, Number, Path, Record, Whole
from zoo.registry.kinds import COUNT, FRACTION, LAYER, NAME

_NUMBERED = Choice(("keras1", "keras2"))


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Where the configuration of a model shows that a number of its family, a flag, is set.

    Attributes:
        layer: Name of a layer, as its structures have it.
        setting: Of that layer, in the words of Keras 2 and 3.
        value: What it is if the flag is set, as JSON; without the flag it is another, or there is no such
            layer.
    """

    layer: str
    setting: str
    value: object


@dataclass(frozen=True, kw_only=True)
class Family:
    """What the networks of a family have in common.

    Attributes:
        builder: ``MODULE:FUNCTION``, called as :data:`zoo.networks.families.Build` says; it returns a drawing
            or a whole Keras model.
        numbers: The form of a graph's ``config``: kind and meaning of each number that the builder needs, and
            what it is where it is left out, if it may be.
        batch_size: How many images make a batch in fine-tuning; ``None`` for as many as usual.
        scales: Which batch normalisation a ``Scale`` layer of a weights file belongs to: the one in its
            place, as :mod:`converters.planning.folding` tells it by the order of the structure's layers;
            ``None`` where the family's files have no such layers. One that belongs to none is an error when
            weights are read.
        channels_first: Whether it can be drawn with the channels first.
        open_sizes: Whether it can be drawn for images of any size.
        own_classes: ``module:Class`` of layers that are looked for in that module alone. A ``.keras`` file
            names it; to open an ``.h5`` file, a user has to.
        shows: By the name of a number, where a model's configuration shows it: of those in which weights sets
            of one network differ.
    """

    builder: str
    numbers: Mapping[str, Key | tuple[Kind, str]]
    batch_size: int | None = None
    scales: Literal["by position"] | None = None
    channels_first: bool = True
    open_sizes: bool = True
    own_classes: tuple[str, ...] = ()
    shows: Mapping[str, Shown] = field(default_factory=dict)

    @property
    def form(self) -> Record[dict[str, object]]:
        """What checks the numbers of a network, and tells their JSON Schema."""
        return Record(dict, self.numbers)


_ALPHA = Key(Number(0.1, 2.0), "Share of the published number of filters", 1.0)
_MINIMALISTIC = Key(Flag(), "Whether without squeeze-and-excite, hard-swish and 5x5 convolutions", False)
_APPLICATIONS: tuple[tuple[str, str, tuple[str, ...], Mapping[str, Key]], ...] = (
    ("xception", "draw", ("Xception",), {}),
    ("resnet_keras", "draw", ("ResNet50", "ResNet101", "ResNet152"), {}),
    ("resnet_v2", "draw", ("ResNet50V2", "ResNet101V2", "ResNet152V2"), {}),
    ("inception_resnet_v2", "draw", ("InceptionResNetV2",), {}),
    ("mobilenet", "draw", ("MobileNet",), {"alpha": _ALPHA}),
    ("mobilenet_v2", "draw", ("MobileNetV2",), {"alpha": _ALPHA}),
    (
        "mobilenet_v3",
        "draw",
        ("MobileNetV3Large", "MobileNetV3Small"),
        {"alpha": _ALPHA, "minimalistic": _MINIMALISTIC},
    ),
    ("densenet_keras", "draw", ("DenseNet121", "DenseNet169", "DenseNet201"), {}),
    ("nasnet", "draw", ("NASNetMobile", "NASNetLarge"), {}),
    ("efficientnet", "draw_efficientnet", tuple(f"EfficientNetB{size}" for size in range(8)), {}),
    (
        "efficientnet_v2",
        "draw",
        tuple(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
        {},
    ),
    (
        "convnext",
        "draw",
        tuple(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
        {},
    ),
)
"""Networks that Keras brings with it: family, builder, the constructors that draw them, other numbers."""

FAMILIES: Mapping[str, Family] = {
    "vgg": Family(
        builder="zoo.networks.families.vgg:draw",
        numbers={
            "convolutions": (ListOf(COUNT, 5, fixed=True), "Convolutions in each block"),
            "filters": (ListOf(COUNT, 5, fixed=True), "Filters of the convolutions in each block"),
            "dense": (ListOf(COUNT, 1), "Units of the dense layers before the classifier"),
            "dropout": (FRACTION, "Dropped after each of these dense layers"),
        },
    ),
    "googlenet": Family(
        builder="zoo.networks.families.googlenet:draw",
        numbers={
            "modules": (
                MapOf(ListOf(COUNT, 6, fixed=True), NAME),
                "Filters of each inception module: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection",
            ),
            "renamed": (
                MapOf(LAYER, LAYER),
                "Published names of layers that break the pattern MODULE/output",
            ),
        },
    ),
    "inception_v3": Family(
        builder="zoo.networks.families.inception_v3:draw",
        numbers={
            "conv_bias": (Flag(), "Whether convolutions have a bias"),
            "batch_norm_scale": (Flag(), "Whether batch normalisation has a gamma"),
            "relu_before_batch_norm": (Flag(), "Whether ReLU comes before batch normalisation"),
            "pool_filters": (
                ListOf(COUNT, 3, fixed=True),
                "Filters of the pooled branch of mixed0 to mixed2",
            ),
            "factorised_filters": (
                ListOf(ListOf(COUNT, 2, fixed=True), 4, fixed=True),
                "Width of the 7x7 branches of mixed4 to mixed7, first width of the longer one",
            ),
            "last_reduction_pool": (Choice(("average", "max")), "Pooling in mixed8"),
            "naming": (_NUMBERED, "Generation of Keras that numbered the layers"),
        },
    ),
    "inception_v4": Family(
        builder="zoo.networks.families.inception_v4:draw",
        numbers={
            "blocks": (ListOf(COUNT, 3, fixed=True), "Blocks A, B and C"),
            "naming": (_NUMBERED, "Generation of Keras that numbered the layers"),
            "batch_norm_scale": (Flag(), "Whether batch normalisation has a gamma"),
            "dropout": (FRACTION, "Dropped before the classifier"),
        },
    ),
    "resnet": Family(
        builder="zoo.networks.families.resnet:draw",
        numbers={
            "blocks": (ListOf(COUNT, 4, fixed=True), "Blocks in stages 2 to 5"),
            "conv_bias": (Flag(), "Whether convolutions have a bias"),
            "numbered_stages": (
                ListOf(Whole(2, 5)),
                "Stages whose later blocks are called b1, b2 and not b, c",
            ),
            "naming": (
                Choice(("automatic", "caffe")),
                "Names of layers without weights: activation_1 and the like, or Caffe's, as in res2a_relu",
            ),
            "pool_ceil": Key(
                Flag(),
                "Whether the first pooling keeps a last window that is cut off, as Caffe's does",
                False,
            ),
            "pool_pad": Key(
                Flag(),
                "Whether the first pooling has a border of one on every side, as PyTorch's does",
                False,
            ),
            "stride_in_3x3": Key(
                Flag(),
                "Whether the stride of a stage is in its first 3x3 convolution, as in v1.5, and not in the"
                " 1x1 before it",
                False,
            ),
        },
        scales="by position",
        shows={
            "pool_ceil": Shown(layer="pool1_zeropadding", setting="padding", value=[[0, 1], [0, 1]]),
            "pool_pad": Shown(layer="pool1_zeropadding", setting="padding", value=[[1, 1], [1, 1]]),
            "stride_in_3x3": Shown(layer="res3a_branch2b", setting="strides", value=[2, 2]),
        },
    ),
    "densenet": Family(
        builder="zoo.networks.families.densenet:draw",
        numbers={
            "blocks": (ListOf(COUNT, 4, fixed=True), "Layers in each dense block"),
            "growth_rate": (COUNT, "Feature maps that each layer adds"),
            "stem_filters": (COUNT, "Filters of the first convolution"),
            "compression": (FRACTION, "Share of the feature maps that a transition keeps"),
        },
        batch_size=8,
        scales="by position",
    ),
    **{
        name: Family(
            builder=f"zoo.networks.families.applications:{builder}",
            numbers={
                "constructor": (Choice(constructors), "The function of keras.applications that draws it"),
                **numbers,
            },
            batch_size=8 if name == "densenet_keras" else None,
            channels_first=name not in ("nasnet", "convnext", "densenet_keras"),
            open_sizes=name != "nasnet",
            own_classes=("keras.src.applications.convnext:LayerScale",) if name == "convnext" else (),
        )
        for name, builder, constructors, numbers in _APPLICATIONS
    },
}
"""By the name that the registry calls a family by."""


def brought() -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return the families of plug-ins by name, and which plug-ins bring each; none is imported."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(plugins.FAMILIES):
        found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


def family_of(name: str) -> Family:
    """Return the record of a family; that of a plug-in's is imported.

    Args:
        name: The family.

    Raises:
        KeyError: There is no such family; a validated registry names no other.
        RegistryError: The plug-in cannot be imported, or brings something else.
    """
    if name in FAMILIES:
        return FAMILIES[name]
    entry = brought()[name][0]
    found = imported(entry, entry.value)
    if not isinstance(found, Family):
        reason = f"{entry.value} is no Family of {Family.__module__}, as the family {name!r} must be"
        raise RegistryError(f"{entry.package}: {reason}; {plugins.update(entry)}")
    return found


def builder_of(name: str) -> Any:  # noqa: ANN401 - its type is that of a room above
    """Import the module of a family's builder and return the builder.

    Raises:
        RegistryError: It is a plug-in's, and cannot be imported.
    """
    record = family_of(name)
    if name in FAMILIES:
        return resolve_name(record.builder)
    return imported(brought()[name][0], record.builder)


def imported(entry: EntryPoint, reference: str) -> Any:  # noqa: ANN401 - whatever is there
    """Return what a plug-in has at ``MODULE:NAME``.

    Raises:
        RegistryError: It cannot be imported, whatever its code raises.
    """
    try:
        return resolve_name(reference)
    except (Exception, SystemExit) as error:
        reason = f"{reference} cannot be imported: {_told(error)}"
        raise RegistryError(f"{entry.package}: {reason}; {plugins.update(entry)}") from error


def _told(error: BaseException) -> str:
    """Return what an error is and where in a file it was raised, in one line."""
    from traceback import extract_tb  # only mistakes pay for this import

    *_, last = extract_tb(error.__traceback__)
    place = "" if last.filename.startswith("<") else f" ({last.filename}, line {last.lineno})"
    return " ".join(f"{type(error).__name__}: {error}".split()) + place


class FamilyName:
    """The name of a family, of this package or of a plug-in.

    Args:
        others: What may stand in its place.
    """

    def __init__(self, *others: str) -> None:
        self._others = others

    def check(self, value: object, path: Path) -> str | int:
        """Return the name; see :class:`zoo.registry.fields.Kind`."""
        given, name = brought(), value if isinstance(value, str) else ""
        if name in FAMILIES and name not in given:
            return name
        owners = [entry.package for entry in given.get(name, ())]
        owners = ["keras-weight-zoo", *owners] if name in (*FAMILIES, *self._others) else owners
        if len(owners) > 1:
            advice = f"uninstall all but one; {plugins.WITHOUT}"
            raise Mistake(path, f"{value!r} is a family of {' and of '.join(owners)}; {advice}")
        return self._names(given).check(value, path)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema; see :class:`zoo.registry.fields.Kind`."""
        return self._names(brought()).schema()

    def _names(self, given: Mapping[str, object]) -> Choice:
        return Choice((*FAMILIES, *given, *self._others))
