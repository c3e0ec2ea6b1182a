"""Opening files that may be anything: what is no weights file, and what a good one says."""

from __future__ import annotations

import os
import pickle
import re

import h5py
import numpy as np
import pytest

from converters.errors import FileFormatError
from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import DatasetInfo, GroupInfo
from converters.hdf5.reader import check_signature
from tests.support.weight_files import counted

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
    "gzip": (b"\x1f\x8b\x08", "gzip-compressed: unpack it first"),
    "json": (b'{"a": 1}', "JSON text"),
    "empty": (b"", "empty"),
    "noise": (b"\x00\x01\x02", "something that starts with b'\\x00\\x01\\x02'"),
}
LIBVERS = ["earliest", ("v108", "v108"), ("v110", "v110"), "latest"]


@pytest.mark.parametrize("kind", IMPOSTORS)
def test_what_is_no_hdf5_file_is_named(kind, tmp_path):
    """The message says what the file is instead."""
    path = tmp_path / "weights.h5"
    content, meaning = IMPOSTORS[kind]
    path.write_bytes(content)
    message = re.escape(f"{path}: not an HDF5 file but {meaning}") + "$"
    with pytest.raises(FileFormatError, match=message):
        open_untrusted(path)
    with pytest.raises(FileFormatError, match=message):
        check_signature(path)


def test_a_missing_file_a_folder_and_a_pipe_are_named(tmp_path):
    """None of them gives a traceback, and a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(FileFormatError, match=r"nothing\.h5: no such file$"):
        open_untrusted(tmp_path / "nothing.h5")
    with pytest.raises(FileFormatError, match=r": a folder, not a weights file$"):
        open_untrusted(tmp_path)
    with pytest.raises(FileFormatError, match=r"pipe\.h5: not a regular file$"):
        open_untrusted(tmp_path / "pipe.h5")


def test_a_file_cut_short_is_told_from_a_damaged_one(tmp_path):
    """A download that stopped is the commonest fault, so it has its own word."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["values"] = np.zeros(1000)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    size = len(whole)
    with pytest.raises(FileFormatError) as refused:
        open_untrusted(path)
    assert str(refused.value) == (
        f"{path}: an HDF5 file, but cut short (it has {size - 100} of {size} bytes); fetch it again"
    )
    path.write_bytes(whole[:8] + b"\xff" * 40 + whole[48:])
    with pytest.raises(
        FileFormatError, match=r": the file has a superblock of an unknown form \(version 255\)$"
    ):
        open_untrusted(path)


