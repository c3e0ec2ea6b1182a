"""Comparing two weights files of any layout, kernels and dialect as if they were in one form."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from converters.api import checked_version, match_of
from converters.arrays import blocks
from converters.arrays.equating import CLASS_0, Rewritten, input_rewrites, without_class
from converters.arrays.form import TF, Form, Kernels, Layout, Shape, checked_axis
from converters.arrays.moves import Piece, Values
from converters.arrays.planned import Output, PlannedArray
from converters.errors import ArgumentError, counted, warn_of
from converters.formats.description import Description
from converters.formats.dialects import describe
from converters.formats.foreign import ForeignSource
from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import DatasetInfo, datasets_of
from converters.hdf5.source import Source
from converters.layers.model import plain_name
from converters.layers.table import NATIVE
from converters.planning.facts import Fact, learn_kernels, learn_layout
from converters.planning.flatten import Flatten
from converters.planning.making import make_plan
from converters.planning.plan import Plan
from converters.planning.structures import Match, load_structure
from converters.writing.copying import source_values
from converters.writing.files import scratch

Status = Literal["equal", "permuted", "different"]
_Planned = PlannedArray | Output
_Layers = dict[str, dict[str, _Planned]]
Either = str | None | tuple[str | None, str | None]
"""What is said of both files, or a pair: what is said of the first and of the second."""


@dataclass(frozen=True, kw_only=True)
class LayerComparison:
    """How a layer of one file compares with the same layer of the other.

    Attributes:
        name: Its name in the first file, or in the second if only that has it.
        status: ``equal`` as the files are, ``permuted`` if equal once both are in one form, or ``different``.
        values: The values that were compared.
        differing: How many of them are not equal.
        largest: The largest absolute difference.
        relative: The same, by the largest absolute value of the array in the first file.
        detail: What was permuted, or why there is nothing to compare.
        rules: The names of the rules that its values are equal after, where moving them is not enough.
    """

    name: str
    status: Status
    values: int = 0
    differing: int = 0
    largest: float = 0.0
    relative: float = 0.0
    detail: str = ""
    rules: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values that JSON can hold; a difference that is no number is None."""
        return {
            "name": self.name,
            "status": self.status,
            "values": self.values,
            "differing": self.differing,
            "largest": self.largest if math.isfinite(self.largest) else None,
            "relative": self.relative if math.isfinite(self.relative) else None,
            "detail": self.detail,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How two weights files compare, layer by layer.

    Attributes:
        first: A file: its path, or its address.
        second: Another one.
        layers: How each layer compares.
    """

    first: Path | str
    second: Path | str
    layers: tuple[LayerComparison, ...]

    @property
    def equal(self) -> bool:
        """Whether all layers are, once the files are in one form."""
        return all(layer.status != "different" for layer in self.layers)

    def __repr__(self) -> str:
        """Return how they compare in one line; each attribute can be looked at."""
        return f"<{self}>"

    def __str__(self) -> str:
        """Return one line."""
        counts = Counter(layer.status for layer in self.layers)
        found = ", ".join(f"{counts[status]} {status}" for status in ("equal", "permuted", "different"))
        return f"{'equal' if self.equal else 'different'}: of {counted(len(self.layers), 'layer')} {found}"

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values that JSON can hold."""
        return {
            "first": str(self.first),
            "second": str(self.second),
            "equal": self.equal,
            "layers": [layer.as_dict() for layer in self.layers],
        }


@dataclass(frozen=True, kw_only=True)
class _File:
    """One of the two files, and what the user says of it."""

    description: Description
    match: Match | None
    layout: Layout | None
    kernels: Kernels | None

    def form(self) -> Form | None:
        """Return what it is, if that is known."""
        layout, kernels = self.told()
        return Form(layout=layout.value, kernels=kernels.value) if layout and kernels else None

    def told(self) -> tuple[Fact | None, Fact | None]:
        """Return what tells its layout and its kernels."""
        layout = learn_layout(self.description, user=self.layout, match=self.match)
        return layout, learn_kernels(self.description, layout, user=self.kernels)

    @property
    def folded(self) -> bool:
        """Whether it holds a network with its ``Scale`` layers folded: then so is the other one."""
        if self.match is None:
            return self.description.record is not None and bool(self.description.record.folded)
        structure = self.match.structure
        return not structure.scales and bool(load_structure(structure.name).scales)

    def plan(self, target: Form, to: str | None, flatten: Flatten, *, fold: bool) -> Plan:
        """Return how it comes into the form in which the two are compared."""
        return make_plan(
            self.description,
            target=target,
            to=to,
            from_layout=self.layout,
            from_kernels=self.kernels,
            flatten=flatten,
            match=self.match,
            fold=fold,
            compared=True,
        )


@dataclass(frozen=True, kw_only=True)
class Held:
    """A file that holds a published graph.

    Attributes:
        description: What it is.
        match: How its layers are those of one of the graph's structures.
        form: Its layout and kernels; None if the file tells them.
        names: What the graph calls the file's layers.
        first: The graph's layer that takes the images.
        heads: Its classifiers.
    """

    description: Description
    match: Match
    form: Form | None
    names: Mapping[str, str]
    first: str | None = None
    heads: Collection[str] = ()

    @property
    def dropped(self) -> Mapping[str, str]:
        """What is left out of the graph's layers, in words."""
        return {self.names.get(name, name): words for name, words in self.match.dropped.items()}


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One of the two files, open, and its datasets by their paths.

    Attributes:
        bitwise: Whether values are equal only if all their bits are.
    """

    source: Source
    known: Mapping[str, DatasetInfo]
    bitwise: bool = False

    @property
    def computed(self) -> Mapping[str, str]:
        """What is done to arrays as they are read, by their paths."""
        return self.source.computed if isinstance(self.source, ForeignSource) else {}


def compare_files(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    *,
    from_layout: Either = None,
    from_kernels: Either = None,
    arch: Either = None,
    flatten: Flatten | None = None,
    layers: Mapping[str, str] | None = None,
    keras_version: Either = None,
) -> Comparison:
    """Compare two weights files as if they were in one form.

    Layers belong together by their names; or, if the files do not have the same names but the same arrays in
    the same order, by that order.

    Args:
        first: A file.
        second: Another one.
        from_layout: ``"th"`` or ``"tf"``: the layout of both, where no record in them tells it; or a pair,
            what is said of the first and of the second, whatever else says so, each of which may be None. So
            too with the other pairs.
        from_kernels: How their kernels are stored, or a pair.
        arch: An architecture whose layers they must have, or a pair.
        flatten: The feature maps that are flattened, by layer, where neither file tells, as
            :func:`converters.convert_file` takes them.
        layers: The kinds of layers that the files do not tell.
        keras_version: The version of Keras that wrote them, where they do not say it, or a pair.

    Raises:
        FileFormatError: If one of them is not a weights file that can be read.
        ConversionError: If they cannot be brought into one form.
        StructureMismatchError: If one of them has not the layers of ``arch``.
        ArgumentError: If an argument has a value that is not allowed, or something is said of a layer that
            neither of them has.

    Warns:
        ConversionWarning: What had to be taken for granted, where anything is permuted.
    """
    versions = map(checked_version, _both(keras_version))
    found = [
        _described(Path(path), layers or {}, version)
        for path, version in zip((first, second), versions, strict=True)
    ]
    said = (_of_each("layout", from_layout, found), _of_each("kernels", from_kernels, found), _both(arch))
    one, other = (
        _file(description, facts) for description, facts in zip(found, zip(*said, strict=True), strict=True)
    )
    _check_names(one.description, other.description, {**(flatten or {}), **(layers or {})})
    fold = one.folded or other.folded
    form, to = (TF, "npz") if fold else _common(one, other)
    plans = [
        here.plan(form, to, _rows(here.description, there.description, flatten or {}), fold=fold)
        for here, there in ((one, other), (other, one))
    ]
    if any(plan.changed for plan in plans):
        for plan in plans:
            warn_of(plan.path, plan.typed_notes, stacklevel=2)
    return _compared_files(plans[0], plans[1])


def compare_held(first: Held, second: Held, *, fold: bool = False) -> Comparison:
    """Compare two files of one published graph by its names, bit for bit.

    Args:
        first: A file.
        second: Another one.
        fold: Whether a slope and an offset count as part of the batch normalisation before them.

    Raises:
        FileFormatError: If one of them cannot be read.
        ConversionError: If they cannot be brought into one form.
    """
    plans = [
        make_plan(
            held.description,
            target=TF,
            to="npz",
            from_layout=held.form.layout if held.form else None,
            from_kernels=held.form.kernels if held.form else None,
            match=held.match,
            fold=fold,
            compared=True,
        )
        for held in (first, second)
    ]
    one, other = plans
    return _compared_files(one, other, (first, second))


def _compared_files(one: Plan, other: Plan, held: tuple[Held, Held] | None = None) -> Comparison:
    """Compare two files; where they hold one graph, by its names, and bit for bit."""
    with open_untrusted(one.path) as a, open_untrusted(other.path) as b:
        sides = [_Side(source=side, known=datasets_of(side.tree), bitwise=bool(held)) for side in (a, b)]
        layers = [_by_layer(one), _by_layer(other)]
        if held:
            layers = [
                {graph.names.get(name, name): arrays for name, arrays in found.items()}
                for found, graph in zip(layers, held, strict=True)
            ]
        pairs = _pairs(*layers)
        compared = tuple(
            _compare_layer(name, here, there, *sides, held=held[0] if held else None)
            for name, here, there in pairs
        )
    if held:
        compared = tuple(_with_dropped(layer, held) for layer in compared)
    return Comparison(first=one.path, second=other.path, layers=compared)


def _with_dropped(layer: LayerComparison, held: tuple[Held, Held]) -> LayerComparison:
    """Return a layer with what one of the files has of it and the graph no place for."""
    found = [side.dropped[layer.name] for side in held if layer.name in side.dropped]
    if not found:
        return layer
    detail = ", ".join([*found, *([layer.detail] if layer.detail else [])])
    status = "permuted" if layer.status == "equal" else layer.status
    return replace(layer, status=status, detail=detail, rules=tuple(dict.fromkeys((*found, *layer.rules))))


def _both(value: Either) -> tuple[str | None, str | None]:
    """Return what is said of each file.

    Raises:
        ArgumentError: If something is said of more or fewer than two.
    """
    if not isinstance(value, tuple | list):
        return value, value
    if len(value) != 2:
        raise ArgumentError(f"what is said of each of two files is a pair, not {value!r}")
    return value[0], value[1]


def _of_each(axis: str, value: Either, files: Sequence[Description]) -> tuple[str | None, str | None]:
    """Return what is said of each file's layout or kernels: what is said of both, of those that do not tell.

    Raises:
        ArgumentError: If something is said of both that the records of both contradict.
    """
    if value is None or isinstance(value, tuple | list):
        return _both(value)
    value = checked_axis(value, f"from_{axis}")
    one, other = (_recorded(file, axis) for file in files)
    if one and other and {one, other} != {value}:
        text = f"{axis} {one} and {other} stand in the records of {files[0].path} and {files[1].path}"
        advice = f"say --from-{axis} and --second-from-{axis} (a pair) if they are wrong"
        raise ArgumentError(f"{text}; {advice}")
    return (None if one else value, None if other else value)


def _recorded(description: Description, axis: str) -> str | None:
    """Return the layout or the kernels that a file's own record or description states."""
    form = description.record.form if description.record else description.form
    return getattr(form, axis) if form else None


def _file(description: Description, said: tuple[str | None, ...]) -> _File:
    layout, kernels, arch = said
    return _File(
        description=description,
        match=match_of(description, arch),
        layout=checked_axis(layout, "from_layout"),
        kernels=checked_axis(kernels, "from_kernels"),
    )


def _check_names(one: Description, other: Description, said: Collection[str]) -> None:
    known = _names(one) | _names(other)
    if unknown := [name for name in said if plain_name(name) not in known]:
        raise ArgumentError(f"neither {one.path} nor {other.path} has a layer {unknown[0]!r} with weights")


def _described(path: Path, layers: Mapping[str, str], version: str | None) -> Description:
    known = _names(describe(path, keras_version=version)) if layers else frozenset()
    here = {name: kind for name, kind in layers.items() if plain_name(name) in known}
    return describe(path, keras_version=version, layers=here)


def _names(description: Description) -> frozenset[str]:
    layers = {layer.name for layer in description.weighted}
    return frozenset(map(plain_name, layers | {part.name for part in description.parts}))


def _common(one: _File, other: _File) -> tuple[Form, str | None]:
    """Return the form, and the dialect if it is not that of both files, in which the two are compared."""
    here, there = one.description, other.description
    if here.dialect != there.dialect or _of_cudnn(here) != _of_cudnn(there):
        return TF, "npz"
    if form := one.form() or other.form():
        return form, None
    known = [kernels.value for _, kernels in (one.told(), other.told()) if kernels]
    return replace(TF, kernels=known[0]) if known else TF, None


def _of_cudnn(description: Description) -> bool:
    """Return whether a file holds cuDNN's layers, whose arrays another dialect has in Keras' own form."""
    return any(part.kind in NATIVE for part in description.parts)


def _rows(here: Description, there: Description, said: Flatten) -> Flatten:
    """Return what the user says of a file's rows, and else what the other file's record does."""
    names = _names(here)
    recorded = there.record.network if there.record and not here.record else None
    told: Flatten = {
        part.name: part.flattened.text
        for layer in (recorded.layers if recorded else ())
        for part in layer.parts
        if part.flattened and part.flattened.rows
    }
    return {name: rows for name, rows in {**told, **said}.items() if plain_name(name) in names}


def _by_layer(plan: Plan) -> _Layers:
    """Return a plan's arrays by layer and role; a role that a layer has twice is numbered."""
    found: _Layers = {}
    seen: Counter[tuple[str, str]] = Counter()
    for array in plan.outputs if plan.to else plan.arrays:
        seen[array.layer, array.role] += 1
        count = seen[array.layer, array.role]
        found.setdefault(array.layer, {})[f"{array.role} {count}" if count > 1 else array.role] = array
    return found


def _pairs(one: _Layers, other: _Layers) -> Iterator[tuple[str, dict[str, _Planned], dict[str, _Planned]]]:
    """Yield the layers that belong together, with nothing on one side where the other has no such layer."""
    names = {plain_name(name): name for name in other}
    if names.keys() == {plain_name(name) for name in one}:
        yield from ((name, arrays, other[names[plain_name(name)]]) for name, arrays in one.items())
    elif list(map(_outline, one.values())) == list(map(_outline, other.values())):
        for (name, arrays), there in zip(one.items(), other.values(), strict=True):
            yield name, arrays, there
    else:
        for name, arrays in one.items():
            yield name, arrays, other.get(names.pop(plain_name(name), ""), {})
        yield from ((name, {}, other[name]) for name in names.values())


def _outline(arrays: Mapping[str, _Planned]) -> dict[str, Shape]:
    return {role: array.target_shape for role, array in arrays.items()}


def _compare_layer(
    name: str,
    here: Mapping[str, _Planned],
    there: Mapping[str, _Planned],
    a: _Side,
    b: _Side,
    *,
    held: Held | None,
) -> LayerComparison:
    empty = LayerComparison(name=name, status="different")
    if not here or not there:
        return replace(empty, detail=f"only in the {'first' if here else 'second'} file")
    if list(here) != list(there):
        return replace(empty, detail=f"{', '.join(here)} in the first file, {', '.join(there)} in the second")
    shapes = [{role: array.target_shape for role, array in side.items()} for side in (here, there)]
    dropped = without_class(*shapes) if held and name in held.heads else None
    unlike = [role for role in here if shapes[0][role] != shapes[1][role]]
    if unlike and not dropped:
        role = unlike[0]
        return replace(empty, detail=f"{role} {shapes[0][role]} and {shapes[1][role]}")
    arrays = [_Pair(role=role, first=here[role], second=there[role]) for role in here]
    rewrites = held is not None and name == held.first
    return _compared(name, arrays, a, b, dropped=dropped, rewrites=rewrites)


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """The same array of both files.

    Attributes:
        role: What it is to its layer.
        first: What becomes of it in the first file.
        second: And in the second.
    """

    role: str
    first: _Planned
    second: _Planned


@dataclass(frozen=True, kw_only=True)
class _Found:
    """How two arrays compare: what a :class:`LayerComparison` says, and the largest absolute value."""

    values: int
    differing: int
    largest: float
    scale: float
    rules: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def relative(self) -> float:
        """The largest difference by the largest value."""
        return self.largest / self.scale if self.scale else math.inf if self.largest else 0.0


def _compared(
    name: str,
    pairs: list[_Pair],
    a: _Side,
    b: _Side,
    *,
    dropped: tuple[bool, bool] | None,
    rewrites: bool,
) -> LayerComparison:
    found = [
        _compared_arrays(pair, a, b, dropped=dropped, rewrites=rewrites and pair.role == "kernel")
        for pair in pairs
    ]
    differing = sum(one.differing for one in found)
    read = {word for pair in pairs for word in (*_as_read(pair.first, a), *_as_read(pair.second, b))}
    moved = {
        f"{pair.role} {' and '.join(words)}"
        for pair in pairs
        for array, side in ((pair.first, a), (pair.second, b))
        if (words := (*_as_read(array, side), *_actions(array)))
    }
    changed = [f"{pair.role} {word}" for pair, one in zip(pairs, found, strict=True) for word in one.words]
    rules = dict.fromkeys((*(rule for one in found for rule in one.rules), *sorted(read)))
    return LayerComparison(
        name=name,
        status="different" if differing else "permuted" if moved or changed else "equal",
        values=sum(one.values for one in found),
        differing=differing,
        largest=max((one.largest for one in found), default=0.0),
        relative=max((one.relative for one in found), default=0.0),
        detail=", ".join([*changed, *([] if differing else sorted(moved))]),
        rules=tuple(rules),
    )


def _compared_arrays(
    pair: _Pair, a: _Side, b: _Side, *, dropped: tuple[bool, bool] | None, rewrites: bool
) -> _Found:
    """Compare an array of both files; with a rule, where it makes them equal, or nearly so."""
    first, second = _brought(pair.first, a), _brought(pair.second, b)
    if dropped:
        first, second = (
            values[..., 1:] if drop else values for values, drop in zip((first, second), dropped, strict=True)
        )
        found = _difference(np.ascontiguousarray(first), np.ascontiguousarray(second), bitwise=a.bitwise)
        return replace(found, rules=(CLASS_0,), words=("without class 0",))
    found = _difference(first, second, bitwise=a.bitwise)
    if not found.differing or not rewrites or first.ndim < 3:
        return found
    return _rewritten(found, input_rewrites(first, second))


def _rewritten(as_is: _Found, rewrites: Iterator[Rewritten]) -> _Found:
    """Return what comes of the first rule that makes arrays equal, else of that which leaves fewest unlike.

    A rule after which most values are not equal is none.
    """
    best = as_is
    for one in rewrites:
        found = _difference(np.ascontiguousarray(one.first), np.ascontiguousarray(one.second), bitwise=True)
        if found.differing < min(best.differing, found.values / 2):
            best = replace(found, rules=one.rules, words=one.words)
        if not best.differing:
            break
    return best


def _as_read(array: _Planned, side: _Side) -> Iterator[str]:
    """Yield what is done to the values of an array as they are read."""
    sources = [array] if isinstance(array, PlannedArray) else [share.array for share in array.shares]
    yield from dict.fromkeys(side.computed[one.path] for one in sources if one.path in side.computed)


def _actions(array: _Planned) -> tuple[str, ...]:
    if isinstance(array, PlannedArray):
        return array.actions
    words = [word for share in array.shares for word in share.array.actions]
    if array.function is not None:
        return (array.function,)
    return tuple(dict.fromkeys((["packed"] if len(array.shares) > 1 else []) + words))


def _brought(array: _Planned, side: _Side) -> Values:
    """Return an array in the form that both are compared in; a large one lies in a file."""
    folder = side.source.path.parent
    values = source_values(array, side.source, side.known, folder)
    # A view is enough for what is not moved; the outline takes no room, since nothing touches it.
    outline = np.empty(array.target_shape, array.dtype)
    pieces = list(array.pieces(values, outline))
    only = pieces[0] if len(pieces) == 1 else None
    if only and only.function is None and only.target.size == outline.size and only.source.flags.c_contiguous:
        return only.source.reshape(array.target_shape)
    return _filled(array, values, folder)


def _filled(array: _Planned, values: Mapping[str, Values], folder: Path) -> Values:
    count = math.prod(array.target_shape) * array.dtype.itemsize
    target = scratch(count, folder).view(array.dtype).reshape(array.target_shape)
    for piece in array.pieces(values, target):
        blocks.copy(piece)
    return target


def _difference(one: Values, other: Values, *, bitwise: bool = False) -> _Found:
    """Return how many values differ, by how much at most, and the largest of the first array."""
    count, most, scale = 0, 0.0, 0.0
    wide: np.dtype[np.floating[Any]] = np.dtype(np.longdouble if one.dtype.kind in "iu" else np.float64)
    bits = f"u{one.itemsize}" if bitwise and one.dtype == other.dtype else None
    for part in blocks.parts(Piece(target=one.reshape(-1), source=other.reshape(-1)), blocks.BLOCK):
        if not part.target.size:
            continue
        a, b = part.target.astype(wide), part.source.astype(wide)
        if bits:
            unequal = np.ascontiguousarray(part.target).view(bits) != np.ascontiguousarray(part.source).view(
                bits
            )
        else:
            # As they are: whole numbers of 64 bits may be one as floating point has them.
            unequal = (part.target != part.source) & ~(np.isnan(a) & np.isnan(b))
        scale = max(scale, float(np.max(np.abs(a), initial=0.0, where=np.isfinite(a))))
        if unequal.any():
            count += int(np.count_nonzero(unequal))
            with np.errstate(invalid="ignore"):
                gaps = np.abs(a - b)[unequal]
            most = max(most, float(np.max(np.where(np.isnan(gaps), math.inf, gaps))))
    return _Found(values=one.size, differing=count, largest=most, scale=scale)
