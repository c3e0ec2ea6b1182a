"""Converting a weights file, a folder of them, or what is published of a network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Literal

from converters.api import Conversion, carry_out, plan_file, target_format
from converters.errors import warn_of
from converters.planning.flatten import Flatten
from converters.trees import TreeReport, convert_tree
from converters.writing.places import Local
from zoo.calling import public
from zoo.errors import ArgumentError
from zoo.files.given import as_named, at_hand, is_folder, to_be_made
from zoo.files.places import place_at
from zoo.files.sources import Source, fetched, there
from zoo.naming import is_name
from zoo.progress.asked import Asked, chosen
from zoo.progress.protocol import BytesDone, step
from zoo.registry import architecture, list_models
from zoo.storage.remote import is_remote, shown


@public()
def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    direction: Literal["th-to-tf", "tf-to-th"] | None = None,
    to: str | None = None,
    from_layout: Literal["th", "tf"] | None = None,
    from_kernels: Literal["th", "tf"] | None = None,
    to_layout: Literal["th", "tf"] | None = None,
    to_kernels: Literal["th", "tf"] | None = None,
    arch: str | None = None,
    flatten: Flatten | None = None,
    layers: Mapping[str, str] | None = None,
    keras_version: str | None = None,
    order: Sequence[str] | None = None,
    as_published: bool = False,
    hard_sigmoid: Literal["keep", "scale"] = "keep",
    force: bool = False,
    verify: bool | None = None,
    jobs: int | None = None,
    executor: Executor | None = None,
    progress: Asked = None,
) -> Conversion | TreeReport:
    """Convert weights between layouts, kernels and formats, as ``zoo convert`` does.

    Args:
        source: A weights file; a folder of them; or the name of a network, whose published file is fetched.
            Files and folders are named by path, or by a URL that fsspec knows (``s3://``, ``gs://``,
            ``https://``); a folder on the web by one that ends in a slash.
        target: The new file, beside the old one by default (``OLD_tf.h5``), for a network in the working
            folder (``resnet50_tf.h5``). Of a folder the new folder, which has to be said, as of a URL. By
            path or by the URL of a bucket.
        direction: Layout and kernels both.
        to: Who is to read the new file: ``keras1``, ``keras2``, ``keras3``, ``npz``, ``safetensors``; by
            default who wrote the old one.
        from_layout: Of the old file; found out where it is not given.
        from_kernels: Of the old file; found out where it is not given.
        to_layout: Of the new file.
        to_kernels: Of the new file.
        arch: The network that the file holds; recognised by default.
        flatten: The feature map, (C, H, W), before a dense layer, by the layer's name; ``None`` for none.
            ``*`` in a name stands for any characters, and is said of layers of which nothing else tells.
        layers: The kinds of layers, by name, where the file does not tell them.
        keras_version: Who wrote the file, where it does not say.
        order: All layers with weights in the network's order, where a file of Keras 3 does not tell it.
        as_published: With ``to="keras3"``, leave a network's ``Scale`` layers apart.
        hard_sigmoid: For Keras 3, ``"scale"`` multiplies the gates' arrays by 1.2.
        force: Replace the new file if it exists.
        verify: Read the new file back and compare it with the old one; by default below 1 GiB.
        jobs: Of a folder, files at a time; by default one for each processor.
        executor: Of a folder, what converts its files instead, on this machine or others.
        progress: As for :func:`zoo.fetch`.

    Returns:
        What was done with a file, and where the new one is; of a folder what became of each file, failures
        among them.

    Raises:
        ArgumentError: An argument is not allowed, or says what is not so.
        FileFormatError: The file cannot be read as weights.
        ConversionError: It cannot be converted, or the new file cannot be written.
        DownloadError: The network's file cannot be had.
        CacheError: A URL cannot be read or written.

    Warns:
        ConversionWarning: What had to be taken for granted.

    Examples:
        >>> import zoo
        >>> done = zoo.convert("small_th.h5", direction="th-to-tf", flatten={"fc": (8, 2, 2)})
        >>> done.target.name
        'small_th_tf.h5'
    """
    _passed_over = True
    if arch is not None:
        architecture(arch)
    asked: dict[str, Any] = {
        "direction": direction,
        "to": to,
        "from_layout": from_layout,
        "from_kernels": from_kernels,
        "to_layout": to_layout,
        "to_kernels": to_kernels,
        "arch": arch,
        "flatten": flatten,
        "layers": layers,
        "keras_version": keras_version,
        "order": order,
        "as_published": as_published,
        "hard_sigmoid": hard_sigmoid,
        "force": force,
        "verify": verify,
    }
    named = is_name(source, list_models)
    if not named and is_folder(source):
        return _folder(os.fspath(source), target, {**asked, "jobs": jobs, "executor": executor})
    place = shown(os.fspath(source))
    for what, given in (("jobs", jobs), ("executor", executor)):
        if given is not None:
            raise ArgumentError(f"{what}={given!r}: is for folders, and {place} is none")
    found = fetched(str(source), asked) if named else there(source)
    new = _new(place, target, found)
    with (
        at_hand(found.path) as old,
        to_be_made(new, force=force) as made,
        as_named(old, made),
        BytesDone(chosen(progress), f"converting {old.path.name}") as advance,
    ):
        writing = {"force": force, "verify": verify, "licence": found.licence, "progress": advance}
        return _file(old, made, {**asked, "registry_form": found.form}, writing)


def _new(place: str, target: str | os.PathLike[str] | None, found: Source) -> str | os.PathLike[str] | None:
    """Return where the new file goes; ``None`` is beside the old one."""
    if target is None and is_remote(found.path):
        raise ArgumentError(f"target=None: {place} lies elsewhere: say where the new file goes")
    return target if target is not None else found.target


def _file(old: Local, new: Local | None, asked: Mapping[str, Any], writing: Mapping[str, Any]) -> Conversion:
    _passed_over = True
    planned = {name: value for name, value in asked.items() if name not in writing}
    path = None if new is None else new.path
    to = target_format(path, asked["to"])
    plan = plan_file(old.path, **{**planned, "to": to})
    source = old.told(str(plan.path)) if old.folder is not None else plan.path
    warn_of(source, plan.typed_notes)
    done = carry_out(plan, path, **writing)
    if new is None:
        return done
    new.send()
    target = new.told(str(done.target)) if new.folder is not None else done.target
    return replace(done, source=source, target=target)


def _folder(source: str, target: str | os.PathLike[str] | None, asked: Mapping[str, Any]) -> TreeReport:
    _passed_over = True
    if target is None:
        raise ArgumentError(f"target=None: {shown(source)} is a folder: say where the new files go")
    with step(None, f"converting {shown(source)}") as advance:
        places = place_at(source), place_at(target, new=True)
        return convert_tree(*places, report=lambda one: advance(one.bytes), **asked)
