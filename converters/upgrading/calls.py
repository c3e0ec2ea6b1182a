"""What a layer of tf.keras is called with: results of other layers among settings, wherever they stand.

Most layers take their inputs as one list. An operation of TensorFlow takes results and numbers by name, in
any order, and attention takes its inputs so.

Source: Node.serialize() in tf_keras/src/engine/node.py, tf-keras 2.21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converters.layers.config import Setting

OPERATIONS = ("TFOpLambda", "SlicingOpLambda")
"""The classes of operations: all but the first argument are told by name."""
CALLED = frozenset((*OPERATIONS, "MultiHeadAttention", "Attention", "AdditiveAttention"))
"""The classes whose calls are read in this way."""
CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True)
class Fed:
    """A result of another layer within what a layer is called with: its place among those that feed it."""

    place: int


@dataclass(frozen=True, kw_only=True)
class Called:
    """What a layer is called with.

    Attributes:
        first: Its first argument: a result, a list of them, or a number.
        named: The others, by name; what is None is left out.
        sources: The results among them, each as layer, use and number, in the order of their places.
    """

    first: Any
    named: Mapping[str, Any]
    sources: tuple[tuple[str, int, int], ...]


def says_nothing(value: Setting) -> bool:
    """Return whether what a layer is called with says nothing: no mask, or none for any of its inputs."""
    if isinstance(value, list):
        return all(map(says_nothing, value))
    return value is None or value is False


def read_call(use: Setting) -> Called | None:
    """Return what a use of a layer says, or None if its form is not known."""
    entries = use if _is_list_of_entries(use) else [use]
    if not all(map(_is_entry, entries)):
        return None
    sources: list[tuple[str, int, int]] = []
    firsts = [_first(entry, sources) for entry in entries]
    said = entries[0][3] if len(entries[0]) > 3 else {}
    if not isinstance(said, Mapping):
        return None
    named = {str(name): _with_results(value, sources) for name, value in said.items() if value is not None}
    first = firsts if use is entries and len(entries) > 1 else firsts[0]
    return Called(first=first, named=named, sources=tuple(sources))


def _is_list_of_entries(use: Setting) -> bool:
    return isinstance(use, list) and bool(use) and isinstance(use[0], list)


def _is_entry(entry: Setting) -> bool:
    if not isinstance(entry, list) or len(entry) < 3 or not isinstance(entry[0], str):
        return False
    return entry[0] == CONSTANT or is_result(entry[:3])


def _first(entry: list[Any], sources: list[tuple[str, int, int]]) -> Any:  # noqa: ANN401 - any JSON
    return entry[2] if entry[0] == CONSTANT else _fed(entry, sources)


def _fed(entry: list[Any], sources: list[tuple[str, int, int]]) -> Fed:
    sources.append((entry[0], int(entry[1]), int(entry[2])))
    return Fed(len(sources) - 1)


def is_result(value: Setting) -> bool:
    """Return whether a value names a result: layer, use and number."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and all(type(number) is int and 0 <= number < 1 << 31 for number in value[1:])
    )


def _with_results(value: Setting, sources: list[tuple[str, int, int]]) -> Any:  # noqa: ANN401 - any JSON
    if is_result(value):
        return _fed(value, sources)
    if isinstance(value, list):
        return [_with_results(item, sources) for item in value]
    if isinstance(value, Mapping):
        return {key: _with_results(item, sources) for key, item in value.items()}
    return value
