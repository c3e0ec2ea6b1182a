"""Whole trees of files, converted or upgraded: each in a process of its own, so that none stops another."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from converters.api import default_target
from converters.arrays.form import TF
from converters.errors import (
    AlreadyConvertedError,
    ArgumentError,
    ConversionError,
    ZooError,
    given_up,
    warn_of,
)
from converters.formats.opening import holds_plain_arrays
from converters.formats.table import format_of, weights_suffixes
from converters.writing.files import remove_leftovers

Status = Literal["converted", "done before", "skipped", "failed"]
STATUSES: tuple[Status, ...] = ("converted", "done before", "skipped", "failed")
SUFFIXES = weights_suffixes()
"""What weights files are called, in lower case; a file with another name is one if it begins as HDF5 does."""
_Outcome = tuple[Status, str, tuple[str, ...]]
"""What became of a file, in what detail, and the notes of its plan."""
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What became of one file of a tree.

    Attributes:
        source: The file.
        status: Whether it was converted, now or before, skipped as nothing to convert, or failed.
        target: The new file, if there is one.
        detail: Why it was skipped or failed; what was proved of it otherwise.
        bytes: The source's size.
        notes: What the user should know of the conversion, one sentence each.
    """

    source: Path
    status: Status
    target: Path | None = None
    detail: str = ""
    bytes: int = 0
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.status}: {self.source}{f': {self.detail}' if self.detail else ''}"

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values that JSON can hold."""
        target = None if self.target is None else str(self.target)
        return {
            "source": str(self.source),
            "status": self.status,
            "target": target,
            "detail": self.detail,
            "bytes": self.bytes,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True)
class TreeReport:
    """What became of every file of a tree, in the order of their names."""

    files: tuple[FileResult, ...]

    def count(self, status: Status) -> int:
        """Return how many files have a status."""
        return sum(result.status == status for result in self.files)

    def __repr__(self) -> str:
        """Return the counts in one line; each attribute can be looked at."""
        return f"<{self}>"

    def __str__(self) -> str:
        """Return the counts in one line."""
        return ", ".join(f"{self.count(status)} {status}" for status in STATUSES)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values that JSON can hold."""
        counts = {status: self.count(status) for status in STATUSES}
        return {"counts": counts, "files": [result.as_dict() for result in self.files]}


def convert_tree(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    force: bool = False,
    report: Callable[[FileResult], None] | None = None,
    **options: Any,  # noqa: ANN401 - what convert_file takes
) -> TreeReport:
    """Convert every weights file below a folder into the same place below another one.

    A file that is there already and whose record says that it was made of this very source, into the same
    form, by this version, is not made again. Files that would be written to one and the same place are left
    alone, and the report names them: which of them may have it is the user's to say.

    Args:
        source: The folder.
        target: The other folder; it is created if need be and may not be the same one.
        jobs: How many files are converted at a time, each in a process of its own; by default one for each
            processor.
        executor: What does it instead, on this machine or others that reach both folders under the same
            names: each file is a task of its own.
        force: Replace files that were made of something else.
        report: Called with each result as it is known.
        options: What :func:`converters.convert_file` takes, for all files alike.

    Raises:
        ArgumentError: If an argument is not what it should be.
        ConversionError: The executor takes no more tasks; what is done is not done again the next time.

    Warns:
        ConversionWarning: What had to be taken for granted, file by file, when all are done.
    """
    asked = {"force": force, **options}
    return _tree(_CONVERTING, Path(source), Path(target), asked, jobs=jobs, executor=executor, report=report)


def upgrade_tree(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    jobs: int | None = None,
    executor: Executor | None = None,
    force: bool = False,
    report: Callable[[FileResult], None] | None = None,
    **options: Any,  # noqa: ANN401 - what upgrade_file takes
) -> TreeReport:
    """Upgrade every whole model of Keras 1 or 2 below a folder into the same place below another one.

    A file with weights alone is upgraded with the ``.json`` of its model, if that lies beside it under the
    same name: ``NAME.json`` and ``NAME.h5``, ``NAME.weights.h5`` or ``NAME_weights.h5``. What is there
    already and was made of the same file in the same way is not made again.

    Args:
        source: The folder.
        target: The other folder; it is created if need be and may not be the same one.
        jobs: How many files are upgraded at a time, each in a process of its own; by default one for each
            processor.
        executor: What does it instead, on this machine or others that reach both folders under the same
            names: each file is a task of its own.
        force: Replace files that were made of something else.
        report: Called with each result as it is known.
        options: What :func:`converters.upgrade_file` takes, for all files alike.

    Raises:
        ArgumentError: If an argument is not what it should be.
        ConversionError: The executor takes no more tasks; what is done is not done again the next time.

    Warns:
        ConversionWarning: What had to be taken for granted, file by file, when all are done.
    """
    asked = {"force": force, **options}
    return _tree(_UPGRADING, Path(source), Path(target), asked, jobs=jobs, executor=executor, report=report)


