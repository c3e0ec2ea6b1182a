"""Whole trees: every file has its own fate, and nothing is done twice."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import shutil
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import h5py
import numpy as np
import pytest

from converters import convert_file, trees
from converters.arrays.form import TF
from converters.errors import ArgumentError, ConversionError, ConversionWarning
from converters.formats.dialects import describe
from converters.formats.table import FOREIGN_SUFFIXES, targets
from converters.trees import MEANWHILE, convert_tree, upgrade_tree
from converters.version import RULES_NUMBER, VERSION
from tests.support import pytorch_files
from tests.support.executors import Twice
from tests.support.paths import DIALECTS
from tests.support.upgrading import chain, layer, write_model
from tests.support.weight_files import BY_NAMES, BY_NAMES_IN_PYTHON, keras1, write_named


@pytest.fixture
def tree(tmp_path):
    """Return a folder with two weights files, one of them two folders further down."""
    folder = tmp_path / "old"
    (folder / "deep" / "er").mkdir(parents=True)
    write_named(folder / "a.h5", keras1(conv=(6, 3, 3, 5)))
    write_named(folder / "deep" / "er" / "b.hdf5", keras1(conv=(4, 2, 3, 3), other=(5, 4, 3, 3)))
    return folder


def convert(tree, **options):
    """Convert a tree to tf, two files at a time."""
    how = {} if "executor" in options else {"jobs": 2}
    return convert_tree(tree, tree.parent / "new", direction="th-to-tf", **{**how, **options})


def fates(report, tree):
    """Return each file's status and detail, by its place in the tree."""
    return {str(found.source.relative_to(tree)): (found.status, found.detail) for found in report.files}


DONE = "verified {} arrays, {} values: the new file gives the source again, bit for bit"


def test_a_tree_keeps_its_shape(tree):
    """Each new file lies where the old one does, and the old ones are as they were."""
    before = (tree / "a.h5").read_bytes()
    seen = []
    report = convert(tree, report=seen.append)
    assert fates(report, tree) == {
        "a.h5": ("converted", DONE.format(2, 276)),
        "deep/er/b.hdf5": ("converted", DONE.format(4, 261)),
    }
    assert seen == list(report.files)
    assert str(report) == "2 converted, 0 done before, 0 skipped, 0 failed"
    new = tree.parent / "new"
    assert sorted(path for path in new.rglob("*") if path.is_file()) == [new / "a.h5", new / "deep/er/b.hdf5"]
    assert all(describe(found.target).record.form == TF for found in report.files)
    assert (tree / "a.h5").read_bytes() == before


def test_what_is_done_is_not_done_again(tree):
    """The record tells: the same source, the same plan, the same version. Anything else needs force."""
    first = convert(tree)
    times = [found.target.stat().st_mtime_ns for found in first.files]
    again = convert(tree)
    assert str(again) == "0 converted, 2 done before, 0 skipped, 0 failed"
    assert [found.target.stat().st_mtime_ns for found in again.files] == times
    with h5py.File(tree / "a.h5", "r+") as file:
        file["conv/conv_b"][0] = 7
    changed = convert(tree)
    target = tree.parent / "new" / "a.h5"
    assert fates(changed, tree) == {
        "a.h5": ("failed", f"{target}: exists already; use --force (force=True) to replace it"),
        "deep/er/b.hdf5": ("done before", ""),
    }
    assert fates(convert(tree, force=True), tree)["a.h5"][0] == "converted"
    with h5py.File(target, "r+") as file:
        file.attrs["zoo_converter"] = "keras-weight-zoo 0.0.9"
    assert [found.status for found in convert(tree).files] == ["failed", "done before"]


