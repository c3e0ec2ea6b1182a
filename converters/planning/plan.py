"""What a conversion will do to each array, worked out from names and shapes before any value is read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from converters.arrays.form import Form, Kernels, Layout
from converters.arrays.planned import Output, PlannedArray
from converters.arrays.rows import Flattened
from converters.boundary import guarded, paced
from converters.errors import ArgumentError, ConversionError, Doubt, UnknownFlattenError
from converters.formats.description import Description
from converters.formats.table import FORMATS
from converters.layers.infer import infer_kind
from converters.layers.model import Layer, Part, as_other, two_ways
from converters.layers.names import is_kind
from converters.layers.network import LayerFacts, Network, PartFacts
from converters.layers.rules import Rule, is_rotated
from converters.layers.table import (
    CUDNN,
    KINDS,
    NATIVE,
    OTHER,
    RULES,
    WAYS,
    Biases,
    PerInput,
    is_recurrent,
    per_input,
    rule_of,
    rules_of,
    space_of,
)
from converters.planning import folding
from converters.planning.activations import (
    HardSigmoids,
    find_hard_sigmoids,
    gates_to_scale,
    hard_sigmoid_notes,
)
from converters.planning.facts import (
    Fact,
    kernels_of_file_name,
    kernels_of_names,
    learn_kernels,
    learn_layout,
)
from converters.planning.flatten import (
    Flatten,
    Unknown,
    flattens_last,
    learn_flattened,
    question,
    said_flattened,
)
from converters.planning.outputs import planned_outputs
from converters.planning.placing import Ends, has_old_1d, place
from converters.planning.structures import Match, MatchedLayer


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What becomes of the texts of a file that tell its layout and its kernels.

    Attributes:
        attributes: The root's attributes that change.
        backends: The ``backend`` attribute by kernels, for the new file's record.
        configs: The ``model_config`` by layout, for the same.
    """

    attributes: Mapping[str, str]
    backends: Mapping[str, str]
    configs: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A conversion, array by array, and how each fact behind it was learned.

    Attributes:
        description: The file.
        layout: Its layout, and who told it.
        kernels: How its kernels are stored, and who told it.
        target: What it becomes.
        arrays: Every array in the file's order.
        flatten: What the rows of layers are, by the file's names, as far as that is known.
        structure: The name of the structure that the file holds, or None.
        network: What is known of the network, for the new file's record.
        to: The dialect or container that it becomes, or None: it stays in its own.
        outputs: If it becomes another, every array of the new file in its order.
        folded: The batch normalisations of the new file that a ``Scale`` layer is folded into, each with that
            layer's name; None if there are none.
        notes: What the user should know, one sentence each; what had to be taken for granted is a
            :class:`converters.errors.Doubt`, which users of Python are warned of.
        scaled: The recurrent layers whose gates are multiplied by 1.2, for today's hard sigmoid.
        texts: What becomes of the file's texts, where that was worked out already.
    """

    description: Description
    layout: Fact
    kernels: Fact
    target: Form
    arrays: tuple[PlannedArray, ...]
    flatten: Mapping[str, Flattened]
    structure: str | None
    network: Network
    to: str | None = None
    outputs: tuple[Output, ...] = ()
    folded: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    scaled: tuple[str, ...] = ()
    texts: Texts | None = field(default=None, repr=False, compare=False)

    @property
    def path(self) -> Path:
        """The file to convert."""
        return self.description.path

    @property
    def with_deviations(self) -> bool:
        """Whether there are arrays that hold standard deviations in files of old versions."""
        return bool(_with_deviations(self.description))

    @property
    def source(self) -> Form:
        """What the file is."""
        return Form(layout=self.layout.value, kernels=self.kernels.value)

    @property
    def changed(self) -> tuple[PlannedArray, ...]:
        """The arrays in which anything moves."""
        return tuple(array for array in self.arrays if array.changes)

    @property
    def nbytes(self) -> int:
        """The bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays)

    def __str__(self) -> str:
        """Return the plan as a table for people: one line for each array that changes."""
        return "\n".join(_lines(self))

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values that JSON can hold."""
        return {
            "path": str(self.path),
            "dialect": self.description.called,
            "keras_version": self.description.keras_version,
            "source": {
                "layout": self.layout.value,
                "layout_from": self.layout.source,
                "kernels": self.kernels.value,
                "kernels_from": self.kernels.source,
            },
            "target": {"layout": self.target.layout, "kernels": self.target.kernels},
            "to": self.to or self.description.called,
            "structure": self.structure,
            "flatten": _flatten_dict(self),
            "arrays": [_array_dict(array) for array in self.arrays],
            "outputs": [_output_dict(output) for output in self.outputs],
            "changed": len(self.changed),
            "bytes": self.nbytes,
            "notes": list(self.notes),
            **({"scaled": list(self.scaled)} if self.scaled else {}),
        }


def make_plan(
    description: Description,
    *,
    target: Form,
    from_layout: Layout | None = None,
    from_kernels: Kernels | None = None,
    registry_form: Form | None = None,
    expected: Form | None = None,
    flatten: Flatten | None = None,
    match: Match | None = None,
    to: str | None = None,
    fold: bool = False,
    compared: bool = False,
    hard_sigmoid: str = "keep",
) -> Plan:
    """Work out a conversion.

    Args:
        description: The file.
        target: What it is to become.
        from_layout: The file's layout, if the user says it.
        from_kernels: How its kernels are stored, if the user says it.
        registry_form: What the registry says the file is.
        expected: Where the user's direction starts from; a hint that anything more certain overrules.
        flatten: What the user says of rows: layer -> (C, H, W), or None for a layer without a flattened map.
        match: The structure that the file holds, if it is known.
        to: One of :func:`converters.formats.table.targets`, or None for the dialect that the file is in.
        fold: Whether a file that holds a known structure becomes the network that is drawn of it: in the
            order of that, with ``Scale`` layers folded. Only into another dialect.
        compared: Whether the arrays are only to be compared with those of another file. As in a container of
            plain arrays, a layer without a rule is then taken as it is where neither layout nor kernels
            change.
        hard_sigmoid: ``"keep"``, or ``"scale"`` to multiply by 1.2 what goes through the older hard sigmoid.

    Raises:
        ConversionError: If a layer is of a kind without a rule or without a place in the new dialect, or
            nothing tells the layout, or what tells the kernels contradicts the file's own name.
        UnknownFlattenError: If a dense layer may follow a flattened map of unknown shape.
    """
    said = said_flattened(flatten or {})
    if match is not None and not description.ordered:
        layers = tuple(pair.layer for pair in match.layers)
        description = replace(description, layers=layers, ordered=True)
    lenient = compared or (to is not None and FORMATS[to].plain)
    request = _Request(
        description=description,
        target=target,
        to=to,
        flatten=said,
        match=match,
        fold=fold,
        lenient=lenient,
        scale=hard_sigmoid == "scale",
        published=registry_form is not None,
    )
    with guarded(description.path):
        _check_order(request)
        layout = learn_layout(
            description, user=from_layout, registry_form=registry_form, expected=expected, match=match
        )
        kernel = learn_kernels(description, layout, user=from_kernels, registry_form=registry_form)
        if layout is None or kernel is None:
            return _without_layout(request, kernel)
        return _plan(request, layout, kernel)


@dataclass(frozen=True, kw_only=True)
class _Request:
    """What is to be planned, but for what the file is."""

    description: Description
    target: Form
    to: str | None
    flatten: Mapping[str, Flattened]
    match: Match | None
    fold: bool
    lenient: bool
    scale: bool
    published: bool


def _check_order(request: _Request) -> None:
    """Raise for a file that does not tell the order of its layers, which Keras 1 and 2 load weights by.

    Raises:
        ConversionError: With what tells it.
    """
    description = request.description
    if request.to is not None and FORMATS[request.to].by_order and not description.ordered:
        what = "a weights file of Keras 3"
        text = "does not tell the order of its layers, and Keras 1 and 2 load weights in that order"
        advice = "say --order LAYER,LAYER,... (order=), or convert the whole model's .keras file"
        if description.format is not None:
            what, advice = f"this {description.format} file", "say --order LAYER,LAYER,... (order=)"
        raise ConversionError(f"{description.path}: {what} {text}; {advice}")


def _without_layout(request: _Request, kernel: Fact | None) -> Plan:
    """Plan for a file whose layout nothing tells: possible only where it makes no difference."""
    target = request.target
    if request.lenient and (kernel is None or kernel.value == target.kernels):
        request = replace(request, description=_with_others(request))
    assumed = Fact(value=target.layout, source="assumed: nothing in the file depends on it")
    kernel = kernel or Fact(value=target.kernels, source=assumed.source)
    plan = _plan(request, assumed, kernel)
    other = Fact(value="tf" if target.layout == "th" else "th", source="assumed")
    question = _question(request.description, "its layout", "--from-layout")
    try:
        changed = _plan(request, other, kernel)
    except UnknownFlattenError as error:
        raise ConversionError(question) from error
    if changed.arrays != plan.arrays:
        raise ConversionError(question)
    if kernel.source == assumed.source and _holds_kernels(plan.arrays):
        raise ConversionError(_question(request.description, "how its kernels are stored", "--from-kernels"))
    return plan


def _question(description: Description, what: str, option: str) -> str:
    return f"{description.path}: nothing in the file tells {what}; say {option} th or {option} tf"


def _holds_kernels(arrays: Iterable[PlannedArray]) -> bool:
    """Return whether there are kernels among the arrays that Theano and TensorFlow store otherwise."""
    return any(is_rotated(rule_of(array.kind, array.role)) for array in arrays)


def _plan(request: _Request, layout: Fact, kernel: Fact) -> Plan:
    source = Form(layout=layout.value, kernels=kernel.value)
    if request.lenient and source == request.target:
        request = replace(request, description=_with_others(request))
    description = request.description
    check_kinds(description, request.match)
    ends = _ends(request, source)
    known, unknown = learn_flattened(description, source.layout, user=request.flatten, match=request.match)
    _check_rows(description, ends, known, unknown)
    pairs = request.match.by_layer() if request.match else {}
    hard = HardSigmoids()
    if request.to is not None and FORMATS[request.to].today:
        hard = find_hard_sigmoids(description, asked=request.scale)
    scaled = gates_to_scale(description, hard) if request.scale else ()
    by_path = {
        array.path: place(
            array,
            part,
            layer=layer.name,
            ends=ends,
            kind=_kind(part, pairs.get(layer.name)),
            flattened=known.get(part.name),
            pair=pairs.get(layer.name),
        )
        for layer in paced(description.weighted)
        for part in layer.parts
        for array in part.arrays
    }
    arrays = tuple(by_path[array.path] for layer in description.weighted for array in layer.arrays)
    outputs, folded = _outputs(request, by_path, scaled)
    if _holds_kernels(arrays):
        _check_file_name(description, kernel)
    return Plan(
        description=description,
        layout=layout,
        kernels=kernel,
        target=request.target,
        arrays=arrays,
        flatten=known,
        structure=request.match.structure.name if request.match else None,
        network=_network(request, ends, known, folded),
        to=request.to,
        outputs=outputs,
        folded=folded or (description.record.folded if description.record else None),
        notes=(
            *_notes(request, source, kernel, by_path, folded),
            *hard_sigmoid_notes(hard, scale=request.scale),
        ),
        scaled=tuple(part.name for part in scaled),
    )


def _check_rows(
    description: Description, ends: Ends, known: Mapping[str, Flattened], unknown: Sequence[Unknown]
) -> None:
    """Raise where rows move of which nobody tells, or that cannot move.

    Raises:
        UnknownFlattenError: With what would fit.
        ConversionError: If the layer gives its inputs on, or shares its name with another one.
    """
    asked = [left for left in unknown if (ends.layout_moves if left.windows else ends.rows_move())]
    if asked:
        raise UnknownFlattenError(question(description, asked))
    names = Counter(part.name for part in description.parts)
    for part in description.parts:
        found = known.get(part.name)
        if found is None or found.rows is None or not ends.rows_move(reshaped=found.reshaped):
            continue
        where = f"{description.path}: layer {part.name!r}"
        if per_input(part.kind) is PerInput.ROW_AND_OUTPUT:
            text = f"is a {part.kind} behind a flattened map: it gives its inputs on"
            raise ConversionError(f"{where} {text}, so its rows cannot move alone")
        if names[part.name] > 1:
            raise ConversionError(f"{where} is there twice, and one of the two is behind a flattened map")


def _outputs(
    request: _Request, by_path: Mapping[str, PlannedArray], scaled: Sequence[Part]
) -> tuple[tuple[Output, ...], Mapping[str, str]]:
    """Return the arrays of a new file in another dialect, and the layers that are folded in it."""
    if request.to is None:
        return (), {}
    if not request.fold or request.match is None:
        return planned_outputs(request.description, by_path, request.to, request.target.kernels, scaled), {}
    pairs = folding.pairs_in_file(request.match)
    drawn = folding.drawn(request.description, request.match, pairs)
    return folding.fold(
        planned_outputs(drawn, by_path, request.to, request.target.kernels, scaled), pairs, by_path
    ), pairs


def _ends(request: _Request, source: Form) -> Ends:
    """Return what the file is and becomes, as far as the rules ask for it."""
    description, target = request.description, request.target
    dialect = None if request.to is None else FORMATS[request.to].dialect
    last = flattens_last(description)
    return Ends(
        path=description.path,
        source=source,
        target=target,
        dialect=description.dialect,
        new_dialect=dialect or description.dialect,
        flattens_last=last,
        new_flattens_last=last if dialect is None else dialect in ("keras2", "keras3"),
        squares=_squares(description, dialect),
        old_1d=_keeps_old_1d(description),
        anew=request.to is not None,
    )


def _keeps_old_1d(description: Description) -> bool | None:
    """Return whether 1-D kernels are in their older form, as in Keras 0.x; None if shapes have to tell."""
    network = description.record.network if description.record else None
    return True if description.dialect == "keras0" else network.old_1d if network else None


def _network(
    request: _Request, ends: Ends, known: Mapping[str, Flattened], folded: Mapping[str, str]
) -> Network:
    """Return what is known of the network when the conversion is done, without layers that others hold."""
    description = request.description
    gone = set(folded.values())
    pairs = request.match.by_layer() if request.match else {}
    return Network(
        layers=tuple(
            _layer_facts(layer, pairs.get(layer.name), known, anew=ends.anew)
            for layer in description.layers
            if layer.name not in gone
        ),
        ordered=description.ordered,
        keras_version=description.keras_version if description.version_said and request.to is None else None,
        running_std=_running_std(description, ends),
        old_1d=description.dialect != "keras0" and has_old_1d(description, ends),
    )


def _layer_facts(
    layer: Layer, pair: MatchedLayer | None, known: Mapping[str, Flattened], *, anew: bool
) -> LayerFacts:
    """Return what is known of a layer; cuDNN's are Keras' own in a file that is written anew."""
    native = NATIVE if anew else {}
    parts = []
    for part in layer.parts:
        kind = _kind(part, pair)
        parts.append(_part_facts(part, native.get(kind, kind), known.get(part.name)))
    kind = pair.expected.kind if pair else str(layer.kind)
    return LayerFacts(
        name=layer.name, kind=native.get(kind, kind) if pair or layer.kind else None, parts=tuple(parts)
    )


def _part_facts(part: Part, kind: str, flattened: Flattened | None) -> PartFacts:
    rules = rules_of(kind)
    roles = tuple(dict.fromkeys(str(array.role) for array in part.arrays))
    return PartFacts(
        name=part.name,
        kind=kind,
        own_class=part.own_class,
        doubtful=part.inferred and _alike(kind) is not None,
        roles=None if set(roles) == set(rules) else tuple(sorted(roles, key=[*rules, *roles].index)),
        flattened=flattened,
    )


def _running_std(description: Description, ends: Ends) -> str | None:
    """Return what the record says of variances: that they are, or were taken for them, or are deviations."""
    if not _with_deviations(description):
        return None
    network = description.record.network if description.record else None
    told = network.running_std if network else None
    if holds_deviations(description):
        return "variance" if ends.squares else "deviation"
    assumed = description.dialect == "keras1" and not description.version
    return told or ("variance, assumed" if assumed else "variance")


def _with_deviations(description: Description) -> list[Part]:
    """Return the layers with arrays that are standard deviations in files of old versions."""
    return [
        part
        for part in description.parts
        for role, rule in rules_of(part.kind).items()
        if rule is Rule.DEVIATION and part.array(role)
    ]


def holds_deviations(description: Description) -> bool:
    """Return whether ``running_std`` is a standard deviation: up to Keras 1.0.6, as far as is known.

    Raises:
        ArgumentError: If the user says a version that the record of a conversion contradicts.
    """
    if description.dialect == "keras0":
        return True
    if description.dialect != "keras1":
        return False
    old = bool(description.version) and description.version <= (1, 0, 6)
    network = description.record.network if description.record else None
    told = network.running_std if network else None
    if told == "variance" and old and description.version_said:
        if network and network.keras_version == description.keras_version:
            return False
        text = (
            f"a conversion has made variances of its running_std, so that Keras {description.keras_version}"
        )
        raise ArgumentError(f"{description.path}: {text} says nothing of them; leave keras_version out")
    return old


def _squares(description: Description, dialect: str | None) -> bool:
    """Return whether deviations become variances: not where the new file says of itself that it is as old."""
    if not holds_deviations(description):
        return False
    return dialect is not None or (description.dialect == "keras1" and description.version_said)


def _kind(part: Part, pair: MatchedLayer | None) -> str:
    """Return the kind whose rules a layer follows: the structure's word, then the file's.

    A class of somebody's own is believed all the same: that its arrays are those of the structure's layer
    does not make it one.
    """
    foreign = part.kind is not None and (part.kind == OTHER or not is_kind(part.kind))
    return pair.expected.kind if pair and not foreign else str(part.kind)


def check_kinds(description: Description, match: Match | None) -> None:
    """Raise for the first layer whose kind has no rule, or whose arrays are not those of its kind.

    Raises:
        ConversionError: With the layer, its arrays, and what is known.
    """
    pairs = match.by_layer() if match else {}
    for layer in description.weighted:
        for part in layer.parts:
            if not _has_rules(part, _kind(part, pairs.get(layer.name)), description.dialect):
                raise ConversionError(_refusal(description, part))
    _check_maps(description)


def _has_rules(part: Part, kind: str, dialect: str) -> bool:
    """Return whether there is a rule for each array of a layer."""
    if kind == OTHER:
        return True
    rules = rules_of(kind)
    unknown = any(array.role not in rules for array in part.arrays)
    repeated = len({array.full_role for array in part.arrays}) < len(part.arrays)
    rank = len(part.arrays[0].shape)
    ranks = KINDS[kind].ranks if kind in KINDS else None
    odd = (ranks is not None and rank not in ranks) or not _is_recurrent(part, kind, dialect)
    return not (unknown or repeated or odd)


def _with_others(request: _Request) -> Description:
    """Return a file with the kind Other for every layer without a rule, for what is not to be moved."""
    description = request.description
    pairs = request.match.by_layer() if request.match else {}

    def settled(layer: Layer) -> Layer:
        fits = [
            _has_rules(part, _kind(part, pairs.get(layer.name)), description.dialect) for part in layer.parts
        ]
        if all(fits):
            return layer
        if layer.kind is None:
            whole = Part(name=layer.name, kind=None, arrays=layer.arrays)
            return replace(layer, parts=(as_other(whole),), kind=OTHER)
        parts = tuple(part if fit else as_other(part) for part, fit in zip(layer.parts, fits, strict=True))
        return replace(layer, parts=parts, kind=OTHER if len(parts) == 1 else layer.kind)

    return replace(description, layers=tuple(map(settled, description.layers)))


def _is_recurrent(part: Part, kind: str, dialect: str) -> bool:
    """Return whether the arrays of a recurrent layer fit each other; True for any other layer."""
    if not is_recurrent(kind):
        return True
    return infer_kind({array.full_role: array.shape for array in part.arrays}, dialect) == kind


def _check_maps(description: Description) -> None:
    """Raise for a map of four axes that may be a sequence of maps: where its channels lie cannot be told."""
    if any(space_of(part.kind) > 2 for part in description.parts):
        return
    for part in description.parts:
        for array in part.arrays:
            rule = rules_of(part.kind).get(str(array.role))
            if rule is Rule.MAP and len(array.shape) > 3:
                text = f"layer {part.name!r} ({part.kind}) has {array.name} {array.shape}, and nothing is 3-D"
                raise ConversionError(f"{description.path}: {text}: a sequence of maps is not converted")


def _refusal(description: Description, part: Part) -> str:
    shapes = ", ".join(f"{array.name} {array.shape}" for array in part.arrays)
    known = ", ".join(RULES)
    what = f"is of kind {part.kind}" if part.kind else "is of a kind that its arrays do not tell"
    if part.kind in RULES:
        what = f"should be of kind {part.kind}, but its arrays are not"
    hint = f"say --layer {part.name}={OTHER} to carry its arrays as they are, or {_like(description, part)}"
    return f"{description.path}: layer {part.name!r} {what} ({shapes}); {hint}; there are rules for {known}"


def _like(description: Description, part: Part) -> str:
    """Return how to say the kind of a layer: by the kind that its arrays fit, if they fit one."""
    if part.kind is None and two_ways(part.arrays):
        return f"--layer {part.name}={WAYS} if it has two directions"
    roles = {array.full_role: array.shape for array in part.arrays}
    told = part.kind is not None and len(roles) == len(part.arrays)
    kind = infer_kind(roles, description.dialect) if told else None
    if kind is None or kind == part.kind:
        return f"--layer {part.name}=KIND for what it is"
    return f"--layer {part.name}={kind} if it works as a {kind} does"


def _notes(
    request: _Request,
    source: Form,
    kernel: Fact,
    by_path: Mapping[str, PlannedArray],
    folded: Mapping[str, str],
) -> tuple[str, ...]:
    description = request.description
    notes = _kernel_notes(description, kernel) if _holds_kernels(by_path.values()) else []
    if description.optimizer and request.to is None:
        notes.append("optimizer_weights are copied as they are: what they hold belongs to the source's form")
    if request.to is not None and description.whole_model:
        notes.append("the weights alone are written: the model's configuration stays behind")
    if source.layout != request.target.layout:
        notes += _reshape_notes(description)
    if request.match is not None:
        notes += folding.notes(request.match.structure, folded)
    notes += [*_deviation_notes(request, by_path), *_doubt_notes(request)]
    return (*notes, *_cudnn_notes(request), *_other_notes(description))


_BIASES = {Biases.ADDED: ", its two biases added", Biases.TWO_ROWS: " with reset_after"}


def _cudnn_notes(request: _Request) -> list[str]:
    """Return what becomes of cuDNN's layers in another dialect."""
    notes = []
    for kind, cudnn in CUDNN.items() if request.to is not None else ():
        parts = [part for part in request.description.parts if part.kind == kind]
        if parts:
            becomes = f"{cudnn.native}{_BIASES[cudnn.biases]}"
            text = f"{len(parts)} {kind} ({parts[0].name!r} first): written as {becomes}"
            notes.append(f"{text}; its activations are tanh and sigmoid, as cuDNN's are")
    return notes


