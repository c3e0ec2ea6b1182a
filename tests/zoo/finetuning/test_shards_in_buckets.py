"""Images in a bucket, weights in a bucket, features into a bucket: those of one machine, bit for bit."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tests.support.buckets import fill, objects
from zoo.cli import main
from zoo.errors import ArgumentError, CacheError, TargetError
from zoo.finetuning import shard_tasks, shards
from zoo.finetuning.runs import load_classifier
from zoo.finetuning.shard_files import read_shard
from zoo.finetuning.shards import INDEX, feature_shards
from zoo.storage.destinations import Bucket

NAME = "mobilenet_0.25"


pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Three images a shard; the threads of this process stay as they are."""
    monkeypatch.setattr(shards, "ROWS", 3)
    monkeypatch.setattr(shard_tasks, "_compute_with_one_thread", lambda: None)


def drawn(number):
    """Return the file of a small image."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (40, 30, 3), np.uint8)).save(file, "png")
    return file.getvalue()


FILES = {f"{'ab'[number % 2]}/{number}.png": drawn(number) for number in range(7)} | {
    "a/2.png": b"no picture"
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a file with weights of the network."""
    path = tmp_path_factory.mktemp("weights") / "own.weights.h5"
    load_classifier(NAME, 1000, size=(32, 32), weights=None).save_weights(path)
    return path


def written(photos, out, **options):
    """Write features, in threads of this process."""
    with ThreadPoolExecutor(2) as executor:
        return feature_shards(NAME, photos, out, executor=executor, input_size=32, **options)


def rows(place, files):
    """Return what the files of a folder hold, without the folder of the images."""
    read = [read_shard(f"{place}/{name}") for name in files]
    return [
        (name.rpartition("photos/")[2], label, vector.tobytes())
        for one in read
        for name, label, vector in zip(one.names, one.labels, one.features, strict=True)
    ] + [(name.rpartition("photos/")[2], error) for one in read for name, error in one.failed]


def test_all_in_buckets_gives_what_one_machine_gives(weights, tmp_path):
    """Images, weights and features; what is there is taken, and what is damaged made anew."""
    for name, content in FILES.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    here = written(tmp_path / "photos", tmp_path / "out", weights=str(weights))
    place = "s3://shards-all"
    photos = fill(f"{place}/photos", FILES)
    fill(f"{place}/weights", {weights.name: weights.read_bytes()})
    options = {"weights": f"{place}/weights/{weights.name}"}
    there = written(photos, f"{place}/out/", **options)
    assert (str(there), there.classes, there.failed) == (str(here), here.classes, here.failed)
    assert there.folder == f"{place}/out"
    assert rows(f"{place}/out", there.files) == rows(here.folder, here.files)
    before = objects(f"{place}/out")
    assert sorted(before) == sorted([*there.files, INDEX])
    assert json.loads(before[INDEX])["data"] == photos
    fill(f"{place}/out", {there.files[1]: before[there.files[1]][:-9]})
    again = written(photos, f"{place}/out", **options)
    assert (again.taken, again.files) == (2, there.files)
    assert objects(f"{place}/out") == before
    fill(photos, {"b/5.png": drawn(11)})
    changed = written(photos, f"{place}/out", **options)
    assert changed.taken == 2
    assert sorted(objects(f"{place}/out")) == sorted([*changed.files, INDEX])


def test_an_upload_that_breaks_costs_its_shard(monkeypatch):
    """It is told; the next call goes on where it was, and nothing half is there."""
    photos, out = fill("s3://shards-broken/photos", FILES), "s3://shards-broken/out"
    put, broken = Bucket.put, []

    def breaking(self, name, *rest):
        if name.startswith("shard-000001") and not broken:
            broken.append(name)
            raise CacheError(f"{self.name(name)}: the bucket refuses: Broken pipe")
        return put(self, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "put", breaking)
        with pytest.raises(shards.ShardsError) as caught:
            written(photos, out, weights=None)
    assert str(caught.value) == (
        f"1 of 3 shards could not be computed; the first, {photos}/a/6.png to {photos}/b/3.png: "
        f"{out}/{broken[0]}: the bucket refuses: Broken pipe; all others are kept: do the same again"
    )
    assert len(objects(out)) == 3
    assert written(photos, out, weights=None).taken == 2


def test_a_folder_of_something_else_stays_as_it_is():
    """As on a disk."""
    photos = fill("s3://shards-others/photos", FILES)
    with pytest.raises(TargetError) as caught:
        written(photos, photos, weights=None)
    assert str(caught.value) == (
        f"{photos}: holds 'a', which is no file of features; name a folder of their own"
    )
    out = "s3://shards-others/out"
    written(photos, out, weights=None)
    with pytest.raises(TargetError, match=rf"^{out}/{INDEX}: tells of features of {photos} by {NAME}, comp"):
        written(photos, out, weights=None, fit="pad")


def test_where_nothing_can_be_written_is_told():
    """No bucket; a web server; a single file."""
    photos = fill("s3://shards-refused/photos", FILES)
    with pytest.raises(CacheError) as caught:
        written(photos, "s3://shards-nowhere/out", weights=None)
    text = "the bucket refuses: The specified bucket does not exist"
    assert str(caught.value) == f"s3://shards-nowhere/out/{INDEX}: {text}"
    with pytest.raises(ArgumentError) as refused:
        written(photos, "https://me:secret@example.org/out", weights=None)
    text = "nothing is written there; name a folder, or a bucket (s3://, gs://)"
    assert str(refused.value) == f"https://example.org/out: {text}"


def test_one_file_is_not_written_to_a_bucket(capsys):
    """The command says how a folder is."""
    assert main(["features", NAME, "photos", "--out", "s3://bucket/features.npz"]) == 2
    text = "features go to a folder there: write a / behind it"
    assert f"--out s3://bucket/features.npz: {text}" in capsys.readouterr().err
