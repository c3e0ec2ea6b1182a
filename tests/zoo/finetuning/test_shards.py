"""Features in files of a few rows: what is there is taken, what fails is named, what is others' stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.writing.files import temporary_name
from tests.support.executors import Twice
from zoo import __version__
from zoo.errors import ArgumentError, DataError, TargetError
from zoo.finetuning import shard_tasks, shards
from zoo.finetuning.data import as_pictures
from zoo.finetuning.listing import listed
from zoo.finetuning.shard_files import FORMATS, ShardContent, read_shard, write_shard
from zoo.finetuning.shards import INDEX, ShardsError, feature_shards
from zoo.work.processes import WorkerError

NAME = "mobilenet_0.25"
_ONES = np.ones(8, np.float32).tobytes()


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Three images a shard; the threads of this process stay as they are."""
    monkeypatch.setattr(shards, "ROWS", 3)
    monkeypatch.setattr(shard_tasks, "_compute_with_one_thread", lambda: None)


@pytest.fixture
def photos(tmp_path):
    """Return a folder with seven small images of two classes, one of which is damaged."""
    folder = tmp_path / "photos"
    for number in range(7):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (40, 30, 3), np.uint8)).save(path)
    (folder / "a" / "2.png").write_text("no picture")
    return folder


def written(photos, out, **options):
    """Write features, in threads of this process."""
    with ThreadPoolExecutor(2) as executor:
        settings = {"weights": None, "input_size": 32, "executor": executor, **options}
        return feature_shards(NAME, photos, out, **settings)


def rows(found):
    """Return all names, classes and features, from what others would read."""
    files = [np.load(found.folder / name) for name in found.files]
    return [np.concatenate([one[key] for one in files]) for key in ("names", "labels", "features")]


def test_a_folder_of_features_is_resumed_and_brought_up_to_date(photos, tmp_path):
    """Computed once; what is damaged or of another image is made anew, and what it was is removed."""
    said = []
    first = written(photos, tmp_path / "out", report=said.append)
    assert str(first) == "256 features of 6 images in 3 files"
    assert str(replace(first, width=1, rows=1, files=first.files[:1])) == "1 feature of 1 image in 1 file"
    assert (first.classes, first.failed, first.taken) == ({"a": 3, "b": 3}, 1, 0)
    assert [(one.file, one.problem) for one in said] == [
        (str(photos / "a" / "2.png"), "no image in a known format, but text")
    ]
    names, labels, values = rows(first)
    assert [one.removeprefix(f"{photos}/") for one in names] == [
        *("a/0.png", "a/4.png", "a/6.png", "b/1.png", "b/3.png", "b/5.png")
    ]
    assert labels.tolist() == ["a", "a", "a", "b", "b", "b"]
    before = {name: (first.folder / name).read_bytes() for name in first.files}
    (first.folder / first.files[0]).write_bytes(before[first.files[0]][:-9])
    again = written(photos, tmp_path / "out")
    assert again.taken == 2
    assert {name: (again.folder / name).read_bytes() for name in again.files} == before
    Image.new("RGB", (30, 40)).save(photos / "b" / "5.png")
    changed = written(photos, tmp_path / "out")
    assert (changed.taken, changed.files[:2]) == (2, first.files[:2])
    assert sorted(path.name for path in changed.folder.iterdir()) == sorted([*changed.files, INDEX])
    assert not np.array_equal(rows(changed)[2][-1], values[-1])


def test_a_shard_that_an_engine_has_written_twice_was_not_there_before(photos, tmp_path):
    """Dask asks again for what a worker had written that died before it told."""
    with Twice(2) as executor:
        assert written(photos, tmp_path / "out", executor=executor).taken == 0
        assert written(photos, tmp_path / "out", executor=executor).taken == 3


def test_what_another_run_is_writing_stays(photos, tmp_path):
    """Two into one folder at once each come to their end; what a killed one left is removed."""
    out = tmp_path / "out"
    files = written(photos, out).files
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    writing = {temporary_name(name) for name in (files[0], INDEX)}
    left = {name.replace(f".{os.getpid()}-", f".{process.pid}-") for name in writing}
    for name in writing | left:
        (out / name).write_bytes(b"half")
    assert written(photos, out).taken == 3
    assert {path.name for path in out.iterdir()} == {*files, INDEX, *writing}


