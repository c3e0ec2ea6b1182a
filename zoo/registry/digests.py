"""Digests of files: their text form, computing them while bytes stream by, and comparing them.

A digest is written ``ALGORITHM:VALUE``. Seven algorithms occur among published weights files: ``sha256``,
``sha384``, ``sha1``, ``md5``, ``git-blob-sha1`` (the name under which git stores a file's content), ``cksum``
(the CRC of the POSIX command) and ``sha256-prefix8`` (the first eight digits of a sha256, which PyTorch's
hosts put into the names of files). The last two are no protection against malice, only against damage.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from zoo.errors import ArgumentError, ChecksumError

CHUNK = 1 << 20
"""Bytes read at a time."""

_ADVICE = "it is damaged or another file: fetch it again, or get it from somewhere else"


class _Hasher(Protocol):
    """Takes bytes in pieces and gives the digest of all of them."""

    def update(self, data: bytes) -> None: ...

    def value(self) -> str:
        """In lower case."""


class _Hashlib:
    """A hash of the standard library, used to tell files apart, after a prefix that is hashed first."""

    def __init__(self, name: str, prefix: bytes = b"") -> None:
        import hashlib  # loads OpenSSL, which nobody needs who only lists the registry

        self._hash: Any = hashlib.new(name, prefix, usedforsecurity=False)
        self.update: Callable[[bytes], None] = self._hash.update

    def value(self) -> str:
        return str(self._hash.hexdigest())


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Every byte with its bits in the opposite order."""


