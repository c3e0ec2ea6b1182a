"""Files of features, each with the names of its pictures: read by whatever reads ``.npz`` or Parquet."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ArgumentError, CacheError
from zoo.extras import how_to_install
from zoo.storage.destinations import Destination, destination
from zoo.storage.remote import brought

_FACTS = b"zoo"
"""Under what a Parquet file's schema tells what the columns do not."""


@dataclass(frozen=True, kw_only=True)
class ShardContent:
    """What a file of features holds.

    Attributes:
        names: Of the pictures, (N,).
        labels: Their classes by name, (N,); empty where there is none.
        features: float32, shape (N, F).
        failed: The pictures that are left out, and what is wrong with each.
        facts: What it was made of and is to be checked by; JSON.
    """

    names: Sequence[str]
    labels: Sequence[str]
    features: NDArray[np.float32]
    failed: Sequence[tuple[str, str]]
    facts: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """The SHA-256 of all but the facts."""
        rows = [list(self.names), list(self.labels), self.features.shape, [*map(list, self.failed)]]
        told = json.dumps(rows).encode()
        return hashlib.sha256(told + np.ascontiguousarray(self.features).tobytes()).hexdigest()


def folder_at(place: str) -> Destination:
    """Return a folder for files of features, at a path or a URL.

    Raises:
        ArgumentError: Nothing that is installed can reach it, or nothing is written there.
        TargetError: It is a file, or lies below one.
    """
    return destination(place, "name a folder that can be written")


def write_shard(folder: str, name: str, content: ShardContent) -> None:
    """Write a file of features, in the format that its name ends in; nobody ever sees half of it.

    Args:
        folder: Where, by path or by URL.
        name: The file's.
        content: What it is to hold.

    Raises:
        CacheError: It cannot be written.
    """
    facts = {**content.facts, "sha256": content.sha256}
    with folder_at(folder).making(name) as temporary:
        _format_of(name).write(temporary, content, facts)


def read_shard(place: str | os.PathLike[str]) -> ShardContent | None:
    """Return what a file of features holds, by path or by URL.

    Returns:
        ``None`` if there is none, or not as it was written.

    Raises:
        CacheError: It cannot be reached.
    """
    try:
        with brought(os.fspath(place)) as path:
            content = _format_of(path.name).read(path)
        return content if content.facts["sha256"] == content.sha256 else None
    except CacheError:
        raise
    except Exception:  # NumPy, zipfile and Arrow raise whatever a damaged file leads them to: made anew
        return None


def unwritable(format: str, *texts: str) -> str:
    """Return why a format cannot hold names; nothing if it can.

    Args:
        format: A key of :data:`FORMATS`.
        texts: A picture's name and its class.
    """
    if FORMATS[format].bytes_as_names or not any(map(_is_bytes, texts)):
        return ""
    return f"its name or class is no text in UTF-8, as {format} needs: rename it, or take npz"


def _is_bytes(text: str) -> bool:
    """Tell whether a name holds bytes that are no text, which Python writes as single surrogates."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _format_of(name: str) -> ShardFormat:
    return FORMATS[name.rpartition(".")[2]]


def check_format(name: str) -> None:
    """Check that a format can be written here.

    Raises:
        ArgumentError: There is no such format, or its library is not installed.
    """
    if name not in FORMATS:
        raise ArgumentError(f"format={name!r}: must be {' or '.join(map(repr, FORMATS))}")
    if name == "parquet":
        _arrow()


def _write_npz(path: Path, content: ShardContent, facts: Mapping[str, Any]) -> None:
    with path.open("wb") as file:
        np.savez(
            file,
            names=np.array(content.names, np.str_),
            features=content.features,
            labels=np.array(content.labels, np.str_),
            failed=np.array([name for name, _ in content.failed], np.str_),
            errors=np.array([error for _, error in content.failed], np.str_),
            facts=np.array(json.dumps(facts, sort_keys=True)),
        )


def _read_npz(path: Path) -> ShardContent:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return ShardContent(
        names=arrays["names"].tolist(),
        labels=arrays["labels"].tolist(),
        features=arrays["features"],
        failed=list(zip(arrays["failed"].tolist(), arrays["errors"].tolist(), strict=True)),
        facts=json.loads(str(arrays["facts"])),
    )


def _write_parquet(path: Path, content: ShardContent, facts: Mapping[str, Any]) -> None:
    arrow = _arrow()
    rows, width = content.features.shape
    values = arrow.array(content.features.reshape(-1), arrow.float32())
    columns = {
        "name": arrow.array(list(content.names), arrow.string()),
        "label": arrow.array(list(content.labels), arrow.string()),
        "features": arrow.FixedSizeListArray.from_arrays(values, width),
    }
    told = {"facts": facts, "failed": [*map(list, content.failed)], "shape": [rows, width]}
    metadata = {_FACTS: json.dumps(told, sort_keys=True)}
    arrow.parquet.write_table(arrow.table(columns).replace_schema_metadata(metadata), str(path))


def _read_parquet(path: Path) -> ShardContent:
    table = _arrow().parquet.ParquetFile(str(path)).read()
    told = json.loads(table.schema.metadata[_FACTS])
    values = table["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return ShardContent(
        names=table["name"].to_pylist(),
        labels=table["label"].to_pylist(),
        features=values.astype(np.float32, copy=False).reshape(told["shape"]),
        failed=[(name, error) for name, error in told["failed"]],
        facts=told["facts"],
    )


def _arrow() -> Any:  # noqa: ANN401 - of a library that need not be there
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        missing = f"format='parquet': pyarrow is missing; {how_to_install('parquet')} brings it"
        raise ArgumentError(missing) from error
    return pyarrow


@dataclass(frozen=True, kw_only=True)
class ShardFormat:
    """How files of features are written and read.

    Attributes:
        write: Takes a path, what the file is to hold, and its facts.
        read: Returns what it holds; raises whatever its library does if it is no such file.
        bytes_as_names: Whether names may hold bytes that are no text.
    """

    write: Callable[[Path, ShardContent, Mapping[str, Any]], None]
    read: Callable[[Path], ShardContent]
    bytes_as_names: bool


FORMATS: Mapping[str, ShardFormat] = {
    "npz": ShardFormat(write=_write_npz, read=_read_npz, bytes_as_names=True),
    "parquet": ShardFormat(write=_write_parquet, read=_read_parquet, bytes_as_names=False),
}
"""By what their names end in."""
