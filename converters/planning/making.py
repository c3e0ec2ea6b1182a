"""Working out a plan: what the file is, what its rows are, and what becomes of each array."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from converters.arrays.form import Form, Kernels, Layout
from converters.arrays.planned import Output, PlannedArray
from converters.arrays.rows import Flattened
from converters.boundary import guarded, paced
from converters.errors import ConversionError, UnknownFlattenError
from converters.formats.description import Description
from converters.formats.table import FORMATS
from converters.layers.model import Layer, Part, plain_name
from converters.layers.network import LayerFacts, Network, PartFacts
from converters.layers.rules import FOREIGN
from converters.layers.table import (
    NATIVE,
    PerInput,
    per_input,
    rules_of,
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
from converters.planning.kinds import check_kinds, with_others
from converters.planning.notes import all_notes, check_file_name
from converters.planning.outputs import planned_outputs
from converters.planning.placing import Ends, has_old_1d, place
from converters.planning.plan import Plan
from converters.planning.published import with_offsets
from converters.planning.request import Request, alike, holds_kernels, kind_by_rules
from converters.planning.running_std import becomes_variance, running_std
from converters.planning.structures import Match, MatchedLayer


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
            order of that, with ``Scale`` layers folded; so are those of Caffe's files that are known to work
            on a batch normalisation. Only into another dialect.
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
    if match is not None:
        description = replace(description, layers=match.listed)
    if match is not None and not description.ordered:
        layers = tuple(pair.layer for pair in match.layers)
        description = replace(description, layers=layers, ordered=True)
    joined: dict[str, str] = {}
    if match is None and fold:
        description, joined = with_offsets(description)
    lenient = compared or (to is not None and FORMATS[to].plain)
    request = Request(
        description=description,
        target=target,
        to=to,
        flatten=said,
        match=match,
        fold=fold,
        lenient=lenient,
        scale=hard_sigmoid == "scale",
        published=registry_form is not None,
        joined=joined,
    )
    with guarded(description.path):
        _check_order(request)
        _check_names(request)
        layout = learn_layout(
            description, user=from_layout, registry_form=registry_form, expected=expected, match=match
        )
        kernel = learn_kernels(description, layout, user=from_kernels, registry_form=registry_form)
        if layout is None or kernel is None:
            return _without_layout(request, kernel)
        return _plan(request, layout, kernel)


def _check_order(request: Request) -> None:
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


def _check_names(request: Request) -> None:
    """Raise for two layers whose names are one where ``__`` stands for ``/``: later they are not told apart.

    Raises:
        ConversionError: With both names.
    """
    names: dict[str, str] = {}
    for layer in request.description.weighted if request.to is not None else ():
        known = names.setdefault(plain_name(layer.name), layer.name)
        if known != layer.name:
            text = f"layers {known!r} and {layer.name!r} have one name where __ stands for /"
            raise ConversionError(
                f"{request.description.path}: {text}, as in files of Keras; rename one of them"
            )


def _without_layout(request: Request, kernel: Fact | None) -> Plan:
    """Plan for a file whose layout nothing tells: possible only where it makes no difference."""
    target = request.target
    if request.lenient and (kernel is None or kernel.value == target.kernels):
        request = replace(request, description=with_others(request))
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
    if kernel.source == assumed.source and holds_kernels(plan.arrays):
        raise ConversionError(_question(request.description, "how its kernels are stored", "--from-kernels"))
    return plan


def _question(description: Description, what: str, option: str) -> str:
    return f"{description.path}: nothing in the file tells {what}; say {option} th or {option} tf"


def _plan(request: Request, layout: Fact, kernel: Fact) -> Plan:
    source = Form(layout=layout.value, kernels=kernel.value)
    if request.lenient and source == request.target:
        request = replace(request, description=with_others(request))
    description = request.description
    check_kinds(description, request.match)
    ends = _ends(request, source)
    known, unknown = learn_flattened(description, source.layout, user=request.flatten, match=request.match)
    _check_rows(description, ends, known, unknown)
    hard = HardSigmoids()
    if request.to is not None and FORMATS[request.to].today:
        hard = find_hard_sigmoids(description, asked=request.scale)
    scaled = gates_to_scale(description, hard) if request.scale else ()
    by_path = _placed(request, ends, known)
    arrays = tuple(by_path[array.path] for layer in description.weighted for array in layer.arrays)
    outputs, folded = _outputs(request, by_path, scaled)
    if holds_kernels(arrays):
        check_file_name(description, kernel)
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
        folded=folded or request.joined or (description.record.folded if description.record else None),
        typed_notes=(
            *all_notes(request, source, kernel, by_path, folded),
            *hard_sigmoid_notes(hard, scale=request.scale),
        ),
        scaled=tuple(part.name for part in scaled),
    )


def _placed(request: Request, ends: Ends, known: Mapping[str, Flattened]) -> dict[str, PlannedArray]:
    """Return what becomes of each array, by its path in the file."""
    pairs = request.match.by_layer() if request.match else {}
    return {
        array.path: place(
            array,
            part,
            layer=layer.name,
            ends=ends,
            kind=kind_by_rules(part, pair),
            flattened=known.get(part.name),
            pair=pair,
        )
        for layer in paced(request.description.weighted)
        for pair in (pairs.get(layer.name),)
        for part in layer.parts
        for array in part.arrays
    }


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
    request: Request, by_path: Mapping[str, PlannedArray], scaled: Sequence[Part]
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


def _ends(request: Request, source: Form) -> Ends:
    """Return what the file is and becomes, as far as the rules ask for it."""
    description, target = request.description, request.target
    dialect = None if request.to is None else FORMATS[request.to].dialect
    if dialect is None and description.dialect == FOREIGN and source != target:
        dialect = "keras3"  # there is no other form of other software's
    last = flattens_last(description)
    return Ends(
        path=description.path,
        source=source,
        target=target,
        dialect=description.dialect,
        new_dialect=dialect or description.dialect,
        flattens_last=last,
        new_flattens_last=last if dialect is None else dialect in ("keras2", "keras3"),
        squares=becomes_variance(description, dialect),
        old_1d=_keeps_old_1d(description),
        anew=request.to is not None,
    )


def _keeps_old_1d(description: Description) -> bool | None:
    """Return whether 1-D kernels are in their older form, as in Keras 0.x; None if shapes have to tell."""
    network = description.record.network if description.record else None
    return True if description.dialect == "keras0" else network.old_1d if network else None


def _network(
    request: Request, ends: Ends, known: Mapping[str, Flattened], folded: Mapping[str, str]
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
        running_std=running_std(description, ends),
        old_1d=description.dialect != "keras0" and has_old_1d(description, ends),
        folds=description.folds if request.match is None else {},
    )


def _layer_facts(
    layer: Layer, pair: MatchedLayer | None, known: Mapping[str, Flattened], *, anew: bool
) -> LayerFacts:
    """Return what is known of a layer; cuDNN's are Keras' own in a file that is written anew."""
    native = NATIVE if anew else {}
    parts = []
    for part in layer.parts:
        kind = kind_by_rules(part, pair)
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
        doubtful=part.inferred and alike(kind) is not None,
        roles=None if set(roles) == set(rules) else tuple(sorted(roles, key=[*rules, *roles].index)),
        flattened=flattened,
    )
