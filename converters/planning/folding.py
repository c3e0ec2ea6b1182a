"""``Scale`` layers that belong to a batch normalisation, as networks that come from Caffe have them.

There the statistics and the learned slope and offset are layers of their own; Keras' batch normalisation has
both. Which layers belong together is told by position: right behind a run of batch normalisations stands a
run of as many ``Scale`` layers, and these belong to those in the same order. Most runs have one layer; where
two branches lie side by side, a file lists their layers by depth. Names tell nothing.

The network that is drawn has one layer for both: with g and b for slope and offset, s for the ``Scale`` layer
and n for the normalisation, gamma = g_s g_n and beta = g_s b_n + b_s, computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby, pairwise

from converters.arrays.blocks import aligned_empty
from converters.arrays.moves import FUNCTIONS, Values
from converters.arrays.planned import Output, PlannedArray, Share
from converters.errors import ConversionError, FileFormatError, counted
from converters.formats.description import Description
from converters.planning.structures import Match, Structure, StructureLayer

NORM, SCALE = "BatchNormalization", "Scale"

FOLDED: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "gamma": ("folded slope", ((SCALE, "gamma"), (NORM, "gamma"))),
    "beta": ("folded offset", ((NORM, "beta"), (SCALE, "gamma"), (SCALE, "beta"))),
}
"""For each role that folding changes, a function and the arrays that it takes: whose, and in which role."""


def scale_pairs(structure: Structure) -> dict[str, str]:
    """Return the name of the ``Scale`` layer that belongs to each batch normalisation that has one.

    Args:
        structure: A graph; one without ``Scale`` layers has no pairs.

    Raises:
        FileFormatError: A ``Scale`` layer has no batch normalisation of its length before it. The message
            names the structure and the layer.
    """
    runs = [list(run) for _, run in groupby(structure.layers, key=lambda layer: layer.kind)]
    pairs = {}
    for before, run in pairwise([[], *runs]):
        if run[0].kind == SCALE:
            _check_run(structure, before, run)
            for norm, scale in zip(before, run, strict=True):
                _check_pair(structure, norm, scale)
                pairs[norm.name] = scale.name
    return pairs


def _check_run(structure: Structure, before: list[StructureLayer], run: list[StructureLayer]) -> None:
    norms = len(before) if before and before[0].kind == NORM else 0
    if norms != len(run):
        names = f"{run[0].name!r}" if len(run) == 1 else f"{run[0].name!r} to {run[-1].name!r}"
        stands = (
            f"{norms} right before" if norms else f"{before[-1].name!r} right before" if before else "none"
        )
        text = f"{len(run)} Scale ({names}) must follow as many batch normalisations: there is {stands}"
        raise FileFormatError(f"structure {structure.name}: {text}")


def _check_pair(structure: Structure, norm: StructureLayer, scale: StructureLayer) -> None:
    shapes = [layer.arrays.get(role) for layer in (norm, scale) for role in ("gamma", "beta")]
    if None in shapes or len(set(shapes)) > 1:
        ends = " and ".join(f"{layer.name!r} ({_shapes(layer)})" for layer in (norm, scale))
        text = f"Scale layer {scale.name!r} does not fit the batch normalisation in its place: {ends}"
        raise FileFormatError(f"structure {structure.name}: {text}")


def _shapes(layer: StructureLayer) -> str:
    return ", ".join(f"{role} {shape}" for role, shape in layer.arrays.items()) or "no arrays"


def folded_values(role: str, norm: str, scale: str, read: Callable[[str, str], Values]) -> Values:
    """Return an array of a batch normalisation that a ``Scale`` layer is folded into.

    Args:
        role: A key of :data:`FOLDED`.
        norm: The batch normalisation.
        scale: The ``Scale`` layer.
        read: Gives the array of a layer that has a role, in float32.
    """
    function, sources = FOLDED[role]
    arrays = [read(scale if owner == SCALE else norm, name) for owner, name in sources]
    values = aligned_empty(arrays[0].shape, arrays[0].dtype)
    FUNCTIONS[function](*arrays, out=values)
    return values


def pairs_in_file(match: Match) -> dict[str, str]:
    """Return :func:`scale_pairs` by the names that the layers have in a file.

    Raises:
        FileFormatError: As there.
    """
    names = {pair.expected.name: pair.layer.name for pair in match.layers}
    return {names[norm]: names[scale] for norm, scale in scale_pairs(match.structure).items()}


def drawn(description: Description, match: Match, pairs: Mapping[str, str]) -> Description:
    """Return a file as Keras would list it if the network were drawn: in that order, without folded layers.

    Args:
        description: The file.
        match: The structure that it holds.
        pairs: The layers that are folded, by the names in the file.
    """
    layers = {pair.expected.name: pair.layer for pair in match.layers}
    order = (layers[layer.name] for layer in match.structure.drawn)
    gone = set(pairs.values())
    return replace(description, layers=tuple(layer for layer in order if layer.name not in gone))


def fold(
    outputs: tuple[Output, ...], pairs: Mapping[str, str], planned: Mapping[str, PlannedArray]
) -> tuple[Output, ...]:
    """Return the arrays of a new file in which ``Scale`` layers are part of batch normalisations.

    Args:
        outputs: The arrays, none of them a ``Scale`` layer's.
        pairs: The layers that are folded, by the names in the old file.
        planned: What becomes of each array of the old file, by path.

    Raises:
        ConversionError: Two arrays that belong together are of different types.
    """
    by_role = {(array.layer, array.role): array for array in planned.values()}
    return tuple(
        _folded(output, pairs[output.layer], by_role) if _is_changed(output, pairs) else output
        for output in outputs
    )


def _is_changed(output: Output, pairs: Mapping[str, str]) -> bool:
    return output.layer in pairs and output.role in FOLDED


def _folded(output: Output, scale: str, by_role: Mapping[tuple[str, str], PlannedArray]) -> Output:
    function, sources = FOLDED[output.role]
    owners = {NORM: output.layer, SCALE: scale}
    arrays = [by_role[owners[owner], role] for owner, role in sources]
    for array in arrays:
        if array.dtype != output.dtype:
            text = f"layers {output.layer!r} ({output.dtype}) and {array.layer!r} ({array.dtype}) hold"
            raise ConversionError(f"{text} different types and cannot be folded; --as-published leaves them")
    return replace(output, shares=tuple(Share(array=array) for array in arrays), function=function)


def notes(structure: Structure, pairs: Mapping[str, str]) -> Iterator[str]:
    """Yield what the user should know where layers are folded, one sentence each."""
    if pairs:
        norm, scale = next(iter(pairs.items()))
        folded = counted(len(pairs), "Scale layer", "is", "are")
        text = f"{folded} folded into the batch normalisation before {'it' if len(pairs) == 1 else 'them'}"
        why = f"({scale!r} into {norm!r} first), as zoo.load draws {structure.name}"
        yield f"{text} {why}; --as-published (as_published=True) leaves them apart"
