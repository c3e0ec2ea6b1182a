"""``zoo upgrade``."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from converters import Upgrade, plan_upgrade, upgrade_file
from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.bars import BytesDone, progress
from zoo.errors import ArgumentError


def run(arguments: argparse.Namespace) -> int:
    """Upgrade a model, or show layer by layer what would be done, and print where the new file is."""
    source, weights, target = _named(arguments.files, check=arguments.check)
    asked: dict[str, Any] = {
        "weights": weights,
        "data_format": arguments.data_format,
        "keras_version": arguments.keras_version,
        "backend": arguments.backend,
        "custom": _custom(arguments.custom),
        "text": _text_of_yaml(source),
    }
    if arguments.check:
        return _check(plan_upgrade(source, **asked), as_json=arguments.json)
    with output.unwarned(), BytesDone(progress(), f"upgrading {Path(source).name}") as advance:
        done = upgrade_file(
            source, target, **asked, force=arguments.force, verify=arguments.verify, progress=advance
        )
    for note in done.upgrade.notes:
        output.note(f"zoo: {note}")
    output.note(f"zoo: verified {done.proof}" if done.proof else "zoo: not verified")
    output.print_json(done.as_dict()) if arguments.json else output.print_line(str(done.target))
    return EXIT_DONE


def _named(files: list[str], *, check: bool) -> tuple[str, str | None, str | None]:
    """Return the source, the weights if that is a configuration, and the new file if there is one."""
    source, *others = files
    weights = others.pop(0) if others and source.lower().endswith(_CONFIGURATIONS) else None
    target = others.pop(0) if others else None
    if others or (check and target is not None):
        raise ArgumentError(f"{files[-1]}: one file too many")
    return source, weights, target


_YAML = (".yaml", ".yml")
_CONFIGURATIONS = (".json", *_YAML)


def _text_of_yaml(source: str) -> str | None:
    """Return the JSON of a configuration in YAML, which only then takes PyYAML; None for another file."""
    if not source.lower().endswith(_YAML):
        return None
    text: str = import_module("zoo.networks.yaml_configs").json_of(source)
    return text


def _custom(named: list[str]) -> dict[str, Any]:
    """Return the user's own classes, imported: only where some are named, and Keras only then."""
    if not named:
        return {}
    sys.path.insert(0, str(Path.cwd()))  # as python does for a script: a module of the user's lies here
    own = import_module("zoo.networks.own")
    found: dict[str, Any] = own.own_of(own.imported(named))
    for text in named:
        output.note(f"zoo: imported {text.rpartition('=')[2]}")
    return found


def _check(plan: Upgrade, *, as_json: bool) -> int:
    if as_json:
        output.print_json(plan.as_dict())
    else:
        output.print_table(["layer", "class", "becomes", "how"], _rows(plan))
        for note in plan.notes:
            output.note(f"zoo: {note}")
        for refusal in plan.refusals:
            output.note(f"zoo: cannot be upgraded: {refusal}")
    return EXIT_FAILED if plan.refusals else EXIT_DONE


def _rows(plan: Upgrade) -> list[list[str]]:
    refused = {refusal.layer: refusal.why for refusal in plan.refusals}
    return [
        [
            layer.name,
            layer.class_name,
            "-" if layer.name in refused else ", ".join(layer.becomes),
            refused.get(layer.name) or "; ".join(filter(None, (layer.how, _without(layer.without)))),
        ]
        for layer in plan.layers
    ]


def _without(names: tuple[str, ...]) -> str:
    return f"without {', '.join(names)}" if names else ""
