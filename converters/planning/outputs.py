"""The arrays of a new file in another dialect: their order, names and places, and what each is made of."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from converters.arrays.form import Kernels
from converters.arrays.moves import SCALED
from converters.arrays.planned import Output, PlannedArray, Share
from converters.boundary import paced
from converters.errors import ConversionError
from converters.formats.description import Description
from converters.formats.keras3 import cell_path
from converters.formats.table import FORMATS
from converters.layers.model import Array, Layer, Part
from converters.layers.names import class_of, keras1_suffix, kind_of_group, snake_case3, stem_of
from converters.layers.table import (
    GATED,
    GATES,
    KINDS,
    NATIVE,
    OLD_GATES,
    OTHER,
    RULES,
    WAYS,
    WRAPPERS,
    Holds,
    base_role,
    holds,
)

Planned = Mapping[str, PlannedArray]


def planned_outputs(
    description: Description,
    planned: Planned,
    to: str,
    kernels: Kernels,
    scaled: Sequence[Part] = (),
) -> tuple[Output, ...]:
    """Return every array of the new file, in its order.

    Args:
        description: The old file.
        planned: What becomes of each of its arrays, by path.
        to: The new format.
        kernels: How the new file stores kernels; in Keras 1 the arrays' names tell it.
        scaled: The recurrent layers whose gates are scaled for Keras 3's hard sigmoid.

    Raises:
        ConversionError: If a layer has no place there.
    """
    native = replace(description, layers=tuple(map(_native, description.layers)))
    gates = frozenset(array.path for part in scaled for array in part.arrays)
    writing = Writing(description=native, planned=planned, kernels=kernels, scaled=gates)
    outputs = tuple(paced(_MAKERS[FORMATS[to].arrays](writing)))
    paths = Counter(output.target_path for output in outputs)
    if twice := [path for path, count in paths.items() if count > 1]:
        raise ConversionError(f"{description.path}: two arrays would be called {twice[0]!r} in {to}")
    return outputs


def native_part(part: Part) -> Part:
    """Return a layer in a layer with Keras' own kind for cuDNN's."""
    return replace(part, kind=NATIVE.get(str(part.kind), part.kind))


def _native(layer: Layer) -> Layer:
    """Return a layer with Keras' own kinds for cuDNN's."""
    parts = tuple(map(native_part, layer.parts))
    return replace(layer, kind=NATIVE.get(str(layer.kind), layer.kind), parts=parts)


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What outputs are made from."""

    description: Description
    planned: Planned
    scaled: frozenset[str]
    kernels: Kernels

    def refuse(self, layer: Layer | Part, why: str) -> ConversionError:
        """Return the error for a layer that has no place in the new file."""
        return ConversionError(f"{self.description.path}: layer {layer.name!r} ({layer.kind}) {why}")

    def output(
        self, layer: Layer, part: Part, role: str, shares: list[Share], *, name: str, path: str
    ) -> Output:
        """Return one array of the new file, of one share or of several side by side."""
        first = shares[0].taken
        width = sum(share.width for share in shares)
        shape = (*first.target_shape[:-1], width) if first.target_shape else ()
        alike = (first.target_shape[:-1], first.dtype)
        if any((share.taken.target_shape[:-1], share.taken.dtype) != alike for share in shares):
            raise self.refuse(part, f"has gates of different shapes or types ({role})")
        return Output(
            layer=layer.name,
            owner=part.name,
            kind=str(part.kind),
            role=role,
            name=name,
            target_path=path,
            target_shape=shape,
            dtype=first.dtype,
            shares=tuple(shares),
        )

    def packed(self, part: Part) -> Iterator[tuple[str, list[Share]]]:
        """Yield each role of a layer in Keras 2's order, with its gates side by side."""
        for role in RULES.get(str(part.kind), [str(array.role) for array in part.arrays]):
            arrays = [array for array in part.arrays if array.role == role]
            if not arrays:
                continue
            shares = [Share(array=self.planned[array.path]) for array in self._in_order(part, arrays)]
            yield role, self._for_today(part, shares) if arrays[0].path in self.scaled else shares

    def _for_today(self, part: Part, shares: list[Share]) -> list[Share]:
        """Return the gates of a recurrent layer one by one, scaled where they go through its hard sigmoid."""
        return scaled_gates(str(part.kind), shares, GATED[str(part.kind)].recurrent)

    def _in_order(self, part: Part, arrays: Sequence[Array]) -> list[Array]:
        if arrays[0].gate is None and len(arrays) == 1:
            return list(arrays)
        gates = GATES[str(part.kind)]
        if {array.gate for array in arrays} != set(gates):
            raise self.refuse(part, f"lacks a gate: it has {', '.join(array.name for array in arrays)}")
        return sorted(arrays, key=lambda array: gates.index(str(array.gate)))


