"""Images of another shape than the frame's: cropped, padded or stretched, and never in silence."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import ArgumentError
from zoo.networks.fitting import FITS, Frame, check_fit
from zoo.networks.images import resize

WIDE = np.zeros((10, 30, 3), np.uint8)
WIDE[:, 10:20] = 200
"""A bright square in the middle of an image three times as wide as high."""
SQUARE = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("turned", [False, True])
def test_what_becomes_of_a_wide_and_of_a_high_image(turned):
    """Cropping keeps the middle alone, padding all of it on black, stretching distorts."""
    picture = WIDE.transpose(1, 0, 2) if turned else WIDE
    cropped = Frame(height=10, width=10, fit="crop").of(picture)
    assert np.array_equal(cropped, np.full((10, 10, 3), 200))
    padded = Frame(height=30, width=30, fit="pad").of(picture)
    expected = np.zeros((30, 30, 3), np.uint8)
    expected[10:20, 10:20] = 200
    assert np.array_equal(padded, expected)
    stretched = Frame(height=10, width=10, fit="stretch").of(picture)
    assert np.array_equal(stretched, resize(picture, 10, 10))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("side", [7, 20, 31])
def test_a_square_in_a_square_is_the_same_by_any_fit(fit, side):
    """To the bit, so that no mark tells them apart; nothing of the image is lost."""
    frame = Frame(height=side, width=side, fit=fit)
    assert np.array_equal(frame.of(SQUARE), resize(SQUARE, side, side))
    assert frame.mark(20, 20) is None


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (3, 7), (299, 300)])
def test_any_shape_comes_out_in_the_frame(fit, shape):
    """Strips of one pixel too."""
    frame = Frame(height=24, width=32, fit=fit)
    assert frame.of(np.zeros((*shape, 3), np.uint8)).shape == (24, 32, 3)
    assert frame.mark(*shape) == (None if fit == "stretch" else fit)


def test_there_is_no_other_fit():
    """The names of those that there are are told."""
    with pytest.raises(ArgumentError) as caught:
        check_fit("letterbox")
    assert str(caught.value) == "fit='letterbox': must be crop, pad or stretch"
