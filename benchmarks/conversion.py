"""How long a conversion takes beside copying the file and beside the way through Keras; how much memory.

``cp`` and the conversion are both followed by a ``sync`` of the new file, so neither is done before the disk
has it. What is converted has just been written, so neither waits for the disk to read.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from benchmarks.timing import Comparison, Peak, Run, alternate_calls, comparison, run, take_turns
from converters.formats.opening import open_untrusted
from zoo.practice.files import write_published

_ROUNDS = 5
_MEGABYTES = 150.0
# Without the program's own start: what somebody pays who converts from Python.
_IN_PROCESS = """
import sys, time
import converters
converters.convert_file
start = time.perf_counter()
flatten = {"fc": (512, 7, 7)} if "made" in sys.argv[1] else None
converters.convert_file(sys.argv[1], sys.argv[2], direction="th-to-tf", flatten=flatten, verify=False)
print(time.perf_counter() - start)
"""
# What a user would write without a converter: the network, its weights read, turned and set, then saved.
_KERAS = """
import sys
import h5py, keras
model = keras.applications.VGG16(weights=None)
layers = [layer for layer in model.layers if layer.weights]
with h5py.File(sys.argv[1]) as file:
    groups = [file[name] for name in file.attrs["layer_names"]]
    groups = [group for group in groups if len(group)]
    for layer, group in zip(layers, groups, strict=True):
        kernel, bias = (group[name][()] for name in group.attrs["weight_names"])
        if kernel.ndim == 4:
            kernel = kernel[:, :, ::-1, ::-1].transpose(2, 3, 1, 0)
        elif kernel.shape[0] == 25088:
            kernel = kernel.reshape(512, 7, 7, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)
        layer.set_weights([kernel, bias])
