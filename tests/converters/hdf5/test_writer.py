"""Writing what was read: types, attributes and datasets come out as they were."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
from h5py import h5g, h5s

from converters.formats.opening import open_untrusted
from converters.hdf5.metadata import GroupInfo
from converters.hdf5.writer import create_dataset, write_attributes, write_text
from tests.converters.hdf5.test_reader import fill, walk
from tests.support.weight_files import counted


def copy(source, info, target):
    """Copy a group and all below it, as plainly as can be."""
    write_attributes(target, info.attributes)
    for name, child in info.children.items():
        if isinstance(child, GroupInfo):
            copy(source, child, h5g.create(target, name.encode()))
            continue
        created = create_dataset(target, name.encode(), child)
        write_attributes(created, child.attributes)
        if child.size:
            created.write(h5s.ALL, h5s.ALL, source.read(child))


def test_a_copy_says_the_same_as_its_source(tmp_path):
    """All records but the places of the values are equal: types, padding, chunks, filters, fill values."""
    old, new = tmp_path / "old.h5", tmp_path / "new.h5"
    with h5py.File(old, "w") as file:
        fill(file)
        file.attrs["padded"] = np.array([b"a  "])
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5s.create_simple((3,))
        compact = h5py.h5d.create(file.id, b"compact", h5py.h5t.IEEE_F32LE, space, plist)
        compact.write(h5s.ALL, h5s.ALL, counted(3))
    with open_untrusted(old) as source, h5py.File(new, "w") as file:
        copy(source, source.tree, h5g.open(file.id, b"/"))
    with open_untrusted(old) as one, open_untrusted(new) as other:
        told, written = dict(walk(one.tree)), dict(walk(other.tree))
        assert list(told) == list(written)
        for path, info in told.items():
            if isinstance(info, GroupInfo):
                assert (info.attributes, list(info.children)) == (
                    written[path].attributes,
                    list(written[path].children),
                )
            else:
                assert replace(info, offset=None) == replace(written[path], offset=None)
                assert one.read(info).tobytes() == other.read(written[path]).tobytes()


def test_a_contiguous_dataset_has_its_place_at_once(tmp_path):
    """So that it can be filled through a map of the file."""
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file["w"] = counted(2, 3)
    with open_untrusted(tmp_path / "old.h5") as source, h5py.File(tmp_path / "new.h5", "w") as file:
        created = create_dataset(file.id, b"w", source.root.dataset("w"), (3, 2))
        assert created.shape == (3, 2)
        assert created.get_offset() is not None


def test_axes_move_chunks_and_growth_along(tmp_path):
    """A dataset whose axes are exchanged is cut and grows along the exchanged ones."""
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.create_dataset("w", data=counted(4, 6), chunks=(2, 3), maxshape=(None, 6))
    with open_untrusted(tmp_path / "old.h5") as source, h5py.File(tmp_path / "new.h5", "w") as file:
        create_dataset(file.id, b"w", source.root.dataset("w"), (6, 4), lambda sizes: sizes[::-1])
        assert (file["w"].shape, file["w"].chunks, file["w"].maxshape) == ((6, 4), (3, 2), (6, None))


@pytest.mark.parametrize("value", [np.bytes_(b"theano"), "theano"], ids=["fixed", "variable"])
def test_text_takes_the_type_of_what_it_stands_for(value, tmp_path):
    """A backend of fixed length stays one, however long the new name is."""
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["backend"] = value
        kind = file.attrs.get_id("backend").get_type()
    with open_untrusted(tmp_path / "old.h5") as source, h5py.File(tmp_path / "new.h5", "w") as file:
        write_text(file.id, "backend", "tensorflow", source.tree.attributes["backend"])
        found = file.attrs.get_id("backend").get_type()
        assert found.is_variable_str() == kind.is_variable_str()
        assert (found.get_cset(), found.get_strpad()) == (kind.get_cset(), kind.get_strpad())
        assert file.attrs["backend"] in ("tensorflow", b"tensorflow")
        write_text(file.id, "plain", "caf\u00e9")
        assert file.attrs["plain"] == "caf\u00e9"