def _other_notes(description: Description) -> list[str]:
    others = [part.name for part in description.parts if part.kind == OTHER]
    if not others:
        return []
    return [f"no rule is known for {', '.join(map(repr, others))}: the arrays are carried as they are"]


_WRITERS: Mapping[Kernels, str] = {"th": "Theano", "tf": "TensorFlow"}
_NAMES_SAY: Mapping[Kernels, str] = {
    "th": "none of its arrays' names ends in :0",
    "tf": "its arrays' names end in :0",
}
_OTHER: Mapping[Kernels, Kernels] = {"th": "tf", "tf": "th"}


def _check_file_name(description: Description, kernel: Fact) -> None:
    """Raise where a weights file's own name contradicts what its arrays' names tell of its kernels.

    Raises:
        ConversionError: With the question.
    """
    if kernel.source != "array names" or description.whole_model:
        return
    if kernels_of_file_name(description.path) not in (None, kernel.value):
        told = f"{_NAMES_SAY[kernel.value]}, as {_WRITERS[kernel.value]} gives them (kernels {kernel.value})"
        text = f"{told}, but the file's own name says kernels {_OTHER[kernel.value]}"
        advice = "say --from-kernels th or --from-kernels tf (from_kernels=, of zoo.load kernels=)"
        raise ConversionError(f"{description.path}: {text}; {advice}")


