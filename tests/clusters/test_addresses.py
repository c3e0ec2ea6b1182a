"""Workers of a Dask scheduler bring what lies in a bucket and send what they make: the same as alone."""

from __future__ import annotations

import io
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.trees import convert_tree, upgrade_tree
from converters.writing.journal import NAME
from tests.support.buckets import fill, objects
from tests.support.clusters import dask_cluster
from tests.support.paths import DIALECTS
from tests.support.weight_files import keras1, write_named
from zoo.cli import main
from zoo.files.places import place_at
from zoo.finetuning import shards
from zoo.finetuning.runs import load_classifier
from zoo.finetuning.shard_files import read_shard
from zoo.finetuning.shards import INDEX, feature_shards
from zoo.work.engines import engine

NETWORK = "mobilenet_0.25"


pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture(scope="module")
def cluster(s3: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a scheduler whose workers know the bucket."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as address:
        yield address


@pytest.fixture(scope="module", autouse=True)
def _small_shards() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "ROWS", 10)
        yield


def content(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def drawn(number: int) -> bytes:
    """Return the file of a small picture."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (20, 28, 3), np.uint8)).save(file, "png")
    return file.getvalue()


PHOTOS = {f"class{number % 2}/{number:03d}.png": drawn(number) for number in range(50)} | {
    "class1/500.png": b"no picture"
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with weights of the network."""
    path = tmp_path_factory.mktemp("weights") / "own.weights.h5"
    load_classifier(NETWORK, 1000, size=(32, 32), weights=None).save_weights(path)
    return path


@pytest.fixture(scope="module")
def alone(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """Return the rows that one process of this machine computes of files of this machine."""
    folder = tmp_path_factory.mktemp("alone")
    for name, picture in PHOTOS.items():
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    options = {"weights": str(weights), "input_size": 32}
    with engine("local:1") as executor:
        found = feature_shards(NETWORK, folder / "photos", folder / "out", executor=executor, **options)
    return rows(str(found.folder), found.files)


def rows(place: str, names: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Return what files of features hold, without the folder of the pictures."""
    read = [read_shard(f"{place}/{name}") for name in names]
    return [
        (name.rpartition("photos/")[2], label, vector.tobytes())
        for one in read
        for name, label, vector in zip(one.names, one.labels, one.features, strict=True)
    ] + [(name.rpartition("photos/")[2], error) for one in read for name, error in one.failed]


@pytest.mark.parametrize("format", ["npz", "parquet"])
def test_features_in_a_bucket_are_those_of_one_machine(format, cluster, weights, alone):
    """Pictures, weights and features; a worker is killed, and what is there is taken by the next run."""
    place, seen = f"s3://cluster-{format}", []
    photos = fill(f"{place}/photos", PHOTOS)
    fill(f"{place}/weights", {weights.name: weights.read_bytes()})
    options = {"weights": f"{place}/weights/{weights.name}", "input_size": 32, "format": format}

    def kill(count, total, what):
        if count and not seen:
            with engine(cluster) as client:
                seen.append(client.submit(os.getpid).result())
            os.kill(seen[0], signal.SIGKILL)

    with engine(cluster) as executor:
        found = feature_shards(NETWORK, photos, f"{place}/out", executor=executor, progress=kill, **options)
        assert len(seen) == 1
        before = objects(f"{place}/out")
        again = feature_shards(NETWORK, photos, f"{place}/out", executor=executor, **options)
    assert sorted(before) == sorted([*found.files, INDEX])
    assert (again.taken, again.files) == (len(found.files), found.files)
    assert objects(f"{place}/out") == before
    assert rows(f"{place}/out", found.files) == alone


def test_the_command_gives_the_same_by_processes_of_this_machine(weights, alone, capsys):
    """The path that it prints is the URL."""
    place = "s3://cluster-command"
    photos = fill(f"{place}/photos", PHOTOS)
    fill(f"{place}/weights", {weights.name: weights.read_bytes()})
    command = ["features", NETWORK, photos, "--out", f"{place}/out/", "--cluster", "local:2"]
    assert main([*command, "--weights", f"{place}/weights/{weights.name}", "--input-size", "32"]) == 0
    assert capsys.readouterr().out == f"{place}/out\n"
    names = tuple(sorted(name for name in objects(f"{place}/out") if name != INDEX))
    assert rows(f"{place}/out", names) == alone


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of weights files; one of them is none."""
    folder = tmp_path_factory.mktemp("old")
    for number in range(6):
        (folder / str(number % 2)).mkdir(parents=True, exist_ok=True)
        write_named(folder / str(number % 2) / f"{number}.h5", keras1(conv=(4 + number, 2, 3, 3)))
    (folder / "bad.h5").write_text("<!DOCTYPE html>")
    return folder


@pytest.mark.parametrize("where", ["dask", "pool"])
def test_trees_in_a_bucket_are_converted_as_on_one_machine(where, cluster, old, tmp_path):
    """By workers that bring and send their files; what is done is not done again."""
    here = convert_tree(old, tmp_path / "new", direction="th-to-tf", jobs=1)
    place = f"s3://trees-{where}"
    start, end = place_at(fill(f"{place}/old", content(old))), place_at(f"{place}/new", new=True)
    pool = engine(cluster) if where == "dask" else ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    with pool as executor:
        there = convert_tree(start, end, direction="th-to-tf", executor=executor)
        again = convert_tree(start, end, direction="th-to-tf", executor=executor)
    assert [(one.status, one.detail) for one in there.files] == [
        (one.status, one.detail) for one in here.files
    ]
    assert [str(one.source) for one in there.files] == [
        f"{place}/old/{one.source.relative_to(old)}" for one in here.files
    ]
    assert again.count("done before") == here.count("converted") == 6
    written = objects(f"{place}/new")
    assert written.pop(NAME)
    assert written == content(tmp_path / "new")


def test_commands_take_addresses_and_a_cluster(cluster, old, tmp_path, capsys):
    """Of trees of weights and of models; the exit code tells of the file that failed."""
    convert_tree(old, tmp_path / "new", direction="th-to-tf", jobs=1)
    place = "s3://trees-commands"
    fill(f"{place}/old", content(old))
    command = ["convert", f"{place}/old/", f"{place}/new/", "--th-to-tf", "--cluster", cluster]
    assert main(command) == 1
    assert f"zoo: failed: {place}/old/bad.h5: not an HDF5 file" in capsys.readouterr().err
    written = objects(f"{place}/new")
    assert written.pop(NAME)
    assert written == content(tmp_path / "new")
    models = tmp_path / "models"
    models.mkdir()
    for sample in (DIALECTS / "keras122_theano_th").glob("conv*.model.h5"):
        shutil.copy(sample, models)
    upgrade_tree(models, tmp_path / "upgraded", jobs=1)
    fill(f"{place}/models", content(models))
    command = ["upgrade", f"{place}/models/", f"{place}/upgraded/", "--cluster", cluster]
    assert main(command) == 0
    written = objects(f"{place}/upgraded")
    assert written.pop(NAME)
    assert written == content(tmp_path / "upgraded")