class _Cksum:
    """The CRC of POSIX ``cksum``, by way of zlib's.

    Both divide by the polynomial 0x04C11DB7. POSIX takes the bits of a byte from the highest down, starts
    with a register of zeros, appends the number of bytes (lowest byte first, no trailing zeros) and
    complements the result. zlib takes the bits from the lowest up, keeps the register mirrored, and
    complements it on the way in and out. So: mirror the bits of each byte, start from the complement of zero,
    and mirror the result.
    """

    def __init__(self) -> None:
        self._crc = 0xFFFFFFFF
        self._size = 0

    def update(self, data: bytes) -> None:
        self._crc = zlib.crc32(bytes(data).translate(_REVERSED), self._crc)  # what came may be a view
        self._size += len(data)

    def value(self) -> str:
        length = self._size.to_bytes((self._size.bit_length() + 7) // 8, "little")
        mirrored = zlib.crc32(length.translate(_REVERSED), self._crc)
        return str(int(f"{mirrored:032b}"[::-1], 2))


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """How the digests of one algorithm are written and computed.

    Attributes:
        pattern: Regular expression of a value, in the syntax that Python and ECMA 262 share.
        needs: The same in words.
        needs_size: Whether the file's size is hashed before its first byte.
        start: Makes the hasher, given the size in bytes; only ``needs_size`` looks at it.
        begins: The algorithm whose values these are the first digits of; its hasher does for both.
        strong: Whether nobody can forge a file of a given digest.
    """

    pattern: str
    needs: str
    needs_size: bool
    start: Callable[[int], _Hasher]
    begins: str | None = None
    strong: bool = True


_PREFIX = 8
"""Digits of a sha256 in a file's name."""

ALGORITHMS: Mapping[str, Algorithm] = {
    "sha256": Algorithm(
        pattern="[0-9A-Fa-f]{64}",
        needs="64 hexadecimal digits",
        needs_size=False,
        start=lambda size: _Hashlib("sha256"),
    ),
    "sha384": Algorithm(
        pattern="[0-9A-Fa-f]{96}",
        needs="96 hexadecimal digits",
        needs_size=False,
        start=lambda size: _Hashlib("sha384"),
    ),
    "sha1": Algorithm(
        pattern="[0-9A-Fa-f]{40}",
        needs="40 hexadecimal digits",
        needs_size=False,
        start=lambda size: _Hashlib("sha1"),
    ),
    "md5": Algorithm(
        pattern="[0-9A-Fa-f]{32}",
        needs="32 hexadecimal digits",
        needs_size=False,
        start=lambda size: _Hashlib("md5"),
    ),
    "git-blob-sha1": Algorithm(
        pattern="[0-9A-Fa-f]{40}",
        needs="40 hexadecimal digits",
        needs_size=True,
        start=lambda size: _Hashlib("sha1", b"blob %d\0" % size),
    ),
    "cksum": Algorithm(
        pattern="(?:0|[1-9][0-9]{0,9})",
        needs="an integer of at most 10 digits",
        needs_size=False,
        start=lambda size: _Cksum(),
        strong=False,
    ),
    "sha256-prefix8": Algorithm(
        pattern=f"[0-9A-Fa-f]{{{_PREFIX}}}",
        needs=f"{_PREFIX} hexadecimal digits",
        needs_size=False,
        start=lambda size: _Hashlib("sha256"),
        begins="sha256",
        strong=False,
    ),
}

DIGEST_PATTERN = "|".join(f"{name}:{algorithm.pattern}" for name, algorithm in ALGORITHMS.items())
"""What a whole digest must match, in the syntax that Python and ECMA 262 share."""


def parse_digest(text: str) -> tuple[str, str]:
    """Split ``ALGORITHM:VALUE`` into the two, the value in lower case.

    Raises:
        ArgumentError: The algorithm is unknown or the value cannot be one of its digests.
    """
    name, _, value = text.partition(":")
    if name not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise ArgumentError(f"{text!r} is not a digest: it must start with one of {known}, then a colon")
    if not re.fullmatch(ALGORITHMS[name].pattern, value):
        raise ArgumentError(f"{text!r} is not a digest: {name} needs {ALGORITHMS[name].needs}")
    return name, value.lower()


class Hashes:
    """Digests of one stream of bytes, several algorithms at once.

    Args:
        algorithms: Names out of :data:`ALGORITHMS`.
        size: The number of bytes that will come, where somebody has said so; ``git-blob-sha1`` hashes it
            first.
    """

    def __init__(self, algorithms: Iterable[str], size: int | None = None) -> None:
        self.size = 0
        self._announced = size
        self._names = tuple(dict.fromkeys(algorithms))
        self._hashers = {
            name: ALGORITHMS[name].start(size or 0)
            for name in dict.fromkeys(map(_hashed, self._names))
            if size is not None or not ALGORITHMS[name].needs_size
        }

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self.size += len(data)
        for hasher in self._hashers.values():
            hasher.update(data)

    def values(self) -> dict[str, str]:
        """Return the digest of the bytes so far, by algorithm.

        An algorithm that hashes the size first is missing unless exactly the announced number of bytes has
        come; :func:`verify_file` reads the file again for it.
        """
        found = {
            name: hasher.value()
            for name, hasher in self._hashers.items()
            if self.size == self._announced or not ALGORITHMS[name].needs_size
        }
        return {
            name: found[hashed] if name == hashed else found[hashed][:_PREFIX]
            for name in self._names
            if (hashed := _hashed(name)) in found
        }


def _hashed(name: str) -> str:
    """Return the algorithm that computes the digests of one."""
    return ALGORITHMS[name].begins or name


def contradicts(digest: Published, sha256: str) -> bool:
    """Say whether a file with this SHA-256 cannot be the one that a digest was published of."""
    return _hashed(digest.algorithm) == "sha256" and not sha256.startswith(digest.value)


def any_strong(digests: Iterable[Published]) -> bool:
    """Say whether there is a digest that nobody can forge, or have by accident."""
    return any(ALGORITHMS[digest.algorithm].strong for digest in digests)


def pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the bytes of a stream in pieces, to its end.

    Args:
        read: Returns so many bytes, or fewer; none at the end.
    """
    while piece := read(CHUNK):
        yield piece


def hash_stream(
    read: Callable[[int], bytes],
    algorithms: Iterable[str],
    size: int | None = None,
    advance: Callable[[int], object] = lambda count: None,
) -> dict[str, str]:
    """Return the digests of a stream, by algorithm; it is read once, however many there are.

    Args:
        read: Returns so many bytes, or fewer; none at the end.
        algorithms: Names out of :data:`ALGORITHMS`.
        size: As for :class:`Hashes`.
        advance: Called with the number of bytes of each piece when it is hashed.
    """
    hashes = Hashes(algorithms, size)
    for piece in pieces(read):
        hashes.update(piece)
        advance(len(piece))
    return hashes.values()


def hash_file(
    path: Path, algorithms: Iterable[str], advance: Callable[[int], object] = lambda count: None
) -> dict[str, str]:
    """Return the digests of a file as :func:`hash_stream` does."""
    with path.open("rb") as stream:
        return hash_stream(stream.read, algorithms, path.stat().st_size, advance)


class Published(Protocol):
    """A digest with how well it is attested, and by whom: what a record of the registry says of one."""

    @property
    def algorithm(self) -> str:
        """One of :data:`ALGORITHMS`."""

    @property
    def value(self) -> str:
        """In lower case."""

    @property
    def grade(self) -> str:
        """How well it is attested."""

    @property
    def source(self) -> str:
        """Where it is stated."""


def verify_file(
    path: Path,
    digests: Iterable[Published],
    size: int | None = None,
    *,
    known: Mapping[str, str] | None = None,
    label: str | None = None,
) -> None:
    """Check a file's size and every digest that was published for it.

    Args:
        path: The whole file.
        digests: What was published; may be empty.
        size: Its published size in bytes, where that is known.
        known: Digests of this file that were computed already, as :meth:`Hashes.values` gives them.
        label: What messages call the file; its path if left out.

    Raises:
        ChecksumError: The size or a digest differs.
    """
    label = label or str(path)
    found_size = path.stat().st_size
    if size is not None and found_size != size:
        raise ChecksumError(f"{label}: has {found_size} bytes, the published file has {size}; {_ADVICE}")
    digests = tuple(digests)
    found = dict(known or {})
    missing = [digest.algorithm for digest in digests if digest.algorithm not in found]
    found |= hash_file(path, missing) if missing else {}
    for digest in digests:
        _compare(digest, found[digest.algorithm], label)


def _compare(digest: Published, found: str, label: str) -> None:
    if found != digest.value:
        raise ChecksumError(
            f"{label}: its {digest.algorithm} is {found}, the published file's is {digest.value}"
            f" (grade {digest.grade}: {digest.source}); {_ADVICE}"
        )
