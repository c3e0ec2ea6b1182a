"""A network of two layers, its files on a server that can misbehave, and an empty cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.support.downloads import FakeClock
from tests.support.hosts import FaultyServer
from zoo.download.asking import TransferLimits
from zoo.fetching.fetcher import Fetched, Fetcher
from zoo.registry.records import (
    Accuracy,
    Architecture,
    Digest,
    Graph,
    Head,
    Input,
    Layout,
    Paper,
    Preprocessing,
    WeightsFile,
)
from zoo.storage.cache import Cache

DRIVE = "https://drive.google.com/uc?export=download&id=0Byy2AcGyEVxfSTA4SHJVOHNuTXc"
RELEASE = "https://github.com/owner/repo/releases/download/v0.1/tiny_tf.h5"
RELEASE_TH = "https://github.com/owner/repo/releases/download/v0.1/tiny_th.h5"
INDEX_URL = "https://files.example.org/class_index.json"

Arrays = dict[str, dict[str, np.ndarray[Any, Any]]]


def tiny_arrays(seed: int = 0) -> Arrays:
    """Return the arrays of a network of one convolution and one dense layer, in tf form."""
    draw = np.random.default_rng(seed)
    shapes = {"conv": {"W": (3, 3, 2, 4), "b": (4,)}, "fc": {"W": (16, 3), "b": (3,)}}
    return {
        layer: {name: draw.normal(size=shape).astype(np.float32) for name, shape in arrays.items()}
        for layer, arrays in shapes.items()
    }


def th_arrays(arrays: Arrays) -> Arrays:
    """Return tf arrays in th form: kernels rotated, axes moved, dense rows in (C, H, W) order."""
    moved = {layer: dict(values) for layer, values in arrays.items()}
    moved["conv"]["W"] = arrays["conv"]["W"][::-1, ::-1].transpose(3, 2, 0, 1)
    if "fc" in arrays:
        moved["fc"]["W"] = arrays["fc"]["W"].reshape(2, 2, 4, 3).transpose(2, 0, 1, 3).reshape(16, 3)
    return moved


def write_h5(path: Path, arrays: Arrays, rename: Mapping[str, str] | None = None) -> Path:
    """Write a Keras 1 weights file."""
    names = rename or {}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [names.get(layer, layer).encode() for layer in arrays]
        for layer, values in arrays.items():
            group = file.create_group(names.get(layer, layer))
            group.attrs["weight_names"] = [f"{names.get(layer, layer)}_{name}".encode() for name in values]
            for name, value in values.items():
                group[f"{names.get(layer, layer)}_{name}"] = value
    return path


def read_h5(path: Path) -> Arrays:
    """Return the arrays of a Keras 1 weights file."""
    with h5py.File(path) as file:
        return {
            layer: {name.rsplit("_", 1)[1]: data[()] for name, data in group.items()}
            for layer, group in file.items()
        }


def md5_of(path: Path) -> Digest:
    """Return the digest of a file, as its publisher would state it."""
    value = hashlib.md5(path.read_bytes()).hexdigest()
    return Digest(algorithm="md5", value=value, grade="A", source="the author")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Recorder:
    """Keeps what a progress is told, with pieces added up."""

    steps: list[tuple[int | None, str, int]] = field(default_factory=list)

    def start(self, total: int | None, what: str) -> None:
        """Note a start."""
        self.steps.append((total, what, 0))

    def advance(self, count: int) -> None:
        """Add to the step."""
        total, what, so_far = self.steps[-1]
        self.steps[-1] = (total, what, so_far + count)

    def done(self) -> None:
        """Do nothing: steps never overlap."""


class World:
    """A network of two layers, its files on a server, and an empty cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = Cache(folder / "home")
        self.recorder = Recorder()
        self.limits: TransferLimits | None = None
        self.clock = FakeClock()
        self.arrays = tiny_arrays()
        self.tf = write_h5(folder / "tiny_tf.h5", self.arrays)
        self.th = write_h5(folder / "tiny_th.h5", th_arrays(self.arrays))
        self.structures = (
            self._structure("tiny", {}),
            self._structure("tiny_renamed", {"conv": "c1", "fc": "out"}),
        )
        self.served = {DRIVE: self.th, RELEASE: self.tf, RELEASE_TH: self.th}
        self.server = FaultyServer(self.served)

    def _structure(self, name: str, rename: Mapping[str, str]) -> str:
        layers = [
            {"name": "conv", "kind": "Conv2D", "arrays": {"kernel": [3, 3, 2, 4], "bias": [4]}},
            {"name": "flatten_1", "kind": "Flatten"},
            {"name": "fc", "kind": "Dense", "arrays": {"kernel": [16, 3], "bias": [3]}, "flatten": [4, 2, 2]},
        ]
        for layer in layers:
            layer["name"] = rename.get(str(layer["name"]), layer["name"])
        path = self.folder / f"{name}.json"
        path.write_text(
            json.dumps({"format": 1, "name": name, "source": "", "parameters": 127, "layers": layers})
        )
        return str(path)

    def file(
        self, form: Layout, *urls: str, digests: tuple[Digest, ...] = (), **changes: object
    ) -> WeightsFile:
        """Return a registry entry for a file of this form at published URLs."""
        entry = WeightsFile(
            id=f"tiny-{form}",
            set="imagenet",
            structure=self.structures[0],
            top=True,
            layout=form,
            kernels=form,
            dialect="keras1",
            filename="tiny.h5",
            bytes=None,
            digests=digests,
            urls=tuple(self.server.local(url) for url in urls),
            licence="MIT",
            source="us",
        )
        return replace(entry, **changes)

    def published(self, form: Layout, *urls: str, **changes: object) -> WeightsFile:
        """Return the same with the size and digest of the true file."""
        path = self.tf if form == "tf" else self.th
        return self.file(form, *urls, digests=(md5_of(path),), bytes=path.stat().st_size, **changes)

    def network(self, *files: WeightsFile) -> Architecture:
        """Return an architecture with these files."""
        graph = Graph(
            name="published",
            structures=self.structures,
            config={},
            batch_norm_epsilon=None,
            heads=(Head(name="fc", layer="fc"),),
            top=("fc",),
        )
        return Architecture(
            name="tiny",
            title="Tiny",
            family="vgg",
            paper=Paper(title="None", year=2016, url="https://a.example"),
            input=Input(height=4, width=4, channels=2, min_size=4),
            classes=3,
            class_index="imagenet",
            class_offset=0,
            preprocessing=Preprocessing(
                name="none", channel_order="rgb", mean=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0), source="us"
            ),
            accuracy=Accuracy(top1_error_percent=50.0, top5_error_percent=20.0, source="us"),
            graphs={"published": graph},
            weights=files,
        )

    def fetcher(self) -> Fetcher:
        """Return a fetcher with the world's cache, limits and clock."""
        return Fetcher(self.cache, self.recorder, limits=self.limits, clock=self.clock)

    def resolve(self, *files: WeightsFile, **arguments: Any) -> Fetched:
        """Fetch from a network with these files."""
        return self.fetcher().resolve(self.network(*files), **arguments)

    def asked(self) -> list[str]:
        """Return the paths that were asked for, and forget them."""
        paths = [request.path for request in self.server.requests if request.host == "front"]
        self.server.requests.clear()
        return paths

    def kept(self) -> list[str]:
        """Return every file in the cache, final name or not, but for its memory and empty lock files."""
        found = [path for path in self.cache.home.rglob("*") if path.is_file() and path.suffix != ".lock"]
        names = sorted(str(path.relative_to(self.cache.home)) for path in found)
        return [name for name in names if not name.startswith("_memory/")]
