"""Picture files into arrays: whatever lies in a folder of photographs becomes RGB with 8 bits a channel.

NumPy and Pillow only; Pillow is imported when the first image is read.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ArgumentError, DataError, ZooError
from zoo.extras import how_to_install

if TYPE_CHECKING:
    from PIL import Image

    from zoo.registry.records import Interpolation

Picture = NDArray[np.uint8]

ENDINGS = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""What the name of an image file ends in, in lower case."""

TINY = 16
"""An image with a side shorter than this, in pixels, is worth a note: hardly anything can be seen on it."""

_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error)
"""What Pillow's decoders raise where a file is damaged."""

_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = 1
_WHITE = 255
_LAID = "transparent pixels laid on white"
_UPPER = 257  # what the upper 8 of 16 bits stand for, on a scale to 65,535


class PictureError(ZooError):
    """A file is not an image that can be read; the message names the file and says why."""


@dataclass(frozen=True, kw_only=True)
class Depth:
    """On what scale images of more than 8 bits a channel are: decided once, for all images of a set.

    Decided for each by itself, an image that is darker than the others would come out as bright as they are.

    Attributes:
        bits: Of integers: 8, 12 or 16, see :func:`bits_of`. ``None``: there are none of more than 8.
        floats: The lowest and the highest floating-point value. ``None``: there are none.
    """

    bits: int | None = None
    floats: tuple[float, float] | None = None

    def joined(self, other: Depth) -> Depth:
        """Return the scale on which all images of two sets can be."""
        bits = max(self.bits or 0, other.bits or 0) or None
        ranges = [one.floats for one in (self, other) if one.floats is not None]
        floats = (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None
        return Depth(bits=bits, floats=floats)

    def otherwise(self, other: Depth) -> Depth:
        """Return this scale, and of what it does not know the other one's."""
        return Depth(
            bits=other.bits if self.bits is None else self.bits,
            floats=other.floats if self.floats is None else self.floats,
        )

    def of(self, own: Depth) -> Depth:
        """Return the part of it that an image needs whose own scale is another one."""
        return Depth(
            bits=None if own.bits is None else self.bits, floats=None if own.floats is None else self.floats
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What is done to an image on this scale, in words."""
        found = []
        if self.bits is not None:
            many = "of more than 8 bits a channel only 8 are used: taken as they are"
            found.append(many if self.bits == 8 else f"{self.bits} bits a channel reduced to 8")
        if self.floats is not None:
            found.append("floating-point values stretched to 0 to 255")
        return tuple(found)

    @property
    def told(self) -> tuple[str, ...]:
        """What was decided for a whole set, in words, a line for each kind of image."""
        found = []
        if self.bits is not None:
            found.append(f"images of more than 8 bits a channel: all taken as {self.bits} bits")
        if self.floats is not None:
            low, high = self.floats
            found.append(f"images of floating-point values: {low:g} is black and {high:g} white in all")
        return tuple(found)

    def as_record(self) -> dict[str, Any]:
        """Return what :meth:`from_record` takes; JSON."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | None) -> Depth:
        """Return the scale that a record tells; of a record that tells none, the one that decides nothing.

        Raises:
            ValueError: It is no such record.
        """
        told = record or {}
        bits, floats = told.get("bits"), told.get("floats")
        if bits not in (None, 8, 12, 16):
            raise ValueError(f"bits is {bits!r}: must be 8, 12, 16 or null")
        return cls(bits=bits, floats=None if floats is None else (float(floats[0]), float(floats[1])))


UNDECIDED = Depth()
"""Of a set in which no image has more than 8 bits a channel; each that has decides by itself."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An image that was read.

    Attributes:
        picture: uint8, shape (H, W, 3).
        notes: One line for each thing that was done to it, but for those of its depth.
        own: The scale that it would be on by itself; :data:`UNDECIDED` if it has 8 bits a channel.
        used: The scale that it was read on, or that.
        is_cut: Whether it has values beyond it.
    """

    picture: Picture
    notes: tuple[str, ...]
    own: Depth = UNDECIDED
    used: Depth = UNDECIDED
    is_cut: bool = False

    @property
    def depth_notes(self) -> tuple[str, ...]:
        """What was done to its depth."""
        cut = "; brighter values are cut off" if self.is_cut else ""
        return tuple(f"{note}{cut}" for note in self.used.notes)


def find_pictures(folder: Path) -> list[Path]:
    """Return the image files below a folder, told by their endings, sorted; hidden ones are left out."""
    return [path for path in visible_files(folder) if path.suffix.lower() in ENDINGS]


def pictures_at(path: Path) -> list[Path]:
    """Return an image file, or all below a folder.

    Raises:
        DataError: There are none below it.
    """
    if not path.is_dir():
        return [path]
    found = find_pictures(path)
    if not found:
        raise DataError(f"{path}: no image files are in this folder")
    return found


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


def read_picture(path: str | os.PathLike[str], depth: Depth = UNDECIDED) -> Picture:
    """Return an image as an array of shape (H, W, 3), RGB, values 0 to 255.

    Args:
        path: An image file.
        depth: The scale of the set that it belongs to, where it has more than 8 bits a channel.

    Raises:
        PictureError: The file cannot be read as an image.
        ArgumentError: Pillow is not installed.
    """
    return see_picture(path, depth).picture


def inspect_picture(
    path: str | os.PathLike[str], depth: Depth = UNDECIDED
) -> tuple[Picture, tuple[str, ...]]:
    """Read an image and say what had to be done to it.

    Args:
        path: As for :func:`see_picture`.
        depth: As there.

    Returns:
        The image, uint8 of shape (H, W, 3), and one line for each thing that was done.

    Raises:
        PictureError: The file cannot be read as an image.
        ArgumentError: Pillow is not installed.
    """
    seen = see_picture(path, depth)
    return seen.picture, seen.notes + seen.depth_notes


def see_picture(path: str | os.PathLike[str], depth: Depth = UNDECIDED) -> Seen:
    """Read an image and say on which scale it would be by itself.

    It is turned as its EXIF data ask for; transparent pixels come to lie on white; grey, palette and CMYK
    images become RGB; more than 8 bits a channel become 8, see :class:`Depth`. Of an animation the first
    frame is taken. Of colours with 16 bits Pillow reads the upper 8, whatever the scale.

    Args:
        path: An image file.
        depth: The scale of the set that it belongs to; what it does not tell the image itself decides.

    Raises:
        PictureError: The file cannot be read as an image.
        ArgumentError: Pillow is not installed.
    """
    return _opened(path, lambda image: _as_rgb(image, depth))


def see_image(image: Image.Image, name: str, depth: Depth = UNDECIDED) -> Seen:
    """Do what :func:`see_picture` does, with an image that Pillow has opened or made; it stays as it is.

    Args:
        image: The image.
        name: What messages call it.
        depth: As for :func:`see_picture`.

    Raises:
        PictureError: Its file cannot be read to the end.
    """
    try:
        return _as_rgb(image, depth)
    except (*_DAMAGE, _pillow().DecompressionBombError) as error:
        raise PictureError(f"{name}: cannot be read as an image: {_reason(error)}") from error


def depth_of(image: Image.Image, name: str) -> Depth:
    """Return the scale that an image of Pillow's would be on by itself; one that is damaged tells none."""
    try:
        return _own_depth(image)
    except (*_DAMAGE, _pillow().DecompressionBombError):
        return UNDECIDED


def common_depth(paths: Iterable[str | os.PathLike[str]]) -> Depth:
    """Return the scale on which all images of a set can be; what cannot be read decides nothing.

    Of images of 8 bits only the head of the file is read.

    Args:
        paths: Picture files, in any order.

    Raises:
        ArgumentError: Pillow is not installed.
    """
    found = UNDECIDED
    for path in paths:
        try:
            found = found.joined(_opened(path, _own_depth))
        except PictureError:
            continue
    return found


_T = TypeVar("_T")


def _opened(path: str | os.PathLike[str], use: Callable[[Image.Image], _T]) -> _T:
    """Return what a function makes of an image, its errors told in terms of the file."""
    pillow = _pillow()
    try:
        if _is_special(path):
            raise PictureError(f"{path}: no file, but a pipe or a device")
        with pillow.open(path) as image:
            return use(image)
    except pillow.UnidentifiedImageError as error:
        raise PictureError(f"{path}: no image in a known format{_what_instead(Path(path))}") from error
    except (*_DAMAGE, pillow.DecompressionBombError) as error:
        raise PictureError(f"{path}: cannot be read as an image: {_reason(error)}") from error


def resize(picture: Picture, height: int, width: int, how: Interpolation = "bilinear") -> Picture:
    """Return an image at exactly this size; its aspect is not kept and nothing is cut off.

    Each new pixel is a weighted mean of all that it covers.

    Args:
        picture: uint8, shape (H, W, 3).
        height: In pixels.
        width: In pixels.
        how: By which weights.

    Returns:
        uint8, shape (height, width, 3).
    """
    if picture.shape[:2] == (height, width):
        return picture
    pillow = _pillow()
    image = pillow.fromarray(picture).resize((width, height), pillow.Resampling[how.upper()])
    return np.asarray(image)


def bits_of(highest: float) -> int:
    """Return how many bits images have that are stored with 16 or 32 of them: 8, 12 or 16.

    No file says it: cameras and scanners that measure 12 bits write them into files of 16, and tools that
    count in integers write 8 bits into files of 32. Read as 16 bits, these would be all but black; so
    the highest value decides. The price is that images of 16 bits that are all but black become brighter.

    Args:
        highest: The highest value there is in any image of the set.
    """
    return next((bits for bits in (8, 12) if highest < 1 << bits), 16)


def eight_bits(values: NDArray[Any], bits: int) -> Picture:
    """Return integers on the scale 0 to 255.

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
        raise ArgumentError(f"reading images needs Pillow: {how_to_install('finetune')}") from error
    return Image


def _is_special(path: str | os.PathLike[str]) -> bool:
    """Tell what may never end, or never begin, from files; a folder has an error of its own."""
    mode = Path(path).stat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _own_depth(image: Image.Image) -> Depth:
    """Return the scale of an image that was opened and not read yet, by itself."""
    if _states_16_bits(image):
        return Depth(bits=16)
    if not image.mode.startswith(("I", "F")):
        return UNDECIDED
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values.astype(np.float64))
        return Depth(floats=(float(values.min()), float(values.max())))
    return Depth(bits=bits_of(float(values.max())))


def _states_16_bits(image: Image.Image) -> bool:
    """Tell whether Pillow brings an image, opened and not read yet, from 16 bits to what it takes for white.

    That are colours, of which it keeps the upper half, and what says itself which value is white (PNM).
    """
    tiles = getattr(image, "tile", ())
    if not tiles:
        return False
    name, *_, arguments = tiles[0]
    given = arguments if isinstance(arguments, tuple) else (arguments,)
    if name.startswith("ppm"):
        return any(isinstance(one, int) and one > _WHITE for one in given)
    is_grey = image.mode.startswith(("I", "F"))
    return not is_grey and any(isinstance(one, str) and ";16" in one for one in given)


def _as_rgb(image: Image.Image, depth: Depth) -> Seen:
    own = _own_depth(image)
    image.load()
    notes = []
    if min(image.size) < TINY:
        notes.append(f"tiny: {image.size[0]} x {image.size[1]} pixels")
    turned = _turned(image)
    if turned is not image:
        notes.append("turned as its EXIF data ask for")
    used = depth.otherwise(own).of(own)
    name, convert = _conversion(turned, used)
    notes += [] if name is None else [name]
    picture, is_cut = convert(turned)
    if used.bits is not None and not turned.mode.startswith("I"):
        picture, is_cut = _on_scale(picture.astype(np.float64) * _UPPER, used.bits)
    picture = np.ascontiguousarray(picture)
    return Seen(picture=picture, notes=tuple(notes), own=own, used=used, is_cut=is_cut)


def _turned(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    if image.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT:
        return image
    return ImageOps.exif_transpose(image)


_Convert = Callable[["Image.Image"], tuple[Picture, bool]]
"""Returns the image, and whether it has values beyond the scale."""


def _conversion(image: Image.Image, depth: Depth) -> tuple[str | None, _Convert]:
    """Return what has to be done to an image to make it RGB, in words and as a function."""
    mode, is_laid = image.mode, "transparency" in image.info
    if mode.startswith("I"):
        note = _LAID if is_laid else None
        return note, lambda image: _from_whole_numbers(image, depth.bits or 16)
    if mode == "F":
        return None, lambda image: _from_floats(image, *(depth.floats or (0.0, 1.0)))
    if mode == "RGB" and not (is_laid and depth.bits is None):
        return None, _plain
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or is_laid:
        return _LAID, _on_white
    words = {"CMYK": "CMYK", "L": "grey", "1": "black and white", "P": "palette"}
    return f"{words.get(mode, mode)} turned into RGB", _plain


def _plain(image: Image.Image) -> tuple[Picture, bool]:
    return np.asarray(image.convert("RGB")), False


def _on_white(image: Image.Image) -> tuple[Picture, bool]:
    from PIL import Image

    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, (_WHITE, _WHITE, _WHITE, _WHITE))
    return np.asarray(Image.alpha_composite(white, layer).convert("RGB")), False


def _from_whole_numbers(image: Image.Image, bits: int) -> tuple[Picture, bool]:
    values = np.asarray(image, dtype=np.float64)
    picture, is_cut = _on_scale(values, bits)
    unseen = image.info.get("transparency")
    if unseen is not None:
        picture = np.where(values == unseen, np.uint8(_WHITE), picture)
    return _grey(picture), is_cut


def _on_scale(values: NDArray[np.float64], bits: int) -> tuple[Picture, bool]:
    """Return integers on a scale; beyond 16 bits there is no other that they could be on."""
    return eight_bits(values, bits), bits < 16 and bool(values.max() >= 1 << bits)


def _from_floats(image: Image.Image, low: float, high: float) -> tuple[Picture, bool]:
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    stretched = (values - low) * (_WHITE / max(high - low, np.finfo(np.float64).tiny))
    return _grey(np.clip(stretched, 0, _WHITE).astype(np.uint8)), bool(values.max() > high)


def _grey(values: Picture) -> Picture:
    return np.repeat(values[..., np.newaxis], 3, axis=-1)


def _what_instead(path: Path) -> str:
    """Return what a file that is no image is, as far as its first bytes tell."""
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
