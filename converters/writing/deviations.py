"""What the values of batch normalisations tell of a file whose version nothing tells.

``running_std`` of Keras 1 is a standard deviation up to 1.0.6 and a variance from 1.0.7 on. A file of weights
alone does not say which, but some values can only be one of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from converters.arrays.planned import PlannedArray
from converters.errors import Doubt
from converters.planning.plan import Plan
from converters.writing.execute import reader

_EPSILON = 1e-6
"""What Keras up to 1.0.6 added to a standard deviation, so that a deviation of 0 multiplies by a million."""
_NOTHING = 1e-3
"""A slope up to which such a factor still gives values that a network may have."""


def with_evidence(plan: Plan) -> Plan:
    """Return a plan with what the values say of ``running_std``, if it had to be taken for one of the two.

    Args:
        plan: A plan; its file is only read if it is one of Keras 1.

    Raises:
        FileFormatError: If an array cannot be read.
    """
    if plan.description.dialect != "keras1" or not plan.with_deviations:
        return plan
    notes = tuple(_evidence(plan))
    return replace(plan, typed_notes=(*plan.typed_notes, *notes)) if notes else plan


def _evidence(plan: Plan) -> Iterator[str]:
    arrays = {(array.layer, array.role): array for array in plan.arrays}
    with reader(plan) as read:
        for array in plan.arrays:
            if array.role != "moving_variance":
                continue
            values = read(array)
            if array.function is None and np.any(values < 0):
                yield Doubt(_negative(array))
                return
            if array.function is not None and np.any(values == 0):
                gamma = arrays.get((array.layer, "gamma"))
                slopes = np.ones_like(values) if gamma is None else read(gamma)
                if np.any((values == 0) & (np.abs(slopes) > _NOTHING)):
                    yield Doubt(_zero(array))
                    return


def _negative(array: PlannedArray) -> str:
    text = f"running_std of {array.layer!r} has negative values, so it holds no variances"
    return f"{text}: if Keras up to 1.0.6 wrote the file, say --keras-version 1.0.6"


def _zero(array: PlannedArray) -> str:
    text = f"running_std of {array.layer!r} has zeros where gamma is not: as a standard deviation that would"
    return f"{text} multiply by {1 / _EPSILON:,.0f}, so it holds variances; leave --keras-version out"
