"""Files as a user gives them, by path or by a URL that fsspec reaches: at hand for as long as is needed."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from converters.errors import calling
from converters.writing.places import Local
from zoo.errors import ArgumentError, CacheError, DataError, FileFormatError, ZooError
from zoo.naming import is_written_as_path
from zoo.storage.aside import passing_folder
from zoo.storage.remote import (
    WEB,
    asking,
    bring,
    brought,
    filesystem,
    is_refusal,
    is_remote,
    local_path,
    scheme_of,
    shown,
    without_query,
)


def is_folder(given: str | os.PathLike[str]) -> bool:
    """Tell whether a folder is named: one that is there, or a URL that ends in a slash or has files below it.

    Raises:
        CacheError: It cannot be asked.
        ArgumentError: Nothing that is installed can reach it.
    """
    place = os.fspath(given)
    if not is_remote(place):
        return Path(place).is_dir()
    if without_query(place).endswith("/") or scheme_of(place) in WEB:
        return without_query(place).endswith("/")
    system, path = filesystem(place)
    with asking(place):
        return bool(system.isdir(path) and not system.isfile(path))


@contextmanager
def at_hand(given: str | os.PathLike[str]) -> Iterator[Local]:
    """Give a file to read, for as long as it is needed.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
        FileFormatError: There is no such file elsewhere, or none here and the registry has the name; of any
            other on this machine whoever opens it says so.
        CacheError: It cannot be read.
    """
    place = os.fspath(given)
    with ExitStack() as stack:
        try:
            path = stack.enter_context(brought(place))
        except DataError as error:
            raise FileFormatError(str(error)) from error
        folder = shown(without_query(place)).rpartition("/")[0] if is_remote(place) else None
        _check_no_name(given, path)
        local = Local(path=path, folder=folder)
        token = _AT_HAND.set((*_AT_HAND.get(), local))
        stack.callback(_AT_HAND.reset, token)
        yield local


def _check_no_name(given: str | os.PathLike[str], path: Path) -> None:
    """Check that a path at which nothing lies is no name of the registry, which is read for these alone.

    Raises:
        FileFormatError: It is one.
    """
    if is_written_as_path(given) or path.exists():
        return
    from zoo.registry.files import fetched_by

    if advice := fetched_by(os.fspath(given)):
        raise FileFormatError(f"{path}: no such file{advice}")


@contextmanager
def some_at_hand(place: str, names: Iterable[str]) -> Iterator[Local]:
    """Give a folder elsewhere with those files of some names that are there, for as long as it is needed.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
        CacheError: It cannot be read.
    """
    folder, _, name = without_query(place).rstrip("/").rpartition("/")
    with passing_folder() as passing:
        local = Local(path=passing / name, folder=shown(folder))
        local.path.mkdir()
        for one in names:
            bring_if_there(beside(place, f"{name}/{one}"), local.path / one)
        yield local


def beside(place: str, name: str) -> str:
    """Return the URL of what lies beside a file or folder: what lets in to that may let in to this."""
    address = without_query(place)
    return f"{address.rstrip('/').rpartition('/')[0]}/{name}{place[len(address) :]}"


def bring_if_there(place: str, path: Path, *, unless_refused: bool = False) -> None:
    """Copy a file from elsewhere, unless there is none.

    Args:
        place: Its URL.
        path: The copy.
        unless_refused: Whether one that may not be read is none either. Of a bucket that must not be listed
            S3 refuses what is not there as well, and a signature is good for one file.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
        CacheError: It cannot be read.
    """
    system, there = filesystem(place)
    try:
        bring(system, there, place, path)
    except DataError:
        return
    except CacheError as error:
        if not (unless_refused and is_refusal(error)):
            raise


_AT_HAND: ContextVar[tuple[Local, ...]] = ContextVar("_AT_HAND", default=())


def address_of(path: object) -> str | None:
    """Return the URL, without what lets in whoever has it, of a file that is at hand at a path; else None."""
    return next((one.told(str(path)) for one in _AT_HAND.get() if one.folder and one.path == path), None)


_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))


@contextmanager
def to_be_made(given: str | os.PathLike[str] | None, *, force: bool) -> Iterator[Local | None]:
    """Give where a new file is written; one for elsewhere is sent by ``send``.

    Args:
        given: Where it belongs; ``None`` if that is not said.
        force: Whether one that is there may be replaced.

    Raises:
        ArgumentError: Nothing that is installed can reach it, nothing is written there, or it is written as a
            folder.
        ConversionError: It is there already.
        CacheError: It cannot be asked.
    """
    if given is None:
        yield None
        return
    place = os.fspath(given)
    if not is_remote(place) or scheme_of(place) == "file":
        if place.endswith(_SEPARATORS):
            raise ArgumentError(f"{place}: is a folder; give the name of a file")
        yield Local(path=local_path(place))
        return
    from zoo.files.places import Address  # which only who names an address needs
    from zoo.storage.destinations import writable

    folder, _, name = writable(place).rpartition("/")
    if not name or folder.endswith(":/"):
        raise ArgumentError(f"{shown(place)}: is a folder; give the name of a file")
    with Address(folder).making_one(name, force=force) as local:
        yield local


@contextmanager
def as_named(*files: Local | None) -> Iterator[None]:
    """Let errors and warnings about files that stand for others elsewhere call these by their names.

    Raises:
        ZooError: Whatever was raised, with another text.
    """
    try:
        with calling(lambda text: str(named(text, *files))):
            yield
    except ZooError as error:
        error.args = tuple(named(one, *files) for one in error.args)
        raise


def named(value: Any, *files: Local | None) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return plain values with files that stand for others elsewhere called by the names of these."""
    if isinstance(value, Mapping):
        return {key: named(one, *files) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(named(one, *files) for one in value)
    if isinstance(value, str | Path):
        value = str(value)
        for file in filter(None, files):
            value = file.told(value)
    return value


_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def weights_at_hand(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Return a function that takes its ``weights=`` by URL as well: the file is brought while it runs."""

    @functools.wraps(function)
    def called(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        _passed_over = True
        weights = kwargs.get("weights")
        if not isinstance(weights, str) or not is_remote(weights):
            return function(*args, **kwargs)
        with at_hand(weights) as local, as_named(local):
            kwargs["weights"] = local.path
            return function(*args, **kwargs)

    return called