def test_one_that_fails_does_not_stop_the_rest(tree):
    """Neither does one that is no weights file, or one that is what it should become."""
    (tree / "README.md").write_text("words")
    (tree / "lost.h5").write_text("<!DOCTYPE html>")
    (tree / "cut.h5").write_bytes((tree / "a.h5").read_bytes()[:3000])
    (tree / "without_suffix").write_bytes((tree / "a.h5").read_bytes())
    convert_file(tree / "a.h5", tree / "tf.h5", direction="th-to-tf")
    report = convert(tree)
    found = fates(report, tree)
    assert {name: status for name, (status, _) in found.items()} == {
        "README.md": "skipped",
        "a.h5": "converted",
        "cut.h5": "failed",
        "deep/er/b.hdf5": "converted",
        "lost.h5": "failed",
        "tf.h5": "skipped",
        "without_suffix": "converted",
    }
    assert found["README.md"][1] == "not a weights file"
    assert found["lost.h5"][1] == "not an HDF5 file but an HTML page: a download that went wrong"
    assert found["tf.h5"][1] == "is already in layout tf (record) with kernels tf (record)"
    assert report.as_dict()["counts"] == {"converted": 3, "done before": 0, "skipped": 2, "failed": 2}
    assert not list((tree.parent / "new").glob(".*"))


def die(done, total):
    """End the process as a crash in a C library does, when a certain file is converted."""
    if total == 276 * 4:
        os.kill(os.getpid(), signal.SIGSEGV)


def leave(done, total):
    """End the process as a library that calls exit does."""
    if total == 276 * 4:
        os._exit(3)


@pytest.mark.parametrize(
    ("how", "detail"),
    [(die, "its process was ended by signal SIGSEGV"), (leave, "its process ended with exit code 3")],
)
def test_one_that_crashes_does_not_stop_the_rest(tree, how, detail):
    """A process that dies takes nothing with it, and what it had half written is gone."""
    report = convert(tree, progress=how)
    assert fates(report, tree) == {
        "a.h5": ("failed", detail),
        "deep/er/b.hdf5": ("converted", DONE.format(4, 261)),
    }
    assert [path.name for path in (tree.parent / "new").iterdir()] == ["deep"]


def written(folder):
    """Return the bytes of each file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_executor_gives_the_same_to_the_bit(tree):
    """What fails there fails by itself too, and nothing is done twice; the executor goes on afterwards."""
    (tree / "lost.h5").write_text("<!DOCTYPE html>")
    alone = convert_tree(tree, tree.parent / "alone", direction="th-to-tf", jobs=1)
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as executor:
        options = {"direction": "th-to-tf", "executor": executor}
        shared = convert_tree(tree, tree.parent / "shared", **options)
        again = convert_tree(tree, tree.parent / "shared", **options)
        assert executor.submit(abs, -3).result() == 3
    assert fates(shared, tree) == fates(alone, tree)
    assert str(again) == "0 converted, 2 done before, 0 skipped, 1 failed"
    assert written(tree.parent / "shared") == written(tree.parent / "alone")


def test_a_pool_that_breaks_keeps_what_is_done(tree):
    """The message says that the same call goes on, and so it does."""
    expected = pytest.raises(ConversionError, match="what is done is kept: do the same again")
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as executor, expected:
        convert(tree, executor=executor, progress=die)
    assert convert(tree).count("failed") == 0


def test_a_task_that_an_engine_runs_twice_is_one_of_this_run(tree):
    """Dask asks again for what a worker had done that died before it told: it was not there before."""
    with Twice(2) as executor:
        report = convert(tree, executor=executor)
        assert [(found.status, found.detail) for found in report.files] == [("converted", MEANWHILE)] * 2
        assert [found.status for found in convert(tree, executor=executor).files] == ["done before"] * 2


class Elsewhere(ThreadPoolExecutor):
    """Runs each task as a worker would that was started in another folder."""

    def __init__(self, folder):
        super().__init__(1)
        self.folder = folder

    def submit(self, task, /, *given):
        """Run one."""

        def moved():
            with contextlib.chdir(self.folder):
                return task(*given)

        future = super().submit(moved)
        future.exception()  # this process has one current folder
        return future


def test_workers_reach_what_is_named_from_here(tree, tmp_path, monkeypatch):
    """They need not run in the folder that names are meant in."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Elsewhere(tmp_path / "elsewhere") as executor:
        report = convert_tree("old", "new", direction="th-to-tf", executor=executor)
    assert fates(report, tree) == {
        "a.h5": ("converted", DONE.format(2, 276)),
        "deep/er/b.hdf5": ("converted", DONE.format(4, 261)),
    }
    assert sorted(written(tmp_path / "new")) == ["a.h5", "deep/er/b.hdf5"]


