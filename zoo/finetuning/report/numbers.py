"""Counts and shares of what a model classified correctly and wrongly; NumPy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ClassScore:
    """How well one class was found; a share of nothing is NaN.

    Attributes:
        support: How many images of it there are.
        predicted: How many images were predicted to be of it.
        correct: How many of them are.
        precision: Of the images predicted to be of it, the share that are: correct / predicted.
        recall: Of its images, the share that were predicted to be: correct / support.
        f1: Harmonic mean of the two: 2 correct / (support + predicted).
    """

    support: int
    predicted: int
    correct: int
    precision: float
    recall: float
    f1: float


def confusion(labels: Sequence[int], predicted: Sequence[int], classes: int) -> NDArray[np.int64]:
    """Return how often each class was predicted as each.

    Args:
        labels: The true classes of the images, shape (N,).
        predicted: The predicted ones, shape (N,).
        classes: How many classes there are, C.

    Returns:
        Counts, shape (C, C): row is the true class, column the predicted one.
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (np.asarray(labels, np.int64), np.asarray(predicted, np.int64)), 1)
    return counts


def class_scores(counts: NDArray[np.int64]) -> list[ClassScore]:
    """Return precision and recall of each class.

    Args:
        counts: A confusion matrix, shape (C, C), row true class, column predicted.

    Returns:
        One score for each class.
    """
    columns = zip(
        counts.sum(axis=1).tolist(), counts.sum(axis=0).tolist(), np.diag(counts).tolist(), strict=True
    )
    return [
        ClassScore(
            support=support,
            predicted=predicted,
            correct=correct,
            precision=share(correct, predicted),
            recall=share(correct, support),
            f1=share(2 * correct, support + predicted),
        )
        for support, predicted, correct in columns
    ]


def share(part: float, whole: float) -> float:
    """Return ``part / whole``, NaN of nothing."""
    return part / whole if whole else math.nan


def interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share that was measured on a few images.

    Wilson's score interval (E. B. Wilson, 1927), which stays within 0 and 1.

    Args:
        right: How many were correctly classified.
        count: Of how many.

    Returns:
        Lower and upper bound, 0 to 1; (0, 1) where nothing was measured.
    """
    if count == 0:
        return 0.0, 1.0
    z = 1.959963984540054
    measured, extra = right / count, z * z / count
    centre = (measured + extra / 2) / (1 + extra)
    half = z * math.sqrt(measured * (1 - measured) / count + extra / (4 * count)) / (1 + extra)
    return max(0.0, centre - half), min(1.0, centre + half)


def confused_pairs(counts: NDArray[np.int64], most: int) -> list[tuple[int, int, int]]:
    """Return which classes were predicted as which others most often.

    Args:
        counts: A confusion matrix, shape (C, C).
        most: How many pairs to return at most.

    Returns:
        (true class, predicted class, how often), the most frequent first, only what happened.
    """
    wrong = counts - np.diag(np.diag(counts))
    pairs = [
        (true, predicted, int(wrong[true, predicted])) for true, predicted in np.argwhere(wrong).tolist()
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))[:most]
