"""The kind of a layer, and the roles of arrays without names, from shapes and numbers alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from converters.arrays.form import Shape
from converters.layers.shapes import may_be_1d
from converters.layers.table import GATES, KINDS, NATIVE, Cell, Kind, Unnamed, cell_of

# A recurrent layer that either class of Keras 2 reads and writes: the bias tells whose the arrays are.
_EITHER = {**NATIVE, **{native: kind for kind, native in NATIVE.items()}}


def infer_kind(shapes: Mapping[str, Shape], dialect: str) -> str | None:
    """Return the kind of a layer that only its arrays tell, or None.

    Args:
        shapes: The shape of each array by its role, with its gate if it has one (``kernel_i``).
        dialect: The file's dialect.
    """
    roles = set(shapes)
    if kind := _gated_kind(shapes):
        return kind
    for kind, (needed, allowed) in _BY_ROLES.items():
        if needed <= roles <= allowed:
            return kind if _fits(kind, shapes) else None
    if {"kernel", "recurrent_kernel"} <= roles <= {"kernel", "recurrent_kernel", "bias"}:
        return _packed_kind(shapes["recurrent_kernel"], shapes.get("bias"))
    if "kernel" in roles and roles <= {"kernel", "bias"}:
        return _kernel_kind(shapes["kernel"], shapes.get("bias"), dialect)
    return None


TAKEN_FOR = "Conv2D"
"""What a kernel of Keras 0 or 1 that may be 1-D or 2-D is beside one that can only be 2-D."""


def is_2d(kind: str | None) -> bool:
    """Return whether a layer proves that there are 2-D convolutions, which 1-D ones do not lie beside."""
    return kind in (TAKEN_FOR, KINDS[TAKEN_FOR].alike)


def by_bias(kind: str, shapes: Mapping[str, Shape], dialect: str) -> str:
    """Return the kind of a layer whose class is known: of LSTM and CuDNNLSTM, that of its bias.

    Keras 2 loads the arrays of either into the other, and goes by the bias too.

    Args:
        kind: The layer's kind, as its class, its name or the user tells it.
        shapes: See :func:`infer_kind`.
        dialect: The file's dialect.
    """
    found = infer_kind(shapes, dialect) if kind in _EITHER else None
    return found if found == _EITHER.get(kind) and found else kind


def _needed(kind: Kind) -> frozenset[str]:
    """Return the roles that no layer of a kind lacks."""
    return frozenset(role for role, found in kind.arrays.items() if found.optional is None)


# The roles that a layer must have, and may have, to be of a kind.
_BY_ROLES = {
    name: (_needed(kind), frozenset(kind.arrays)) for name, kind in KINDS.items() if kind.told_by_roles
}


def _fits(name: str, shapes: Mapping[str, Shape]) -> bool:
    """Return whether arrays have the ranks of a kind, where these tell it from others of the same roles."""
    kind = KINDS[name]
    if kind.ranks == (1,):
        return all(len(shape) == 1 for shape in shapes.values())
    alone = sum(other.arrays.keys() == kind.arrays.keys() for other in KINDS.values()) == 1
    return alone or kind.ranks is None or len(shapes[next(iter(kind.arrays))]) in kind.ranks


def _gated_kind(shapes: Mapping[str, Shape]) -> str | None:
    gates = {role.rpartition("_")[2] for role in shapes if role.startswith(("kernel_", "recurrent_kernel_"))}
    rank = max((len(shape) for shape in shapes.values()), default=0)
    fitting = (kind for kind, letters in GATES.items() if set(letters) == gates)
    return next((kind for kind in fitting if rank in (KINDS[kind].ranks or (rank,))), None)


def _packed(kinds: Mapping[str, str]) -> dict[tuple[int, int], str]:
    """Return kinds by the rank and the number of gates of the kernels of recurrent layers.

    Args:
        kinds: Each kind with the one whose kernels it has.
    """
    like = ((kind, KINDS[native].ranks or (), GATES.get(native, "-")) for kind, native in kinds.items())
    return {(rank, len(gates)): kind for kind, ranks, gates in like for rank in ranks}


_PACKED = _packed({kind: kind for kind in KINDS if cell_of(kind)})
_CUDNN = _packed(NATIVE)


def _packed_kind(recurrent: Shape, bias: Shape | None) -> str | None:
    units = recurrent[-2] if len(recurrent) > 1 else 0
    times = recurrent[-1] // units if units and recurrent[-1] % units == 0 else 0
    # cuDNN's layers have the same kernels and twice the biases in one vector, reset_after in two rows.
    if bias == (2 * recurrent[-1],):
        return _CUDNN.get((len(recurrent), times))
    if bias not in (None, recurrent[-1:], (2, recurrent[-1])):
        return None
    return _PACKED.get((len(recurrent), times))


def _kernel_kind(kernel: Shape, bias: Shape | None, dialect: str) -> str | None:
    rank = len(kernel)
    if rank == 3:
        return _rank_3_kind(kernel, bias, dialect)
    kind = {2: "Dense", 4: "Conv2D", 5: "Conv3D"}.get(rank)
    if kind is None or bias is None:
        return kind
    if len(bias) != 1:
        return None
    # Outputs lie first in (O,I,H,W) and last everywhere else; a transposed kernel has them second to last.
    old = dialect in ("keras0", "keras1")
    if old and may_be_1d(kernel, bias):
        return None
    if bias[0] in {kernel[-1]} | ({kernel[0]} if old and rank > 3 else set()):
        return kind
    return f"{kind}Transpose" if rank > 3 and not old and bias[0] == kernel[-2] else None


def _rank_3_kind(kernel: Shape, bias: Shape | None, dialect: str) -> str | None:
    """Return the kind of a kernel of rank three, which its bias tells: 1-D, locally connected, or maxout."""
    if bias is None:
        return None
    if len(bias) == 1 and dialect not in ("keras0", "keras1"):
        return "Conv1D" if bias[0] == kernel[-1] else None
    if len(bias) == 3 and bias[-1] == kernel[-1] and bias[0] * bias[1] == kernel[0]:
        return "LocallyConnected2D"
    if bias != (kernel[0], kernel[-1]):
        return None
    # In Keras 1 the same shapes may be either of two kinds.
    return {"keras0": "MaxoutDense", "keras1": None}.get(dialect, "LocallyConnected1D")


def roles_by_number(kind: str | None, ranks: Sequence[int], *, in_cell: bool) -> tuple[str | None, ...]:
    """Return the roles of arrays that are only numbered: Keras 3 keeps them in the order of the table.

    Args:
        kind: The layer's kind, or None.
        ranks: How many axes each array has.
        in_cell: Whether they lie in a recurrent layer's cell.

    Returns:
        One role for each array, None where nothing tells it.
    """
    roles: tuple[str | None, ...] = ()
    if kind in KINDS:
        roles = _kept(KINDS[str(kind)], len(ranks))
    elif kind is None and in_cell:
        roles = next(tuple(record.arrays) for record in KINDS.values() if isinstance(record.recurrent, Cell))
    elif kind is None and len(ranks) == 2 and ranks[0] > ranks[1] == 1:
        roles = ("kernel", "bias")
    return (*roles, *(None,) * len(ranks))[: len(ranks)]


def _kept(kind: Kind, count: int) -> tuple[str, ...]:
    """Return the roles that so many arrays of a kind have; none where it may be one or another that lacks."""
    spare = len(kind.arrays) - len(_needed(kind))
    if count >= len(kind.arrays) or spare < 2:
        return tuple(kind.arrays)
    return tuple(role for role in kind.arrays if role in _needed(kind)) if count == len(_needed(kind)) else ()


Places = tuple[tuple[str, str | None], ...]
"""Role and gate of arrays without names, one after the other."""


def _places(kind: str, unnamed: Unnamed) -> Places:
    cell = cell_of(kind)
    gates = cell.gates.apart if cell and cell.gates else [None]
    return tuple((role, gate) for gate in gates for role in unnamed.roles)


def _unnamed() -> list[tuple[str, Unnamed, Places]]:
    """Return how the layers of Keras 0 are told, those with most arrays first."""
    found = [
        (name, unnamed, _places(name, unnamed)) for name, kind in KINDS.items() for unnamed in kind.unnamed
    ]
    return sorted(found, key=lambda entry: -len(entry[2]))


_UNNAMED = _unnamed()
# No layer has more arrays; one that has an array alone is told by the one behind it too.
_MOST_PLACES = max(2, *(len(places) for _, _, places in _UNNAMED))


def numbered_layers(shapes: Sequence[Shape], *, several: bool) -> Iterator[tuple[str | None, Places]]:
    """Cut arrays without names into layers.

    Args:
        shapes: The shapes of all arrays of a layer, or of a Graph, of Keras 0.x.
        several: Whether they are those of several layers. A Highway is then not told from two Dense layers.

    Yields:
        A kind, or None where two fit, and the roles of its arrays; at last None and nothing if arrays are
        left that fit no kind.
    """
    start = 0
    while start < len(shapes):
        found = _fitting(shapes[start : start + _MOST_PLACES], several)
        if found is None:
            yield None, ()
            return
        yield found
        start += len(found[1])


def _fitting(shapes: Sequence[Shape], several: bool) -> tuple[str | None, Places] | None:
    """Return the kind and the roles of the first layer, without a kind where two fit; None if none does."""
    fitting = [(kind, places) for kind, unnamed, places in _UNNAMED if _is(unnamed, places, shapes, several)]
    if not fitting:
        return None
    kind, places = fitting[0]
    alike = {other for other, others in fitting if len(others) == len(places)}
    return kind if len(alike) == 1 else None, places


def _is(unnamed: Unnamed, places: Places, shapes: Sequence[Shape], several: bool) -> bool:
    first = shapes[: len(places)]
    # An array alone has no other of its shape behind it: that would be a layer that is not in the table.
    if len(places) == 1 and shapes[1:2] == shapes[:1]:
        return False
    ranks = unnamed.ranks * (len(places) // len(unnamed.ranks))
    return tuple(map(len, first)) == ranks and unnamed.fits(first) and (unnamed.among_others or not several)
