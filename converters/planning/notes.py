"""What the user is told of a plan: what was assumed, what changes its kind, what other software would do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from converters.arrays.form import Form, Kernels
from converters.arrays.planned import PlannedArray
from converters.errors import ConversionError, Doubt, counted
from converters.formats.description import Description
from converters.layers.model import Part
from converters.layers.rules import FOREIGN
from converters.layers.table import (
    CUDNN,
    OTHER,
    Biases,
)
from converters.planning import folding
from converters.planning.facts import (
    Fact,
    kernels_of_file_name,
    kernels_of_names,
)
from converters.planning.request import Request, alike, holds_kernels
from converters.planning.running_std import parts_with_deviations
from converters.planning.structures import Match


def all_notes(
    request: Request,
    source: Form,
    kernel: Fact,
    by_path: Mapping[str, PlannedArray],
    folded: Mapping[str, str],
) -> tuple[str, ...]:
    """Return what the user should know of a plan, one sentence each.

    Args:
        request: What is planned.
        source: What the file is.
        kernel: How its kernels are stored, and who told it.
        by_path: The planned arrays by their paths in the file.
        folded: The batch normalisations that a ``Scale`` layer is folded into, each with that layer's name.
    """
    description = request.description
    notes = _kernel_notes(description, kernel) if holds_kernels(by_path.values()) else []
    if description.optimizer and request.to is None:
        notes.append("optimizer_weights are copied as they are: what they hold belongs to the source's form")
    if request.to is not None and description.whole_model:
        notes.append("the weights alone are written: the model's configuration stays behind")
    if source.layout != request.target.layout:
        notes += _reshape_notes(description)
    if request.match is not None:
        notes += [*folding.notes(request.match.structure, folded), *_dropped_notes(request.match)]
    notes += [*_deviation_notes(request, by_path), *_doubt_notes(request)]
    return (*description.notes, *notes, *_cudnn_notes(request), *_other_notes(description))


def _dropped_notes(match: Match) -> Iterator[str]:
    """Yield what is left out of layers, or which layers are, one sentence for each reason."""
    by_reason: dict[str, list[str]] = {}
    for layer, words in match.dropped.items():
        by_reason.setdefault(words, []).append(layer)
    for words, layers in by_reason.items():
        what = f"{len(layers)} layers ({layers[0]!r} first)" if len(layers) > 1 else f"{layers[0]!r}"
        yield f"{what}: {words}, as {match.structure.name} has no place for it"


_BIASES = {Biases.ADDED: ", its two biases added", Biases.TWO_ROWS: " with reset_after"}


def _cudnn_notes(request: Request) -> list[str]:
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


def check_file_name(description: Description, kernel: Fact) -> None:
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


def _deviation_notes(request: Request, by_path: Mapping[str, PlannedArray]) -> list[str]:
    description = request.description
    vectors = parts_with_deviations(description)
    squared = sum(array.function == "square" for array in by_path.values())
    if squared:
        return [
            "1 running_std is a standard deviation (Keras up to 1.0.6): squared, to be a variance"
            if squared == 1
            else f"{squared:,} running_std are standard deviations (Keras up to 1.0.6): squared, to be "
            "variances"
        ]
    network = description.record.network if description.record else None
    told = network is not None and network.running_std == "variance"
    if vectors and description.dialect == "keras1" and not description.version and not told:
        layers = f"{counted(len(vectors), 'layer')}, {vectors[0].name!r} first"
        text = f"running_std ({layers}) is taken for a variance, as from Keras 1.0.7 on"
        text += "; if an older one wrote the file, say --keras-version 1.0.6"
        # Of a published file it is known.
        return [text if request.published else Doubt(text)]
    return []


def _doubt_notes(request: Request) -> list[str]:
    """Return what was taken for granted where two kinds look alike that the new dialect tells apart."""
    description = request.description
    if request.to is None or description.dialect not in ("keras0", "keras1", FOREIGN) or request.match:
        return []
    doubtful = [part for part in description.parts if alike(part.kind) and part.inferred]
    return [*_doubts(doubtful, "transposed"), *_embedding_doubts(description)]


def _embedding_doubts(description: Description) -> list[str]:
    """Return the same of matrices without a bias, which PyTorch calls alike in layers of either kind."""
    dense = [part for part in description.parts if part.kind == "Dense" and part.inferred]
    return _doubts(dense, "an embedding", "Embedding") if description.dialect == FOREIGN else []


def _doubts(doubtful: Sequence[Part], what: str, kind: str | None = None) -> list[str]:
    if not doubtful:
        return []
    first = doubtful[0]
    are, their = ("is", "its") if len(doubtful) == 1 else ("are", "their")
    layers = f"{counted(len(doubtful), 'layer')} ({first.name!r} first)"
    text = f"{layers} {are} taken for {first.kind} by {their} shapes"
    return [Doubt(f"{text}; if one is {what}, say --layer NAME={kind or alike(first.kind)}")]


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
