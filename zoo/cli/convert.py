"""``zoo convert``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from converters import convert_file, parse_flatten, parse_layers, plan_file
from converters.api import target_format
from converters.writing.places import Local
from zoo.cli import EXIT_DONE, output
from zoo.cli.bars import BytesDone, progress
from zoo.cli.clusters import refuse_for_one
from zoo.cli.trees import run_below
from zoo.errors import ArgumentError
from zoo.files.given import as_named, at_hand, is_folder, named, to_be_made
from zoo.files.sources import Source, ends, fetched, there
from zoo.naming import is_name
from zoo.storage.remote import is_remote, shown


def run(arguments: argparse.Namespace) -> int:
    """Convert a file or a folder, or show the plan, and print where the new file is."""
    asked, is_network = _asked(arguments), is_name(arguments.source, _networks)
    if not is_network and is_folder(arguments.source):
        return _convert_tree(arguments, asked)
    refuse_for_one(arguments, shown(arguments.source), "the name of a network" if is_network else "none")
    source = _fetched(arguments.source, asked) if is_network else there(arguments.source)
    if arguments.dry_run:
        return _show_plan(arguments, source, asked)
    target = arguments.target or source.target
    if target is None and is_remote(source.path):
        raise ArgumentError(f"{shown(arguments.source)} lies elsewhere: say where the new file goes")
    with (
        at_hand(source.path) as old,
        to_be_made(target, force=arguments.force) as new,
        as_named(old, new),
    ):
        return _convert_file(arguments, source, asked, old, new)


def _show_plan(arguments: argparse.Namespace, source: Source, asked: dict[str, Any]) -> int:
    asked["to"] = target_format(arguments.target, arguments.to)
    with at_hand(source.path) as old, as_named(old):
        plan = plan_file(old.path, **asked, registry_form=source.form)
        if arguments.json:
            output.print_json(named(plan.as_dict(), old))
        else:
            output.print_line(old.told(plan.as_typed()))
    return EXIT_DONE


def _convert_file(
    arguments: argparse.Namespace, source: Source, asked: dict[str, Any], old: Local, new: Local | None
) -> int:
    with output.unwarned(), BytesDone(progress(), f"converting {old.path.name}") as advance:
        conversion = convert_file(
            old.path,
            None if new is None else new.path,
            **asked,
            registry_form=source.form,
            force=arguments.force,
            verify=arguments.verify,
            licence=source.licence,
            progress=advance,
        )
    if new is not None:
        new.send()
    output.detail(old.told(conversion.plan.as_typed()))
    for note in conversion.plan.typed_notes:
        output.note(f"zoo: {old.told(note)}")
    proof = conversion.record.proof
    output.note(f"zoo: verified {proof}" if proof else _unverified(arguments))
    if arguments.json:
        output.print_json(named(conversion.as_dict(), old, new))
    else:
        output.print_line(named(str(conversion.target), new))
    return EXIT_DONE


def _unverified(arguments: argparse.Namespace) -> str:
    reason = "" if arguments.verify is False else ": the file is large; --verify does it all the same"
    return f"zoo: not verified{reason}"


def _convert_tree(arguments: argparse.Namespace, asked: dict[str, Any]) -> int:
    from converters.trees import convert_tree

    if arguments.dry_run:
        raise ArgumentError("--dry-run is for single files")
    if arguments.target is None:
        raise ArgumentError(f"{shown(arguments.source)} is a folder: say where the new files go")
    return run_below(convert_tree, arguments.source, arguments.target, arguments, **asked)


def _asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the conversion should do, in the library's words."""
    if arguments.arch is not None:
        from zoo.registry import architecture

        architecture(arguments.arch)
    names = (
        "direction",
        "from_layout",
        "from_kernels",
        "to_layout",
        "to_kernels",
        "arch",
        "to",
        "keras_version",
        "as_published",
        "hard_sigmoid",
    )
    asked = {name: getattr(arguments, name) for name in names}
    return {
        **asked,
        "flatten": parse_flatten(arguments.flatten),
        "layers": parse_layers(arguments.layers),
        "order": arguments.order.split(",") if arguments.order else None,
    }


def _networks() -> list[str]:
    """Return the names of the networks.

    What is written as a path needs none of this: the registry and YAML cost as much as converting a small
    file.
    """
    from zoo.registry import list_models

    return list_models()


def _fetched(name: str, asked: Mapping[str, Any]) -> Source:
    """Return the fetched file of the network that is named."""
    if ends(asked)[0] is None:
        raise ArgumentError(f"say which form of {name} to convert: --th-to-tf or --tf-to-th")
    return fetched(name, asked, progress())
