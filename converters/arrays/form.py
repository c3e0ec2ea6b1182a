"""The two facts that tell one copy of a network's weights from another: layout and kernels.

``th`` and ``tf`` are the names that Keras gave them, after the two backends. Layout is the order of the axes
(channels first or last); kernels is whether convolution kernels are stored for true convolution, rotated by
180 degrees, as Theano computes it, or for cross-correlation. The two are independent of each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from converters.errors import ArgumentError

Layout = Literal["th", "tf"]
Kernels = Literal["th", "tf"]
Shape = tuple[int, ...]
# The rows of a matrix in the order of what was flattened into them: each segment is the (C, H, W) of one
# feature map (any rank from two up), or (n,) for n rows that came from no map.
Rows = tuple[Shape, ...]


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a weights file is: the order of its axes, and how its convolution kernels are stored.

    Examples:
        >>> import converters
        >>> print(converters.Form(layout="tf", kernels="th"))  # as Keras on Theano wrote it, channels last
        layout tf, kernels th
    """

    layout: Layout
    kernels: Kernels

    def __str__(self) -> str:
        """Return for instance ``layout tf, kernels tf``."""
        return f"layout {self.layout}, kernels {self.kernels}"


TH = Form(layout="th", kernels="th")
TF = Form(layout="tf", kernels="tf")
_ENDS = {"th-to-tf": (TH, TF), "tf-to-th": (TF, TH)}


def ends_of(direction: str) -> tuple[Form, Form]:
    """Return the forms that a direction leads from and to.

    Args:
        direction: ``"th-to-tf"`` or ``"tf-to-th"``.

    Raises:
        ArgumentError: If it is anything else.
    """
    if direction not in _ENDS:
        raise ArgumentError(f"direction must be one of {', '.join(map(repr, _ENDS))}, not {direction!r}")
    return _ENDS[direction]


def checked_axis(value: str | None, argument: str) -> Literal["th", "tf"] | None:
    """Return a layout or kernels that a user gave, or None if nothing was given.

    Args:
        value: ``"th"``, ``"tf"`` or None.
        argument: The argument's name, for the message.

    Raises:
        ArgumentError: If it is anything else.
    """
    if value is None:
        return None
    if value in ("th", "tf"):
        return "th" if value == "th" else "tf"
    raise ArgumentError(f"{argument} must be 'th' or 'tf', not {value!r}")
