"""What names tell: those of classes, those that Keras gives to layers by itself, and those of arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converters.errors import ArgumentError, checked_texts
from converters.layers.rules import Dialect
from converters.layers.table import GATES, KINDS, OTHER, PLAIN, WRAPPERS, cell_of

# Class names for what the kind has another name for: those of Keras 0, 1 and 3, and older ones of Keras 2.
_ALIASES = {
    name: kind
    for kind, record in KINDS.items()
    for names in record.classes.values()
    for name in names
    if name not in KINDS
} | {plain.keras3: kind for kind, plain in PLAIN.items() if plain.keras3}

# Kinds that today's Keras has no layer for: only a class of the user's own can have their names.
_OWN_CLASSES = frozenset(kind for kind, record in KINDS.items() if "keras3" not in record.classes)
_KERAS_MODULES = ("keras", "tf_keras", "tensorflow")

# Classes whose automatic names tell the kind: lower case with a number in Keras 1 (convolution2d_1), snake
# case with or without one in Keras 2 (conv2d_1).
_CLASSES = (*KINDS, *_ALIASES, *(name for name, plain in PLAIN.items() if plain.numbered))
_KNOWN = frozenset({*_CLASSES, OTHER})
_NUMBERED = re.compile(r"(.+?)_(\d+)")
_SAID = re.compile(r"(\w+)(?:\((\w+)\))?")


def kind_of_class(name: str) -> str:
    """Return the kind of a class: its name in Keras 2's words (``Conv2D`` for ``AtrousConvolution2D``)."""
    return _ALIASES.get(name, name)


def class_of(kind: str, dialect: Dialect) -> str:
    """Return what the class of a kind is called in a dialect; of a kind that is in no table, the same."""
    if kind in KINDS:
        return KINDS[kind].classes.get(dialect, (kind,))[0]
    plain = PLAIN.get(kind)
    return plain.keras3 if plain and plain.keras3 and dialect == "keras3" else kind


def kind_of_entry(entry: Mapping[str, Any]) -> str:
    """Return the kind of a layer by its entry in a model's configuration.

    A class that is not Keras' own is a kind of its own, under the name that it is registered by
    (``Custom>Dense``), whatever Keras has under the same name.

    Args:
        entry: With ``class_name``, and from Keras 3 on ``module`` and ``registered_name``.
    """
    name = str(entry["class_name"])
    own = name.rpartition(">")[2]
    module = entry.get("module")
    foreign = own != name or (isinstance(module, str) and module.partition(".")[0] not in _KERAS_MODULES)
    if not foreign or own in _OWN_CLASSES:
        return kind_of_class(own)
    return own if kind_of_class(own) not in _KNOWN else str(entry.get("registered_name") or f"Custom>{own}")


def snake_case(name: str) -> str:
    """Return a class name as Keras 2 makes a layer's name of it (``p_re_lu`` of ``PReLU``)."""
    partly = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", partly).lower()


def snake_case3(name: str) -> str:
    """Return a class name as Keras 3 makes a group's name of it (``conv_lstm2d`` of ``ConvLSTM2D``)."""
    partly = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", partly).lower()


def _automatic_names() -> dict[str, str]:
    names = {}
    for name in _CLASSES:
        names[name.lower()] = names[snake_case(name)] = names[snake_case3(name)] = kind_of_class(name)
    return names


_BY_NAME = _automatic_names()


def automatic_stem(name: str) -> str | None:
    """Return what is numbered in a name that Keras gave by itself (``convolution2d`` of ``convolution2d_7``).

    Returns:
        None if the name is no automatic one. The first layer of a class has no number in tf.keras and Keras 3
        (``conv2d``, then ``conv2d_1``), so the bare name counts like a numbered one.
    """
    found = _NUMBERED.fullmatch(name)
    stem = found.group(1) if found else name
    return stem if stem in _BY_NAME else None


def kind_of_name(name: str) -> str | None:
    """Return the kind that an automatic name tells, or None for a name that somebody chose."""
    stem = automatic_stem(name)
    return _BY_NAME[stem] if stem else None


def kind_of_group(name: str) -> str | None:
    """Return the kind that the name of a group in a file of Keras 3 tells (``conv2d``, ``conv2d_1``)."""
    return kind_of_name(name)


def is_kind(name: str) -> bool:
    """Return whether a kind is one that this package knows, with weights or without."""
    return name in _KNOWN


def stem_of(name: str) -> str:
    """Return a name without the number behind it (``q_dense`` of ``q_dense_3``)."""
    found = _NUMBERED.fullmatch(name)
    return found.group(1) if found else name


