"""Carrying out a plan: array after array, into a new file or straight to whoever asks.

Contiguous arrays go from a map of the old file into a map of the new one, which HDF5 has laid out before; all
others through h5py. No large array is ever held as a whole. Hashing the source, copying and waiting for the
disk happen side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
from h5py import h5g

from converters.arrays import blocks
from converters.arrays.form import Kernels, Layout
from converters.arrays.moves import Values
from converters.arrays.planned import PlannedArray
from converters.boundary import guarded
from converters.errors import FileFormatError, NewerFileError, warn_of
from converters.formats.contents import Extents
from converters.formats.description import Description
from converters.formats.dialects import describe
from converters.formats.opening import open_untrusted
from converters.formats.record import CONVERTER, ConversionRecord
from converters.formats.table import FORMATS
from converters.hdf5.metadata import datasets_of
from converters.hdf5.source import Source
from converters.hdf5.writer import write_text
from converters.layers.rewriting import converted_config
from converters.layers.table import NATIVE
from converters.planning.facts import kernels_of_backend
from converters.planning.plan import Plan, Texts, plan_digest
from converters.version import RULES_NUMBER
from converters.writing.copying import Target, Task, TreeCopier, fill, source_values
from converters.writing.files import new_file, sha256_of, sync
from converters.writing.verify import verify_file

Progress = Callable[[int, int], None]
VERIFIED_BELOW = 1 << 30
"""Bytes of a source from which on the new file is only verified if the user asks for it."""
_THREADS = 2
"""One that hashes and one that copies, then both copy or compare: more do not make memory any faster."""
# What Keras 2 calls the backends of each kind of kernels; it rotates kernels on loading where they differ.
_BACKEND_OF: dict[Kernels, str] = {"th": "theano", "tf": "tensorflow"}


def arrays(plan: Plan) -> Iterator[tuple[PlannedArray, Values]]:
    """Yield every array of a file in its target form, in the file's order, with no file in between.

    Args:
        plan: The plan; it says of each array which layer and role it belongs to.

    Raises:
        FileFormatError: If an array cannot be read.
        ConversionError: If the file is no longer what was planned for.

    Warns:
        ConversionWarning: What the plan took for granted, when the first array is asked for.
    """
    warn_of(plan.path, plan.typed_notes, stacklevel=2)
    with reader(plan) as read:
        for array in plan.arrays:
            yield array, read(array)


@contextmanager
def reader(plan: Plan) -> Iterator[Callable[[PlannedArray], Values]]:
    """Open a file to read arrays of its plan in their target form, whichever and whenever they are wanted.

    Args:
        plan: The plan.

    Yields:
        A function that reads one array into memory that nobody else holds and whose address frameworks can
        take as it is; what it raises is what :func:`arrays` does.
    """
    with open_untrusted(plan.path, known=plan.description.stamp) as source:
        known = datasets_of(source.tree)

        def read(array: PlannedArray) -> Values:
            target = blocks.aligned_empty(array.target_shape, array.dtype)
            for piece in array.pieces(source_values(array, source, known, plan.path.parent), target):
                blocks.copy(piece)
            return target

        yield read


def write(
    plan: Plan,
    target: Path,
    *,
    force: bool = False,
    verify: bool | None = None,
    licence: str | None = None,
    progress: Progress | None = None,
) -> ConversionRecord:
    """Carry out a plan: write the new file, whole or not at all.

    Args:
        plan: The plan.
        target: The new file.
        force: Replace a file that has this name.
        verify: Read the new file back and compare it with the source before it gets its name; by default if
            the source is smaller than :data:`VERIFIED_BELOW`.
        licence: Of the weights, to be written down; by default what the source says of it.
        progress: Called after every array with the bytes done and the bytes in all.

    Returns:
        The record that the new file holds.

    Raises:
        ConversionError: If the target must not or cannot be written, or is found to be wrong.
        FileFormatError: If the source cannot be read.
    """
    wanted = is_verified(plan.description, verify)
    with new_file(plan.path, target, force=force) as temporary, threads() as pool:
        texts = plan.texts or planned_texts(plan)
        record = _record(plan, texts, licence)
        # Hashing takes longest, and releases the interpreter's lock: it begins first.
        digest = pool.submit(sha256_of, plan.path)
        with open_untrusted(plan.path, known=plan.description.stamp) as source:
            making = _Making(plan=plan, source=source, path=temporary, pool=pool, progress=progress)
            tasks = making.make(texts.attributes)
            synced = pool.submit(sync, temporary)
            if wanted:
                hdf5 = plan.to is None or not FORMATS[plan.to].plain
                record = replace(record, proof=verify_file(tasks, source, temporary, target, pool, hdf5=hdf5))
        synced.result()
        record = replace(record, source_sha256=digest.result(), plan_sha256=plan_digest(plan))
        making.finish(record)
    return record


def is_done(plan: Plan, target: Path) -> bool:
    """Return whether a file is what a plan would write: by its record, of this source, by these rules.

    Args:
        plan: The plan.
        target: A file that is there.

    Raises:
        NewerFileError: If a later version wrote it.
        OSError: If the source cannot be read.
    """
    said = _recorded(plan, target)
    expected = {
        "zoo_converter": CONVERTER,
        "zoo_rules": str(RULES_NUMBER),
        "zoo_plan_sha256": plan_digest(plan),
    }
    if any(said.get(name) != value for name, value in expected.items()):
        return False
    return said.get("zoo_source_sha256") == sha256_of(plan.path)


def _recorded(plan: Plan, target: Path) -> Mapping[str, str]:
    """Return the texts of a file's record, or nothing if it is not the file that a plan would write."""
    try:
        record = describe(target).record
    except NewerFileError:
        raise
    except (FileFormatError, OSError):
        return {}
    return record.attributes() if record else {}


