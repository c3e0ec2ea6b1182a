"""Which arrays a layer of tf.keras holds that is none of the kinds of :mod:`converters.layers.table`.

Such arrays only move from file to file: nothing about them depends on the order of maps or on a backend. A
layer has one or more parts, since a recurrent layer of cells holds those of each cell. For each array three
facts are told: what ``.h5`` files call it, where ``.keras`` archives keep it, and what it is called here.

Sources: build() of the layers under tf_keras/src/layers, tf-keras 2.21, for names and their order, and
_walk_trackable() in tf_keras/src/saving/saving_lib.py for places in archives, which are called after
attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from converters.layers.config import Config, Setting, is_layer
from converters.layers.model import Array
from converters.layers.names import kind_of_class, snake_case3
from converters.layers.table import KINDS, OTHER, WAYS
from converters.upgrading.graph import Node


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an array lies.

    Attributes:
        role: What it is to its layer.
        named: How its name in an ``.h5`` file ends: what stands behind the layer's name.
        archived: Its path below the layer's group in a ``.keras`` archive.
    """

    role: str
    named: str
    archived: str


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A part of a layer with arrays.

    Attributes:
        kind: The kind whose rules its arrays follow; ``Other`` if they are only moved.
        places: Its arrays in their order.
        direction: Which of the two layers of a Bidirectional it lies in, if it does.
    """

    kind: str
    places: tuple[Place, ...]
    direction: str | None = None


def _vars(*roles: str, kind: str = OTHER) -> Callable[[Node], tuple[Holding, ...]]:
    """Return what holds arrays of its own; an archive numbers those that are there."""

    def holdings(node: Node) -> tuple[Holding, ...]:
        own = [role for role in roles if has_array(node, role)]
        places = [Place(role=role, named=role, archived=f"vars/{number}") for number, role in enumerate(own)]
        return (Holding(kind=kind, places=tuple(places)),)

    return holdings


# The settings without which a layer lacks an array.
_SWITCHES: Mapping[str, Callable[[Mapping[str, object]], bool]] = {
    "gamma": lambda settings: bool(settings.get("scale", True)),
    "beta": lambda settings: bool(settings.get("center", True)),
    "scale": lambda settings: bool(settings.get("use_scale")),
    "concat_score_weight": lambda settings: settings.get("score_mode") == "concat",
    "mean": lambda settings: settings.get("mean") is None,
    "variance": lambda settings: settings.get("mean") is None,
    "count": lambda settings: settings.get("mean") is None,
}


def has_array(node: Node, role: str) -> bool:
    """Return whether a layer has an array, by its settings: not without a bias, a slope or an offset."""
    settings = node.settings
    if role == "bias":
        return bool(settings["bias_axes"] if "bias_axes" in settings else settings.get("use_bias", True))
    return role not in _SWITCHES or _SWITCHES[role](settings)


ATTENTION = {"query": "query", "key": "key", "value": "value", "attention_output": "output"}
"""The dense layers of a MultiHeadAttention, as arrays' names have them, and as its attributes do."""


def _multi_head(node: Node) -> tuple[Holding, ...]:
    roles = ("kernel", "bias") if node.settings.get("use_bias", True) else ("kernel",)
    places = tuple(
        Place(
            role=f"{attribute}_dense/vars/{number}",
            named=f"{name}/{role}",
            archived=f"_{attribute}_dense/vars/{number}",
        )
        for name, attribute in ATTENTION.items()
        for number, role in enumerate(roles)
    )
    return (Holding(kind=OTHER, places=places),)


CELLS: Mapping[str, str] = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "SimpleRNN"}
"""The cells of recurrent layers, and the kind that has their arrays."""


def cells_of(node: Node) -> tuple[Config, ...]:
    """Return the cells of a recurrent layer that is told its cells, in their order; none if it has others."""
    cell: Setting = node.settings.get("cell")
    if not is_layer(cell):
        return ()
    if cell["class_name"] != "StackedRNNCells":
        return (cell,)
    listed = cell["config"].get("cells") if isinstance(cell["config"], dict) else None
    return tuple(listed) if isinstance(listed, list) and all(map(is_layer, listed)) else ()


def is_stacked(node: Node) -> bool:
    """Return whether the cells of a recurrent layer lie in one that stacks them."""
    cell: Setting = node.settings.get("cell")
    return is_layer(cell) and cell["class_name"] == "StackedRNNCells"


def cell_paths(node: Node) -> Iterator[tuple[Config, str]]:
    """Yield each cell of a recurrent layer with the path of its arrays below the layer's group."""
    numbers: dict[str, int] = {}
    for cell in cells_of(node):
        stem = snake_case3(str(cell["class_name"]))
        number = numbers[stem] = numbers.get(stem, -1) + 1
        inside = f"/cells/{stem}" + (f"_{number}" if number else "") if is_stacked(node) else ""
        yield cell, f"cell{inside}/vars"


def _of_cells(node: Node) -> tuple[Holding, ...]:
    return tuple(_cell(cell, path) for cell, path in cell_paths(node) if str(cell["class_name"]) in CELLS)


