"""Whole trees of weights files: each file in a process of its own, so that none can stop the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from converters.api import default_target
from converters.errors import AlreadyConvertedError, ArgumentError, ZooError
from converters.layouts import TF
from converters.targets import remove_leftovers

Status = Literal["converted", "done before", "skipped", "failed"]
STATUSES: tuple[Status, ...] = ("converted", "done before", "skipped", "failed")
SUFFIXES = (".h5", ".hdf5", ".keras", ".safetensors")
"""What weights files are called, in lower case; a file with another name is one if it begins as HDF5 does."""
_NAMED_BY_CONTENT = ("keras3", "safetensors", "npz")
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
    """

    source: Path
    status: Status
    target: Path | None = None
    detail: str = ""
    bytes: int = 0

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
        }


@dataclass(frozen=True, kw_only=True)
class TreeReport:
    """What became of every file of a tree, in the order of their names."""

    files: tuple[FileResult, ...]

    def count(self, status: Status) -> int:
        """Return how many files have a status."""
        return sum(result.status == status for result in self.files)

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
    force: bool = False,
    report: Callable[[FileResult], None] | None = None,
    **options: Any,  # noqa: ANN401 - what convert_file takes
) -> TreeReport:
    """Convert every weights file below a folder into the same place below another one.

    A file that is there already and whose record says that it was made of this very source, into the same
    form, by this version, is not made again.

    Args:
        source: The folder.
        target: The other folder; it is created if need be and may not be the same one.
        jobs: How many files are converted at a time; by default one for each processor.
        force: Replace files that were made of something else.
        report: Called with each result as it is known.
        options: What :func:`converters.convert_file` takes, for all files alike.

    Raises:
        ArgumentError: If an argument is not what it should be.
    """
    start, end = Path(source), Path(target)
    if not start.is_dir():
        raise ArgumentError(f"{start}: not a folder")
    if end.exists() and end.samefile(start):
        raise ArgumentError(f"{end}: the new files need a folder of their own")
    if jobs is not None and jobs < 1:
        raise ArgumentError(f"jobs must be 1 or more, not {jobs}")
    results = []
    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count()) as pool:
        to = options.get("to")
        files = [(path, _target(path, end / path.relative_to(start), to)) for path in _files(start, end)]
        for result in pool.map(lambda pair: _one(pair[0], pair[1], {"force": force, **options}), files):
            results.append(result)
            if report:
                report(result)
    return TreeReport(files=tuple(results))


def _target(source: Path, same: Path, to: str | None) -> Path:
    """Return where a file's conversion goes: the same name, but for what is called by what it holds."""
    return default_target(same, TF, to) if to in _NAMED_BY_CONTENT else same


def _files(start: Path, end: Path) -> Iterator[Path]:
    """Yield all files below a folder in the order of their names, but none of the new ones."""
    for folder, folders, names in os.walk(start):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not (end.exists() and end.samefile(here / name)))
        yield from (here / name for name in sorted(names))


def _one(source: Path, target: Path, options: Mapping[str, Any]) -> FileResult:
    """Convert one file in a process of its own and return what became of it, whatever that is."""
    try:
        size = source.stat().st_size
        if not _is_weights(source):
            return FileResult(source=source, status="skipped", detail="not a weights file", bytes=size)
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return FileResult(source=source, status="failed", detail=f"cannot be read or written ({error})")
    status, detail = _in_process(source, target, options)
    made = target if status in ("converted", "done before") else None
    return FileResult(source=source, status=status, target=made, detail=detail, bytes=size)


def _is_weights(path: Path) -> bool:
    if path.suffix.lower() in SUFFIXES:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(_SIGNATURE)) == _SIGNATURE


def _in_process(source: Path, target: Path, options: Mapping[str, Any]) -> tuple[Status, str]:
    # Not fork: this process has threads. Not spawn: a server that has h5py already forks in no time.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["converters.api"])
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, source, target, dict(options)), daemon=True)
    process.start()
    there.close()
    try:
        status, detail = here.recv()
    except EOFError:
        process.join()
        remove_leftovers(target, process.pid or 0)
        return "failed", _how_it_ended(process.exitcode or 0)
    process.join()
    return status, detail.removeprefix(f"{source}: ")


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"its process ended with exit code {code}"
    return f"its process was ended by signal {signal.Signals(-code).name}"


def _work(answer: Connection, source: Path, target: Path, options: dict[str, Any]) -> None:
    """Convert one file and tell how that went: what each of the processes does."""
    try:
        answer.send(_convert(source, target, options))
    except AlreadyConvertedError as error:
        answer.send(("skipped", str(error)))
    except ZooError as error:
        answer.send(("failed", str(error)))


def _convert(source: Path, target: Path, options: dict[str, Any]) -> tuple[Status, str]:
    from converters.api import convert_file, plan_file
    from converters.execute import is_done

    if target.exists():
        about_writing = ("force", "verify", "progress")
        plan = plan_file(source, **{key: value for key, value in options.items() if key not in about_writing})
        if is_done(plan, target):
            return "done before", ""
    proof = convert_file(source, target, **options).record.proof
    return "converted", f"verified {proof}" if proof else "not verified"
