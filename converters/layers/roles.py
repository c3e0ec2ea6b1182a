"""What an array is to its layer: read off its name, or its place where arrays have no names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from converters.arrays.form import Shape
from converters.layers.rules import GATES, OLD_GATES, RULES

# What an array of Keras 1 is called at the end of its name.
_KERAS1_PLAIN: Mapping[str, str] = {
    "W_carry": "carry_kernel",
    "b_carry": "carry_bias",
    "depthwise_kernel": "depthwise_kernel",
    "pointwise_kernel": "pointwise_kernel",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
    "gamma": "gamma",
    "beta": "beta",
    "alphas": "alpha",
    "betas": "beta",
    "t_left": "t_left",
    "a_left": "a_left",
    "t_right": "t_right",
    "a_right": "a_right",
    "W": "kernel",
    "U": "recurrent_kernel",
    "b": "bias",
}
_GATED = {"W": "kernel", "U": "recurrent_kernel", "b": "bias"}
_ALL_GATES = "".join(sorted(set("".join(GATES.values()))))
_KERAS1_NAME = re.compile(
    rf"(?:(?P<owner>.*?)[_/])?(?:(?P<gated>[WUb])_(?P<gate>[{_ALL_GATES}])"
    rf"|(?P<plain>{'|'.join(_KERAS1_PLAIN)}))"
    r"(?:_\d+)?(?::\d+)?"
)
# The first two lines are Keras' own words; the third one's layers are gone in Keras 2, and keep theirs.
_KERAS2_ROLES = (
    *("depthwise_kernel", "pointwise_kernel", "recurrent_kernel", "kernel", "bias", "gamma", "beta"),
    *("moving_mean", "moving_variance", "embeddings", "alpha"),
    *("carry_kernel", "carry_bias", "t_left", "a_left", "t_right", "a_right"),
)
_KERAS2_NAME = re.compile(rf"(?P<owner>.*)/(?P<plain>{'|'.join(_KERAS2_ROLES)})(?:_\d+)?(?::\d+)?")
# tf.keras and Keras 3 put a recurrent layer's arrays into a cell of its own.
_CELL = re.compile(r"/(?:lstm|gru|simple_rnn|conv_lstm)_cell(?:_\d+)?$")
# A layer's word for an array where it is not the usual one.
_OWN_ROLES = {("Embedding", "kernel"): "embeddings", ("DepthwiseConv2D", "kernel"): "depthwise_kernel"}


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
    if kind == "ParametricSoftplus" and role == "beta":
        return "_betas"
    plain = {
        "embeddings": "W",
        **{role: suffix for suffix, role in _KERAS1_PLAIN.items() if suffix != "betas"},
    }
    return f"_{plain[role]}_{gate}" if gate else f"_{plain[role]}"


# Places of arrays without names: role and gate, one layer after the other.
Places = tuple[tuple[str, str | None], ...]


def _gated(kind: str) -> Places:
    return tuple((role, gate) for gate in OLD_GATES[kind] for role in ("kernel", "recurrent_kernel", "bias"))


def _plain(*roles: str) -> Places:
    return tuple((role, None) for role in roles)


def _chained(shapes: Sequence[Shape]) -> bool:
    """Return whether matrices, recurrent matrices and biases follow one another and fit."""
    units = shapes[2][0]
    return all(
        kernel[-1] == units and recurrent == (units, units) and bias == (units,) and kernel == shapes[0]
        for kernel, recurrent, bias in zip(shapes[::3], shapes[1::3], shapes[2::3], strict=True)
    )


def _same(shapes: Sequence[Shape]) -> bool:
    return len(set(shapes)) == 1


def _highway(shapes: Sequence[Shape]) -> bool:
    size = shapes[0][0]
    return list(shapes) == [(size, size), (size,)] * 2


def _biased(shapes: Sequence[Shape]) -> bool:
    return shapes[1][0] in (shapes[0][0], shapes[0][-1])


def _one_way(shapes: Sequence[Shape]) -> bool:
    """Return whether a kernel may be a 1-D convolution's as well as a 2-D one's."""
    return shapes[0][3] == 1 and shapes[0][2] > 1 and shapes[1] == (shapes[0][0],)


def _maxout(shapes: Sequence[Shape]) -> bool:
    return shapes[1] == (shapes[0][0], shapes[0][-1])


def _any(_: Sequence[Shape]) -> bool:
    return True


# Ranks of the arrays of one layer of Keras 0.3, what else has to fit, the kind, and the arrays' roles; the
# first that fits is taken. Source: the params of keras/layers/*.py in 0.3.3.
_NUMBERED: tuple[tuple[tuple[int, ...], Callable[[Sequence[Shape]], bool], str | None, Places], ...] = (
    ((2, 2, 1) * 4, _chained, "LSTM", _gated("LSTM")),
    ((2, 2, 1) * 3, _chained, "GRU", _gated("GRU")),
    ((2, 2, 1), _chained, "SimpleRNN", _plain("kernel", "recurrent_kernel", "bias")),
    ((2, 1, 2, 1), _highway, "Highway", _plain("kernel", "bias", "carry_kernel", "carry_bias")),
    ((1, 1, 1, 1), _same, "BatchNormalization", _plain(*RULES["BatchNormalization"])),
    ((1, 1), _same, "Scale", _plain("gamma", "beta")),
    ((4, 1), _one_way, None, _plain("kernel", "bias")),
    ((4, 1), _biased, "Conv2D", _plain("kernel", "bias")),
    ((5, 1), _biased, "Conv3D", _plain("kernel", "bias")),
    ((4,), _any, "Conv2D", _plain("kernel")),
    ((3, 2), _maxout, "MaxoutDense", _plain("kernel", "bias")),
    ((2, 1), _biased, "Dense", _plain("kernel", "bias")),
    ((3,), _any, "PReLU", _plain("alpha")),
    ((2,), _any, "Embedding", _plain("embeddings")),
    ((1,), _any, "PReLU", _plain("alpha")),
)


# No layer has more arrays; one that has an array alone is told by the one behind it too.
_MOST_PLACES = max(2, *(len(ranks) for ranks, *_ in _NUMBERED))


def numbered_layers(shapes: Sequence[Shape], *, several: bool) -> Iterator[tuple[str | None, Places]]:
    """Cut arrays without names into layers.

    Args:
        shapes: The shapes of all arrays of a layer, or of a Graph, of Keras 0.x.
        several: Whether they are those of several layers. A Highway is then not told from two Dense layers.

    Yields:
        A kind, or None where two fit, and the roles of its arrays; at last None and nothing if arrays are
        left that fit no kind.
    """
    start = 0
    while start < len(shapes):
        found = next(_fitting(shapes[start : start + _MOST_PLACES], several), None)
        if found is None:
            yield None, ()
            return
        yield found
        start += len(found[1])


def _fitting(shapes: Sequence[Shape], several: bool) -> Iterator[tuple[str | None, Places]]:
    for ranks, fits, kind, places in _NUMBERED:
        first = shapes[: len(ranks)]
        # An array alone has no other of its shape behind it: that would be a layer that is not in the table.
        if len(ranks) == 1 and shapes[1:2] == shapes[:1]:
            continue
        if tuple(map(len, first)) == ranks and fits(first) and not (several and kind == "Highway"):
            yield kind, places