def scaled_gates(kind: str, shares: Sequence[Share], scaled: str) -> list[Share]:
    """Return the gates of a recurrent layer one by one, some of them multiplied by 1.2.

    Args:
        kind: The layer's kind.
        shares: One of its arrays: all gates packed, or one share for each.
        scaled: The letters of the gates that are multiplied.
    """
    gates = GATES[kind]
    if len(shares) == 1:
        array = shares[0].array
        width = array.counted[-1] // len(gates)
        shares = [Share(array=array, start=at * width, stop=(at + 1) * width) for at in range(len(gates))]
    return [
        replace(share, array=replace(share.array, function=SCALED)) if gate in scaled else share
        for gate, share in zip(gates, shares, strict=True)
    ]


def _keras2_outputs(writing: Writing) -> Iterator[Output]:
    for layer in writing.description.weighted:
        found = [
            writing.output(
                layer,
                part,
                role,
                shares,
                name=(name := _keras2_name(writing, layer, part, role)),
                path=f"{layer.name}/{name}",
            )
            for part in layer.parts
            for role, shares in writing.packed(part)
        ]
        # Keras lists what is trained of all layers in a layer, then the rest.
        yield from sorted(found, key=_is_late)


def _is_late(output: Output) -> bool:
    return output.kind != OTHER and not KINDS[output.kind].arrays[base_role(output.kind, output.role)].trained


def _keras2_name(writing: Writing, layer: Layer, part: Part, role: str) -> str:
    own = part.array(role) if part.kind == OTHER and writing.description.dialect == "keras2" else None
    return own.name if own else f"{_owner(layer, part)}/{role}:0"


def _owner(layer: Layer, part: Part) -> str:
    """Return the name in front of an array's role: a Bidirectional's layers keep theirs behind its own."""
    own = part.name.rpartition("/")[2]
    if layer.kind == WAYS:
        return f"{layer.name}/{own}"
    return part.name if len(layer.parts) > 1 else layer.name


def _plain_outputs(writing: Writing) -> Iterator[Output]:
    """Yield the arrays for a container of plain arrays, called ``layer/role``."""
    for layer in writing.description.weighted:
        for part in layer.parts:
            owner = layer.name if len(layer.parts) == 1 else _within(layer, part)
            for role, shares in writing.packed(part):
                name = f"{owner}/{role}"
                yield writing.output(layer, part, role, shares, name=name, path=name)


def _within(layer: Layer, part: Part) -> str:
    return part.name if part.name.startswith(f"{layer.name}/") else f"{layer.name}/{part.name}"


def _keras1_outputs(writing: Writing) -> Iterator[Output]:
    for layer in writing.description.weighted:
        found = [output for part in layer.parts for output in _keras1_part(writing, layer, part)]
        yield from sorted(found, key=_is_late)


def _keras1_part(writing: Writing, layer: Layer, part: Part) -> Iterator[Output]:
    kind = str(part.kind)
    if kind == OTHER:
        yield from _keras1_other(writing, layer, part)
        return
    if "keras1" not in KINDS[kind].classes:
        raise writing.refuse(part, "is of a kind that Keras 1 lacks")
    missing = [role for role in RULES[kind] if not part.array(role)]
    if missing and any(found.optional == "keras2" for found in KINDS[kind].arrays.values()):
        raise writing.refuse(part, f"has no {missing[0]}, which Keras 1 cannot be without")
    owner = layer.name if len(layer.parts) == 1 else part.name.rpartition("/")[2]
    # Whoever has lost the record goes by the names, as of the files that Keras 1 itself wrote.
    ending = ":0" if writing.kernels == "tf" else ""
    gates: str | list[None] = OLD_GATES.get(kind, [None])
    for gate in gates:
        for role in RULES[kind]:
            if shares := _gate_shares(writing, part, role, gate):
                name = f"{owner}{keras1_suffix(kind, role, gate)}{ending}"
                full = f"{role}_{gate}" if gate else role
                yield writing.output(layer, part, full, shares, name=name, path=f"{layer.name}/{name}")


def _keras1_other(writing: Writing, layer: Layer, part: Part) -> Iterator[Output]:
    """Yield the arrays of a layer of which nothing is known, by their own names if Keras 1 gave them."""
    own = writing.description.dialect == "keras1"
    names = [array.name if own else f"{part.name}_{array.role}" for array in part.arrays]
    for name, (role, shares) in zip(names, writing.packed(part), strict=True):
        yield writing.output(layer, part, role, shares, name=name, path=f"{layer.name}/{name}")


