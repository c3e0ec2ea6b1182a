"""Carrying out an upgrade: the new file, whole or not at all, its arrays read back and compared."""

from __future__ import annotations

from pathlib import Path

from converters.formats import archive_writer
from converters.formats.opening import open_untrusted
from converters.formats.record import CONVERTER, Proof
from converters.upgrading.plan import Upgrade
from converters.writing.copying import Task, fill
from converters.writing.execute import VERIFIED_BELOW, Progress, threads
from converters.writing.files import check_target, new_file, sha256_of
from converters.writing.verify import verify_file


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
    wanted = description.nbytes < VERIFIED_BELOW if verify is None else verify
    with new_file(description.path, target, force=force) as temporary, threads() as pool:
        digest = pool.submit(sha256_of, description.path)
        with open_untrusted(description.path, known=description.stamp) as source:
            places = archive_writer.create(upgrade, temporary, {archive_writer.CONFIG: upgrade.config})
            tasks = [Task(array=output, place=places[output.target_path]) for output in upgrade.outputs]
            done, total = 0, sum(task.nbytes for task in tasks)
            for task in fill(tasks, source, temporary, pool):
                done += task.nbytes
                if progress:
                    progress(done, total)
            record = {"zoo_converter": CONVERTER, "zoo_source_sha256": digest.result()}
            archive_writer.finish(upgrade, temporary, record)
            return verify_file(tasks, source, temporary, target, pool) if wanted else None