def test_features_are_those_of_one_file(photos, tmp_path):
    """Images of 16 bits among them: their scale is that of all, though no worker sees all."""
    for number, brightest in enumerate((4095, 65535)):
        pixels = np.linspace(0, brightest, 1200).reshape(40, 30).astype(np.uint16)
        Image.fromarray(pixels).save(photos / "ab"[number] / "deep.png")
    found = written(photos, tmp_path / "out")
    told = shards.Network(name=NAME, size=(32, 32), weights=None, fit="crop", fused=False)
    network = shard_tasks._loaded(told)
    names, _, values = rows(found)
    pictures = as_pictures(photos, size=(32, 32), labelled=False)
    batch = np.zeros((shard_tasks.BATCH, 32, 32, 3), np.uint8)
    batch[: len(pictures)] = pictures.batch(range(len(pictures)), 32, 32)
    assert names.tolist() == list(pictures.names)
    assert np.allclose(values, network.run(batch)[: len(pictures)], atol=1e-5)
    assert np.ptp(values) > 0


def test_what_others_put_there_stays(photos, tmp_path):
    """A folder of something else, or of other features, is refused as it is."""
    with pytest.raises(TargetError) as caught:
        written(photos, photos)
    assert str(caught.value).endswith("which is no file of features; name a folder of their own")
    written(photos, tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(TargetError, match="computed in another way; name another folder"):
        written(photos, tmp_path / "out", fit="pad")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_shard_that_fails_is_named_and_the_others_stay(photos, tmp_path, monkeypatch):
    """The message says from which image to which; the next call computes that one."""
    compute = shard_tasks.compute

    def failing(shard):
        if shard.number == 1:
            raise MemoryError("too large")
        return compute(shard)

    with monkeypatch.context() as patch:
        patch.setattr(shard_tasks, "compute", failing)
        with pytest.raises(ShardsError) as caught:
            written(photos, tmp_path / "out")
    place = f"{photos / 'a' / '6.png'} to {photos / 'b' / '3.png'}"
    assert str(caught.value) == (
        f"1 of 3 shards could not be computed; the first, {place}: too large; "
        "all others are kept: do the same again"
    )
    assert json.loads((tmp_path / "out" / INDEX).read_bytes())["files"] is None
    assert written(photos, tmp_path / "out").taken == 2


class Deadly(ThreadPoolExecutor):
    """Gives up what reads one of some images, as if each process had been killed that did."""

    names: tuple[str, ...]

    def submit(self, function, task):
        """Run a task, but one that would be its process' end."""
        read = {Path(one.name).name for one in getattr(task, "pictures", ())}
        left_out = {Path(name).name for name in getattr(task, "deadly", ())}
        if (read - left_out) & set(self.names):
            future = Future()
            future.set_exception(WorkerError("killed"))
            return future
        return super().submit(function, task)


@pytest.mark.parametrize("names", [("4.png",), ("0.png", "6.png", "5.png"), ("1.png", "2.png", "3.png")])
def test_an_image_that_ends_processes_is_named_and_costs_no_other(names, photos, tmp_path):
    """All others have the features that they have without it; the next call takes what is there."""
    said = []
    with Deadly(2) as executor:
        executor.names = names
        found = written(photos, tmp_path / "out", executor=executor, report=said.append)
    told = {Path(one.file).name for one in said if one.problem == "ends the process that reads it"}
    assert told == set(names)
    expected = zip(*rows(written(photos, tmp_path / "whole")), strict=True)
    same = [(name, vector.tobytes()) for name, _, vector in expected if Path(name).name not in names]
    got = [(name, vector.tobytes()) for name, _, vector in zip(*rows(found), strict=True)]
    assert [name for name, _ in got] == [name for name, _ in same]
    again = written(photos, tmp_path / "out")
    assert (again.taken, again.files) == (3, found.files)


def test_a_machine_that_ends_all_processes_is_no_fault_of_images(photos, tmp_path, monkeypatch):
    """Where more images than a few end them, the shards are named."""
    monkeypatch.setattr(shards, "ROWS", 7)
    with Deadly(2) as executor, pytest.raises(ShardsError, match=r"1 of 1 shard .*5\.png: killed;"):
        executor.names = tuple(f"{number}.png" for number in range(7))
        written(photos, tmp_path / "out", executor=executor)


def test_an_image_that_takes_too_much_memory_fails_alone(photos, tmp_path, monkeypatch):
    """It is named, and the others of its shard have features."""
    see = shard_tasks.see_picture

    def large(path, depth):
        if path.name == "4.png":
            raise MemoryError
        return see(path, depth)

    monkeypatch.setattr(shard_tasks, "see_picture", large)
    said = []
    assert written(photos, tmp_path / "out", report=said.append).rows == 5
    assert (str(photos / "a" / "4.png"), "takes more memory than there is") in {
        (one.file, one.problem) for one in said
    }


def test_a_worker_with_another_network_computes_nothing(photos, tmp_path, monkeypatch):
    """Its features would stand among those of the others."""
    describe = shard_tasks.describe
    monkeypatch.setattr(
        shard_tasks, "describe", lambda one: shards.Described(digest="0", width=describe(one).width)
    )
    with pytest.raises(ShardsError, match=r"this worker's mobilenet_0\.25 is another one"):
        written(photos, tmp_path / "out")


def test_a_worker_of_another_version_says_nothing_of_a_network(photos, tmp_path, monkeypatch):
    """What the folder is for would be written down in its words, and refused the next time."""
    described = shards.Described(digest="0", width=256, version="9.0")
    monkeypatch.setattr(shard_tasks, "describe", lambda one: described)
    with pytest.raises(ArgumentError) as caught:
        written(photos, tmp_path / "out")
    assert str(caught.value) == f"a worker has zoo 9.0, not {__version__}: install the same everywhere"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("own.h5", "HERE/own.h5"),
        (Path("own"), "HERE/own"),
        ("imagenet", "imagenet"),
        (None, None),
        ("s3://bucket/own.h5", "s3://bucket/own.h5"),
    ],
)
def test_weights_are_named_as_workers_find_them(given, sent, photos, tmp_path, monkeypatch):
    """Who runs in another folder finds a file by its whole path alone."""
    asked = []
    described = shards.Described(digest="0", width=256, version="9.0")
    monkeypatch.setattr(shard_tasks, "describe", lambda one: asked.append(one.weights) or described)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match="install the same everywhere"):
        written(photos, tmp_path / "out", weights=given)
    assert asked == [sent and sent.replace("HERE", str(tmp_path))]


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_name_that_is_no_text_costs_no_other(is_kept, photos, tmp_path, monkeypatch):
    """Where the files' format cannot hold it, as Parquet, the picture is left out, and named."""
    monkeypatch.setitem(FORMATS, "npz", replace(FORMATS["npz"], bytes_as_names=is_kept))
    name = os.fsdecode(os.fsencode(photos / "a") + b"/\xff.png")
    (photos / "a" / "0.png").rename(name)
    said = []
    found = written(photos, tmp_path / "out", report=said.append)
    problems = {one.file: one.problem for one in said}
    why = "its name or class is no text in UTF-8, as npz needs: rename it, or take npz"
    assert problems.get(name) == (None if is_kept else why)
    assert found.rows == 7 - len(problems)
    assert written(photos, tmp_path / "out").taken == 3


