"""Archives that nobody vouches for: ``.keras`` files, held against the same caps before anything is unpacked.

Nothing is ever unpacked under a name that the archive gives. What is stored as it is gets read where it lies;
a packed member goes to a temporary file without a name.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO

from converters.errors import FileFormatError
from converters.hdf5.reader import Hdf5Source, open_regular
from converters.hdf5.source import Closing, Stamp
from converters.limits import Limits, clipped, name_fault, too_many

WEIGHTS = "model.weights.h5"
TEXTS = ("config.json", "metadata.json")
_BLOCK = 1 << 20
_ZIP = b"PK\x03\x04"
_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What zipfile raises for a damaged archive.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
)


class Archive(Closing):
    """An archive whose list of members has been found good."""

    def __init__(self, path: Path, stream: IO[bytes], limits: Limits) -> None:
        """Read the list of an open archive; :func:`open_archive` is the way to get here."""
        self.path = path
        self.limits = limits
        self._stream = stream
        _check_directory(path, stream, limits)
        try:
            self._zip = zipfile.ZipFile(stream)
        except _DAMAGE as error:
            raise FileFormatError(f"{path}: a damaged zip archive ({error})") from error
        self._members = {info.filename: info for info in self._checked()}
        starts = sorted(info.header_offset for info in self._members.values())
        following = dict(pairwise([*starts, self._zip.start_dir]))
        self._ends = {name: following[info.header_offset] for name, info in self._members.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all members."""
        return tuple(self._members)

    def read_bytes(self, name: str) -> bytes | None:
        """Return a short member, or None if there is none of that name.

        Raises:
            FileFormatError: If it is too long or damaged.
        """
        if name not in self._members:
            return None
        size, cap = self._members[name].file_size, self.limits.header_bytes
        if size > cap:
            raise self._refusal(name, f"takes {too_many(size, cap, 'header_bytes')}")
        return b"".join(self._blocks(name))

    def read_text(self, name: str) -> str | None:
        """Return a member that is text, or None if there is none of that name.

        Raises:
            FileFormatError: If it is too long, damaged, or not UTF-8.
        """
        found = self.read_bytes(name)
        try:
            return None if found is None else found.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._refusal(name, "is not UTF-8") from error

    def open_hdf5(self, name: str = WEIGHTS, *, checked: bool = True) -> Hdf5Source:
        """Return a member that is an HDF5 file; the archive may be closed afterwards.

        Args:
            name: The member's name.
            checked: Whether the bytes of one that is stored as it is are held against their checksum first.

        Raises:
            FileFormatError: If there is none of that name, or it is damaged or breaks a rule.
        """
        if name not in self._members:
            raise FileFormatError(f"{self.path}: a zip archive without {name!r}, so not a .keras file")
        texts = {text: found for text in TEXTS if (found := self.read_text(text)) is not None}
        info = self._members[name]
        if info.compress_type == zipfile.ZIP_STORED:
            for _ in self._blocks(name) if checked else ():  # holds the bytes against their checksum
                pass
            start, stream = self._start(info), self._again()
        else:
            start, stream = 0, self._unpacked(name)
        try:
            return Hdf5Source(self.path, stream, self.limits, start=start, size=info.file_size, texts=texts)
        except BaseException:
            stream.close()
            raise

    def size(self, name: str) -> int:
        """Return the bytes of a member when it is unpacked."""
        return self._members[name].file_size

    def offset(self, name: str) -> int | None:
        """Return where the bytes of a member begin that is stored as it is; None if it is compressed."""
        info = self._members[name]
        return self._start(info) if info.compress_type == zipfile.ZIP_STORED else None

    def head(self, name: str, count: int) -> bytes:
        """Return so many first bytes of a member, or all if it has not as many.

        Raises:
            FileFormatError: If it is damaged.
        """
        try:
            with self._zip.open(self._members[name]) as member:
                return member.read(count)
        except _DAMAGE as error:
            raise self._refusal(name, f"is damaged ({error})") from error

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a member, held against its checksum at the end of them.

        Raises:
            FileFormatError: If it is damaged.
        """
        return self._blocks(name)

    def _again(self) -> IO[bytes]:
        return os.fdopen(os.dup(self._stream.fileno()), "rb")

    def _unpacked(self, name: str) -> IO[bytes]:
        size, cap = self._members[name].file_size, self.limits.archive_bytes
        if size > cap:
            raise self._refusal(name, f"decompresses to {too_many(size, cap, 'archive_bytes')}")
        stream = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            for block in self._blocks(name):
                stream.write(block)
            stream.flush()
        except BaseException:
            stream.close()
            raise
        return stream

    def _blocks(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes; what it decompresses to beyond its stated size is never seen."""
        try:
            with self._zip.open(self._members[name]) as member:
                done = 0
                while block := member.read(_BLOCK):
                    done += len(block)
                    yield block
        except _DAMAGE as error:
            raise self._refusal(name, f"is damaged ({error})") from error
        if done != self._members[name].file_size:
            raise self._refusal(name, f"has {done} of {self._members[name].file_size} bytes")

    def _start(self, info: zipfile.ZipInfo) -> int:
        """Return where a stored member's bytes begin, behind its own header."""
        head = os.pread(self._stream.fileno(), 30, info.header_offset)
        if not head.startswith(_ZIP) or len(head) < 30:
            raise self._refusal(info.filename, "has no header of its own where the list says")
        name, extra = struct.unpack_from("<HH", head, 26)
        start = info.header_offset + 30 + int(name) + int(extra)
        if start + info.compress_size > self._ends[info.filename]:
            raise self._refusal(info.filename, "shares bytes with another member")
        return start

    def _refusal(self, name: str, rule: str) -> FileFormatError:
        return FileFormatError(f"{self.path}: member {clipped(name)} {rule}")

    # The list of members

    def _checked(self) -> Iterator[zipfile.ZipInfo]:
        """Yield every member, once it keeps the rules and does not share bytes with another."""
        infos = self._zip.infolist()
        if len(infos) > self.limits.objects:
            raise FileFormatError(f"{self.path}: more than {self.limits.objects} members (limit objects)")
        names: set[str] = set()
        end = total = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            if fault := _fault(info, self.limits):
                raise self._refusal(info.filename, fault)
            if info.filename in names:
                raise self._refusal(info.filename, "is in the archive twice")
            if info.header_offset < end:
                raise self._refusal(info.filename, "shares bytes with another member")
            end = info.header_offset + 30 + len(info.filename) + info.compress_size
            names.add(info.filename)
            total += info.file_size
            if total > self.limits.declared_bytes:
                cap = self.limits.declared_bytes
                raise self._refusal(
                    info.filename, f"makes more than {cap} bytes in all (limit declared_bytes)"
                )
            yield info