def _tree(
    way: _Way,
    start: Path,
    end: Path,
    options: Mapping[str, Any],
    *,
    jobs: int | None,
    executor: Executor | None,
    report: Callable[[FileResult], None] | None,
) -> TreeReport:
    if not start.is_dir():
        raise ArgumentError(f"{start}: not a folder")
    if end.exists() and end.samefile(start):
        raise ArgumentError(f"{end}: the new files need a folder of their own")
    if jobs is not None and executor is not None:
        raise ArgumentError("jobs and executor both say how files are shared out: leave one out")
    if jobs is not None and jobs < 1:
        raise ArgumentError(f"jobs must be 1 or more, not {jobs}")
    results = []
    with _pool(jobs, executor) as pool:
        task = functools.partial(_one, way, options, _in_process if executor is None else _outcome)
        for result in _results(pool, task, _jobs(way, start, end, options.get("to"))):
            results.append(result)
            if report:
                report(result)
    for result in results:
        warn_of(result.source, result.notes, stacklevel=3)
    return TreeReport(files=tuple(results))


def _pool(jobs: int | None, executor: Executor | None) -> AbstractContextManager[Executor]:
    """Return what runs the tasks; that of a user goes on when they are done."""
    if executor is not None:
        return nullcontext(executor)
    return ThreadPoolExecutor(max_workers=jobs or os.cpu_count())


@dataclass(frozen=True, kw_only=True)
class _Way:
    """What is done with the files of a tree.

    Attributes:
        verb: What it is called, and the command that does it with one file.
        what: What files it is done with.
        target: Returns where the new file goes: by the old one, where a file of its name would lie, and the
            format that was asked for.
        do: Does it.
    """

    verb: str
    what: str
    target: Callable[[Path, Path, str | None], Path]
    do: Callable[[Path, Path, dict[str, Any]], _Outcome]


_Do = Callable[[_Way, Path, Path, dict[str, Any]], _Outcome]
"""How one file is done: in a process of its own, or in this one, which an executor has started."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One file of a tree, where its conversion goes, and why it must not go there, if so."""

    source: Path
    target: Path
    problem: str = ""


def _results(
    pool: Executor, task: Callable[[_Job], FileResult], jobs: Iterable[_Job]
) -> Iterator[FileResult]:
    """Give a pool its tasks and yield what became of each, in their order.

    Raises:
        ConversionError: The pool takes no more tasks.
    """
    futures: list[tuple[_Job, Future[FileResult]]] = []
    try:
        futures += ((job, pool.submit(task, job)) for job in jobs)
        for job, future in futures:
            yield _result(job, future)
    except (BrokenExecutor, CancelledError) as error:
        raise ConversionError(given_up(error)) from error
    finally:
        for _, future in futures:
            future.cancel()


def _result(job: _Job, future: Future[FileResult]) -> FileResult:
    try:
        return future.result()
    except (BrokenExecutor, CancelledError):
        raise
    except Exception as error:  # the file's worker died, or could not even begin: about this file alone
        return FileResult(source=job.source, status="failed", detail=f"{type(error).__name__}: {error}")


def _jobs(way: _Way, start: Path, end: Path, to: str | None) -> list[_Job]:
    """Return what is to be done, file by file; no two files have one target, and no target is a source."""
    targets = {path: way.target(path, end / path.relative_to(start), to) for path in _files(start, end)}
    place = _places(targets.values(), end)
    rivals: dict[str, list[Path]] = {}
    for path, target in targets.items():
        # One that cannot be read writes nothing either; that is reported when its turn comes.
        with suppress(OSError):
            if _is_weights(path):
                rivals.setdefault(place(target), []).append(path)
    return [
        _Job(
            source=path,
            target=target,
            problem=_problem(way, path, target, targets, rivals.get(place(target), [])),
        )
        for path, target in targets.items()
    ]


def _places(targets: Collection[Path], end: Path) -> Callable[[Path], str]:
    """Return what tells whether two targets are one place: their paths, or those without case.

    Without case where the disk, as that of macOS does by default, takes names for one that differ in case
    alone. It is asked only where there are such names.
    """
    without_case = {str(target).casefold() for target in targets}
    if len(without_case) < len(set(targets)) and _is_case_blind(end):
        return lambda target: str(target).casefold()
    return str


def _is_case_blind(folder: Path) -> bool:
    """Tell whether names that differ in case alone are one in a folder, which need not be there yet."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    try:
        with tempfile.NamedTemporaryFile(prefix="zoo-case-", dir=there) as file:
            return Path(file.name).with_name(Path(file.name).name.upper()).exists()
    except OSError:  # nothing can be written there, which is told of each file
        return False


def _problem(way: _Way, path: Path, target: Path, sources: Collection[Path], rivals: Sequence[Path]) -> str:
    others = " and ".join(str(other) for other in rivals if other != path)
    if path in rivals and others:
        advice = f"rename all but one, or {way.verb} it by itself: zoo {way.verb} {path} NEW"
        return f"would be written to {target}, and so would {others}; {advice}"
    if path in rivals and target in sources:
        return f"would be written to {target}, which is one of the files to {way.verb}; give another folder"
    return ""


def _target(source: Path, same: Path, to: str | None) -> Path:
    """Return where a file's conversion goes: the same name, but for what is called by what it holds."""
    found = format_of(to)
    if found is not None and found.ending:
        return default_target(same, TF, to)
    return same.with_name(f"{same.name}.h5") if holds_plain_arrays(source) else same