def _cell(cell: Config, path: str) -> Holding:
    settings = cell["config"] if isinstance(cell["config"], dict) else {}
    roles = ("kernel", "recurrent_kernel", *(("bias",) if settings.get("use_bias", True) else ()))
    places = [Place(role=role, named=role, archived=f"{path}/{number}") for number, role in enumerate(roles)]
    return Holding(kind=CELLS[str(cell["class_name"])], places=tuple(places))


def _in_cell(kind: str) -> Callable[[Node], tuple[Holding, ...]]:
    def holdings(node: Node) -> tuple[Holding, ...]:
        (found,) = _vars("kernel", "recurrent_kernel", "bias", kind=kind)(node)
        places = [replace(place, archived=f"cell/{place.archived}") for place in found.places]
        return (replace(found, places=tuple(places)),)

    return holdings


_IDF = ("", "_lookup_layer/")
"""Where a lookup keeps how rare its words are: by itself, and for a TextVectorization in the one within."""


def _lookup(node: Node) -> tuple[Holding, ...]:
    if node.settings.get("output_mode") not in ("tf_idf", "tf-idf"):
        return ()
    paths = [f"{path}vars/idf_weights" for path in _IDF[: 1 + (node.class_name == "TextVectorization")]]
    places = [Place(role=path, named="idf_weights", archived=path) for path in paths]
    return (Holding(kind=OTHER, places=tuple(places)),)


def _spectral(node: Node) -> tuple[Holding, ...]:
    """Return the arrays of the layer in a SpectralNormalization, and the vector that this has besides."""
    inner = node.inner
    kind = kind_of_class(inner.class_name) if inner is not None else ""
    if inner is None or kind not in KINDS:
        return ()
    roles = [role for role in KINDS[kind].arrays if has_array(inner, role)]
    places = [
        Place(role=role, named=role, archived=f"layer/vars/{number}") for number, role in enumerate(roles)
    ]
    # An archive has the kernel twice: of the layer in it, and as an attribute of its own.
    own = (
        Place(role="vector_u", named="vector_u", archived="vars/1"),
        Place(role="kernel", named="kernel/again", archived="vars/0"),
    )
    return Holding(kind=kind, places=tuple(places)), Holding(kind=OTHER, places=own)


UNTRAINED = frozenset(
    ("mean", "variance", "count", "bin_boundaries", "vector_u", *(f"{path}vars/idf_weights" for path in _IDF))
)
"""The roles of arrays of such layers that training changes otherwise than by an optimizer."""


HOLDINGS: Mapping[str, Callable[[Node], tuple[Holding, ...]]] = {
    "LayerNormalization": _vars("gamma", "beta"),
    "GroupNormalization": _vars("gamma", "beta"),
    "EinsumDense": _vars("kernel", "bias"),
    "Attention": _vars("scale", "concat_score_weight"),
    "AdditiveAttention": _vars("scale"),
    "Normalization": _vars("mean", "variance", "count"),
    "Discretization": _vars("bin_boundaries"),
    "MultiHeadAttention": _multi_head,
    "Conv1DTranspose": _vars("kernel", "bias", kind="Conv2DTranspose"),
    "DepthwiseConv1D": _vars("depthwise_kernel", "bias", kind="DepthwiseConv2D"),
    "ConvLSTM1D": _in_cell("ConvLSTM2D"),
    "ConvLSTM3D": _in_cell("ConvLSTM2D"),
    "RNN": _of_cells,
    "SpectralNormalization": _spectral,
    **dict.fromkeys(("StringLookup", "IntegerLookup", "TextVectorization"), _lookup),
}
"""What each class holds. One that has no arrays in its settings holds none."""


def holdings_of(leaf: Node) -> tuple[Holding, ...] | None:
    """Return the parts of a layer, or of the two of a Bidirectional; None if its kind has a record."""
    inner = leaf.inner if leaf.class_name == WAYS else None
    found = HOLDINGS.get((inner or leaf).class_name)
    if found is None:
        return None
    if inner is None:
        return found(leaf)
    return tuple(_in_way(part, way) for way in ("forward", "backward") for part in found(inner))


def _in_way(part: Holding, way: str) -> Holding:
    places = [replace(place, archived=f"{way}_layer/{place.archived}") for place in part.places]
    return replace(part, places=tuple(places), direction=way)


def taken(pool: list[Array], places: Sequence[Place]) -> tuple[Array, ...]:
    """Take the arrays of a part out of those of an ``.h5`` file's layer, each the first whose name fits."""
    found = []
    for place in places:
        array = next((array for array in pool if _ends(array.name, place.named)), None)
        if array is not None:
            pool.remove(array)
            found.append(replace(array, role=place.role, gate=None))
    return tuple(found)


def _ends(name: str, wanted: str) -> bool:
    words = name.rpartition(":")[0].split("/")
    words[-1] = words[-1] if words[-1] == wanted else _without_number(words[-1])
    count = wanted.count("/") + 1
    return "/".join(words[-count:]) == wanted


def _without_number(word: str) -> str:
    start, _, number = word.rpartition("_")
    return start if number.isdecimal() else word
