"""Opening HDF5 files that nobody vouches for, and reading what they say about themselves.

Everything that the converters read goes through here. Only hard links are followed, and only datasets of
plain numbers that are stored in the file itself are opened, so that a weights file cannot make its reader
open another one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

from converters.errors import FileFormatError

# An object of a file, as the low-level interface knows it.
Item: TypeAlias = h5g.GroupID | h5d.DatasetID
# The types of attributes that Keras writes: numbers and text, no references and nothing compound.
_PLAIN = (h5t.INTEGER, h5t.FLOAT, h5t.STRING, h5t.ENUM)
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# What is found where a weights file should be, by the first bytes of it (lower case, leading blanks left
# out).
_IMPOSTORS = (
    (b"version https://git-lfs", "a git-lfs pointer: the file itself was never fetched (git lfs pull)"),
    (b"<!doctype html", "an HTML page: a download that went wrong"),
    (b"<html", "an HTML page: a download that went wrong"),
    (b"<?xml", "an XML document: a server's error message, by the look of it"),
    (b"<error", "an XML document: a server's error message, by the look of it"),
    (b"pk\x03\x04", "a zip archive (a .keras file is one): only HDF5 weights files are read"),
    (b"\x1f\x8b", "gzip-compressed: unpack it first"),
    (b"{", "JSON text"),
)


def open_untrusted(path: str | os.PathLike[str]) -> h5py.File:
    """Open an HDF5 file for reading, or say plainly why it is none.

    Args:
        path: The file.

    Returns:
        The open file, read-only; close it, or use it as a context manager.

    Raises:
        FileFormatError: If there is no such file, or it is not HDF5, or it is cut short or damaged.
    """
    file = Path(path)
    check_signature(file)
    try:
        return h5py.File(file, "r")
    except OSError as error:
        reason = "cut short" if "truncated" in str(error) else "damaged"
        raise FileFormatError(f"{file}: an HDF5 file, but {reason} ({error}); fetch it again") from error


def check_signature(path: Path) -> None:
    """Raise unless a path leads to a regular file that starts as HDF5 files do.

    Raises:
        FileFormatError: With what the file is instead, as far as its first bytes tell.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise FileFormatError(f"{path}: a folder, not a weights file") from error
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror})") from error
    # HDF5 allows a block of the user's own before the signature: 512 bytes or a power of two times that.
    if not any(head[at : at + 8] == _SIGNATURE for at in (0, 512, 1024, 2048)):
        raise FileFormatError(f"{path}: not an HDF5 file but {_describe_head(head)}")


def _describe_head(head: bytes) -> str:
    if not head:
        return "empty"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, meaning in _IMPOSTORS:
        if text.startswith(start):
            return meaning
    return f"something that starts with {head[:16]!r}"