def parse_layers(texts: Sequence[str]) -> dict[str, str]:
    """Return what ``--layer`` arguments mean.

    Args:
        texts: Each ``NAME=KIND``, for instance ``up1=Conv2DTranspose`` or ``td=TimeDistributed(Dense)``.

    Raises:
        ArgumentError: If a text has another form.

    Examples:
        >>> import converters
        >>> converters.parse_layers(["up1=Conv2DTranspose", "td=TimeDistributed(Dense)"])
        {'up1': 'Conv2DTranspose', 'td': 'TimeDistributed(Dense)'}
    """
    parsed: dict[str, str] = {}
    for text in checked_texts(texts, "texts"):
        name, equals, kind = text.rpartition("=")
        if not equals or not name or not kind:
            raise ArgumentError(f"--layer takes NAME=KIND, for instance up1=Conv2DTranspose, not {text!r}")
        parsed[name] = kind
    return parsed


def split_kind(text: str, layer: str) -> tuple[str, str | None]:
    """Return a kind that a user gave, and the kind inside it (``TimeDistributed(Dense)``).

    Args:
        text: What the user said.
        layer: The layer, for the message.

    Returns:
        For a layer of kind ``Other``, its class is the second.

    Raises:
        ArgumentError: If there is no such kind.
    """
    found = _SAID.fullmatch(text) if isinstance(text, str) else None
    if found and found.group(1) == OTHER:
        return OTHER, found.group(2)
    kinds = tuple(kind_of_class(part) for part in found.groups() if part) if found else ()
    known = (*KINDS, *WRAPPERS, OTHER)
    if not kinds or any(kind not in known for kind in kinds) or (len(kinds) > 1 and kinds[0] in KINDS):
        raise ArgumentError(f"layer {layer!r}: {text!r} is not a known kind; known are {', '.join(known)}")
    return kinds[0], kinds[1] if len(kinds) > 1 else None


def _keras1_words() -> dict[str, str]:
    """Return the role that each word at the end of an array's name in Keras 1 tells."""
    roles = [(role, found) for record in KINDS.values() for role, found in record.arrays.items()]
    return {found.keras1: role for role, found in roles if found.keras1 and not found.also}


_KERAS1_PLAIN = _keras1_words()
_GATED = {str(found.keras1): role for kind in GATES for role, found in KINDS[kind].arrays.items()}
_ALL_GATES = "".join(sorted(set("".join(GATES.values()))))
_KERAS1_NAME = re.compile(
    rf"(?:(?P<owner>.*?)[_/])?(?:(?P<gated>{'|'.join(_GATED)})_(?P<gate>[{_ALL_GATES}])"
    rf"|(?P<plain>{'|'.join(_KERAS1_PLAIN)}))"
    r"(?:_\d+)?(?::\d+)?"
)
_KERAS2_ROLES = dict.fromkeys(role for record in KINDS.values() for role in record.arrays)
_KERAS2_NAME = re.compile(rf"(?P<owner>.*)/(?P<plain>{'|'.join(_KERAS2_ROLES)})(?:_\d+)?(?::\d+)?")
# tf.keras and Keras 3 put a recurrent layer's arrays into a cell of its own.
_CELLS = "|".join(cell.name for cell in map(cell_of, KINDS) if cell)
_CELL = re.compile(rf"/(?:{_CELLS})(?:_\d+)?$")
# A layer's word for an array where it is not the usual one.
_OWN_ROLES = {
    (kind, found.also): role
    for kind, record in KINDS.items()
    for role, found in record.arrays.items()
    if found.also
}


@dataclass(frozen=True)
class Naming:
    """What an array's name tells.

    Attributes:
        owner: The layer that the array belongs to, as its name says; ``""`` if it does not.
        role: What it is to that layer, or None.
        gate: The gate that it belongs to in Keras 0 and 1, or None.
    """

    owner: str
    role: str | None
    gate: str | None = None


def naming_of(name: str) -> Naming:
    """Return what an array's name tells.

    Args:
        name: For instance ``conv1_W``, ``conv1_W_1:0``, ``lstm_1_U_f`` or ``conv1/kernel:0``.
    """
    if found := _KERAS2_NAME.fullmatch(name):
        return Naming(_CELL.sub("", found["owner"]), found["plain"])
    if found := _KERAS1_NAME.fullmatch(name):
        if found["gate"]:
            return Naming(found["owner"] or "", _GATED[found["gated"]], found["gate"])
        return Naming(found["owner"] or "", _KERAS1_PLAIN[found["plain"]])
    return Naming("", None)


def is_keras2_name(name: str) -> bool:
    """Return whether an array's name is one that Keras gives from version 2 on."""
    return _KERAS2_NAME.fullmatch(name) is not None


def own_role(kind: str | None, role: str | None) -> str | None:
    """Return a role in the words of a kind: what other layers call kernel is an Embedding's embeddings."""
    return _OWN_ROLES.get((str(kind), str(role)), role)


def keras1_suffix(kind: str, role: str, gate: str | None) -> str:
    """Return what Keras 1 puts behind a layer's name for an array's name (``_W``, ``_U_f``)."""
    word = KINDS[kind].arrays[role].keras1
    return f"_{word}_{gate}" if gate else f"_{word}"
