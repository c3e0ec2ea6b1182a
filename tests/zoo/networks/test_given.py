"""Images as users give them: paths, arrays, Pillow's images, each with its name; what is none is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.errors import ArgumentError
from zoo.networks.given import EXPECTED, entries
from zoo.networks.images import UNDECIDED, PictureError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def seen(given) -> list[np.ndarray]:
    """Return the pixels of all images."""
    return [entry.see(UNDECIDED).picture for entry in entries(given)]


@pytest.fixture
def file(tmp_path) -> Path:
    """Return the path of an image."""
    path = tmp_path / "photos" / "a.png"
    path.parent.mkdir()
    Image.fromarray(PIXELS).save(path)
    return path


def test_every_kind_comes_to_the_same_pixels(file):
    """A path as text or not, a folder, an array of any type, Pillow's image, several, a mixture."""
    floats = PIXELS.astype(np.float32)
    with Image.open(file) as opened:
        kinds = (
            str(file),
            file,
            file.parent,
            PIXELS,
            PIXELS.astype(np.int64),
            floats,
            floats[np.newaxis],
            opened,
        )
        for given in (*kinds, list(kinds), iter([file, PIXELS])):
            assert all(np.array_equal(one, PIXELS) for one in seen(given))
        assert len(seen(list(kinds))) == len(kinds)


@pytest.mark.parametrize(
    ("given", "name"),
    [("", "pictures=''"), (["a.png", ""], "pictures[1]=''"), (b"a.png", "pictures=b'a.png'")],
)
def test_what_names_no_path_is_refused(given, name):
    """An empty text is what a variable of the shell gives that is not set, not the working folder."""
    with pytest.raises(ArgumentError) as caught:
        entries(given)
    assert str(caught.value).startswith(f"{name}: must be {EXPECTED}")


def test_each_says_where_it_is_from(file):
    """A path is its own name; what is in memory is called by its place."""
    mixture = [file, PIXELS, np.stack([PIXELS] * 2), Image.fromarray(PIXELS)]
    assert [(entry.name, entry.file) for entry in entries(mixture)] == [
        (str(file), file),
        ("pictures[1]", None),
        ("pictures[2][0]", None),
        ("pictures[2][1]", None),
        ("pictures[3]", None),
    ]
    assert [entry.name for entry in entries(PIXELS)] == ["pictures"]


def test_what_lies_between_bytes_is_rounded():
    """To the nearest."""
    assert seen(np.full((2, 2, 3), 99.6))[0].max() == 100


def test_black_is_black():
    """Floats that are all 0 are no images on another scale."""
    assert seen(np.zeros((2, 2, 3)))[0].max() == 0


SHAPE = "must be RGB, (H, W, 3) or (N, H, W, 3)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((2, 2)), f"pictures has shape (2, 2): {SHAPE}"),
        (
            [np.zeros((3, 8, 8))],
            f"pictures[0] has shape (3, 8, 8): {SHAPE}; move the channels to the end, with"
            " numpy.moveaxis(images, -3, -1)",
        ),
        (np.zeros((2, 0, 3)), f"pictures has shape (2, 0, 3): {SHAPE}"),
        (
            [np.full((2, 2, 3), 0.5)],
            "pictures[0] has values from 0.5 to 0.5, as if 1 were white: must be from 0 to 255; multiply by"
            " 255",
        ),
        (np.full((2, 2, 3), -1), "pictures has values from -1 to -1: must be from 0 to 255"),
        (np.full((2, 2, 3), np.nan), "pictures has values from nan to nan: must be from 0 to 255"),
        (np.zeros((2, 2, 3), bool), "pictures is bool: must be integers or floats from 0 to 255"),
        (5, f"pictures=5: must be {EXPECTED}, or several of these"),
        (["a.png", 5], f"pictures[1] is int: must be {EXPECTED}"),
        ([], "pictures: none were given"),
        (np.zeros((0, 2, 2, 3), np.uint8), "pictures: none were given"),
    ],
    ids=str,
)
def test_what_is_no_image_is_refused(given, message):
    """Before anything is fetched, with what is there and what is expected."""
    with pytest.raises(ArgumentError) as caught:
        entries(given)
    assert str(caught.value) == message


def test_an_image_of_pillow_s_that_is_damaged_is_named(file):
    """It is read when its pixels are asked for, and then its file may end too early."""
    Image.fromarray(np.resize(PIXELS, (200, 200, 3))).save(file, compress_level=0)
    file.write_bytes(file.read_bytes()[:60_000])
    with Image.open(file) as opened:
        (entry,) = entries(opened)
        entry.depth()
        with pytest.raises(PictureError, match=r"^pictures: cannot be read as an image: "):
            entry.see(UNDECIDED)
