"""The proof of a conversion: what it says, what it finds, and that nothing wrong ever gets its name."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from converters import convert_file, inspect_file
from converters.errors import ConversionError
from converters.formats.record import Proof
from converters.writing import execute
from tests.support.weight_files import counted, keras1, write_named

MAP = {"fc": (6, 3, 4)}


@pytest.fixture
def source(tmp_path):
    """Return a Keras 1 file in th layout: a convolution, a Flatten, two dense layers."""
    layers = keras1(conv=(6, 3, 3, 5), flatten=None, fc=(72, 7), out=(7, 5))
    return write_named(tmp_path / "th.h5", layers)


def convert(source, **options):
    """Convert to tf."""
    return convert_file(source, source.parent / "tf.h5", direction="th-to-tf", flatten=MAP, **options)


def spoil_the_new_file(monkeypatch, spoil):
    """Change the new file after it was written and before it is read back."""
    make = execute._Making.make

    def made(making, texts):
        tasks = make(making, texts)
        with h5py.File(making.path, "r+") as file:
            spoil(file)
        return tasks

    monkeypatch.setattr(execute._Making, "make", made)


def test_a_small_file_is_verified_unless_told_otherwise(source, tmp_path, monkeypatch):
    """The proof counts all arrays and values; it is recorded, and none is claimed that was not made."""
    proof = convert(source).record.proof
    assert proof == Proof(arrays=6, values=827)
    assert str(proof) == "6 arrays, 827 values: the new file gives the source again, bit for bit"
    assert inspect_file(tmp_path / "tf.h5").description.record.proof == proof
    assert convert(source, force=True, verify=False).record.proof is None
    assert inspect_file(tmp_path / "tf.h5").description.record.proof is None
    monkeypatch.setattr(execute, "VERIFIED_BELOW", source.stat().st_size)
    assert convert(source, force=True).record.proof is None
    assert convert(source, force=True, verify=True).record.proof == proof


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda file: file["conv/conv_W"].__setitem__((2, 4, 2, 5), -1),
            "layer 'conv', array 'conv_W': 1 of 270 ",
        ),
        (lambda file: file["conv/conv_b"].__setitem__(0, -0.0), "layer 'conv', array 'conv_b': 1 of 6 "),
        (lambda file: file["fc/fc_W"].__setitem__(slice(3), 0), "layer 'fc', array 'fc_W': 20 of 504 "),
        (lambda file: file["fc/fc_W"].write_direct(counted(72, 7)), "layer 'fc', array 'fc_W': 490 of 504 "),
        (lambda file: file["extra/kept"].__setitem__(1, 9), "dataset 'extra/kept': 1 of 3 "),
    ],
)
def test_a_wrong_value_is_found(source, tmp_path, monkeypatch, spoil, message):
    """A single bit is enough, rows that did not move are found, and no file appears."""
    with h5py.File(source, "r+") as file:
        file["extra/kept"] = np.arange(3)
    spoil_the_new_file(monkeypatch, spoil)
    with pytest.raises(ConversionError) as found:
        convert(source)
    assert str(found.value) == (
        f"{tmp_path / 'tf.h5'}: {message}values are not those of the source; no new file was made: "
        "try again, and if it happens again check the disk and the memory"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["th.h5"]


def test_a_wrong_shape_is_found(source, tmp_path, monkeypatch):
    """The new file is read anew, not taken to be what was meant."""

    def spoil(file):
        del file["out/out_b"]
        file["out/out_b"] = counted(5, dtype="f8")

    spoil_the_new_file(monkeypatch, spoil)
    with pytest.raises(ConversionError) as found:
        convert(source)
    assert (
        f"{tmp_path / 'tf.h5'}: layer 'out', array 'out_b' is (5,) float64 instead of (5,) float32; "
        in str(found.value)
    )


def test_a_packed_array_is_verified_too(source, monkeypatch):
    """What went through h5py is unpacked again and compared."""
    with h5py.File(source, "r+") as file:
        values = file["fc/fc_W"][()]
        del file["fc/fc_W"]
        file["fc"].create_dataset("fc_W", data=values, chunks=(5, 7), compression="gzip")
    assert convert(source).record.proof == Proof(arrays=6, values=827)
    spoil_the_new_file(monkeypatch, lambda file: file["fc/fc_W"].__setitem__((71, 6), -1))
    with pytest.raises(ConversionError, match=r"layer 'fc', array 'fc_W': 1 of 504 values are not those"):
        convert(source, force=True)


@pytest.mark.parametrize("end", ["keras2", "safetensors", "npz"])
def test_arithmetic_is_done_again_and_named(end, tmp_path):
    """Deviations that became variances cannot be taken back exactly: they are computed anew and listed."""
    vectors = {f"bn_{name}": counted(5) / 3 for name in ("gamma", "beta", "running_mean", "running_std")}
    old = write_named(tmp_path / "old.h5", {"bn": vectors})
    proof = convert_file(
        old, tmp_path / "new", to=end, keras_version="1.0.6", from_layout="th", from_kernels="th"
    ).record.proof
    assert (proof.arrays, proof.values, len(proof.recomputed)) == (4, 20, 1)
    assert "variance" in proof.recomputed[0]
    assert str(proof).endswith(f", bit for bit but for what was computed anew ({proof.recomputed[0]})")


def test_the_record_keeps_the_proof(source, tmp_path):
    """As JSON in an attribute that any reader of HDF5 can see."""
    convert(source)
    with h5py.File(tmp_path / "tf.h5") as file:
        assert json.loads(file.attrs["zoo_verified"]) == {"arrays": 6, "values": 827, "recomputed": []}
