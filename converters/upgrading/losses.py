"""Losses and metrics of older versions, under today's names, as a list by the model's outputs.

Keras 1 and 2 name them by words, tf.keras by words or classes; one for all outputs, a list by their order or
a mapping by their names. Functions of somebody's own have no place: only their code says what they compute.

Sources: keras/objectives.py, Keras 1.2.2; keras/losses.py, Keras 2.2.4 and 2.15; keras/src/losses and
keras/src/metrics, Keras 3.15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from converters.layers.config import Setting
from converters.limits import clipped
from converters.upgrading.named import (
    Known,
    is_count,
    is_flag,
    is_number,
    is_share,
    one_of,
    or_none,
    parted,
    plain,
    today_of,
)

_BY_PLACE = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "meansquarederror": "mean_squared_error",
    "meanabsoluteerror": "mean_absolute_error",
    "meanabsolutepercentageerror": "mean_absolute_percentage_error",
    "meansquaredlogarithmicerror": "mean_squared_logarithmic_error",
    "binarycrossentropy": "binary_crossentropy",
    "hinge": "hinge",
    "squaredhinge": "squared_hinge",
    "poisson": "poisson",
    "logcosh": "log_cosh",
    "huber": "huber",
    "huberloss": "huber",
}
"""What is computed of each place, and then its mean: the order of axes is of no matter."""
_BY_AXIS = {
    "categoricalcrossentropy": "categorical_crossentropy",
    "sparsecategoricalcrossentropy": "sparse_categorical_crossentropy",
    "categoricalhinge": "categorical_hinge",
    "kullbackleiblerdivergence": "kl_divergence",
    "kldivergence": "kl_divergence",
    "kld": "kl_divergence",
    "cosinesimilarity": "cosine_similarity",
    "cosineproximity": "cosine_similarity",
    "cosine": "cosine_similarity",
}
"""What is computed along the last axis."""
WORDS: Mapping[str, str] = {**_BY_PLACE, **_BY_AXIS}
_MEANS_BEFORE = (2, 0, 9)
"""Up to here, a cosine was the mean of products and not their sum."""

_REDUCED: dict[str, Any] = {
    "settings": {"reduction": one_of("sum_over_batch_size", "sum", "none")},
    "replaced": {("reduction", "auto"): "sum_over_batch_size"},
    "silent": ("name", "dtype", "fn"),
}
_LOGITS = {"from_logits": is_flag, "label_smoothing": is_number, "axis": lambda value: value == -1}


def _loss(today: str, **settings: Callable[[Setting], bool]) -> Known:
    return Known(today=today, **{**_REDUCED, "settings": {**_REDUCED["settings"], **settings}})


LOSSES: Mapping[str, Known] = {
    **{
        name.lower(): _loss(name)
        for name in (
            *("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "Poisson", "LogCosh"),
            *("MeanSquaredLogarithmicError", "Hinge", "SquaredHinge", "CategoricalHinge", "KLDivergence"),
        )
    },
    "huber": _loss("Huber", delta=is_number),
    "cosinesimilarity": _loss("CosineSimilarity", axis=_LOGITS["axis"]),
    "binarycrossentropy": _loss("BinaryCrossentropy", **_LOGITS),
    "categoricalcrossentropy": _loss("CategoricalCrossentropy", **_LOGITS),
    "sparsecategoricalcrossentropy": _loss(
        "SparseCategoricalCrossentropy",
        from_logits=is_flag,
        ignore_class=or_none(lambda value: type(value) is int),
    ),
    "binaryfocalcrossentropy": _loss(
        "BinaryFocalCrossentropy",
        apply_class_balancing=is_flag,
        alpha=is_number,
        gamma=is_number,
        **_LOGITS,
    ),
}
"""The classes of tf.keras, which today's Keras has with the same settings."""

_WORD = {"name": or_none(lambda value: isinstance(value, str)), "dtype": or_none(one_of("float32"))}
_THRESHOLDS = {
    "thresholds": or_none(
        lambda value: is_share(value) or (isinstance(value, list) and all(map(is_share, value)))
    )
}
_CHOSEN = {"top_k": or_none(is_count), "class_id": or_none(lambda value: type(value) is int)}


def _metric(today: str, **settings: Callable[[Setting], bool]) -> Known:
    return Known(today=today, settings={**_WORD, **settings}, silent=("fn",))


