"""Features of any number of images, in files of a few hundred rows: on this machine or on many.

Images are listed as they are needed and their features go from a worker to its file. This process holds the
names of the files and counts, however many images there are. A file is named by what it was made of, so that
what is there already is not computed again.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from converters.errors import counted
from converters.writing.disk import UNFINISHED
from zoo import __version__
from zoo.calling import public
from zoo.errors import ArgumentError, DataError, TargetError, ZooError
from zoo.finetuning.deadly import MOST, deadly_among
from zoo.finetuning.listing import chunks, listed
from zoo.finetuning.pictures import Problem
from zoo.finetuning.shard_files import check_format, folder_at
from zoo.finetuning.shard_records import Described, Done, Network, Shard
from zoo.finetuning.sizes import size_of
from zoo.naming import is_written_as_path
from zoo.networks.fitting import DEFAULT_FIT, Fit, check_fit
from zoo.networks.images import UNDECIDED, Depth
from zoo.progress import protocol
from zoo.progress.asked import Asked
from zoo.progress.protocol import Count
from zoo.registry import architecture
from zoo.storage.remote import is_remote, shown
from zoo.work.processes import Processes
from zoo.work.tasks import ended_its_process, outcome, outcomes

ROWS = 512
"""How many images a shard is made of."""

INDEX = "features.json"
"""What tells of a folder of features what they are of, and which files hold them."""

_OWN = re.compile(
    rf"\.?(?P<file>shard-\d+-[0-9a-f]{{16}}\.(npz|parquet)|features\.json)(-[0-9a-f]{{16}}\.part|{UNFINISHED})?"
)
"""What files of such a folder are called, those among them that a worker who was killed has left."""


class ShardsError(ZooError):
    """Some shards of features could not be computed; all others are there, and need not be computed again."""


@dataclass(frozen=True, kw_only=True)
class FeatureShards:
    """A folder of features.

    Attributes:
        folder: Where they are: a path, or the URL that was given.
        files: The names of the files, in the order of the images.
        rows: How many images have features.
        width: How many features each has.
        classes: How many images there are of each class.
        failed: How many images could not be read; their names are in the files.
        taken: How many files were there before.
    """

    folder: Path | str
    files: tuple[str, ...] = field(repr=False)
    rows: int
    width: int
    classes: dict[str, int]
    failed: int
    taken: int

    def __str__(self) -> str:
        """Return one line."""
        files = counted(len(self.files), "file")
        return f"{counted(self.width, 'feature')} of {counted(self.rows, 'image')} in {files}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values that JSON can hold."""
        return {**asdict(self), "folder": shown(str(self.folder)), "files": list(self.files)}


@public()
def feature_shards(
    name: str,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    format: str = "npz",
    executor: Executor | None = None,
    input_size: int | tuple[int, int] | None = None,
    fit: Fit | None = None,
    weights: str | os.PathLike[str] | None = "imagenet",
    fused: bool = False,
    report: Callable[[Problem], object] | None = None,
    progress: Asked = None,
) -> FeatureShards:
    """Write the bottleneck features of any number of images to files of a few hundred rows each.

    What is there already is not computed again, so that a call that was interrupted goes on where it was. The
    files are the same to the bit whatever runs the tasks, on one kind of processor.

    Args:
        name: Name of an architecture.
        data: A folder, with a folder per class or of images alone, or a CSV file; by path or by a URL that
            fsspec knows (``s3://``, ``gs://``, ``https://``).
        out: A folder for the files and for ``features.json``, which names them; by path, under which all
            workers have to reach it, or by the URL of a bucket.
        format: ``npz``: arrays ``names``, ``labels``, ``features``, and ``failed`` with ``errors``.
            ``parquet``: columns ``name``, ``label``, ``features``.
        executor: What runs the tasks; by default a process for each processor of this machine.
        input_size: Side of the images in pixels, or (H, W); ``None`` is the published size.
        fit: What becomes of images of another shape: ``crop``, ``pad`` or ``stretch``.
        weights: As for :func:`zoo.load`, or a URL.
        fused: Fold batch normalisation into the convolutions: faster, equal but for rounding.
        report: Called with each image that is left out.
        progress: As for :func:`zoo.fetch`, in images.

    Returns:
        Which files there are, and what is in them.

    Raises:
        ArgumentError: An argument is not allowed.
        DataError: There are no images.
        TargetError: The folder holds something else.
        ShardsError: Some shards could not be computed; the others are kept.
        ZooError: The network cannot be loaded, or the executor takes no more tasks.
    """
    _passed_over = True
    network = Network(
        name=name,
        size=size_of(architecture(name), input_size),
        weights=_weights_for_all(weights),
        fit=DEFAULT_FIT if fit is None else check_fit(fit),
        fused=fused,
    )
    check_format(format)
    folder = _folder(os.fspath(out))
    place = _for_all(os.fspath(data))
    count = sum(1 for _ in listed(place))
    if not count:
        raise DataError(f"{shown(place)}: has no images")
    what = Count(count, "images"), f"features of {name}"
    with _running(executor) as pool, protocol.step(*what) as advance:
        return _Run(
            network=network,
            data=place,
            folder=folder,
            format=format,
            pool=pool,
            report=report or (lambda problem: None),
            advance=advance,
        ).done()


