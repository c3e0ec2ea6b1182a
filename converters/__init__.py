"""Convert Keras weights files between Theano's and TensorFlow's forms, with NumPy and h5py alone.

Importing this package costs nothing: the public names are looked up when they are used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from converters.version import check_system

if TYPE_CHECKING:
    from converters.api import Conversion, Inspection, convert_file, inspect_file, plan_file
    from converters.arrays.form import Form
    from converters.errors import ConversionWarning
    from converters.layers.names import parse_layers
    from converters.planning.flatten import parse_flatten
    from converters.planning.plan import Plan
    from converters.upgrading.own import OwnClass
    from converters.upgrading.plan import Upgrade
    from converters.upgrading.upgrade import Upgraded, plan_upgrade, upgrade_file

_HOMES = {
    "Conversion": "converters.api",
    "ConversionWarning": "converters.errors",
    "Form": "converters.arrays.form",
    "Inspection": "converters.api",
    "OwnClass": "converters.upgrading.own",
    "Plan": "converters.planning.plan",
    "Upgrade": "converters.upgrading.plan",
    "Upgraded": "converters.upgrading.upgrade",
    "convert_file": "converters.api",
    "inspect_file": "converters.api",
    "parse_flatten": "converters.planning.flatten",
    "parse_layers": "converters.layers.names",
    "plan_file": "converters.api",
    "plan_upgrade": "converters.upgrading.upgrade",
    "upgrade_file": "converters.upgrading.upgrade",
}

__all__ = [
    "Conversion",
    "ConversionWarning",
    "Form",
    "Inspection",
    "OwnClass",
    "Plan",
    "Upgrade",
    "Upgraded",
    "convert_file",
    "inspect_file",
    "parse_flatten",
    "parse_layers",
    "plan_file",
    "plan_upgrade",
    "upgrade_file",
]

check_system(sys.platform, next(iter(getattr(sys, "argv", ())), ""))


def __getattr__(name: str) -> object:
    """Import a public name's module when the name is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
