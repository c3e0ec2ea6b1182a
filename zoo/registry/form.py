"""The form of ``registry.yaml``: what the records say of their fields, as one kind.

Whether values fit together (a head that is no layer, a structure that does not exist) no form can say; that
is checked in :mod:`zoo.registry.assembly`.
"""

from __future__ import annotations

from typing import Any

from zoo.registry.fields import Choice, Key, Record, keys_of
from zoo.registry.records import Registry

FORM: Record[dict[str, Any]] = Record(
    dict, {"schema": Key(Choice((1,)), "Version of this form"), **keys_of(Registry)}
)
"""The whole of ``registry.yaml``."""
