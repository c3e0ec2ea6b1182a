"""What becomes of each class of layers, of Keras 0.3 to 2 and of tf.keras: the one table that is asked."""

from __future__ import annotations

from collections.abc import Mapping

from converters.upgrading.classes import UPGRADES, Upgrade
from converters.upgrading.tf_classes import TF_UPGRADES

RECORDS: Mapping[str, Upgrade] = {**UPGRADES, **TF_UPGRADES}
"""What becomes of each class, under every name that a version gave it."""
