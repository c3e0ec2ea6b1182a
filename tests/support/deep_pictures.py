"""Images of 16 bits a channel, in the files that cameras and scanners write them to."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Whole = NDArray[np.uint16]

GREY, COLOUR = 0, 2  # colour types of PNG


def png(values: Whole, kind: int, *between: tuple[bytes, bytes]) -> bytes:
    """Return a PNG file of 16 bits a channel, which Pillow writes for grey alone."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, kind, 0, 0, 0)
    chunks = [(b"IHDR", head), *between, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _grey_png(path: Path, values: Whole) -> None:
    path.write_bytes(png(values, GREY))


def _colour_png(path: Path, values: Whole) -> None:
    path.write_bytes(png(np.stack([values] * 3, axis=-1), COLOUR))


def _tiff(path: Path, values: Whole) -> None:
    Image.fromarray(values).save(path)


def _wide_tiff(path: Path, values: Whole) -> None:
    Image.fromarray(values.astype(np.int32)).save(path)


def _pgm(path: Path, values: Whole) -> None:
    path.write_bytes(b"P5 %d %d 65535\n" % values.shape[::-1] + values.astype(">u2").tobytes())


def _ppm(path: Path, values: Whole) -> None:
    colours = np.stack([values] * 3, axis=-1).astype(">u2")
    path.write_bytes(b"P6 %d %d 65535\n" % values.shape[::-1] + colours.tobytes())


KINDS = {
    "grey.png": _grey_png,
    "colour.png": _colour_png,
    "grey.tiff": _tiff,
    "wide.tiff": _wide_tiff,
    "grey.pgm": _pgm,
    "colour.ppm": _ppm,
}
"""What writes a grey image of 16 bits, by what the name of the file ends in."""


def write_deep(folder: Path, name: str, values: Whole) -> Path:
    """Write an image in the kind of file that its name ends in."""
    folder.mkdir(parents=True, exist_ok=True)
    write = next(write for ending, write in KINDS.items() if name.endswith(ending))
    write(folder / name, values)
    return folder / name
