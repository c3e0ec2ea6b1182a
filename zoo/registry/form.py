"""The form of ``registry.yaml``: what the records say of their fields, as one kind.

Whether values fit together (a head that is no layer, a structure that does not exist) no form can say; that
is checked in :mod:`zoo.registry.assembly`.
"""

from __future__ import annotations

from typing import Any, cast

from zoo.registry.fields import Choice, Key, MapOf, Record, keys_of
from zoo.registry.records import Registry

SCHEMA = 1
"""The number of the form of a registry; an overlay that says none is of it."""

SCHEMA_KEY = Key(Choice((SCHEMA,)), "Version of this form")

_PARTS = keys_of(Registry, ("files",))

FORM: Record[dict[str, Any]] = Record(dict, {"schema": SCHEMA_KEY, **_PARTS})
"""The whole of ``registry.yaml``."""

PARTS = {name: cast(MapOf, key.kind) for name, key in _PARTS.items()}
"""The parts of a registry: mappings from names to entries."""
