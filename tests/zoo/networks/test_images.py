"""Whatever lies in a folder of photographs becomes RGB with 8 bits a channel, or is named and refused."""

from __future__ import annotations

import io
import os
import sys
import warnings

import numpy as np
import PIL
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from zoo.errors import ArgumentError
from zoo.extras import how_to_install
from zoo.networks.images import PictureError, find_pictures, inspect_picture, read_picture, resize

GRADIENT = np.linspace(0, 255, 20 * 30 * 3).reshape(20, 30, 3).astype(np.uint8)


def saved(path, array, mode=None, **options):
    """Write an array as an image file and return its path."""
    Image.fromarray(array, mode).save(path, **options) if mode is None else Image.fromarray(array).convert(
        mode
    ).save(path, **options)
    return path


def test_rgb_is_read_as_it_is(tmp_path):
    """A PNG gives back the pixels that went into it, and no notes."""
    picture, notes = inspect_picture(saved(tmp_path / "a.png", GRADIENT))
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, GRADIENT)
    assert notes == ()


@pytest.mark.parametrize(
    ("mode", "ending", "note"),
    [
        ("L", "png", "grey turned into RGB"),
        ("1", "png", "black and white turned into RGB"),
        ("P", "gif", "palette turned into RGB"),
        ("CMYK", "jpg", "CMYK turned into RGB"),
        ("CMYK", "tiff", "CMYK turned into RGB"),
        ("RGBA", "png", "transparent pixels laid on white"),
        ("LA", "png", "transparent pixels laid on white"),
    ],
)
def test_other_kinds_become_rgb_and_it_is_said(tmp_path, mode, ending, note):
    """Grey, palette, CMYK and transparent images come out near what they looked like."""
    path = saved(tmp_path / f"a.{ending}", GRADIENT, mode)
    picture, notes = inspect_picture(path)
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.uint8
    assert notes == (note,)
    expected = np.asarray(Image.fromarray(GRADIENT).convert(mode).convert("RGB")).astype(int)
    assert np.abs(picture.astype(int) - expected).mean() < 8


def test_a_plain_tiff_in_ycbcr_becomes_rgb_from_the_pillow_on_that_reads_it(tmp_path):
    """Pillow before 13 takes one for cut short; it is refused then, and nothing else is read for it."""
    path = saved(tmp_path / "a.tiff", GRADIENT, "YCbCr")
    if int(PIL.__version__.partition(".")[0]) < 13:
        with pytest.raises(PictureError, match="cannot be read as an image"):
            inspect_picture(path)
        return
    picture, notes = inspect_picture(path)
    assert notes == ("YCbCr turned into RGB",)
    assert np.abs(picture.astype(int) - GRADIENT).mean() < 8


def test_what_is_transparent_is_white(tmp_path):
    """Colours below alpha 0 are not seen; half of a colour is half white."""
    pixels = np.zeros((20, 20, 4), np.uint8)
    pixels[:, :10] = [200, 0, 0, 0]
    pixels[:, 10:] = [100, 0, 0, 128]
    picture = read_picture(saved(tmp_path / "a.png", pixels))
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert np.abs(picture[0, 15].astype(int) - [177, 127, 127]).max() <= 1


def test_a_palette_with_a_transparent_entry_is_laid_on_white(tmp_path):
    """A PNG palette can say that one colour is not seen."""
    image = Image.fromarray(np.zeros((20, 20), np.uint8), "P") if False else Image.new("P", (20, 20), 0)
    image.putpalette([9, 9, 9] + [0] * 765)
    image.save(tmp_path / "a.png", transparency=0)
    picture, notes = inspect_picture(tmp_path / "a.png")
    assert picture.min() == 255
    assert notes == ("transparent pixels laid on white",)