@contextmanager
def threads() -> Iterator[Executor]:
    """Yield the threads that hash, copy and compare; what they have not begun is left when they are done."""
    pool = ThreadPoolExecutor(max_workers=_THREADS)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def is_verified(description: Description, verify: bool | None) -> bool:
    """Return whether a new file is read back: as the user wants it, or if the source is not too large."""
    return description.nbytes < VERIFIED_BELOW if verify is None else verify


def placed_tasks(outputs: Iterable[Target], places: Extents) -> list[Task]:
    """Return the arrays of a new file, with their places in it."""
    return [Task(array=output, place=places[output.target_path]) for output in outputs]


def filled(
    tasks: Sequence[Task], source: Source, path: Path, pool: Executor, progress: Progress | None
) -> None:
    """Fill all arrays of a new file, and tell how far that is.

    Args:
        tasks: The arrays.
        source: The old file.
        path: The new file, laid out.
        pool: The threads that copy.
        progress: Called after every array of a layer with the bytes done and the bytes in all.
    """
    done, total = 0, sum(task.nbytes for task in tasks if task.array.layer)
    for task in fill(tasks, source, path, pool):
        if progress and task.array.layer:
            done += task.nbytes
            progress(done, total)


@dataclass(frozen=True, kw_only=True)
class _Making:
    """The making of one new file.

    Attributes:
        plan: The plan.
        source: The old file.
        path: The new file, under its temporary name.
        pool: The threads that copy.
        progress: Called after every array.
    """

    plan: Plan
    source: Source
    path: Path
    pool: Executor
    progress: Progress | None

    def make(self, texts: Mapping[str, str]) -> list[Task]:
        """Write the new file but for its record, and return the arrays in it."""
        if self.plan.to is not None:
            places = FORMATS[self.plan.to].load().create(self.plan, self.path, texts)
            return self._fill(placed_tasks(self.plan.outputs, places))
        with h5py.File(self.path, "w") as file:
            copier = TreeCopier(self.plan, texts)
            return self._fill(copier.lay_out(self.source.tree, h5g.open(file.id, b"/")))

    def _fill(self, tasks: list[Task]) -> list[Task]:
        filled(tasks, self.source, self.path, self.pool, self.progress)
        return tasks

    def finish(self, record: ConversionRecord) -> None:
        """Write the record of the conversion."""
        if self.plan.to is not None:
            FORMATS[self.plan.to].load().finish(self.plan, self.path, record.attributes())
            return
        with h5py.File(self.path, "r+") as file:
            for name, value in record.attributes().items():
                write_text(file.id, name, value)


def planned_texts(plan: Plan) -> Texts:
    """Work out what becomes of a file's texts; in another dialect nothing is left of them.

    Raises:
        ConversionError: If the model's configuration cannot be told in the new layout.
    """
    if plan.to is not None:
        return Texts(attributes={}, backends={}, configs={})
    with guarded(plan.path):
        backend, backends = _new_backend(plan)
        config, configs = _new_config(plan)
    changed = {"backend": backend, "model_config": config}
    attributes = {name: text for name, text in changed.items() if text is not None}
    return Texts(attributes=attributes, backends=backends, configs=configs)


def check_config(description: Description, source: Layout, target: Layout) -> None:
    """Check that a whole model can be told in another layout, whatever is said of its layers.

    Raises:
        ConversionError: If the model's configuration cannot be told in the new layout.
    """
    known = description.record.configs if description.record else {}
    if description.config_text is not None and target not in (source, *known):
        with guarded(description.path):
            converted_config(description.config_text, source, target, str(description.path))


def _record(plan: Plan, texts: Texts, licence: str | None) -> ConversionRecord:
    """Return the record of a conversion, still without the source's digest."""
    description = plan.description
    told = description.record.licence if description.record else None
    return ConversionRecord(
        form=plan.target,
        source=plan.source,
        source_sha256="",
        network=plan.network,
        folded=plan.folded,
        scaled=plan.scaled or (description.record.scaled if description.record else ()),
        cudnn=tuple(part.name for part in description.parts if part.kind in NATIVE and plan.to is not None),
        source_dialect=None if plan.to is None else description.called,
        licence=licence or told,
        trained_in=description.trained_in,
        backends=texts.backends,
        configs=texts.configs,
    )


def _new_backend(plan: Plan) -> tuple[str | None, dict[str, str]]:
    """Return the backend that the new kernels belong to, or None if it stays, and that of either kernels."""
    description = plan.description
    known = dict(description.record.backends) if description.record else {}
    if description.backend is None or kernels_of_backend(description) == plan.target.kernels:
        return None, known
    known = {plan.source.kernels: description.backend, **known}
    return known.get(plan.target.kernels, _BACKEND_OF[plan.target.kernels]), known


def _new_config(plan: Plan) -> tuple[str | None, dict[str, str]]:
    """Return the configuration in the new layout, or None if it stays, and that in either layout.

    The old one is only kept if undoing the change would not give it back.
    """
    description = plan.description
    known = dict(description.record.configs) if description.record else {}
    if description.config_text is None or plan.source.layout == plan.target.layout:
        return None, known
    if plan.target.layout in known:
        return known[plan.target.layout], known
    new, undo = converted_config(
        description.config_text, plan.source.layout, plan.target.layout, str(plan.path)
    )
    return new, {**known, plan.source.layout: undo} if undo is not None else known