@pytest.mark.parametrize("size", [512, 1024, 2048])
def test_a_block_of_the_users_own_in_front_is_allowed(size, tmp_path):
    """HDF5 lets its signature start at 512 bytes; offsets count from the start of the file."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w", userblock_size=size) as file:
        file["values"] = counted(3)
        offset = file["values"].id.get_offset()
    with open_untrusted(path) as source:
        found = source.root.dataset("values")
        assert found.offset == offset
        assert source.read(found).tolist() == source.mapped(found).tolist() == [0, 1, 2]


def fill(file):
    """Put one of everything that may be read into a file; return the paths that h5py sees."""
    file.attrs["fixed"] = np.array([b"one", b"three"])
    file.attrs["variable"] = ["a", "bc"]
    file.attrs["text"] = "caf\u00e9"
    file.attrs["flag"] = True
    file.attrs["big"] = np.arange(7, dtype=">i4")
    file.attrs["nothing"] = h5py.Empty("f4")
    file.attrs["none"] = np.array([])
    values = np.arange(1200, dtype="f8").reshape(300, 4)
    file["scalar"] = np.float32(2)
    file["empty"] = np.zeros((0, 3), "f4")
    file["big_endian"] = values.astype(">f4")
    file["half"] = values.astype("f2")
    file["bytes"] = np.arange(5, dtype="u1")
    file["truth"] = True
    file.create_dataset("truths", data=values % 3 == 0, **PACKED["gzip"])
    file.create_dataset("filled", data=values, fillvalue=3)
    for name, options in PACKED.items():
        file.create_dataset(name, data=values, **options)
    for number in range(70):
        group = file.create_group(f"many/a_layer_with_a_long_name_{number}")
        group["w"] = np.arange(number, dtype="f4")
        for index in range(number % 12):
            group.attrs[f"attribute {index}"] = f"text {index}"
    found = [""]
    file.visit(found.append)
    return found


PACKED = {
    "chunks": {"chunks": (20, 2)},
    "one chunk": {"chunks": (300, 4)},
    "growing": {"chunks": (7, 3), "maxshape": (None, 4)},
    "growing twice": {"chunks": (70, 3), "maxshape": (None, None)},
    "gzip": {"chunks": (64, 4), "compression": "gzip", "shuffle": True},
    "lzf": {"chunks": (64, 4), "compression": "lzf", "fletcher32": True},
    "szip": {"chunks": (64, 4), "compression": "szip"},
}


@pytest.mark.parametrize("track", [False, True], ids=["by name", "by order"])
@pytest.mark.parametrize("libver", LIBVERS, ids=str)
def test_the_reader_says_what_h5py_says(libver, track, tmp_path):
    """Every form of group, header, heap and index that the library writes gives the same records."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w", libver=libver, track_order=track) as file:
        paths = fill(file)
        if libver != "earliest":
            file.attrs["long"] = np.arange(30000, dtype="f8")
    with h5py.File(path) as file, open_untrusted(path) as source:
        found = dict(walk(source.tree))
        assert set(found) == set(paths)
        for name, info in found.items():
            compare(info, file[name or "/"])
            if isinstance(info, DatasetInfo):
                assert source.read(info).tobytes() == file[name][()].tobytes()


def walk(info):
    """Yield a record and all below it, with their paths."""
    yield info.path, info
    for child in info.children.values() if isinstance(info, GroupInfo) else ():
        yield from walk(child)


def compare(info, item):
    """Hold a record against what h5py says of the same object."""
    assert {name: found.value for name, found in info.attributes.items()} == {
        name: plain(value) for name, value in item.attrs.items()
    }
    if isinstance(item, h5py.Dataset):
        assert (info.shape, info.dtype, info.maxshape, info.chunks) == (
            item.shape,
            "i1" if item.dtype == bool else item.dtype,  # h5py's truth values are numbers with names
            item.maxshape,
            item.chunks,
        )
        assert info.offset == item.id.get_offset()
        plist = item.id.get_create_plist()
        numbers = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
        assert [step.id for step in info.filters] == numbers


def plain(value):
    """Return an attribute's value as the records have it."""
    if isinstance(value, h5py.Empty):
        return []
    found = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    listed = [item.decode() if isinstance(item, bytes) else item for item in np.ravel(found).tolist()]
    return listed if isinstance(found, list) else listed[0]


def test_the_description_can_be_sent_to_another_process(tmp_path):
    """Nothing in it is a handle."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    with open_untrusted(path) as source:
        tree = source.tree
    assert pickle.loads(pickle.dumps(tree)) == tree


def test_blocks_cover_every_row_once(tmp_path):
    """Blocks of a chunked dataset are whole rows of chunks; those of a contiguous one have the size asked."""
    path = tmp_path / "weights.h5"
    values = counted(103, 8)
    with h5py.File(path, "w") as file:
        file["plain"] = values
        file.create_dataset("packed", data=values, chunks=(10, 4), compression="gzip")
    with open_untrusted(path) as source:
        for name, begins in (("plain", list(range(0, 103, 8))), ("packed", list(range(0, 103, 10)))):
            blocks = list(source.blocks(source.root.dataset(name), nbytes=256))
            assert [begin for begin, _ in blocks] == begins
            assert np.array_equal(np.concatenate([block for _, block in blocks]), values)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("group", "'group' is not a dataset"),
        ("group/gone", "'group/gone' is missing"),
        ("group/real/below", "'group/real' is not a group"),
        ("group/../group/real", "'group/../group/real' is not a name that Keras would write"),
        ("/group/real", "'/group/real' is not a name that Keras would write"),
    ],
)
def test_a_dataset_that_is_not_there_is_named(name, message, tmp_path):
    """The message names the path as far as it leads."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["group/real"] = np.ones(3)
    with open_untrusted(path) as source, pytest.raises(FileFormatError) as refused:
        source.root.dataset(name)
    assert str(refused.value) == f"{path}: {message}"