model.save_weights(sys.argv[2])
"""


def compare(parent: Path, place: str) -> Iterator[Comparison | Peak]:
    """Compare conversions with ``cp``, with Keras and with importing h5py, and one size with another.

    Args:
        parent: Folder to write to.
        place: What the figures say of it.
    """
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        vgg, dense = folder / "vgg16.h5", folder / "densenet161.h5"
        write_published("vgg16", vgg)
        write_published("densenet161", dense)
        yield from _large(vgg, folder, place)
        yield from _beside_keras(vgg, folder, place)
        yield _small_arrays(dense, folder, place)
        if place != "in memory":  # where the largest file would take what the processes need
            yield _metadata(dense)
            yield from _sizes(vgg, folder)


def _large(vgg: Path, folder: Path, place: str) -> Iterator[Comparison]:
    new = folder / "new.h5"
    runs = take_turns(
        {
            "cp": partial(shell, f"cp {vgg} {new} && sync {new}", new),
            "verify": partial(shell, f"{_zoo(vgg, new)} --verify && sync {new}", new),
            "no verify": partial(shell, f"{_zoo(vgg, new)} --no-verify && sync {new}", new),
            "in process": partial(_in_process, vgg, new),
        },
        rounds=_ROUNDS,
    )
    yield comparison(f"zoo convert --verify VGG-16, {place} / cp", runs["verify"], runs["cp"], 1.2)
    yield comparison(f"zoo convert --no-verify VGG-16, {place} / cp", runs["no verify"], runs["cp"])
    yield comparison(f"convert_file(VGG-16, verify=False), {place} / cp", runs["in process"], runs["cp"])


def _beside_keras(vgg: Path, folder: Path, place: str) -> Iterator[Comparison]:
    new, other, script = folder / "new.h5", folder / "new.weights.h5", folder / "keras_way.py"
    script.write_text(_KERAS)
    runs = take_turns(
        {
            "--verify": partial(shell, f"{_zoo(vgg, new)} --verify && sync {new}", new),
            "--no-verify": partial(shell, f"{_zoo(vgg, new)} --no-verify && sync {new}", new),
            "keras": partial(shell, f"{sys.executable} {script} {vgg} {other} && sync {other}", other),
        },
        rounds=3,
    )
    for option in ("--verify", "--no-verify"):  # Keras verifies nothing
        claim = f"zoo convert {option} VGG-16, {place} / build, read, set and save with Keras"
        yield comparison(claim, runs[option], runs["keras"], 0.08)


def _small_arrays(dense: Path, folder: Path, place: str) -> Comparison:
    new = folder / "new.h5"
    runs = take_turns(
        {
            "zoo": partial(shell, _zoo(dense, new), new),
            "h5py": partial(run, [sys.executable, "-c", "import h5py"]),
        },
        rounds=2 * _ROUNDS,
    )
    claim = f"zoo convert DenseNet-161 (1,128 arrays), {place} / python -c 'import h5py'"
    return comparison(claim, runs["zoo"], runs["h5py"], 4.0)


def _metadata(dense: Path) -> Comparison:
    """Compare reading all that a file says of its arrays, but not their values."""

    def strictly() -> None:
        with open_untrusted(dense):
            pass

    def note(_: str, item: h5py.Group | h5py.Dataset) -> None:
        dict(item.attrs)
        if isinstance(item, h5py.Dataset):
            assert item.dtype, item.shape

    def with_h5py() -> None:
        with h5py.File(dense) as file:
            dict(file.attrs)
            file.visititems(note)

    claim = "metadata of DenseNet-161 (1,128 arrays), our reader / h5py"
    return alternate_calls(claim, strictly, with_h5py, rounds=_ROUNDS)


def _sizes(vgg: Path, folder: Path) -> Iterator[Comparison | Peak]:
    new = folder / "new.h5"
    sizes = {size: _made(folder / f"made{size}.h5", size) for size in (30, 4000)}
    runs = {size: [_in_process(path, new) for _ in range(3)][1:] for size, path in sizes.items()}
    per_byte = {
        size: [Run(seconds=one.seconds / sizes[size].stat().st_size * 1e9, peak_bytes=0) for one in found]
        for size, found in runs.items()
    }
    yield comparison("a GB of a file of 4 GB / a GB of one of 30 MB", per_byte[4000], per_byte[30], 1.5)
    for claim, path in {"VGG-16": vgg, "a file of 4 GB": sizes[4000]}.items():
        arguments = _zoo(path, new).split()
        most = private_peak([*arguments, "--verify"], new)
        yield Peak(claim=f"private memory, zoo convert {claim}", megabytes=most / 1e6, at_most=_MEGABYTES)


def _zoo(old: Path, new: Path) -> str:
    flatten = "" if "made" not in old.name else " --flatten=fc=512x7x7"
    return f"{sys.executable} -m zoo convert --th-to-tf{flatten} {old} {new}"


def shell(command: str, new: Path) -> Run:
    """Run a command of the shell that writes a new file."""
    new.unlink(missing_ok=True)
    return run(["sh", "-c", command])


def _in_process(old: Path, new: Path) -> Run:
    new.unlink(missing_ok=True)
    return run([sys.executable, "-c", _IN_PROCESS, str(old), str(new)], told=True)


def private_peak(command: Sequence[str], new: Path) -> int:
    """Return the most private memory, in bytes, that a process had: what is not a map of a file."""
    new.unlink(missing_ok=True)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        most = max(most, _private(process.pid))
        time.sleep(0.002)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return most


def _private(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    found = (line.split() for line in lines if line.startswith("RssAnon:"))
    return next((int(words[1]) * 1024 for words in found), 0)


def _made(path: Path, megabytes: int) -> Path:
    """Write a file of any size that is a quarter convolutions and otherwise a matrix whose rows move."""
    rng = np.random.default_rng(megabytes)
    block = rng.standard_normal(1 << 20, dtype="f4")
    inputs = max(megabytes * 250_000 // (4 * 9 * 2048), 1)
    columns = megabytes * 750_000 // (4 * 25088)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"conv", b"fc"])
        for name, shape in {"conv": (2048, inputs, 3, 3), "fc": (25088, columns)}.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}_W".encode(), f"{name}_b".encode()])
            units = shape[0] if len(shape) > 2 else shape[1]
            group.create_dataset(f"{name}_b", data=block[:units])
            _fill(group.create_dataset(f"{name}_W", shape, "f4"), block)
    subprocess.run(["sync", str(path)], check=True)
    return path


def _fill(dataset: h5py.Dataset, block: np.ndarray) -> None:
    per_row = int(np.prod(dataset.shape[1:]))
    rows = max(block.size // per_row, 1)
    values = np.resize(block, rows * per_row).reshape(rows, *dataset.shape[1:])
    for start in range(0, dataset.shape[0], rows):
        dataset[start : start + rows] = values[: dataset.shape[0] - start]
