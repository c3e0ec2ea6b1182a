"""Whole trees of files, converted or upgraded: each in a process of its own, so that none stops another.

The folders are on the disk, or wherever whoever calls reaches (:mod:`converters.writing.places`). Then each
file is brought, made into the new one as any other is, and sent, by whoever has its task.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Literal, TypeVar

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
from converters.formats.opening import HEAD, is_plain
from converters.formats.table import FOREIGN_SUFFIXES, format_of, said_by, weights_suffixes
from converters.version import RULES_NUMBER, VERSION
from converters.writing.files import remove_leftovers
from converters.writing.journal import NAME, Journal, Note, asked_digest
from converters.writing.places import Entry, Folder, Place

Status = Literal["converted", "done before", "skipped", "failed"]
STATUSES: tuple[Status, ...] = ("converted", "done before", "skipped", "failed")
MEANWHILE = "by a worker that died afterwards, or by another run at the same time"
"""What is told of a file that was made while a run went on, but by none of the tasks that reported."""
SUFFIXES = weights_suffixes()
"""What weights files are called, in lower case; a file with another name is one if it begins as HDF5 does."""
_Outcome = tuple[Status, str, tuple[str, ...]]
"""What became of a file, in what detail, and the notes of its plan."""
_Path = TypeVar("_Path", bound=PurePath)
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What became of one file of a tree.

    Attributes:
        source: The file: its path, or its address.
        status: Whether it was converted, now or before, skipped as nothing to convert, or failed.
        target: The new file, if there is one.
        detail: Why it was skipped or failed; what was proved of it otherwise.
        bytes: The source's size.
        notes: What the user should know of the conversion, one sentence each.
    """

    source: Path | str
    status: Status
    target: Path | str | None = None
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
    source: str | os.PathLike[str] | Place,
    target: str | os.PathLike[str] | Place,
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
        source: The folder, by its path; or what stands for one elsewhere.
        target: The other folder; it is created if need be and may not be the same one.
        jobs: How many files are converted at a time, each in a process of its own; by default one for each
            processor.
        executor: What does it instead, on this machine or others that reach both folders under the same
            names and have the same version: each file is a task of its own.
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
    return _tree(
        _CONVERTING, _place(source), _place(target), asked, jobs=jobs, executor=executor, report=report
    )


