"""CRC-32C (Castagnoli), the checksum in Google's ``X-Goog-Hash`` header, as google-crc32c computes it."""

from __future__ import annotations

import base64
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_BLOCK_BYTES = 1 << 24


def crc32c_file(path: Path) -> int:
    """Return the CRC-32C of a file, read in blocks of 16 MiB.

    Raises:
        ImportError: google-crc32c is not installed.
    """
    from google_crc32c import Checksum

    checksum: Any = Checksum()  # type: ignore[no-untyped-call]
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            checksum.update(block)
    return int.from_bytes(checksum.digest(), "big")


def goog_hash(path: Path) -> str | None:
    """Return the value of ``X-Goog-Hash`` for a file: ``crc32c=`` and the big-endian CRC in base64.

    ``None`` where google-crc32c is not installed: a host need not state it, and nobody could check it here.
    """
    if find_spec("google_crc32c") is None:
        return None
    return "crc32c=" + base64.b64encode(crc32c_file(path).to_bytes(4, "big")).decode()
