"""Images that end the process that reads them: a library crashes, or they take more memory than there is.

Such an image would cost all others of its shard. It is found by halves, each read in a task of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace

from zoo.errors import DataError
from zoo.finetuning.shard_records import Shard
from zoo.networks.images import PictureError, see_picture
from zoo.storage.remote import brought
from zoo.work.tasks import ended_its_process, outcomes

MOST = 4
"""So many are looked for in a shard, and in so many shards; more of them are the machine's doing."""

PROBLEM = "ends the process that reads it"


def deadly_among(executor: Executor, shard: Shard) -> tuple[str, ...]:
    """Return the names of a shard's images that end the process that reads them.

    Returns:
        Nothing where reading is not what ends processes, or more than :data:`MOST` do.

    Raises:
        EngineError: The executor takes no more tasks.
    """
    found: list[str] = []
    parts = [shard]
    while parts:
        tried = list(outcomes(executor, read_all, parts))
        parts = [
            part for part, became in tried if isinstance(became, Exception) and ended_its_process(became)
        ]
        found += [part.pictures[0].name for part in parts if len(part.pictures) == 1]
        parts = [part for part in parts if len(part.pictures) > 1]
        if len(found) + len(parts) > MOST:
            return ()
        parts = [half for part in parts for half in _halves(part)]
    return tuple(sorted(found))


def _halves(part: Shard) -> Iterator[Shard]:
    middle = len(part.pictures) // 2
    for pictures in (part.pictures[:middle], part.pictures[middle:]):
        yield replace(part, pictures=pictures)


def read_all(part: Shard) -> None:
    """Read images, and leave it at that: a task."""
    for one in part.pictures:
        if not one.problem:
            # What is wrong with it is told by the task that wants its features.
            with suppress(PictureError, DataError, MemoryError), brought(one.name) as local:
                see_picture(local, part.depth)
