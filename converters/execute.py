"""Carrying out a plan: array after array, into a new file or straight to whoever asks.

A new file is written under a temporary name in its own folder and gets its name only when it is whole and on
the disk. The source is opened for reading and never written to.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5o, h5s

from converters.errors import ConversionError, FileFormatError
from converters.facts import kernels_of_backend
from converters.hdf5 import (
    check_hard_link,
    check_storage,
    copy_attributes,
    open_untrusted,
    read_dataset,
    root,
    write_text,
)
from converters.kernels import Values
from converters.layouts import Kernels
from converters.model_config import converted_config
from converters.plan import Plan, PlannedArray
from converters.record import PREFIX, ConversionRecord

Progress = Callable[[int, int], None]
# What Keras 2 calls the backends of each kind of kernels; it rotates kernels on loading where they differ.
_BACKEND_OF: dict[Kernels, str] = {"th": "theano", "tf": "tensorflow"}


def arrays(plan: Plan) -> Iterator[tuple[PlannedArray, Values]]:
    """Yield every array of a file in its target form, in the file's order, with no file in between.

    Args:
        plan: The plan; it says of each array which layer and role it belongs to.

    Raises:
        FileFormatError: If an array cannot be read.
        ConversionError: If the file is no longer what was planned for.
    """
    with open_untrusted(plan.path) as file:
        top = root(file)
        for array in plan.arrays:
            dataset = top.dataset(array.path)
            yield array, array.apply(_values(dataset, array, plan.path))


def write(
    plan: Plan, target: Path, *, force: bool = False, progress: Progress | None = None
) -> ConversionRecord:
    """Carry out a plan: write the new file, whole or not at all.

    Args:
        plan: The plan.
        target: The new file.
        force: Replace a file that has this name.
        progress: Called after every array with the bytes done and the bytes in all.

    Returns:
        The record that the new file holds.

    Raises:
        ConversionError: If the target must not or cannot be written.
        FileFormatError: If the source cannot be read.
    """
    check_target(plan.path, target, force=force)
    with _temporary(target) as temporary:
        try:
            record = _write(plan, temporary, progress)
            _sync(temporary)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise ConversionError(f"{target}: cannot be written ({error})") from error
        check_target(plan.path, target, force=force)
        temporary.replace(target)
        _sync(target.parent)
    return record


def check_target(source: Path, target: Path, *, force: bool) -> None:
    """Raise unless a new file may be written.

    Raises:
        ConversionError: If its folder is missing, or it is there already, or it is the source itself.
    """
    if not target.parent.is_dir():
        raise ConversionError(f"{target}: the folder {target.parent} does not exist")
    if target.exists() and source.exists() and target.samefile(source):
        raise ConversionError(f"{target}: is the source itself, which is never written to; give another name")
    if target.is_dir():
        raise ConversionError(f"{target}: is a folder; give the name of a file")
    if os.path.lexists(target) and not force:
        raise ConversionError(f"{target}: exists already; use --force (force=True) to replace it")


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """Reserve a name beside the target, and remove what is left under it in the end."""
    path = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        path.touch(exist_ok=False)
    except OSError as error:
        raise ConversionError(f"{target}: cannot be written ({error.strerror})") from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex.

    Args:
        path: The file; it is read in blocks.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(plan: Plan, path: Path, progress: Progress | None) -> ConversionRecord:
    texts, record = planned_texts(plan)
    # Hashing releases the interpreter's lock, so it runs beside the conversion.
    with ThreadPoolExecutor(max_workers=1) as pool, open_untrusted(plan.path) as source:
        digest = pool.submit(sha256_of, plan.path)
        with h5py.File(path, "w") as target:
            copier = _Copier(plan, texts, progress)
            copier.copy_group(h5g.open(source.id, b"/"), h5g.open(target.id, b"/"), "")
            copier.check_done()
            record = replace(record, source_sha256=digest.result())
            for name, value in record.attributes().items():
                write_text(target.id, name, value)
    return record


def planned_texts(plan: Plan) -> tuple[dict[str, str], ConversionRecord]:
    """Return the root's attributes that change, and the record, still without the source's digest.

    Raises:
        ConversionError: If the model's configuration cannot be told in the new layout.
    """
    description = plan.description
    backend, (config, undo) = _new_backend(plan), _new_config(plan)
    flatten = description.record.flatten if description.record else None
    if plan.flatten is not None:
        flatten = {name: found.rows for name, found in plan.flatten.items() if found.rows is not None}
    record = ConversionRecord(
        form=plan.target,
        source=plan.source,
        source_sha256="",
        flatten=flatten,
        source_backend=description.backend if backend else None,
        source_config=undo,
    )
    texts = {"backend": backend, "model_config": config}
    return {name: text for name, text in texts.items() if text is not None}, record


def _new_backend(plan: Plan) -> str | None:
    """Return the backend that the new kernels belong to, or None if the attribute may stay."""
    description = plan.description
    if description.backend is None or kernels_of_backend(description) == plan.target.kernels:
        return None
    before = description.record.source_backend if description.record else None
    if before and description.record and description.record.source.kernels == plan.target.kernels:
        return before
    return _BACKEND_OF[plan.target.kernels]


def _new_config(plan: Plan) -> tuple[str | None, str | None]:
    """Return the configuration in the new layout, and the old one if undoing would not give it back."""
    description = plan.description
    if description.config_text is None or plan.source.layout == plan.target.layout:
        return None, None
    record = description.record
    if record and record.source_config and record.source.layout == plan.target.layout:
        return record.source_config, None
    return converted_config(description.config_text, plan.source.layout, plan.target.layout, str(plan.path))


class _Copier:
    """Copies a file's tree, with the planned arrays in their new form."""

    def __init__(self, plan: Plan, texts: dict[str, str], progress: Progress | None) -> None:
        self._plan = plan
        self._texts = texts
        self._progress = progress
        self._planned = {array.path: array for array in plan.arrays}
        self._seen: set[int] = set()
        self._done = 0

    def copy_group(self, source: h5g.GroupID, target: h5g.GroupID, path: str) -> None:
        """Copy a group's attributes and all below it."""
        self._visit(source, path)
        self._copy_attributes(source, target, path)
        for name in source:
            check_hard_link(source, name, self._plan.path)
            below = f"{path}/{name.decode()}".lstrip("/")
            child = h5o.open(source, name)
            if isinstance(child, h5g.GroupID):
                created = h5g.create(target, name, gcpl=child.get_create_plist())
                self.copy_group(child, created, below)
            elif isinstance(child, h5d.DatasetID):
                self._copy_dataset(child, source, target, name, below)
            else:
                h5o.copy(source, name, target, name)

    def check_done(self) -> None:
        """Raise if an array of the plan did not turn up."""
        if self._planned:
            raise ConversionError(
                f"{self._plan.path}: {next(iter(self._planned))!r} is gone since the plan was made"
            )

    def _visit(self, item: h5g.GroupID | h5d.DatasetID, path: str) -> None:
        address = h5o.get_info(item).addr
        if address in self._seen:
            raise FileFormatError(f"{self._plan.path}: {path!r} is in the file under two names")
        self._seen.add(address)

    def _copy_attributes(self, source: h5g.GroupID, target: h5g.GroupID, path: str) -> None:
        texts = self._texts if path in ("", self._plan.description.root) else {}
        replaced = {name: text for name, text in texts.items() if h5a.exists(source, name.encode())}
        left_out = frozenset(name.encode() for name in replaced)
        if not path:
            left_out |= {name for name in _names(source) if name.startswith(PREFIX.encode())}
        copy_attributes(source, target, self._plan.path, left_out)
        for name, text in replaced.items():
            write_text(target, name, text, h5a.open(source, name.encode()))

    def _copy_dataset(
        self, dataset: h5d.DatasetID, source: h5g.GroupID, target: h5g.GroupID, name: bytes, path: str
    ) -> None:
        self._visit(dataset, path)
        check_storage(dataset, self._plan.path, path)
        array = self._planned.pop(path, None)
        if array is not None:
            values = array.apply(_values(dataset, array, self._plan.path))
            created = _create_like(dataset, array, target, name)
            copy_attributes(dataset, created, self._plan.path)
            if values.size:
                created.write(h5s.ALL, h5s.ALL, values)
            self._done += array.nbytes
            if self._progress:
                self._progress(self._done, self._plan.nbytes)
        else:
            h5o.copy(source, name, target, name)


def _names(item: h5g.GroupID) -> list[bytes]:
    return [h5a.open(item, index=number).name for number in range(h5a.get_num_attrs(item))]


def _values(dataset: h5d.DatasetID, array: PlannedArray, path: Path) -> np.ndarray[Any, Any]:
    if tuple(dataset.shape) != array.shape or dataset.dtype != array.dtype:
        raise ConversionError(f"{path}: {array.path!r} has changed since the plan was made")
    return read_dataset(dataset, path, array.path)


def _create_like(
    dataset: h5d.DatasetID, array: PlannedArray, target: h5g.GroupID, name: bytes
) -> h5d.DatasetID:
    """Create a dataset of the new shape that is stored as the old one is: its type, chunks and filters."""
    plist, space = dataset.get_create_plist(), dataset.get_space()
    if array.move_axes:
        if plist.get_layout() == h5d.CHUNKED:
            plist.set_chunk(array.moved(plist.get_chunk()))
        limits = space.get_simple_extent_dims(maxdims=True)
        space = h5s.create_simple(array.target_shape, array.moved(limits))
    return h5d.create(target, name, dataset.get_type(), space, dcpl=plist)
