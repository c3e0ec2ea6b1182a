"""What a file is, and how that was learned.

In this order: the user, the record that an earlier conversion left, the description in a container of plain
arrays, the registry, the ``backend`` attribute
of Keras 2, the configuration of a whole model, the names of Keras 1's arrays, the shapes. What nothing tells
is assumed, and called so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from converters.arrays.form import Form, Kernels, Layout
from converters.errors import ConversionError
from converters.formats.description import Description
from converters.formats.foreign import FORM
from converters.layers.config import entries
from converters.layers.following import has_order
from converters.layers.model import Array, Part
from converters.layers.rules import FOREIGN, Rule, is_rotated
from converters.layers.table import rules_of
from converters.planning.structures import Match

_BACKENDS: Mapping[str, Kernels] = {
    "theano": "th",
    "tensorflow": "tf",
    "cntk": "tf",
    "jax": "tf",
    "torch": "tf",
}
_CONFIG_VALUES: Mapping[str, Layout] = {
    "th": "th",
    "tf": "tf",
    "channels_first": "th",
    "channels_last": "tf",
}
_TOLD_BY: Mapping[str, str] = {FOREIGN: "format"}
"""What tells the form of files that have no description and are all alike."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A layout or kernels, and who told it.

    Attributes:
        value: ``th`` or ``tf``.
        source: ``user``, ``record``, ``description``, ``format``, ``registry``, ``backend attribute``,
            ``model_config``, ``array names``, ``shapes``, ``direction`` or ``assumed``.
    """

    value: Literal["th", "tf"]
    source: str

    def __str__(self) -> str:
        """Return for instance ``th (shapes)``."""
        return f"{self.value} ({self.source})"


def learn_layout(
    description: Description,
    *,
    user: Layout | None = None,
    registry_form: Form | None = None,
    expected: Form | None = None,
    match: Match | None = None,
) -> Fact | None:
    """Return a file's layout and how it is known, or None if nothing tells it.

    Args:
        description: The file.
        user: What the user says.
        registry_form: What the registry says.
        expected: Where the direction that the user gave starts from; counts only where nothing else tells.
        match: The structure that the file holds, whose shapes are then known.

    Raises:
        ConversionError: If the shapes contradict what is said, or each other.
    """
    shapes = match.layout if match else layout_of_shapes(description)
    shapes = FORM.layout if description.dialect == FOREIGN else shapes
    said = (
        ("user", user),
        ("record", description.record and description.record.form.layout),
        (_TOLD_BY.get(description.dialect, "description"), description.form and description.form.layout),
        ("registry", registry_form and registry_form.layout),
        ("model_config", layout_of_config(description.model_config)),
        ("shapes", shapes),
        ("direction", expected and expected.layout),
    )
    fact = _first(said)
    if fact and shapes and fact.value != shapes:
        text = f"{description.path}: layout is {fact}, but its shapes are those of layout {shapes}"
        raise ConversionError(f"{text} ({_example(description)}); leave the layout out, or check the file")
    return fact


def learn_kernels(
    description: Description,
    layout: Fact | None,
    *,
    user: Kernels | None = None,
    registry_form: Form | None = None,
) -> Fact | None:
    """Return how a file's kernels are stored and how that is known.

    Args:
        description: The file.
        layout: Its layout: where nothing tells the kernels, they are assumed to match it.
        user: What the user says.
        registry_form: What the registry says.

    Returns:
        None only if the layout is unknown too, and the arrays' names tell nothing.

    Raises:
        ConversionError: If the user says of a file of Caffe or PyTorch that its kernels are rotated.
    """
    if description.dialect == FOREIGN and user not in (None, FORM.kernels):
        text = f"kernels are {user} (user), but neither Caffe nor PyTorch rotates any; leave the kernels out"
        raise ConversionError(f"{description.path}: {text}")
    return _first(
        (
            ("user", user),
            ("record", description.record and description.record.form.kernels),
            (_TOLD_BY.get(description.dialect, "description"), description.form and description.form.kernels),
            ("registry", registry_form and registry_form.kernels),
            ("backend attribute", kernels_of_backend(description)),
            ("array names", kernels_of_names(description)),
            ("assumed", layout and layout.value),
        )
    )


def kernels_of_backend(description: Description) -> Kernels | None:
    """Return what the ``backend`` attribute tells: Theano rotates its kernels, all others do not."""
    if description.dialect in ("keras3", "plain"):
        return "tf"
    return _BACKENDS.get(description.backend or "")


# TensorFlow calls a variable by the operation that makes it and the number of that operation's output.
_TENSOR = re.compile(r".*:\d+", re.DOTALL)


def kernels_of_names(description: Description) -> Kernels | None:
    """Return what the names of a Keras 1 file's arrays tell, or None where they disagree or tell nothing.

    Keras 1 writes the names of its variables: ``conv1_W:0`` on TensorFlow, ``conv1_W`` on Theano, the only
    other backend it has.
    """
    if description.dialect != "keras1":
        return None
    names = [array.name for layer in description.weighted for array in layer.arrays]
    told: set[Kernels] = {"tf" if _TENSOR.fullmatch(name) else "th" for name in names}
    return told.pop() if len(told) == 1 else None


# What a file's own name calls the backend: the short words only in front of "kernels" ("tf_dim_ordering" is
# about the layout), the long ones wherever they are not about the layout.
_LONG_WORDS: Mapping[str, Kernels] = {"theano": "th", "tensorflow": "tf"}
_SHORT_WORDS: Mapping[str, Kernels] = {"th": "th", "tf": "tf", **_LONG_WORDS}
_ABOUT_KERNELS = ("kernel", "kernels")
_ABOUT_LAYOUT = ("dim", "ordering", "layout")


def kernels_of_file_name(path: Path) -> Kernels | None:
    """Return what a file's own name says of its kernels, or None if it says nothing, or both.

    Args:
        path: For instance ``vgg16_weights_tf_dim_ordering_th_kernels.h5`` or ``tagger_tensorflow.h5``.
    """
    words = re.findall(r"[a-z0-9]+", path.name.lower())
    pairs = list(zip(words, [*words[1:], ""], strict=True))
    said = {
        _SHORT_WORDS[word] for word, after in pairs if word in _SHORT_WORDS and after in _ABOUT_KERNELS
    } or {_LONG_WORDS[word] for word, after in pairs if word in _LONG_WORDS and after not in _ABOUT_LAYOUT}
    return said.pop() if len(said) == 1 else None


def layout_of_config(config: Mapping[str, Any] | None) -> Layout | None:
    """Return the layout that the layers of a model's configuration agree on, or None."""
    values = set(_orderings(config))
    return _CONFIG_VALUES[values.pop()] if len({_CONFIG_VALUES[value] for value in values}) == 1 else None