class Node:
    """One group of an untrusted file, with its attributes and children; the file's path is for messages."""

    def __init__(self, group: h5g.GroupID, path: Path, name: str) -> None:
        self.id = group
        self.file = path
        self.name = name
        self._children: dict[bytes, h5g.GroupID] = {}

    def attribute(self, name: str) -> object:
        """Return an attribute's value (numbers, str, or a list of str), or None if there is none.

        Raises:
            FileFormatError: If it cannot be decoded.
        """
        key = name.encode()
        if not h5a.exists(self.id, key):
            return None
        try:
            return _attribute_value(h5a.open(self.id, key))
        except (OSError, TypeError, UnicodeDecodeError) as error:
            raise FileFormatError(
                f"{self.file}: attribute {name!r} of {self.name!r} cannot be read"
            ) from error

    def text(self, name: str) -> str | None:
        """Return a text attribute, or None if there is none or it is no text."""
        value = self.attribute(name)
        return value if isinstance(value, str) else None

    def names(self, attribute: str) -> tuple[str, ...] | None:
        """Return a list of names, put together again where Keras 2 had split it into chunks.

        HDF5 keeps an attribute below 64 KiB, so Keras from 2.0.9 on splits longer lists into
        ``layer_names0``, ``layer_names1`` and so on.

        Raises:
            FileFormatError: If the attribute is there but is not a list of names.
        """
        whole = self.attribute(attribute)
        chunks = [whole] if whole is not None else list(self._chunks(attribute))
        if not chunks:
            return None
        listed = [name for chunk in chunks for name in (chunk if isinstance(chunk, list) else [chunk])]
        found = tuple(name for name in listed if isinstance(name, str) and name)
        if len(found) < len(listed):
            raise FileFormatError(
                f"{self.file}: attribute {attribute!r} of {self.name!r} is not a list of names"
            )
        return found

    def _chunks(self, attribute: str) -> Iterator[object]:
        number = 0
        while (chunk := self.attribute(f"{attribute}{number}")) is not None:
            yield chunk
            number += 1

    def children(self) -> list[str]:
        """Return the names of the links in this group, in the file's own order of names."""
        return [_text(name) for name in self.id]

    def has(self, name: str) -> bool:
        """Return whether this group holds a link of that name (one level down, no ``/``)."""
        return name.encode() in self.id

    def group(self, name: str) -> Node:
        """Return a group below this one, through hard links only; ``/`` in the name leads further down.

        Raises:
            FileFormatError: If it is missing or not a group, or a link on the way is not a hard one.
        """
        parent, last = self._descend(name)
        found = self._open(parent, last, name)
        if not isinstance(found, h5g.GroupID):
            raise FileFormatError(f"{self.file}: {self._full(name)!r} is not a group")
        return Node(found, self.file, self._full(name))

    def dataset(self, name: str) -> h5d.DatasetID:
        """Return a dataset of numbers below this group, through hard links only.

        Raises:
            FileFormatError: If it is missing, or not a dataset of plain numbers stored in this file.
        """
        parent, last = self._descend(name)
        found = self._open(parent, last, name)
        if not isinstance(found, h5d.DatasetID):
            raise FileFormatError(f"{self.file}: {self._full(name)!r} is not a dataset")
        self._check_dataset(found, name)
        return found

    def _descend(self, name: str) -> tuple[h5g.GroupID, bytes]:
        parts = name.encode().split(b"/")
        if not all(part not in (b"", b".", b"..") for part in parts):
            raise FileFormatError(f"{self.file}: {name!r} is not a name that Keras would write")
        group, below = self.id, b""
        for part in parts[:-1]:
            below += part + b"/"
            if below not in self._children:
                found = self._open(group, part, name)
                if not isinstance(found, h5g.GroupID):
                    raise FileFormatError(f"{self.file}: {self._full(below.decode())!r} is not a group")
                self._children[below] = found
            group = self._children[below]
        return group, parts[-1]

    def _open(self, group: h5g.GroupID, part: bytes, name: str) -> Item:
        if part not in group:
            raise FileFormatError(f"{self.file}: {self._full(name)!r} is missing")
        check_hard_link(group, part, self.file)
        found: Item = h5o.open(group, part)
        return found

    def _full(self, name: str) -> str:
        return f"{self.name}/{name}".lstrip("/")

    def _check_dataset(self, dataset: h5d.DatasetID, name: str) -> None:
        kind = dataset.get_type().get_class()
        if kind not in (h5t.FLOAT, h5t.INTEGER):
            raise FileFormatError(f"{self.file}: dataset {self._full(name)!r} does not hold plain numbers")
        check_storage(dataset, self.file, self._full(name))


def root(file: h5py.File) -> Node:
    """Return the root group of a file that :func:`open_untrusted` opened."""
    return Node(h5g.open(file.id, b"/"), Path(file.filename), "")


def check_hard_link(group: h5g.GroupID, part: bytes, path: Path) -> None:
    """Raise unless a link is a hard one.

    Raises:
        FileFormatError: Soft, external and user-defined links could lead anywhere, out of the file even.
    """
    kind = group.links.get_info(part).type
    if kind != h5l.TYPE_HARD:
        word = {h5l.TYPE_SOFT: "a soft link", h5l.TYPE_EXTERNAL: "an external link"}.get(
            kind, "a foreign link"
        )
        where = (h5o_name(group) + "/" + _text(part)).lstrip("/")
        raise FileFormatError(f"{path}: {where!r} is {word}; only what is stored in the file itself is read")


