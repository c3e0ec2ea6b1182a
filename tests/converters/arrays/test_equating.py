"""Rules after which two arrays are equal: found where they hold to the bit, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from converters.arrays.equating import CHANNELS, SCALE, input_rewrites, times, without_class


def drawn(shape=(3, 3, 3, 16), dtype="f4"):
    """Return a kernel of both signs and many sizes."""
    rng = np.random.default_rng(7)
    return (rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 3, shape)).astype(dtype)


def found(first, second):
    """Return the rules and words of the first rewriting after which all bits are equal; None if none is."""
    bits = f"u{first.dtype.itemsize}"
    for one in input_rewrites(first, second):
        pair = [np.ascontiguousarray(side).view(bits) for side in (one.first, one.second)]
        if np.array_equal(*pair):
            return one.rules, one.words
    return None


def reversed_channels(kernel):
    """Return a kernel for images whose channels are in the other order."""
    return kernel[..., ::-1, :]


FACTORS = [0.017, 1 / 255, 1 / 127.5, 58.824, 0.5, 3.0, float(np.float32(0.017)), 1 + 2**-20]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("swapped", [False, True])
def test_one_factor_is_found_in_either_file(factor, swapped):
    """Also where float32 rounds each product, and a factor that is hardly one."""
    kernel = drawn()
    scaled = times(kernel, [factor])
    assert not np.array_equal(scaled, kernel)
    first, second = (kernel, scaled) if swapped else (scaled, kernel)
    rules, (words,) = found(first, second)
    assert rules == (SCALE,)
    whose, _, number = words.partition(" file's times ")
    # Multiplying may lead back to the bit as well, by the reciprocal.
    expected = factor if (whose == "the first") == swapped else 1 / factor
    assert float(number) == pytest.approx(expected, rel=1e-8)


def test_a_product_of_float32_is_what_a_converter_computes():
    """NumPy multiplies float32 by a Python number as by a float32."""
    kernel = drawn()
    assert np.array_equal(times(kernel, [float(np.float32(0.017))]), kernel * 0.017)
    assert found(kernel * 0.017, kernel) == ((SCALE,), ("the second file's times 0.0170000009",))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_each_channel_may_have_a_factor(dtype):
    """As a division by the deviations of the channels has them; with the channels reversed as well."""
    kernel = (
        drawn((7, 7, 3, 64), dtype) if dtype != "f2" else drawn((7, 7, 3, 64), "f4").clip(0.1, 9).astype("f2")
    )
    deviations = [0.229, 0.224, 0.225]
    scaled = times(kernel, deviations)
    words = "the second file's times 0.229, 0.224, 0.225"
    rules, told = found(scaled, kernel)
    assert rules == (SCALE,)
    assert dtype == "f2" or told == (words,)
    rules, told = found(scaled, reversed_channels(kernel))
    assert rules == (CHANNELS, SCALE)
    assert dtype == "f2" or told == ("input channels reversed", words)


def test_channels_in_the_other_order_are_found():
    """And nothing is said of kernels that are equal as they are, or of one channel."""
    kernel = drawn()
    assert found(kernel, reversed_channels(kernel)) == ((CHANNELS,), ("input channels reversed",))
    grey = drawn((5, 5, 1, 8))
    assert [one.rules for one in input_rewrites(grey, times(grey, [0.5]))] == [(SCALE,)] * 2


def alike(kernel):
    """Return a kernel whose channels are the same."""
    return np.repeat(kernel[..., :1, :], 3, axis=-2)


def changed(kernel, value, place=(1, 1, 1, 5)):
    """Return a kernel with another value in one place."""
    kernel = kernel.copy()
    kernel[place] = value
    return kernel


def flipped(kernel, place=(2, 0, 1, 3)):
    """Return a kernel with the lowest bit of one value flipped."""
    bits = np.ascontiguousarray(kernel).view("u4").copy()
    bits[place] ^= 1
    return bits.view("f4")


KERNEL = drawn()
REAL = {
    "a flipped bit": (flipped(KERNEL), KERNEL),
    "a flipped bit in channels that are reversed": (flipped(KERNEL), reversed_channels(KERNEL)),
    "a flipped bit in a multiple": (flipped(times(KERNEL, [0.017])), KERNEL),
    "a flipped bit in channels that are the same": (flipped(alike(KERNEL)), alike(KERNEL)),
    "zero and minus zero": (changed(KERNEL, 0.0), changed(KERNEL, -0.0)),
    "zero and minus zero in a multiple": (changed(KERNEL * 0.5, 0.0), changed(KERNEL, -0.0)),
    "no number and one": (changed(KERNEL, np.nan), KERNEL),
    "no number and one in a multiple": (changed(KERNEL * 0.5, np.nan), KERNEL),
    "infinite and not": (changed(KERNEL * 0.5, np.inf), KERNEL),
    "zeros and values": (np.zeros_like(KERNEL), KERNEL),
    "values and zeros": (KERNEL, np.zeros_like(KERNEL)),
    "zeros and minus zeros": (np.zeros_like(KERNEL), -np.zeros_like(KERNEL)),
    "one value among zeros": (changed(np.zeros_like(KERNEL), 3.0), changed(np.zeros_like(KERNEL), 5.0)),
    "ones and twos": (np.ones_like(KERNEL), 2 * np.ones_like(KERNEL)),
    "the other sign": (-KERNEL, KERNEL),
    "other values": (drawn((3, 3, 3, 16))[::-1], KERNEL),
    "a zero in the place of a value": (changed(KERNEL * 0.5, 0.0), KERNEL),
    "values that underflow": (times(KERNEL, [1e-42]), KERNEL),
    "other types": (KERNEL.astype("f8") * 0.5, KERNEL),
}


@pytest.mark.parametrize(("first", "second"), REAL.values(), ids=REAL)
def test_no_rule_hides_a_real_difference(first, second):
    """Whatever is symmetrical, no number, zero, or told by too few values."""
    if first.dtype != second.dtype:
        assert all(one.rules == (CHANNELS,) for one in input_rewrites(first, second))
    else:
        assert found(first, second) is None


def test_a_kernel_with_what_is_no_number_may_be_a_multiple():
    """As long as both files have it in the same place."""
    first, second = changed(KERNEL * 0.5, np.nan), changed(KERNEL, np.nan)
    assert found(first, second)[0] == (SCALE,)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"kernel": (64, 1001), "bias": (1001,)}, {"kernel": (64, 1000), "bias": (1000,)}, (True, False)),
        ({"kernel": (64, 1000), "bias": (1000,)}, {"kernel": (64, 1001), "bias": (1001,)}, (False, True)),
        ({"kernel": (64, 1001)}, {"kernel": (64, 1001)}, None),
        ({"kernel": (64, 1001), "bias": (1000,)}, {"kernel": (64, 1000), "bias": (1000,)}, None),
        ({"kernel": (64, 1001), "bias": (1000,)}, {"kernel": (64, 1000), "bias": (1001,)}, None),
        ({"kernel": (65, 1001), "bias": (1001,)}, {"kernel": (64, 1000), "bias": (1000,)}, None),
        ({"kernel": (64, 1002), "bias": (1002,)}, {"kernel": (64, 1000), "bias": (1000,)}, None),
        ({"kernel": (64, 1001), "bias": (1001,)}, {"kernel": (64, 1000)}, None),
    ],
)
def test_class_0_is_dropped_of_all_arrays_or_of_none(first, second, expected):
    """By the shapes of a classifier: one class more in each array of one file, and nothing else."""
    assert without_class(first, second) == expected
