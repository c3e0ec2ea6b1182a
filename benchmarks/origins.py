"""How long it takes to convert what Caffe and PyTorch wrote, beside copying it and what else reads it.

Needs PyTorch and OpenCV, so it runs in an environment of its own: ``make bench-origins``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.conversion import private_peak, shell
from benchmarks.timing import Comparison, Peak, Run, comparison, run, take_turns
from converters.planning.structures import load_structure
from tests.support import caffe_files
from tests.support.caffe_files import Layer
from zoo.practice import values

_ROUNDS = 5
_MEGABYTES = 150.0
_IN_PROCESS = """
import sys, time
import converters
converters.convert_file
start = time.perf_counter()
converters.convert_file(sys.argv[1], sys.argv[2], to="safetensors", verify=False)
print(time.perf_counter() - start)
"""
# What a user would write without a converter; the arrays stay as PyTorch has them, which takes less.
_TORCH = """
import sys
import torch
from safetensors.torch import save_file
save_file(torch.load(sys.argv[1], weights_only=True), sys.argv[2])
"""
# OpenCV reads, and can write nothing that others read.
_OPENCV = """
import sys
import cv2
cv2.dnn.readNetFromCaffe(sys.argv[2], sys.argv[1])
"""


def compare() -> Iterator[Comparison | Peak]:
    """Compare the conversion of VGG-16's files with ``cp``, ``torch.load`` and OpenCV; and its memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        caffe, torch = folder / "vgg16.caffemodel", folder / "vgg16.pth"
        graph = _write(caffe, torch)
        for path in (caffe, torch):
            yield from _beside_cp(path, folder)
        yield _beside(caffe, folder, "OpenCV reads it", _OPENCV, graph)
        yield _beside(torch, folder, "torch.load and save_file", _TORCH, folder / "theirs.safetensors")


def _beside_cp(path: Path, folder: Path) -> Iterator[Comparison | Peak]:
    new, copy = folder / "new.safetensors", folder / f"copy{path.suffix}"
    runs = take_turns(
        {
            "cp": partial(shell, f"cp {path} {copy} && sync {copy}", copy),
            "in process": partial(_in_process, path, new),
        },
        rounds=_ROUNDS,
    )
    yield comparison(f"convert_file({path.name}, verify=False) / cp", runs["in process"], runs["cp"], 2.0)
    most = private_peak([*_zoo(path, new).split(), "--verify"], new)
    claim = f"private memory, zoo convert {path.name}"
    yield Peak(claim=claim, megabytes=most / 1e6, at_most=_MEGABYTES)


def _beside(path: Path, folder: Path, what: str, script: str, other: Path) -> Comparison:
    new, theirs = folder / "new.safetensors", folder / "theirs.py"
    theirs.write_text(script)
    command = f"{sys.executable} {theirs} {path} {other}"
    runs = take_turns(
        {
            "zoo": partial(shell, f"{_zoo(path, new)} --no-verify", new),
            "theirs": partial(run, command.split()),
        },
        rounds=_ROUNDS,
    )
    return comparison(f"zoo convert --no-verify {path.name} / {what}", runs["zoo"], runs["theirs"])


def _zoo(old: Path, new: Path) -> str:
    return f"{sys.executable} -m zoo convert --to safetensors {old} {new}"


def _in_process(old: Path, new: Path) -> Run:
    new.unlink(missing_ok=True)
    return run([sys.executable, "-c", _IN_PROCESS, str(old), str(new)], told=True)


def _write(caffe: Path, torch: Path) -> Path:
    """Write VGG-16's files as Caffe and PyTorch would, and return a graph for OpenCV."""
    import torch as pytorch

    structure = load_structure("vgg16")
    names = zip(*(structure.known_as[whose] for whose in ("caffe", "torchvision")), strict=True)
    layers, state = [], {}
    for layer, (one, other) in zip(structure.weighted, names, strict=True):
        kernel = values.array("vgg16", layer, "kernel")
        kernel = np.ascontiguousarray(kernel[:, :, ::-1, ::-1] if kernel.ndim == 4 else kernel.T)
        bias = values.array("vgg16", layer, "bias")
        layers.append(Layer(one, "Convolution" if kernel.ndim == 4 else "InnerProduct", [kernel, bias]))
        state[f"{other}.weight"], state[f"{other}.bias"] = map(pytorch.from_numpy, (kernel, bias))
    caffe_files.write(caffe, layers, first=True)
    pytorch.save(state, torch)
    graph = caffe.with_suffix(".prototxt")
    graph.write_text(_graph(layers))
    return graph


def _graph(layers: list[Layer]) -> str:
    lines, bottom = ["input: 'data' input_dim: 1 input_dim: 3 input_dim: 224 input_dim: 224"], "data"
    for layer in layers:
        outputs = len(layer.blobs[1])
        settings = f"inner_product_param {{ num_output: {outputs} }}"
        if layer.type == "Convolution":
            settings = f"convolution_param {{ num_output: {outputs} kernel_size: 3 pad: 1 }}"
        ends = f"bottom: '{bottom}' top: '{layer.name}'"
        lines.append(f"layer {{ name: '{layer.name}' type: '{layer.type}' {ends} {settings} }}")
        bottom = layer.name
    return "\n".join(lines).replace("'", '"')
