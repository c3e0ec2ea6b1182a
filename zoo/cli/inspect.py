"""``zoo inspect``."""

from __future__ import annotations

import argparse
from typing import Any

from converters import Inspection, parse_layers
from converters.errors import counted
from zoo.cli import output
from zoo.files.inspecting import inspect


def run(arguments: argparse.Namespace) -> int:
    """Say what a weights file is and what it holds."""
    inspection = inspect(
        arguments.file, keras_version=arguments.keras_version, layers=parse_layers(arguments.layers)
    )
    if arguments.json:
        output.print_json(inspection.as_dict())
        return 0
    output.print_facts(_facts(inspection))
    output.print_line("")
    output.print_table(("layer", "kind", "arrays"), _rows(inspection.as_dict()["layers"]), whole=("layer",))
    return 0


def _facts(inspection: Inspection) -> dict[str, str]:
    facts = inspection.as_dict()
    record = facts["record"]
    return {
        "file": f"{facts['path']}, {output.megabytes(facts['bytes'])}",
        "dialect": f"{facts['dialect']}, {'a whole model' if facts['whole_model'] else 'weights only'}",
        "Keras": facts["keras_version"] or "not stated",
        "backend": facts["backend"] or "not stated",
        "layout": str(inspection.layout or "unknown"),
        "kernels": str(inspection.kernels or "unknown"),
        "holds": facts["structure"] or "no structure that the registry knows",
        "converted from": f"sha256:{record['zoo_source_sha256']}" if record else "no conversion recorded",
        **_proof(inspection),
        "arrays": f"{facts['arrays']:,}, {counted(facts['parameters'], 'parameter')}",
    }


def _proof(inspection: Inspection) -> dict[str, str]:
    record = inspection.description.record
    if record is None:
        return {}
    return {
        "converted by": record.converter,
        "plan": f"sha256:{record.plan_sha256}" if record.plan_sha256 else "not recorded",
        "verified": str(record.proof or "no"),
        **({"licence": record.licence} if record.licence else {}),
    }


def _rows(layers: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (layer["name"], layer["kind"] or "?", ", ".join(_array(array) for array in layer["arrays"]))
        for layer in layers
        if layer["arrays"]
    ]


def _array(array: dict[str, Any]) -> str:
    kind = "" if array["dtype"] == "float32" else f" {array['dtype']}"
    return f"{array['role'] or array['name']} {tuple(array['shape'])}{kind}"