def _fault(info: zipfile.ZipInfo, limits: Limits) -> str | None:
    """Return the rule that a member breaks, or None."""
    parts = info.filename.removesuffix("/").split("/")
    if fault := member_fault(info.filename, info.orig_filename, limits):
        return fault
    if parts[-1].lower().endswith((".zip", ".keras")):
        return "is an archive within the archive"
    return _kind_fault(info) or _size_fault(info, limits)


def member_fault(name: str, original: str, limits: Limits) -> str | None:
    """Return the rule that the name of a member breaks, or None.

    Args:
        name: The name.
        original: The same, before it was brought into the form of this system.
        limits: Caps.
    """
    parts = name.removesuffix("/").split("/")
    if fault := next(filter(None, (name_fault(part, limits) for part in parts)), None):
        return f"has a name, a part of which {fault}"
    if "\\" in original or ":" in parts[0] or "\0" in original:
        return "has a name that leads elsewhere on some systems"
    if len(parts) > limits.depth:
        return f"lies more than {limits.depth} folders deep (limit depth)"
    return None


def _kind_fault(info: zipfile.ZipInfo) -> str | None:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a symbolic link"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return f"is compressed by method {info.compress_type}; only stored (0) and deflate (8) are read"
    return None


def _size_fault(info: zipfile.ZipInfo, limits: Limits) -> str | None:
    size, stored = info.file_size, info.compress_size
    if info.compress_type == zipfile.ZIP_STORED and size != stored:
        return f"declares {size} bytes and stores {stored}"
    if size > limits.ratio * stored:
        return f"declares {size} bytes and stores {stored}, which is too few (limit ratio)"
    return None


def _check_directory(path: Path, stream: IO[bytes], limits: Limits) -> None:
    """Raise if the list of members is too long to be read, which zipfile would do at once."""
    handle = stream.fileno()
    size = os.fstat(handle).st_size
    tail = os.pread(handle, min(size, 22 + 65535), max(size - 22 - 65535, 0))
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        why = "cut short (it has no list of members)"
        raise FileFormatError(f"{path}: a zip archive, but {why}; fetch it again")
    (length,) = struct.unpack_from("<I", tail, at + 12)
    if at >= 76 and tail[at - 20 : at - 16] == _LOCATOR and tail[at - 76 : at - 72] == _END64:
        (length,) = struct.unpack_from("<Q", tail, at - 76 + 40)
    if length > 46 * limits.objects:
        raise FileFormatError(f"{path}: its list of members takes {length} bytes (limit objects)")


def open_archive(path: str | os.PathLike[str], *, limits: Limits | None = None) -> Archive:
    """Open a ``.keras`` archive for reading.

    Args:
        path: The archive.
        limits: Caps; by default those of the environment.

    Raises:
        FileFormatError: If it is no archive, damaged, or breaks a rule; names the member.
    """
    file = Path(path)
    stream = open_regular(file)
    try:
        return Archive(file, stream, limits or Limits.from_environment())
    except BaseException:
        stream.close()
        raise


def first_member(head: bytes) -> bytes | None:
    """Return the name of the first member of a zip archive, by the bytes that the file begins with.

    Returns:
        None if they are not those of a zip archive.
    """
    if not head.startswith(_ZIP):
        return None
    return head[30 : 30 + int.from_bytes(head[26:28], "little")]


_TORCH = frozenset(
    {b"data.pkl", b"constants.pkl", b".format_version", b".storage_alignment", b"byteorder", b"version"}
)
_TORCH_FOLDERS = (b"data/", b"code/")
"""TorchScript's archives begin with their values or their code."""


def is_torch(first: bytes | None) -> bool:
    """Return whether the first member of a zip archive is one of PyTorch's, which lie in one folder."""
    inner = b"" if first is None else first.partition(b"/")[2]
    return inner in _TORCH or inner.startswith(_TORCH_FOLDERS)


def recognise(head: bytes) -> bool:
    """Return whether a file begins as zip archives do, but for those of NumPy and PyTorch."""
    first = first_member(head)
    return first is not None and not first.endswith(b".npy") and not is_torch(first)


def read(path: Path, stream: IO[bytes], limits: Limits, known: Stamp | None) -> Hdf5Source:
    """Return the weights of an open ``.keras`` archive; closes the archive.

    Args:
        path: Its name, for messages.
        stream: The open archive.
        limits: Caps.
        known: Of no use here: only its weights are read again, not their checksum left out.

    Raises:
        FileFormatError: As :func:`open_archive`.
    """
    with Archive(path, stream, limits) as archive:
        return archive.open_hdf5()
