"""Picture files into arrays: whatever lies in a folder of photographs becomes RGB with 8 bits a channel.

NumPy and Pillow only; Pillow is imported when the first picture is read.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ArgumentError, ZooError

if TYPE_CHECKING:
    from PIL import Image

Picture = NDArray[np.uint8]

ENDINGS = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""What the name of a picture file ends in, in lower case."""

TINY = 16
"""A picture with a side shorter than this, in pixels, is worth a note: hardly anything can be seen on it."""

_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error)
"""What Pillow's decoders raise where a file is damaged."""

_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = 1


class PictureError(ZooError):
    """A file is not a picture that can be read; the message names the file and says why."""


def find_pictures(folder: Path) -> list[Path]:
    """Return the picture files below a folder, told by their endings, sorted; hidden ones are left out."""
    return [path for path in visible_files(folder) if path.suffix.lower() in ENDINGS]


def visible_files(folder: Path) -> list[Path]:
    """Return all files below a folder, sorted; what is hidden, or lies in a hidden folder, is left out.

    Links are followed, but no folder is entered twice: a link may lead back to where it lies.
    """
    found = []
    seen = {_identity(folder)}
    for root, folders, names in os.walk(folder, followlinks=True):
        entered = []
        for name in sorted(folders):
            identity = _identity(Path(root, name))
            if not name.startswith(".") and identity not in seen:
                seen.add(identity)
                entered.append(name)
        folders[:] = entered
        found += [Path(root, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _identity(folder: Path) -> tuple[int, int]:
    """Return what is the same for all names of a folder."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def read_picture(path: str | os.PathLike[str]) -> Picture:
    """Return a picture as an array of shape (H, W, 3), RGB, values 0 to 255.

    Raises:
        PictureError: The file cannot be read as a picture.
        ArgumentError: Pillow is not installed.
    """
    return inspect_picture(path)[0]


def inspect_picture(path: str | os.PathLike[str]) -> tuple[Picture, tuple[str, ...]]:
    """Read a picture and say what had to be done to it.

    It is turned as its EXIF data ask for; transparent pixels come to lie on white; grey, palette and CMYK
    pictures become RGB; more than 8 bits a channel become 8, see :func:`bits_of`. Of an animation the first
    frame is taken.

    Args:
        path: A picture file.

    Returns:
        The picture, uint8 of shape (H, W, 3), and one line for each thing that was done.

    Raises:
        PictureError: The file cannot be read as a picture.
        ArgumentError: Pillow is not installed.
    """
    pillow = _pillow()
    try:
        if _is_special(path):
            raise PictureError(f"{path}: no file, but a pipe or a device")
        with pillow.open(path) as image:
            image.load()
            return _as_rgb(image)
    except pillow.UnidentifiedImageError as error:
        raise PictureError(f"{path}: no picture in a known format{_what_instead(Path(path))}") from error
    except (*_DAMAGE, pillow.DecompressionBombError) as error:
        raise PictureError(f"{path}: cannot be read as a picture: {_reason(error)}") from error


def resize(picture: Picture, height: int, width: int) -> Picture:
    """Return a picture at exactly this size; its aspect is not kept and nothing is cut off.

    Bilinear, each new pixel the average of all that it covers.

    Args:
        picture: uint8, shape (H, W, 3).
        height: In pixels.
        width: In pixels.

    Returns:
        uint8, shape (height, width, 3).
    """
    if picture.shape[:2] == (height, width):
        return picture
    pillow = _pillow()
    image = pillow.fromarray(picture).resize((width, height), pillow.Resampling.BILINEAR)
    return np.asarray(image)


def bits_of(highest: float) -> int:
    """Return how many bits pictures have that are stored with 16 or 32 of them: 8, 12 or 16.

    No file says it: cameras and scanners that measure 12 bits write them into files of 16, and tools that
    count in whole numbers write 8 bits into files of 32. Read as 16 bits, these would be all but black; so
    the highest value decides. The price is that a picture of 16 bits that is all but black becomes brighter.

    Args:
        highest: The highest value there is.
    """
    return next((bits for bits in (8, 12) if highest < 1 << bits), 16)


def eight_bits(values: NDArray[Any], bits: int) -> Picture:
    """Return whole numbers on the scale 0 to 255.

    Args:
        values: Of any shape.
        bits: How many the values have; what is below 0 or beyond these bits is cut off.

    Returns:
        uint8, of the same shape.
    """
    return np.clip(np.round(values * (255 / ((1 << bits) - 1))), 0, 255).astype(np.uint8)


def _pillow() -> Any:  # noqa: ANN401 - a module
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        advice = "pip install 'keras-weight-zoo[finetune]'"
        raise ArgumentError(f"reading pictures needs Pillow: {advice}") from error
    return Image


def _is_special(path: str | os.PathLike[str]) -> bool:
    """Tell what may never end, or never begin, from files; a folder has an error of its own."""
    mode = Path(path).stat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _as_rgb(image: Image.Image) -> tuple[Picture, tuple[str, ...]]:
    notes = []
    if min(image.size) < TINY:
        notes.append(f"tiny: {image.size[0]} x {image.size[1]} pixels")
    turned = _turned(image)
    if turned is not image:
        notes.append("turned as its EXIF data ask for")
    name, convert = _conversion(turned)
    if name:
        notes.append(name)
    return np.ascontiguousarray(convert(turned)), tuple(notes)


def _turned(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    if image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT:
        return image
    return ImageOps.exif_transpose(image)


_Convert = Callable[["Image.Image"], Picture]


def _conversion(image: Image.Image) -> tuple[str | None, _Convert]:
    """Return what has to be done to a picture to make it RGB, in words and as a function."""
    mode = image.mode
    if mode == "RGB":
        return None, _plain
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return "transparent pixels laid on white", _on_white
    if mode.startswith("I"):
        return _whole_numbers(np.asarray(image, dtype=np.float64))
    if mode == "F":
        return "floating-point values stretched to 0 to 255", _from_floats
    words = {"CMYK": "CMYK", "L": "grey", "1": "black and white", "P": "palette"}
    return f"{words.get(mode, mode)} turned into RGB", _plain


def _plain(image: Image.Image) -> Picture:
    return np.asarray(image.convert("RGB"))


def _on_white(image: Image.Image) -> Picture:
    from PIL import Image

    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, layer).convert("RGB"))


def _whole_numbers(values: NDArray[np.float64]) -> tuple[str, _Convert]:
    bits = bits_of(float(values.max()))
    many = "of more than 8 bits a channel only 8 are used: taken as they are"
    note = many if bits == 8 else f"{bits} bits a channel reduced to 8"
    return note, lambda image: _grey(eight_bits(values, bits))


def _from_floats(image: Image.Image) -> Picture:
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    low, high = float(values.min()), float(values.max())
    return _grey(((values - low) * (255 / max(high - low, np.finfo(np.float64).tiny))).astype(np.uint8))


def _grey(values: Picture) -> Picture:
    return np.repeat(values[..., np.newaxis], 3, axis=-1)


def _what_instead(path: Path) -> str:
    """Return what a file that is no picture is, as far as its first bytes tell."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return ", but empty"
    return ", but text" if start.isascii() and b"\0" not in start else ""


def _reason(error: Exception) -> str:
    """Return an error's reason without the file's name, which stands before it already."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
