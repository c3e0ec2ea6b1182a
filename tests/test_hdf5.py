"""Opening files that may be anything."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest

from converters.errors import FileFormatError
from converters.hdf5 import open_untrusted, read_dataset, root

IMPOSTORS = {
    "html": (
        b"\n <!DOCTYPE html><html><body>Quota exceeded</body>",
        "an HTML page: a download that went wrong",
    ),
    "bare html": (b"<HTML><head>", "an HTML page: a download that went wrong"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        "a git-lfs pointer: the file itself was never fetched (git lfs pull)",
    ),
    "xml": (b"<?xml version='1.0'?><Error>", "an XML document: a server's error message, by the look of it"),
    "zip": (b"PK\x03\x04rest", "a zip archive (a .keras file is one): only HDF5 weights files are read"),
    "gzip": (b"\x1f\x8b\x08", "gzip-compressed: unpack it first"),
    "json": (b'{"a": 1}', "JSON text"),
    "empty": (b"", "empty"),
    "noise": (b"\x00\x01\x02", "something that starts with b'\\x00\\x01\\x02'"),
}


@pytest.mark.parametrize("kind", IMPOSTORS)
def test_what_is_no_hdf5_file_is_named(kind, tmp_path):
    """The message says what the file is instead."""
    path = tmp_path / "weights.h5"
    content, meaning = IMPOSTORS[kind]
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=re.escape(f"{path}: not an HDF5 file but {meaning}") + "$"):
        open_untrusted(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    """Neither gives a traceback from h5py."""
    with pytest.raises(FileFormatError, match=r"nothing\.h5: no such file$"):
        open_untrusted(tmp_path / "nothing.h5")
    with pytest.raises(FileFormatError, match=r": a folder, not a weights file$"):
        open_untrusted(tmp_path)


def test_a_file_cut_short_is_told_from_a_damaged_one(tmp_path):
    """A download that stopped is the commonest fault, so it has its own word."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["values"] = np.zeros(1000)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(FileFormatError, match=r"an HDF5 file, but cut short .*; fetch it again$"):
        open_untrusted(path)
    path.write_bytes(whole[:8] + b"\xff" * 40 + whole[48:])
    with pytest.raises(FileFormatError, match=r"an HDF5 file, but damaged .*; fetch it again$"):
        open_untrusted(path)


def test_a_block_of_the_users_own_in_front_is_allowed(tmp_path):
    """HDF5 lets its signature start at 512 bytes."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["values"] = np.zeros(3)
    with open_untrusted(path) as file:
        assert root(file).dataset("values").shape == (3,)


@pytest.fixture
def tricky(tmp_path):
    """A file with every kind of link and storage that must not be followed."""
    path = tmp_path / "tricky.h5"
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones(3)
    with h5py.File(path, "w") as file:
        file["group/real"] = np.ones(3)
        file["soft"] = h5py.SoftLink("/group/real")
        file["outside"] = h5py.ExternalLink("other.h5", "/secret")
        file["folder"] = h5py.SoftLink("/group")
        file.create_dataset("external", (3,), "f4", external=[(str(tmp_path / "raw.bin"), 0, 12)])
        layout = h5py.VirtualLayout((3,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (3,))
        file.create_virtual_dataset("virtual", layout)
        file["text"] = "not numbers"
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("soft", "'soft' is a soft link; only what is stored in the file itself is read"),
        ("outside", "'outside' is an external link; only what is stored in the file itself is read"),
        ("folder/real", "'folder' is a soft link; only what is stored in the file itself is read"),
        ("external", "dataset 'external' keeps its values in other files; that is not read"),
        ("virtual", "dataset 'virtual' keeps its values in other files; that is not read"),
        ("text", "dataset 'text' does not hold plain numbers"),
        ("group", "'group' is not a dataset"),
        ("group/gone", "'group/gone' is missing"),
        ("group/real/below", "'group/real/' is not a group"),
        ("group/../group/real", "'group/../group/real' is not a name that Keras would write"),
        ("/group/real", "'/group/real' is not a name that Keras would write"),
    ],
)
def test_only_plain_numbers_in_the_file_itself_are_opened(name, message, tricky):
    """Links and datasets that lead out of the file are refused by name."""
    with open_untrusted(tricky) as file, pytest.raises(FileFormatError) as refused:
        root(file).dataset(name)
    assert str(refused.value) == f"{tricky}: {message}"


def test_a_dataset_is_not_a_group(tricky):
    """A layer must be a group."""
    with open_untrusted(tricky) as file, pytest.raises(FileFormatError, match=r"'group/real' is not a group"):
        root(file).group("group/real")


def test_attributes_are_read_whatever_their_type(tmp_path):
    """Fixed and variable text, numbers, lists and nothing at all."""
    path = tmp_path / "attributes.h5"
    with h5py.File(path, "w") as file:
        file.attrs["fixed"] = np.array([b"one", b"three"])
        file.attrs["variable"] = "text"
        file.attrs["list"] = ["a", "bc"]
        file.attrs["number"] = np.int64(7)
        file.attrs["numbers"] = np.array([1.5, 2.5])
        file.attrs["empty"] = h5py.Empty("f8")
        file.attrs["none"] = np.array([])
    with open_untrusted(path) as file:
        top = root(file)
        assert top.attribute("fixed") == ["one", "three"]
        assert top.attribute("variable") == top.text("variable") == "text"
        assert top.attribute("list") == ["a", "bc"]
        assert (top.attribute("number"), top.text("number")) == (7, None)
        assert top.attribute("numbers") == [1.5, 2.5]
        assert top.attribute("empty") == top.attribute("none") == []
        assert top.attribute("missing") is None


def test_an_attribute_that_is_neither_number_nor_text_is_refused(tmp_path):
    """A reference leads elsewhere in the file."""
    path = tmp_path / "attributes.h5"
    with h5py.File(path, "w") as file:
        file.attrs.create("backend", file.ref, dtype=h5py.ref_dtype)
    with (
        open_untrusted(path) as file,
        pytest.raises(FileFormatError, match=r"'backend' of '' cannot be read$"),
    ):
        root(file).text("backend")


def test_lists_of_names_are_put_together_from_their_chunks(tmp_path):
    """Keras 2 splits a list that would not fit into one attribute."""
    path = tmp_path / "chunks.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names0"] = np.array([b"a", b"b"])
        file.attrs["layer_names1"] = np.array([b"c"])
        file.attrs["layer_names3"] = np.array([b"never"])
        file.attrs["numbers"] = np.array([1, 2])
    with open_untrusted(path) as file:
        assert root(file).names("layer_names") == ("a", "b", "c")
        assert root(file).names("weight_names") is None
        with pytest.raises(FileFormatError, match=r"attribute 'numbers' of '' is not a list of names$"):
            root(file).names("numbers")


def test_a_damaged_block_is_named_with_its_dataset(tmp_path):
    """A checksum that does not fit is an error of the file, not of the program."""
    path = tmp_path / "damaged.h5"
    values = np.arange(4096, dtype="f4")
    with h5py.File(path, "w") as file:
        file.create_dataset("layer/values", data=values, chunks=(4096,), fletcher32=True)
    content = bytearray(path.read_bytes())
    at = content.find(values.tobytes()[400:800])
    content[at] ^= 1
    path.write_bytes(content)
    with open_untrusted(path) as file:
        dataset = root(file).dataset("layer/values")
        with pytest.raises(FileFormatError, match=r"dataset 'layer/values' cannot be read \("):
            read_dataset(dataset, path, "layer/values")