def test_a_colour_that_is_said_to_be_transparent_is_white(tmp_path):
    """As one of a palette is: every pixel of it, and no other."""
    picture = GRADIENT.copy()
    picture[3:5] = (1, 2, 3)
    Image.fromarray(picture).save(tmp_path / "a.png", transparency=(1, 2, 3))
    seen, notes = inspect_picture(tmp_path / "a.png")
    picture[3:5] = 255
    assert np.array_equal(seen, picture)
    assert notes == ("transparent pixels laid on white",)


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_sixteen_bits_become_eight(tmp_path, ending):
    """The scale 0 to 65,535 becomes 0 to 255, not cut off at 255."""
    values = np.array([[0, 257, 32896, 65535]] * 20, np.uint16).repeat(5, axis=1)
    picture, notes = inspect_picture(saved(tmp_path / f"a.{ending}", values))
    assert picture[0, ::5, 0].tolist() == [0, 1, 128, 255]
    assert notes == ("16 bits a channel reduced to 8",)


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_twelve_bits_become_eight(tmp_path, ending):
    """Where no value is beyond 4,095 the white of a camera is white, not all but black."""
    values = np.array([[0, 16, 2056, 4095]] * 20, np.uint16).repeat(5, axis=1)
    picture, notes = inspect_picture(saved(tmp_path / f"a.{ending}", values))
    assert picture[0, ::5, 0].tolist() == [0, 1, 128, 255]
    assert notes == ("12 bits a channel reduced to 8",)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_eight_bits_in_a_file_of_more_are_taken_as_they_are(tmp_path, dtype):
    """Values up to 255 are the scale that they look like."""
    values = np.array([[0, 1, 200, 255]] * 20, dtype).repeat(5, axis=1)
    picture, notes = inspect_picture(saved(tmp_path / "a.tiff", values))
    assert picture[0, ::5, 0].tolist() == [0, 1, 200, 255]
    assert notes == ("of more than 8 bits a channel only 8 are used: taken as they are",)


def test_whole_numbers_beyond_sixteen_bits_are_cut_off(tmp_path):
    """Below 0 is black, beyond 65,535 white."""
    values = np.array([[-5, 0, 32896, 70000]] * 20, np.int32).repeat(5, axis=1)
    picture, notes = inspect_picture(saved(tmp_path / "a.tiff", values))
    assert picture[0, ::5, 0].tolist() == [0, 0, 128, 255]
    assert notes == ("16 bits a channel reduced to 8",)


def test_floats_are_stretched(tmp_path):
    """A TIFF of floating-point values uses the whole scale afterwards."""
    values = np.linspace(-1, 3, 400, dtype=np.float32).reshape(20, 20)
    picture, notes = inspect_picture(saved(tmp_path / "a.tiff", values))
    assert (picture.min(), picture.max()) == (0, 255)
    assert notes == ("floating-point values stretched to 0 to 255",)


def test_exif_turns_a_picture(tmp_path):
    """A camera held upright writes the image lying down and a note in the EXIF data."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise
    path = tmp_path / "a.png"
    Image.fromarray(GRADIENT).save(path, exif=exif)
    picture, notes = inspect_picture(path)
    assert np.array_equal(picture, np.rot90(GRADIENT, -1))
    assert notes == ("turned as its EXIF data ask for",)


def test_an_animation_is_its_first_frame(tmp_path):
    """Of a GIF that moves the first image counts."""
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_picture(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


def test_a_tiny_picture_is_read_with_a_note(tmp_path):
    """An image of 3 x 2 pixels is used, and said to be tiny."""
    picture, notes = inspect_picture(saved(tmp_path / "a.png", GRADIENT[:2, :3]))
    assert picture.shape == (2, 3, 3)
    assert notes == ("tiny: 3 x 2 pixels",)


def test_a_picture_with_the_wrong_ending_is_read(tmp_path):
    """What a file holds counts, not what it is called."""
    path = saved(tmp_path / "a.png", GRADIENT)
    path.rename(tmp_path / "a.jpg")
    assert np.array_equal(read_picture(tmp_path / "a.jpg"), GRADIENT)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no image in a known format, but empty"),
        (b"<html>404 Not Found</html>", "no image in a known format, but text"),
        (b"\0\1\2\3" * 50, "no image in a known format"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, content, reason):
    """The message says which file it is and what it seems to be instead."""
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    assert str(caught.value) == f"{path}: {reason}"


def test_a_picture_cut_off_is_named(tmp_path):
    """Half a JPEG is not used with grey in place of the rest."""
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    assert str(caught.value).startswith(f"{path}: cannot be read as an image: image file is truncated")


def test_a_missing_file_is_named(tmp_path):
    """The reason stands alone, without the file's name twice."""
    with pytest.raises(PictureError) as caught:
        read_picture(tmp_path / "a.jpg")
    assert str(caught.value) == f"{tmp_path / 'a.jpg'}: cannot be read as an image: No such file or directory"