def _gate_shares(writing: Writing, part: Part, role: str, gate: str | None) -> list[Share]:
    """Return the one array, or stretch of a packed array, that is a role's gate."""
    arrays = [array for array in part.arrays if array.role == role]
    if gate is None or not arrays:
        return [Share(array=writing.planned[array.path]) for array in arrays]
    own = [array for array in arrays if array.gate == gate]
    if own:
        return [Share(array=writing.planned[own[0].path])]
    planned = writing.planned[arrays[0].path]
    if role == "bias" and len(planned.target_shape) > 1:
        raise writing.refuse(part, "was built with reset_after, which Keras 1 lacks")
    order = GATES[str(part.kind)]
    width = planned.counted[-1] // len(order)
    start = order.index(gate) * width
    return [Share(array=planned, start=start, stop=start + width)]


def _keras3_outputs(writing: Writing) -> Iterator[Output]:
    numbers: Counter[str] = Counter()
    for layer in writing.description.layers:
        if layer.kind is None and not layer.arrays:
            continue
        group = f"layers/{_numbered(_layer_class(writing, layer), numbers)}"
        for part, place in _places(writing, layer, group):
            for index, (role, shares) in enumerate(writing.packed(part)):
                path = f"{place}/{cell_path(str(part.kind))}/{index}"
                yield writing.output(layer, part, role, shares, name=str(index), path=path)


def _layer_class(writing: Writing, layer: Layer) -> str:
    if layer.kind is None:
        inside = layer.parts[0].name if len(layer.parts) > 1 else layer.parts[0].arrays[0].owner
        text = f"holds arrays of others ({inside!r}), which Keras 3 keeps by the kind of what holds them"
        own = layer.parts[0].kind if len(layer.parts) == 1 else None
        offer = f"--layer {layer.name}={own} if they are its own, else " if own else ""
        advice = f"say {offer}--layer {layer.name}=KIND, one of {', '.join(WRAPPERS)}"
        raise writing.refuse(layer, f"{text}; {advice}")
    return _stem(layer.parts[0] if layer.kind == OTHER else layer, writing)


def _stem(layer: Layer | Part, writing: Writing) -> str:
    """Return what Keras 3 calls the first group of a layer's class."""
    if isinstance(layer, Part) and layer.kind == OTHER:
        return _other_stem(layer, writing.description.dialect)
    return snake_case3(class_of(str(layer.kind), "keras3"))


def _other_stem(part: Part, dialect: str) -> str:
    """Return the same for a layer of which nothing is known, by its class, its old group, or its own name.

    A name that is one of Keras' own classes tells nothing: the layer would take the place of such a layer.
    """
    if part.own_class:
        return snake_case3(part.own_class)
    group = part.arrays[0].path.partition("/vars/")[0].removesuffix("/cell")
    plain = stem_of((group if dialect == "keras3" else part.name).rpartition("/")[2])
    return OTHER.lower() if kind_of_group(plain) else snake_case3(plain)


def _numbered(stem: str, numbers: Counter[str]) -> str:
    numbers[stem] += 1
    return stem if numbers[stem] == 1 else f"{stem}_{numbers[stem] - 1}"


def _places(writing: Writing, layer: Layer, group: str) -> Iterator[tuple[Part, str]]:
    """Yield each layer in a layer with its group."""
    inside = holds(layer.kind)
    if inside is Holds.WAYS:
        yield from _two_ways(writing, layer, layer.parts, group)
    elif inside is Holds.LAYERS:
        yield from _nested(writing, layer, f"{group}/layers")
    elif inside is Holds.LAYER and len(layer.parts) > 1:
        yield from _nested(writing, layer, f"{group}/layer/layers")
    elif inside is Holds.LAYER:
        yield from ((part, f"{group}/layer") for part in layer.parts)
    else:
        yield from ((part, group) for part in layer.parts)


def _two_ways(
    writing: Writing, layer: Layer, parts: Sequence[Part], group: str
) -> Iterator[tuple[Part, str]]:
    if [part.direction for part in parts] != ["forward", "backward"]:
        raise writing.refuse(layer, "should hold a forward and a backward layer")
    yield from ((part, f"{group}/{part.direction}_layer") for part in parts)


def _nested(writing: Writing, layer: Layer, group: str) -> Iterator[tuple[Part, str]]:
    numbers: Counter[str] = Counter()
    waiting = deque(layer.parts)
    while waiting:
        part = waiting.popleft()
        if part.direction == "forward" and waiting and waiting[0].direction == "backward":
            below = f"{group}/{_numbered(snake_case3(WAYS), numbers)}"
            yield from _two_ways(writing, layer, (part, waiting.popleft()), below)
        else:
            yield part, f"{group}/{_numbered(_stem(part, writing), numbers)}"


_MAKERS: Mapping[str, Callable[[Writing], Iterator[Output]]] = {
    "keras1": _keras1_outputs,
    "keras2": _keras2_outputs,
    "keras3": _keras3_outputs,
    "plain": _plain_outputs,
}
