"""A linear support vector machine, as the weights of a dense layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ArgumentError
from zoo.extras import how_to_install
from zoo.finetuning.pictures import Pictures
from zoo.numbers import is_real

_MAX_ITERATIONS = 20_000
_SEEDS = 1 << 32  # as many as scikit-learn knows


def check_machine(cost: float) -> Callable[..., Any]:
    """Return scikit-learn's linear support vector machine, if it can be made.

    Args:
        cost: Of a row on the wrong side of the margin.

    Raises:
        ArgumentError: scikit-learn is not installed, or the cost is not above 0.
    """
    if not is_real(cost) or cost <= 0:
        raise ArgumentError(f"cost={cost!r}: must be a number above 0")
    try:
        from sklearn.svm import LinearSVC
    except ModuleNotFoundError as error:
        advice = how_to_install("finetune")
        raise ArgumentError(f"the strategy svm needs scikit-learn: {advice}") from error
    machine: Callable[..., Any] = LinearSVC
    return machine


def check_several(pictures: Pictures) -> None:
    """Check that there are images of two classes at least, whatever classes there may be besides.

    Raises:
        ArgumentError: All are of one.
    """
    _check_several(np.unique(pictures.labels), pictures.classes)


def _check_several(present: NDArray[np.int64], names: Sequence[object]) -> None:
    if len(present) < 2:
        only = f": all of them show {names[present[0]]!r}" if len(present) else ""
        raise ArgumentError(
            f"the strategy svm tells classes apart, and needs images of two to train on{only}; give "
            "images of another class too"
        )


def decision_weights(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    *,
    cost: float,
    balanced: bool,
    seed: int,
) -> list[NDArray[np.float32]]:
    """Fit one class against the rest; return what gives the decision values.

    Args:
        features: Standardised, shape (N, F).
        labels: Class of each row, shape (N,).
        classes: How many classes there are; one without rows is never decided for.
        cost: Of a row on the wrong side of the margin (C).
        balanced: Whether all classes count the same, however many rows they have.
        seed: Of the order in which rows are visited.

    Returns:
        Kernel (F, classes) and bias (classes,).

    Raises:
        ArgumentError: scikit-learn is not installed, the cost is not above 0, or there is one class only.
    """
    _check_several(np.unique(labels), range(classes))
    machine = check_machine(cost)(
        C=float(cost),
        class_weight="balanced" if balanced else None,
        random_state=seed % _SEEDS,
        max_iter=_MAX_ITERATIONS,
    )
    machine.fit(features, labels)
    rows, offsets = machine.coef_, machine.intercept_
    if len(rows) == 1:
        # Of two classes scikit-learn keeps the second one's values; the first one's are their opposite.
        rows, offsets = np.vstack([-rows, rows]), np.concatenate([-offsets, offsets])
    kernel = np.zeros((features.shape[1], classes), np.float32)
    bias = np.full(classes, offsets.min() - 10.0, np.float32)
    kernel[:, machine.classes_] = rows.T
    bias[machine.classes_] = offsets
    return [kernel, bias]
