"""Every path commutes: by way of any other forms a file becomes what it becomes at once, or is refused.

All pairs of forms are tried with ``ZOO_CHAINS=all``, and all networks; otherwise some for each sample, drawn
by its name.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest

from converters import convert_file
from converters.errors import ZooError
from tests.support.dialect_samples import DATA, FLATTEN, LAYERS, SAMPLES, in_each_run, is_last, of_sample
from tests.support.weight_files import arrays
from zoo.registry import list_models

FORMS = {
    "keras1 th": {"to": "keras1", "to_layout": "th", "to_kernels": "th"},
    "keras1 tf": {"to": "keras1", "to_layout": "tf", "to_kernels": "tf"},
    "keras2 th": {"to": "keras2", "to_layout": "th", "to_kernels": "th"},
    "keras2 tf": {"to": "keras2", "to_layout": "tf", "to_kernels": "tf"},
    "keras3": {"to": "keras3", "as_published": True},
}
EVERYTHING = os.environ.get("ZOO_CHAINS") == "all"
# What another dialect has no layer for; nothing else may be refused on a way that starts.
LACKING = (
    "is of a kind that Keras 1 lacks",
    "was built with reset_after, which Keras 1 lacks",
    "which Keras 1 cannot be without",
)


def told(sample):
    """Return what a user says of a sample, once."""
    layout = "tf" if is_last(sample) else "th"
    said = {"flatten": of_sample(FLATTEN, sample), "layers": of_sample(LAYERS, sample)}
    return {**said, "from_layout": layout, "from_kernels": "th"}


def ways(name, steps=(3, 4)):
    """Return the chains of forms that are tried of a file: where each ends, the others lead there."""
    drawn = random.Random(name)
    if EVERYTHING:
        pairs = itertools.permutations(FORMS, 2)
        return [*pairs, *(tuple(drawn.sample(list(FORMS), count)) for count in steps for _ in range(4))]
    longest = tuple(drawn.sample(list(FORMS), max(steps)))
    return [longest[:count] for count in range(2, len(longest) + 1)]


class Paths:
    """The files that a file becomes, each way made once."""

    def __init__(self, source, folder, said):
        self.source, self.folder, self.said = source, folder, said
        self.at = functools.cache(self._at)

    def _at(self, way):
        """Return the file at the end of a way, or why it is refused."""
        before = self.at(way[:-1]) if len(way) > 1 else self.source
        if isinstance(before, str):
            return before
        target = self.folder / f"{'-'.join(way).replace(' ', '_')}.h5"
        said = self.said if len(way) == 1 else {}
        try:
            return convert_file(before, target, verify=False, **FORMS[way[-1]], **said).target
        except ZooError as error:
            return str(error)


def check(paths, way):
    """Check that a way gives what the direct one does; return how it ended."""
    end, direct = paths.at(way), paths.at(way[-1:])
    if isinstance(end, str):
        assert any(reason in end for reason in LACKING), end
        return "refused"
    assert isinstance(direct, Path), direct
    one, other = arrays(end), arrays(direct)
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=f"{' -> '.join(way)}: {name}")
    with h5py.File(end) as file, h5py.File(direct) as same:
        assert file.attrs["zoo_network"] == same.attrs["zoo_network"]
    return "commutes"


@pytest.mark.parametrize("sample", in_each_run(SAMPLES))
def test_any_way_to_a_form_gives_the_same_arrays(sample, tmp_path):
    """Over all samples; said once, at the first conversion: what no dialect lacks is refused nowhere."""
    paths = Paths(DATA / f"{sample}.weights.h5", tmp_path, told(sample))
    ended = Counter(check(paths, way) for way in ways(sample))
    lacks = any(isinstance(paths.at((form,)), str) for form in FORMS if form.startswith("keras1"))
    assert ended["commutes"] == sum(ended.values()) or lacks


@pytest.mark.parametrize("name", list_models() if EVERYTHING else ["googlenet"])
def test_any_way_of_a_network_gives_the_same_arrays(name, tmp_path, practice_file):
    """The structure tells what nobody says; Keras 1's file is in the end what it was in the beginning."""
    source = practice_file(name)
    paths = Paths(source, tmp_path, {})
    for way in (("keras3", "keras1 th"), ("keras2 tf", "keras3", "keras1 th")):
        assert check(paths, way) == "commutes"
    first, last = arrays(source), arrays(paths.at(("keras3", "keras1 th")))
    assert first.keys() == last.keys()
    assert all(np.array_equal(values, last[key]) for key, values in first.items())


@pytest.mark.parametrize("sample", in_each_run([sample for sample in SAMPLES if of_sample(FLATTEN, sample)]))
def test_in_its_own_dialect_a_file_keeps_what_was_said(sample, tmp_path):
    """There and back, and on into another dialect, asking nothing again."""
    source, said = DATA / f"{sample}.weights.h5", told(sample)
    there, back = ("th", "tf") if is_last(sample) else ("tf", "th")
    turned = convert_file(source, tmp_path / "turned.h5", to_layout=there, to_kernels=there, **said).target
    again = convert_file(turned, tmp_path / "again.h5", to_layout=back, to_kernels="th").target
    assert all(np.array_equal(values, arrays(again)[name]) for name, values in arrays(source).items())
    drawn = list(FORMS) if EVERYTHING else random.Random(sample).sample(list(FORMS), 2)
    for form, settings in ((form, FORMS[form]) for form in drawn):
        direct = tmp_path / f"direct {form}.h5"
        convert_file(source, direct, **settings, **said)
        convert_file(turned, tmp_path / f"by way {form}.h5", **settings)
        one, other = arrays(direct), arrays(tmp_path / f"by way {form}.h5")
        assert one.keys() == other.keys()
        assert all(np.array_equal(values, other[name]) for name, values in one.items())