def _files(start: Path, end: Path) -> Iterator[Path]:
    """Yield all files below a folder in the order of their names, but none of the new ones."""
    for folder, folders, names in os.walk(start):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not (end.exists() and end.samefile(here / name)))
        yield from (here / name for name in sorted(names))


def _one(way: _Way, options: Mapping[str, Any], do: _Do, job: _Job) -> FileResult:
    """Convert one file and return what became of it, whatever that is: one task."""
    source, target = job.source, job.target
    try:
        size = source.stat().st_size
        if not _is_weights(source):
            return FileResult(source=source, status="skipped", detail=f"not a {way.what}", bytes=size)
        if job.problem:
            return FileResult(source=source, status="failed", detail=job.problem, bytes=size)
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return FileResult(source=source, status="failed", detail=f"cannot be read or written ({error})")
    status, detail, notes = do(way, source, target, dict(options))
    made = target if status in ("converted", "done before") else None
    return FileResult(source=source, status=status, target=made, detail=detail, bytes=size, notes=notes)


def _is_weights(path: Path) -> bool:
    if path.suffix.lower() in SUFFIXES:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE


def _in_process(way: _Way, source: Path, target: Path, options: dict[str, Any]) -> _Outcome:
    """Convert one file in a process of its own, which may die of it."""
    # Not fork: this process has threads. Not spawn: a server that has h5py already forks in no time.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["converters.api"])
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, way, source, target, options), daemon=True)
    process.start()
    there.close()
    try:
        outcome: _Outcome = here.recv()
    except EOFError:
        process.join()
        remove_leftovers(target, process.pid or 0)
        return "failed", _how_it_ended(process.exitcode or 0), ()
    process.join()
    return outcome


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code}"
    return f"its process was ended by signal {signal.Signals(-code).name}"


def _work(answer: Connection, way: _Way, source: Path, target: Path, options: dict[str, Any]) -> None:
    """Convert one file and tell how that went: what each of the processes does."""
    answer.send(_outcome(way, source, target, options))


def _outcome(way: _Way, source: Path, target: Path, options: dict[str, Any]) -> _Outcome:
    """Convert one file in this process."""
    try:
        status, detail, notes = way.do(source, target, options)
    except AlreadyConvertedError as error:
        status, detail, notes = "skipped", str(error), ()
    except ZooError as error:
        status, detail, notes = "failed", str(error), ()
    return status, detail.removeprefix(f"{source}: "), notes


def _convert(source: Path, target: Path, options: dict[str, Any]) -> _Outcome:
    from converters.api import carry_out, plan_file
    from converters.writing.execute import is_done

    about_writing = {key: options[key] for key in ("force", "verify", "progress") if key in options}
    plan = plan_file(source, **{key: value for key, value in options.items() if key not in about_writing})
    if target.exists() and is_done(plan, target):
        return "done before", "", plan.typed_notes
    proof = carry_out(plan, target, **about_writing).record.proof
    return "converted", f"verified {proof}" if proof else "not verified", plan.typed_notes


def _upgrade(source: Path, target: Path, options: dict[str, Any]) -> _Outcome:
    from converters.formats.dialects import describe
    from converters.upgrading.carrying_out import carry_out, is_done
    from converters.upgrading.upgrade import plan_upgrade

    asked = {key: value for key, value in options.items() if key not in ("force", "verify", "progress", "to")}
    named = source
    if describe(source).model_config is None:
        config = _config_of(source)
        if config is None:
            text = f"holds weights alone, and no {_stem(source)}.json lies beside it"
            return "skipped", text, ()
        named, asked = config, {**asked, "weights": source}
    plan = plan_upgrade(named, **asked)
    if target.exists() and is_done(plan, target):
        return "done before", "", plan.notes
    proof = carry_out(plan, target, force=options["force"], verify=options.get("verify"))
    return "converted", f"verified {proof}" if proof else "not verified", plan.notes


def _stem(source: Path) -> str:
    """Return the name that a model has, by that of its weights."""
    stem = source.stem
    for ending in (".weights", "_weights"):
        stem = stem.removesuffix(ending)
    return stem


def _config_of(source: Path) -> Path | None:
    """Return the configuration that lies beside weights under the same name."""
    path = source.with_name(f"{_stem(source)}.json")
    return path if path.is_file() else None


def _upgraded(source: Path, same: Path, _: str | None) -> Path:
    """Return where an upgraded model goes."""
    stem = _stem(source) if _config_of(source) else source.stem
    return same.with_name(f"{stem}.keras")


_CONVERTING = _Way(verb="convert", what="weights file", target=_target, do=_convert)
_UPGRADING = _Way(verb="upgrade", what="model", target=_upgraded, do=_upgrade)
