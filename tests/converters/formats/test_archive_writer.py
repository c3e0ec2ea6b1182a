"""``.keras`` archives are zip files that anybody reads, with the weights where they can be mapped."""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from converters import upgrade_file
from converters.formats import archive_writer
from converters.formats.archive_writer import _Member
from converters.formats.dialects import describe
from converters.formats.opening import open_untrusted
from tests.support.paths import DIALECTS

SOURCE = DIALECTS / "keras122_theano_th/conv2d_flatten_dense_dense.model.h5"


@pytest.fixture(name="archive")
def _archive(tmp_path):
    return upgrade_file(SOURCE, tmp_path / "new.keras").target


def test_it_is_a_sound_zip_file_of_three_members(archive):
    """None is compressed, and each has its checksum."""
    with zipfile.ZipFile(archive) as found:
        assert found.testzip() is None
        assert found.namelist() == ["config.json", "model.weights.h5", "metadata.json"]
        assert {info.compress_type for info in found.infolist()} == {zipfile.ZIP_STORED}
        metadata = json.loads(found.read("metadata.json"))
        assert metadata["keras_version"] == metadata["zoo_needs_keras"] == "3.4.0"
        with h5py.File(io.BytesIO(found.read("model.weights.h5"))) as weights:
            assert weights["layers/dense/vars/0"].shape == (72, 7)


def test_it_is_read_back_as_a_file_of_keras_3(archive):
    """By this package, too: it is no HDF5 file, though one lies in it."""
    description = describe(archive)
    assert (description.dialect, description.keras_version, description.whole_model) == (
        "keras3",
        "3.4.0",
        True,
    )
    with open_untrusted(archive) as source:
        assert source.texts.keys() == {"config.json", "metadata.json"}


@pytest.mark.parametrize("length", range(380, 600, 7))
def test_the_weights_begin_where_no_hdf5_file_does(length):
    """Which may begin at 512 and its doubles: whoever looks for one first would take the archive for one."""
    member = archive_writer._member("model.weights.h5", length, 1000)
    assert member.start % 64 == 0
    assert member.start % 512
    assert len(member.local()) == member.start - member.header


def test_the_same_model_gives_the_same_bytes(archive, tmp_path):
    """No time of day is in it."""
    again = upgrade_file(SOURCE, tmp_path / "again.keras").target
    assert again.read_bytes() == archive.read_bytes()


def test_sizes_beyond_4_gib_are_told_in_the_long_form():
    """As zipfile reads them."""
    size = 5 << 30
    member = _Member(name="model.weights.h5", header=6 << 30, start=(6 << 30) + 128, size=size, crc=7)
    entry = member.central() + _Member(name="x", header=0, start=31, size=0).central()
    stream = io.BytesIO(entry)
    stream.seek(0, io.SEEK_END)
    end = stream.tell()
    stream.write(b"PK\x05\x06" + bytes(4) + (2).to_bytes(2, "little") * 2)
    stream.write(len(entry).to_bytes(4, "little") + bytes(6))
    with zipfile.ZipFile(stream) as found:
        info = found.getinfo("model.weights.h5")
        assert (info.file_size, info.compress_size, info.CRC) == (size, size, 7)
        assert info.header_offset == 6 << 30
    assert end == len(entry)
    local = np.frombuffer(member.local()[:30], "u1")
    assert bytes(local[18:26]) == b"\xff" * 8
