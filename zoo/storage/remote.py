"""Files elsewhere: whatever fsspec reaches by a URL, in a bucket (``s3://``, ``gs://``) or by ``https://``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from zoo.errors import ArgumentError, CacheError, DataError
from zoo.extras import how_to_install
from zoo.storage.aside import passing_folder

WEB = ("http", "https")
"""What is read by single addresses, which may carry a query; in buckets a question mark is part of a name."""

_FORBIDDEN = 403
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_LETS_IN = re.compile(
    r"(?i)(x-(amz|goog|ms|oss)-.*|.*(sign|secret|passw|token|credential|auth|api-?_?key|access-?_?key|session"
    r"|accessid).*|sig|policy|key-pair-id|expires|jwt|sv|se|st|sp|sr|sks|skt|ske|skoid|sktid|skv|spr)"
)
"""The names of what a signed address carries in its query: whoever has it may read the file."""
_TIMES = ("generation", "mtime", "updated", "last_modified", "Last-Modified", "created")
_WORDS = ("ETag", "etag", "size", "LastModified", "last_modified", "mtime", "updated", "generation")


def is_remote(place: object) -> bool:
    """Tell whether a file or folder is named by a URL."""
    return isinstance(place, str) and "://" in place


def local_path(place: str) -> Path:
    """Return the path of what lies on this machine, by its path or by a ``file://`` URL."""
    return Path(unquote(urlsplit(place).path)) if is_remote(place) else Path(place)


def shown(text: str) -> str:
    """Return a URL, or a text with URLs in it, without what lets whoever reads it in.

    That is a user's name and password, and of a query what signs it; the rest of a query may be what tells
    one file from another.
    """
    return _URL.sub(lambda found: _without_keys(found[0]), text)


def _without_keys(url: str) -> str:
    start, mark, query = _USER.sub("", url).partition("?")
    kept = [one for one in query.split("&") if one and not _LETS_IN.fullmatch(one.partition("=")[0])]
    return f"{start}?{'&'.join(kept)}" if mark and kept else start


def scheme_of(place: str) -> str:
    """Return what a URL begins with, before the colon."""
    return place.partition("://")[0].rpartition("::")[2].lower()


def last_name(place: str) -> str:
    """Return what a file is called that is named by a URL: its last part, without a query."""
    if not is_remote(place):
        return Path(place).name
    path = without_query(place).partition("://")[2]
    return (unquote(path) if scheme_of(place) in WEB else path).rpartition("/")[2]


def without_query(place: str) -> str:
    """Return an address of the web without its query."""
    return re.split("[?#]", place)[0] if scheme_of(place) in WEB else place


def filesystem(place: str) -> tuple[Any, str]:
    """Return fsspec's file system that a URL is of, and the path there.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
    """
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(place)
    except (ImportError, ValueError) as error:
        advice = f"{how_to_install('mirror')} brings s3:// and https://, and pip install gcsfs gs://"
        raise ArgumentError(f"{shown(place)}: cannot be reached: {shown(str(error))}; {advice}") from error
    return system, path


def storage_errors() -> tuple[type[BaseException], ...]:
    """Return what the libraries behind fsspec raise: OSError, and botocore's and aiohttp's own."""
    botocore: Any = sys.modules.get("botocore.exceptions")
    aiohttp: Any = sys.modules.get("aiohttp")
    own = (botocore.BotoCoreError, botocore.ClientError) if botocore else ()
    return (OSError, *own, *((aiohttp.ClientError,) if aiohttp else ()))