def _kernel_notes(description: Description, kernel: Fact) -> list[str]:
    """Return what the user should know of how it was learned how the kernels are stored."""
    value, named = kernel.value, kernels_of_names(description)
    if kernel.source == "assumed":
        return [Doubt(f"nothing tells how the kernels are stored: taken to match the layout ({value})")]
    if kernel.source == "array names" and not description.whole_model:
        text = f"the kernels are taken to be stored as {_WRITERS[value]} does ({value}): {_NAMES_SAY[value]}"
        return [Doubt(f"{text}; if somebody turned them, say --from-kernels {_OTHER[value]}")]
    if kernel.source == "user" and named not in (None, value):
        text = f"the kernels are taken to be stored as {_WRITERS[value]} does ({value}), as was said"
        return [f"{text}, although {_NAMES_SAY[named]}, as {_WRITERS[named]} gives them"]
    return []


def _deviation_notes(request: _Request, by_path: Mapping[str, PlannedArray]) -> list[str]:
    description = request.description
    vectors = _with_deviations(description)
    squared = sum(array.function == "square" for array in by_path.values())
    if squared:
        return [
            f"{squared} running_std are standard deviations (Keras up to 1.0.6): squared, to be variances"
        ]
    network = description.record.network if description.record else None
    told = network is not None and network.running_std == "variance"
    if vectors and description.dialect == "keras1" and not description.version and not told:
        text = f"running_std ({len(vectors)} layers, {vectors[0].name!r} first) is taken for a variance"
        text += ", as from Keras 1.0.7 on; if an older one wrote the file, say --keras-version 1.0.6"
        # Of a published file it is known.
        return [text if request.published else Doubt(text)]
    return []