def check_storage(dataset: h5d.DatasetID, path: Path, name: str) -> None:
    """Raise if a dataset's values lie in another file.

    Raises:
        FileFormatError: If the dataset is virtual or stored externally.
    """
    plist = dataset.get_create_plist()
    if plist.get_layout() == h5d.VIRTUAL or (
        plist.get_layout() == h5d.CONTIGUOUS and plist.get_external_count()
    ):
        raise FileFormatError(f"{path}: dataset {name!r} keeps its values in other files; that is not read")


def h5o_name(group: h5g.GroupID) -> str:
    """Return a group's path in its file, without the leading ``/``."""
    name = h5py.h5i.get_name(group)
    return _text(name or b"").strip("/")


def read_dataset(dataset: h5d.DatasetID, path: Path, name: str) -> np.ndarray[Any, Any]:
    """Return a whole dataset, in the type it is stored in.

    Raises:
        FileFormatError: If its values cannot be read (a damaged block, a filter that is not at hand).
    """
    values = np.empty(dataset.shape, dtype=dataset.dtype)
    try:
        if values.size:
            dataset.read(h5s.ALL, h5s.ALL, values)
    except OSError as error:
        raise FileFormatError(f"{path}: dataset {name!r} cannot be read ({error})") from error
    return values


def copy_attributes(source: Item, target: Item, path: Path, skip: frozenset[bytes] = frozenset()) -> None:
    """Copy an object's attributes bit for bit, types and padding of strings included.

    Args:
        source: Low-level object to copy from.
        target: Low-level object to copy to.
        path: The source's file, for messages.
        skip: Names to leave out.

    Raises:
        FileFormatError: If an attribute holds something that Keras never writes.
    """
    for number in range(h5a.get_num_attrs(source)):
        attribute = h5a.open(source, index=number)
        if attribute.name not in skip:
            _copy_attribute(attribute, target, path)


def _copy_attribute(attribute: h5a.AttrID, target: Item, path: Path) -> None:
    kind, space = attribute.get_type(), attribute.get_space()
    is_text = isinstance(kind, h5t.TypeStringID) and kind.is_variable_str()
    if not is_text and kind.get_class() not in _PLAIN:
        raise FileFormatError(f"{path}: attribute {_text(attribute.name)!r} holds neither numbers nor text")
    created = h5a.create(target, attribute.name, kind, space)
    if space.get_simple_extent_type() == h5s.NULL or 0 in attribute.shape:
        return
    if is_text:
        values = np.empty(attribute.shape, dtype=attribute.dtype)
        attribute.read(values)
        created.write(values)
    else:
        # The bytes as they lie in the file: no conversion, so nothing that a conversion could change.
        values = np.empty(attribute.shape, dtype=f"V{kind.get_size()}")
        attribute.read(values, mtype=kind)
        created.write(values, mtype=kind)


def write_text(target: Item, name: str, text: str, like: h5a.AttrID | None = None) -> None:
    """Write a text attribute, of the same HDF5 type as another one where there is one.

    Args:
        target: Low-level object to write to.
        name: The attribute's name.
        text: Its value.
        like: The attribute that this one stands for, or None.
    """
    space = h5s.create(h5s.SCALAR)
    kind = like.get_type() if like is not None else None
    if isinstance(kind, h5t.TypeStringID) and not kind.is_variable_str():
        data = text.encode()
        kind.set_size(max(len(data), 1))
        h5a.create(target, name.encode(), kind, space).write(np.array(data, dtype=f"S{max(len(data), 1)}"))
        return
    dtype = h5py.string_dtype()
    kind = kind if isinstance(kind, h5t.TypeStringID) else h5t.py_create(dtype, logical=True)
    h5a.create(target, name.encode(), kind, space).write(np.array(text, dtype=dtype))


def _attribute_value(attribute: h5a.AttrID) -> object:
    if attribute.get_type().get_class() not in _PLAIN:
        raise TypeError
    if attribute.get_space().get_simple_extent_type() == h5s.NULL:
        return []
    values = np.empty(attribute.shape, dtype=attribute.dtype)
    if values.size:
        attribute.read(values)
    if values.dtype.kind in "SO":
        return _text(values.item()) if values.shape == () else [_text(value) for value in values.ravel()]
    return values.item() if values.shape == () else values.ravel().tolist()


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8")
