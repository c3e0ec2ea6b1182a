"""Carrying out an upgrade: the new file, whole or not at all, its arrays read back and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from converters.errors import ConversionError, FileFormatError
from converters.formats import archive_writer
from converters.formats.archive import open_archive
from converters.formats.opening import open_untrusted
from converters.formats.record import CONVERTER, Proof
from converters.hdf5.metadata import datasets_of
from converters.limits import load_json
from converters.upgrading.drawing import Placed
from converters.upgrading.plan import Upgrade
from converters.writing.copying import Task
from converters.writing.execute import Progress, filled, is_verified, placed_tasks, threads
from converters.writing.files import check_target, new_file, sha256_of
from converters.writing.verify import verify_file


@dataclass(frozen=True, kw_only=True)
class _Every:
    """All arrays of the new file: those of its layers, and the state of its optimizer."""

    outputs: tuple[Placed, ...]


def carry_out(
    upgrade: Upgrade,
    target: Path,
    *,
    force: bool = False,
    verify: bool | None = None,
    progress: Progress | None = None,
) -> Proof | None:
    """Write the new file.

    Args:
        upgrade: What was worked out.
        target: The new file.
        force: Replace a file that has this name.
        verify: Read the new file back and compare it with the source before it gets its name; by default if
            the source is smaller than 1 GiB.
        progress: Called after every array with the bytes done and the bytes in all.

    Returns:
        What was compared, or None.

    Raises:
        ConversionError: If the model cannot be upgraded, or the target must not or cannot be written.
        FileFormatError: If the source cannot be read.
    """
    upgrade.check()
    description = upgrade.description
    check_target(upgrade.path, target, force=force)
    wanted = is_verified(description, verify)
    with new_file(description.path, target, force=force) as temporary, threads() as pool:
        digest = pool.submit(sha256_of, description.path)
        with open_untrusted(description.path, known=description.stamp) as source:
            every = _Every(outputs=(*upgrade.outputs, *upgrade.trained.slots))
            places = archive_writer.create(every, temporary, {archive_writer.CONFIG: upgrade.config})
            tasks = placed_tasks(every.outputs, places)
            filled(tasks, source, temporary, pool, progress)
            record = {
                "keras_version": str(upgrade.needs),
                "zoo_converter": CONVERTER,
                "zoo_source_sha256": digest.result(),
                "zoo_needs_keras": str(upgrade.needs),
            }
            # The checksum is computed beside the comparison: neither needs more than the bytes.
            finished = pool.submit(archive_writer.finish, every, temporary, record)
            proof = verify_file(tasks, source, temporary, target, pool, hdf5=False) if wanted else None
            finished.result()
            _check_places(tasks, temporary, target)
            return proof


def is_done(upgrade: Upgrade, path: Path) -> bool:
    """Return whether a file is what an upgrade makes: of the same file, the same model, by this version."""
    try:
        with open_untrusted(path) as source:
            config, told = source.texts[archive_writer.CONFIG], source.texts[archive_writer.METADATA]
    except (FileFormatError, KeyError):
        return False
    said = load_json(told, f"{path}: {archive_writer.METADATA}")
    made = (said.get("zoo_converter"), said.get("zoo_source_sha256")) if isinstance(said, dict) else ()
    return config == upgrade.config and made == (CONVERTER, sha256_of(upgrade.description.path))


def _check_places(tasks: Sequence[Task], path: Path, target: Path) -> None:
    """Raise unless a new archive, read as anybody reads it, has its arrays where they were put.

    Raises:
        ConversionError: With the first that it has not.
        FileFormatError: If it cannot be read.
    """
    with open_archive(path) as archive, archive.open_hdf5(checked=False) as weights:
        found = datasets_of(weights.tree)
        for task in tasks:
            place, dataset = task.place, found.pop(task.array.target_path, None)
            if dataset is None or place is None:
                raise ConversionError(f"{target}: array {task.array.target_path!r} is missing; {_ADVICE}")
            if task.nbytes and (dataset.offset, dataset.shape) != (place.offset, place.shape):
                text = f"array {task.array.target_path!r} does not lie where it was put"
                raise ConversionError(f"{target}: {text}; {_ADVICE}")


_ADVICE = "no new file was made: please report this"
