"""What a user's weights file is: which network of the registry it holds, and in what form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from converters.arrays.form import TF, Form
from converters.errors import ConversionError, StructureMismatchError
from converters.formats.description import Description
from converters.planning.facts import learn_layout
from converters.planning.making import make_plan
from converters.planning.structures import Match, load_structure
from zoo.errors import ArgumentError, FileFormatError
from zoo.networks.own_head import OwnHead, layers_of
from zoo.networks.weights import recognised
from zoo.registry.records import Architecture, Graph, Kernels, Layout


class Unsaid(ArgumentError):  # noqa: N818 - it is a question as well
    """Something has to be said that the file does not tell; on a terminal it is asked for.

    Attributes:
        argument: The argument that says it.
        question: What to ask.
        choices: What can be answered; empty where it is any text.
    """

    def __init__(self, argument: str, why: str, question: str, choices: Iterable[str] = ()) -> None:
        self.argument = argument
        self.question = question
        self.choices = tuple(choices)
        said = " or ".join(f"--{argument.replace('_', '-')} {one}" for one in self.choices[:2])
        option = said or f"--{argument.replace('_', '-')} {argument.upper()}"
        super().__init__(f"{why}; say it with {option} ({argument}=)")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A network that a weights file holds.

    Attributes:
        network: The network.
        graph: Which of its graphs.
        match: How the file's layers are those of it, the classifiers left aside where they are others.
        head: What is known of the classifiers, where they are not as in the registry.
        top: Whether it holds classifiers.
        layout: Its layout.
        kernels: How its kernels are stored.
        dialect: Who wrote it.
    """

    network: Architecture
    graph: Graph
    match: Match
    head: OwnHead | None
    top: bool
    layout: Layout
    kernels: Kernels
    dialect: str

    @property
    def classes(self) -> int:
        """How many the classifiers have, or had where there are none."""
        return self.head.classes if self.head else self.network.classes


def find(
    description: Description,
    networks: Iterable[Architecture],
    *,
    arch: str | None = None,
    layout: Layout | None = None,
    kernels: Kernels | None = None,
) -> Found:
    """Return what a weights file holds.

    Args:
        description: The file.
        networks: All that it may be.
        arch: The network, if the user says it.
        layout: Its layout, if the user says it.
        kernels: How its kernels are stored, if the user says it.

    Raises:
        Unsaid: Something is not told by the file.
        FileFormatError: It holds weights that stand in no order and under no names.
        StructureMismatchError: It holds no such network.
        ConversionError: What is said contradicts its shapes.
    """
    if description.format is not None:
        why = "is no file of Keras, and an entry's file is kept, fetched and mirrored as one"
        advice = f"zoo convert {description.path} --to keras3 makes one of it, which can be added"
        raise FileFormatError(f"{description.path}: {why}; {advice}")
    network, graph, match, kept, head = _the_one(description, networks, arch)
    form = _form(kept, match, layout, kernels)
    whole = load_structure(match.structure.name)
    heads = set(layers_of([one.layer for one in graph.heads], graph, whole))
    held = {layer.name for layer in match.structure.weighted}
    return Found(
        network=network,
        graph=graph,
        match=match,
        head=head,
        top=bool(heads & held),
        layout=form.layout,
        kernels=form.kernels,
        dialect=description.dialect,
    )


def _form(description: Description, match: Match, layout: Layout | None, kernels: Kernels | None) -> Form:
    """Return the form of a file, as it and the user tell it.

    Raises:
        Unsaid: Neither does.
        ConversionError: What is said contradicts its shapes.
    """
    known = learn_layout(description, user=layout, match=match)
    try:
        plan = make_plan(description, target=TF, from_layout=layout, from_kernels=kernels, match=match)
    except ConversionError as error:
        if known is not None:
            raise
        why = f"{description.path}: nothing in it tells whether channels come first"
        question = "layout: th (channels first) or tf (channels last)?"
        raise Unsaid("layout", why, question, ("th", "tf")) from error
    if known is not None and plan.kernels.source == "assumed":
        why = f"{description.path}: nothing in it tells how its kernels are stored"
        question = "kernels: th (as Theano rotates them) or tf (as all others have them)?"
        raise Unsaid("kernels", why, question, ("th", "tf"))
    return Form(layout=plan.layout.value, kernels=plan.kernels.value)


def _may_hold(description: Description, graph: Graph) -> bool:
    """Tell by their number whether the layers below a graph's classifiers can be those of a file.

    Comparing names and shapes with those of all networks takes a second.
    """
    kernels = (layer.array("kernel") for layer in description.weighted)
    held = sum(kernel is None or len(kernel.shape) != _DENSE_AXES for kernel in kernels)
    structure = load_structure(graph.structures[0])
    most = sum(layer.kind != "Dense" for layer in structure.weighted)
    # Some of the top may be no dense layers, and be missing.
    return any(count - len(graph.top) <= held <= count for count in (most, most - len(structure.scales)))


_DENSE_AXES = 2

_Fit = tuple[Architecture, Graph, Match, Description, OwnHead | None]


def _the_one(description: Description, networks: Iterable[Architecture], arch: str | None) -> _Fit:
    """Return the network that a file holds.

    Raises:
        Unsaid: It may be several.
        StructureMismatchError: It is none.
    """
    fits: dict[Any, _Fit] = {}
    nearest: list[StructureMismatchError] = []
    for network in networks:
        if arch is not None and network.name != arch:
            continue
        for graph in network.graphs.values():
            if arch is None and not _may_hold(description, graph):
                continue
            try:
                found = recognised(description, (graph,))
            except StructureMismatchError as error:
                nearest.append(error)
            else:
                fits.setdefault((network.family, graph.structures, str(graph.config)), (network, *found))
    exact = [fit for fit in fits.values() if fit[4] is None] or list(fits.values())
    names = list(dict.fromkeys(fit[0].name for fit in exact))
    if len(names) > 1:
        why = f"{description.path}: fits {', '.join(names)}, which differ in what no file tells"
        raise Unsaid("arch", why, f"network: {', '.join(names)}?", names)
    if exact:
        return exact[0]
    if arch is not None and nearest:
        raise nearest[0]
    advice = "a whole model (model.save) can be added whatever its network is"
    raise StructureMismatchError(f"{description.path}: holds no network of the registry; {advice}")
