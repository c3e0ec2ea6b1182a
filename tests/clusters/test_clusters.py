"""A Dask scheduler with two workers on loopback gives what one machine gives alone, to the bit."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import active_children, get_context
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.trees import convert_tree, upgrade_tree
from tests.support.clusters import dask_cluster, dask_scheduler, running, waited_for
from tests.support.paths import DIALECTS
from tests.support.weight_files import keras1, write_named
from zoo.cli import main
from zoo.errors import ArgumentError
from zoo.finetuning import shards
from zoo.finetuning.shard_files import read_shard
from zoo.finetuning.shards import feature_shards
from zoo.work.engines import engine
from zoo.work.tasks import EngineError, outcomes

NETWORK = {"weights": None, "input_size": 32}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a scheduler with two workers."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as address:
        yield address


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of small pictures of two classes; one of them is damaged."""
    folder = tmp_path_factory.mktemp("photos")
    drawn = np.random.default_rng(0)
    for number in range(90):
        path = folder / f"class{number % 2}" / f"{number:03d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(drawn.integers(0, 256, (20, 28, 3), np.uint8)).save(path)
    (folder / "class1" / "500.png").write_text("no picture")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _small_shards() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "ROWS", 10)
        yield


def written(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def alone(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the features that one process of this machine computes."""
    out = tmp_path_factory.mktemp("alone") / "features"
    with engine("local:1") as executor:
        found = feature_shards("mobilenet_0.25", photos, out, executor=executor, **NETWORK)
    assert (found.rows, found.failed, len(found.files)) == (90, 1, 10)
    assert found.classes == {"class0": 45, "class1": 45}
    return out


def test_features_are_those_of_one_machine(cluster, photos, alone, tmp_path):
    """Each file and the index, byte for byte; the damaged picture is named in its file."""
    out = tmp_path / "features"
    command = ["features", "mobilenet_0.25", str(photos), "--out", f"{out}/", "--cluster", cluster]
    assert main([*command, "--weights", "none", "--input-size", "32"]) == 0
    assert written(out) == written(alone)
    failed = [one for path in sorted(out.glob("*.npz")) for one in read_shard(path).failed]
    assert failed == [(str(photos / "class1" / "500.png"), "no image in a known format, but text")]


def test_any_pool_gives_the_same(photos, alone, tmp_path):
    """One of the standard library, of two processes."""
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as executor:
        feature_shards("mobilenet_0.25", photos, tmp_path / "out", executor=executor, **NETWORK)
    assert written(tmp_path / "out") == written(alone)


@pytest.mark.parametrize("where", ["local:2", "dask"])
def test_a_killed_worker_costs_its_shard(where, cluster, photos, alone, tmp_path):
    """Killed in the middle; what is there is taken afterwards, and what was damaged is made anew."""
    out, seen = tmp_path / "features", []

    def kill(count, total, what):
        if count and not seen:
            with engine(cluster) as client:
                victim = client.submit(os.getpid).result() if where == "dask" else youngest()
            seen.append(victim)
            os.kill(victim, signal.SIGKILL)

    with engine(cluster if where == "dask" else where) as executor:
        found = feature_shards("mobilenet_0.25", photos, out, executor=executor, progress=kill, **NETWORK)
        assert len(seen) == 1
        assert found.taken == 0  # though Dask asks again for what the dead worker had written
        assert written(out) == written(alone)
        damaged = out / found.files[3]
        damaged.write_bytes(damaged.read_bytes()[:-100])
        (out / found.files[5]).unlink()
        again = feature_shards("mobilenet_0.25", photos, out, executor=executor, **NETWORK)
    assert again.taken == len(found.files) - 2
    assert written(out) == written(alone)


def youngest() -> int:
    """Return a worker that this process started."""
    return max(one.pid for one in active_children() if one.pid is not None)


def test_parquet_is_read_by_arrow(photos, alone, tmp_path):
    """The same rows, under names that say what they are."""
    from pyarrow import dataset

    with engine("local:1") as executor:
        found = feature_shards(
            "mobilenet_0.25", photos, tmp_path / "out", format="parquet", executor=executor, **NETWORK
        )
    table = dataset.dataset([str(found.folder / name) for name in found.files], format="parquet").to_table()
    same = [np.load(path) for path in sorted(alone.glob("*.npz"))]
    assert table["name"].to_pylist() == [name for one in same for name in one["names"].tolist()]
    assert table["label"].to_pylist() == [name for one in same for name in one["labels"].tolist()]
    features = np.stack(table["features"].to_numpy())
    assert np.array_equal(features, np.concatenate([one["features"] for one in same]))


def test_parquet_leaves_out_what_is_named_by_no_text(photos, tmp_path):
    """Its columns hold UTF-8 alone; the others of that file are there."""
    some = tmp_path / "photos"
    shutil.copytree(photos / "class0", some)
    lost = os.fsencode(some) + b"/bad\xff.png"
    next(some.iterdir()).rename(os.fsdecode(lost))
    with engine("local:1") as executor:
        options = {"format": "parquet", "executor": executor, **NETWORK}
        found = feature_shards("mobilenet_0.25", some, tmp_path / "out", **options)
    assert (found.rows, found.failed) == (44, 1)
    failed = [one for name in found.files for one in read_shard(found.folder / name).failed]
    assert [os.fsencode(name) for name, _ in failed] == [lost]


def test_trees_are_converted_and_upgraded_as_by_one_machine(cluster, tmp_path):
    """File by file, failures among them."""
    old, models = tmp_path / "old", tmp_path / "models"
    for number in range(6):
        (old / str(number % 2)).mkdir(parents=True, exist_ok=True)
        write_named(old / str(number % 2) / f"{number}.h5", keras1(conv=(4 + number, 2, 3, 3)))
    (old / "bad.h5").write_text("<!DOCTYPE html>")
    models.mkdir()
    for sample in (DIALECTS / "keras122_theano_th").glob("*.model.h5"):
        shutil.copy(sample, models)
    trees = ((convert_tree, old, {"direction": "th-to-tf"}), (upgrade_tree, models, {}))
    with engine(cluster) as executor:
        for work, source, options in trees:
            alone, shared = tmp_path / f"{source.name}-alone", tmp_path / f"{source.name}-shared"
            one = work(source, alone, jobs=1, **options)
            other = work(source, shared, executor=executor, **options)
            assert [(file.status, file.detail) for file in one.files] == [
                (file.status, file.detail) for file in other.files
            ]
            assert one.count("converted") > 0
            assert written(alone) == written(shared)


def test_a_scheduler_that_goes_away_is_told_in_one_line(tmp_path):
    """Dask's own log, whole stacks of it, is not heard."""
    import distributed  # noqa: F401 - which sets how much it logs

    heard, listener, log = [], logging.Handler(), logging.getLogger("distributed.client")
    listener.emit = heard.append
    log.addHandler(listener)
    try:
        with dask_cluster(tmp_path) as address, engine(address) as executor:
            scheduler = executor._client.run_on_scheduler(os.getpid)

            def tasks():
                yield 600
                os.kill(scheduler, signal.SIGKILL)

            with pytest.raises(EngineError, match=r"it has cancelled them: its scheduler is gone"):
                next(outcomes(executor, time.sleep, tasks()))
    finally:
        log.removeHandler(listener)
    assert heard == []
    assert log.level < logging.CRITICAL


def test_no_scheduler_is_told(monkeypatch):
    """With how to start one."""
    monkeypatch.setattr("zoo.work.engines._PATIENCE", 0.2)
    expected = r"no Dask scheduler answers there .*start one with `dask scheduler`"
    with pytest.raises(ArgumentError, match=expected), engine("dask://127.0.0.1:9"):
        pass


def test_a_scheduler_without_workers_is_told(tmp_path, caplog):
    """With how to start one; whoever comes later is waited for."""
    with dask_scheduler(tmp_path / "scheduler.json") as address, engine(address):
        pass
    worker = address.replace("dask://", "tcp://")
    assert [one.getMessage() for one in caplog.records if one.name.startswith("zoo")] == [
        f"cluster {address!r}: has no workers, and waits for one: `dask worker {worker}`"
    ]


def certified(folder: Path) -> dict[str, str]:
    """Make an authority and a certificate of it for this machine; return what tells Dask of them."""
    made = {
        name: str(folder / f"{name}.pem") for name in ("authority", "authority-key", "key", "certificate")
    }
    request = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    authority = ("-subj", "/CN=authority", "-keyout", made["authority-key"], "-out", made["authority"])
    own = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made["key"])
    signed = ("-CA", made["authority"], "-CAkey", made["authority-key"], "-out", made["certificate"])
    for rest in (authority, (*own, *signed)):
        subprocess.run([*request, *rest], check=True, capture_output=True)
    prefix = "DASK_DISTRIBUTED__COMM__TLS__"
    roles = ("SCHEDULER", "WORKER", "CLIENT")
    return {
        f"{prefix}CA_FILE": made["authority"],
        **{f"{prefix}{role}__CERT": made["certificate"] for role in roles},
        **{f"{prefix}{role}__KEY": made["key"] for role in roles},
    }


def test_tls_lets_in_who_has_a_certificate(tmp_path, monkeypatch):
    """One that the scheduler's authority has signed; anyone else is told why nothing answers."""
    import dask
    import distributed  # noqa: F401 - which adds its own settings

    told, settings = tmp_path / "scheduler.json", certified(tmp_path)
    with ExitStack() as stack:
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            common = ("--no-dashboard", "--protocol", "tls", "--host")
            start = (
                "dask_scheduler",
                *common,
                "tls://127.0.0.1",
                "--port",
                "0",
                "--scheduler-file",
                str(told),
            )
            stack.enter_context(running(*start))
            waited_for(told)
            address = json.loads(told.read_text("utf-8"))["address"]
            worker = ("dask_worker", *common, "tls://127.0.0.1", "--nthreads", "1")
            stack.enter_context(running(*worker, "--local-directory", str(tmp_path), address))
            client = {
                f"distributed.comm.tls.{name}": settings[f"DASK_DISTRIBUTED__COMM__TLS__{variable}"]
                for name, variable in (
                    ("ca-file", "CA_FILE"),
                    ("client.cert", "CLIENT__CERT"),
                    ("client.key", "CLIENT__KEY"),
                )
            }
            with dask.config.set(client), engine(address) as executor:
                assert executor.submit(abs, -3).result() == 3
        monkeypatch.setattr("zoo.work.engines._PATIENCE", 2)
        for scheme, reason in (("tls", "check your TLS configuration"), ("dask", "<TCP")):
            expected = rf"no Dask scheduler answers there .*{reason}"
            with pytest.raises(ArgumentError, match=expected), engine(address.replace("tls", scheme)):
                pass
