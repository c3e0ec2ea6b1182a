"""CRC-32C (Castagnoli), the checksum in Google's ``X-Goog-Hash`` header.

A CRC is linear, so a block is cut into many lanes that NumPy advances together, byte by byte; the lanes'
remainders are then joined in pairs. That is what makes files of hundreds of megabytes bearable without a
compiled library.
"""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78  # 0x1EDC6F41 with its bits reversed, RFC 3720 section 12.1
_LANES = 1 << 15
_BLOCK_BYTES = _LANES << 9


def crc32c_file(path: Path) -> int:
    """Return the CRC-32C of a file, read in blocks of 16 MiB."""
    table = _byte_table()
    remainder = 0xFFFFFFFF
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            remainder = _advance(remainder, block, table)
    return remainder ^ 0xFFFFFFFF


def goog_hash(path: Path) -> str:
    """Return the value of ``X-Goog-Hash`` for a file: ``crc32c=`` and the big-endian CRC in base64."""
    return "crc32c=" + base64.b64encode(crc32c_file(path).to_bytes(4, "big")).decode()


def _byte_table() -> Words:
    """Return what each of the 256 byte values leaves in the register, shape (256,)."""
    words = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        divided = np.where(words & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
        words = np.bitwise_xor(words >> np.uint32(1), divided)
    return words


def _advance(remainder: int, block: bytes, table: Words) -> int:
    """Return the register after a block."""
    if len(block) < 4:
        for byte in block:
            remainder = int(table[(remainder ^ byte) & 0xFF]) ^ (remainder >> 8)
        return remainder
    # A register that is not zero is the same as a zero register and a message whose first four bytes are
    # changed; zeros before the message then change nothing, so it can be padded to whole lanes.
    steps = -(-len(block) // _LANES)
    message = np.zeros(steps * _LANES, np.uint8)
    message[-len(block) :] = np.frombuffer(block, np.uint8)
    start = message.size - len(block)
    message[start : start + 4] ^= np.frombuffer(remainder.to_bytes(4, "little"), np.uint8)
    columns = np.ascontiguousarray(message.reshape(_LANES, steps).T)
    words = np.zeros(_LANES, np.uint32)
    for column in columns:
        words = table[(words ^ column) & 0xFF] ^ (words >> 8)
    return _join(words, steps, table)


def _join(words: Words, lane_bytes: int, table: Words) -> int:
    """Return the register after all lanes, given each lane's own; their number is a power of two."""
    shift = _zeros_operator(lane_bytes, table)
    while words.size > 1:
        words = _apply(shift, words[0::2]) ^ words[1::2]
        shift = _apply(shift, shift)
    return int(words[0])


def _zeros_operator(count: int, table: Words) -> Words:
    """Return, for each bit of the register, the register after ``count`` zero bytes, shape (32,)."""
    words = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
    for _ in range(count):
        words = table[words & 0xFF] ^ (words >> 8)
    return words


def _apply(operator: Words, words: Words) -> Words:
    """Return the linear operator applied to each word, shape of ``words``."""
    result = np.zeros_like(words)
    for bit in range(32):
        result ^= np.where((words >> np.uint32(bit)) & 1, operator[bit], np.uint32(0))
    return result
