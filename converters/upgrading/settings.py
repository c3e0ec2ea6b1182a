"""What the settings of old layers were called, and what they were where a version did not write them down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from converters.layers.config import Setting
from converters.layers.config_form import Form
from converters.limits import clipped, shown
from converters.upgrading.graph import Node
from converters.upgrading.kept import WORKS_IN_TRAINING


class Missing(Enum):
    """What to do where no version's name of a setting is there."""

    REFUSE = auto()


@dataclass(frozen=True, kw_only=True)
class Argument:
    """A setting of an old layer.

    Attributes:
        called: What it was called, today's name first; several names together make up a list.
        default: What it was where a version did not know it.
        only: What it may be, if other values have no place today.
    """

    called: tuple[str | tuple[str, ...], ...]
    default: Setting = Missing.REFUSE
    only: tuple[Setting, ...] | None = None


def said_of(node: Node, arguments: Mapping[str, Argument], told: Callable[[str], None]) -> dict[str, Setting]:
    """Return the settings of a layer under today's names.

    Args:
        node: The layer.
        arguments: Its settings by today's names.
        told: Called with each setting that is left out and may have mattered in training.

    Raises:
        Refused: If one is missing, has a value without a place today, or is not known at all.
    """
    settings = node.settings
    _check_type(node)
    said = {name: _one(node, name, argument) for name, argument in arguments.items()}
    known = {key for argument in arguments.values() for names in argument.called for key in _keys(names)}
    for key, value in settings.items():
        if key in known or _SILENT.fullmatch(key):
            continue
        if WORKS_IN_TRAINING.fullmatch(key):
            continue  # looked at when the layer is drawn
        if not _TRAINING.fullmatch(key):
            raise node.refuse(f"its setting {clipped(key)} ({shown(value)}) has no place")
        if value not in (None, 0, 0.0, False):
            told(key)
    return said


MIXED = ("mixed_float16", "mixed_bfloat16")
"""Types of layers that compute with fewer bits than their arrays have."""
TYPES = ("float32", "string", *MIXED)


def type_of(node: Node) -> Setting:
    """Return the type of a layer, which it says itself or by a policy; None if it says none."""
    said = node.settings.get("dtype")
    policy = said.get("config") if isinstance(said, Mapping) else None
    return policy.get("name") if isinstance(policy, Mapping) else said


def _check_type(node: Node) -> None:
    """Raise for a layer whose type is not carried over; what comes in may be integers, or words."""
    name = type_of(node)
    if name is not None and not (name in TYPES or re.match(r"u?int", str(name))):
        raise node.refuse(f"its type is {shown(name)}: only float32 is carried over")


def _keys(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _one(node: Node, name: str, argument: Argument) -> Setting:
    for names in argument.called:
        found = [node.settings[key] for key in _keys(names) if node.settings.get(key) is not None]
        if len(found) == len(_keys(names)):
            value = whole(found[0] if isinstance(names, str) else found)
            break
    else:
        value = argument.default
    called = argument.called[0] if isinstance(argument.called[0], str) else argument.called[0][0]
    if value is Missing.REFUSE:
        raise node.refuse(f"it does not say its {called}")
    if argument.only is not None and value not in argument.only:
        raise node.refuse(f"its setting {called} is {shown(value)}")
    form = FORMS.get(name)
    if form is not None and value is not argument.default and not form.holds(value):
        raise node.refuse(f"its setting {called} is {shown(value)}, not {form.words}")
    return value


def _is_size(value: Setting) -> bool:
    return type(value) is int and 0 < value < _LARGEST


def _is_real(value: Setting) -> bool:
    return type(value) in (int, float) and abs(value) < _LARGEST


def _is_real_or_listed(value: Setting) -> bool:
    return all(map(_is_real, value)) and len(value) < _LONGEST if isinstance(value, list) else _is_real(value)


_LARGEST = 1 << 40
_LONGEST = 1 << 20
_SIZE = Form("a size", _is_size)
_WHOLE = Form("a whole number", lambda value: type(value) is int and abs(value) < _LARGEST)
_FLAG = Form("true or false", lambda value: isinstance(value, bool) or value in (0, 1))
_NUMBER = Form("a number", _is_real)
FORMS: Mapping[str, Form] = {
    **dict.fromkeys(
        ("filters", "units", "depth_multiplier", "n", "input_dim", "output_dim", "features"), _SIZE
    ),
    **dict.fromkeys(("use_bias", "scale", "center", "mask_zero", "return_sequences", "go_backwards"), _FLAG),
    **dict.fromkeys(("stateful", "unroll", "reset_after", "return_state"), _FLAG),
    **dict.fromkeys(
        ("rate", "stddev", "alpha", "beta", "k", "epsilon", "negative_slope", "max_value"), _NUMBER
    ),
    **dict.fromkeys(
        ("threshold", "theta", "l1", "l2", "mask_value", "dropout", "recurrent_dropout"), _NUMBER
    ),
    **dict.fromkeys(("factor", "offset"), Form("a number, or a list of numbers", _is_real_or_listed)),
    **dict.fromkeys(("group_count", "num_oov_indices"), _WHOLE),
    **dict.fromkeys(("keepdims", "use_scale", "invert", "pad_to_max_tokens", "crop_to_aspect_ratio"), _FLAG),
    **dict.fromkeys(
        ("height", "width", "num_bins", "num_tokens", "groups", "num_heads", "key_dim", "value_dim"), _SIZE
    ),
}
"""What settings have to be, by the names under which they are asked for; others are looked at in use."""


def whole(value: Setting) -> Setting:
    """Return a setting with integers where Keras 1 wrote ``64.0``, and the number of an array of one."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, Mapping) and value.get("type") == "ndarray":
        return value.get("value")
    return value


# What says nothing of what a trained layer computes: names, how it was built and initialised, how its
# computation was arranged, and what its inputs are, which the network says.
_SILENT = re.compile(
    r"name|trainable|dtype|input_dtype|batch_input_shape|batch_shape|input_shape|input_length|batch_size"
    r"|input_dim|custom_name|transform_bias|.*_initializer|.*_init|init|unit_forget_bias|consume_less|implementation|momentum"
    r"|weights|cache_enabled|class_name|synchronized|seed"
)
# What works in training alone.
_TRAINING = re.compile(r".*_lr_multiplier|W_learning_rate_multiplier|dropout|beta_decay")


def sizes(value: Setting, count: int) -> list[int] | None:
    """Return one number for each axis of space; None if a setting has another number of them."""
    found = value if isinstance(value, list) else [value] * count
    return list(found) if len(found) == count and all(isinstance(n, int) for n in found) else None


def flat(value: Setting) -> Iterator[Setting]:
    """Yield the numbers of a nested list."""
    if isinstance(value, list):
        for item in value:
            yield from flat(item)
    else:
        yield value