def _for_all(place: str) -> str:
    """Return a path or URL as workers can find it that run in another folder."""
    return place if is_remote(place) else str(Path(place).absolute())


def _weights_for_all(weights: str | os.PathLike[str] | None) -> str | None:
    """Return the same of weights, which may be the name of a set, too."""
    if weights is None:
        return None
    return _for_all(os.fspath(weights)) if is_written_as_path(weights) else os.fspath(weights)


def _running(executor: Executor | None) -> AbstractContextManager[Executor]:
    return Processes(os.cpu_count() or 1) if executor is None else nullcontext(executor)


def _folder(out: str) -> str:
    """Return the folder that files go to, by an absolute path or by its URL.

    Raises:
        ArgumentError: Nothing that is installed can reach it, or nothing is written there.
        TargetError: It is none, or holds something else than features.
    """
    if not is_remote(out) and Path(out).exists() and not Path(out).is_dir():
        raise TargetError(f"{out}: is a file; name a folder for the files of features")
    names, place = folder_at(out).names(), shown(out) if is_remote(out) else Path(out)
    if strangers := [name for name in names if not _OWN.fullmatch(name) and name != INDEX]:
        what = f"holds {min(strangers)!r}, which is no file of features"
        raise TargetError(f"{place}: {what}; name a folder of their own")
    return out.rstrip("/") if is_remote(out) else str(Path(out).resolve())