def test_a_picture_larger_than_any_is_refused(tmp_path, monkeypatch):
    """A file that would unfold to more than memory holds is named as well."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = saved(tmp_path / "a.png", GRADIENT)
    with pytest.raises(PictureError, match="could be decompression bomb"):
        read_picture(path)


def encoded(ending):
    """Return the bytes of a small image."""
    buffer = io.BytesIO()
    Image.fromarray(GRADIENT).save(buffer, ending)
    return buffer.getvalue()


FILES = {ending: encoded(ending) for ending in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "PPM")}


@given(
    kind=st.sampled_from(sorted(FILES)),
    damage=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=12),
    length=st.integers(0, 2000),
)
@settings(max_examples=300, suppress_health_check=[*HealthCheck])
def test_damaged_files_are_read_or_refused(tmp_path, kind, damage, length):
    """Whatever is wrong with a file, it gives an image or a PictureError, nothing else."""
    content = bytearray(FILES[kind])
    for place, value in damage:
        content[place % len(content)] = value
    path = tmp_path / "damaged"
    path.write_bytes(content[: max(length, 12)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = read_picture(path)
        except PictureError:
            return
    assert picture.dtype == np.uint8
    assert picture.shape[2:] == (3,)


def test_resizing_averages_all_that_a_pixel_covers():
    """A fine pattern becomes grey, not one of its two colours."""
    pattern = np.indices((64, 64)).sum(axis=0) % 2 * 255
    picture = np.repeat(pattern[..., np.newaxis], 3, axis=-1).astype(np.uint8)
    small = resize(picture, 8, 4)
    assert small.shape == (8, 4, 3)
    assert np.abs(small[1:-1, 1:-1].astype(int) - 127).max() <= 2


def test_resizing_to_the_same_size_changes_nothing():
    """The very array comes back."""
    assert resize(GRADIENT, 20, 30) is GRADIENT


def test_pictures_are_found_by_their_endings(tmp_path):
    """Folders are searched, hidden ones are not, and endings may be in capitals."""
    for name in ("b.JPG", "a/c.png", "a/notes.txt", ".hidden/d.png", ".e.png", "f.jpeg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [str(path.relative_to(tmp_path)) for path in find_pictures(tmp_path)]
    assert found == ["a/c.png", "b.JPG", "f.jpeg"]


def test_links_in_a_circle_are_followed_once(tmp_path):
    """A folder is entered under one name, though links lead to it from within and from beside."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").touch()
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "b.png").touch()
    (photos / "linked").symlink_to("../elsewhere")
    (photos / "again").symlink_to("linked")
    (photos / "self").symlink_to(".")
    (tmp_path / "elsewhere" / "back").symlink_to("../photos")
    found = [str(path.relative_to(photos)) for path in find_pictures(photos)]
    assert found == ["again/a.png", "b.png"]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    """What nobody writes to would never be read to its end."""
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError) as caught:
        read_picture(tmp_path / "pipe.jpg")
    assert str(caught.value) == f"{tmp_path}/pipe.jpg: no file, but a pipe or a device"


def test_missing_pillow_is_explained(monkeypatch, tmp_path):
    """Without Pillow the message says what installs it."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ArgumentError) as caught:
        read_picture(tmp_path / "a.png")
    assert str(caught.value) == f"reading images needs Pillow: {how_to_install('finetune')}"