def test_a_dataset_is_not_a_group(tmp_path):
    """A layer must be a group."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["group/real"] = np.ones(3)
    with open_untrusted(path) as source:
        top = source.root
        assert (top.is_group("group"), top.group("group").is_group("real")) == (True, False)
        with pytest.raises(FileFormatError, match=r"'group/real' is not a group$"):
            top.group("group/real")


def test_attributes_are_read_whatever_their_type(tmp_path):
    """Fixed and variable text, numbers, lists and nothing at all."""
    path = tmp_path / "attributes.h5"
    with h5py.File(path, "w") as file:
        fill(file)
        file.attrs["number"] = np.int64(7)
    with open_untrusted(path) as source:
        top = source.root
        assert top.attribute("fixed") == ["one", "three"]
        assert top.attribute("text") == top.text("text") == "caf\u00e9"
        assert top.attribute("variable") == ["a", "bc"]
        assert (top.attribute("number"), top.text("number")) == (7, None)
        assert top.attribute("big") == list(range(7))
        assert top.attribute("nothing") == top.attribute("none") == []
        assert top.attribute("missing") is None


def test_lists_of_names_are_put_together_from_their_chunks(tmp_path):
    """Keras 2 splits a list that would not fit into one attribute."""
    path = tmp_path / "chunks.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names0"] = np.array([b"a", b"b/c"])
        file.attrs["layer_names1"] = np.array([b"d"])
        file.attrs["layer_names3"] = np.array([b"never"])
        file.attrs["numbers"] = np.array([1, 2])
    with open_untrusted(path) as source:
        assert source.root.names("layer_names") == ("a", "b/c", "d")
        assert source.root.names("weight_names") is None
        with pytest.raises(FileFormatError, match=r"attribute 'numbers' of '' is not a list of names$"):
            source.root.names("numbers")


def test_text_that_is_not_utf8_is_refused_when_it_is_read(tmp_path):
    """The attribute is named; the rest of the file stays readable."""
    path = tmp_path / "latin.h5"
    with h5py.File(path, "w") as file:
        file.attrs["backend"] = np.bytes_(b"caf\xe9")
    with open_untrusted(path) as source, pytest.raises(FileFormatError) as refused:
        source.root.text("backend")
    assert str(refused.value) == f"{path}: attribute 'backend' of '' cannot be read (it is not UTF-8)"


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
    with open_untrusted(path) as source:
        dataset = source.root.dataset("layer/values")
        with pytest.raises(FileFormatError, match=r"dataset 'layer/values' cannot be read \("):
            source.read(dataset)


@pytest.mark.parametrize("libver", [("v108", "v108"), "latest"], ids=str)
def test_a_checksum_of_metadata_that_does_not_fit_is_refused(libver, tmp_path):
    """New headers carry checksums; a byte of the root's header is changed."""
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["values"] = np.zeros(3)
    content = bytearray(path.read_bytes())
    content[content.index(b"OHDR") + 9] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r": the file has a damaged header$"):
        open_untrusted(path)


def test_a_file_that_is_known_is_not_read_again(tmp_path, monkeypatch):
    """Until it changes: then what was known of it no longer counts."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["values"] = counted(3)
    with open_untrusted(path) as source:
        stamp = source.stamp
    with monkeypatch.context() as patch:
        patch.setattr("converters.hdf5.reader.parse", None)
        source = open_untrusted(path, known=stamp)
    with source:
        assert source.tree is stamp.tree
        assert source.read(source.root.dataset("values")).tolist() == [0, 1, 2]
    with h5py.File(path, "a") as file:
        file["more"] = counted(2)
    with open_untrusted(path, known=stamp) as source:
        assert source.root.children() == ["more", "values"]
