"""Pictures by their names, one after the other: as many as there are, and never all of them at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from zoo.errors import DataError
from zoo.finetuning.data import INCOMPLETE, readable_table, rows_of
from zoo.networks.images import ENDINGS
from zoo.storage.remote import brought, files_below, is_remote, last_name, shown, without_query

_RUN = "run.json"  # what the folder of a run holds, whose pictures are plots


class Listed(NamedTuple):
    """A picture that is to be read, or why it cannot be.

    Attributes:
        name: Its path or URL.
        label: Its class; empty if it has none.
        state: What changes when the file does: size and time, or what a bucket tells of it. Empty of one that
            a table names by a URL: to ask for each would take longer than to read it.
        problem: What is wrong with it.
    """

    name: str
    label: str
    state: str
    problem: str = ""


def listed(data: str) -> Iterator[Listed]:
    """Yield the pictures of a folder or a CSV file, by path or by URL, in an order that is always the same.

    The class of a picture in a folder is the folder there that it lies in, if any.

    In a table that is named by a URL, files are meant relative to the folder that it lies in.

    Raises:
        DataError: There is no such folder or file, or it is no table of pictures.
        ZooError: It cannot be reached.
    """
    if is_remote(data):
        return _in_table(data) if last_name(data).lower().endswith(".csv") else _in_bucket(data)
    if PurePosixPath(data).suffix.lower() == ".csv" or Path(data).is_file():
        return _in_table(data)
    if not Path(data).is_dir():
        raise DataError(f"{data}: there is no such folder or file")
    return _in_folder(data)


def chunks(pictures: Iterator[Listed], rows: int) -> Iterator[tuple[Listed, ...]]:
    """Yield so many pictures at a time; the last ones may be fewer."""
    while some := tuple(islice(pictures, rows)):
        yield some


def _in_folder(root: str) -> Iterator[Listed]:
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        status = Path(folder).stat()
        identity = status.st_dev, status.st_ino
        if identity in seen or (_RUN in names and folder != root):
            folders.clear()
            continue
        seen.add(identity)  # a link may lead back to where it lies
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inner = Path(folder).relative_to(root).parts
        label = inner[0] if inner else ""
        for name in sorted(names):
            if _is_picture(name):
                yield _there(str(Path(folder, name)), label)


def _in_bucket(root: str) -> Iterator[Listed]:
    for url, within, state in files_below(root):
        if _is_picture(within.rpartition("/")[2]):
            label, slash, _ = within.partition("/")
            yield Listed(url, label if slash else "", state)


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in ENDINGS


def _in_table(table: str) -> Iterator[Listed]:
    folder = without_query(table).rpartition("/")[0]
    with brought(table) as local, readable_table(shown(table)):
        for row in rows_of(local):
            if not (row.name and row.label):
                yield Listed(f"{shown(table)}, line {row.number}", "", "", INCOMPLETE)
            elif is_remote(row.name):
                yield Listed(row.name, row.label, "")
            elif is_remote(table):
                yield Listed(f"{folder}/{row.name}", row.label, "")
            else:
                yield _there(str(row.within(local.parent)), row.label)


def _there(path: str, label: str) -> Listed:
    try:
        status = Path(path).stat()
    except OSError:
        return Listed(path, label, "", "there is no such file")
    return Listed(path, label, f"{status.st_size} {status.st_mtime_ns}")