def _alike(kind: str | None) -> str | None:
    """Return the kind whose arrays look the same in Keras 0 and 1, so that shapes cannot tell which it is."""
    found = KINDS.get(str(kind))
    return found.alike if found else None


def _doubt_notes(request: _Request) -> list[str]:
    """Return what was taken for granted where two kinds look alike that the new dialect tells apart."""
    description = request.description
    if request.to is None or description.dialect not in ("keras0", "keras1") or request.match:
        return []
    doubtful = [part for part in description.parts if _alike(part.kind) and part.inferred]
    if not doubtful:
        return []
    first = doubtful[0]
    text = f"{len(doubtful)} layers ({first.name!r} first) are taken for {first.kind} by their shapes"
    return [Doubt(f"{text}; if one is transposed, say --layer NAME={_alike(first.kind)}")]


def _reshape_notes(description: Description) -> list[str]:
    notes: list[str] = []
    dense: str | None = None
    for layer in description.layers:
        if layer.kind == "Dense":
            dense = layer.name
        elif layer.kind in ("Reshape", "Permute") and dense:
            text = f"{dense!r} is followed by {layer.name!r}: if a feature map is made of it, it is not moved"
            notes.append(Doubt(text))
            dense = None
    return notes


def _flatten_dict(plan: Plan) -> dict[str, Any]:
    return {
        name: {"rows": found.text, "from": found.source}
        for name, found in plan.flatten.items()
        if found.rows is not None
    }