@contextmanager
def asking(place: str) -> Iterator[None]:
    """Turn what the libraries behind fsspec say into one clear line.

    Raises:
        FileNotFoundError: There is no such file.
        CacheError: In place of their other errors.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except storage_errors() as error:
        told = shown(str(error)) or type(error).__name__
        raise CacheError(f"{shown(place)}: cannot be read: {told}") from error


def is_refusal(error: CacheError) -> bool:
    """Tell whether what could not be read may not be read, as servers say with 403."""
    cause = error.__cause__
    return isinstance(cause, PermissionError) or getattr(cause, "status", None) == _FORBIDDEN


@contextmanager
def brought(place: str) -> Iterator[Path]:
    """Give a local file, under the name that a URL ends in, for as long as it is needed; a path is one.

    Raises:
        ArgumentError: Nothing that is installed can reach it.
        DataError: There is no such file.
        CacheError: It cannot be read.
    """
    if not is_remote(place):
        yield Path(place)
        return
    system, path = filesystem(place)
    with passing_folder() as folder:
        local = folder / (last_name(place) or "file")
        bring(system, path, place, local)
        yield local


def bring(system: Any, path: str, place: str, local: Path) -> None:  # noqa: ANN401 - of a library without types
    """Copy a file from elsewhere.

    Args:
        system: fsspec's file system.
        path: The file there.
        place: Its URL.
        local: The copy.

    Raises:
        DataError: There is no such file.
        CacheError: It cannot be read.
    """
    try:
        with asking(place):
            system.get_file(path, str(local))
    except FileNotFoundError as error:
        raise DataError(f"{shown(place)}: there is no such file") from error
    if not local.is_file():  # a name in a bucket that stands for a folder alone
        raise DataError(f"{shown(place)}: is a folder, no file")


def files_below(place: str) -> Iterator[tuple[str, str, str]]:
    """Yield the visible files below a folder that is named by a URL, in the order of their names.

    Yields:
        The URL of each, its name within the folder, and what changes when it does: nothing where that is not
        listed, as by ``https://``.

    Raises:
        DataError: There is no such folder.
        CacheError: It cannot be listed.
    """
    for within, facts in facts_below(place, hidden=False):
        yield f"{place.rstrip('/')}/{within}", spelt(place, within), state_of(facts)


def facts_below(place: str, *, hidden: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the files below a folder that is named by a URL, folder by folder in the order of their names.

    Args:
        place: The folder.
        hidden: Whether files and folders count whose names begin with a dot.

    Yields:
        The path of each below the folder, and what fsspec tells of it.

    Raises:
        DataError: There is no such folder.
        CacheError: It cannot be listed.
    """
    system, root = filesystem(place.rstrip("/"))
    with _listing(place):
        system.invalidate_cache()
        for folder, folders, files in system.walk(root, detail=True, on_error="raise"):
            _order(folders, hidden=hidden)
            inner = str(folder).removeprefix(root).strip("/")
            for name in sorted(name for name in files if _counts(name, hidden=hidden)):
                yield (f"{inner}/{name}" if inner else name), files[name]


def spelt(place: str, within: str) -> str:
    """Return a file's name within a folder as people write it: on the web it is quoted."""
    return unquote(within) if scheme_of(place) in WEB else within


def _order(folders: dict[str, Any], *, hidden: bool) -> None:
    """Put the folders that are gone into next into their order; a web server's list has none."""
    left = sorted(item for item in folders.items() if _counts(item[0], hidden=hidden))
    folders.clear()
    folders.update(left)


def _counts(name: str, *, hidden: bool) -> bool:
    """Tell whether a name in a list is one of a file: on a web page there are links that sort it, too."""
    return bool(name) and not name.startswith("?") and (hidden or not name.startswith("."))


@contextmanager
def _listing(place: str) -> Iterator[None]:
    try:
        with asking(place):
            yield
    except FileNotFoundError as error:
        raise DataError(f"{shown(place)}: there is no such folder") from error


def version_of(facts: dict[str, Any]) -> str | None:
    """Return what changes whenever a file does, of what fsspec tells of it; ``None`` if nothing is sure to.

    An ETag, where there is one: it is the same however the file is asked for.
    """
    etag = facts.get("ETag") or facts.get("etag")
    if etag is not None:
        return f"{str(etag).strip(chr(34))} {facts.get('size')}"
    told = [facts[key] for key in _TIMES if facts.get(key)]
    return f"{told[0]} {facts.get('size')}" if told else None


def state_of(facts: dict[str, Any]) -> str:
    """Return what changes when a file does, of what fsspec tells of it."""
    told = (facts.get(key) for key in _WORDS)
    return " ".join(str(one) for one in told if one is not None)