METRICS: Mapping[str, Known] = {
    **{
        name.lower(): _metric(name)
        for name in (
            *("Accuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy", "Poisson", "LogCoshError"),
            *("MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "KLDivergence", "Hinge"),
            *("MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "SquaredHinge"),
            "CategoricalHinge",
        )
    },
    **{name.lower(): _metric(name, **_LOGITS) for name in ("BinaryCrossentropy", "CategoricalCrossentropy")},
    "sparsecategoricalcrossentropy": _metric(
        "SparseCategoricalCrossentropy", from_logits=is_flag, axis=_LOGITS["axis"]
    ),
    "binaryaccuracy": _metric("BinaryAccuracy", threshold=lambda value: is_share(value) and 0 < value < 1),
    **{
        name.lower(): _metric(name, k=is_count)
        for name in ("TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy")
    },
    **{name.lower(): _metric(name, **_THRESHOLDS, **_CHOSEN) for name in ("Precision", "Recall")},
    **{
        name.lower(): _metric(name, **_THRESHOLDS)
        for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")
    },
    "auc": _metric(
        "AUC",
        num_thresholds=lambda value: is_count(value) and value > 1,
        curve=one_of("ROC", "PR"),
        summation_method=one_of("interpolation", "majoring", "minoring"),
        multi_label=is_flag,
        num_labels=or_none(is_count),
        label_weights=lambda value: value is None,
        from_logits=is_flag,
    ),
}
_ACCURACIES = {
    "accuracy": "accuracy",
    "acc": "accuracy",
    "crossentropy": "crossentropy",
    "ce": "crossentropy",
    "binaryaccuracy": "binary_accuracy",
    "categoricalaccuracy": "categorical_accuracy",
    "sparsecategoricalaccuracy": "sparse_categorical_accuracy",
    "topkcategoricalaccuracy": "top_k_categorical_accuracy",
    "sparsetopkcategoricalaccuracy": "sparse_top_k_categorical_accuracy",
}


def by_output(value: Setting, outputs: Sequence[str], *, lists: bool = False) -> list[Setting] | None:
    """Return what is said of each output, in their order; None if it is said in no form that is known.

    Args:
        value: One thing for all, a list, or a mapping by names; tf.keras has them in lists within each other.
        outputs: The names of the outputs.
        lists: Whether what is said of one output is a list itself.
    """
    count = len(outputs)
    if isinstance(value, Mapping) and parted(value) is None:
        return [value.get(name) for name in outputs] if set(value) <= set(outputs) else None
    if not isinstance(value, list):
        return [value] * count
    if lists:
        nested = len(value) == count and all(isinstance(one, list) or one is None for one in value)
        return list(value) if nested else [value] * count
    return list(value) if len(value) == count else None


def loss_of(value: Setting, version: tuple[int, ...], *, turned: bool) -> Setting:
    """Return a loss as today's Keras names it.

    Args:
        value: What the file says.
        version: The version that wrote it.
        turned: Whether the output's axes are in another order than they were.

    Returns:
        None if it has no place.
    """
    if isinstance(value, Mapping) and value.get("class_name") == "function":
        value = value.get("config")
    if isinstance(value, str):
        name = plain(value)
        mean = name in ("cosine", "cosineproximity") and version < _MEANS_BEFORE
        return None if mean or (turned and name not in _BY_PLACE) else WORDS.get(name)
    found = today_of(value, LOSSES, "keras.losses")
    return None if turned and found and plain(found["class_name"]) not in _BY_PLACE else found


def metric_of(value: Setting, *, turned: bool) -> Setting:
    """Return a metric as today's Keras names it, or None if it has no place.

    Args:
        value: What the file says.
        turned: Whether the output's axes are in another order than they were.
    """
    found = parted(value)
    if found is None:
        return None
    name, settings = found
    if name in _WRAPPERS:
        said = value.get("config") if isinstance(value, Mapping) else None
        word, settings = settings.get("fn", said), {"name": settings.get("name")}
    else:
        word = name
    if not isinstance(word, str) or (turned and plain(word) not in _BY_PLACE):
        return None
    if isinstance(value, str) and plain(word) in _METRIC_WORDS:
        return _METRIC_WORDS[plain(word)]
    given = {key: said for key, said in settings.items() if said is not None}
    full = _METRIC_WORDS.get(plain(word), word)
    return today_of({"class_name": full, "config": given}, METRICS, "keras.metrics")


_WRAPPERS = ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper", "function")
_ALIASES = {name: word for name, word in WORDS.items() if plain(word) in METRICS}
_METRIC_WORDS = {**_ALIASES, **_ACCURACIES}
"""The words that today's Keras knows as metrics."""


def name_of(value: Setting) -> str:
    """Return what a loss or a metric is called, for a message."""
    found = parted(value)
    return clipped(found[0] if found else type(value).__name__)
