"""``zoo convert``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from converters import Form, convert_file, parse_flatten, plan_file
from zoo.cli import output
from zoo.cli.progress import BytesDone, progress
from zoo.errors import ArgumentError, FileFormatError
from zoo.fetching import resolve
from zoo.registry import architecture, list_models


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What to convert.

    Attributes:
        path: The file.
        form: What the registry says it is, if it was fetched by a network's name.
        target: Where the new file goes unless the user says; ``None`` is beside the old one.
    """

    path: Path
    form: Form | None = None
    target: str | None = None


def run(arguments: argparse.Namespace) -> int:
    """Convert a file, or show the plan, and print where the new file is."""
    asked = _asked(arguments)
    source = _source(arguments)
    if arguments.dry_run:
        plan = plan_file(source.path, **asked, registry_form=source.form)
        output.print_json(plan.as_dict()) if arguments.json else output.print_line(str(plan))
        return 0
    with BytesDone(progress(), f"converting {source.path.name}") as advance:
        conversion = convert_file(
            source.path,
            arguments.target or source.target,
            **asked,
            registry_form=source.form,
            force=arguments.force,
            progress=advance,
        )
    for note in conversion.plan.notes:
        output.note(f"zoo: {note}")
    output.print_json(conversion.as_dict()) if arguments.json else output.print_line(str(conversion.target))
    return 0


def _asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the conversion should do, in the library's words."""
    if arguments.arch is not None:
        architecture(arguments.arch)
    names = ("direction", "from_layout", "from_kernels", "to_layout", "to_kernels", "arch")
    asked = {name: getattr(arguments, name) for name in names}
    return {**asked, "flatten": parse_flatten(arguments.flatten)}


def _source(arguments: argparse.Namespace) -> _Source:
    """Return the file that is named, or the fetched file of the network that is."""
    path = Path(arguments.source)
    if path.exists():
        return _Source(path=path)
    if arguments.source not in list_models():
        known = ", ".join(list_models())
        raise FileFormatError(f"{path}: there is no such file, nor a network of this name ({known})")
    found = resolve(arguments.source, backend=_from(arguments), progress=progress())
    for note in found.notes:
        output.note(f"zoo: {note}")
    form = None if found.converted else Form(layout=found.file.layout, kernels=found.file.kernels)
    return _Source(path=found.path, form=form, target=_target_of_name(arguments))


def _from(arguments: argparse.Namespace) -> Literal["th", "tf"]:
    form = arguments.direction.partition("-")[0] if arguments.direction else arguments.from_layout
    if form is None:
        raise ArgumentError(f"say which form of {arguments.source} to convert: --th-to-tf or --tf-to-th")
    return cast(Literal["th", "tf"], form)


def _target_of_name(arguments: argparse.Namespace) -> str:
    """Name a fetched network's new file, in the working folder: the cache is not for the user's files."""
    end = arguments.direction.rpartition("-")[2] if arguments.direction else arguments.to_layout
    return f"{arguments.source}_{end or 'converted'}.h5"
