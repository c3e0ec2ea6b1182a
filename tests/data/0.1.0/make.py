"""Write what version 0.1.0 leaves behind; run in a checkout of that version, see README.md beside it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

TARGET, SAMPLES = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
FLATTEN = {"dense_1": (6, 3, 4)}
os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}


class PulledPlugError(Exception):
    """The end of a process, for which nothing is prepared."""


def pull_plug(*_: object) -> None:
    """End what is going on."""
    raise PulledPlugError


def cache() -> None:
    """A cache with two weights files, a converted copy, a class index, a refused file and half a download."""
    from tests.downloads import IMPATIENT, fetch
    from tests.hosts import FaultyServer
    from tests.raw_host import RawHost, half
    from tests.world import DRIVE, INDEX_URL, RELEASE, World, tiny_arrays, write_h5
    from zoo.download.failures import SourceError
    from zoo.errors import DownloadError
    from zoo.fetching import Fetcher
    from zoo.records import ClassIndex

    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        index = world.folder / "index.json"
        index.write_text('{"0": ["n01440764", "tench"]}')
        world.server = FaultyServer({**world.served, INDEX_URL: index})
        with world.server:
            world.resolve(world.published("th", DRIVE))
            unpublished = replace(world.file("tf", RELEASE), id="tiny-unpublished")
            kept = world.resolve(unpublished).path
            Fetcher(world.cache).class_index(
                ClassIndex(
                    name="tiny", classes=1, bytes=None, digests=(), urls=(world.server.local(INDEX_URL),)
                )
            )
            body = kept.read_bytes()
            kept.unlink()
            write_h5(world.tf, tiny_arrays(seed=1))
            try:
                world.resolve(unpublished)
            except DownloadError:
                kept.write_bytes(body)
        with RawHost(half) as host, suppress(SourceError):
            fetch(host.url, world.cache.partials, limits=IMPATIENT)
        for lock in world.cache.home.rglob("*.lock"):
            lock.unlink()
        world.cache.home.rename(TARGET / "home")


def runs() -> None:
    """A finished run and one that was killed in its third epoch."""
    from tests.small_network import OPTIONS, divided_digits, small_network
    from zoo import finetuning
    from zoo.finetuning import job

    train, valid = divided_digits(40)
    options = {**OPTIONS, "epochs": 4, "patience": 9, "seed": 3}
    kept = {**options, "epochs": 2, "cache": TARGET / "features"}
    finetuning.head(small_network(), train, valid, out=TARGET / "finished", **kept)
    add, epochs = job.Logs.add, []

    def stop(logs: object, epoch: object) -> None:
        epochs.append(epoch)
        add(logs, epoch)
        if len(epochs) == 3:
            raise PulledPlugError

    job.Logs.add = stop
    with suppress(PulledPlugError):
        finetuning.train_all(small_network(), train, valid, out=TARGET / "interrupted", **options)
    for run in ("finished", "interrupted"):
        rmtree(TARGET / run / "logs", ignore_errors=True)
        for written in [*(TARGET / run).glob("*.png"), *(TARGET / run).glob("*.html")]:
            written.unlink()


def records() -> None:
    """Converted files of both layouts, two dialects and each container."""
    from converters import convert_file

    (TARGET / "converted").mkdir()
    old, rows = "keras122_theano_th/conv2d_flatten_dense_dense", {"flatten": FLATTEN}
    made = {
        "keras1_tf.h5": (f"{old}.weights.h5", {"direction": "th-to-tf", **rows}),
        "whole_model_tf.h5": (f"{old}.model.h5", {"direction": "th-to-tf"}),
        "keras2_kernels.h5": (
            "keras224_theano_cf/conv2d_dilated.weights.h5",
            {"from_layout": "th", "to_layout": "th", "to_kernels": "tf"},
        ),
        "keras2.h5": (f"{old}.weights.h5", {"to": "keras2", **rows}),
        "keras3.weights.h5": (f"{old}.weights.h5", {"to": "keras3", **rows}),
        "keras1.safetensors": (f"{old}.weights.h5", {"to": "safetensors", **rows}),
        "keras1.npz": (f"{old}.weights.h5", {"to": "npz", **rows}),
    }
    for name, (source, options) in made.items():
        convert_file(SAMPLES / source, TARGET / "converted" / name, **options)


def overlay() -> None:
    """An overlay as `zoo.practice.overlay` writes it, of one network and the class index."""
    from zoo.practice.overlay import _overlay
    from zoo.registry import architecture, get_registry

    network = architecture("vgg16")
    files = [replace(file, urls=(f"https://mirror.example.org/{file.filename}",)) for file in network.weights]
    index = replace(get_registry().class_indexes["imagenet"], urls=("https://mirror.example.org/index.json",))
    (TARGET / "overlay.yaml").write_text(_overlay({network.name: files}, [index]))


def mirror() -> None:
    """The index of a mirror."""
    from zoo.mirror import Held, write_index

    digest = "ab" * 32
    held = {"vgg16-tf": Held(sha256=digest, bytes=9, path=f"files/{digest}.h5")}
    (TARGET / "mirror.json").write_bytes(write_index(held))


for make in (cache, runs, records, overlay, mirror):
    make()
