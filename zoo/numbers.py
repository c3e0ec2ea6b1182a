"""Numbers as users give them: Python's own and NumPy's, told from what only looks like one."""

from __future__ import annotations

import math
import sys
from numbers import Integral, Real
from typing import TypeGuard


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether a value is an integer, NumPy's among them; ``True`` and ``False`` are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_real(value: object) -> TypeGuard[float]:
    """Tell whether a value is a finite number, whole or not, NumPy's among them; truth values are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_flag(value: object) -> TypeGuard[bool]:
    """Tell whether a value is ``True`` or ``False``, NumPy's among them."""
    numpy = sys.modules.get("numpy")  # where nobody has imported it there is no value of its types
    return isinstance(value, bool) or (numpy is not None and isinstance(value, numpy.bool_))