class Older(ThreadPoolExecutor):
    """Runs each task as a worker of an older version would."""

    def submit(self, task, /, *given):
        """Run one."""
        work = replace(task.args[0], version=("9.0", RULES_NUMBER))
        return super().submit(functools.partial(task.func, work), *given)


def test_a_worker_of_another_version_makes_nothing(tree):
    """Its files would stand among those of the others, and say other things."""
    (tree / "notes.txt").write_text("words")
    with Older(1) as executor:
        report = convert(tree, executor=executor)
    assert {one.detail for one in report.files if one.status == "failed"} == {
        f"this worker has zoo {VERSION}, not 9.0: install the same everywhere"
    }
    assert (report.count("failed"), report.count("skipped")) == (2, 1)
    assert not (tree.parent / "new").exists()


def test_jobs_and_executor_are_two_answers_to_one_question(tree):
    """Either says how files are shared out."""
    with ThreadPoolExecutor(1) as executor, pytest.raises(ArgumentError) as caught:
        convert(tree, jobs=2, executor=executor)
    assert str(caught.value) == "jobs and executor both say how files are shared out: leave one out"


def test_containers_name_their_files(tree):
    """What is called by what it holds gets that ending; the rest keeps its name."""
    report = convert_tree(tree, tree.parent / "new", to="safetensors", from_layout="th", jobs=1)
    assert [found.target.name for found in report.files] == ["a.safetensors", "b.hdf5.safetensors"]


@pytest.mark.parametrize("to", ["keras2", "keras3", "safetensors", "npz"])
def test_every_dialect_remembers_what_was_done(tree, to):
    """The record is found again in each of them; a file that only has the name is not taken for it."""
    options = {"to": to, "from_layout": "th", "jobs": 1}
    first = convert_tree(tree, tree.parent / "new", **options)
    again = convert_tree(tree, tree.parent / "new", **options)
    assert [found.status for found in first.files] == ["converted"] * 2
    assert [found.status for found in again.files] == ["done before"] * 2
    first.files[0].target.write_text("something else")
    assert convert_tree(tree, tree.parent / "new", **options).count("failed") == 1