def _orderings(config: object) -> Iterator[str]:
    for entry in entries(config):
        inner = entry.get("config")
        if isinstance(inner, Mapping) and has_order(str(entry["class_name"])):
            yield from (
                value
                for key in ("dim_ordering", "data_format")
                if isinstance(value := inner.get(key), str) and value in _CONFIG_VALUES
            )


def layout_of_shapes(description: Description) -> Layout | None:
    """Return the layout that the shapes of the convolution kernels prove, or None.

    A kernel has its outputs first in th layout and last in tf layout, and its bias tells how many there are.
    Keras 2 stores the same shape in both layouts.

    Raises:
        ConversionError: If one layer can only be th and another only tf.
    """
    told: dict[Layout, Part] = {}
    for part, kernel, outputs in _measured(description):
        fitting: list[Layout] = []
        fitting += ["th"] if kernel.shape[0] == outputs else []
        fitting += ["tf"] if kernel.shape[-1] == outputs else []
        if len(fitting) == 1:
            told.setdefault(fitting[0], part)
    if len(told) == 2:
        text = f"layer {told['th'].name!r} has th shapes but layer {told['tf'].name!r} has tf shapes"
        raise ConversionError(f"{description.path}: {text}; the file mixes layouts")
    return next(iter(told), None)


# Kernels that have their outputs first in one layout and last in the other.
_TELLING = (Rule.CONVOLUTION, Rule.TRANSPOSED)


def _measured(description: Description) -> Iterator[tuple[Part, Array, int]]:
    """Yield the convolution kernels whose number of outputs is known from a vector of that length."""
    if description.dialect not in ("keras0", "keras1"):
        return
    parts = description.parts
    for part, following in zip(parts, (*parts[1:], None), strict=False):  # of no parts, none
        kernel, bias = part.array("kernel"), part.array("bias")
        if not _has_telling_kernel(part) or kernel is None or len(kernel.shape) < 4:
            continue
        if bias is None and following and Rule.DEVIATION in rules_of(following.kind).values():
            bias = following.arrays[0]
        if bias is not None and len(bias.shape) == 1:
            yield part, kernel, bias.shape[0]


def has_rotated_kernels(description: Description) -> bool:
    """Return whether there are arrays that Theano keeps rotated."""
    return any(
        is_rotated(rule)
        for part in description.parts
        for role, rule in rules_of(part.kind).items()
        if part.array(role) is not None
    )


def _has_telling_kernel(part: Part) -> bool:
    return rules_of(part.kind).get("kernel") in _TELLING


def _example(description: Description) -> str:
    kernels = [(part, part.array("kernel")) for part in description.parts if _has_telling_kernel(part)]
    part, kernel = kernels[0] if kernels else (description.parts[0], description.parts[0].arrays[0])
    return f"layer {part.name!r}: kernel {kernel.shape if kernel else ()}"


def _first(said: tuple[tuple[str, Any], ...]) -> Fact | None:
    return next((Fact(value=value, source=source) for source, value in said if value), None)