def _array_dict(array: PlannedArray) -> dict[str, Any]:
    return {
        "layer": array.layer,
        "kind": array.kind,
        "name": array.name,
        "role": array.role,
        "path": array.path,
        "shape": list(array.shape),
        "target_shape": list(array.target_shape),
        "dtype": str(array.dtype),
        "actions": list(array.actions),
    }


def _output_dict(output: Output) -> dict[str, Any]:
    return {
        "layer": output.layer,
        "name": output.name,
        "path": output.target_path,
        "shape": list(output.target_shape),
        "from": [_share_dict(share.array.path, share.start, share.stop) for share in output.shares],
    } | ({"function": output.function} if output.function else {})


def _share_dict(path: str, start: int | None, stop: int | None) -> dict[str, Any]:
    return {"path": path} if start is None else {"path": path, "start": start, "stop": stop}


def _lines(plan: Plan) -> list[str]:
    description = plan.description
    version = f", Keras {description.keras_version}" if description.keras_version else ""
    lines = [
        f"{plan.path} ({description.called}{version})",
        f"  from    layout {plan.layout}, kernels {plan.kernels}",
        f"  to      {plan.target}{f', {plan.to}' if plan.to else ''}",
    ]
    lines += [f"  holds   {plan.structure}"] if plan.structure else []
    lines += [
        f"  flatten {name}={found.text} ({found.source})"
        for name, found in plan.flatten.items()
        if found.rows is not None
    ]
    lines += [f"  note    {note}" for note in plan.notes]
    lines.append(f"  arrays  {len(plan.arrays)} ({plan.nbytes:,} bytes), {len(plan.changed)} of them change")
    if plan.outputs:
        lines.append(f"  becomes {len(plan.outputs)} arrays ({sum(o.nbytes for o in plan.outputs):,} bytes)")
    return lines + _table([_row(array) for array in plan.changed])


def _row(array: PlannedArray) -> tuple[str, ...]:
    same = array.shape == array.target_shape
    shape = f"{array.shape}" if same else f"{array.shape} -> {array.target_shape}"
    return (array.layer, array.role, shape, ", ".join(array.actions))


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]


def plan_digest(plan: Plan) -> str:
    """Return the SHA-256 of a plan: of all that :meth:`Plan.as_dict` says but the file's path, as JSON.

    Two files of the same layers that are converted in the same way have the same one, wherever they lie.
    """
    said = {name: value for name, value in plan.as_dict().items() if name != "path"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
