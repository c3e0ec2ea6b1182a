"""``zoo upgrade``."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from converters import Upgrade, Upgraded, plan_upgrade, upgrade_file
from converters.limits import first_repeated
from converters.upgrading.texts import YAML
from converters.writing.places import Local
from zoo.cli import EXIT_DONE, EXIT_FAILED, output
from zoo.cli.bars import BytesDone, progress
from zoo.cli.clusters import refuse_for_one
from zoo.cli.keras_import import import_keras
from zoo.cli.trees import run_below
from zoo.errors import ArgumentError
from zoo.files.given import as_named, at_hand, is_folder, named, to_be_made
from zoo.storage.remote import is_remote, last_name, shown


def run(arguments: argparse.Namespace) -> int:
    """Upgrade a model, or show layer by layer what would be done, and print where the new file is."""
    if _is_tree(arguments.files[0]):
        return _upgrade_tree(arguments)
    refuse_for_one(arguments, shown(arguments.files[0]), "none")
    if arguments.check and arguments.prove:
        raise ArgumentError("--prove builds the new file, which --check does not write: leave one out")
    source, weights, target = _named(arguments.files, check=arguments.check)
    if target is None and is_remote(source) and not arguments.check:
        raise ArgumentError(f"{shown(source)} lies elsewhere: say where the new file goes")
    with ExitStack() as stack:
        old = stack.enter_context(at_hand(source))
        beside = None if weights is None else stack.enter_context(at_hand(weights))
        new = stack.enter_context(to_be_made(target, force=arguments.force))
        stack.enter_context(as_named(old, beside, new))
        return _upgrade_one(arguments, old, beside, new)


def _upgrade_one(arguments: argparse.Namespace, old: Local, weights: Local | None, new: Local | None) -> int:
    """Upgrade a model whose files are at hand, or show what would be done."""
    asked: dict[str, Any] = {
        "weights": None if weights is None else weights.path,
        "data_format": arguments.data_format,
        "keras_version": arguments.keras_version,
        "backend": arguments.backend,
        "custom": _custom(arguments.custom),
        "lambdas": _lambdas(arguments.lambdas),
        "text": _text_of_yaml(str(old.path)),
    }
    files = old, weights, new
    if arguments.check:
        return _check(plan_upgrade(old.path, **asked), files, as_json=arguments.json)
    with output.unwarned(), BytesDone(progress(), f"upgrading {old.path.name}") as advance:
        target = None if new is None else new.path
        done = upgrade_file(
            old.path, target, **asked, force=arguments.force, verify=arguments.verify, progress=advance
        )
    _tell_needs(done.upgrade)
    for note in done.upgrade.notes:
        output.note(f"zoo: {named(note, *files)}")
    output.note(f"zoo: verified {done.proof}" if done.proof else "zoo: not verified")
    proved = _proved(done, arguments.custom) if arguments.prove else {}
    if new is not None:
        new.send()
    if arguments.json:
        output.print_json(named({**done.as_dict(), **proved}, *files))
    else:
        output.print_line(named(str(done.target), *files))
    return EXIT_DONE


def _is_tree(source: str) -> bool:
    """Return whether a name is that of a folder with files; a SavedModel is one model, which is refused."""
    return is_folder(source) and (is_remote(source) or not (Path(source) / "saved_model.pb").exists())


def _upgrade_tree(arguments: argparse.Namespace) -> int:
    from converters.trees import upgrade_tree

    source, *others = arguments.files
    for name in ("check", "prove", "custom", "lambdas"):
        if getattr(arguments, name):
            raise ArgumentError(f"--{name.removesuffix('s')} is for single models")
    if len(others) != 1:
        raise ArgumentError(f"{shown(source)} is a folder: say where the new files go, in one other folder")
    return run_below(
        upgrade_tree,
        source,
        others[0],
        arguments,
        data_format=arguments.data_format,
        keras_version=arguments.keras_version,
        backend=arguments.backend,
    )


def _proved(done: Upgraded, custom: list[str]) -> dict[str, Any]:
    """Compare the new model with the old one, say what was compared, and return it."""
    import_keras()
    from zoo.networks.own import imported, opened
    from zoo.networks.proving import prove

    proof = prove(done.upgrade, opened(done.upgrade, done.target, imported(custom)))
    output.note(f"zoo: proved: {proof}")
    return {"proved": proof.as_dict()}


def _named(files: list[str], *, check: bool) -> tuple[str, str | None, str | None]:
    """Return the source, the weights if that is a configuration, and the new file if there is one."""
    source, *others = files
    weights = others.pop(0) if others and last_name(source).lower().endswith(_CONFIGURATIONS) else None
    target = others.pop(0) if others else None
    if weights is not None and target is None and _is_new(weights):
        raise ArgumentError(
            f"{shown(source)}: is a configuration alone; give the weights' file too, before {shown(weights)}"
        )
    if others or (check and target is not None):
        raise ArgumentError(f"{shown(files[-1])}: one file too many")
    return source, weights, target


def _is_new(file: str) -> bool:
    """Tell whether a file, in the place of a configuration's weights, can only be the one to be written."""
    return last_name(file).lower().endswith(".keras") and (is_remote(file) or not Path(file).exists())


_CONFIGURATIONS = (".json", *YAML)


def _text_of_yaml(source: str) -> str | None:
    """Return the JSON of a configuration in YAML, which only then takes PyYAML; None for another file."""
    if not source.lower().endswith(YAML):
        return None
    text: str = import_module("zoo.networks.yaml_configs").json_of(source)
    return text


def _custom(named: list[str]) -> dict[str, Any]:
    """Return the user's own classes, imported: only where some are named, and Keras only then."""
    if not named:
        return {}
    import_keras()
    sys.path.insert(0, str(Path.cwd()))  # as python does for a script: a module of the user's lies here
    own = import_module("zoo.networks.own")
    found: dict[str, Any] = own.own_of(own.imported(named))
    for text in named:
        output.note(f"zoo: imported {text.rpartition('=')[2]}")
    return found


def _lambdas(texts: list[str]) -> dict[str, str]:
    """Return what each layer computes, by its name."""
    said = list(map(_lambda, texts))
    if (twice := first_repeated([name for name, _ in said])) is not None:
        raise ArgumentError(f"--lambda: {twice!r} is said twice")
    return dict(said)


def _lambda(text: str) -> tuple[str, str]:
    """Return a layer's name, and what it computes."""
    name, equals, expression = text.partition("=")
    if not (name and equals and expression):
        raise ArgumentError(f"--lambda {text!r}: say it as LAYER=EXPRESSION")
    return name, expression


def _check(plan: Upgrade, files: tuple[Local | None, ...], *, as_json: bool) -> int:
    if as_json:
        output.print_json(named(plan.as_dict(), *files))
    else:
        output.print_table(["layer", "class", "becomes", "how"], _rows(plan), whole=("layer",))
        _tell_needs(plan)
        for note in plan.notes:
            output.note(f"zoo: {named(note, *files)}")
        for refusal in plan.refusals:
            output.say(f"zoo: cannot be upgraded: {named(str(refusal), *files)}")
    return EXIT_FAILED if plan.refusals else EXIT_DONE


def _tell_needs(plan: Upgrade) -> None:
    if plan.needs is not None:
        output.note(f"zoo: opens in Keras {plan.needs} and later")


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
