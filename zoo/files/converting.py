"""Converting a weights file, a folder of them, or what is published of a network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Literal

from converters.api import Conversion, convert_file
from converters.planning.flatten import Flatten
from converters.trees import TreeReport, convert_tree
from zoo.calling import public
from zoo.errors import ArgumentError
from zoo.files.sources import fetched, there
from zoo.naming import is_name
from zoo.progress.asked import Asked, chosen
from zoo.progress.protocol import BytesDone, step
from zoo.registry import architecture, list_models


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
        target: The new file, beside the old one by default (``OLD_tf.h5``), for a network in the working
            folder (``resnet50_tf.h5``). Of a folder the new folder, which has to be said.
        direction: Layout and kernels both.
        to: Who is to read the new file: ``keras1``, ``keras2``, ``keras3``, ``npz``, ``safetensors``; by
            default who wrote the old one.
        from_layout: Of the old file; found out where it is not given.
        from_kernels: Of the old file; found out where it is not given.
        to_layout: Of the new file.
        to_kernels: Of the new file.
        arch: The network that the file holds; recognised by default.
        flatten: The feature map, (C, H, W), before a dense layer, by the layer's name; ``None`` for none.
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
    if not named and Path(source).is_dir():
        return _folder(Path(source), target, {**asked, "jobs": jobs, "executor": executor})
    for what, given in (("jobs", jobs), ("executor", executor)):
        if given is not None:
            raise ArgumentError(f"{what}={given!r}: is for folders, and {os.fspath(source)} is none")
    found = fetched(str(source), asked) if named else there(Path(source))
    with BytesDone(chosen(progress), f"converting {found.path.name}") as advance:
        new = target if target is not None else found.target
        return convert_file(
            found.path,
            new,
            **asked,
            registry_form=found.form,
            licence=found.licence,
            progress=advance,
        )


def _folder(source: Path, target: str | os.PathLike[str] | None, asked: Mapping[str, Any]) -> TreeReport:
    _passed_over = True
    if target is None:
        raise ArgumentError(f"target=None: {source} is a folder: say where the new files go")
    with step(None, f"converting {source}") as advance:
        return convert_tree(source, target, report=lambda one: advance(one.bytes), **asked)