def test_a_table_lists_its_pictures_line_by_line(photos):
    """One that is not there, and a line that lacks something, are told when their turn comes."""
    table = photos / "all.csv"
    table.write_text("file,label\na/0.png,x\n1.png,b\nlost.png,x\n,x\n", "utf-8")
    found = list(listed(str(table)))
    assert [(one.name, one.label, one.problem) for one in found] == [
        (str(photos / "a" / "0.png"), "x", ""),
        (str(photos / "b" / "1.png"), "b", ""),
        (str(photos / "lost.png"), "x", "there is no such file"),
        (f"{table}, line 5", "", "lacks a file or a label"),
    ]


def test_hidden_files_runs_and_rounds_are_passed_over(photos):
    """As where all images are read first."""
    (photos / "run").mkdir()
    (photos / "run" / "run.json").write_text("{}")
    for name in ("run/plot.png", ".hidden.png", "a/.x.png"):
        (photos / name).write_bytes(b"")
    (photos / "b" / "round").symlink_to(photos)
    (photos / "a" / "notes.txt").write_text("words")
    assert [one.name.removeprefix(f"{photos}/") for one in listed(str(photos))] == [
        *("a/0.png", "a/2.png", "a/4.png", "a/6.png", "b/1.png", "b/3.png", "b/5.png")
    ]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-5], lambda data: b"", lambda data: data.replace(_ONES, _ONES[::-1])]
)
def test_a_file_that_is_not_as_it_was_written_is_none(damage, tmp_path):
    """Cut, empty or changed."""
    content = ShardContent(
        names=["a"],
        labels=["x"],
        features=np.ones((1, 8), np.float32),
        failed=[("b", "why")],
        facts={"key": "k"},
    )
    path = tmp_path / "shard.npz"
    write_shard(str(path.parent), path.name, content)
    found = read_shard(path)
    assert found is not None and found.sha256 == content.sha256 and found.failed == [("b", "why")]
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert read_shard(path) is None
    path.write_bytes(whole)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "features": 2 * arrays["features"]})  # a whole file, of other values
    assert read_shard(path) is None


def test_what_is_asked_for_is_checked_first(photos, tmp_path):
    """Before any worker has anything to do."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no images"):
        written(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ArgumentError) as caught:
        written(photos, tmp_path / "out", format="csv")
    assert str(caught.value) == "format='csv': must be 'npz' or 'parquet'"
    assert not (tmp_path / "out").exists()
