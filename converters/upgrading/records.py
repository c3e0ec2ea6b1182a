"""What becomes of each class of layers, of Keras 0.3 to 2 and of tf.keras: the one table that is asked."""

from __future__ import annotations

from collections.abc import Mapping

from converters.upgrading.classes import UPGRADES, Upgrade
from converters.upgrading.origin import Origin
from converters.upgrading.tf_classes import TF_UPGRADES

RECORDS: Mapping[str, Upgrade] = {**UPGRADES, **TF_UPGRADES}
"""What becomes of each class, under every name that a version gave it."""
# What Keras 2 has too, or nobody calls a class of their own.
_ANYWHERE = frozenset((*UPGRADES, "RNN", "TensorFlowOpLayer", "TFOpLambda", "SlicingOpLambda"))


def record_of(class_name: str, origin: Origin) -> Upgrade | None:
    """Return what becomes of a class, or None for one of somebody's own, whatever its name is.

    Such are those with a package before their name, ``Custom>Attention``, which Keras' own layers never have,
    and in a file of Keras itself those that tf.keras alone has: many wrote a ``LayerNormalization``.
    """
    if class_name not in _ANYWHERE and not origin.tf_keras:
        return None
    return RECORDS.get(class_name)