def upgrade_tree(
    source: str | os.PathLike[str] | Place,
    target: str | os.PathLike[str] | Place,
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
        source: The folder, by its path; or what stands for one elsewhere.
        target: The other folder; it is created if need be and may not be the same one.
        jobs: How many files are upgraded at a time, each in a process of its own; by default one for each
            processor.
        executor: What does it instead, on this machine or others that reach both folders under the same
            names and have the same version: each file is a task of its own.
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
    return _tree(
        _UPGRADING, _place(source), _place(target), asked, jobs=jobs, executor=executor, report=report
    )


def _place(given: str | os.PathLike[str] | Place) -> Place:
    return Folder(Path(given)) if isinstance(given, str | os.PathLike) else given


def _for_all(place: Place) -> Place:
    """Return a place under a name that it has for workers, too, which need not run in this folder."""
    return Folder(place.folder.absolute()) if isinstance(place, Folder) else place


def _tree(
    way: _Way,
    start: Place,
    end: Place,
    options: Mapping[str, Any],
    *,
    jobs: int | None,
    executor: Executor | None,
    report: Callable[[FileResult], None] | None,
) -> TreeReport:
    if executor is not None:
        start, end = _for_all(start), _for_all(end)
    start.check(end)
    if jobs is not None and executor is not None:
        raise ArgumentError("jobs and executor both say how files are shared out: leave one out")
    if jobs is not None and jobs < 1:
        raise ArgumentError(f"jobs must be 1 or more, not {jobs}")
    results = []
    with _pool(jobs, executor) as pool, _remembering(start, end) as journal:
        work = _Work(
            way=way,
            start=start,
            end=end,
            options=options,
            do=_in_process if executor is None else _outcome,
            asked=asked_digest(way.verb, options) if journal else None,
        )
        for job, result, note in _results(pool, work, _jobs(work, journal)):
            if journal and note:
                journal.note(job.target, note)
            results.append(result)
            if report:
                report(result)
    for result in results:
        warn_of(result.source, result.notes, stacklevel=3)
    return TreeReport(files=tuple(results))


@contextmanager
def _remembering(start: Place, end: Place) -> Iterator[Journal | None]:
    """Give what is remembered of the new files, and save it in the end; nothing if all lies on the disk."""
    if isinstance(start, Folder) and isinstance(end, Folder):
        yield None
        return
    journal = Journal(end)
    try:
        yield journal
    finally:
        journal.save()


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
        target: Returns where the new file goes within its folder: by the old one's name, the one beside it,
            whether it holds plain arrays, and the format that was asked for.
        beside: Returns what the file is called that may lie beside one and belong to it; ``None``: no file
            does.
        do: Does it.
        foreign: Whether it can be done with files of other software, if what they become is said.
    """

    verb: str
    what: str
    target: Callable[[PurePosixPath, bool, bool, str | None], PurePosixPath]
    beside: Callable[[PurePosixPath], PurePosixPath] | None
    do: Callable[[Path, Path, dict[str, Any]], _Outcome]
    foreign: bool


_Do = Callable[[_Way, Path, Path, dict[str, Any]], _Outcome]
"""How one file is done: in a process of its own, or in this one, which an executor has started."""


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What is done with the files of a tree, as each task is told.

    Attributes:
        way: What it is.
        start: The old folder.
        end: The new one.
        options: What is asked for.
        do: How one file is done.
        asked: A digest of what is asked for; ``None`` where nothing is remembered.
        version: That of whoever gave out the task, and the number of its rules.
    """

    way: _Way
    start: Place
    end: Place
    options: Mapping[str, Any]
    do: _Do
    asked: str | None
    version: tuple[str, int] = (VERSION, RULES_NUMBER)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What the files are called that it is done with."""
        return SUFFIXES + (FOREIGN_SUFFIXES if self.way.foreign and self.options.get("to") else ())

    def refused_here(self) -> str:
        """Return why this process must not do it: what it made would not be what the others make."""
        if self.version == (VERSION, RULES_NUMBER):
            return ""
        return f"this worker has zoo {VERSION}, not {self.version[0]}: install the same everywhere"

    def lacks(self, name: str) -> str:
        """Return why nothing is done with a file of another name."""
        if self.way.foreign and _is_called_so(name, FOREIGN_SUFFIXES):
            return "a weights file of other software: --to (to=) says what it is to become"
        return f"not a {self.way.what}"


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One file of a tree, where its conversion goes, and why it must not go there, if so.

    Attributes:
        source: The file.
        beside: The name of another one that belongs to it.
        target: The new file's name.
        problem: Why it must not be written.
        is_there: Whether there was a file of the new one's name when the run began. A worker that died after
            its work was done has it done again: what it wrote was made in this run.
        note: What is remembered of the new file.
    """

    source: Entry
    beside: str | None
    target: str
    is_there: bool
    problem: str = ""
    note: Note | None = None


_Done = tuple[FileResult, Note | None]
"""What became of a file, and what is to be remembered of it."""


def _results(
    pool: Executor, work: _Work, jobs: Iterable[_Job]
) -> Iterator[tuple[_Job, FileResult, Note | None]]:
    """Give a pool its tasks and yield what became of each, in their order.

    Raises:
        ConversionError: The pool takes no more tasks.
    """
    futures: list[tuple[_Job, Future[_Done]]] = []
    task = functools.partial(_one, work)
    try:
        futures += ((job, pool.submit(task, job)) for job in jobs)
        for job, future in futures:
            yield (job, *_result(work, job, future))
    except (BrokenExecutor, CancelledError) as error:
        raise ConversionError(given_up(error)) from error
    finally:
        for _, future in futures:
            future.cancel()


def _result(work: _Work, job: _Job, future: Future[_Done]) -> _Done:
    try:
        return future.result()
    except (BrokenExecutor, CancelledError):
        raise
    except Exception as error:  # the file's worker died, or could not even begin: about this file alone
        detail = f"{type(error).__name__}: {error}"
        return FileResult(source=work.start.path(job.source.name), status="failed", detail=detail), None


def _jobs(work: _Work, journal: Journal | None) -> list[_Job]:
    """Return what is to be done, file by file; no two files have one target, and no target is a source."""
    start, end = work.start, work.end
    found = {entry.name: entry for entry in start.files(end) if entry.name != NAME}
    looks = dict(zip(found, _looks(start, found.values(), work.suffixes), strict=True))
    beside = {name: _beside(work.way, name, found) for name in found}
    targets = {name: _target_of(work, name, beside[name] is not None, looks[name]) for name in found}
    place = _places(targets.values(), end)
    rivals: dict[str, list[str]] = {}
    for name, target in targets.items():
        if looks[name].weights:
            rivals.setdefault(place(target), []).append(name)
    end.sweep(targets.values())
    there = end.names()
    sources = {str(start.path(name)) for name in found}
    return [
        _Job(
            source=entry,
            beside=beside[name],
            target=targets[name],
            is_there=targets[name] in there,
            problem=_problem(work, name, targets[name], sources, rivals.get(place(targets[name]), [])),
            note=journal.of(targets[name]) if journal else None,
        )
        for name, entry in found.items()
    ]


def _target_of(work: _Work, name: str, has_beside: bool, look: _Look) -> str:
    """Return what the new file is called; one of a name that is refused has none of its own."""
    if not _stays_within(name):
        return name
    return str(work.way.target(PurePosixPath(name), has_beside, look.plain, work.options.get("to")))


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What a file is, by its name and how it begins.

    Attributes:
        weights: Whether it is a weights file; not if it cannot be read, which is told when its turn comes.
        plain: Whether it is a container of plain arrays.
    """

    weights: bool
    plain: bool


def _looks(start: Place, files: Collection[Entry], suffixes: Collection[str]) -> list[_Look]:
    """Return what files are; those elsewhere are asked many at a time."""
    look = functools.partial(_look, start, suffixes)
    if isinstance(start, Folder):
        return list(map(look, files))
    with ThreadPoolExecutor(_ASKED) as pool:
        return list(pool.map(look, files))


_ASKED = 16
"""How many files elsewhere are asked at a time how they begin."""


def _look(start: Place, suffixes: Collection[str], file: Entry) -> _Look:
    called = _is_called_so(file.name, suffixes)
    try:
        head = start.head(file.name, HEAD)
    except (OSError, ZooError):
        return _Look(weights=called, plain=False)
    return _Look(weights=called or head.startswith(_SIGNATURE), plain=is_plain(head))


def _is_weights(work: _Work, name: str) -> bool:
    return _is_called_so(name, work.suffixes) or work.start.head(name, len(_SIGNATURE)) == _SIGNATURE


def _is_called_so(name: str, suffixes: Collection[str]) -> bool:
    return PurePosixPath(name).suffix.lower() in suffixes


def _beside(way: _Way, name: str, found: Collection[str]) -> str | None:
    """Return the name of the file that belongs to another one, if it is there."""
    if way.beside is None or not _stays_within(name):
        return None
    beside = str(way.beside(PurePosixPath(name)))
    return beside if beside in found else None


def _places(targets: Collection[str], end: Place) -> Callable[[str], str]:
    """Return what tells whether two targets are one place: their names, or those without case.

    Without case where the disk, as that of macOS does by default, takes names for one that differ in case
    alone. It is asked only where there are such names.
    """
    without_case = {target.casefold() for target in targets}
    if len(without_case) < len(set(targets)) and isinstance(end, Folder) and _is_case_blind(end.folder):
        return str.casefold
    return str


def _is_case_blind(folder: Path) -> bool:
    """Tell whether names that differ in case alone are one in a folder, which need not be there yet."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    try:
        with tempfile.NamedTemporaryFile(prefix="zoo-case-", dir=there) as file:
            return Path(file.name).with_name(Path(file.name).name.upper()).exists()
    except OSError:  # nothing can be written there, which is told of each file
        return False


def _problem(work: _Work, name: str, target: str, sources: Collection[str], rivals: Sequence[str]) -> str:
    path, new, verb = work.start.path(name), work.end.path(target), work.way.verb
    if not _stays_within(name):
        return "its name is none that a file in a folder can have; rename it"
    others = " and ".join(str(work.start.path(other)) for other in rivals if other != name)
    if name in rivals and others:
        advice = f"rename all but one, or {verb} it by itself: zoo {verb} {path} NEW"
        return f"would be written to {new}, and so would {others}; {advice}"
    if name in rivals and str(new) in sources:
        return f"would be written to {new}, which is one of the files to {verb}; give another folder"
    return ""


def _stays_within(name: str) -> bool:
    """Tell whether a name leads to a place in its folder: in buckets, and on the web, any may be given."""
    return not any(part in ("", ".", "..") for part in name.split("/"))


def _target(source: PurePosixPath, has_beside: bool, is_plain: bool, to: str | None) -> PurePosixPath:
    """Return where a file's conversion goes: the same name, but for what is called by what it holds."""
    found = format_of(to)
    if found is not None and found.ending:
        return source.with_name(default_target(Path(source.name), TF, to).name)
    said = format_of(said_by(source.name))
    others = _is_called_so(source.name, FOREIGN_SUFFIXES) or (said is not None and not said.writes)
    return source.with_name(f"{source.name}.h5") if is_plain or others else source


def _one(work: _Work, job: _Job) -> _Done:
    """Convert one file and return what became of it, whatever that is: one task."""
    told = functools.partial(FileResult, source=work.start.path(job.source.name))
    try:
        source = work.start.facts(job.source, state=work.asked is not None)
        told = functools.partial(told, bytes=source.bytes or 0)
        if not _is_weights(work, source.name):
            return told(status="skipped", detail=work.lacks(source.name)), None
        if problem := job.problem or work.refused_here():
            return told(status="failed", detail=problem), None
        if (notes := _before(work, job, source)) is not None:
            return told(status="done before", target=work.end.path(job.target), notes=notes), job.note
        (status, detail, notes), note = _carried_out(work, job, source)
    except OSError as error:
        return told(status="failed", detail=f"cannot be read or written ({error})"), None
    except ZooError as error:
        alone = str(error).removeprefix(f"{work.start.path(job.source.name)}: ")
        return told(status="failed", detail=alone), None
    made = work.end.path(job.target) if status in _MADE else None
    if status == "done before" and not job.is_there:
        status, detail = "converted", MEANWHILE
    return told(status=status, target=made, detail=detail, notes=notes), note


_MADE = ("converted", "done before")


def _before(work: _Work, job: _Job, source: Entry) -> tuple[str, ...] | None:
    """Return what was said of a file when it was converted, if that need not be looked at again."""
    note = job.note
    if note is None or (note.source, note.asked) != (source.state, work.asked):
        return None
    return note.notes if note.target == work.end.state(job.target) else None


def _carried_out(work: _Work, job: _Job, source: Entry) -> tuple[_Outcome, Note | None]:
    """Bring a file, convert it and send the new one."""
    with work.start.bring(source.name, job.beside) as old, work.end.making(job.target) as new:
        status, detail, notes = work.do(work.way, old.path, new.path, dict(work.options))
        if status == "converted":
            new.send()
        said = tuple(old.told(note) for note in notes)
        detail = new.told(old.told(detail))
    if status not in _MADE or work.asked is None or source.state is None:
        return (status, detail, said), None
    state = work.end.state(job.target)
    note = state and Note(source=source.state, target=state, asked=work.asked, notes=said)
    return (status, detail, said), note or None


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
        if not config.is_file():
            text = f"holds weights alone, and no {config.name} lies beside it"
            return "skipped", text, ()
        named, asked = config, {**asked, "weights": source}
    plan = plan_upgrade(named, **asked)
    if target.exists() and is_done(plan, target):
        return "done before", "", plan.notes
    proof = carry_out(plan, target, force=options["force"], verify=options.get("verify"))
    return "converted", f"verified {proof}" if proof else "not verified", plan.notes


def _stem(source: PurePath) -> str:
    """Return the name that a model has, by that of its weights."""
    stem = source.stem
    for ending in (".weights", "_weights"):
        stem = stem.removesuffix(ending)
    return stem


def _config_of(source: _Path) -> _Path:
    """Return what the configuration is called that belongs to weights, beside which it lies."""
    return source.with_name(f"{_stem(source)}.json")


def _upgraded(source: PurePosixPath, has_beside: bool, is_plain: bool, _: str | None) -> PurePosixPath:
    """Return where an upgraded model goes."""
    return source.with_name(f"{_stem(source) if has_beside else source.stem}.keras")


_CONVERTING = _Way(
    verb="convert", what="weights file", target=_target, beside=None, do=_convert, foreign=True
)
_UPGRADING = _Way(
    verb="upgrade", what="model", target=_upgraded, beside=_config_of, do=_upgrade, foreign=False
)