@pytest.mark.parametrize(
    ("to", "made"),
    [("keras2", ("a.pth.h5", "b.keras.h5")), ("npz", ("a.pth.npz", "b.keras.npz")), (None, ())],
)
def test_files_of_other_software_are_converted_where_it_is_said_to_what(to, made, tmp_path):
    """What is written is called by what it holds, whatever the old one was; no model is upgraded from one."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    pytorch_files.write(old / "a.pth", {"fc.weight": pytorch_files.tensor(np.ones((2, 3), "f4"))}, "zip")
    if to is not None:
        write_named(old / "b.keras", keras1(conv=(6, 3, 3, 5)))
    report = convert_tree(old, new, to=to, direction=None if to else "th-to-tf", jobs=1)
    if to is None:
        said = "a weights file of other software: --to (to=) says what it is to become"
        assert fates(report, old) == {"a.pth": ("skipped", said)}
    assert sorted(str(path.relative_to(new)) for path in new.rglob("*") if path.is_file()) == list(made)
    assert fates(upgrade_tree(old, tmp_path / "up", jobs=1), old)["a.pth"] == ("skipped", "not a model")


SUFFIXES = ("", ".h5", ".H5", ".hdf5", ".weights", ".weights.h5", ".weights.hdf5", ".keras", ".safetensors")


@pytest.mark.parametrize("to", [None, *targets()])
def test_no_two_files_are_written_to_one_place(to, tmp_path, monkeypatch):
    """Over all pairs of names that a weights file may have: each has its own target, or both are named."""
    monkeypatch.setattr(trees, "_in_process", lambda *_: ("converted", "", ()))
    sharing = set()
    suffixes = SUFFIXES if to is None else (*SUFFIXES, *FOREIGN_SUFFIXES)
    for number, pair in enumerate(itertools.combinations(suffixes, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for suffix in pair:
            write_named(folder / f"m{suffix}", {})
        files = {
            found.source.name: found for found in convert_tree(folder, folder / "new", to=to, jobs=1).files
        }
        assert len(files) == 2
        targets = {found.target for found in files.values()}
        if targets == {None}:
            sharing.add(pair)
            for one, other in itertools.permutations(files):
                assert files[one].detail.startswith("would be written to ")
                assert f"and so would {folder / other};" in files[one].detail
        else:
            assert len(targets - {None}) == 2
    assert ((".h5", ".weights.h5") in sharing) == (to in ("keras3", "safetensors", "npz"))
    assert bool(sharing) == (to in ("keras3", "safetensors", "npz"))


@pytest.mark.parametrize("is_blind", [False, True])
def test_names_that_differ_in_case_are_two_where_the_disk_says_so(is_blind, tmp_path, monkeypatch):
    """One would take the place of the other on macOS, forced; the disk is asked only if there are such."""
    asked = []
    monkeypatch.setattr(trees, "_is_case_blind", lambda folder: asked.append(folder) or is_blind)
    monkeypatch.setattr(trees, "_in_process", lambda *_: ("converted", "", ()))
    old, new = tmp_path / "old", tmp_path / "new"
    for name in ("Net/a.h5", "net/a.h5", "b.h5"):
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        write_named(old / name, {})
    told = fates(convert_tree(old, new, jobs=1, force=True), old)
    assert asked == [new]
    assert told["b.h5"][0] == "converted"
    for one, other in itertools.permutations(("Net/a.h5", "net/a.h5")):
        advice = f"rename all but one, or convert it by itself: zoo convert {old / one} NEW"
        refused = ("failed", f"would be written to {new / one}, and so would {old / other}; {advice}")
        assert told[one] == (refused if is_blind else ("converted", ""))
    (old / "Net/a.h5").unlink()
    convert_tree(old, new, jobs=1, force=True)
    assert asked == [new]


def test_a_disk_is_asked_what_names_are_one_on_it(tmp_path):
    """Before there is the folder; nothing is left behind."""
    (tmp_path / "case").mkdir()
    twice = (tmp_path / "CASE").exists()
    assert trees._is_case_blind(tmp_path / "new" / "deep") is twice
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_files_that_would_share_a_place_are_named_and_the_rest_converted(tree):
    """Whatever was done before, forced or not, and however many work side by side; nothing is touched."""
    options = {"to": "keras3", "from_layout": "th"}
    new = tree.parent / "new"
    convert_tree(tree, new, jobs=1, **options)
    before = (new / "a.weights.h5").read_bytes()
    write_named(tree / "a.weights.h5", keras1(conv=(5, 3, 3, 5)))
    for jobs in (1, 3):
        found = fates(convert_tree(tree, new, jobs=jobs, force=True, **options), tree)
        for one, other in itertools.permutations(("a.h5", "a.weights.h5")):
            advice = f"rename all but one, or convert it by itself: zoo convert {tree / one} NEW"
            text = f"would be written to {new / 'a.weights.h5'}, and so would {tree / other}; {advice}"
            assert found[one] == ("failed", text)
        assert found["deep/er/b.hdf5"] == ("done before", "")
    assert (new / "a.weights.h5").read_bytes() == before


def test_a_file_to_convert_is_no_place_to_write_to(tmp_path):
    """Into the folder above, a name further down comes out where another file lies."""
    (tmp_path / "a" / "a").mkdir(parents=True)
    first = write_named(tmp_path / "a" / "m.h5", keras1(conv=(6, 3, 3, 5)))
    second = write_named(tmp_path / "a" / "a" / "m.h5", keras1(conv=(4, 3, 3, 5)))
    before = first.read_bytes()
    report = convert_tree(tmp_path / "a", tmp_path, direction="th-to-tf", jobs=1, force=True)
    text = f"would be written to {first}, which is one of the files to convert; give another folder"
    assert fates(report, tmp_path / "a") == {
        "a/m.h5": ("failed", text),
        "m.h5": ("converted", DONE.format(2, 276)),
    }
    assert (first.read_bytes(), second.exists()) == (before, True)


def test_what_was_taken_for_granted_is_warned_of_when_all_is_done(tree, capfd):
    """In the process that was asked, file by file; the report has all notes."""
    with pytest.warns(ConversionWarning) as warned:
        report = convert(tree)
    assert [str(one.message) for one in warned] == [
        f"{found.source}: {BY_NAMES_IN_PYTHON}" for found in report.files
    ]
    assert {found.notes for found in report.files} == {(BY_NAMES,)}
    assert {found.notes for found in convert(tree).files} == {(BY_NAMES,)}
    assert {one.filename for one in warned} == {__file__}
    assert capfd.readouterr().err == ""


def test_the_new_tree_may_lie_in_the_old_one(tree):
    """Its files are not taken for old ones; but the two may not be the same."""
    for _ in range(2):
        report = convert_tree(tree, tree / "new", direction="th-to-tf", jobs=1)
        assert [found.source.name for found in report.files] == ["a.h5", "b.hdf5"]
    with pytest.raises(ArgumentError) as refused:
        convert_tree(tree, tree / "deep" / "..", direction="th-to-tf")
    assert str(refused.value) == f"{tree / 'deep' / '..'}: the new files need a folder of their own"


def test_arguments_are_checked(tree, tmp_path):
    """Before any process is started."""
    with pytest.raises(ArgumentError, match=r"a\.h5: not a folder$"):
        convert_tree(tree / "a.h5", tmp_path / "new", direction="th-to-tf")
    with pytest.raises(ArgumentError, match=r"^jobs must be 1 or more, not 0$"):
        convert_tree(tree, tmp_path / "new", direction="th-to-tf", jobs=0)


def test_a_result_is_one_line(tmp_path):
    """For the report while it runs."""
    result = trees.FileResult(source=tmp_path / "a.h5", status="failed", detail="why", bytes=3)
    assert str(result) == f"failed: {tmp_path / 'a.h5'}: why"
    assert result.as_dict() == {
        "source": str(tmp_path / "a.h5"),
        "status": "failed",
        "target": None,
        "detail": "why",
        "bytes": 3,
        "notes": [],
    }


@pytest.fixture
def models(tmp_path):
    """Return a folder with whole models, one in two files, weights alone, and what is no model."""
    folder = tmp_path / "old"
    (folder / "deep").mkdir(parents=True)
    samples = DIALECTS / "keras122_theano_th"
    shutil.copy(samples / "conv1d.model.h5", folder / "whole.h5")
    shutil.copy(samples / "gru_consume_cpu.json", folder / "deep" / "apart.json")
    shutil.copy(samples / "gru_consume_cpu.weights.h5", folder / "deep" / "apart_weights.h5")
    shutil.copy(samples / "conv1d.weights.h5", folder / "alone.h5")
    config = chain(layer("Lambda", "code", function=["x", None, None]), shape=(4,))
    write_model(folder / "refused.h5", config)
    (folder / "notes.txt").write_text("nothing")
    return folder


def test_a_tree_of_models_is_upgraded(models):
    """Each by itself, with its configuration where that lies beside it; what is done is not done again."""
    report = upgrade_tree(models, models.parent / "new", jobs=2)
    told = fates(report, models)
    assert {name: status for name, (status, _) in told.items()} == {
        "alone.h5": "skipped",
        "deep/apart.json": "skipped",
        "deep/apart_weights.h5": "converted",
        "notes.txt": "skipped",
        "refused.h5": "failed",
        "whole.h5": "converted",
    }
    assert told["alone.h5"][1] == "holds weights alone, and no alone.json lies beside it"
    assert told["notes.txt"][1] == told["deep/apart.json"][1] == "not a model"
    assert told["refused.h5"][1].startswith("cannot be upgraded: layer 'code' (Lambda): it holds code")
    new = models.parent / "new"
    made = sorted(str(path.relative_to(new)) for path in new.rglob("*") if path.is_file())
    assert made == ["deep/apart.keras", "whole.keras"]
    again = upgrade_tree(models, new, jobs=2)
    assert (again.count("done before"), again.count("converted")) == (2, 0)
    turned = upgrade_tree(models, new, jobs=2, data_format="channels_last")
    assert turned.count("done before") == 2  # sequences have no order that could be turned


def test_two_models_are_not_written_to_one_place(models):
    """The user says which of them may have it."""
    shutil.copy(models / "whole.h5", models / "whole.hdf5")
    told = fates(upgrade_tree(models, models.parent / "new", jobs=2), models)
    new = models.parent / "new" / "whole.keras"
    assert told["whole.h5"] == (
        "failed",
        f"would be written to {new}, and so would {models / 'whole.hdf5'}; rename all but one, or upgrade it"
        f" by itself: zoo upgrade {models / 'whole.h5'} NEW",
    )
