"""``python -m zoo.registry.schema`` prints the JSON Schema of ``registry.yaml``, for editors.

It comes from the very lines of the records by which the registry is checked; ``zoo/registry.schema.json`` is
a copy of this output.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from zoo.registry.families import FAMILIES, brought, family_of
from zoo.registry.form import FORM

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def registry_schema() -> dict[str, Any]:
    """Return the JSON Schema of a whole registry; overlays may leave out what they do not change.

    Families of plug-ins are in it.

    Raises:
        RegistryError: A plug-in cannot be used.
    """
    schema = FORM.schema()
    architecture = schema["properties"]["architectures"]["additionalProperties"]
    architecture["allOf"] = [_config_rule(family) for family in (*FAMILIES, *brought())]
    return {"$schema": DIALECT, "title": "Registry of networks and their weights files", **schema}


def _config_rule(family: str) -> dict[str, Any]:
    """Return the rule that ties the form of ``graphs.*.config`` to the family."""
    graph = {"properties": {"config": family_of(family).form.schema()}}
    return {
        "if": {"properties": {"family": {"const": family}}, "required": ["family"]},
        "then": {"properties": {"graphs": {"additionalProperties": graph}}},
    }


def render() -> str:
    """Return the schema as the text of ``zoo/registry.schema.json``."""
    return json.dumps(registry_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