@dataclass(kw_only=True)
class _Run:
    """One call: tasks go out, what comes back is counted."""

    network: Network
    data: str
    folder: str
    format: str
    pool: Executor
    report: Callable[[Problem], object]
    advance: Callable[[int], object]
    _files: dict[int, tuple[str, str, int, int]] = field(default_factory=dict)
    _classes: Counter[str] = field(default_factory=Counter)
    _depths: dict[int, Depth] = field(default_factory=dict)
    _errors: dict[int, str] = field(default_factory=dict)
    _before: frozenset[str] = frozenset()
    _taken: int = 0

    def done(self) -> FeatureShards:
        """Compute all shards, those of images of more than 8 bits again once their scale is known."""
        described = self._described()
        self._plan(described)
        self._compute(described, UNDECIDED, None)
        deep = dict(self._depths)
        if deep:
            depth = UNDECIDED
            for one in deep.values():
                depth = depth.joined(one)
            self._compute(described, depth, deep)
        return self._ended(described)

    def _described(self) -> Described:
        found = outcome(self.pool.submit(describe, self.network))
        if isinstance(found, Exception):
            raise found
        if found.version != __version__:
            raise ArgumentError(
                f"a worker has zoo {found.version}, not {__version__}: install the same everywhere"
            )
        return found

    def _plan(self, described: Described) -> None:
        """Write down what the folder is for, before anything is in it.

        Raises:
            TargetError: It is for something else.
        """
        plan = {**self._facts(described), "files": None}
        folder = folder_at(self.folder)
        told = folder.read(INDEX)
        before = plan if told is None else json.loads(told)
        if any(before.get(name) != plan[name] for name in ("data", "format", "digest", "fit")):
            raise TargetError(
                f"{folder.name(INDEX)}: tells of features of {before.get('data')} by "
                f"{before.get('network')}, computed in another way; name another folder, or delete this one"
            )
        self._before = frozenset(folder.names())
        if told is None:
            folder.write(INDEX, _json(plan))

    def _facts(self, described: Described) -> dict[str, Any]:
        network = self.network
        return {
            "network": network.name,
            "data": shown(self.data),
            "format": self.format,
            "digest": described.digest,
            "fit": network.fit,
            "features": described.width,
        }

    def _shards(self, described: Described, depth: Depth, only: Collection[int] | None) -> Iterator[Shard]:
        for number, pictures in enumerate(chunks(listed(self.data), ROWS)):
            if only is None or number in only:
                yield Shard(
                    number=number,
                    pictures=pictures,
                    network=self.network,
                    described=described,
                    depth=depth,
                    folder=self.folder,
                    format=self.format,
                )

    def _compute(self, described: Described, depth: Depth, only: Collection[int] | None) -> None:
        last = depth != UNDECIDED
        hard: list[tuple[Shard, Exception]] = []
        tasks = self._shards(described, depth, only)
        for shard, found in outcomes(self.pool, compute, tasks, ahead=AHEAD):
            if isinstance(found, Exception) and ended_its_process(found) and len(hard) < MOST:
                hard.append((shard, found))
            else:
                self._became(shard, found, last=last)
        for shard, error in hard:
            self._became(shard, self._without_deadly(shard) or error, last=last)

    def _without_deadly(self, shard: Shard) -> Done | Exception | None:
        """Compute a shard without the images that end the process that reads them, if it has such."""
        if not (deadly := deadly_among(self.pool, shard)):
            return None
        return outcome(self.pool.submit(compute, replace(shard, deadly=deadly)))

    def _became(self, shard: Shard, found: Done | Exception, *, last: bool) -> None:
        if isinstance(found, Exception):
            names = shown(shard.pictures[0].name), shown(shard.pictures[-1].name)
            reason = str(found) or type(found).__name__
            self._errors[shard.number] = f"{names[0]} to {names[1]}: {reason}"
        else:
            self._note(found, is_last=last or found.depth == UNDECIDED)

    def _note(self, done: Done, *, is_last: bool) -> None:
        if not is_last:
            self._depths[done.number] = done.depth
            return
        self._files[done.number] = done.file, done.sha256, len(done.labels), len(done.failed)
        self._classes.update(done.labels)
        self._taken += done.taken and done.file in self._before
        self.advance(len(done.labels) + len(done.failed))
        for name, error in done.failed:
            self.report(Problem(file=name, problem=error, used=False))

    def _ended(self, described: Described) -> FeatureShards:
        if self._errors:
            lost, first = len(self._errors), self._errors[min(self._errors)]
            raise ShardsError(
                f"{lost} of {counted(lost + len(self._files), 'shard')} could not be computed; the first, "
                f"{first}; all others are kept: do the same again"
            )
        rows = sum(count for _, _, count, _ in self._files.values())
        if not rows:
            raise DataError(f"{shown(self.data)}: has no images that can be used")
        order = [self._files[number] for number in sorted(self._files)]
        found = FeatureShards(
            folder=self.folder if is_remote(self.folder) else Path(self.folder),
            files=tuple(file for file, _, _, _ in order),
            rows=rows,
            width=described.width,
            classes={label: self._classes[label] for label in sorted(self._classes) if label},
            failed=sum(failed for _, _, _, failed in order),
            taken=self._taken,
        )
        self._write_index(described, found, order)
        return found

    def _write_index(
        self, described: Described, found: FeatureShards, order: list[tuple[str, str, int, int]]
    ) -> None:
        """Say which files hold the features, and remove those that held others before.

        What another run, into the same folder at the same time, is writing stays.
        """
        index = {
            **self._facts(described),
            "images": found.rows,
            "classes": found.classes,
            "failed": found.failed,
            "files": [{"file": file, "sha256": sha256, "rows": rows} for file, sha256, rows, _ in order],
        }
        folder, named = folder_at(self.folder), {INDEX, *found.files}
        folder.write(INDEX, _json(index))
        own = [one for name in folder.names() if name not in named and (one := _OWN.fullmatch(name))]
        for one in own:
            if not one["process"]:
                folder.remove(one[0])
        folder.sweep(one["file"] for one in own)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode()


AHEAD = 64
"""How many shards are given out at a time."""


def describe(network: Network) -> Described:
    """Return what a worker finds of a network: a task."""
    from zoo.finetuning import shard_tasks  # which imports Keras, as this process need not

    return shard_tasks.describe(network)


def compute(shard: Shard) -> Done:
    """Write one shard: a task."""
    from zoo.finetuning import shard_tasks

    return shard_tasks.compute(shard)
